/* abi.c: sizes of the public structs, which the FFI compares with its own at load. */
#include "hz/camera.h"
#include "hz/cpu.h"
#include "hz/measure.h"
#include "hz/pictures.h"
#include "hz/plan.h"
#include "hz/sound.h"
#include "hz/strings.h"
#include <string.h>

#define ROW(type) { #type, sizeof(type) },
static const struct { const char *name; size_t size; } sizes[] = {
    ROW(hz_tensor) ROW(hz_window) ROW(hz_act_attr) ROW(hz_dropout) ROW(hz_norm) ROW(hz_input) ROW(hz_xent) ROW(hz_optim)
    ROW(hz_average)    ROW(hz_attr) ROW(hz_tail) ROW(hz_value) ROW(hz_node) ROW(hz_step) ROW(hz_node_stat) ROW(hz_trial)
    ROW(hz_plan_options) ROW(hz_peak) ROW(hz_camera_spec) ROW(hz_strings_spec)
    ROW(hz_media) ROW(hz_account) ROW(hz_stream) ROW(hz_recoded) ROW(hz_param) ROW(hz_params) ROW(hz_codec_api)
    ROW(hz_plugin_row) ROW(hz_picture) ROW(hz_picture_table) ROW(hz_picture_form) ROW(hz_mel_form)
    ROW(hz_clip) ROW(hz_clip_form) ROW(hz_measure)
};

size_t hz_sizeof(const char *type)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].name, type))
            return sizes[i].size;
    return 0;
}

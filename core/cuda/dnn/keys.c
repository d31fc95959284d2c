/* keys.c: libhz_keys.so, a device that computes nothing: it prints the key of each convolution of the plans made on it,
   as a card would be asked for them. So the list of what packs hold is made by the networks themselves (keys.lua). */
#include "cuda/dnn/key.h"
#include "cuda/sums.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const hz_core *cuda_core;

static void *get(size_t bytes) { return malloc(bytes ? bytes : 1); }      /* of which nothing is ever touched */
static void give_back(void *p, size_t bytes) { free(p); }
static hz_status copy_in(void *to, const void *from, size_t bytes) { return HZ_OK; }
static hz_status fill(void *to, int byte, size_t bytes) { return HZ_OK; }
static hz_status synchronise(uint64_t mark) { return HZ_OK; }
static hz_status copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    memset(to, 0, bytes);
    *mark = 0;
    return HZ_OK;
}

static const hz_memory memory = {
    .size = sizeof memory, .name = "keys", .alloc = get, .free = give_back, .copy_in = copy_in, .copy_out = copy_out,
    .fill = fill, .synchronise = synchronise,
};

struct hz_program { int count; };

static const char *describe(void) { return "keys: lists convolutions"; }
static int accepts(const hz_work *w) { return !w->tails && !w->head.op; }      /* as cards do */
static void program_free(hz_program *p) { free(p); }
static hz_status run(hz_program *p, int from, int to, const hz_step *s, int timed) { return HZ_OK; }
static void gate(hz_program *p, int from, const hz_arg *number) {}
static hz_status stat(const hz_program *p, int i, hz_node_stat *out)
{
    *out = (hz_node_stat){ .kernel = "keys" };
    return HZ_OK;
}

static hz_program *program_new(const hz_work *works, int count, int train)
{
    char text[DNN_KEYTEXT];
    for (int i = 0; i < count; i++) {
        const hz_work *w = &works[i];
        if (w->op == OP_conv2d || w->op == OP_conv2d_dx || w->op == OP_conv2d_dw) {
            dnn_key k = dnn_key_of(w, sums_wanted(works, count, i));
            puts(dnn_key_text(&k, text));
        }
    }
    return calloc(1, sizeof(hz_program));
}

static const hz_backend backend = {
    .size = sizeof backend, .name = "keys", .memory = &memory, .describe = describe, .accepts = accepts,
    .program_new = program_new, .program_free = program_free, .run = run, .gate = gate, .stat = stat,
};

static const hz_backend *open(const char *id, const hz_core *core, const char *which)
{
    cuda_core = core;
    return &backend;
}

#pragma GCC visibility push(default)
extern const hz_device hz_device_main;
#pragma GCC visibility pop
const hz_device hz_device_main = {
    .size = sizeof(hz_device), .open = open, .draft = HZ_BACKEND_DRAFT, .build =
#include "commit.inc"
};

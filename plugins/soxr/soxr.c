/* soxr.c: a resampler of sounds over libsoxr at its highest quality, VHQ: 28 bits, pass band to 0.913 of the lower
   Nyquist frequency, linear phase, so that nothing is delayed. */
#include "hz/plugin.h"
#include <soxr.h>
#include <stdio.h>
#include <string.h>

static const hz_host *host;
static char library_text[48];

static const char *library(void) { return library_text; }

static int resample(const hz_media *in, double rate, int64_t frames, float *out)
{
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
    soxr_io_spec_t samples = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_runtime_spec_t threads = soxr_runtime_spec(1);
    size_t taken, made = 0, n = (size_t)in->channels;
    soxr_error_t error = soxr_oneshot(in->rate, rate, (unsigned)in->channels, in->data, (size_t)in->frames, &taken, out,
                                      (size_t)frames, &made, &samples, &quality, &threads);
    if (error)
        return host->fail("libsoxr says: %s", error);
    memset(out + made * n, 0, ((size_t)frames - made) * n * sizeof *out);      /* a fraction of a frame at the end */
    return 0;
}

static const hz_sound_resampler resampler = {
    .size = sizeof resampler, .library = library, .resample = resample,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    snprintf(library_text, sizeof library_text, "%s VHQ", soxr_version());
    return 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.resample/1") ? NULL : &resampler;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "soxr",
    .version = "1",
    .about = "sounds at other rates",
    .open = open_plugin,
    .interface = interface,
};

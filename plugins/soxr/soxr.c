/* soxr.c: a resampler of sounds over libsoxr at its quality VHQ: linear phase, the band kept up to 0.913 of the lower
   Nyquist frequency, what aliases 170 dB down. What libsoxr delays it takes off again: frame 0 stays where it is. */
#include "hz/plugin.h"
#include <soxr.h>
#include <string.h>

static const hz_host *host;

/* Fills out with `frames` frames, with silence where the sound has ended. */
static int run(soxr_t s, const hz_media *in, int64_t frames, float *out)
{
    const float *x = in->data;
    size_t left = (size_t)in->frames, want = (size_t)frames, used = 0, made = 1;
    while (want > 0 && (left > 0 || made > 0)) {
        soxr_error_t error = soxr_process(s, left ? x : NULL, left, &used, out, want, &made);
        if (error)
            return host->fail("libsoxr says: %s", error);
        used = left ? used : 0;
        x += used * (size_t)in->channels;
        out += made * (size_t)in->channels;
        left -= used;
        want -= made;
    }
    memset(out, 0, want * (size_t)in->channels * sizeof *out);
    return 0;
}

static int resample(const hz_media *in, double rate, int64_t frames, float *out)
{
    soxr_error_t error = NULL;
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_t s = soxr_create(in->rate, rate, (unsigned)in->channels, &error, &io, &quality, &runtime);
    int status = s && !error ? run(s, in, frames, out)
                             : host->fail("libsoxr says of %g Hz to %g Hz: %s", in->rate, rate, error ? error : "no");
    soxr_delete(s);
    return status;
}

/* ---- the tables ---- */

static const char *library(void) { return soxr_version(); }

static const hz_resample resampler = {
    .size = sizeof resampler, .draft = HZ_CODEC_DRAFT, .library = library, .resample = resample,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.resample/0") ? NULL : &resampler;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "soxr",
    .version = "1",
    .about = "sounds at other rates",
    .open = open_plugin,
    .interface = interface,
};

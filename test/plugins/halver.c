/* halver.c: a stage of sounds for the tests: every second frame goes forward, at half the rate; back, each is there
   twice. `rest` frames of silence go forward behind the sound. */
#include "hz/plugin.h"
#include <string.h>

static const hz_host *host;

typedef struct halver { int64_t rest; } halver;

static void *create(const double *values)
{
    halver *h = host->alloc(sizeof *h);
    if (h)
        h->rest = (int64_t)values[0];
    return h;
}

static void destroy(void *instance) { host->free(instance); }

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    const halver *h = instance;
    size_t frame = (size_t)in->channels * sizeof(float);
    int64_t n = (in->frames + 1) / 2;
    format->frames = n + h->rest;
    format->channels = in->channels;
    format->rate = in->rate / 2;
    out->size = (size_t)format->frames * frame;
    if (host->grow(out, out->size))
        return -1;
    memset(out->data, 0, out->size);
    for (int64_t i = 0; i < n; i++)
        memcpy(out->data + (size_t)i * frame, (const uint8_t *)in->data + 2 * (size_t)i * frame, frame);
    return 0;
}

static int back(void *instance, const hz_media *in, const hz_media *original, hz_media *format, hz_bytes *out)
{
    const halver *h = instance;
    size_t frame = (size_t)in->channels * sizeof(float);
    if (in->frames != (original->frames + 1) / 2 + h->rest || in->rate != original->rate / 2 || original->data)
        return host->fail("%lld frames at %g Hz came back of %lld at %g", (long long)in->frames, in->rate,
                          (long long)original->frames, original->rate);
    *format = *original;
    out->size = (size_t)original->frames * frame;
    if (host->grow(out, out->size))
        return -1;
    for (int64_t i = 0; i < original->frames; i++)
        memcpy(out->data + (size_t)i * frame, (const uint8_t *)in->data + (size_t)(i / 2) * frame, frame);
    return 0;
}

/* It is none that stands behind others. */
static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    return host->fail("it only goes in front of a codec");
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return host->fail("it only goes in front of a codec");
}

static const char *library(void) { return "none"; }

static const int rates[] = { 16000, 48000, 0 };

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = 1 << 1 | 1 << 2,
    .name = "halver",
    .params = "rest:int=0[0..9]",
    .rates = rates,
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_stage stage = { .size = sizeof stage, .forward = forward, .back = back };

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec : !strcmp(id, "hz.codec.stage/1") ? &stage : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "halver",
    .version = "1",
    .about = "for the tests: every second frame",
    .open = open_plugin,
    .interface = interface,
};

/* sound.c: a codec of sounds as it was written on the day when hz.codec/1 was frozen: 16-bit samples behind a header,
   with a delay, a tail and a block size to choose. Never changed. */
#include "hz/plugin.h"
#include <math.h>
#include <string.h>

static const hz_host *host;

/* Signature, channels, rate, frames (big-endian); then the samples, first frame first, channels interleaved. */
enum { SIGNATURE = 4, HEADER = SIGNATURE + 1 + 4 + 4, MOST = 1 << 28 };
static const float LOUD = 0.75f;

typedef struct coder {
    int64_t delay, tail, block;      /* frames; delay, frames and tail are filled up to a multiple of block */
    int lie;                         /* frames that the declared delay is off */
} coder;

static void put32(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int64_t get32(const uint8_t *p) { return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static void *create(const double *values)
{
    coder *c = host->alloc(sizeof *c);
    if (c)
        *c = (coder){ (int64_t)values[0], (int64_t)values[1], (int64_t)values[2], (int)values[3] };
    return c;
}

static void destroy(void *instance) { host->free(instance); }

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const float *x = in->data;
    int64_t n = in->frames * in->channels;
    if (n > MOST)
        return host->fail("the sound has %lld samples; needs at most %d", (long long)n, MOST);
    if (host->grow(out, HEADER + 2 * (size_t)n))
        return -1;
    memcpy(out->data, "PCM1", SIGNATURE);
    out->data[SIGNATURE] = (uint8_t)in->channels;
    put32(out->data + SIGNATURE + 1, (int64_t)in->rate);
    put32(out->data + SIGNATURE + 5, in->frames);
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] >= -1 && x[i] <= 1))
            return host->fail("sample %lld is %g; needs -1..1", (long long)i, (double)x[i]);
        int v = (int)lrintf(x[i] * 32767.0f);
        out->data[HEADER + 2 * i] = (uint8_t)((unsigned)v >> 8);
        out->data[HEADER + 2 * i + 1] = (uint8_t)v;
    }
    out->size = HEADER + 2 * (size_t)n;
    return host->part(account, HZ_CONTAINER, SIGNATURE) || host->part(account, HZ_TABLES, HEADER - SIGNATURE) ||
           host->part(account, HZ_PAYLOAD, 2 * (size_t)n);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    const coder *c = instance;
    if (count < HEADER || memcmp(bytes, "PCM1", SIGNATURE))
        return host->fail("the stream does not begin as one of this codec");
    int channels = bytes[SIGNATURE];
    int64_t rate = get32(bytes + SIGNATURE + 1), frames = get32(bytes + SIGNATURE + 5);
    if (channels < 1 || channels > 2 || rate < 1 || frames < 1 || frames > MOST / channels ||
        count != HEADER + 2 * (size_t)(frames * channels))
        return host->fail("the header says %lld frames of %d channels, the stream has %zu bytes", (long long)frames,
                          channels, count);
    int64_t all = (c->delay + frames + c->tail + c->block - 1) / c->block * c->block;
    if (host->grow(out, (size_t)(all * channels) * sizeof(float)))
        return -1;
    float *x = (float *)(void *)out->data;
    for (int64_t i = 0; i < all * channels; i++)
        x[i] = LOUD;
    for (int64_t i = 0; i < frames * channels; i++)
        x[c->delay * channels + i] = (float)(int16_t)(bytes[HEADER + 2 * i] << 8 | bytes[HEADER + 2 * i + 1]) / 32767;
    out->size = (size_t)(all * channels) * sizeof(float);
    format->channels = channels;
    format->rate = (double)rate;
    format->frames = all;
    return 0;
}

static int timing(void *instance, double rate, int64_t *delay, int64_t *tail)
{
    const coder *c = instance;
    *delay = c->delay + c->lie;
    *tail = c->tail;
    return 0;
}

static const char *library(void) { return "none"; }
static const int rates[] = { 8000, 44100, 0 };

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = 1 << 1 | 1 << 2,
    .name = "abi_sound",
    .params = "delay:int=529[0..10000]; tail:int=288[0..10000]; block:int=1[1..10000]; lie:int=0[-100000..100000]",
    .rates = rates,
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
    .timing = timing,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id) { return strcmp(id, "hz.codec/1") ? NULL : &codec; }

const hz_plugin hz_plugin_main = { sizeof(hz_plugin), "abi_sound", "1", "16-bit samples", open_plugin, interface };

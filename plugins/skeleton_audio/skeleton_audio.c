/* skeleton_audio.c: the smallest codec of sounds: rounds every sample to `bits` and packs them. Read it from the bottom
   up: the door, the codec's table, then the functions in it. Casts of void * are
   there for those who compile it as C++. */
#include "hz/plugin.h"
#include <string.h>

static const hz_host *host;          /* written once, in open */

/* The stream: signature, bits, channels, frames, rate (big-endian), then the samples, first sample in the top bits. */
enum { SIGNATURE = 2, HEADER = SIGNATURE + 2 + 4 + 4, MOST = 1 << 28 };

/* ---- 4. helpers ---- */

static void put32(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int64_t get32(const uint8_t *p)
{
    return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Levels to either side of silence, which is one itself: 127 with 8 bits. */
static int levels(int bits) { return (1 << (bits - 1)) - 1; }

static int quantise(float x, int most)
{
    float v = x > 1 ? 1 : x >= -1 ? x : -1;
    return (int)(v * (float)most + (float)most + 0.5f);
}

/* ---- 3. an instance: what one worker needs; here just the parameter ---- */

typedef struct quantiser { int bits; } quantiser;

static void *create(const double *values)
{
    quantiser *q = (quantiser *)host->alloc(sizeof *q);
    if (q)
        q->bits = (int)values[0];    /* values come checked, in the order of the declaration */
    return q;
}

static void destroy(void *instance) { host->free(instance); }

/* ---- 2. the two directions ---- */

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const quantiser *q = (const quantiser *)instance;
    const float *sample = (const float *)in->data;
    if (in->channels > 255 || in->frames > MOST / in->channels || in->rate < 1 || in->rate >= 4294967296.0)
        return host->fail("the sound has %lld frames of %d channels at %g Hz; needs at most %d samples",
                          (long long)in->frames, in->channels, in->rate, MOST);
    int64_t n = in->frames * in->channels;
    size_t payload = ((size_t)n * (size_t)q->bits + 7) / 8;
    if (host->grow(out, HEADER + payload))           /* the host lends the memory; a failure is passed on */
        return -1;
    uint8_t *p = out->data;
    memcpy(p, "QS", SIGNATURE);
    p[2] = (uint8_t)q->bits;
    p[3] = (uint8_t)in->channels;
    put32(p + 4, in->frames);
    put32(p + 8, (int64_t)in->rate);
    p += HEADER;
    memset(p, 0, payload);
    for (int64_t i = 0, at = 0; i < n; i++, at += q->bits) {
        int v = quantise(sample[i], levels(q->bits)) << (24 - q->bits - (at & 7));       /* in three bytes from at */
        p[at >> 3] |= (uint8_t)(v >> 16);
        if (v >> 8 & 255)
            p[(at >> 3) + 1] |= (uint8_t)(v >> 8);
        if (v & 255)
            p[(at >> 3) + 2] |= (uint8_t)v;
    }
    out->size = HEADER + payload;
    /* Every byte of the stream is named, front to back. A codec with code tables names them HZ_TABLES. */
    return host->part(account, HZ_CONTAINER, HEADER) || host->part(account, HZ_PAYLOAD, payload);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    (void)instance;                  /* the stream says with how many bits it was made */
    /* The stream may come from anywhere: nothing in it is believed before it was checked. */
    if (count < HEADER || memcmp(bytes, "QS", SIGNATURE))
        return host->fail("the stream does not begin as one of this codec");
    int bits = bytes[2], channels = bytes[3];
    int64_t frames = get32(bytes + 4), rate = get32(bytes + 8);
    if (bits < 2 || bits > 16 || channels < 1 || channels > 2 || frames < 1 || frames > MOST / channels || rate < 1)
        return host->fail("the header says %d bits, %lld frames of %d channels at %lld Hz; needs 2..16 bits, 1 or 2 "
                          "channels, at most %d samples", bits, (long long)frames, channels, (long long)rate, MOST);
    int64_t n = frames * channels;
    size_t payload = ((size_t)n * (size_t)bits + 7) / 8;
    if (count != HEADER + payload)
        return host->fail("the stream has %zu bytes; its header promises %zu", count, HEADER + payload);
    if (host->grow(out, (size_t)n * sizeof(float)))
        return -1;
    const uint8_t *p = bytes + HEADER;
    float *sample = (float *)(void *)out->data;
    for (int64_t i = 0, at = 0; i < n; i++, at += bits) {
        int64_t byte = at >> 3, last = (int64_t)payload - 1;
        int three = p[byte] << 16 | (byte < last ? p[byte + 1] << 8 : 0) | (byte + 1 < last ? p[byte + 2] : 0);
        int v = three >> (24 - bits - (at & 7)) & ((1 << bits) - 1);
        int most = levels(bits);
        sample[i] = (float)((v < 2 * most ? v : 2 * most) - most) / (float)most;
    }
    out->size = (size_t)n * sizeof(float);
    format->channels = channels;
    format->frames = frames;
    format->rate = (double)rate;
    return 0;
}

/* ---- 1. the table ---- */

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = 1 << 1 | 1 << 2,     /* mono and stereo */
    .lossless = 0,
    .name = "skeleton_audio",
    .params = "bits:int=8[2..16](bits)+ 'kept of every sample'",
    .rates = NULL,                   /* any; a list of those that it takes, ended by 0, has the host resample others */
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
    .timing = NULL,                  /* decode puts no frames before or after those of the sound */
};

/* ---- 0. the door ---- */

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.codec/1") ? NULL : &codec;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "skeleton_audio",
    .version = "1",
    .about = "rounds every sample to a few bits; an example",
    .open = open_plugin,
    .interface = interface,
};

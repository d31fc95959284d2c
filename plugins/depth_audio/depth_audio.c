/* depth_audio.c: sounds of fewer levels, a control: samples are rounded to whole steps of 2^(1-bits), from -1 to one
   step below 1, as whole numbers of `bits` bits have them. Its own stream is these numbers, packed. In front of flac it
   makes whole numbers of any sound. */
#include "hz/plugin.h"
#include <math.h>
#include <string.h>

static const hz_host *host;          /* written once, in open */

/* The stream: "DA", bits, channels, frames, rate (a double), big-endian; then a number of each sample, two's
   complement, `bits` wide, the first in the top bits. */
enum { HEADER = 2 + 1 + 1 + 4 + 8, MOST = 1 << 28, CHANNELS = 8 };

typedef struct depth { int bits; } depth;

static void *create(const double *values)
{
    depth *d = host->alloc(sizeof *d);
    if (d)
        d->bits = (int)values[0];
    return d;
}

static void destroy(void *instance) { host->free(instance); }

/* 0, or what the host returned */
static int check(const hz_media *m)
{
    return m->channels >= 1 && m->channels <= CHANNELS && m->frames > 0 && m->frames <= MOST / m->channels &&
                   m->rate > 0 && isfinite(m->rate) ? 0
         : host->fail("the sound has %lld frames of %d channels at %g Hz; needs 1 to %d channels, at most %d samples",
                      (long long)m->frames, m->channels, m->rate, CHANNELS, MOST);
}

static int check_samples(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return host->fail("sample %lld is %g; needs a finite one", (long long)i, (double)x[i]);
    return 0;
}

static double half(int bits) { return (double)(1 << (bits - 1)); }

static int level(float x, int bits)
{
    double most = half(bits), v = rint((double)x * most);
    return (int)(v < -most ? -most : v > most - 1 ? most - 1 : v);
}

static float sample(int level, int bits) { return (float)(level / half(bits)); }

/* ---- as a stage ---- */

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    const depth *d = instance;
    const float *x = in->data;
    int64_t n = in->frames * in->channels;
    int failed = check(in);
    if (!failed)
        failed = check_samples(x, n);
    if (!failed)
        failed = host->grow(out, (size_t)n * sizeof *x);
    if (failed)
        return failed;
    float *y = (float *)(void *)out->data;
    for (int64_t i = 0; i < n; i++)
        y[i] = sample(level(x[i], d->bits), d->bits);
    out->size = (size_t)n * sizeof *x;
    format->frames = in->frames;
    format->channels = in->channels;
    format->rate = in->rate;
    return 0;
}

/* ---- as a codec ---- */

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static size_t packed(int64_t n, int bits) { return ((size_t)n * (size_t)bits + 7) / 8; }

static void pack(const float *x, int64_t n, int bits, uint8_t *p)
{
    uint32_t waiting = 0, mask = (1u << bits) - 1;
    int have = 0;
    for (int64_t i = 0; i < n; i++) {
        waiting = waiting << bits | ((uint32_t)level(x[i], bits) & mask);
        for (have += bits; have >= 8; have -= 8)
            *p++ = (uint8_t)(waiting >> (have - 8));
    }
    if (have)
        *p = (uint8_t)(waiting << (8 - have));
}

static void unpack(const uint8_t *p, int64_t n, int bits, float *x)
{
    uint32_t waiting = 0, mask = (1u << bits) - 1;
    int have = 0, top = 1 << (bits - 1);
    for (int64_t i = 0; i < n; i++) {
        for (; have < bits; have += 8)
            waiting = waiting << 8 | *p++;
        have -= bits;
        int v = (int)(waiting >> have & mask);
        x[i] = sample(v >= top ? v - 2 * top : v, bits);
    }
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const depth *d = instance;
    int failed = check(in);
    int64_t n = in->frames * in->channels;
    uint64_t rate;
    if (failed || (failed = check_samples(in->data, n)))
        return failed;
    size_t payload = packed(n, d->bits);
    if ((failed = host->grow(out, HEADER + payload)))
        return failed;
    memcpy(&rate, &in->rate, sizeof rate);
    memcpy(out->data, "DA", 2);
    out->data[2] = (uint8_t)d->bits;
    out->data[3] = (uint8_t)in->channels;
    put(out->data + 4, (uint64_t)in->frames, 4);
    put(out->data + 8, rate, 8);
    pack(in->data, n, d->bits, out->data + HEADER);
    out->size = HEADER + payload;
    failed = host->part(account, HZ_CONTAINER, HEADER);
    return failed ? failed : host->part(account, HZ_PAYLOAD, payload);
}

/* Streams of any number of bits, whatever the instance's are. */
static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    if (count < HEADER || memcmp(bytes, "DA", 2) || bytes[2] < 1 || bytes[2] > 16)
        return host->fail("the stream does not begin as one of this codec");
    uint64_t rate = get(bytes + 8, 8);
    int bits = bytes[2];
    format->channels = bytes[3];
    format->frames = (int64_t)get(bytes + 4, 4);
    memcpy(&format->rate, &rate, sizeof rate);
    int failed = check(format);
    if (failed)
        return failed;
    int64_t n = format->frames * format->channels;
    if (count != HEADER + packed(n, bits))
        return host->fail("the stream has %zu bytes; its header promises %zu", count, HEADER + packed(n, bits));
    if ((failed = host->grow(out, (size_t)n * sizeof(float))))
        return failed;
    unpack(bytes + HEADER, n, bits, (float *)(void *)out->data);
    out->size = (size_t)n * sizeof(float);
    return 0;
}

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = (2 << CHANNELS) - 2,
    .name = "depth_audio",
    .params = "bits:int=8[1..16](bits)+ 'of a sample: whole steps of 2^(1-bits)'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_stage stage = { .size = sizeof stage, .forward = forward };

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
    .name = "depth_audio",
    .version = "1",
    .about = "sounds of fewer levels, a control",
    .open = open_plugin,
    .interface = interface,
};

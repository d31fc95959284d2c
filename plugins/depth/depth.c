/* depth.c: images of fewer levels, a control: 2^bits of them, evenly from black to white, each sample the nearest one.
   Its own stream is the numbers of the levels, packed. */
#include "hz/plugin.h"
#include <string.h>

static const hz_host *host;          /* written once, in open */

/* The stream: "DP", bits, channels, height, width (big-endian); then a level of each sample, `bits` wide, the first in
   the top bits. */
enum { HEADER = 2 + 1 + 1 + 4 + 4, MOST = 1 << 28 };

typedef struct depth {
    int bits;
    uint8_t level[256];              /* of a sample: 0 .. 2^bits - 1 */
    uint8_t sample[256];             /* of a level */
} depth;

static void *create(const double *values)
{
    depth *d = host->alloc(sizeof *d);
    if (!d)
        return NULL;
    d->bits = (int)values[0];
    int top = (1 << d->bits) - 1;
    for (int v = 0; v < 256; v++)
        d->level[v] = (uint8_t)((2 * v * top + 255) / 510);
    for (int l = 0; l <= top; l++)
        d->sample[l] = (uint8_t)((2 * l * 255 + top) / (2 * top));
    return d;
}

static void destroy(void *instance) { host->free(instance); }

static int check(int64_t height, int64_t width, int channels)
{
    return (channels == 1 || channels == 3) && height > 0 && width > 0 && height <= MOST / width / channels ? 0
         : host->fail("the image is [%lld,%lld,%d]; needs 1 or 3 channels and at most %d samples", (long long)height,
                      (long long)width, channels, MOST);
}

/* ---- as a stage ---- */

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    const depth *d = instance;
    const uint8_t *x = in->data;
    size_t n = (size_t)(in->height * in->width * in->channels);
    int failed = host->grow(out, n);
    if (failed)
        return failed;
    for (size_t i = 0; i < n; i++)
        out->data[i] = d->sample[d->level[x[i]]];
    out->size = n;
    format->height = in->height;
    format->width = in->width;
    format->channels = in->channels;
    return 0;
}

/* ---- as a codec ---- */

static void put32(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int64_t get32(const uint8_t *p) { return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static size_t packed(int64_t n, int bits) { return ((size_t)n * (size_t)bits + 7) / 8; }

static void pack(const depth *d, const uint8_t *x, int64_t n, uint8_t *p)
{
    unsigned waiting = 0;
    int have = 0;
    for (int64_t i = 0; i < n; i++) {
        waiting = waiting << d->bits | d->level[x[i]];
        for (have += d->bits; have >= 8; have -= 8)
            *p++ = (uint8_t)(waiting >> (have - 8));
    }
    if (have)
        *p = (uint8_t)(waiting << (8 - have));
}

static void unpack(const uint8_t sample[256], int bits, const uint8_t *p, int64_t n, uint8_t *x)
{
    unsigned waiting = 0, top = (1u << bits) - 1;
    int have = 0;
    for (int64_t i = 0; i < n; i++) {
        if (have < bits) {
            waiting = waiting << 8 | *p++;
            have += 8;
        }
        have -= bits;
        x[i] = sample[waiting >> have & top];
    }
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const depth *d = instance;
    int failed = check(in->height, in->width, in->channels);
    if (failed)
        return failed;
    int64_t n = in->height * in->width * in->channels;
    size_t payload = packed(n, d->bits);
    if ((failed = host->grow(out, HEADER + payload)))
        return failed;
    memcpy(out->data, "DP", 2);
    out->data[2] = (uint8_t)d->bits;
    out->data[3] = (uint8_t)in->channels;
    put32(out->data + 4, in->height);
    put32(out->data + 8, in->width);
    pack(d, in->data, n, out->data + HEADER);
    out->size = HEADER + payload;
    failed = host->part(account, HZ_CONTAINER, HEADER);
    return failed ? failed : host->part(account, HZ_PAYLOAD, payload);
}

/* Streams of any number of bits, whatever the instance's are. */
static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    if (count < HEADER || memcmp(bytes, "DP", 2) || bytes[2] < 1 || bytes[2] > 8)
        return host->fail("the stream does not begin as one of this codec");
    int bits = bytes[2], failed = check(get32(bytes + 4), get32(bytes + 8), bytes[3]);
    if (failed)
        return failed;
    format->channels = bytes[3];
    format->height = get32(bytes + 4);
    format->width = get32(bytes + 8);
    int64_t n = format->height * format->width * format->channels;
    if (count != HEADER + packed(n, bits))
        return host->fail("the stream has %zu bytes; its header promises %zu", count, HEADER + packed(n, bits));
    if ((failed = host->grow(out, (size_t)n)))
        return failed;
    double values[] = { bits };
    depth *d = create(values);
    if (!d)
        return -1;
    unpack(d->sample, bits, bytes + HEADER, n, out->data);
    destroy(d);
    out->size = (size_t)n;
    return 0;
}

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .name = "depth",
    .params = "bits:int=4[1..8](bits)+ 'of a sample: 2^bits levels, evenly from black to white'",
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
    .name = "depth",
    .version = "1",
    .about = "images of fewer levels, a control",
    .open = open_plugin,
    .interface = interface,
};

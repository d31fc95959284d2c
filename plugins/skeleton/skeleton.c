/* skeleton.c: the smallest codec: keeps the upper `bits` of every sample and packs them. Read it from the bottom up:
   the door, the codec's table, then the functions in it. Casts of void * are there for those
   who compile it as C++. */
#include "hz/plugin.h"
#include <string.h>

static const hz_host *host;          /* written once, in open */

/* The stream: signature, bits, channels, height, width (big-endian), then the samples' upper bits, first
   sample in the top bits. */
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

/* Decoded samples sit in the middle of what their bits stand for: 1 bit gives 64 and 192. */
static uint8_t widen(int v, int bits)
{
    return (uint8_t)(bits == 8 ? v : (2 * v + 1) << (7 - bits));
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
    const uint8_t *pixel = (const uint8_t *)in->data;
    int64_t n = in->height * in->width * in->channels;
    if (n > MOST)
        return host->fail("the image has %lld samples; needs at most %d", (long long)n, MOST);
    size_t payload = ((size_t)n * (size_t)q->bits + 7) / 8;
    if (host->grow(out, HEADER + payload))           /* the host lends the memory; a failure is passed on */
        return -1;
    uint8_t *p = out->data;
    memcpy(p, "QB", SIGNATURE);
    p[2] = (uint8_t)q->bits;
    p[3] = (uint8_t)in->channels;
    put32(p + 4, in->height);
    put32(p + 8, in->width);
    p += HEADER;
    memset(p, 0, payload);
    for (int64_t i = 0, at = 0; i < n; i++, at += q->bits) {
        int v = pixel[i] >> (8 - q->bits) << (16 - q->bits - (at & 7));      /* at most 15 bits above the byte's end */
        p[at >> 3] |= (uint8_t)(v >> 8);
        if (v & 255)
            p[(at >> 3) + 1] |= (uint8_t)v;
    }
    out->size = HEADER + payload;
    /* Every byte of the stream is named, front to back. A codec with quantisers or code tables names them HZ_TABLES. */
    return host->part(account, HZ_CONTAINER, HEADER) || host->part(account, HZ_PAYLOAD, payload);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    (void)instance;                  /* the stream says with how many bits it was made */
    /* The stream may come from anywhere: nothing in it is believed before it was checked. */
    if (count < HEADER || memcmp(bytes, "QB", SIGNATURE))
        return host->fail("the stream does not begin as one of this codec");
    int bits = bytes[2], channels = bytes[3];
    int64_t height = get32(bytes + 4), width = get32(bytes + 8);
    if (bits < 1 || bits > 8 || (channels != 1 && channels != 3) || height < 1 || width < 1
        || height > MOST / channels / width)
        return host->fail("the header says %d bits, [%lld,%lld,%d]; needs 1..8 bits, 1 or 3 channels, "
                          "at most %d samples", bits, (long long)height, (long long)width, channels, MOST);
    int64_t n = height * width * channels;
    size_t payload = ((size_t)n * (size_t)bits + 7) / 8;
    if (count != HEADER + payload)
        return host->fail("the stream has %zu bytes; its header promises %zu", count, HEADER + payload);
    if (host->grow(out, (size_t)n))
        return -1;
    const uint8_t *p = bytes + HEADER;
    for (int64_t i = 0, at = 0; i < n; i++, at += bits) {
        int two = p[at >> 3] << 8 | ((at >> 3) + 1 < (int64_t)payload ? p[(at >> 3) + 1] : 0);
        out->data[i] = widen(two >> (16 - bits - (at & 7)) & ((1 << bits) - 1), bits);
    }
    out->size = (size_t)n;
    format->channels = channels;
    format->height = height;
    format->width = width;
    return 0;
}

/* ---- 1. the table ---- */

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,     /* grey and colour */
    .lossless = 0,
    .name = "skeleton",
    .params = "bits:int=4[1..8](bits)+ 'kept of every sample'",
    .rates = NULL,                   /* of sounds; as is timing */
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
    .timing = NULL,
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
    .name = "skeleton",
    .version = "1",
    .about = "keeps the upper bits of every sample; an example",
    .open = open_plugin,
    .interface = interface,
};

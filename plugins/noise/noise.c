/* noise.c: images with Gaussian noise, a control: loss of information that no coder has made. Noise is counter-based:
   which numbers a sample gets is decided by its place, the seed, and a digest of the image, so that equal images get
   equal noise, others another, on any number of threads and in any order. What is around the samples is in pixels.h. */
#include "pixels.h"
#include <math.h>

static const hz_host *host;          /* written once, in open */

typedef struct noise {
    pixels own;
    double sd;                       /* in levels of 0..255, before rounding */
    uint32_t seed;
} noise;

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four words of 32
   random bits from a counter and a key. */
static void philox(const uint32_t counter[4], uint32_t k, uint32_t l, uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    for (int round = 0; round < 10; round++, k += 0x9E3779B9u, l += 0xBB67AE85u) {
        uint64_t p = (uint64_t)0xD2511F53u * a, q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ k;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ l;
        d = (uint32_t)p;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* Of the samples and the shape, 64 bits: against accidents. */
static uint64_t digest(const hz_media *m)
{
    const uint8_t *p = m->data;
    uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)m->width << 8 ^ (uint64_t)m->channels;
    for (int64_t left = pixels_count(m); left > 0; left -= 8, p += 8) {
        uint64_t w = 0;
        for (int i = 0; i < 8 && i < left; i++)
            w |= (uint64_t)p[i] << 8 * i;
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

/* Two standard normals from two words (Box and Muller 1958); a word is a number in (0,1]. */
static void normals(const uint32_t word[2], double out[2])
{
    double r = sqrt(-2 * log(((double)word[0] + 1) / 4294967296.0));
    double angle = 2 * 3.14159265358979323846 * (double)word[1] / 4294967296.0;
    out[0] = r * cos(angle);
    out[1] = r * sin(angle);
}

static uint8_t level(double v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lrint(v)); }

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    const noise *s = instance;
    const uint8_t *x = in->data;
    int64_t n = pixels_count(in);
    int failed = pixels_room(host, in->height, in->width, in->channels, format, out);
    if (failed)
        return failed;
    uint64_t item = digest(in);
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t counter[4] = { (uint32_t)(i / 4), 0, (uint32_t)item, (uint32_t)(item >> 32) }, word[4];
        double normal[4];
        philox(counter, s->seed, 0, word);
        normals(word, normal);
        normals(word + 2, normal + 2);
        for (int k = 0; k < 4 && i + k < n; k++)
            out->data[i + k] = level(x[i + k] + s->sd * normal[k]);
    }
    return 0;
}

static const pixels_kind kind = { .letters = "ns", .forward = forward };

/* ---- the codec ---- */

static void *create(const double *values)
{
    noise *s = host->alloc(sizeof *s);
    if (s) {
        s->sd = values[0];
        s->seed = (uint32_t)values[1];
    }
    return s;
}

static void destroy(void *instance)
{
    if (instance)
        host->free(((pixels *)instance)->room.data);
    host->free(instance);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    return pixels_encode(host, &kind, instance, in, out, account);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return pixels_decode(host, &kind, instance, bytes, count, format, out);
}

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .name = "noise",
    .params = "sd:float=4[0..128](levels)+ 'standard deviation of the noise, before rounding to 0..255';"
              "seed:int=0[0..4294967295] 'another one gives other noise'",
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
    .name = "noise",
    .version = "1",
    .about = "images with Gaussian noise, a control",
    .open = open_plugin,
    .interface = interface,
};

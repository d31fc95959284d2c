/* gray.c: images without their colours, a control: what a codec saves by coding no chroma, apart from coding. Luma is
   that of ITU-R BT.601 in the 16-bit arithmetic of Pillow's convert('L'), to the same values. Read it from the bottom
   up; what is around the samples is in pixels.h. */
#include "pixels.h"

static const hz_host *host;          /* written once, in open */

typedef struct gray {
    pixels own;
    int channels;                    /* that the grey image has */
} gray;

static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16);
}

/* out: n pixels of `channels` equal samples; in: n pixels of 1 or 3 samples */
static void grey(const uint8_t *in, int from, int64_t n, int channels, uint8_t *out)
{
    for (int64_t i = 0; i < n; i++)
        memset(out + i * channels, from == 1 ? in[i] : luma(in + 3 * i), (size_t)channels);
}

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    const gray *g = instance;
    int failed = pixels_room(host, in->height, in->width, g->channels, format, out);
    if (!failed)
        grey(in->data, in->channels, in->height * in->width, g->channels, out->data);
    return failed;
}

/* The grey value in all channels that the original had. */
static int back(void *instance, const hz_media *in, const hz_media *original, hz_media *format, hz_bytes *out)
{
    if (in->height != original->height || in->width != original->width || (in->channels != 1 && in->channels != 3))
        return host->fail("what came back is [%lld,%lld,%d]; needs [%lld,%lld] of 1 or 3 channels",
                          (long long)in->height, (long long)in->width, in->channels, (long long)original->height,
                          (long long)original->width);
    int failed = pixels_room(host, in->height, in->width, original->channels, format, out);
    if (!failed)
        grey(in->data, in->channels, in->height * in->width, original->channels, out->data);
    return failed;
}

static const pixels_kind kind = { .letters = "gy", .forward = forward, .back = back };

/* ---- the codec ---- */

static void *create(const double *values)
{
    gray *g = host->alloc(sizeof *g);
    if (g)
        g->channels = values[0] == 0 ? 1 : 3;
    return g;
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
    .name = "gray",
    .params = "channels:enum=1|3 'of the grey image; 3: for a stage behind it that takes colour alone'",
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
    .name = "gray",
    .version = "1",
    .about = "images without their colours, a control",
    .open = open_plugin,
    .interface = interface,
};

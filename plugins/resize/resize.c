/* resize.c: images made smaller, a control: what is lost is resolution, and no coder lost it. Forward an image becomes
   smaller, never larger; back it gets its size again by the same filter, as by Pillow's Image.resize of one side after
   the other, the width first (scale.c). What is around the samples is in pixels.h. */
#include "pixels.h"
#include "scale.h"

static const hz_host *host;          /* written once, in open */

typedef struct resize {
    pixels own;
    int64_t size;
    int filter, both;
    hz_bytes rows, room;             /* the image with its new width, room of scale_lines */
} resize;

/* Rows first, then columns; what keeps its length is left as it is. */
static int scale(resize *r, const hz_media *in, int64_t height, int64_t width, hz_media *format, hz_bytes *out)
{
    int channels = in->channels;
    const uint8_t *x = in->data;
    size_t room = scale_room(r->filter, in->width, width), more = scale_room(r->filter, in->height, height);
    int failed = in->height <= PIXELS_MOST / width / channels ? 0
               : host->fail("from [%lld,%lld] to [%lld,%lld] is too far", (long long)in->height, (long long)in->width,
                            (long long)height, (long long)width);
    if (!failed)
        failed = pixels_room(host, height, width, channels, format, out);
    if (!failed)
        failed = host->grow(&r->room, room > more ? room : more);
    if (!failed)
        failed = host->grow(&r->rows, (size_t)(in->height * width * channels));
    if (failed)
        return failed;
    if (width != in->width) {
        scale_lines(r->filter, x, in->width, width, channels, in->height, r->rows.data, r->room.data);
        x = r->rows.data;
    }
    if (height != in->height)
        scale_lines(r->filter, x, in->height, height, width * channels, 1, out->data, r->room.data);
    else
        memcpy(out->data, x, out->size);
    return 0;
}

/* A side that becomes `size` takes the other along, rounded, at least 1. */
static int64_t along(int64_t side, int64_t size, int64_t smaller)
{
    int64_t to = (2 * side * size + smaller) / (2 * smaller);
    return to < 1 ? 1 : to;
}

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    resize *r = instance;
    int64_t h = in->height, w = in->width, smaller = h < w ? h : w;
    if (r->both) {
        h = h < r->size ? h : r->size;
        w = w < r->size ? w : r->size;
    } else if (r->size < smaller) {
        h = along(h, r->size, smaller);
        w = along(w, r->size, smaller);
    }
    return scale(r, in, h, w, format, out);
}

static int back(void *instance, const hz_media *in, const hz_media *original, hz_media *format, hz_bytes *out)
{
    return scale(instance, in, original->height, original->width, format, out);
}

static const pixels_kind kind = { .letters = "rs", .forward = forward, .back = back };

/* ---- the codec ---- */

static void *create(const double *values)
{
    resize *r = host->alloc(sizeof *r);
    if (r) {
        r->size = (int64_t)values[0];
        r->filter = (int)values[1];
        r->both = (int)values[2];
    }
    return r;
}

static void destroy(void *instance)
{
    resize *r = instance;
    if (!r)
        return;
    host->free(r->own.room.data);
    host->free(r->rows.data);
    host->free(r->room.data);
    host->free(r);
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
    .name = "resize",
    .params = "size:int=16[1..65536](pixels)+ 'of the smaller side; an image that is smaller stays as it is';"
              "filter:enum=box|lanczos 'down and up again; lanczos has 3 lobes';"
              "sides:enum=smaller|both 'both: either side becomes so large, else the other keeps the ratio'",
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
    .name = "resize",
    .version = "1",
    .about = "images made smaller and large again, a control",
    .open = open_plugin,
    .interface = interface,
};

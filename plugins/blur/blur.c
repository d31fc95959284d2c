/* blur.c: blurred images, a control: loss of detail without a coder's marks. A Gaussian of this standard deviation,
   sampled at whole pixels up to four of them away and scaled to sum 1, along rows and then along columns in double,
   rounded once; beyond the edge the last pixel goes on. What is around the samples is in pixels.h. */
#include "pixels.h"
#include <math.h>

enum { LARGEST = 32, REACH = 4 };    /* standard deviation, and how many of them the kernel reaches */

static const hz_host *host;          /* written once, in open */

typedef struct blur {
    pixels own;
    int radius;                      /* 0: nothing is blurred */
    double weight[REACH * LARGEST + 1];      /* of the pixel so far away, on both sides */
    hz_bytes wide;                   /* double (2,height,width,channels): samples, and those blurred along rows */
} blur;

static int64_t within(int64_t i, int64_t n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* in, out: n values, `step` from one to the next */
static void line(const blur *b, const double *in, int64_t n, int64_t step, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = b->weight[0] * in[i * step];
        for (int64_t k = 1; k <= b->radius; k++)
            sum += b->weight[k] * (in[within(i - k, n) * step] + in[within(i + k, n) * step]);
        out[i * step] = sum;
    }
}

/* x, y: (height,width,channels); the result is in x */
static void both_ways(const blur *b, const hz_media *m, double *x, double *y)
{
    int64_t row = m->width * m->channels;
    for (int64_t i = 0; i < m->height; i++)
        for (int c = 0; c < m->channels; c++)
            line(b, x + i * row + c, m->width, m->channels, y + i * row + c);
    for (int64_t i = 0; i < row; i++)
        line(b, y + i, m->height, row, x + i);
}

static int forward(void *instance, const hz_media *in, hz_media *format, hz_bytes *out)
{
    blur *b = instance;
    int64_t n = pixels_count(in);
    int failed = pixels_room(host, in->height, in->width, in->channels, format, out);
    if (!failed)
        failed = host->grow(&b->wide, 2 * (size_t)n * sizeof(double));
    if (failed)
        return failed;
    double *x = (double *)(void *)b->wide.data;
    for (int64_t i = 0; i < n; i++)
        x[i] = ((const uint8_t *)in->data)[i];
    both_ways(b, in, x, x + n);
    for (int64_t i = 0; i < n; i++)
        out->data[i] = (uint8_t)lrint(x[i] > 255 ? 255 : x[i]);
    return 0;
}

static const pixels_kind kind = { .letters = "bl", .forward = forward };

/* ---- the codec ---- */

static void *create(const double *values)
{
    double sd = values[0], sum = 0;
    blur *b = host->alloc(sizeof *b);
    if (!b)
        return NULL;
    b->radius = (int)ceil(REACH * sd);
    for (int k = 0; k <= b->radius; k++) {
        b->weight[k] = k ? exp(-0.5 * k * k / (sd * sd)) : 1;
        sum += k ? 2 * b->weight[k] : 1;
    }
    for (int k = 0; k <= b->radius; k++)
        b->weight[k] /= sum;
    return b;
}

static void destroy(void *instance)
{
    blur *b = instance;
    if (!b)
        return;
    host->free(b->own.room.data);
    host->free(b->wide.data);
    host->free(b);
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
    .name = "blur",
    .params = "sd:float=1[0..32](pixels)- 'standard deviation of the Gaussian; 0: none'",
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
    .name = "blur",
    .version = "1",
    .about = "blurred images, a control",
    .open = open_plugin,
    .interface = interface,
};

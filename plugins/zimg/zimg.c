/* zimg.c: a resampler of images over zimg, bilinear and antialiased as Pillow's is: a triangle as wide as two new
   pixels. zimg mirrors what lies outside of an image; here, as in Pillow, it does not count: images get a margin of
   zeros, and what comes out is divided by the share of the triangle that lay inside. That share is a product of one
   for the column and one for the row; zimg itself says both, given lines of ones.
   zimg computes in integers of 16 bits: the same result on every machine, within a level of 255 of Pillow's. Its
   weights have 14 bits: a pixel can be made of some thousands along an axis and not of more. Rows are handed to it as
   it asks for them, so an image is never copied as a whole. */
#include "hz/plugin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zimg.h>

static const hz_host *host;

enum { PLANES = 3, ALIGN = 64, FULL = 65535, MOST_RATIO = 6000 };

/* One axis: `count` pixels with `margin` zeros on either side, of which the part from..from+extent becomes `out`. */
typedef struct axis {
    int64_t count, margin, out;
    double from, extent;
} axis;

/* A resampling as zimg has it, with lines for its input and room for its output. */
typedef struct scaler {
    zimg_filter_graph *graph;
    uint8_t *lines;                  /* (planes, mask + 1, line) new */
    uint16_t *out;                   /* (planes, height, row) new */
    void *work;                      /* new: zimg's own */
    size_t line, row;                /* bytes of a line; elements of a row of the output */
    unsigned mask, planes;
    const hz_media *in;              /* lent */
    axis x, y;
} scaler;

static int refuse(void)
{
    char text[256];
    zimg_get_last_error(text, sizeof text);
    zimg_clear_last_error();
    return host->fail("zimg says: %s", text);
}

static axis axis_of(int64_t count, double from, double extent, int64_t out)
{
    double scale = extent / (double)out;
    return (axis){ .count = count, .margin = (int64_t)(scale > 1 ? scale : 1) + 3, .out = out, .from = from,
                   .extent = extent };
}

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static void *reserve(size_t bytes)
{
    void *p;
    if (!posix_memalign(&p, ALIGN, aligned(bytes ? bytes : 1)))
        return p;
    host->fail("%zu bytes were asked for; the system has no more", bytes);
    return NULL;
}

/* ---- the graph ---- */

static void describe(zimg_image_format *f, unsigned width, unsigned height, unsigned planes)
{
    zimg_image_format_default(f, ZIMG_API_VERSION);
    f->width = width;
    f->height = height;
    f->pixel_type = ZIMG_PIXEL_BYTE;
    f->color_family = planes == PLANES ? ZIMG_COLOR_RGB : ZIMG_COLOR_GREY;
    f->matrix_coefficients = planes == PLANES ? ZIMG_MATRIX_RGB : ZIMG_MATRIX_UNSPECIFIED;
    f->pixel_range = ZIMG_RANGE_FULL;
}

static zimg_filter_graph *build(const axis *x, const axis *y, unsigned planes)
{
    zimg_image_format from, to;
    zimg_graph_builder_params params;
    describe(&from, (unsigned)(x->count + 2 * x->margin), (unsigned)(y->count + 2 * y->margin), planes);
    from.active_region.left = (double)x->margin + x->from;
    from.active_region.top = (double)y->margin + y->from;
    from.active_region.width = x->extent;
    from.active_region.height = y->extent;
    describe(&to, (unsigned)x->out, (unsigned)y->out, planes);
    to.pixel_type = ZIMG_PIXEL_WORD;
    to.depth = 16;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = ZIMG_RESIZE_BILINEAR;
    params.dither_type = ZIMG_DITHER_NONE;
    params.cpu_type = ZIMG_CPU_AUTO;
    return zimg_filter_graph_build(&from, &to, &params);
}

static void scaler_close(scaler *s)
{
    zimg_filter_graph_free(s->graph);
    free(s->lines);
    free(s->out);
    free(s->work);
}

static int scaler_open(scaler *s, const hz_media *in, axis x, axis y)
{
    *s = (scaler){ .in = in, .x = x, .y = y, .planes = (unsigned)in->channels };
    unsigned lines, height = (unsigned)(y.count + 2 * y.margin);
    size_t work;
    if (!(s->graph = build(&x, &y, s->planes)) || zimg_filter_graph_get_input_buffering(s->graph, &lines)
        || zimg_filter_graph_get_tmp_size(s->graph, &work))
        return refuse();
    s->mask = lines < height ? zimg_select_buffer_mask(lines) : ZIMG_BUFFER_MAX;
    s->line = aligned((size_t)(x.count + 2 * x.margin));
    s->row = aligned((size_t)x.out * sizeof *s->out) / sizeof *s->out;
    size_t kept = s->mask == ZIMG_BUFFER_MAX ? height : (size_t)s->mask + 1;
    s->lines = reserve(s->line * kept * s->planes);
    s->out = reserve(s->row * sizeof *s->out * (size_t)y.out * s->planes);
    s->work = reserve(work);
    return s->lines && s->out && s->work ? 0 : -1;
}

/* ---- running it ---- */

static uint8_t *line_of(const scaler *s, unsigned plane, unsigned i)
{
    size_t kept = s->mask == ZIMG_BUFFER_MAX ? (size_t)(s->y.count + 2 * s->y.margin) : (size_t)s->mask + 1;
    return s->lines + (plane * kept + (i & s->mask)) * s->line;
}

/* Columns from..to of the image's row y, one plane each. */
static void split(const scaler *s, int64_t y, unsigned i, int64_t from, int64_t to)
{
    unsigned n = s->planes;
    const uint8_t *p = (const uint8_t *)s->in->data + (y * s->in->width + from) * n;
    uint8_t *to0 = line_of(s, 0, i) + s->x.margin;
    if (n == 1) {
        memcpy(to0 + from, p, (size_t)(to - from));
        return;
    }
    uint8_t *to1 = line_of(s, 1, i) + s->x.margin, *to2 = line_of(s, 2, i) + s->x.margin;
    for (int64_t x = from; x < to; x++, p += PLANES) {
        to0[x] = p[0];
        to1[x] = p[1];
        to2[x] = p[2];
    }
}

/* zimg asks for columns left..right of line i. */
static int unpack(void *user, unsigned i, unsigned left, unsigned right)
{
    scaler *s = user;
    int64_t y = (int64_t)i - s->y.margin, from = (int64_t)left - s->x.margin, to = (int64_t)right - s->x.margin;
    for (unsigned plane = 0; plane < s->planes; plane++)
        memset(line_of(s, plane, i) + left, 0, right - left);
    if (y < 0 || y >= s->y.count)
        return 0;
    from = from < 0 ? 0 : from;
    to = to > s->x.count ? s->x.count : to;
    if (from < to)
        split(s, y, i, from, to);
    return 0;
}

static int run(scaler *s)
{
    zimg_image_buffer_const from = { .version = ZIMG_API_VERSION };
    zimg_image_buffer to = { .version = ZIMG_API_VERSION };
    for (unsigned plane = 0; plane < s->planes; plane++) {
        from.plane[plane].data = line_of(s, plane, 0);
        from.plane[plane].stride = (ptrdiff_t)s->line;
        from.plane[plane].mask = s->mask;
        to.plane[plane].data = s->out + plane * s->row * (size_t)s->y.out;
        to.plane[plane].stride = (ptrdiff_t)(s->row * sizeof *s->out);
        to.plane[plane].mask = ZIMG_BUFFER_MAX;
    }
    return zimg_filter_graph_process(s->graph, &from, &to, s->work, unpack, s, NULL, NULL) ? refuse() : 0;
}

/* The share of the triangle inside, for each new pixel of an axis: share (x.out), 1 for all of it. */
static int shares(axis x, double *share)
{
    scaler s;
    axis one = { .count = 1, .out = 1, .extent = 1 };
    uint8_t *ones = reserve((size_t)x.count);
    hz_media line = { .kind = HZ_IMAGE, .channels = 1, .height = 1, .width = x.count, .data = ones };
    int status = ones ? (memset(ones, 255, (size_t)x.count), scaler_open(&s, &line, x, one)) : -1;
    if (ones && !(status = status ? status : run(&s)))
        for (int64_t i = 0; i < x.out; i++)
            share[i] = s.out[i] ? s.out[i] / (double)FULL : 1;
    if (ones)
        scaler_close(&s);
    free(ones);
    return status;
}

static void pack(const scaler *s, const double *across, const double *down, uint8_t *out)
{
    for (int64_t y = 0; y < s->y.out; y++)
        for (int64_t x = 0; x < s->x.out; x++)
            for (unsigned plane = 0; plane < s->planes; plane++) {
                double v = s->out[(plane * (size_t)s->y.out + (size_t)y) * s->row + (size_t)x] * (255. / FULL)
                           / (across[x] * down[y]) + 0.5;
                *out++ = v < 255 ? (uint8_t)v : 255;
            }
}

static int resize(const hz_media *in, const double part[4], int64_t height, int64_t width, uint8_t *out)
{
    axis x = axis_of(in->width, part[0], part[2], width), y = axis_of(in->height, part[1], part[3], height);
    if (x.extent > (double)MOST_RATIO * (double)width || y.extent > (double)MOST_RATIO * (double)height)
        return host->fail("%lldx%lld pixels become %lldx%lld (width x height); needs at most %d to one either way",
                          (long long)x.extent, (long long)y.extent, (long long)width, (long long)height, MOST_RATIO);
    double *across = host->alloc((size_t)(width + height) * sizeof *across);
    int status = !across || shares(x, across) || shares(y, across + width) ? -1 : 0;
    if (!status) {
        scaler s;
        if (!(status = scaler_open(&s, in, x, y)) && !(status = run(&s)))
            pack(&s, across, across + width, out);
        scaler_close(&s);
    }
    host->free(across);
    return status;
}

/* ---- the tables ---- */

static char library_text[32];

static const char *library(void) { return library_text; }

static const hz_resize resampler = {
    .size = sizeof resampler, .library = library, .resize = resize,
};

static int open_plugin(const hz_host *lent)
{
    unsigned v[3];
    host = lent;
    zimg_get_version_info(v, v + 1, v + 2);
    snprintf(library_text, sizeof library_text, "zimg %u.%u.%u", v[0], v[1], v[2]);
    return 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.resize/1") ? NULL : &resampler;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "zimg",
    .version = "1",
    .about = "images of other sizes, bilinear and antialiased",
    .open = open_plugin,
    .interface = interface,
};

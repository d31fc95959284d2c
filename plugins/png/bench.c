/* bench.c: the plain loop of a libpng user: a struct each way for each picture, as libpng wants it, one buffer; no
   account, no checks. `hz bench codec` compares bulk recoding with it. */
#include "coder.h"
#include <setjmp.h>
#include <string.h>

typedef struct loop {
    uint8_t *buffer[2];              /* the running stream, the shortest */
    size_t room, at, size;           /* of a buffer; of the running stream; of the shortest */
    png_bytep *rows;
} loop;

static void put(png_structp png, png_bytep data, size_t n)
{
    loop *l = png_get_io_ptr(png);
    if (n > l->room - l->at)
        png_error(png, "");
    memcpy(l->buffer[0] + l->at, data, n);
    l->at += n;
}

static void get(png_structp png, png_bytep data, size_t n)
{
    loop *l = png_get_io_ptr(png);
    memcpy(data, l->buffer[1] + l->at, n);
    l->at += n;
}

static void flush(png_structp png) {}
static void on_error(png_structp png, png_const_charp text) { longjmp(png_jmpbuf(png), 1); }
static void on_warning(png_structp png, png_const_charp text) {}

static void point_rows(loop *l, const uint8_t *pixels, const hz_media *in)
{
    for (int64_t y = 0; y < in->height; y++)
        l->rows[y] = (png_bytep)(pixels + (size_t)(y * in->width * in->channels));
}

static int encode(loop *l, const double *values, const hz_media *in, int filter)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info)
        return 0;
    l->at = 0;
    int failed = setjmp(png_jmpbuf(png));
    if (!failed) {
        png_set_write_fn(png, l, put, flush);
        png_set_up(png, info, values, in, filter);
        png_write_info(png, info);
        png_write_image(png, l->rows);
        png_write_end(png, NULL);
    }
    png_destroy_write_struct(&png, &info);
    return !failed;
}

/* The shortest stream of the filters from `first` to `last` lies in buffer[1]. */
static int encode_all(loop *l, const double *values, const hz_media *in, int first, int last)
{
    for (int filter = first; filter <= last; filter++) {
        if (!encode(l, values, in, filter))
            return 0;
        if (filter == first || l->at < l->size) {
            uint8_t *spare = l->buffer[1];
            l->buffer[1] = l->buffer[0];
            l->buffer[0] = spare;
            l->size = l->at;
        }
    }
    return 1;
}

static int decode(loop *l)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info)
        return 0;
    l->at = 0;
    int failed = setjmp(png_jmpbuf(png));
    if (!failed) {
        png_set_read_fn(png, l, get);
        png_read_info(png, info);
        png_read_image(png, l->rows);
        png_read_end(png, NULL);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return !failed;
}

static int run(loop *l, const double *values, const uint8_t *pixels, int64_t n, hz_media *in, uint8_t *decoded)
{
    size_t image = (size_t)(in->height * in->width * in->channels);
    int filter = (int)values[FILTER], first = filter == SMALLEST ? 0 : filter, last = filter == SMALLEST ? 5 : filter;
    for (int64_t i = 0; i < n; i++, pixels += image, decoded += image) {
        point_rows(l, pixels, in);
        int good = encode_all(l, values, in, first, last);
        point_rows(l, decoded, in);
        if (!good || !decode(l))
            return png_host->fail("libpng gives up at image %lld", (long long)i);
    }
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    hz_media in = { .kind = HZ_IMAGE, .channels = channels, .height = height, .width = width };
    loop l = { .room = 2 * (size_t)(height * width * channels) + 65536 };
    for (int i = 0; i < 2; i++)
        l.buffer[i] = png_host->alloc(l.room);
    l.rows = png_host->alloc((size_t)height * sizeof *l.rows);
    int status = l.buffer[0] && l.buffer[1] && l.rows ? run(&l, values, pixels, n, &in, decoded) : -1;
    png_host->free(l.rows);
    for (int i = 0; i < 2; i++)
        png_host->free(l.buffer[i]);
    return status;
}

const hz_codec_bench png_bench = { .size = sizeof png_bench, .roundtrips = roundtrips };

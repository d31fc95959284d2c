/* bench.c: the plain loop of a libjpeg user, as fast as its interface allows: one object each way, buffers of fixed
   size, no account, no checks. `hz bench codec` compares bulk recoding with it. */
#include "jpeg.h"
#include <stdlib.h>
#include <string.h>

typedef struct loop {
    struct jpeg_compress_struct enc;
    struct jpeg_decompress_struct dec;
    catcher error;
    unsigned char *buffer;
    unsigned long room;
    JSAMPROW *rows;
} loop;

static void roundtrip(loop *l, const uint8_t *pixels, uint8_t *decoded, unsigned height, size_t row)
{
    unsigned char *stream = l->buffer;
    unsigned long size = l->room;
    for (unsigned y = 0; y < height; y++)
        l->rows[y] = (JSAMPROW)(pixels + y * row);
    jpeg_mem_dest(&l->enc, &stream, &size);
    jpeg_start_compress(&l->enc, TRUE);
    while (l->enc.next_scanline < height)
        jpeg_write_scanlines(&l->enc, l->rows + l->enc.next_scanline, height - l->enc.next_scanline);
    jpeg_finish_compress(&l->enc);

    for (unsigned y = 0; y < height; y++)
        l->rows[y] = decoded + y * row;
    jpeg_mem_src(&l->dec, stream, size);
    jpeg_read_header(&l->dec, TRUE);
    jpeg_start_decompress(&l->dec);
    while (l->dec.output_scanline < height)
        jpeg_read_scanlines(&l->dec, l->rows + l->dec.output_scanline, height - l->dec.output_scanline);
    jpeg_finish_decompress(&l->dec);
}

static int run(loop *l, const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
               int channels, uint8_t *decoded)
{
    size_t row = (size_t)width * (size_t)channels, image = row * (size_t)height;
    catcher_init(&l->error);
    l->enc.err = l->dec.err = &l->error.manager;
    if (setjmp(l->error.back))
        return catcher_fail(&l->error);
    jpeg_create_compress(&l->enc);
    jpeg_create_decompress(&l->dec);
    l->enc.image_height = (JDIMENSION)height;
    l->enc.image_width = (JDIMENSION)width;
    jpeg_configure(&l->enc, values, channels);
    for (int64_t i = 0; i < n; i++)
        roundtrip(l, pixels + (size_t)i * image, decoded + (size_t)i * image, (unsigned)height, row);
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    loop *l = jpeg_host->alloc(sizeof *l);
    if (!l)
        return -1;
    /* more than any stream takes: none is moved */
    l->room = (unsigned long)(height + 16) * (unsigned long)(width + 16) * 6 + 4096;
    l->buffer = jpeg_host->alloc(l->room);
    l->rows = jpeg_host->alloc((size_t)height * sizeof *l->rows);
    int status = l->buffer && l->rows ? run(l, values, pixels, n, height, width, channels, decoded) : -1;
    jpeg_destroy_compress(&l->enc);
    jpeg_destroy_decompress(&l->dec);
    jpeg_host->free(l->rows);
    jpeg_host->free(l->buffer);
    jpeg_host->free(l);
    return status;
}

const hz_codec_bench jpeg_bench = { .size = sizeof jpeg_bench, .roundtrips = roundtrips };

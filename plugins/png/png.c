/* png.c: the PNG codec over libpng: lossless, grey and RGB, 8 bit. zlib data is payload (what stands inside
   IDAT chunks); PLTE and tRNS chunks are tables; signature, other chunks, and every chunk's length, name and
   checksum are container.
   Decoding accepts what maps to 8-bit grey or RGB without loss: palettes, fewer bits, an alpha channel that
   is opaque everywhere. */
#include "coder.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

const hz_host *png_host;
#define host png_host

enum { MOST_SAMPLES = 1 << 28, SIGNATURE = 8, CHUNK_FRAME = 12, FIRST_ROOM = 4096 };
static const int filters[] = { PNG_ALL_FILTERS, PNG_FILTER_NONE, PNG_FILTER_SUB, PNG_FILTER_UP, PNG_FILTER_AVG,
                               PNG_FILTER_PAETH };
static const int strategies[] = { Z_FILTERED, Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE };

typedef struct coder {
    double options[OPTIONS];
    hz_bytes *out;                   /* of the running encode */
    const uint8_t *at, *end;         /* of the running decode */
    int convert;                     /* ... whether 16 bits become 8 */
    int said;                        /* the host's message is set already */
    png_bytep *rows;                 /* new, of the running call */
    uint8_t *spare;                  /* new, of the running call: RGBA or grey with alpha */
    uint8_t *best;                   /* new: the shortest stream so far */
    size_t best_size, best_room;
    pool pool;
} coder;

/* ---- libpng's way to fail: come back to the setjmp of the running call ---- */

static void on_error(png_structp png, png_const_charp text)
{
    coder *c = png_get_error_ptr(png);
    if (!c->said)
        host->fail("libpng says: %s", text);
    longjmp(png_jmpbuf(png), 1);
}

/* About chunks that hold no pixels; damaged pixels are errors. */
static void on_warning(png_structp png, png_const_charp text) {}

static void clean(coder *c)
{
    host->free(c->rows);
    host->free(c->spare);
    c->rows = NULL;
    c->spare = NULL;
}

static int point_rows(coder *c, const uint8_t *pixels, int64_t height, size_t row)
{
    c->rows = host->alloc((size_t)height * sizeof *c->rows);
    if (!c->rows)
        return -1;
    for (int64_t y = 0; y < height; y++)
        c->rows[y] = (png_bytep)(pixels + (size_t)y * row);
    return 0;
}

/* ---- encode ---- */

static void write_bytes(png_structp png, png_bytep data, size_t n)
{
    coder *c = png_get_io_ptr(png);
    if (host->grow(c->out, c->out->size + n)) {
        c->said = 1;
        png_error(png, "");
    }
    memcpy(c->out->data + c->out->size, data, n);
    c->out->size += n;
}

static void write_nothing(png_structp png) {}

void png_set_up(png_structp png, png_infop info, const double *options, const hz_media *in, int filter)
{
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, info, (png_uint_32)in->width, (png_uint_32)in->height, 8,
                 in->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, (int)options[LEVEL]);
    png_set_compression_strategy(png, strategies[(int)options[STRATEGY]]);
    png_set_compression_mem_level(png, 9);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, filters[filter]);
    size_t raw = (size_t)in->height * ((size_t)in->width * (size_t)in->channels + 1);
    /* one IDAT chunk */
    png_set_compression_buffer_size(png, raw < 8192 ? 8192 : raw > 1 << 24 ? 1 << 24 : raw + raw / 64);
}

static void write_image(png_structp png, png_infop info, coder *c, const hz_media *in, int filter)
{
    png_set_write_fn(png, c, write_bytes, write_nothing);
    png_set_up(png, info, c->options, in, filter);
    png_write_info(png, info);
    png_write_image(png, c->rows);
    png_write_end(png, NULL);
}

static int encode_with(coder *c, const hz_media *in, int filter)
{
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, c, on_error, on_warning, &c->pool,
                                                pool_take, pool_give);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return host->fail("libpng could not begin; memory may be short");
    }
    int failed = setjmp(png_jmpbuf(png));
    if (!failed)
        write_image(png, info, c, in, filter);
    png_destroy_write_struct(&png, &info);
    return failed ? -1 : 0;
}

static int keep_if_shorter(coder *c, int first)
{
    if (!first && c->out->size >= c->best_size)
        return 0;
    if (c->best_room < c->out->size) {
        host->free(c->best);
        c->best_room = 0;
        c->best = host->alloc(c->out->size);
        if (!c->best)
            return -1;
        c->best_room = c->out->size;
    }
    c->best_size = c->out->size;
    memcpy(c->best, c->out->data, c->best_size);
    return 0;
}

static int encode_smallest(coder *c, const hz_media *in)
{
    for (int filter = 0; filter < SMALLEST; filter++) {
        c->out->size = 0;
        if (encode_with(c, in, filter) || keep_if_shorter(c, filter == 0))
            return -1;
    }
    if (host->grow(c->out, c->best_size))
        return -1;
    memcpy(c->out->data, c->best, c->best_size);
    c->out->size = c->best_size;
    return 0;
}

static int64_t be32(const uint8_t *p)
{
    return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Names the parts of a stream: signature, then chunks of length, name, data, checksum. What comes after them is
   container in a foreign one. */
static int name_parts(const uint8_t *p, size_t bytes, hz_account *account, int foreign)
{
    size_t at = bytes < SIGNATURE ? bytes : SIGNATURE;
    int status = host->part(account, HZ_CONTAINER, at);
    while (!status && at + CHUNK_FRAME <= bytes) {
        const uint8_t *name = p + at + 4;
        size_t data = (size_t)be32(p + at);
        if (data > bytes - at - CHUNK_FRAME)
            break;
        if (!memcmp(name, "PLTE", 4) || !memcmp(name, "tRNS", 4))
            status = host->part(account, HZ_TABLES, data + CHUNK_FRAME);
        else if (!memcmp(name, "IDAT", 4))
            status = host->part(account, HZ_CONTAINER, 8) || host->part(account, HZ_PAYLOAD, data)
                     || host->part(account, HZ_CONTAINER, 4);
        else
            status = host->part(account, HZ_CONTAINER, data + CHUNK_FRAME);
        at += data + CHUNK_FRAME;
    }
    if (foreign && !status)
        return host->part(account, HZ_CONTAINER, bytes - at);
    return status || at == bytes ? status : host->fail("byte %zu of %zu of the stream begins no chunk", at, bytes);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    coder *c = instance;
    if (in->height > PNG_UINT_31_MAX || in->width > PNG_UINT_31_MAX / 4)
        return host->fail("the image is %lld x %lld; that is more than PNG can say", (long long)in->height,
                          (long long)in->width);
    c->out = out;
    c->said = 0;
    int status = host->grow(out, FIRST_ROOM)
                 || point_rows(c, in->data, in->height, (size_t)in->width * (size_t)in->channels);
    if (!status)
        status = c->options[FILTER] == SMALLEST ? encode_smallest(c, in) : encode_with(c, in, (int)c->options[FILTER]);
    clean(c);
    return status ? status : name_parts(out->data, out->size, account, 0);
}

/* ---- decode ---- */

static void read_bytes(png_structp png, png_bytep data, size_t n)
{
    coder *c = png_get_io_ptr(png);
    if (n > (size_t)(c->end - c->at))
        png_error(png, "the stream ends early");
    memcpy(data, c->at, n);
    c->at += n;
}

static void open_stream(png_structp png, png_infop info, coder *c)
{
    png_set_read_fn(png, c, read_bytes);
    png_set_user_limits(png, MOST_SAMPLES, MOST_SAMPLES);
    /* text, profiles and times: not ours, and possibly broken */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    if (png_get_bit_depth(png, info) == 16 && !c->convert)
        png_error(png, "16 bits per sample; needs at most 8");
    png_set_scale_16(png);    /* rounds; does nothing to others */
    png_set_expand(png);      /* palettes to RGB, fewer bits to 8, tRNS to alpha */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

/* Drops the alpha channel if it is opaque everywhere. */
static int drop_alpha(const uint8_t *from, int64_t pixels, int channels, uint8_t *to)
{
    for (int64_t i = 0; i < pixels; i++, from += channels + 1, to += channels) {
        if (from[channels] != 255)
            return host->fail("pixel %lld is partly transparent; needs opaque images", (long long)i);
        memcpy(to, from, (size_t)channels);
    }
    return 0;
}

static int read_image(png_structp png, png_infop info, coder *c, hz_media *format, hz_bytes *out)
{
    open_stream(png, info, c);
    int planes = png_get_channels(png, info), alpha = planes == 2 || planes == 4;
    format->height = png_get_image_height(png, info);
    format->width = png_get_image_width(png, info);
    format->channels = planes - alpha;
    if (format->height > MOST_SAMPLES / 4 / format->width)
        return host->fail("the stream says %lld x %lld; needs at most %d pixels", (long long)format->height,
                          (long long)format->width, MOST_SAMPLES / 4);
    int64_t pixels = format->height * format->width;
    size_t size = (size_t)pixels * (size_t)format->channels, row = (size_t)format->width * (size_t)planes;
    if (host->grow(out, size) || (alpha && !(c->spare = host->alloc((size_t)pixels * (size_t)planes))) ||
        point_rows(c, alpha ? c->spare : out->data, format->height, row))
        return -1;
    png_read_image(png, c->rows);
    png_read_end(png, NULL);
    out->size = size;
    return alpha ? drop_alpha(c->spare, pixels, format->channels, out->data) : 0;
}

static int decode_as(coder *c, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, c, on_error, on_warning, &c->pool,
                                               pool_take, pool_give);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return host->fail("libpng could not begin; memory may be short");
    }
    c->said = 0;
    c->convert = convert;
    c->at = bytes;
    c->end = bytes + count;
    int status = -1;
    if (!setjmp(png_jmpbuf(png)))
        status = read_image(png, info, c, format, out);
    png_destroy_read_struct(&png, &info, NULL);
    clean(c);
    return status;
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return decode_as(instance, bytes, count, format, out, 0);
}

static int decode_converted(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return decode_as(instance, bytes, count, format, out, 1);
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    return name_parts(bytes, count, account, 1);
}

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c = host->alloc(sizeof *c);
    if (c)
        memcpy(c->options, values, sizeof c->options);
    return c;
}

static void destroy(void *instance)
{
    coder *c = instance;
    if (c) {
        host->free(c->best);
        pool_empty(&c->pool);
    }
    host->free(c);
}

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .lossless = 1,
    .name = "png",
    .params = "level:int=9[0..9]- 'effort of zlib; 0 stores';"
              "filter:enum=adaptive|none|sub|up|average|paeth|smallest 'smallest tries the others on each image';"
              "strategy:enum=filtered|default|huffman|rle 'of zlib'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode_converted, .account = account_file,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    /* as they run */
    snprintf(library_text, sizeof library_text, "libpng %s, zlib %s", png_get_libpng_ver(NULL), zlibVersion());
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&png_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "png",
    .version = "1",
    .about = "PNG, grey and RGB, 8 bit, lossless",
    .open = open_plugin,
    .interface = interface,
};

/* jpeg.c: the JPEG codec over libjpeg's interface (libjpeg-turbo). The defaults are those of Pillow's
   save(quality=q): baseline, 4:2:0, standard Huffman tables, islow DCT; decoding with fancy upsampling and islow.
   Both directions reuse their libjpeg object, and read and write the host's memory directly. */
#define _GNU_SOURCE
#include "jpeg.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

const hz_host *jpeg_host;

enum { MOST_SAMPLES = 1 << 28, MOST_SCANS = 500, FIRST_ROOM = 4096 };

typedef struct coder {
    struct jpeg_compress_struct enc;
    struct jpeg_decompress_struct dec;
    struct jpeg_destination_mgr dest;
    struct jpeg_progress_mgr progress;
    catcher error;                   /* of both directions: an instance does one thing at a time */
    hz_bytes *out;                   /* of the running encode */
    int channels;                    /* what enc is configured for, 0: nothing yet */
    JSAMPROW *rows;                  /* new: one pointer per row of the running image; libjpeg is quickest
                                        when given all at once */
    size_t row_room;
    JSAMPLE *inks;                   /* new: a row of CMYK; NULL unless one is converted */
    double options[OPTIONS];
} coder;

/* ---- writing into the host's memory ---- */

static void dest_point(j_compress_ptr enc)
{
    hz_bytes *out = ((coder *)enc->client_data)->out;
    enc->dest->next_output_byte = out->data + out->size;
    enc->dest->free_in_buffer = out->room - out->size;
}

static boolean dest_full(j_compress_ptr enc)
{
    coder *c = enc->client_data;
    c->out->size = c->out->room;     /* libjpeg's rule: the whole buffer is full, whatever free_in_buffer says */
    if (jpeg_host->grow(c->out, 2 * c->out->room)) {
        c->error.said = 1;
        catcher_throw((j_common_ptr)enc, "");
    }
    dest_point(enc);
    return TRUE;
}

static void dest_end(j_compress_ptr enc)
{
    hz_bytes *out = ((coder *)enc->client_data)->out;
    out->size = out->room - enc->dest->free_in_buffer;
}

/* A few bytes can ask for thousands of passes over a large picture. */
static void limit_scans(j_common_ptr cinfo)
{
    if (((j_decompress_ptr)cinfo)->input_scan_number > MOST_SCANS)
        catcher_throw(cinfo, "the stream has more than 500 scans");
}

/* ---- instances ---- */

static void destroy(void *instance)
{
    coder *c = instance;
    if (!c)
        return;
    jpeg_destroy_compress(&c->enc);
    jpeg_destroy_decompress(&c->dec);
    jpeg_host->free(c->rows);
    jpeg_host->free(c->inks);
    jpeg_host->free(c);
}

static void *create(const double *values)
{
    coder *c = jpeg_host->alloc(sizeof *c);
    if (!c)
        return NULL;
    memcpy(c->options, values, sizeof *values * ARITHMETIC);
#ifdef C_ARITH_CODING_SUPPORTED
    c->options[ARITHMETIC] = values[ARITHMETIC];
#endif
    catcher_init(&c->error);
    c->enc.err = c->dec.err = &c->error.manager;
    if (setjmp(c->error.back)) {
        catcher_fail(&c->error);
        destroy(c);
        return NULL;
    }
    jpeg_create_compress(&c->enc);
    jpeg_create_decompress(&c->dec);
    c->dest = (struct jpeg_destination_mgr){ .init_destination = dest_point, .empty_output_buffer = dest_full,
                                             .term_destination = dest_end };
    c->progress.progress_monitor = limit_scans;
    c->enc.dest = &c->dest;
    c->enc.client_data = c;
    return c;
}

static int point_rows(coder *c, const uint8_t *pixels, size_t height, size_t row)
{
    if (c->row_room < height) {
        jpeg_host->free(c->rows);
        c->row_room = 0;
        c->rows = jpeg_host->alloc(height * sizeof *c->rows);
        if (!c->rows)
            return -1;
        c->row_room = height;
    }
    for (size_t y = 0; y < height; y++)
        c->rows[y] = (JSAMPROW)(pixels + y * row);
    return 0;
}

/* ---- encode ---- */

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    coder *c = instance;
    if (in->height > JPEG_MAX_DIMENSION || in->width > JPEG_MAX_DIMENSION)
        return jpeg_host->fail("the image is %lld x %lld; needs at most %ld either way", (long long)in->height,
                               (long long)in->width, JPEG_MAX_DIMENSION);
    if (jpeg_host->grow(out, FIRST_ROOM)
        || point_rows(c, in->data, (size_t)in->height, (size_t)in->width * (size_t)in->channels))
        return -1;
    c->out = out;
    if (setjmp(c->error.back)) {
        jpeg_abort_compress(&c->enc);
        return catcher_fail(&c->error);
    }
    if (c->channels != in->channels) {
        c->channels = 0;             /* should this fail halfway, the next image starts over */
        jpeg_configure(&c->enc, c->options, in->channels);
        c->channels = in->channels;
    }
    c->enc.image_height = (JDIMENSION)in->height;
    c->enc.image_width = (JDIMENSION)in->width;
    jpeg_start_compress(&c->enc, TRUE);
    while (c->enc.next_scanline < c->enc.image_height)
        jpeg_write_scanlines(&c->enc, c->rows + c->enc.next_scanline, c->enc.image_height - c->enc.next_scanline);
    jpeg_finish_compress(&c->enc);
    return jpeg_account(out->data, out->size, account, 0);
}

/* ---- decode ---- */

enum { INKS = 4 };

static int check_header(const struct jpeg_decompress_struct *dec, int convert)
{
    if (dec->num_components != 1 && dec->num_components != 3 && !(convert && dec->num_components == INKS))
        return jpeg_host->fail("the stream has %d colour components; needs 1 (grey) or 3 (colour)",
                               dec->num_components);
    if ((uint64_t)dec->image_height * dec->image_width * (unsigned)dec->num_components > MOST_SAMPLES)
        return jpeg_host->fail("the stream says %u x %u x %d; needs at most %d samples", dec->image_height,
                               dec->image_width, dec->num_components, MOST_SAMPLES);
    return 0;
}

/* A row of four inks, stored as what paper they leave (Adobe's way), as light: R = C K / 255, rounded. */
static void mix(const JSAMPLE *inks, uint8_t *to, size_t width)
{
    for (size_t x = 0; x < width; x++, inks += INKS)
        for (int k = 0; k < 3; k++)
            *to++ = (uint8_t)((inks[k] * inks[3] + 127) / 255);
}

static void read_rows(coder *c, struct jpeg_decompress_struct *dec, uint8_t *pixels)
{
    size_t width = dec->output_width;
    while (dec->output_scanline < dec->output_height)
        if (dec->num_components < INKS) {
            jpeg_read_scanlines(dec, c->rows + dec->output_scanline, dec->output_height - dec->output_scanline);
        } else {
            jpeg_read_scanlines(dec, &c->inks, 1);
            mix(c->inks, pixels, width);
            pixels += 3 * width;
        }
}

static int make_room(coder *c, const struct jpeg_decompress_struct *dec, const hz_media *format, hz_bytes *out)
{
    size_t row = (size_t)format->width * (size_t)format->channels;
    jpeg_host->free(c->inks);
    c->inks = NULL;
    if (dec->num_components == INKS && !(c->inks = jpeg_host->alloc((size_t)format->width * INKS)))
        return -1;
    return jpeg_host->grow(out, row * dec->image_height) || point_rows(c, out->data, dec->image_height, row);
}

static int decode_as(coder *c, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    struct jpeg_decompress_struct *dec = &c->dec;
    if (setjmp(c->error.back)) {
        jpeg_abort_decompress(dec);
        return catcher_fail(&c->error);
    }
    /* libjpeg would take tables that this stream lacks from the one before */
    jpeg_destroy_decompress(dec);
    jpeg_create_decompress(dec);
    jpeg_mem_src(dec, (unsigned char *)bytes, count);        /* libjpeg only reads it */
    jpeg_read_header(dec, TRUE);
    format->height = dec->image_height;
    format->width = dec->image_width;
    format->channels = dec->num_components == INKS ? 3 : dec->num_components;
    if (check_header(dec, convert) || make_room(c, dec, format, out)) {
        jpeg_abort_decompress(dec);
        return -1;
    }
    if (dec->num_components == INKS)
        dec->out_color_space = JCS_CMYK;
    dec->dct_method = jpeg_dct(c->options);
    dec->progress = jpeg_has_multiple_scans(dec) ? &c->progress : NULL;
    jpeg_start_decompress(dec);
    read_rows(c, dec, out->data);
    jpeg_finish_decompress(dec);
    out->size = (size_t)format->width * (size_t)format->channels * (size_t)format->height;
    return 0;
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
    return jpeg_account(bytes, count, account, 1);
}

/* ---- the tables ---- */

#define TEXT(x) #x
#define VALUE(x) TEXT(x)
#ifdef LIBJPEG_TURBO_VERSION
#define LIBRARY "libjpeg-turbo " VALUE(LIBJPEG_TURBO_VERSION)
#else
#define LIBRARY "libjpeg " VALUE(JPEG_LIB_VERSION)
#endif

/* The headers' version, and the file that the system really loaded: libjpeg cannot be asked for its version. */
static char library_text[160] = LIBRARY;

static const char *library(void) { return library_text; }

static void find_library(void)
{
    Dl_info info;
    char real[4096];
    if (!dladdr((void *)jpeg_std_error, &info) || !info.dli_fname || !realpath(info.dli_fname, real))
        return;
    const char *name = strrchr(real, '/') ? strrchr(real, '/') + 1 : real;
    if (strstr(name, ".so"))
        snprintf(library_text, sizeof library_text, "%s %.100s", LIBRARY, name);
}

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .name = "jpeg",
    .params = "quality:int=75[1..100]+ 'scale of the quantisers, as in libjpeg';"
              "subsampling:enum=420|422|444+ 'of chroma; grey images have none';"
              "optimize:bool=false- 'Huffman tables for each image';"
              "progressive:bool=false 'several scans, optimized tables';"
              "dct:enum=islow|ifast|float 'arithmetic of both directions';"
              "restart:int=0[0..65535](MCUs) 'a marker after every so many; 0: none';"
              "luma:int*64=0[0..255] 'quantisers row by row, as in qtables of Pillow; 0: by quality';"
              "chroma:int*64=0[0..255] 'likewise, of both colours';"
#ifdef C_ARITH_CODING_SUPPORTED
              "arithmetic:bool=false- 'arithmetic coding in place of Huffman'"
#endif
    , .library = library,
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
    jpeg_host = lent;
    find_library();
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&jpeg_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "jpeg",
    .version = "1",
    .about = "JPEG, grey and colour, 8 bit",
    .open = open_plugin,
    .interface = interface,
};

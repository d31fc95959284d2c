/* jpeg2000.c: the JPEG 2000 codec over OpenJPEG: grey and colour, 8 bit, as bare codestreams (the smallest way to keep
   a picture): those of opj_compress -I -q N, or without both for lossless ones, with an empty comment. Quality is the
   PSNR that the encoder aims at, in which bytes rise without a break. Decoding takes JP2 files, too. One thread. */
#include "jpeg2000.h"
#include <stdio.h>
#include <string.h>

const hz_host *jpeg2000_host;

enum { QUALITY, LOSSLESS, LEVELS, OPTIONS };                 /* values, as declared */
enum { RGB = 3, LONGEST_TEXT = 200, MOST_BITS = 16 };

/* Of the running call: what OpenJPEG complained of first. */
typedef struct coder {
    double options[OPTIONS];
    char text[LONGEST_TEXT];
} coder;

static void hear(const char *text, void *self)
{
    coder *c = self;
    if (!c->text[0])
        snprintf(c->text, sizeof c->text, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static void hear_nothing(const char *text, void *self) {}

static void listen_to(opj_codec_t *codec, coder *c)
{
    c->text[0] = 0;
    opj_set_error_handler(codec, hear, c);
    opj_set_warning_handler(codec, hear_nothing, c);
    opj_set_info_handler(codec, hear_nothing, c);
}

static int explain(const coder *c)
{
    return jpeg2000_host->fail("OpenJPEG says: %s", c->text[0] ? c->text : "nothing; memory may be short");
}

/* ---- encode ---- */

/* Each level halves the picture: as many as leave a pixel. */
static int resolutions(const double *options, const hz_media *in)
{
    int64_t least = in->height < in->width ? in->height : in->width;
    int n = 1;
    while (n <= (int)options[LEVELS] && least >> n)
        n++;
    return n;
}

void jpeg2000_set_up(const double *options, const hz_media *in, opj_cparameters_t *p)
{
    opj_set_default_encoder_parameters(p);
    p->cp_comment = (char *)"";                                  /* OpenJPEG only reads it */
    p->numresolution = resolutions(options, in);
    p->tcp_numlayers = 1;
    p->tcp_mct = in->channels == RGB;
    p->irreversible = options[LOSSLESS] == 0;
    p->cp_disto_alloc = !p->irreversible;
    p->cp_fixed_quality = p->irreversible;
    p->tcp_distoratio[0] = p->irreversible ? (float)options[QUALITY] : 0;
}

opj_image_t *jpeg2000_picture(const hz_media *in)
{
    opj_image_cmptparm_t one = { .dx = 1, .dy = 1, .w = (OPJ_UINT32)in->width, .h = (OPJ_UINT32)in->height, .prec = 8,
                                 .bpp = 8 };
    opj_image_cmptparm_t all[RGB] = { one, one, one };
    opj_image_t *image = opj_image_create((OPJ_UINT32)in->channels, all,
                                          in->channels == RGB ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
    if (!image)
        return NULL;
    image->x1 = one.w;
    image->y1 = one.h;
    const uint8_t *from = in->data;
    for (int64_t i = 0; i < in->height * in->width; i++)
        for (int k = 0; k < in->channels; k++)
            image->comps[k].data[i] = *from++;
    return image;
}

static int write_out(coder *c, opj_codec_t *codec, opj_image_t *image, const hz_media *in, hz_bytes *out)
{
    opj_cparameters_t parameters;
    sink to = { .out = out };
    jpeg2000_set_up(c->options, in, &parameters);
    listen_to(codec, c);
    opj_stream_t *stream = stream_to(&to);
    int good = stream && opj_setup_encoder(codec, &parameters, image) && opj_start_compress(codec, image, stream)
               && opj_encode(codec, stream) && opj_end_compress(codec, stream);
    if (stream)
        opj_stream_destroy(stream);
    return good && !to.said ? 0 : to.said ? -1 : explain(c);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    coder *c = instance;
    if (in->height > MOST_PIXELS / in->width)
        return jpeg2000_host->fail("the image is %lld x %lld; needs at most %d pixels", (long long)in->height,
                                   (long long)in->width, MOST_PIXELS);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_image_t *image = jpeg2000_picture(in);
    int status = codec && image ? write_out(c, codec, image, in, out)
                                : jpeg2000_host->fail("OpenJPEG could not begin; memory may be short");
    if (image)
        opj_image_destroy(image);
    if (codec)
        opj_destroy_codec(codec);
    return status ? status : jpeg2000_account(out->data, out->size, account);
}

/* ---- decode ---- */

static int check_component(const opj_image_t *image, int k, int convert)
{
    const opj_image_comp_t *one = &image->comps[k];
    if (one->prec < 1 || one->prec > (convert ? MOST_BITS : 8) || one->sgnd)
        return jpeg2000_host->fail("component %d has %u bits%s; needs at most 8 without sign", k, one->prec,
                                   one->sgnd ? " with sign" : "");
    if (one->dx != 1 || one->dy != 1 || one->w != image->comps[0].w || one->h != image->comps[0].h)
        return jpeg2000_host->fail("component %d is subsampled; needs all of one size", k);
    return 0;
}

static int check_image(const opj_image_t *image, int convert)
{
    if (image->numcomps != 1 && image->numcomps != RGB)
        return jpeg2000_host->fail("the stream has %u components; needs 1 (grey) or 3 (colour)", image->numcomps);
    if (image->color_space > OPJ_CLRSPC_GRAY)
        return jpeg2000_host->fail("the stream's colours are of OpenJPEG's space %d; needs grey or sRGB",
                                   (int)image->color_space);
    for (int k = 0; k < (int)image->numcomps; k++)
        if (check_component(image, k, convert))
            return -1;
    return 0;
}

/* What is not 8 bits is scaled, rounded. */
static int give(const opj_image_t *image, hz_media *format, hz_bytes *out)
{
    const opj_image_comp_t *first = image->comps;
    size_t pixels = (size_t)first->w * first->h, channels = image->numcomps;
    *format = (hz_media){ .kind = HZ_IMAGE, .height = first->h, .width = first->w, .channels = (int)channels };
    if (jpeg2000_host->grow(out, pixels * channels))
        return -1;
    out->size = pixels * channels;
    for (size_t k = 0; k < channels; k++) {
        const opj_image_comp_t *one = &image->comps[k];
        int64_t most = (1 << one->prec) - 1;
        if (!one->data)
            return jpeg2000_host->fail("component %zu was not decoded", k);
        for (size_t i = 0; i < pixels; i++) {
            int64_t v = one->data[i] < 0 ? 0 : one->data[i] > most ? most : one->data[i];
            out->data[i * channels + k] = (uint8_t)((v * 255 + most / 2) / most);
        }
    }
    return 0;
}

/* Before the work: a few bytes can be a large picture, for which the host may have no room. */
static int make_room(const opj_image_t *image, hz_bytes *out)
{
    size_t pixels = (size_t)image->comps[0].w * image->comps[0].h;
    return jpeg2000_host->grow(out, pixels * (image->numcomps < RGB ? 1 : RGB));
}

static int decode_with(coder *c, opj_codec_t *codec, opj_stream_t *stream, opj_image_t **image, hz_bytes *out,
                       int convert)
{
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    listen_to(codec, c);
    if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, image))
        return explain(c);
    if (make_room(*image, out))
        return -1;
    if (!opj_decode(codec, stream, *image) || !opj_end_decompress(codec, stream))
        return explain(c);
    return check_image(*image, convert);
}

static int decode_as(coder *c, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    source from = { .p = bytes, .bytes = count };
    opj_image_t *image = NULL;
    if (jpeg2000_account(bytes, count, NULL))
        return -1;
    opj_codec_t *codec = opj_create_decompress(jpeg2000_is_file(bytes, count) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    opj_stream_t *stream = stream_from(&from);
    int status = codec && stream ? decode_with(c, codec, stream, &image, out, convert)
                                 : jpeg2000_host->fail("OpenJPEG could not begin; memory may be short");
    if (!status)
        status = give(image, format, out);
    if (image)
        opj_image_destroy(image);
    if (stream)
        opj_stream_destroy(stream);
    if (codec)
        opj_destroy_codec(codec);
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

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c = jpeg2000_host->alloc(sizeof *c);
    if (c)
        memcpy(c->options, values, sizeof c->options);
    return c;
}

static void destroy(void *instance) { jpeg2000_host->free(instance); }

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec_table = {
    .size = sizeof codec_table,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << RGB,
    .name = "jpeg2000",
    .params = "quality:float=35[1..100](dB)+ 'PSNR aimed at, as in opj_compress -q';"
              "lossless:bool=false+ '5-3 in place of 9-7 wavelets';"
              "levels:int=5[0..32] 'of the wavelets, at most'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode_converted, .account = jpeg2000_account,
};

static int open_plugin(const hz_host *lent)
{
    jpeg2000_host = lent;
    snprintf(library_text, sizeof library_text, "OpenJPEG %s", opj_version());
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec_table
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&jpeg2000_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "jpeg2000",
    .version = "1",
    .about = "JPEG 2000, grey and colour, 8 bit, lossy or lossless",
    .open = open_plugin,
    .interface = interface,
};

/* avif.c: the AVIF codec over libavif, with libaom both ways: grey (4:0:0) and colour, 8 bit, full range, as avifenc
   writes it; the quality is libavif's, of which libaom makes a constant quantiser. Decoding takes alpha where it is
   opaque everywhere. One thread. */
#include "avif.h"
#include <stdio.h>
#include <string.h>

const hz_host *avif_host;

enum { QUALITY, SUBSAMPLING, SPEED, LOSSLESS, OPTIONS };         /* values, as declared */
enum { MOST_SIDE = 32768, RGBA = 4, RGB = 3, COARSEST = 63 };

typedef struct coder {
    double options[OPTIONS];
} coder;

/* Fails with what libavif says of a result, and of what it noted besides. */
static int explain(avifResult result, const avifDiagnostics *more)
{
    return avif_host->fail("libavif says: %s%s%s", avifResultToString(result), more && more->error[0] ? ": " : "",
                           more ? more->error : "");
}

/* ---- encode ---- */

static avifImage *blank(const double *options, const hz_media *in)
{
    static const avifPixelFormat formats[] = { AVIF_PIXEL_FORMAT_YUV420, AVIF_PIXEL_FORMAT_YUV422,
                                               AVIF_PIXEL_FORMAT_YUV444 };
    int lossless = options[LOSSLESS] != 0;
    avifPixelFormat format = in->channels == 1 ? AVIF_PIXEL_FORMAT_YUV400
                             : lossless ? AVIF_PIXEL_FORMAT_YUV444 : formats[(int)options[SUBSAMPLING]];
    avifImage *image = avifImageCreate((uint32_t)in->width, (uint32_t)in->height, 8, format);
    if (!image)
        return NULL;
    image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
    image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    image->matrixCoefficients = lossless && in->channels == RGB ? AVIF_MATRIX_COEFFICIENTS_IDENTITY
                                                                : AVIF_MATRIX_COEFFICIENTS_BT601;
    image->yuvRange = AVIF_RANGE_FULL;
    return image;
}

static int fill_grey(avifImage *image, const uint8_t *pixels)
{
    avifImageAllocatePlanes(image, AVIF_PLANES_YUV);
    if (!image->yuvPlanes[AVIF_CHAN_Y])
        return avif_host->fail("libavif could not begin; memory may be short");
    for (uint32_t y = 0; y < image->height; y++)
        memcpy(image->yuvPlanes[AVIF_CHAN_Y] + (size_t)y * image->yuvRowBytes[AVIF_CHAN_Y],
               pixels + (size_t)y * image->width, image->width);
    return 0;
}

static int fill_colour(avifImage *image, const uint8_t *pixels)
{
    avifRGBImage rgb;
    avifRGBImageSetDefaults(&rgb, image);
    rgb.format = AVIF_RGB_FORMAT_RGB;
    rgb.pixels = (uint8_t *)pixels;                              /* libavif only reads it */
    rgb.rowBytes = RGB * image->width;
    avifResult result = avifImageRGBToYUV(image, &rgb);
    return result ? explain(result, NULL) : 0;
}

avifImage *avif_picture(const double *options, const hz_media *in)
{
    avifImage *image = blank(options, in);
    if (!image)
        avif_host->fail("libavif could not begin; memory may be short");
    else if (in->channels == 1 ? fill_grey(image, in->data) : fill_colour(image, in->data)) {
        avifImageDestroy(image);
        return NULL;
    }
    return image;
}

/* libavif 1.0 makes such a quantiser of a quality. */
static int quantiser(const double *options)
{
    int quality = options[LOSSLESS] != 0 ? 100 : (int)options[QUALITY];
    return ((100 - quality) * COARSEST + 50) / 100;
}

avifEncoder *avif_encoder(const double *options)
{
    char level[16];
    avifEncoder *encoder = avifEncoderCreate();
    if (!encoder)
        return NULL;
    snprintf(level, sizeof level, "%d", quantiser(options));
    encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
    encoder->maxThreads = 1;
    encoder->speed = (int)options[SPEED];
    encoder->minQuantizer = 0;
    encoder->maxQuantizer = COARSEST;
    avifEncoderSetCodecSpecificOption(encoder, "end-usage", "q");
    avifEncoderSetCodecSpecificOption(encoder, "cq-level", level);
    return encoder;
}

static int write_out(avifEncoder *encoder, const avifImage *image, hz_bytes *out)
{
    avifRWData data = AVIF_DATA_EMPTY;
    avifResult result = avifEncoderWrite(encoder, image, &data);
    int status = result ? explain(result, &encoder->diag) : avif_host->grow(out, data.size);
    if (!status) {
        memcpy(out->data, data.data, data.size);
        out->size = data.size;
    }
    avifRWDataFree(&data);
    return status;
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    if (in->height > MOST_SIDE || in->width > MOST_SIDE)
        return avif_host->fail("the image is %lld x %lld; needs at most %d either way", (long long)in->height,
                               (long long)in->width, MOST_SIDE);
    avifImage *image = avif_picture(c->options, in);
    avifEncoder *encoder = image ? avif_encoder(c->options) : NULL;
    int status = !image ? -1 : !encoder ? avif_host->fail("libavif could not begin; memory may be short")
                                        : write_out(encoder, image, out);
    if (encoder)
        avifEncoderDestroy(encoder);
    if (image)
        avifImageDestroy(image);
    return status ? status : avif_account(out->data, out->size, account);
}

/* ---- decode ---- */

static int check_header(const avifDecoder *d, int convert)
{
    const avifImage *image = d->image;
    if (d->imageCount != 1)
        return avif_host->fail("the stream holds %d pictures; needs 1", d->imageCount);
    if (image->depth != 8 && !convert)
        return avif_host->fail("%u bits per sample; needs 8", image->depth);
    if (image->width < 1 || image->height < 1 || (uint64_t)image->width * image->height > AVIF_MOST_PIXELS)
        return avif_host->fail("the stream says %u x %u; needs at most %d pixels", image->height, image->width,
                               AVIF_MOST_PIXELS);
    return 0;
}

/* The first `channels` of each pixel of `planes` bytes; a fourth byte, alpha, must be 255. */
static int take_channels(const uint8_t *from, int64_t pixels, int planes, int channels, uint8_t *to)
{
    for (int64_t i = 0; i < pixels; i++, from += planes, to += channels) {
        if (planes == RGBA && from[RGB] != 255)
            return avif_host->fail("pixel %lld is partly transparent; needs opaque images", (long long)i);
        memcpy(to, from, (size_t)channels);
    }
    return 0;
}

static int convert_into(const avifImage *image, int planes, uint8_t *pixels)
{
    avifRGBImage rgb;
    avifRGBImageSetDefaults(&rgb, image);
    rgb.depth = 8;
    rgb.format = planes == RGBA ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb.pixels = pixels;
    rgb.rowBytes = (uint32_t)planes * image->width;
    avifResult result = avifImageYUVToRGB(image, &rgb);
    return result ? explain(result, NULL) : 0;
}

/* Grey and pictures with alpha come by way of RGB or RGBA. */
static int give(const avifImage *image, hz_media *format, hz_bytes *out)
{
    int channels = image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400 ? 1 : RGB, planes = image->alphaPlane ? RGBA : RGB;
    int64_t pixels = (int64_t)image->width * image->height;
    *format = (hz_media){ .kind = HZ_IMAGE, .height = image->height, .width = image->width, .channels = channels };
    if (avif_host->grow(out, (size_t)(pixels * channels)))
        return -1;
    out->size = (size_t)(pixels * channels);
    if (planes == channels)
        return convert_into(image, planes, out->data);
    uint8_t *spare = avif_host->alloc((size_t)(pixels * planes));
    int status = !spare || convert_into(image, planes, spare)
                 || take_channels(spare, pixels, planes, channels, out->data) ? -1 : 0;
    avif_host->free(spare);
    return status;
}

static int decode_with(avifDecoder *d, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    d->codecChoice = AVIF_CODEC_CHOICE_AOM;                      /* others print what they think of broken streams */
    d->maxThreads = 1;
    d->ignoreExif = d->ignoreXMP = AVIF_TRUE;
    d->imageSizeLimit = AVIF_MOST_PIXELS;
    avifResult result = avifDecoderSetIOMemory(d, bytes, count);
    if (!result)
        result = avifDecoderParse(d);
    if (result)
        return explain(result, &d->diag);
    if (check_header(d, convert))
        return -1;
    if ((result = avifDecoderNextImage(d)))
        return explain(result, &d->diag);
    return check_header(d, convert) || give(d->image, format, out);
}

static int decode_as(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    if (avif_account(bytes, count, NULL))
        return -1;
    avifDecoder *d = avifDecoderCreate();
    int status = d ? decode_with(d, bytes, count, format, out, convert)
                   : avif_host->fail("libavif could not begin; memory may be short");
    if (d)
        avifDecoderDestroy(d);
    return status;
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return decode_as(bytes, count, format, out, 0);
}

static int decode_converted(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return decode_as(bytes, count, format, out, 1);
}

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c;
    if (!avifCodecName(AVIF_CODEC_CHOICE_AOM, AVIF_CODEC_FLAG_CAN_ENCODE | AVIF_CODEC_FLAG_CAN_DECODE)) {
        avif_host->fail("this libavif was built without libaom");
        return NULL;
    }
    if ((c = avif_host->alloc(sizeof *c)))
        memcpy(c->options, values, sizeof c->options);
    return c;
}

static void destroy(void *instance) { avif_host->free(instance); }

static char library_text[320];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << RGB,
    .name = "avif",
    .params = "quality:int=60[0..100]+ 'of libavif: quantiser 63 to 0';"
              "subsampling:enum=420|422|444+ 'of chroma; grey images have none';"
              "speed:int=6[0..10] 'less effort, as in avifenc -s';"
              "lossless:bool=false+ 'quantiser 0, RGB as it is'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode_converted, .account = avif_account,
};

/* Of all codecs that libavif names, "dav1d [dec]:1.0.0, aom [enc/dec]:v3.6.0, ...", the one that works here. */
static int open_plugin(const hz_host *lent)
{
    char codecs[256];
    avif_host = lent;
    avifCodecVersions(codecs);
    const char *aom = strstr(codecs, "aom [");
    unsigned yuv = avifLibYUVVersion();
    int n = snprintf(library_text, sizeof library_text, "libavif %s, %.*s", avifVersion(),
                     aom ? (int)strcspn(aom, ",") : 0, aom ? aom : "");
    if (yuv)
        snprintf(library_text + n, sizeof library_text - (size_t)n, ", libyuv %u", yuv);
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&avif_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "avif",
    .version = "1",
    .about = "AVIF, grey and colour, 8 bit",
    .open = open_plugin,
    .interface = interface,
};

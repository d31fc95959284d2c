/* jxl.c: the JPEG XL codec over libjxl: grey and colour, 8 bit, as bare codestreams (the smallest way to keep a
   picture), as cjxl writes them. Decoding takes files with boxes, too, and alpha where it is opaque everywhere. One
   thread. */
#include "jxl.h"
#include <stdio.h>
#include <string.h>
#include <jxl/decode.h>

const hz_host *jxl_host;

enum { QUALITY, LOSSLESS, EFFORT, OPTIONS };                 /* values, as declared */
enum { RGB = 3, FIRST_ROOM = 4096 };

typedef struct coder {
    double options[OPTIONS];
    JxlEncoder *enc;                 /* new, and so is dec */
    JxlDecoder *dec;
} coder;

/* ---- encode ---- */

/* JxlEncoderDistanceFromQuality, which libjxl has since 0.9. */
static double distance_of(double quality)
{
    return quality >= 100 ? 0 : quality >= 30 ? 0.1 + (100 - quality) * 0.09
           : 53.0 / 3000 * quality * quality - 23.0 / 20 * quality + 25;
}

static int is_lossless(const double *options) { return options[LOSSLESS] != 0 || options[QUALITY] >= 100; }

static int set_picture(JxlEncoder *enc, const double *options, const hz_media *in)
{
    JxlBasicInfo info;
    JxlColorEncoding colours;
    JxlEncoderInitBasicInfo(&info);
    info.xsize = (uint32_t)in->width;
    info.ysize = (uint32_t)in->height;
    info.bits_per_sample = 8;
    info.num_color_channels = (uint32_t)in->channels;
    info.uses_original_profile = is_lossless(options);
    JxlColorEncodingSetToSRGB(&colours, in->channels == 1);
    return JxlEncoderSetBasicInfo(enc, &info) || JxlEncoderSetColorEncoding(enc, &colours);
}

static int add_frame(JxlEncoder *enc, const double *options, const hz_media *in)
{
    JxlPixelFormat format = { .num_channels = (uint32_t)in->channels, .data_type = JXL_TYPE_UINT8 };
    JxlEncoderFrameSettings *settings = JxlEncoderFrameSettingsCreate(enc, NULL);
    int64_t effort = (int64_t)options[EFFORT];
    if (!settings || JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, effort))
        return -1;
    if (is_lossless(options) ? JxlEncoderSetFrameLossless(settings, JXL_TRUE)
                       : JxlEncoderSetFrameDistance(settings, (float)distance_of(options[QUALITY])))
        return -1;
    size_t bytes = (size_t)in->height * (size_t)in->width * (size_t)in->channels;
    return JxlEncoderAddImageFrame(settings, &format, in->data, bytes);
}

int jxl_begin(JxlEncoder *enc, const double *options, const hz_media *in)
{
    if (set_picture(enc, options, in) || add_frame(enc, options, in))
        return -1;
    JxlEncoderCloseInput(enc);
    return 0;
}

static int explain(const coder *c)
{
    return jxl_host->fail("libjxl gives up with error %d%s", (int)JxlEncoderGetError(c->enc),
                          JxlEncoderGetError(c->enc) == JXL_ENC_ERR_OOM ? ": memory is short" : "");
}

static int write_out(const coder *c, hz_bytes *out)
{
    JxlEncoderStatus status = JXL_ENC_NEED_MORE_OUTPUT;
    while (status == JXL_ENC_NEED_MORE_OUTPUT) {
        size_t room = out->room - out->size;
        if (room < FIRST_ROOM && jxl_host->grow(out, 2 * out->room + FIRST_ROOM))
            return -1;
        uint8_t *next = out->data + out->size;
        room = out->room - out->size;
        status = JxlEncoderProcessOutput(c->enc, &next, &room);
        out->size = (size_t)(next - out->data);
    }
    return status == JXL_ENC_SUCCESS ? 0 : explain(c);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    coder *c = instance;
    if (in->height > JXL_MOST_PIXELS / in->width)
        return jxl_host->fail("the image is %lld x %lld; needs at most %d pixels", (long long)in->height,
                              (long long)in->width, JXL_MOST_PIXELS);
    JxlEncoderReset(c->enc);
    if (jxl_begin(c->enc, c->options, in))
        return explain(c);
    return write_out(c, out) ? -1 : jxl_account(out->data, out->size, account);
}

/* ---- decode ---- */

typedef struct job {
    hz_media *format;
    hz_bytes *out;
    uint8_t *spare;                  /* new: with alpha; NULL without */
    int convert;
} job;

static int check_info(const JxlBasicInfo *info, int convert)
{
    if (info->have_animation)
        return jxl_host->fail("the stream is an animation; needs one picture");
    if (info->exponent_bits_per_sample || (info->bits_per_sample > 8 && !convert))
        return jxl_host->fail("%u bits per sample%s; needs at most 8", info->bits_per_sample,
                              info->exponent_bits_per_sample ? " with a fraction" : "");
    if (info->num_extra_channels > (info->alpha_bits ? 1u : 0u))
        return jxl_host->fail("the stream has %u channels besides colour; needs none, or opaque alpha",
                              info->num_extra_channels);
    if (info->xsize < 1 || info->ysize < 1 || (uint64_t)info->xsize * info->ysize > JXL_MOST_PIXELS)
        return jxl_host->fail("the stream says %u x %u; needs at most %d pixels", info->ysize, info->xsize,
                              JXL_MOST_PIXELS);
    return 0;
}

static int look(const coder *c, const job *j, JxlBasicInfo *info)
{
    if (JxlDecoderGetBasicInfo(c->dec, info))
        return jxl_host->fail("libjxl knows nothing of the picture");
    return check_info(info, j->convert);
}

static int make_room(const coder *c, job *j)
{
    JxlBasicInfo info;
    if (look(c, j, &info))
        return -1;
    int channels = (int)info.num_color_channels, planes = channels + (info.alpha_bits > 0);
    size_t pixels = (size_t)info.xsize * info.ysize;
    *j->format = (hz_media){ .kind = HZ_IMAGE, .height = info.ysize, .width = info.xsize, .channels = channels };
    if (jxl_host->grow(j->out, pixels * (size_t)channels))
        return -1;
    if (planes > channels && !j->spare && !(j->spare = jxl_host->alloc(pixels * (size_t)planes)))
        return -1;
    j->out->size = pixels * (size_t)channels;
    JxlPixelFormat as = { .num_channels = (uint32_t)planes, .data_type = JXL_TYPE_UINT8 };
    if (JxlDecoderSetImageOutBuffer(c->dec, &as, j->spare ? j->spare : j->out->data, pixels * (size_t)planes))
        return jxl_host->fail("libjxl does not give the picture in 8 bits");
    return 0;
}

/* Drops the alpha channel if it is opaque everywhere. */
static int drop_alpha(const job *j)
{
    size_t channels = (size_t)j->format->channels, pixels = j->out->size / channels;
    const uint8_t *from = j->spare;
    for (size_t i = 0; i < pixels; i++, from += channels + 1) {
        if (from[channels] != 255)
            return jxl_host->fail("pixel %zu is partly transparent; needs opaque images", i);
        memcpy(j->out->data + i * channels, from, channels);
    }
    return 0;
}

static int run(const coder *c, job *j, const uint8_t *bytes, size_t count)
{
    JxlBasicInfo info;
    JxlDecoderReset(c->dec);
    if (JxlDecoderSubscribeEvents(c->dec, JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE)
        || JxlDecoderSetInput(c->dec, bytes, count))
        return jxl_host->fail("libjxl could not begin");
    JxlDecoderCloseInput(c->dec);
    for (;;) {
        JxlDecoderStatus status = JxlDecoderProcessInput(c->dec);
        if (status == JXL_DEC_FULL_IMAGE)
            return j->spare ? drop_alpha(j) : 0;
        if (status != JXL_DEC_BASIC_INFO && status != JXL_DEC_NEED_IMAGE_OUT_BUFFER)
            return jxl_host->fail("the stream is damaged or ends early; libjxl gives up with status %d", (int)status);
        if (status == JXL_DEC_BASIC_INFO ? look(c, j, &info) : make_room(c, j))
            return -1;
    }
}

static int decode_as(const coder *c, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out, int convert)
{
    job j = { .format = format, .out = out, .convert = convert };
    int status = jxl_account(bytes, count, NULL) || run(c, &j, bytes, count) ? -1 : 0;
    JxlDecoderReset(c->dec);
    jxl_host->free(j.spare);
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

static void destroy(void *instance)
{
    coder *c = instance;
    if (c && c->enc)
        JxlEncoderDestroy(c->enc);
    if (c && c->dec)
        JxlDecoderDestroy(c->dec);
    jxl_host->free(c);
}

static void *create(const double *values)
{
    coder *c = jxl_host->alloc(sizeof *c);
    if (!c)
        return NULL;
    memcpy(c->options, values, sizeof c->options);
    c->enc = JxlEncoderCreate(NULL);
    c->dec = JxlDecoderCreate(NULL);
    if (c->enc && c->dec)
        return c;
    jxl_host->fail("libjxl could not begin; memory may be short");
    destroy(c);
    return NULL;
}

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << RGB,
    .name = "jxl",
    .params = "quality:float=90[1..100]+ 'of libjxl, a distance; 100 is lossless';"
              "lossless:bool=false+ 'whatever the quality';"
              "effort:int=7[1..9] 'as in cjxl -e'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode_converted, .account = jxl_account,
};

static int open_plugin(const hz_host *lent)
{
    unsigned v = JxlEncoderVersion();
    jxl_host = lent;
    jxl_quiet();
    snprintf(library_text, sizeof library_text, "libjxl %u.%u.%u", v / 1000000, v / 1000 % 1000, v % 1000);
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&jxl_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "jxl",
    .version = "1",
    .about = "JPEG XL, grey and colour, 8 bit, lossy or lossless",
    .open = open_plugin,
    .interface = interface,
};

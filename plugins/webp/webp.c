/* webp.c: the WebP codec over libwebp: colour, lossy (VP8, 4:2:0) and lossless (VP8L), as cwebp -q -m writes them.
   WebP has no grey. Streams go to and come from the host's memory directly. Decoding takes alpha where it is opaque
   everywhere. One thread. */
#include "webp.h"
#include <stdio.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

const hz_host *webp_host;

enum { MOST_SAMPLES = 1 << 28, FIRST_ROOM = 4096, RGBA = 4, RGB = 3 };

typedef struct coder {
    WebPConfig config;
} coder;

/* ---- encode ---- */

static const char *const reasons[VP8_ENC_ERROR_LAST] = {
    [VP8_ENC_ERROR_OUT_OF_MEMORY] = "memory is short",
    [VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY] = "memory is short",
    [VP8_ENC_ERROR_BAD_DIMENSION] = "the size is not one of WebP",
    [VP8_ENC_ERROR_PARTITION0_OVERFLOW] = "the first partition takes more than 512 KB; needs a smaller image",
    [VP8_ENC_ERROR_PARTITION_OVERFLOW] = "a partition takes more than 16 MB; needs a smaller image or quality",
    [VP8_ENC_ERROR_FILE_TOO_BIG] = "the stream takes more than 4 GB",
};

/* What libwebp writes goes to the host's memory; the message is set where that does not grow. */
static int write_bytes(const uint8_t *data, size_t n, const WebPPicture *picture)
{
    hz_bytes *out = picture->custom_ptr;
    if (webp_host->grow(out, out->size + n))
        return 0;
    memcpy(out->data + out->size, data, n);
    out->size += n;
    return 1;
}

static int explain(const WebPPicture *picture)
{
    const char *reason = reasons[picture->error_code];
    if (picture->error_code == VP8_ENC_ERROR_BAD_WRITE)
        return -1;
    return webp_host->fail("libwebp gives up with error %d%s%s", (int)picture->error_code, reason ? ": " : "",
                           reason ? reason : "");
}

static int encode_into(const coder *c, const hz_media *in, hz_bytes *out)
{
    WebPPicture picture;
    if (!WebPPictureInit(&picture))
        return webp_host->fail("libwebp is not the one that the plugin was built for");
    picture.use_argb = c->config.lossless;
    picture.width = (int)in->width;
    picture.height = (int)in->height;
    picture.writer = write_bytes;
    picture.custom_ptr = out;
    int status = WebPPictureImportRGB(&picture, in->data, RGB * (int)in->width) && WebPEncode(&c->config, &picture)
                     ? 0 : explain(&picture);
    WebPPictureFree(&picture);
    return status;
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    if (in->height > WEBP_MAX_DIMENSION || in->width > WEBP_MAX_DIMENSION)
        return webp_host->fail("the image is %lld x %lld; needs at most %d either way", (long long)in->height,
                               (long long)in->width, WEBP_MAX_DIMENSION);
    if (webp_host->grow(out, FIRST_ROOM) || encode_into(instance, in, out))
        return -1;
    return webp_account(out->data, out->size, account);
}

/* ---- decode ---- */

static int check_features(const WebPBitstreamFeatures *f)
{
    if (f->has_animation)
        return webp_host->fail("the stream is an animation; needs one picture");
    if (f->width < 1 || f->height < 1 || (int64_t)f->width * f->height > MOST_SAMPLES / RGBA)
        return webp_host->fail("the stream says %d x %d; needs at most %d pixels", f->height, f->width,
                               MOST_SAMPLES / RGBA);
    return 0;
}

/* Drops the alpha channel if it is opaque everywhere. */
static int drop_alpha(const uint8_t *from, int64_t pixels, uint8_t *to)
{
    for (int64_t i = 0; i < pixels; i++, from += RGBA, to += RGB) {
        if (from[RGB] != 255)
            return webp_host->fail("pixel %lld is partly transparent; needs opaque images", (long long)i);
        memcpy(to, from, RGB);
    }
    return 0;
}

/* Into pixels of `planes` bytes each. */
static int decode_into(const uint8_t *bytes, size_t count, const WebPBitstreamFeatures *f, int planes, uint8_t *pixels)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return webp_host->fail("libwebp is not the one that the plugin was built for");
    config.output.colorspace = planes == RGBA ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = planes * f->width;
    config.output.u.RGBA.size = (size_t)planes * (size_t)f->width * (size_t)f->height;
    int status = WebPDecode(bytes, count, &config);
    WebPFreeDecBuffer(&config.output);
    return status == VP8_STATUS_OK ? 0 : webp_host->fail("the stream is damaged; libwebp gives up with status %d",
                                                         status);
}

static int decode_alpha(const uint8_t *bytes, size_t count, const WebPBitstreamFeatures *f, uint8_t *pixels)
{
    int64_t n = (int64_t)f->width * f->height;
    uint8_t *spare = webp_host->alloc((size_t)n * RGBA);
    int status = !spare || decode_into(bytes, count, f, RGBA, spare) || drop_alpha(spare, n, pixels) ? -1 : 0;
    webp_host->free(spare);
    return status;
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    WebPBitstreamFeatures f;
    if (webp_account(bytes, count, NULL))
        return -1;
    int status = WebPGetFeatures(bytes, count, &f);
    if (status != VP8_STATUS_OK)
        return webp_host->fail("the stream has no header of WebP; libwebp gives up with status %d", status);
    size_t size = (size_t)f.width * (size_t)f.height * RGB;
    if (check_features(&f) || webp_host->grow(out, size))
        return -1;
    format->height = f.height;
    format->width = f.width;
    format->channels = RGB;
    if (f.has_alpha ? decode_alpha(bytes, count, &f, out->data) : decode_into(bytes, count, &f, RGB, out->data))
        return -1;
    out->size = size;
    return 0;
}

/* ---- the tables ---- */

int webp_configure(WebPConfig *config, const double *options)
{
    if (!WebPConfigInit(config))
        return webp_host->fail("libwebp is not the one that the plugin was built for");
    config->quality = (float)options[QUALITY];
    config->lossless = options[LOSSLESS] != 0;
    config->method = (int)options[METHOD];
    return WebPValidateConfig(config) ? 0 : webp_host->fail("libwebp does not take these values");
}

static void *create(const double *values)
{
    coder *c = webp_host->alloc(sizeof *c);
    if (c && webp_configure(&c->config, values)) {
        webp_host->free(c);
        return NULL;
    }
    return c;
}

static void destroy(void *instance) { webp_host->free(instance); }

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << RGB,
    .name = "webp",
    .params = "quality:float=75[0..100]+ 'as in cwebp -q; lossless: effort';"
              "lossless:bool=false+ 'VP8L in place of VP8';"
              "method:int=4[0..6] 'effort, as in cwebp -m'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode, .account = webp_account,
};

static int open_plugin(const hz_host *lent)
{
    int e = WebPGetEncoderVersion(), d = WebPGetDecoderVersion();
    webp_host = lent;
    int n = snprintf(library_text, sizeof library_text, "libwebp %d.%d.%d", e >> 16, e >> 8 & 255, e & 255);
    if (d != e)
        snprintf(library_text + n, sizeof library_text - (size_t)n, " (decoder %d.%d.%d)", d >> 16, d >> 8 & 255,
                 d & 255);
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&webp_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "webp",
    .version = "1",
    .about = "WebP, colour, 8 bit, lossy or lossless",
    .open = open_plugin,
    .interface = interface,
};

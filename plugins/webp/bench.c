/* bench.c: the plain loop of a libwebp user: one configuration, the library's own memory writer, no account, no checks.
   `hz bench codec` compares bulk recoding with it. */
#include "webp.h"
#include <webp/decode.h>
#include <webp/encode.h>

static int roundtrip(const WebPConfig *config, const uint8_t *pixels, int height, int width, uint8_t *decoded)
{
    WebPPicture picture;
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    WebPPictureInit(&picture);
    picture.use_argb = config->lossless;
    picture.width = width;
    picture.height = height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    int good = WebPPictureImportRGB(&picture, pixels, 3 * width) && WebPEncode(config, &picture)
               && WebPDecodeRGBInto(writer.mem, writer.size, decoded, 3 * (size_t)width * (size_t)height, 3 * width);
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
    return good;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    WebPConfig config;
    size_t image = (size_t)height * (size_t)width * (size_t)channels;
    if (webp_configure(&config, values))
        return -1;
    for (int64_t i = 0; i < n; i++)
        if (!roundtrip(&config, pixels + (size_t)i * image, (int)height, (int)width, decoded + (size_t)i * image))
            return webp_host->fail("libwebp gives up at image %lld", (long long)i);
    return 0;
}

const hz_codec_bench webp_bench = { .size = sizeof webp_bench, .roundtrips = roundtrips };

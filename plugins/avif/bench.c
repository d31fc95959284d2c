/* bench.c: the plain loop of a libavif user: an image, an encoder and a decoder for each picture, as libavif wants it;
   no account, no checks. `hz bench codec` compares bulk recoding with it. */
#include "avif.h"

static int decode(const avifRWData *stream, uint8_t *decoded, int channels)
{
    avifDecoder *decoder = avifDecoderCreate();
    avifImage *image = avifImageCreateEmpty();
    int good = decoder && image;
    if (good)
        decoder->maxThreads = 1;
    good = good && !avifDecoderReadMemory(decoder, image, stream->data, stream->size);
    if (good && channels == 1) {
        for (uint32_t y = 0; y < image->height; y++)
            for (uint32_t x = 0; x < image->width; x++)
                *decoded++ = image->yuvPlanes[AVIF_CHAN_Y][y * image->yuvRowBytes[AVIF_CHAN_Y] + x];
    } else if (good) {
        avifRGBImage rgb;
        avifRGBImageSetDefaults(&rgb, image);
        rgb.depth = 8;
        rgb.format = AVIF_RGB_FORMAT_RGB;
        rgb.pixels = decoded;
        rgb.rowBytes = 3 * image->width;
        good = !avifImageYUVToRGB(image, &rgb);
    }
    if (image)
        avifImageDestroy(image);
    if (decoder)
        avifDecoderDestroy(decoder);
    return good;
}

static int roundtrip(const double *values, const hz_media *in, uint8_t *decoded)
{
    avifRWData stream = AVIF_DATA_EMPTY;
    avifImage *image = avif_picture(values, in);
    avifEncoder *encoder = avif_encoder(values);
    int good = image && encoder && !avifEncoderWrite(encoder, image, &stream)
               && decode(&stream, decoded, in->channels);
    avifRWDataFree(&stream);
    if (encoder)
        avifEncoderDestroy(encoder);
    if (image)
        avifImageDestroy(image);
    return good;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    hz_media in = { .kind = HZ_IMAGE, .channels = channels, .height = height, .width = width };
    size_t image = (size_t)height * (size_t)width * (size_t)channels;
    for (int64_t i = 0; i < n; i++) {
        in.data = pixels + (size_t)i * image;
        if (!roundtrip(values, &in, decoded + (size_t)i * image))
            return avif_host->fail("libavif gives up at image %lld", (long long)i);
    }
    return 0;
}

const hz_codec_bench avif_bench = { .size = sizeof avif_bench, .roundtrips = roundtrips };

/* bench.c: the plain loop of a libjxl user: one encoder, one decoder, a buffer that holds any stream, no account, no
   checks. `hz bench codec` compares bulk recoding with it. */
#include "jxl.h"
#include <jxl/decode.h>

typedef struct loop {
    JxlEncoder *enc;
    JxlDecoder *dec;
    uint8_t *buffer;
    size_t room;
} loop;

static size_t encode(const loop *l, const double *values, const hz_media *in)
{
    uint8_t *next = l->buffer;
    size_t left = l->room;
    JxlEncoderReset(l->enc);
    int good = !jxl_begin(l->enc, values, in) && JxlEncoderProcessOutput(l->enc, &next, &left) == JXL_ENC_SUCCESS;
    return good ? l->room - left : 0;
}

static int decode(const loop *l, size_t size, const JxlPixelFormat *format, uint8_t *decoded, size_t image)
{
    JxlDecoderReset(l->dec);
    if (!size || JxlDecoderSubscribeEvents(l->dec, JXL_DEC_FULL_IMAGE) || JxlDecoderSetInput(l->dec, l->buffer, size))
        return 0;
    JxlDecoderCloseInput(l->dec);
    return JxlDecoderProcessInput(l->dec) == JXL_DEC_NEED_IMAGE_OUT_BUFFER
           && !JxlDecoderSetImageOutBuffer(l->dec, format, decoded, image)
           && JxlDecoderProcessInput(l->dec) == JXL_DEC_FULL_IMAGE;
}

static int run(const loop *l, const double *values, const uint8_t *pixels, int64_t n, hz_media *in, uint8_t *decoded)
{
    size_t image = (size_t)in->height * (size_t)in->width * (size_t)in->channels;
    JxlPixelFormat format = { .num_channels = (uint32_t)in->channels, .data_type = JXL_TYPE_UINT8 };
    for (int64_t i = 0; i < n; i++, pixels += image, decoded += image) {
        in->data = pixels;
        if (!decode(l, encode(l, values, in), &format, decoded, image))
            return jxl_host->fail("libjxl gives up at image %lld", (long long)i);
    }
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    hz_media in = { .kind = HZ_IMAGE, .channels = channels, .height = height, .width = width };
    loop l = { .enc = JxlEncoderCreate(NULL), .dec = JxlDecoderCreate(NULL),
               .room = 2 * (size_t)height * (size_t)width * (size_t)channels + 4096 };
    l.buffer = jxl_host->alloc(l.room);
    int status = l.enc && l.dec && l.buffer ? run(&l, values, pixels, n, &in, decoded)
                                            : jxl_host->fail("libjxl could not begin; memory may be short");
    jxl_host->free(l.buffer);
    if (l.enc)
        JxlEncoderDestroy(l.enc);
    if (l.dec)
        JxlDecoderDestroy(l.dec);
    return status;
}

const hz_codec_bench jxl_bench = { .size = sizeof jxl_bench, .roundtrips = roundtrips };

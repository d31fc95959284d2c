/* bench.c: the plain loop of an OpenJPEG user: an image, a codec and a stream each way for each picture, as OpenJPEG
   wants it, one buffer, no account, no checks. `hz bench codec` compares bulk recoding with it. */
#include "jpeg2000.h"

static int encode(const double *values, const hz_media *in, sink *to)
{
    opj_cparameters_t parameters;
    jpeg2000_set_up(values, in, &parameters);
    opj_image_t *image = jpeg2000_picture(in);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_stream_t *stream = stream_to(to);
    int good = image && codec && stream && opj_setup_encoder(codec, &parameters, image)
               && opj_start_compress(codec, image, stream) && opj_encode(codec, stream)
               && opj_end_compress(codec, stream);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(image);
    return good;
}

static void write_pixels(const opj_image_t *image, uint8_t *decoded)
{
    size_t n = (size_t)image->comps[0].w * image->comps[0].h;
    for (size_t i = 0; i < n; i++)
        for (OPJ_UINT32 k = 0; k < image->numcomps; k++) {
            OPJ_INT32 v = image->comps[k].data[i];
            *decoded++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
}

static int decode(source *from, uint8_t *decoded)
{
    opj_dparameters_t parameters;
    opj_image_t *image = NULL;
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_stream_t *stream = stream_from(from);
    opj_set_default_decoder_parameters(&parameters);
    int good = codec && stream && opj_setup_decoder(codec, &parameters) && opj_read_header(stream, codec, &image)
               && opj_decode(codec, stream, image) && opj_end_decompress(codec, stream);
    if (good)
        write_pixels(image, decoded);
    opj_image_destroy(image);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    return good;
}

static int run(const double *values, const uint8_t *pixels, int64_t n, hz_media *in, hz_bytes *buffer, uint8_t *decoded)
{
    size_t image = (size_t)in->height * (size_t)in->width * (size_t)in->channels;
    for (int64_t i = 0; i < n; i++, pixels += image, decoded += image) {
        sink to = { .out = buffer };
        in->data = pixels;
        buffer->size = 0;
        int good = encode(values, in, &to);
        source from = { .p = buffer->data, .bytes = buffer->size };
        if (!good || !decode(&from, decoded))
            return jpeg2000_host->fail("OpenJPEG gives up at image %lld", (long long)i);
    }
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    hz_media in = { .kind = HZ_IMAGE, .channels = channels, .height = height, .width = width };
    hz_bytes buffer = { .room = 2 * (size_t)height * (size_t)width * (size_t)channels + 65536, .fixed = 1 };
    buffer.data = jpeg2000_host->alloc(buffer.room);
    int status = buffer.data ? run(values, pixels, n, &in, &buffer, decoded) : -1;
    jpeg2000_host->free(buffer.data);
    return status;
}

const hz_codec_bench jpeg2000_bench = { .size = sizeof jpeg2000_bench, .roundtrips = roundtrips };

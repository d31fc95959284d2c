/* bench.c: the plain loop of a liblzma user: one buffer, no heads, no account. */
#include "xz.h"

static int run(const double *values, const uint8_t *pixels, int64_t n, size_t image, uint8_t *buffer, size_t room,
               uint8_t *decoded)
{
    for (int64_t i = 0; i < n; i++, pixels += image, decoded += image) {
        size_t size = 0;
        if (xz_code(values, pixels, image, buffer, room, &size) || xz_decode(buffer, size, decoded, image))
            return -1;
    }
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    size_t image = (size_t)height * (size_t)width * (size_t)channels, room = lzma_stream_buffer_bound(image);
    uint8_t *buffer = xz_host->alloc(room);
    int status = buffer ? run(values, pixels, n, image, buffer, room, decoded) : -1;
    xz_host->free(buffer);
    return status;
}

const hz_codec_bench xz_bench = { .size = sizeof xz_bench, .roundtrips = roundtrips };

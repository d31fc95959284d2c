/* bench.c: the plain loop of a libzstd user: one context each way, one buffer, no heads, no account, no checks. */
#include "zstd.h"
#include <zstd.h>

typedef struct loop { ZSTD_CCtx *enc; ZSTD_DCtx *dec; void *buffer; size_t room; } loop;

static int run(const loop *l, const uint8_t *pixels, int64_t n, size_t image, uint8_t *decoded)
{
    for (int64_t i = 0; i < n; i++, pixels += image, decoded += image) {
        size_t size = ZSTD_compress2(l->enc, l->buffer, l->room, pixels, image);
        if (ZSTD_isError(size) || ZSTD_isError(ZSTD_decompressDCtx(l->dec, decoded, image, l->buffer, size)))
            return zstd_host->fail("libzstd gives up at image %lld", (long long)i);
    }
    return 0;
}

static int roundtrips(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded)
{
    size_t image = (size_t)height * (size_t)width * (size_t)channels;
    loop l = { .enc = ZSTD_createCCtx(), .dec = ZSTD_createDCtx(), .room = ZSTD_compressBound(image) };
    l.buffer = zstd_host->alloc(l.room);
    int good = l.enc && l.dec && l.buffer
               && !ZSTD_isError(ZSTD_CCtx_setParameter(l.enc, ZSTD_c_compressionLevel, (int)values[LEVEL]));
    int status = good ? run(&l, pixels, n, image, decoded) : zstd_host->fail("libzstd could not begin");
    zstd_host->free(l.buffer);
    ZSTD_freeDCtx(l.dec);
    ZSTD_freeCCtx(l.enc);
    return status;
}

const hz_codec_bench zstd_bench = { .size = sizeof zstd_bench, .roundtrips = roundtrips };

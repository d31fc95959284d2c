/* zstd.c: raw samples by Zstandard, a coder of bytes that knows nothing of pictures: what a codec of images must be
   better than. A stream is the head of a PNM file and one frame of zstd, that of `zstd --no-check -N`; it is one file
   for one image. */
#include "zstd.h"
#include "raw.h"
#include <stdio.h>
#include <string.h>
#include <zstd.h>

const hz_host *zstd_host;

typedef struct coder {
    ZSTD_CCtx *enc;                  /* new, and so is dec */
    ZSTD_DCtx *dec;
} coder;

/* ---- encode ---- */

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    char head[RAW_HEAD];
    size_t n = raw_samples(in), text = raw_head(in, head);
    if (in->height > RAW_MOST / in->channels / in->width)
        return zstd_host->fail("the image is %lld x %lld; needs at most %d samples", (long long)in->height,
                               (long long)in->width, RAW_MOST);
    if (zstd_host->grow(out, text + ZSTD_compressBound(n)))
        return -1;
    memcpy(out->data, head, text);
    size_t size = ZSTD_compress2(c->enc, out->data + text, out->room - text, in->data, n);
    if (ZSTD_isError(size))
        return zstd_host->fail("libzstd says: %s", ZSTD_getErrorName(size));
    out->size = text + size;
    return zstd_host->part(account, HZ_CONTAINER, text) || zstd_account(out->data + text, size, account);
}

/* ---- decode ---- */

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    const coder *c = instance;
    size_t head = raw_read_head(bytes, count, format);
    if (!head)
        return zstd_host->fail("the stream begins with no head of PNM (P5 or P6, 255) of at most %d samples", RAW_MOST);
    size_t n = raw_samples(format);
    bytes += head;
    count -= head;
    if (zstd_account(bytes, count, NULL))
        return -1;
    unsigned long long said = ZSTD_getFrameContentSize(bytes, count);
    if (said != n)
        return zstd_host->fail("the frame says that it holds other than the %zu samples of the head", n);
    if (zstd_host->grow(out, n))
        return -1;
    size_t size = ZSTD_decompressDCtx(c->dec, out->data, n, bytes, count);
    if (ZSTD_isError(size) || size != n)
        return zstd_host->fail("libzstd says: %s", ZSTD_isError(size) ? ZSTD_getErrorName(size) : "the frame is short");
    out->size = n;
    return 0;
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    hz_media format = { .kind = HZ_IMAGE };
    size_t head = raw_read_head(bytes, count, &format);
    return zstd_host->part(account, HZ_CONTAINER, head) || zstd_account(bytes + head, count - head, account);
}

/* ---- the tables ---- */

static void destroy(void *instance)
{
    coder *c = instance;
    if (!c)
        return;
    ZSTD_freeCCtx(c->enc);
    ZSTD_freeDCtx(c->dec);
    zstd_host->free(c);
}

static void *create(const double *values)
{
    coder *c = zstd_host->alloc(sizeof *c);
    if (!c)
        return NULL;
    c->enc = ZSTD_createCCtx();
    c->dec = ZSTD_createDCtx();
    if (c->enc && c->dec && !ZSTD_isError(ZSTD_CCtx_setParameter(c->enc, ZSTD_c_compressionLevel, (int)values[LEVEL])))
        return c;
    zstd_host->fail("libzstd could not begin; memory may be short");
    destroy(c);
    return NULL;
}

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .lossless = 1,
    .name = "zstd",
    .params = "level:int=19[1..22] 'effort, as in zstd -N and --ultra -N'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = { .size = sizeof files, .decode = decode, .account = account_file };

static int open_plugin(const hz_host *lent)
{
    zstd_host = lent;
    snprintf(library_text, sizeof library_text, "libzstd %s", ZSTD_versionString());
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&zstd_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "zstd",
    .version = "1",
    .about = "Zstandard over raw samples of images, lossless",
    .open = open_plugin,
    .interface = interface,
};

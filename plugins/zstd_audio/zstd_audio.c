/* zstd_audio.c: raw samples of sounds by Zstandard, a coder of bytes that knows nothing of sounds: what a codec of
   sounds must be better than. A stream is the head of an AU file and one frame of zstd. */
#include "zstd.h"
#include "pcm.h"
#include <stdio.h>
#include <zstd.h>

const hz_host *zstd_host;

typedef struct coder {
    ZSTD_CCtx *enc;                  /* new, and so is dec */
    ZSTD_DCtx *dec;
} coder;

/* ---- both directions ---- */

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    uint8_t *samples = pcm_take(zstd_host, in);
    if (!samples)
        return -1;
    size_t size = 0, n = pcm_bytes(in);
    int status = zstd_host->grow(out, PCM_HEAD + ZSTD_compressBound(n));
    if (!status) {
        pcm_head(in, out->data);
        size = ZSTD_compress2(c->enc, out->data + PCM_HEAD, out->room - PCM_HEAD, samples, n);
        status = ZSTD_isError(size) ? zstd_host->fail("libzstd says: %s", ZSTD_getErrorName(size)) : 0;
    }
    zstd_host->free(samples);
    if (status)
        return status;
    out->size = PCM_HEAD + size;
    return zstd_host->part(account, HZ_CONTAINER, PCM_HEAD) || zstd_account(out->data + PCM_HEAD, size, account);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    const coder *c = instance;
    if (!pcm_read_head(bytes, count, format))
        return zstd_host->fail("the stream begins with no head of AU (16 bits) of at most %d samples", PCM_MOST);
    size_t n = pcm_bytes(format);
    bytes += PCM_HEAD;
    count -= PCM_HEAD;
    if (zstd_account(bytes, count, NULL))
        return -1;
    unsigned long long said = ZSTD_getFrameContentSize(bytes, count);
    if (said != n)
        return zstd_host->fail("the frame says that it holds other than the %zu bytes of the head", n);
    if (zstd_host->grow(out, 2 * n))
        return -1;
    size_t size = ZSTD_decompressDCtx(c->dec, out->data + n, n, bytes, count);
    if (ZSTD_isError(size) || size != n)
        return zstd_host->fail("libzstd says: %s", ZSTD_isError(size) ? ZSTD_getErrorName(size) : "the frame is short");
    pcm_give(out->data, n / 2);
    out->size = 2 * n;
    return 0;
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    hz_media format = { .kind = HZ_AUDIO };
    size_t head = pcm_read_head(bytes, count, &format) ? PCM_HEAD : 0;
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
    .kind = HZ_AUDIO,
    .channels = (2 << PCM_CHANNELS) - 2,
    .lossless = 1,
    .name = "zstd_audio",
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
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "zstd_audio",
    .version = "1",
    .about = "Zstandard over raw samples of sounds, 16 bit, lossless",
    .open = open_plugin,
    .interface = interface,
};

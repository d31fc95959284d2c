/* xz_audio.c: raw samples of sounds by LZMA, a coder of bytes that knows nothing of sounds: what a codec of sounds must
   be better than. A stream is the head of an AU file and one stream of xz, with a check of 32 bits. */
#include "xz.h"
#include "pcm.h"
#include <stdio.h>

const hz_host *xz_host;

typedef struct coder {
    double level;
} coder;

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    uint8_t *samples = pcm_take(xz_host, in);
    if (!samples)
        return -1;
    size_t n = pcm_bytes(in);
    int status = xz_host->grow(out, PCM_HEAD + lzma_stream_buffer_bound(n));
    if (!status) {
        pcm_head(in, out->data);
        out->size = PCM_HEAD;
        status = xz_code(&c->level, samples, n, out->data, out->room, &out->size);
    }
    xz_host->free(samples);
    return status || xz_host->part(account, HZ_CONTAINER, PCM_HEAD)
           || xz_account(out->data + PCM_HEAD, out->size - PCM_HEAD, account);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    if (!pcm_read_head(bytes, count, format))
        return xz_host->fail("the stream begins with no head of AU (16 bits) of at most %d samples", PCM_MOST);
    size_t n = pcm_bytes(format);
    if (xz_account(bytes + PCM_HEAD, count - PCM_HEAD, NULL) || xz_host->grow(out, 2 * n)
        || xz_decode(bytes + PCM_HEAD, count - PCM_HEAD, out->data + n, n))
        return -1;
    pcm_give(out->data, n / 2);
    out->size = 2 * n;
    return 0;
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    hz_media format = { .kind = HZ_AUDIO };
    size_t head = pcm_read_head(bytes, count, &format) ? PCM_HEAD : 0;
    return xz_host->part(account, HZ_CONTAINER, head) || xz_account(bytes + head, count - head, account);
}

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c = xz_host->alloc(sizeof *c);
    if (c)
        c->level = values[LEVEL];
    return c;
}

static void destroy(void *instance) { xz_host->free(instance); }

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = (2 << PCM_CHANNELS) - 2,
    .lossless = 1,
    .name = "xz_audio",
    .params = "level:int=6[0..9] 'effort, as in xz -N'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = { .size = sizeof files, .decode = decode, .account = account_file };

static int open_plugin(const hz_host *lent)
{
    xz_host = lent;
    snprintf(library_text, sizeof library_text, "liblzma %s", lzma_version_string());
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "xz_audio",
    .version = "1",
    .about = "LZMA in xz over raw samples of sounds, 16 bit, lossless",
    .open = open_plugin,
    .interface = interface,
};

/* xz.c: raw samples by LZMA, a coder of bytes that knows nothing of pictures: what a codec of images must be better
   than. A stream is the head of a PNM file and one stream of xz, with a check of 32 bits. */
#include "xz.h"
#include "raw.h"
#include <string.h>

const hz_host *xz_host;

typedef struct coder {
    double level;
} coder;

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    char head[RAW_HEAD];
    size_t n = raw_samples(in), text = raw_head(in, head);
    if (in->height > RAW_MOST / in->channels / in->width)
        return xz_host->fail("the image is %lld x %lld; needs at most %d samples", (long long)in->height,
                             (long long)in->width, RAW_MOST);
    if (xz_host->grow(out, text + lzma_stream_buffer_bound(n)))
        return -1;
    memcpy(out->data, head, text);
    out->size = text;
    if (xz_code(&c->level, in->data, n, out->data, out->room, &out->size))
        return -1;
    return xz_host->part(account, HZ_CONTAINER, text) || xz_account(out->data + text, out->size - text, account);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    size_t head = raw_read_head(bytes, count, format);
    if (!head)
        return xz_host->fail("the stream begins with no head of PNM (P5 or P6, 255) of at most %d samples", RAW_MOST);
    size_t n = raw_samples(format);
    if (xz_account(bytes + head, count - head, NULL) || xz_host->grow(out, n)
        || xz_decode(bytes + head, count - head, out->data, n))
        return -1;
    out->size = n;
    return 0;
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    hz_media format = { .kind = HZ_IMAGE };
    size_t head = raw_read_head(bytes, count, &format);
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
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .lossless = 1,
    .name = "xz",
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
           : !strcmp(id, "hz.codec.bench/1") ? (const void *)&xz_bench
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "xz",
    .version = "1",
    .about = "LZMA in xz over raw samples of images, lossless",
    .open = open_plugin,
    .interface = interface,
};

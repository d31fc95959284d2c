/* flac.c: the FLAC codec by libFLAC: lossless (encode.c, decode.c). */
#include "flac.h"
#include <FLAC/format.h>
#include <stdio.h>
#include <string.h>

const hz_host *flac_host;

typedef struct coder {
    int level;
} coder;

static void *create(const double *values)
{
    coder *c = flac_host->alloc(sizeof *c);
    if (c)
        c->level = (int)*values;
    return c;
}

static void destroy(void *instance) { flac_host->free(instance); }

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    return flac_encode(c->level, in, out) || flac_account(out->data, out->size, account);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return flac_decode(bytes, count, format, out);
}

/* ---- the tables ---- */

static char library_text[64];

static const char *library(void) { return library_text; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = (2 << MOST_CHANNELS) - 2,
    .lossless = 1,
    .name = "flac",
    .params = "level:int=5[0..8]- 'effort, as in flac -N'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode, .account = flac_account,
};

static int open_plugin(const hz_host *lent)
{
    flac_host = lent;
    snprintf(library_text, sizeof library_text, "libFLAC %s", FLAC__VERSION_STRING);
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "flac",
    .version = "1",
    .about = "FLAC, lossless, up to 8 channels",
    .open = open_plugin,
    .interface = interface,
};

/* opus.c: the Opus codec: libopus in Ogg pages (encode.c, decode.c). Streams say what to cut off. The head is a table,
   comments are container, audio packets payload. */
#include "opus.h"
#include <opus/opus.h>
#include <string.h>

static const hz_part headers[HEADERS] = { HZ_TABLES, HZ_CONTAINER };
const int opus_rates[] = { 8000, 12000, 16000, 24000, CLOCK, 0 };

typedef struct coder {
    double options[OPTIONS];
} coder;

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    return opus_codec_encode(c->options, in, out)
           || pages_account(out->data, out->size, headers, HEADERS, account, 0);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return opus_codec_decode(bytes, count, format, out);
}

static int note(void *instance, const hz_media *like, char *text, size_t room)
{
    const coder *c = instance;
    return opus_codec_note(c->options, like, text, room);
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    return pages_account(bytes, count, headers, HEADERS, account, 1);
}

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c = ogg_host->alloc(sizeof *c);
    if (c)
        memcpy(c->options, values, sizeof c->options);
    return c;
}

static void destroy(void *instance) { ogg_host->free(instance); }

static const char *library(void) { return opus_get_version_string(); }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = 1 << 1 | 1 << 2,
    .name = "opus",
    .params = "bitrate:float=64[6..510](kbit/s)+ 'of all channels, variable';"
              "effort:int=10[0..10] 'complexity of the encoder, 10 is best and slowest'",
    .rates = opus_rates,
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode, .account = account_file,
};

static const hz_codec_note notes = { .size = sizeof notes, .note = note };

static int open_plugin(const hz_host *lent)
{
    ogg_host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files
           : !strcmp(id, "hz.codec.note/1") ? (const void *)&notes : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "opus",
    .version = "1",
    .about = "Opus in Ogg, mono and stereo",
    .open = open_plugin,
    .interface = interface,
};

/* mp3.c: the MP3 codec: LAME encodes (encode.c), libmpg123 decodes (decode.c). Streams have no info frame and no tags:
   their delay is declared here, their length is known to the host. */
#define _GNU_SOURCE
#include "mp3.h"
#include <dlfcn.h>
#include <lame/lame.h>
#include <mpg123.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const hz_host *mp3_host;

typedef struct coder {
    double options[OPTIONS];
} coder;

static void *create(const double *values)
{
    coder *c = mp3_check(values) ? NULL : mp3_host->alloc(sizeof *c);
    if (c)
        memcpy(c->options, values, sizeof c->options);
    return c;
}

static void destroy(void *instance) { mp3_host->free(instance); }

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    return mp3_encode(c->options, in, out) || mp3_account(out->data, out->size, account, 0);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return mp3_account(bytes, count, NULL, 0) || mp3_decode(bytes, count, format, out);
}

static int decode_foreign(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    return mp3_decode(bytes, count, format, out);
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    return mp3_account(bytes, count, account, 1);
}

static int timing(void *instance, double rate, int64_t *delay, int64_t *tail)
{
    *delay = ENCODER_DELAY + DECODER_DELAY;
    *tail = LEAST_TAIL;
    return 0;
}

static int note(void *instance, const hz_media *like, char *text, size_t room)
{
    const coder *c = instance;
    return mp3_note(c->options, like, text, room);
}

/* ---- the tables ---- */

static char library_text[160];

static const char *library(void) { return library_text; }

/* LAME says its version; libmpg123 has only the name of the file that the system really loaded. */
static void find_library(void)
{
    Dl_info info;
    char real[4096];
    const char *name = "libmpg123";
    if (dladdr((void *)mpg123_new, &info) && info.dli_fname && realpath(info.dli_fname, real) && strrchr(real, '/'))
        name = strrchr(real, '/') + 1;
    snprintf(library_text, sizeof library_text, "LAME %.40s, %.100s", get_lame_version(), name);
}

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = 1 << 1 | 1 << 2,
    .name = "mp3",
    .params = "bitrate:int=128[8..320](kbit/s)+ 'constant, one that the standard has; nothing beside a quality';"
              "quality:float=-1[-1..9.999]- 'of a variable bitrate, LAME -V, 0 is best; -1: constant bitrate';"
              "effort:int=3[0..9] 'LAME -q: 0 is best and slowest'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
    .timing = timing,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode_foreign, .account = account_file,
};

static const hz_codec_note notes = { .size = sizeof notes, .note = note };

static int open_plugin(const hz_host *lent)
{
    mp3_host = lent;
    if (mpg123_init())
        return lent->fail("libmpg123 could not begin");
    find_library();
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
    .name = "mp3",
    .version = "1",
    .about = "MP3 by LAME, mono and stereo",
    .open = open_plugin,
    .interface = interface,
};

/* mpg123.c: MP3 files over libmpg123. Where an encoder left its delay and the length in the first frame (Xing, Info,
   LAME), what it put around the sound is cut off; elsewhere everything decoded counts. */
#include "frames.h"
#include <mpg123.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

const hz_host *mpg123_host;
#define host mpg123_host

enum { PORTION = 1 << 16 };          /* bytes decoded at once */

typedef struct memory_file {
    const uint8_t *bytes;            /* lent */
    size_t size, at;
} memory_file;

static ssize_t pull(void *user, void *to, size_t count)
{
    memory_file *f = user;
    size_t left = f->size - f->at;
    count = count < left ? count : left;
    memcpy(to, f->bytes + f->at, count);
    f->at += count;
    return (ssize_t)count;
}

static off_t seek(void *user, off_t offset, int whence)
{
    memory_file *f = user;
    off_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (off_t)f->at : (off_t)f->size, to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0 || (size_t)to > f->size)
        return -1;
    f->at = (size_t)to;
    return to;
}

static int takes(const uint8_t *bytes, size_t count)
{
    size_t tags = frames_skip_tags(bytes, count);
    return frames_begin(bytes + tags, count - tags);
}

static int refuse(mpg123_handle *h) { return host->fail("libmpg123 says: %s", mpg123_strerror(h)); }

static int open_memory(mpg123_handle *h, memory_file *memory)
{
    const long flags = MPG123_FORCE_FLOAT | MPG123_QUIET | MPG123_GAPLESS;
    if (mpg123_param(h, MPG123_ADD_FLAGS, flags, 0) || mpg123_replace_reader_handle(h, pull, seek, NULL) ||
        mpg123_open_handle(h, memory))
        return refuse(h);
    return 0;
}

/* What is there, with the number of frames that the first frame or the heads of all tell. */
static int describe(mpg123_handle *h, const memory_file *memory, hz_media *format)
{
    long rate;
    int channels, encoding;
    if (mpg123_getformat(h, &rate, &channels, &encoding))
        return refuse(h);
    if (encoding != MPG123_ENC_FLOAT_32)
        return host->fail("libmpg123 decodes to samples of type 0x%x; needs floats", (unsigned)encoding);
    *format = (hz_media){ .kind = HZ_AUDIO, .channels = channels, .rate = (double)rate };
    off_t promised = frames_counted(memory->bytes, memory->size) ? mpg123_length(h) : 0;
    if (mpg123_scan(h))
        return refuse(h);
    format->frames = mpg123_length(h);
    if (promised > format->frames)
        return host->fail("it breaks off after %lld frames; its head says %lld", (long long)format->frames,
                          (long long)promised);
    return format->frames > 0 ? 0 : host->fail("it holds no samples");
}

static int decode(mpg123_handle *h, hz_media *format, hz_bytes *out)
{
    int status = MPG123_OK;
    for (size_t got = 0; status == MPG123_OK; out->size += got) {
        if (host->grow(out, out->size + PORTION))
            return -1;
        status = mpg123_read(h, out->data + out->size, PORTION, &got);
        if (status == MPG123_NEW_FORMAT)
            return host->fail("rate or channels change within it");
    }
    if (status != MPG123_DONE)
        return refuse(h);
    format->frames = (int64_t)(out->size / ((size_t)format->channels * sizeof(float)));
    return format->frames > 0 ? 0 : host->fail("it holds no samples");
}

static int read_file(const uint8_t *bytes, size_t count, hz_media *format, char kind[16], hz_bytes *out)
{
    size_t tags = frames_skip_tags(bytes, count);
    memory_file memory = { .bytes = bytes + tags, .size = count - tags };
    if (frames_check(memory.bytes, memory.size))
        return -1;
    mpg123_handle *h = mpg123_new(NULL, NULL);
    if (!h)
        return host->fail("libmpg123 could not start");
    snprintf(kind, 16, "mp3");
    int status = open_memory(h, &memory) || describe(h, &memory, format) || (out && decode(h, format, out)) ? -1 : 0;
    mpg123_delete(h);
    return status;
}

/* ---- the tables ---- */

static char library_text[48];

static const char *library(void) { return library_text; }

static const hz_sound_reader reader = {
    .size = sizeof reader, .library = library, .takes = takes, .read = read_file,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    snprintf(library_text, sizeof library_text, "libmpg123 API %d", MPG123_API_VERSION);
    return mpg123_init() ? host->fail("libmpg123 could not start") : 0;
}

static const void *interface(const char *id)
{
    return strcmp(id, "hz.sound/1") ? NULL : &reader;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "mpg123",
    .version = "1",
    .about = "MP3 files",
    .open = open_plugin,
    .interface = interface,
};

/* decode.c: MP3 streams to sounds by libmpg123, which sees the stream as a file in memory. The delay is cut by the
   host, and always the same: where a stream says (in LAME's info frame) what its own is, its frames are moved. */
#include "mp3.h"
#include <mpg123.h>
#include <stdio.h>
#include <string.h>

enum { STEP = 1 << 16, MOST_BYTES = 1 << 30 };

typedef struct source {
    const uint8_t *data;
    size_t bytes, at;
} source;

static ssize_t read_source(void *handle, void *to, size_t n)
{
    source *s = handle;
    n = n < s->bytes - s->at ? n : s->bytes - s->at;
    memcpy(to, s->data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static off_t seek_source(void *handle, off_t offset, int whence)
{
    source *s = handle;
    off_t at = offset + (whence == SEEK_SET ? 0 : (off_t)(whence == SEEK_CUR ? s->at : s->bytes));
    if (at < 0 || at > (off_t)s->bytes)
        return -1;
    s->at = (size_t)at;
    return at;
}

static int refuse(mpg123_handle *m) { return mp3_host->fail("libmpg123 says: %s", mpg123_strerror(m)); }

/* ---- reading ---- */

/* The format of what comes next, which must be that of what came. */
static int take_format(mpg123_handle *m, hz_media *format, int first)
{
    long rate;
    int channels, encoding;
    if (mpg123_getformat(m, &rate, &channels, &encoding))
        return refuse(m);
    if (encoding != MPG123_ENC_FLOAT_32)
        return mp3_host->fail("libmpg123 decodes to encoding %d; needs floats of 32 bit", encoding);
    if (!first && (rate != (long)format->rate || channels != format->channels))
        return mp3_host->fail("the stream goes from %d channels at %g Hz to %d at %ld Hz; needs one format",
                              format->channels, format->rate, channels, rate);
    format->rate = (double)rate;
    format->channels = channels;
    return 0;
}

static int read_all(mpg123_handle *m, hz_media *format, hz_bytes *out)
{
    int result = MPG123_OK;
    size_t done;
    while (result != MPG123_DONE) {
        if (out->size > MOST_BYTES)
            return mp3_host->fail("the sound takes more than %d bytes", MOST_BYTES);
        if (mp3_host->grow(out, out->size + STEP))
            return -1;
        result = mpg123_read(m, out->data + out->size, STEP, &done);
        out->size += done;
        if (result == MPG123_NEW_FORMAT && take_format(m, format, format->channels == 0))
            return -1;
        if (result != MPG123_OK && result != MPG123_DONE && result != MPG123_NEW_FORMAT)
            return refuse(m);
    }
    if (!format->channels || !out->size)
        return mp3_host->fail("the stream has no whole frame");
    format->frames = (int64_t)(out->size / sizeof(float) / (size_t)format->channels);
    return 0;
}

/* ---- streams that know their delay ---- */

static int move(const hz_media *format, hz_bytes *out, int64_t from, int64_t to, int64_t count)
{
    size_t frame = sizeof(float) * (size_t)format->channels, all = (size_t)(to + count + LEAST_TAIL) * frame;
    if (mp3_host->grow(out, all))
        return -1;
    memmove(out->data + (size_t)to * frame, out->data + (size_t)from * frame, (size_t)count * frame);
    memset(out->data, 0, (size_t)to * frame);
    memset(out->data + (size_t)(to + count) * frame, 0, LEAST_TAIL * frame);
    out->size = all;
    return 0;
}

static int align(mpg123_handle *m, hz_media *format, hz_bytes *out)
{
    long delay, padding;
    if (mpg123_getstate(m, MPG123_ENC_DELAY, &delay, NULL) || mpg123_getstate(m, MPG123_ENC_PADDING, &padding, NULL)
        || delay < 0 || padding < 0)
        return 0;
    int64_t from = delay + DECODER_DELAY, to = ENCODER_DELAY + DECODER_DELAY, count = format->frames - delay - padding;
    if (count <= 0)
        return 0;
    int64_t there = format->frames - from < count ? format->frames - from : count;
    format->frames = to + there + LEAST_TAIL;
    return there > 0 ? move(format, out, from, to, there) : mp3_host->fail("the stream says that it holds nothing");
}

int mp3_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    int error = MPG123_OK, status = -1;
    source s = { .data = bytes, .bytes = count };
    mpg123_handle *m = mpg123_new(NULL, &error);
    if (!m)
        return mp3_host->fail("libmpg123 says: %s", mpg123_plain_strerror(error));
    mpg123_param(m, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT, 0);
    mpg123_param(m, MPG123_REMOVE_FLAGS, MPG123_GAPLESS, 0);
    if (mpg123_replace_reader_handle(m, read_source, seek_source, NULL) || mpg123_open_handle(m, &s))
        refuse(m);
    else
        status = read_all(m, format, out) || align(m, format, out);
    mpg123_delete(m);
    return status;
}

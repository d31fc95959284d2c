/* encode.c: sounds to MP3 streams by libmp3lame: what `lame -b N -t` and `lame -V N -t` make of the same 16-bit
   samples. LAME may choose another rate, another bitrate and a lowpass; mp3_note says which. */
#include "mp3.h"
#include <lame/lame.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* LAME's own bound for what one call writes is 5/4 of the frames and 7200 bytes; resampling may add frames. */
enum { CHUNK = 1152, ROOM = 8 * CHUNK + 7200, LEAST_RATE = 1000, MOST_RATE = 768000 };

static const int published[] = { 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320 };
enum { PUBLISHED = sizeof published / sizeof *published };

int mp3_check(const double *options)
{
    char have[PUBLISHED * 6] = "";
    int n = 0;
    for (int i = 0; i < PUBLISHED; i++) {
        if (options[BITRATE] == published[i])
            return 0;
        n += snprintf(have + n, sizeof have - (size_t)n, "%s%d", i ? ", " : "", published[i]);
    }
    return mp3_host->fail("bitrate is %g; needs one of %s", options[BITRATE], have);
}

/* ---- LAME ---- */

static void configure(lame_t g, const double *options, const hz_media *like)
{
    lame_set_errorf(g, NULL);
    lame_set_debugf(g, NULL);
    lame_set_msgf(g, NULL);
    lame_set_in_samplerate(g, (int)like->rate);
    lame_set_num_channels(g, like->channels);
    lame_set_num_samples(g, (unsigned long)like->frames);
    lame_set_bWriteVbrTag(g, 0);
    lame_set_write_id3tag_automatic(g, 0);
    lame_set_quality(g, (int)options[EFFORT]);
    if (options[QUALITY] < 0) {
        lame_set_brate(g, (int)options[BITRATE]);
    } else {
        lame_set_VBR(g, vbr_default);
        lame_set_VBR_quality(g, (float)options[QUALITY]);
    }
}

/* new: lame_close; NULL after host->fail. */
static lame_t begin(const double *options, const hz_media *like)
{
    if (like->rate != floor(like->rate) || like->rate < LEAST_RATE || like->rate > MOST_RATE) {
        mp3_host->fail("the sound has %g frames per second; needs a whole number of %d..%d", like->rate, LEAST_RATE,
                       MOST_RATE);
        return NULL;
    }
    lame_t g = lame_init();
    if (!g) {
        mp3_host->fail("LAME could not begin; memory may be short");
        return NULL;
    }
    configure(g, options, like);
    if (lame_init_params(g) >= 0)
        return g;
    mp3_host->fail("LAME does not take %d channels at %g Hz", like->channels, like->rate);
    lame_close(g);
    return NULL;
}

/* ---- samples ---- */

/* A sample of full scale 1 as 16 bits, rounded; what is beyond them is the outermost. */
static short narrow(float x)
{
    float v = x * 32768.0f;
    return v >= 32767 ? 32767 : v <= -32768 ? -32768 : (short)lrintf(v);
}

/* Splits n frames; the position of a sample that is no number, or -1. */
static int64_t split(const float *x, int64_t n, int channels, short (*to)[CHUNK])
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < channels; k++, x++) {
            if (!isfinite(*x))
                return i;
            to[k][i] = narrow(*x);
        }
    return -1;
}

static int take(hz_bytes *out, int written)
{
    if (written < 0)
        return mp3_host->fail("LAME fails with status %d", written);
    out->size += (size_t)written;
    return 0;
}

static int run(lame_t g, const hz_media *in, hz_bytes *out)
{
    short part[2][CHUNK];
    const float *x = in->data;
    for (int64_t at = 0; at < in->frames; at += CHUNK) {
        int64_t n = in->frames - at < CHUNK ? in->frames - at : CHUNK, bad = split(x, n, in->channels, part);
        if (bad >= 0)
            return mp3_host->fail("frame %lld of the sound has a sample that is no finite number",
                                  (long long)(at + bad));
        if (mp3_host->grow(out, out->size + ROOM)
            || take(out, lame_encode_buffer(g, part[0], part[in->channels - 1], (int)n, out->data + out->size, ROOM)))
            return -1;
        x += n * in->channels;
    }
    return mp3_host->grow(out, out->size + ROOM) || take(out, lame_encode_flush(g, out->data + out->size, ROOM));
}

int mp3_encode(const double *options, const hz_media *in, hz_bytes *out)
{
    lame_t g = begin(options, in);
    int status = g ? run(g, in, out) : -1;
    lame_close(g);
    return status;
}

/* ---- what the options forced ---- */

/* Appends to text[n], after a comma unless it is the first. */
__attribute__((format(printf, 4, 5)))
static size_t add(char *text, size_t n, size_t room, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (n && n < room)
        n += (size_t)snprintf(text + n, room - n, ", ");
    if (n < room)
        n += (size_t)vsnprintf(text + n, room - n, format, ap);
    va_end(ap);
    return n;
}

/* A lowpass at half the rate is none. */
int mp3_note(const double *options, const hz_media *like, char *text, size_t room)
{
    lame_t g = begin(options, like);
    size_t n = 0;
    if (!g)
        return -1;
    *text = 0;
    int rate = lame_get_out_samplerate(g), lowpass = lame_get_lowpassfreq(g), kbps = lame_get_brate(g);
    if (rate != like->rate)
        n = add(text, n, room, "%g Hz become %d Hz", like->rate, rate);
    if (options[QUALITY] < 0 && kbps != options[BITRATE])
        n = add(text, n, room, "%g kbit/s become %d kbit/s", options[BITRATE], kbps);
    if (lowpass > 0 && 2 * lowpass + 1 < rate)
        n = add(text, n, room, "lowpass %d Hz", lowpass);
    if (lame_get_scale(g) != 1)
        add(text, n, room, "scaled by %g", (double)lame_get_scale(g));
    lame_close(g);
    return 0;
}

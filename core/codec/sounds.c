/* sounds.c: one clip, from file, stream or samples, to samples of the form that is asked for. A thread has a station,
   whose memory grows to the largest clip it met. What a plugin says of a clip is checked before it is believed. */
#include "codec/sounds.h"
#include "bounds.h"
#include "file.h"
#include "finite.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 1 << 30 };      /* samples of all channels of one clip: 4 GB */

/* ---- what is there ---- */

static hz_status check_shape(const hz_media *m)
{
    if (m->kind != HZ_AUDIO)
        return hz_fail(HZ_EARG, "it is no sound; needs one");
    if (!(m->rate >= 1 && m->rate <= HZ_MOST_RATE) || m->rate != rint(m->rate))
        return hz_fail(HZ_EFORMAT, "its rate is %g Hz; needs a whole number of 1 to %d", m->rate, HZ_MOST_RATE);
    if (m->channels < 1 || m->channels > HZ_MOST_CHANNELS)
        return hz_fail(HZ_EFORMAT, "it has %d channels; needs 1 to %d", m->channels, HZ_MOST_CHANNELS);
    if (m->frames < 1)
        return hz_fail(HZ_EFORMAT, "it holds no samples");
    if (m->frames > MOST_VALUES / m->channels)
        return hz_fail(HZ_EFORMAT, "it has %lld frames of %d channels; needs at most %d samples in all",
                       (long long)m->frames, m->channels, MOST_VALUES);
    return HZ_OK;
}

hz_status sound_finite(const hz_media *m)
{
    const float *x = m->data;
    int64_t n = m->frames * m->channels, i = finite_count(x, n);
    return i == n ? HZ_OK
         : hz_fail(HZ_ENUMERIC, "frame %lld of channel %d is %g; needs finite samples",
                   (long long)(i / m->channels + 1), (int)(i % m->channels) + 1, (double)x[i]);
}

static const hz_sound_reader *reader_of(const uint8_t *bytes, size_t count)
{
    const hz_sound_reader *r;
    if (!count) {
        hz_fail(HZ_EFORMAT, "it is empty");
        return NULL;
    }
    for (int i = 0; (r = sound_reader(i)); i++)
        if (r->takes(bytes, count))
            return r;
    if (sound_reader(0))
        hz_fail(HZ_EFORMAT, "it begins like no kind of sound that is read; have wav, aiff, au, flac, ogg, opus, mp3 "
                "(hz plugin list: sndfile, mpg123)");
    else
        hz_fail(HZ_ESTATE, "no plugin that reads sounds is loaded; needs sndfile (make deps; hz plugin list)");
    return NULL;
}

/* out NULL: heads only. */
static hz_status read_bytes(hz_clip *clip, const uint8_t *bytes, size_t count, hz_bytes *out)
{
    const hz_sound_reader *r = reader_of(bytes, count);
    hz_media m = { .kind = 0 };
    if (!r)
        return HZ_EFORMAT;
    if (out)
        out->size = 0;
    host_listen();
    if (r->read(bytes, count, &m, clip->kind, out))
        return host_blame("reading", HZ_EFORMAT);
    m.data = out ? out->data : NULL;
    hz_status status = check_shape(&m);
    clip->sound = m;
    if (!status && out && out->size != (size_t)(m.frames * m.channels) * sizeof(float))
        return hz_fail(HZ_ESTATE, "its reader gave %zu bytes for %lld frames", out->size, (long long)m.frames);
    return status;
}

static hz_status decode(sound_station *s, hz_clip *clip, const uint8_t *bytes, size_t count)
{
    hz_media m, original = clip->sound;
    snprintf(clip->kind, sizeof clip->kind, "%s", hz_codec_name(s->codec));
    hz_status status = original.frames > 0
                           ? hz_codec_decode_as(s->codec, bytes, (int64_t)count, &original, &m)
                           : hz_codec_decode(s->codec, bytes, (int64_t)count, &m);
    if (!status)
        status = check_shape(&m);
    if (!status)
        clip->sound = m;
    return status;
}

/* ---- one clip ---- */

hz_status station_open(sound_station *s, const char *codec)
{
    *s = (sound_station){ .codec = NULL };
    return codec && !(s->codec = hz_codec_new(codec, "")) ? HZ_EARG : HZ_OK;
}

void station_close(sound_station *s)
{
    hz_codec_free(s->codec);
    free(s->file.data);
    free(s->samples.data);
    free(s->rated.data);
    free(s->shaped.data);
    free(s->room.data);
}

/* Where the bytes of a file or stream are; a clip of samples has none. */
static hz_status bytes_of(sound_station *s, hz_clip *clip, const uint8_t **bytes, size_t *count)
{
    *bytes = clip->stream;
    *count = clip->stream && clip->bytes > 0 ? (size_t)clip->bytes : 0;
    if (!clip->path)
        return HZ_OK;
    hz_status status = file_read(clip->path, &s->file);
    *bytes = s->file.data;
    *count = s->file.size;
    return status;
}

hz_status station_take(sound_station *s, hz_clip *clip, int heads)
{
    const uint8_t *bytes;
    size_t count;
    clip->kind[0] = 0;
    hz_status status = bytes_of(s, clip, &bytes, &count);
    if (status)
        return status;
    if (clip->path || clip->stream)
        status = s->codec ? decode(s, clip, bytes, count) : read_bytes(clip, bytes, count, heads ? NULL : &s->samples);
    else
        status = check_shape(&clip->sound);
    if (status || heads)
        return status;
    if (bytes)
        bytes_digest(bytes, (int64_t)count, clip->digest);
    return HZ_OK;
}

/* ---- made alike ---- */

int64_t hz_sound_resampled(int64_t frames, double rate, double to)
{
    return to >= 1 && to <= HZ_MOST_RATE && rate >= 1 ? (int64_t)ceil((double)frames * to / rate) : 0;
}

/* Is there a sound that is this one at another rate? */
static hz_status check_rate(const hz_media *in, double to)
{
    hz_media shape = *in;
    shape.rate = to;
    shape.frames = hz_sound_resampled(in->frames, in->rate, to);
    return check_shape(&shape);
}

hz_status hz_sound_resample(const hz_media *in, double to, float *out)
{
    hz_media made;
    hz_status status = check_shape(in);
    if (!status)
        status = check_rate(in, to);
    if (status)
        return status;
    const int64_t frames = hz_sound_resampled(in->frames, in->rate, to);
    hz_bytes room = { .data = (uint8_t *)out, .room = (size_t)(frames * in->channels) * sizeof *out, .fixed = 1 };
    status = rate_change(in, to, frames, &made, &room);
    if (!status && made.data != out)
        memcpy(out, made.data, room.room);
    return status;
}

static hz_status to_rate(sound_station *s, const hz_clip_form *f, hz_media *m)
{
    hz_media from = *m;
    if (!f->rate || m->rate == f->rate)
        return HZ_OK;
    if (!f->resample)
        return hz_fail(HZ_ESHAPE, "it has %g Hz; needs %g, or resampling", m->rate, f->rate);
    hz_status status = sound_finite(m);
    if (!status)
        status = check_rate(m, f->rate);
    return status ? status : rate_change(&from, f->rate, hz_sound_resampled(m->frames, m->rate, f->rate), m, &s->rated);
}

static hz_status check_fit(const hz_media *m, const hz_clip_form *f)
{
    int channels = f->channels ? f->channels : m->channels;
    if (m->channels != channels && m->channels != 1 && !(f->mix && channels == 1))
        return hz_fail(HZ_ESHAPE, "it has %d channels; needs %d%s", m->channels, channels,
                       channels == 1 ? ", or mixing" : "");
    if (f->frames && m->frames > f->frames)
        return hz_fail(HZ_ESHAPE, "it has %lld frames at %g Hz; needs at most %lld", (long long)m->frames, m->rate,
                       (long long)f->frames);
    return HZ_OK;
}

static float mean(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    return (float)(sum / n);
}

void station_lay(const hz_media *m, int64_t frames, int channels, float *out)
{
    const float *x = m->data;
    int64_t own = m->frames * channels;
    if (m->channels == channels)
        memcpy(out, x, (size_t)own * sizeof *out);
    else
        for (int64_t i = 0; i < own; i++)
            out[i] = channels == 1 ? mean(x + i * m->channels, m->channels) : x[i / channels];
    memset(out + own, 0, (size_t)(frames * channels - own) * sizeof *out);
}

hz_status station_fit(sound_station *s, const hz_clip *clip, const hz_clip_form *f, hz_media *m)
{
    *m = clip->sound;
    hz_status status = to_rate(s, f, m);
    return status ? status : check_fit(m, f);
}

hz_status station_shape(sound_station *s, const hz_clip *clip, const hz_clip_form *f, hz_media *m)
{
    hz_status status = station_fit(s, clip, f, m);
    int channels = f->channels ? f->channels : m->channels;
    int64_t frames = f->frames ? f->frames : m->frames;
    if (status || (frames == m->frames && channels == m->channels))
        return status;
    status = bytes_reserve(&s->shaped, (size_t)(frames * channels) * sizeof(float));
    if (status)
        return status;
    station_lay(m, frames, channels, (float *)(void *)s->shaped.data);
    m->data = s->shaped.data;
    m->frames = frames;
    m->channels = channels;
    return HZ_OK;
}

/* ---- writing ---- */

hz_status hz_sound_write(const hz_media *in, const char *kind, int bits, uint8_t **out, int64_t *bytes)
{
    const hz_sound_reader *r = NULL;
    hz_bytes file = { .size = 0 };
    for (int i = 0; (r = sound_reader(i)) && !r->write; i++)
        ;
    if (!r)
        return hz_fail(HZ_ESTATE, "no plugin that writes sounds is loaded; needs sndfile (make deps; hz plugin list)");
    hz_status status = check_shape(in);
    if (!status)
        status = sound_finite(in);
    if (!status && bits && bits != 16 && bits != 24 && bits != 32)
        status = hz_fail(HZ_EARG, "bits is %d; needs 16, 24 or 32", bits);
    if (status)
        return status;
    host_listen();
    if (r->write(in, kind, bits, &file)) {
        free(file.data);
        return host_blame(kind, HZ_EARG);
    }
    *out = file.data;
    *bytes = (int64_t)file.size;
    return HZ_OK;
}

void hz_sound_release(void *p) { free(p); }

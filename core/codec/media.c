/* media.c: items as codecs see them: how many bytes one takes, what a codec accepts, and how a decoded sound becomes as
   long as its original. */
#include "codec/door.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 128 };

static const char *kind_text(int kind) { return kind == HZ_AUDIO ? "a sound" : "an image"; }

/* "[32,32,3]", "100 frames of 2 channels at 8000 Hz" */
static const char *shape_text(const hz_media *m, char *text)
{
    if (m->kind == HZ_AUDIO)
        snprintf(text, TEXT, "%lld frames of %d channels at %g Hz", (long long)m->frames, m->channels, m->rate);
    else
        snprintf(text, TEXT, "[%lld,%lld,%d]", (long long)m->height, (long long)m->width, m->channels);
    return text;
}

int64_t hz_media_bytes(const char *who, const hz_media *m)
{
    int64_t bytes = 0;
    int over = 0;
    char text[TEXT];
    if (m->kind == HZ_IMAGE && m->height > 0 && m->width > 0 && m->channels > 0)
        over = __builtin_mul_overflow(m->height, m->width, &bytes) ||
               __builtin_mul_overflow(bytes, (int64_t)m->channels, &bytes);
    else if (m->kind == HZ_AUDIO && m->frames > 0 && m->channels > 0 && m->rate > 0 && isfinite(m->rate))
        over = __builtin_mul_overflow(m->frames, (int64_t)m->channels * (int64_t)sizeof(float), &bytes);
    if (bytes > 0 && !over)
        return bytes;
    if (m->kind == HZ_AUDIO)
        hz_fail(HZ_ESHAPE, "%s: the sound has %s; needs at least 1 of each", who, shape_text(m, text));
    else
        hz_fail(HZ_ESHAPE, "%s: the image is %s; needs a height, width and channels of at least 1", who,
                shape_text(m, text));
    return -1;
}

/* ---- what a codec takes ---- */

static hz_status check_channels(const hz_codec_api *api, int channels)
{
    char have[TEXT] = "";
    if (channels < 32 && (api->channels >> channels & 1))
        return HZ_OK;
    for (int i = 0; i < 32; i++)
        if (api->channels >> i & 1) {
            size_t n = strlen(have);
            snprintf(have + n, sizeof have - n, "%s%d", n ? " or " : "", i);
        }
    return hz_fail(HZ_ESHAPE, "%s: the item has %d channels; needs %s", api->name, channels, have);
}

static hz_status check_rate(const hz_codec_api *api, double rate)
{
    char have[TEXT] = "";
    if (rate_for(api, rate) == rate || sound_resampler())
        return HZ_OK;
    for (const int *r = api->rates; *r; r++) {
        size_t n = strlen(have);
        snprintf(have + n, sizeof have - n, "%s%d", n ? " or " : "", *r);
    }
    return hz_fail(HZ_EARG, "%s: the sound has %g frames per second; needs %s, or a plugin that resamples sounds: soxr "
                   "(make deps; hz plugin list)", api->name, rate, have);
}

hz_status media_takes(const hz_codec_api *api, const hz_media *in)
{
    if (in->kind != api->kind)
        return hz_fail(HZ_EARG, "%s: the item is %s; needs %s", api->name, kind_text(in->kind), kind_text(api->kind));
    if (hz_media_bytes(api->name, in) < 0)
        return HZ_ESHAPE;
    hz_status status = check_channels(api, in->channels);
    return !status && in->kind == HZ_AUDIO ? check_rate(api, in->rate) : status;
}

/* ---- what was decoded ---- */

hz_status media_cut(const codec_row *row, void *instance, hz_media *m, int64_t frames)
{
    const char *name = row->api->name;
    int64_t delay = 0, tail = 0;
    char text[TEXT];
    if (m->kind != HZ_AUDIO)
        return HZ_OK;
    host_listen();
    if (row->api->timing && guard_timing(row->api, instance, m->rate, &delay, &tail))
        return host_blame(name, HZ_ESTATE);
    if (delay < 0 || tail < 0)
        return hz_fail(HZ_ESTATE, "%s: declares a delay of %lld frames and a tail of %lld; needs 0 or more", name,
                       (long long)delay, (long long)tail);
    int64_t left = m->frames > delay ? m->frames - delay : 0;
    if (!frames)
        frames = left > tail ? left - tail : 0;
    if (!frames || frames > left)
        return hz_fail(HZ_EFORMAT, "%s: decoded to %s, of which %lld are delay and %lld tail; needs at least %lld "
                       "between them",
                       name, shape_text(m, text), (long long)delay, (long long)tail, (long long)(frames ? frames : 1));
    m->data = (const float *)m->data + delay * m->channels;
    m->frames = frames;
    return HZ_OK;
}

hz_status media_alike(const char *who, const hz_media *got, const hz_media *want)
{
    char have[TEXT], need[TEXT];
    if (got->kind == want->kind && got->channels == want->channels && got->height == want->height &&
        got->width == want->width && got->frames == want->frames && got->rate == want->rate)
        return HZ_OK;
    return hz_fail(HZ_ESTATE, "%s: decoded to %s; needs the original's %s", who, shape_text(got, have),
                   shape_text(want, need));
}

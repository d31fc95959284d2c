/* others.c: the interfaces of hz.codec/1 that are no codec, as they were written on the day when it was frozen: a
   resampler of images (nearest), one of sounds (nearest), a reader of sounds ("RAW8", then 8-bit samples at 8 kHz).
   Never changed. */
#include "hz/plugin.h"
#include <string.h>

static const hz_host *host;

static const char *library(void) { return "abi_others"; }

static int scale(const hz_media *in, const double part[4], int64_t height, int64_t width, uint8_t *out)
{
    const uint8_t *pixel = in->data;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < in->channels; c++) {
                int64_t v = (int64_t)(part[1] + ((double)y + 0.5) * part[3] / (double)height);
                int64_t u = (int64_t)(part[0] + ((double)x + 0.5) * part[2] / (double)width);
                v = v < in->height ? v : in->height - 1;
                u = u < in->width ? u : in->width - 1;
                out[(y * width + x) * in->channels + c] = pixel[(v * in->width + u) * in->channels + c];
            }
    return 0;
}

static const hz_resize resizer = { .size = sizeof resizer, .library = library, .resize = scale };

static int change(const hz_media *in, double rate, int64_t frames, float *out)
{
    const float *x = in->data;
    for (int64_t i = 0; i < frames; i++)
        for (int c = 0; c < in->channels; c++) {
            int64_t at = (int64_t)((double)i * in->rate / rate);
            out[i * in->channels + c] = at < in->frames ? x[at * in->channels + c] : 0.0f;
        }
    return 0;
}

static const hz_sound_resampler resampler = { .size = sizeof resampler, .library = library, .resample = change };

static int takes(const uint8_t *bytes, size_t count) { return count >= 4 && !memcmp(bytes, "RAW8", 4); }

static int read_file(const uint8_t *bytes, size_t count, hz_media *format, char kind[16], hz_bytes *out)
{
    if (count < 5)
        return host->fail("the file has %zu bytes; needs at least 5", count);
    strcpy(kind, "raw8");
    format->channels = 1;
    format->kind = HZ_AUDIO;
    format->rate = 8000;
    format->frames = (int64_t)count - 4;
    if (!out)
        return 0;
    if (host->grow(out, (count - 4) * sizeof(float)))
        return -1;
    for (size_t i = 4; i < count; i++)
        ((float *)(void *)out->data)[i - 4] = ((float)bytes[i] - 128) / 128;
    out->size = (count - 4) * sizeof(float);
    return 0;
}

static const hz_sound_reader reader = { .size = sizeof reader, .library = library, .takes = takes, .read = read_file };

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.resize/1") ? (const void *)&resizer
         : !strcmp(id, "hz.resample/1") ? (const void *)&resampler
         : !strcmp(id, "hz.sound/1") ? (const void *)&reader
         : NULL;
}

const hz_plugin hz_plugin_main = { sizeof(hz_plugin), "abi_others", "1", "as of the day of hz.codec/1", open_plugin,
                                   interface };

/* pcm.h: sounds as raw samples of 16 bits, for coders of bytes: each has this file in its folder. A stream is an AU
   file whose samples are coded: its head as it is (".snd", 24, bytes of the samples, 3, rate, channels, the highest
   byte first), then what the coder makes of them. Samples are whole multiples of 1/32768; others are refused. */
#ifndef HZ_PLUGIN_PCM_H
#define HZ_PLUGIN_PCM_H
#include "hz/plugin.h"
#include <math.h>
#include <string.h>

enum { PCM_HEAD = 24, PCM_16 = 3, PCM_MOST = 1 << 28, PCM_CHANNELS = 8 };         /* PCM_MOST: samples of a sound */

static inline void pcm_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline uint32_t pcm_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline size_t pcm_bytes(const hz_media *m) { return 2 * (size_t)m->frames * (size_t)m->channels; }

static inline void pcm_head(const hz_media *m, uint8_t head[PCM_HEAD])
{
    const uint32_t fields[] = { PCM_HEAD, (uint32_t)pcm_bytes(m), PCM_16, (uint32_t)m->rate, (uint32_t)m->channels };
    memcpy(head, ".snd", 4);
    for (int i = 0; i < 5; i++)
        pcm_put32(head + 4 + 4 * i, fields[i]);
}

/* Reads a head as pcm_head writes it; 0 where there is none, or none of a sound that is taken. */
static inline int pcm_read_head(const uint8_t *p, size_t count, hz_media *m)
{
    if (count < PCM_HEAD || memcmp(p, ".snd", 4) || pcm_get32(p + 4) != PCM_HEAD || pcm_get32(p + 12) != PCM_16)
        return 0;
    uint32_t bytes = pcm_get32(p + 8), rate = pcm_get32(p + 16), channels = pcm_get32(p + 20);
    if (!rate || !channels || channels > PCM_CHANNELS || !bytes || bytes / 2 > PCM_MOST || bytes % (2 * channels))
        return 0;
    m->kind = HZ_AUDIO;
    m->channels = (int)channels;
    m->rate = rate;
    m->frames = bytes / (2 * channels);
    return 1;
}

/* The sound's samples, 16 bits each, the highest byte first: new, host->free; NULL after host->fail. */
static inline uint8_t *pcm_take(const hz_host *host, const hz_media *m)
{
    const float *x = m->data;
    if (m->rate != floor(m->rate) || m->rate < 1 || m->rate > UINT32_MAX || m->frames > PCM_MOST / m->channels)
        return host->fail("the sound has %lld frames at %g Hz; needs a whole rate and at most %d samples",
                          (long long)m->frames, m->rate, PCM_MOST), NULL;
    uint8_t *p = host->alloc(pcm_bytes(m));
    for (int64_t i = 0; p && i < m->frames * m->channels; i++) {
        double v = 32768 * (double)x[i];
        if (!(v >= -32768 && v <= 32767 && v == floor(v))) {
            host->fail("sample %lld of the sound is %g; needs whole multiples of 1/32768, as 16 bits hold them",
                       (long long)i, (double)x[i]);
            host->free(p);
            return NULL;
        }
        uint16_t bits = (uint16_t)(int16_t)v;
        p[2 * i] = (uint8_t)(bits >> 8);
        p[2 * i + 1] = (uint8_t)bits;
    }
    return p;
}

/* n samples that lie in the second half of their place, as pcm_take makes them, become floats. */
static inline void pcm_give(uint8_t *place, size_t n)
{
    const uint8_t *from = place + 2 * n;
    for (size_t i = 0; i < n; i++) {
        float v = (float)(int16_t)(from[2 * i] << 8 | from[2 * i + 1]) / 32768;
        memcpy(place + sizeof v * i, &v, sizeof v);          /* ends at most where sample i begins */
    }
}

#endif

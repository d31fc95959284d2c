/* strings.c: the embedded set of sounds: knobs, and the threads that take clips from the string (note.c) through its
   effect (delay.c, shape.c) to the microphone (mic.c). Nothing is remembered from one clip to the next. */
#include "strings/parts.h"
#include "exact.h"
#include "hz/philox.h"
#include "spread.h"

enum { HALF = 24, MOST_FOLD = 4, STEPS = 32768 };
static const double NOISE = 16;                  /* steps, at noise 1 */

struct hz_strings {
    hz_strings_spec spec;
    int fold;                                    /* samples at RATE for one of the clip */
    int64_t frames;
    double low[2 * HALF * MOST_FOLD + 1];        /* lowpass in front of the lower rate; its middle first to last */
    mic mic;
};

/* ---- knobs ---- */

static hz_status check(hz_strings_spec *s)
{
    s->rate = s->rate ? s->rate : RATE;
    s->seconds = s->seconds != 0 ? s->seconds : 2;
    s->noise = s->noise != 0 ? s->noise : 1;
    if (s->rate != RATE && s->rate != RATE / 2 && s->rate != RATE / 4)
        return hz_fail(HZ_EARG, "strings: rate is %d; it must be %d, %d or %d", s->rate, RATE, RATE / 2, RATE / 4);
    if (!(s->seconds >= 0.25 && s->seconds <= 10))
        return hz_fail(HZ_EARG, "strings: seconds is %g; it must be 0.25 to 10", s->seconds);
    if (!(s->noise >= 0.1 && s->noise <= 10))
        return hz_fail(HZ_EARG, "strings: noise is %g; it must be 0.1 to 10 (noise_free=1 switches it off)", s->noise);
    if (s->noise_free != 0 && s->noise_free != 1)
        return hz_fail(HZ_EARG, "strings: noise_free is %d; it must be 0 or 1", s->noise_free);
    return HZ_OK;
}

/* A windowed sinc (Blackman) that is 6 dB down at 0.45 of the lower rate, its sum 1. */
static void lowpass(double *tap, int fold)
{
    int reach = HALF * fold;
    double sum = 0, cut = 0.45 / fold;
    for (int i = -reach; i <= reach; i++) {
        double t = (double)(i + reach) / (2 * reach);
        double window = 0.42 - 0.5 * m_cos(t) + 0.08 * m_cos(2 * t);
        tap[i + reach] = window * (i ? m_sin(cut * i) / (3.141592653589793 * i) : 2 * cut);
        sum += tap[i + reach];
    }
    for (int i = 0; i <= 2 * reach; i++)
        tap[i] /= sum;
}

hz_strings *hz_strings_new(const hz_strings_spec *spec)
{
    hz_strings_spec knobs = spec ? *spec : (hz_strings_spec){ 0 };
    if (check(&knobs))
        return NULL;
    hz_strings *strings = hz_alloc(sizeof *strings);
    if (!strings)
        return NULL;
    strings->spec = knobs;
    strings->fold = RATE / knobs.rate;
    strings->frames = (int64_t)(knobs.seconds * knobs.rate + 0.5);
    lowpass(strings->low, strings->fold);
    mic_make(&strings->mic, NOISE * knobs.noise);
    return strings;
}

void hz_strings_free(hz_strings *strings) { hz_free(strings, sizeof *strings); }
const hz_strings_spec *hz_strings_knobs(const hz_strings *strings) { return &strings->spec; }
int64_t hz_strings_frames(const hz_strings *strings) { return strings->frames; }
const char *hz_strings_class(int label) { return label >= 0 && label < HZ_STRINGS_CLASSES ? effect_name(label) : NULL; }

/* ---- playing ---- */

/* To the lower rate: out (frames), from x (frames*fold). */
static void fold_down(const hz_strings *s, const double *x, double *out)
{
    int64_t n = s->frames * s->fold, reach = (int64_t)HALF * s->fold;
    for (int64_t i = 0; i < s->frames; i++) {
        int64_t middle = i * s->fold, first = middle < reach ? -middle : -reach;
        int64_t last = n - 1 - middle < reach ? n - 1 - middle : reach;
        double sum = 0;
        for (int64_t k = first; k <= last; k++)
            sum += s->low[k + reach] * x[middle + k];
        out[i] = sum;
    }
}

/* What comes to the microphone, in sixteenths of a step: the first `frames` of what is returned. */
static const double *sound(const hz_strings *s, uint32_t item, double *room)
{
    int64_t n = s->frames * s->fold;
    double *x = room, *out = s->fold > 1 ? room + n : room, peak = 0;
    clip c;
    clip_draw(&c, s->spec.seed, item);
    note_play(&c, s->spec.seed, item, x, n);
    effect_apply(&c, x, room + n, n);
    tone_apply(&c, x, n);
    if (s->fold > 1)
        fold_down(s, x, out);
    for (int64_t i = 0; i < s->frames; i++)
        peak = m_max(peak, m_abs(out[i]));
    double scale = peak > 0 ? c.level * STEPS * PHASES / peak : 0;
    for (int64_t i = 0; i < s->frames; i++)
        out[i] *= scale;
    return out;
}

/* One clip into samples (NULL: entropy alone); the mean noise entropy, bits per sample. Sample i draws its noise from
   element i of the item. */
static double record(const hz_strings *s, uint32_t item, double *room, float *samples)
{
    const double *x = sound(s, item, room);
    uint32_t words[4] = { 0 };
    double bits = 0;
    for (int64_t i = 0; i < s->frames; i++) {
        int level = (int)m_floor(x[i] + 0.5), value = (int)m_floor(x[i] / PHASES + 0.5);
        if (!s->spec.noise_free) {
            if (i % 4 == 0)
                hz_random4(s->spec.seed, (uint32_t)(i / 4), item, 0, 0, HZ_FOR_MICROPHONE, words);
            value = mic_draw(&s->mic, level, words[i % 4]);
            bits += s->mic.entropy[(unsigned)level % PHASES];
        }
        if (samples)
            samples[i] = (float)value / STEPS;
    }
    return bits / (double)s->frames;
}

typedef struct session {
    const hz_strings *strings;
    const uint32_t *clips;
    int64_t count;
    int threads;
    double *room;                                /* (threads,3,frames*fold) */
    float *samples, *entropy;
} session;

static void play_some(void *job, int t)
{
    const session *p = job;
    int64_t frames = p->strings->frames;
    double *room = p->room + (int64_t)t * 3 * frames * p->strings->fold;
    for (int64_t i = t; i < p->count; i += p->threads) {
        double bits = record(p->strings, p->clips[i], room, p->samples ? p->samples + i * frames : NULL);
        if (p->entropy)
            p->entropy[i] = (float)bits;
    }
}

hz_status hz_strings_play(const hz_strings *strings, const uint32_t *clips, int64_t count, int threads, float *samples,
                          int32_t *labels, float *entropy)
{
    if (!strings)
        return hz_fail(HZ_EARG, "strings: no player was given; hz_strings_new makes one");
    if (count < 0 || (count > 0 && !clips))
        return hz_fail(HZ_EARG, "strings: %lld clips were asked for%s; needs 0 or more, and their indices",
                       (long long)count, clips ? "" : " without indices");
    for (int64_t i = 0; labels && i < count; i++)
        labels[i] = (int32_t)(clips[i] % HZ_STRINGS_CLASSES);
    if (count == 0 || (!samples && !entropy))
        return HZ_OK;
    session p = { strings, clips, count, spread_threads(threads), NULL, samples, entropy };
    p.threads = p.threads < count ? p.threads : (int)count;
    size_t bytes = sizeof(double) * 3 * (size_t)(strings->frames * strings->fold) * (size_t)p.threads;
    p.room = hz_alloc(bytes);
    if (!p.room)
        return HZ_EMEM;
    spread(p.threads, play_some, &p);
    hz_free(p.room, bytes);
    return HZ_OK;
}

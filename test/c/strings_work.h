/* strings_work.h: what the tests of the embedded strings play, and how they listen. The parts are included as source:
   they are not exported. */
#ifndef STRINGS_WORK_H
#define STRINGS_WORK_H
#include "strings/note.c"
#include "strings/delay.c"
#include "strings/shape.c"
#include "strings/effect.c"
#include "suite.h"
#include <complex.h>

enum { N = 2 * RATE, CLIPS = 6 };
enum { CHORUS, DISTORTION, EQ, FEEDBACK, FLANGER, NONE, OVERDRIVE, PHASER, REVERB, SLAPBACK, TREMOLO, VIBRATO };
static const double TAU = 6.283185307179586;
static double x[N], dry[N], room[2 * N];

/* The i-th clip of a class, as the set draws it. */
static inline clip drawn(int label, int i)
{
    clip c;
    clip_draw(&c, 3, (uint32_t)(label + HZ_STRINGS_CLASSES * i));
    ck_assert_int_eq(c.label, label);
    return c;
}

/* Plays clip i of the class: dry, then x with its effect. */
static inline clip played(int label, int i)
{
    clip c = drawn(label, i);
    note_play(&c, 3, (uint32_t)(label + HZ_STRINGS_CLASSES * i), dry, N);
    memcpy(x, dry, sizeof x);
    effect_apply(&c, x, room, N);
    return c;
}

static inline clip through(int label, int i)           /* the effect of clip i upon what stands in x */
{
    clip c = drawn(label, i);
    memcpy(dry, x, sizeof x);
    effect_apply(&c, x, room, N);
    return c;
}

static inline void click(void)
{
    memset(x, 0, sizeof x);
    x[RATE / 10] = 1;
}

static inline void sine(double hz)
{
    for (int i = 0; i < N; i++)
        x[i] = sin(TAU * hz * i / RATE);
}

static inline void noise(void)
{
    stream r = { .seed = 5, .purpose = HZ_FOR_NOTE };
    for (int i = 0; i < N; i++)
        x[i] = uniform(&r, -1, 1);
}

/* Amplitude at `hz` of count samples from `from` on, by a Hann window. */
static inline double level_at(const double *s, double hz, int from, int count)
{
    double complex sum = 0, turn = cexp(-I * TAU * hz / RATE), now = 1;
    for (int i = 0; i < count; i++, now *= turn)
        sum += s[from + i] * now * (1 - cos(TAU * i / count));
    return 2 * cabs(sum) / count;
}

static inline double db(double ratio_) { return 20 * log10(ratio_); }

/* The frequency in [lo,hi], by steps, where `series` (count values, `per_second` of them a second) is strongest. */
static inline double strongest(const double *series, int count, double per_second, double lo, double hi)
{
    double best = 0, most = -1, mean = 0;
    for (int i = 0; i < count; i++)
        mean += series[i] / count;
    for (double f = lo; f <= hi; f += 0.02) {
        double complex sum = 0;
        for (int i = 0; i < count; i++)
            sum += (series[i] - mean) * (1 - cos(TAU * i / count)) * cexp(-I * TAU * f * i / per_second);
        if (cabs(sum) > most) {
            most = cabs(sum);
            best = f;
        }
    }
    return best;
}

/* Phase of the partial at `hz` in count samples around `middle`, in turns. */
static inline double phase_at(const double *s, double hz, int middle, int count)
{
    double complex sum = 0;
    for (int i = -count / 2; i < count / 2; i++)
        sum += s[middle + i] * (1 + cos(TAU * i / count)) * cexp(-I * TAU * hz * i / RATE);
    return carg(sum) / TAU;
}
#endif

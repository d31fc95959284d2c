/* group.inc.h: one group of LANES frames from samples to decibels, a frame in each lane of a vector: all steps are then
   plain arithmetic on vectors, for any size of window. The transform is that of KissFFT (mixed radix, in place over an
   input that is laid in its order), a vector in place of each number: measured, KissFFT itself, in float,
   takes 7.1 us for 2,048 samples on a core where a whole frame takes 1.8 here (AVX-512; 2.6 AVX2).
   In double up to the power: beside a loud tone a quiet band would drown in the rounding of floats, as librosa's does
   not. Lanes do not meet: a frame's values do not depend on its neighbours.
   Included by one file per level, which sets LANES and NAME. */
#include "audio/mel.h"
#include <math.h>
#include <string.h>

typedef float V __attribute__((vector_size(4 * LANES)));
typedef int32_t VI __attribute__((vector_size(4 * LANES)));
typedef double VD __attribute__((vector_size(8 * LANES)));
typedef float VU __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef struct C {
    VD re, im;
} C;

/* What a level's file may have by one instruction, where the compiler makes two halves of it. */
#ifndef WIDEN
#define WIDEN(v) __builtin_convertvector(v, VD)
#define NARROW(v) __builtin_convertvector(v, V)
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE C plus(C a, C b) { return (C){ a.re + b.re, a.im + b.im }; }
INLINE C minus(C a, C b) { return (C){ a.re - b.re, a.im - b.im }; }
INLINE C times(C a, cpx w) { return (C){ a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re }; }

/* ---- butterflies: m numbers from each of p transforms of m points; twiddles `stride` apart ---- */

static void fly2(C *f, const cpx *tw, int stride, int m)
{
    for (int k = 0; k < m; k++, f++, tw += stride) {
        C t = times(f[m], *tw);
        f[m] = minus(*f, t);
        *f = plus(*f, t);
    }
}

INLINE void four(C *f, int m, C a, C b, C c, C d)
{
    C e = minus(a, c), g = plus(a, c), s = plus(b, d), t = minus(b, d);
    f[0] = plus(g, s);
    f[m] = (C){ e.re + t.im, e.im - t.re };
    f[2 * m] = minus(g, s);
    f[3 * m] = (C){ e.re - t.im, e.im + t.re };
}

static void fly4(C *f, const cpx *tw, int stride, int m)
{
    four(f, m, f[0], f[m], f[2 * m], f[3 * m]);
    for (int k = 1; k < m; k++) {
        f++;
        four(f, m, f[0], times(f[m], tw[k * stride]), times(f[2 * m], tw[2 * k * stride]),
             times(f[3 * m], tw[3 * k * stride]));
    }
}

static void fly3(C *f, const cpx *tw, int stride, int m)
{
    const double half_root3 = tw[stride * m].im;
    for (int k = 0; k < m; k++, f++) {
        C a = times(f[m], tw[k * stride]), b = times(f[2 * m], tw[2 * k * stride]);
        C s = plus(a, b), d = minus(a, b), c = { f->re - s.re * 0.5, f->im - s.im * 0.5 };
        VD re = d.re * half_root3, im = d.im * half_root3;
        *f = plus(*f, s);
        f[m] = (C){ c.re - im, c.im + re };
        f[2 * m] = (C){ c.re + im, c.im - re };
    }
}

/* Any p, by its definition; room: p numbers. */
static void fly(C *f, const cpx *tw, int stride, int m, int p, C *room)
{
    const int points = stride * m * p;
    for (int k = 0; k < m; k++) {
        for (int q = 0; q < p; q++)
            room[q] = f[k + q * m];
        for (int r = 0; r < p; r++) {
            C sum = room[0];
            for (int64_t q = 1, at = 0, step = (int64_t)stride * (k + r * m); q < p; q++) {
                at = (at + step) % points;
                sum = plus(sum, times(room[q], tw[at]));
            }
            f[k + r * m] = sum;
        }
    }
}

/* ---- samples to the transform's input ---- */

/* A group on its way. */
typedef struct work {
    const hz_mel *t;
    const mel_rows *rows;
    int64_t frame;
    C *f, *room;                     /* (points), (widest) */
} work;

/* A sample of the window, of all lanes: neighbours in their row. */
INLINE VD sample(const work *w, const tap *p)
{
    const VU *at = (const VU *)(w->rows->data + p->row * w->rows->stride + p->block + w->frame);
    return WIDEN(*at) * p->weight;
}

INLINE C number(const work *w, int pairs, int k)
{
    const tap *p = w->t->taps + (pairs ? 2 * k : k);
    return (C){ sample(w, p), pairs ? sample(w, p + 1) : (VD){ 0 } };
}

/* Numbers k..to; with the innermost butterflies where these are of four. */
INLINE void lay_some(const work *w, int pairs, int k, int to)
{
    if (w->t->points % 4 == 0)
        for (; k < to; k += 4)
            four(w->f + k, 1, number(w, pairs, k), number(w, pairs, k + 1), number(w, pairs, k + 2),
                 number(w, pairs, k + 3));
    for (; k < to; k++)
        w->f[k] = number(w, pairs, k);
}

static void lay(const work *w, int k, int count)
{
    if (w->t->n % 2)
        lay_some(w, 0, k, k + count);
    else
        lay_some(w, 1, k, k + count);
}

/* ---- the transform ---- */

enum { BLOCK = 256 };                /* numbers laid and transformed while they are in the first cache: at most 32 KB */

static void butterflies(const work *w, C *f, int p, int stride, int m)
{
    const cpx *tw = w->t->twiddle;
    if (p == 4)
        fly4(f, tw, stride, m);
    else if (p == 2)
        fly2(f, tw, stride, m);
    else if (p == 3)
        fly3(f, tw, stride, m);
    else
        fly(f, tw, stride, m, p, w->room);
}

/* Of numbers from..from+points, which may be laid already. */
static void transform(const work *w, int from, const int32_t *factor, int stride, int points, int laid)
{
    const int p = *factor, m = points / p, deeper = m > 4 || (m > 1 && factor[1] != 4);
    if (!laid && (points <= BLOCK || !deeper)) {
        lay(w, from, points);
        laid = 1;
    }
    for (int q = 0; q < p && deeper; q++)
        transform(w, from + q * m, factor + 1, stride * p, m, laid);
    if (points != 4)                 /* then it was done when the samples were laid */
        butterflies(w, w->f + from, p, stride, m);
}

/* ---- power ---- */

INLINE V square(C a) { return NARROW(a.re * a.re + a.im * a.im); }

/* The bins of the real transform from those of the pairs: X[k] = E[k] + exp(-2 pi i k / n) O[k]. */
static void power_pairs(const hz_mel *t, const C *f, V *power)
{
    const int m = t->points;
    power[0] = square((C){ f->re + f->im, { 0 } });
    power[m] = square((C){ f->re - f->im, { 0 } });
    for (int k = 1; k <= m / 2; k++) {
        C a = f[k], b = { f[m - k].re, -f[m - k].im };
        C e = plus(a, b), o = times(minus(a, b), t->halves[k]);
        power[k] = square(plus(e, o)) * 0.25f;
        power[m - k] = square(minus(e, o)) * 0.25f;
    }
}

static void power_singly(const hz_mel *t, const C *f, V *power)
{
    for (int k = 0; k < t->bins; k++)
        power[k] = square(f[k]);
}

/* power^(p/2) of squares. */
static void raise(const hz_mel *t, float *power)
{
    if (t->form.power == 2)
        return;
    for (int64_t i = 0; i < (int64_t)t->bins * LANES; i++)
        power[i] = t->form.power == 1 ? sqrtf(power[i]) : (float)pow((double)power[i], t->form.power / 2);
}

/* ---- bands and decibels ---- */

static V band_sum(const band *b, const float *w, const V *power)
{
    V s = { 0 }, r = { 0 };
    int i = 0;
    for (; i + 2 <= b->count; i += 2) {
        s += power[i] * w[i];
        r += power[i + 1] * w[i + 1];
    }
    return i < b->count ? s + power[i] * w[i] + r : s + r;
}

INLINE V larger(V a, V b)
{
    const VI m = a > b;
    return (V)((m & (VI)a) | (~m & (VI)b));
}

/* 20 log10(x), x raised to 1e-5: exponent, and logarithm of a mantissa in [sqrt(1/2), sqrt(2)) by Cephes' polynomial
   (logf). */
static V decibels(V x)
{
    x = larger(x, (V){ 0 } + 1e-5f);
    VI bits = (VI)x - 0x3f3504f3, e = bits >> 23;
    V m = (V)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f, z = m * m;
    V y = m * 7.0376836292e-2f - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = m + (y * m * z - z * 0.5f);
    return __builtin_convertvector(e, V) * 6.02059991328f + y * 8.68588963807f;
}

static void group(const hz_mel *t, const mel_rows *rows, int64_t frame, float *memory, float *db, float *loudest)
{
    C *f = (C *)(void *)memory;
    const work w = { .t = t, .rows = rows, .frame = frame, .f = f, .room = f + t->points };
    V *power = (V *)(void *)(w.room + t->widest), most = (V){ 0 } - INFINITY;
    if (t->points > 1)
        transform(&w, 0, t->factors, 1, t->points, 0);
    else
        lay(&w, 0, 1);
    (t->n % 2 ? power_singly : power_pairs)(t, f, power);
    raise(t, (float *)power);
    for (int i = 0; i < t->form.mels; i++) {
        const band *b = &t->bands[i];
        V v = decibels(band_sum(b, t->weights + b->weights, power + b->first));
        most = larger(v, most);
        *(VU *)(db + (size_t)i * LANES) = v;
    }
    *(VU *)loudest = most;
}

const mel_kernel NAME = { .level = LEVEL, .lanes = LANES, .group = group };

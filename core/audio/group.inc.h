/* group.inc.h: one group of LANES frames from samples to decibels, a frame in each lane of a vector: all steps are then
   plain arithmetic on vectors, for any size of window. The transform is that of KissFFT (mixed radix, in place over an
   input that is laid in its order), a vector in place of each number: measured, KissFFT itself takes 7.1 us for
   2,048 samples on a core where this takes 1 to 2.
   Lanes do not meet and nothing is contracted (-ffp-contract=off), so every width yields the same bits.
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

/* Innermost butterflies of four were done when the samples were laid. */
static void transform(const hz_mel *t, C *f, const int32_t *factor, int stride, int points, C *room)
{
    int p = *factor, m = points / p;
    if (m > 4 || (m > 1 && factor[1] != 4))
        for (int q = 0; q < p; q++)
            transform(t, f + q * m, factor + 1, stride * p, m, room);
    if (p == 4)
        fly4(f, t->twiddle, stride, m);
    else if (p == 2)
        fly2(f, t->twiddle, stride, m);
    else if (p == 3)
        fly3(f, t->twiddle, stride, m);
    else
        fly(f, t->twiddle, stride, m, p, room);
}

/* ---- samples to the transform's input ---- */

/* Each sample of a window, of all lanes: neighbours in their row. */
INLINE VD sample(const tap *p, const mel_rows *rows, int64_t frame)
{
    const VU *at = (const VU *)(rows->data + p->row * rows->stride + p->block + frame);
    return __builtin_convertvector(*at, VD) * p->weight;
}

INLINE C number(const hz_mel *t, int pairs, int k, const mel_rows *rows, int64_t frame)
{
    const tap *p = t->taps + (pairs ? 2 * k : k);
    return (C){ sample(p, rows, frame), pairs ? sample(p + 1, rows, frame) : (VD){ 0 } };
}

INLINE void lay(const hz_mel *t, int pairs, const mel_rows *rows, int64_t frame, C *f)
{
    int k = 0;
    if (t->points % 4 == 0)          /* then the innermost factor is 4 */
        for (; k < t->points; k += 4)
            four(f + k, 1, number(t, pairs, k, rows, frame), number(t, pairs, k + 1, rows, frame),
                 number(t, pairs, k + 2, rows, frame), number(t, pairs, k + 3, rows, frame));
    for (; k < t->points; k++)
        f[k] = number(t, pairs, k, rows, frame);
}

/* ---- power ---- */

INLINE V square(C a) { return __builtin_convertvector(a.re * a.re + a.im * a.im, V); }

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

static void group(const hz_mel *t, const mel_rows *rows, int64_t frame, float *work, float *db, float *loudest)
{
    C *f = (C *)(void *)work, *room = f + t->points;
    V *power = (V *)(void *)(room + t->widest), most = (V){ 0 } - INFINITY;
    if (t->n % 2)
        lay(t, 0, rows, frame, f);
    else
        lay(t, 1, rows, frame, f);
    if (t->points > 4 || t->points == 2 || t->points == 3)
        transform(t, f, t->factors, 1, t->points, room);
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

/* tables.c: what a form at one rate needs beside its samples: window, twiddles, the order of the transform's input, and
   the weights of the bands. Slaney's scale: linear to 1,000 Hz (200/3 Hz a mel), then 27 steps to each factor of 6.4;
   a band is a triangle over three neighbouring points of it, of area 1 in Hz. */
#include "audio/mel.h"
#include "bounds.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_PRIME = 4096 };
static const double two_pi = 6.283185307179586;

/* ---- the transform ---- */

/* Odd primes first, the largest before others, then 2, then fours. */
static hz_status factorise(hz_mel *m)
{
    int32_t found[MOST_FACTORS];
    int n = m->points, p = 4, count = 0;
    while (n > 1) {
        while (n % p)
            p = p == 4 ? 2 : p == 2 ? 3 : p + 2;
        n /= p;
        found[count++] = p;
        m->widest = (int32_t)max(m->widest, p);
    }
    for (int i = 0; i < count; i++)
        m->factors[i] = found[count - 1 - i];
    return m->widest <= MOST_PRIME ? HZ_OK
         : hz_fail(HZ_EARG, "mel: n_fft is %d, a multiple of the prime %d; needs none above %d", m->n, m->widest,
                   MOST_PRIME);
}

/* Which numbers of its input, from, from + stride, ..., a transform of `points` numbers takes at `to`, to + 1, ... */
static void order(hz_mel *m, const int32_t *factor, int from, int stride, int to, int points, int32_t *source)
{
    if (points <= 1) {
        source[to] = from;
        return;
    }
    int part = points / *factor;
    for (int q = 0; q < *factor; q++)
        order(m, factor + 1, from + q * stride, stride * *factor, to + q * part, part, source);
}

static cpx unit(double turns) { return (cpx){ cos(two_pi * turns), -sin(two_pi * turns) }; }

static tap tap_of(const hz_mel *m, int i)
{
    return (tap){ .weight = 0.5 - 0.5 * cos(two_pi * i / m->n), .row = i % m->form.hop, .block = i / m->form.hop };
}

static hz_status fill_transform(hz_mel *m)
{
    const int of = m->n / m->points;               /* samples in a complex number */
    int32_t *source = malloc((size_t)m->points * sizeof *source);
    if (!source)
        return HZ_EMEM;
    order(m, m->factors, 0, 1, 0, m->points, source);
    for (int i = 0; i < m->n; i++)
        m->taps[i] = tap_of(m, source[i / of] * of + i % of);
    free(source);
    for (int k = 0; k < m->points; k++)
        m->twiddle[k] = unit((double)k / m->points);
    for (int k = 0; k <= m->points / 2; k++) {
        cpx w = unit((double)k / m->n);
        m->halves[k] = (cpx){ w.im, -w.re };
    }
    return HZ_OK;
}

/* ---- bands ---- */

static double hz_of(double mel)
{
    return mel < 15 ? mel * (200. / 3) : 1000 * exp((mel - 15) * (log(6.4) / 27));
}

static double mel_of(double hz)
{
    return hz < 1000 ? hz / (200. / 3) : 15 + log(hz / 1000) / (log(6.4) / 27);
}

/* The weight of a frequency in the band over points a < b < c. */
static double weight(double hz, double a, double b, double c)
{
    double rising = (hz - a) / (b - a), falling = (c - hz) / (c - b);
    return fmax(0, fmin(rising, falling)) * 2 / (c - a);
}

/* Bins with weight; with out NULL only how many. */
static int fill_band(const hz_mel *m, const double p[3], double rate, band *b, float *out)
{
    *b = (band){ .count = 0 };
    for (int k = (int)(p[0] * m->n / rate); k < m->bins && k * rate / m->n < p[2]; k++) {
        float w = (float)weight(k * rate / m->n, p[0], p[1], p[2]);
        if (w <= 0)
            continue;
        b->first = b->count ? b->first : k;
        if (out)
            out[k - b->first] = w;
        b->count = k - b->first + 1;
    }
    return b->count;
}

static int fill_bands(hz_mel *m, double rate, float *out)
{
    double low = mel_of(m->form.fmin), step = (mel_of(m->form.fmax) - low) / (m->form.mels + 1);
    int all = 0;
    for (int i = 0; i < m->form.mels; i++) {
        double p[] = { hz_of(low + i * step), hz_of(low + (i + 1) * step), hz_of(low + (i + 2) * step) };
        int count = fill_band(m, p, rate, &m->bands[i], out ? out + all : NULL);
        m->bands[i].weights = all;
        all += count;
    }
    return all;
}

hz_status mel_tables(hz_mel *m, double rate)
{
    m->n = m->form.n_fft;
    m->bins = m->n / 2 + 1;
    m->points = m->n % 2 ? m->n : m->n / 2;
    hz_status status = factorise(m);
    if (status)
        return status;
    m->taps = malloc((size_t)m->n * sizeof *m->taps);
    m->twiddle = malloc((size_t)m->points * sizeof *m->twiddle);
    m->halves = malloc(((size_t)m->points / 2 + 1) * sizeof *m->halves);
    m->bands = malloc((size_t)m->form.mels * sizeof *m->bands);
    if (m->bands)
        m->weights = malloc(((size_t)fill_bands(m, rate, NULL) + 1) * sizeof *m->weights);
    if (!m->taps || !m->twiddle || !m->halves || !m->bands || !m->weights || fill_transform(m))
        return hz_fail(HZ_EMEM, "mel: no memory for the tables of %d samples and %d bands", m->n, m->form.mels);
    fill_bands(m, rate, m->weights);
    return HZ_OK;
}

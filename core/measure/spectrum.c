/* spectrum.c: the log-spectral distance of sounds, float (frames,channels). The spectra of a frame of the original and
   of the decoded sound come from one complex transform: one is its real part, the other its imaginary part. */
#include "measure/rows.h"
#include <math.h>

static const double pi = 3.14159265358979323846;

/* The largest power of two within 50 ms, at least 64. */
static int64_t window_of(double rate)
{
    int64_t n = 64;
    while (n < 65536 && 2 * (double)n <= 0.05 * rate)
        n *= 2;
    return n;
}

/* Window (n), cosines and sines (n/2 each), real and imaginary parts (n each). */
int64_t sound_spectra_room(const hz_media *m) { return 4 * window_of(m->rate); }

typedef struct spectra {
    int64_t n;                       /* a power of two */
    double *window, *cosine, *sine;  /* (n), (n/2): of 2 pi k / n */
    double *re, *im;                 /* (n) */
} spectra;

static spectra lay_out(int64_t n, double *room)
{
    spectra s = { .n = n, .window = room, .cosine = room + n, .sine = room + n + n / 2 };
    s.re = room + 2 * n;
    s.im = room + 3 * n;
    for (int64_t i = 0; i < n; i++)
        s.window[i] = 0.5 - 0.5 * cos(2 * pi * (double)i / (double)n);
    for (int64_t k = 0; k < n / 2; k++) {
        s.cosine[k] = cos(2 * pi * (double)k / (double)n);
        s.sine[k] = sin(2 * pi * (double)k / (double)n);
    }
    return s;
}

/* ---- transform: in place, decimation in time over an input in bit-reversed order ---- */

static void swap(double *x, int64_t i, int64_t j)
{
    double t = x[i];
    x[i] = x[j];
    x[j] = t;
}

static void reverse(spectra *s)
{
    for (int64_t i = 1, j = 0; i < s->n; i++) {
        int64_t bit = s->n / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            swap(s->re, i, j);
            swap(s->im, i, j);
        }
    }
}

/* All butterflies between halves of `half` numbers. */
static void combine(spectra *s, int64_t half)
{
    int64_t stride = s->n / (2 * half);
    for (int64_t from = 0; from < s->n; from += 2 * half)
        for (int64_t k = 0; k < half; k++) {
            int64_t a = from + k, b = a + half;
            double c = s->cosine[k * stride], d = s->sine[k * stride];
            double re = s->re[b] * c + s->im[b] * d, im = s->im[b] * c - s->re[b] * d;
            s->re[b] = s->re[a] - re;
            s->im[b] = s->im[a] - im;
            s->re[a] += re;
            s->im[a] += im;
        }
}

static void transform(spectra *s)
{
    reverse(s);
    for (int64_t half = 1; half < s->n; half *= 2)
        combine(s, half);
}

/* ---- distance ---- */

/* Level in dB of a squared amplitude; a sine of full scale has 0. */
static double level(double power, double full)
{
    const double least = 1e-10;
    return 10 * log10(fmax(power / full, least));
}

/* The root mean square over the n/2 + 1 bins of the transformed frame. */
static double frame_distance(const spectra *s)
{
    double sum = 0, full = (double)s->n * (double)s->n / 16;
    for (int64_t k = 0; k <= s->n / 2; k++) {
        int64_t m = (s->n - k) % s->n;
        double ar = s->re[k] + s->re[m], ai = s->im[k] - s->im[m];
        double br = s->im[k] + s->im[m], bi = s->re[m] - s->re[k];
        double d = level((ar * ar + ai * ai) / 4, full) - level((br * br + bi * bi) / 4, full);
        sum += d * d;
    }
    return sqrt(sum / (double)(s->n / 2 + 1));
}

/* Returns whether the frames differ at all. */
static int take(spectra *s, const hz_media *m, const float *a, const float *b, int64_t from, int channel)
{
    int differ = 0;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t at = (from + i) * m->channels + channel;
        double w = from + i < m->frames ? s->window[i] : 0;
        s->re[i] = w > 0 ? w * (double)a[at] : 0;
        s->im[i] = w > 0 ? w * (double)b[at] : 0;
        differ |= s->re[i] < s->im[i] || s->re[i] > s->im[i];
    }
    return differ;
}

double sound_spectra(const hz_media *original, const void *decoded, double *room)
{
    spectra s = lay_out(window_of(original->rate), room);
    int64_t hop = s.n / 4, count = 0;
    double sum = 0;
    for (int channel = 0; channel < original->channels; channel++)
        for (int64_t from = 0; from == 0 || from + s.n - hop < original->frames; from += hop, count++) {
            if (!take(&s, original, original->data, decoded, from, channel))
                continue;
            transform(&s);
            sum += frame_distance(&s);
        }
    return sum / (double)count;
}

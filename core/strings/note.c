/* note.c: a plucked string, after Karplus and Strong as extended by Jaffe and Smith ("Extensions of the Karplus-Strong
   plucked-string algorithm", CMJ 7(2), 1983): a burst as long as a period, without the harmonics that have a node where
   it is plucked, circulates in a loop that loses what a string loses. Loop: a delay, a symmetric filter of three taps
   (damps highs, delays by exactly one sample) and an allpass that tunes. */
#include "strings/parts.h"
#include "draw.h"
#include "exact.h"

/* The burst: a push and noise of half its energy, both below `soft`; the noise from a layer of counters of its own. */
static void burst(const clip *c, uint64_t seed, uint32_t item, double *x, int64_t n, int64_t length)
{
    stream r = { .seed = seed, .item = item, .layer = 1, .purpose = HZ_FOR_NOTE };
    double keep = m_exp(-6.283185307179586 * c->soft / RATE), low = 0;
    for (int64_t i = 0; i < length && i < n; i++) {
        double push = i ? 0 : sqrt((double)length * (2 / 3.0));
        low += (1 - keep) * (push + uniform(&r, -1, 1) - low);
        x[i] = low;
    }
}

/* Less itself, as it comes back from the near end of the string. */
static void pluck(double *x, int64_t n, int64_t length, int64_t near)
{
    int64_t last = length + near < n ? length + near : n;
    for (int64_t i = last - 1; i >= near; i--)
        x[i] -= x[i - near];
}

static void circulate(const clip *c, double *x, int64_t n, double period)
{
    int64_t whole = (int64_t)(period - 1.5);
    double rest = period - 1 - (double)whole;                                   /* 0.5 .. 1.5 */
    double tune = (1 - rest) / (1 + rest), before = 0, out = 0;
    double lost = m_exp(-6.907755278982137 / (c->decay * c->pitch));            /* ln 1000 */
    double side = lost * c->damping, middle = lost - 2 * side;
    for (int64_t i = whole; i < n; i++) {
        double a = x[i - whole], b = i > whole ? x[i - whole - 1] : 0, d = i > whole + 1 ? x[i - whole - 2] : 0;
        double in = side * (a + d) + middle * b;
        out = tune * (in - out) + before;
        before = in;
        x[i] += out;
    }
}

static void to_peak(double *x, int64_t n)
{
    double peak = 0;
    for (int64_t i = 0; i < n; i++)
        peak = m_max(peak, m_abs(x[i]));
    for (int64_t i = 0; peak > 0 && i < n; i++)
        x[i] /= peak;
}

void note_play(const clip *c, uint64_t seed, uint32_t item, double *x, int64_t n)
{
    int64_t onset = (int64_t)(c->onset * RATE);
    onset = onset < n ? onset : n;
    for (int64_t i = 0; i < n; i++)
        x[i] = 0;
    double period = RATE / c->pitch, near = period * c->pick + 0.5;
    burst(c, seed, item, x + onset, n - onset, (int64_t)period);
    pluck(x + onset, n - onset, (int64_t)period, (int64_t)near);
    circulate(c, x + onset, n - onset, period);
    to_peak(x, n);
}

/* delay.c: effects that hear the past: chorus, flanger and vibrato move along it, echoes and reverberation repeat it.
   A whole clip lies in memory, so its own samples are the delay lines. */
#include "strings/parts.h"
#include "exact.h"

/* The sound at a place between samples, by the cubic through the four around it; silence before the start. What lies
   2 samples behind the place must be known. */
static inline double sound_at(const double *x, double place)
{
    if (place < 1)
        return 0;
    int64_t i = (int64_t)place;
    double t = place - (double)i, a = x[i - 1], b = x[i], c = x[i + 1], d = x[i + 2];
    double first = 0.5 * (c - a), second = a - 2.5 * b + 2 * c - 0.5 * d, third = 1.5 * (b - c) + 0.5 * (d - a);
    return b + t * (first + t * (second + t * third));
}

static void copy(double *to, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i];
}

/* Two voices beside the dry one, whose delays swing against each other. */
void delay_chorus(const clip *c, double *x, double *room, int64_t n)
{
    lfo swing = lfo_make(c->spot[0], c->rate), other = lfo_make(c->spot[1], c->rate * 1.3);
    double middle = c->time * RATE, swing_by = c->depth * RATE;
    copy(room, x, n);
    for (int64_t i = 0; i < n; i++) {
        double a = sound_at(room, (double)i - middle - swing_by * lfo_next(&swing));
        double b = sound_at(room, (double)i - 1.2 * middle - swing_by * lfo_next(&other));
        x[i] = room[i] + c->amount * (a + b);
    }
}

/* A comb that moves: the sound and what it was a few ms ago, which is fed back. depth: share of the delay. */
void delay_flanger(const clip *c, double *x, double *room, int64_t n)
{
    lfo swing = lfo_make(c->spot[0], c->rate);
    double middle = c->time * RATE;
    for (int64_t i = 0; i < n; i++) {
        double past = sound_at(room, (double)i - middle * (1 + c->depth * lfo_next(&swing)));
        room[i] = x[i] + c->amount * past;
        x[i] = room[i] + past;
    }
}

/* The delayed sound alone, faster and slower. depth: cents. */
void delay_vibrato(const clip *c, double *x, double *room, int64_t n)
{
    lfo swing = lfo_make(c->spot[0], c->rate);
    double ratio = m_exp(c->depth * 0.0005776226504666211) - 1;                 /* ln 2 / 1200 */
    double swing_by = ratio * RATE / (6.283185307179586 * c->rate), middle = swing_by + 4;
    copy(room, x, n);
    for (int64_t i = 0; i < n; i++)
        x[i] = sound_at(room, (double)i - middle - swing_by * lfo_next(&swing));
}

void delay_echoes(const clip *c, double *x, double *room, int64_t n)
{
    int64_t back = (int64_t)(c->time * RATE + 0.5);
    for (int64_t i = back; i < n; i++)
        x[i] += c->amount * x[i - back];
}

void delay_slapback(const clip *c, double *x, double *room, int64_t n)
{
    int64_t back = (int64_t)(c->time * RATE + 0.5);
    for (int64_t i = n - 1; i >= back; i--)
        x[i] += c->amount * x[i - back];
}

/* ---- reverberation ---- */

/* Adds to y what comes back to x every `back` samples, so weakened that 60 dB are lost in `decay` seconds. */
static void comb(const double *x, double *line, double *y, int64_t n, int64_t back, double decay)
{
    double keep = m_exp(-6.907755278982137 * (double)back / (decay * RATE));
    for (int64_t i = 0; i < n; i++) {
        line[i] = x[i] + (i >= back ? keep * line[i - back] : 0);
        y[i] += i >= back ? line[i - back] : 0;
    }
}

/* Spreads echoes in time and leaves the spectrum as it is. */
static void allpass(double *x, double *line, int64_t n, int64_t back)
{
    const double share = 0.6;
    for (int64_t i = 0; i < n; i++) {
        double past = i >= back ? line[i - back] : 0;
        line[i] = x[i] + share * past;
        x[i] = past - share * line[i];
    }
}

/* Schroeder's: combs side by side, then allpasses ("Natural sounding artificial reverberation", JAES 10, 1962).
   time: the decay; depth: size of the room, 1 the usual. */
void delay_reverb(const clip *c, double *x, double *room, int64_t n)
{
    static const int combs[] = { 1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617 }, passes[] = { 556, 441, 341, 225 };
    enum { COMBS = sizeof combs / sizeof *combs, PASSES = sizeof passes / sizeof *passes };
    double *line = room, *wet = room + n;
    for (int64_t i = 0; i < n; i++)
        wet[i] = 0;
    for (int k = 0; k < COMBS; k++)
        comb(x, line, wet, n, (int64_t)(combs[k] * c->depth), c->time);
    for (int k = 0; k < PASSES; k++)
        allpass(wet, line, n, (int64_t)(passes[k] * c->depth));
    for (int64_t i = 0; i < n; i++)
        x[i] += c->amount * wet[i];
}

/* shape.c: effects that hear the present: overdrive and distortion, equaliser, phaser, tremolo; and the tone that all
   classes go through. */
#include "strings/parts.h"
#include "exact.h"

static const double TURN = 6.283185307179586;

double decibels(double db) { return m_exp(db * 0.1151292546497023); }       /* ln 10 / 20 */

lfo lfo_make(double turns, double hz)
{
    return (lfo){ m_cos(turns), m_sin(turns), m_cos(hz / RATE), m_sin(hz / RATE) };
}

/* x/sqrt(1+x^2), driven by `amount` dB around a bias of `depth`. Its mean over each step, (F(b)-F(a))/(b-a) for its
   integral F = sqrt(1+x^2), folds far less back from beyond half the rate (Parker, Zavalishin, Le Bivic: "Reducing the
   aliasing of nonlinear waveshaping", DAFx 2016); here that is (a+b)/(F(a)+F(b)). */
void shape_drive(const clip *c, double *x, double *room, int64_t n)
{
    double gain = decibels(c->amount), last = c->depth, root = sqrt(1 + last * last), rest = last / root;
    for (int64_t i = 0; i < n; i++) {
        double now = gain * x[i] + c->depth, square = sqrt(1 + now * now);
        x[i] = (now + last) / (square + root) - rest;
        last = now;
        root = square;
    }
}

/* ---- filters ---- */

/* A peak of `db` at `hz` (Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients"). */
static void peak(double *x, int64_t n, double hz, double db, double q)
{
    double a = decibels(db / 2), c = m_cos(hz / RATE), wide = m_sin(hz / RATE) / (2 * q);
    double scale = 1 / (1 + wide / a), b0 = (1 + wide * a) * scale, b1 = -2 * c * scale, b2 = (1 - wide * a) * scale;
    double a2 = (1 - wide / a) * scale, s1 = 0, s2 = 0;
    for (int64_t i = 0; i < n; i++) {
        double in = x[i], out = b0 * in + s1;
        s1 = b1 * in - b1 * out + s2;
        s2 = b2 * in - a2 * out;
        x[i] = out;
    }
}

/* One band of 450 to 1,000 Hz and one of 2,200 to 4,400 Hz, one up and the other down by `amount` dB. depth: their
   Q. */
void shape_equalise(const clip *c, double *x, double *room, int64_t n)
{
    double low = 450 * m_exp(c->spot[0] * 0.8), high = 2200 * m_exp(c->spot[1] * 0.7);
    double sign = c->spot[2] < 0.5 ? 1 : -1;
    peak(x, n, low, sign * c->amount, c->depth);
    peak(x, n, high, -sign * c->amount, c->depth);
}

/* Six allpasses of first order in a row and the sound itself cancel at three places, which swing over `depth` octaves
   above 200 Hz; amount: what is fed back. */
void shape_phase(const clip *c, double *x, double *room, int64_t n)
{
    enum { STAGES = 6, HOLD = 16 };
    lfo swing = lfo_make(c->spot[0], c->rate * HOLD);
    double state[STAGES] = { 0 }, back = 0, k = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % HOLD == 0) {
            double hz = 200 * m_exp(c->depth * 0.34657359027997264 * (1 + lfo_next(&swing)));    /* ln 2 / 2 */
            double tangent = m_sin(0.5 * hz / RATE) / m_cos(0.5 * hz / RATE);
            k = (tangent - 1) / (tangent + 1);
        }
        double in = x[i] + c->amount * back;
        for (int s = 0; s < STAGES; s++) {
            double out = k * in + state[s];
            state[s] = in - k * out;
            in = out;
        }
        back = in;
        x[i] = 0.5 * (x[i] + in);
    }
}

void shape_tremolo(const clip *c, double *x, double *room, int64_t n)
{
    lfo swing = lfo_make(c->spot[0], c->rate);
    for (int64_t i = 0; i < n; i++)
        x[i] *= 1 - c->depth * (0.5 + 0.5 * lfo_next(&swing));
}

void tone_apply(const clip *c, double *x, int64_t n)
{
    double keep = m_exp(-TURN * c->corner / RATE), deep = m_exp(-TURN * 40 / RATE), low = 0, mean = 0;
    double lows = decibels(-c->tilt / 2), highs = decibels(c->tilt / 2);
    for (int64_t i = 0; i < n; i++) {
        low += (1 - keep) * (x[i] - low);
        double y = lows * low + highs * (x[i] - low);
        mean += (1 - deep) * (y - mean);
        x[i] = y - mean;
    }
}

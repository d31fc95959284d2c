/* strings_effect_test.c: what effects do in time, measured on what comes out, by other means than those that made it:
   echoes, decay, periods of envelopes and of instantaneous frequencies, sidebands, notches that move. */
#include "strings_work.h"

/* ---- repeats ---- */

/* The third difference: the attacks stand out. */
static void sharpen(double *s)
{
    for (int i = N - 1; i >= 3; i--)
        s[i] -= 3 * s[i - 1] - 3 * s[i - 2] + s[i - 3];
}

/* Lag in [lo,hi] seconds at which x repeats what is dry. */
static double repeat_of(double lo, double hi)
{
    double best = 0, most = -1;
    sharpen(x);
    sharpen(dry);
    for (int lag = (int)(lo * RATE); lag <= (int)(hi * RATE); lag++) {
        double sum = 0;
        for (int i = lag; i < RATE / 2; i++)
            sum += (x[i] - dry[i]) * dry[i - lag];
        if (sum > most) {
            most = sum;
            best = (double)lag / RATE;
        }
    }
    return best;
}

START_TEST(echoes_come_when_they_should)
{
    static const int classes[] = { FEEDBACK, SLAPBACK };
    for (int i = 0; i < CLIPS; i++) {
        clip c = played(classes[_i], i);
        double lag = repeat_of(0.05, 0.3);
        ck_assert_msg(fabs(lag - c.time) < 1.0 / RATE, "clip %d: echoes after %g s, not %g", i, lag, c.time);
    }
}
END_TEST

/* One echo of slapback, and ever weaker ones of feedback delay, seen by a click. */
START_TEST(echoes_are_as_many_as_they_should)
{
    for (int label = FEEDBACK; label <= SLAPBACK; label += SLAPBACK - FEEDBACK)
        for (int i = 0; i < CLIPS; i++) {
            click();
            clip c = through(label, i);
            int back = (int)(c.time * RATE + 0.5), heard = 0;
            for (int k = 0; k < N; k++)
                heard += fabs(x[k]) > 0.01;
            ck_assert_double_eq_tol(x[RATE / 10 + back], c.amount, 1e-12);
            ck_assert_double_eq_tol(x[RATE / 10 + 2 * back], label == FEEDBACK ? c.amount * c.amount : 0, 1e-12);
            ck_assert_msg(label == SLAPBACK ? heard == 2 : heard >= 5, "%d impulses", heard);
        }
}
END_TEST

/* Schroeder's integral of the response to a click, between 5 and 35 dB below its start. */
START_TEST(reverberation_decays_as_drawn)
{
    for (int i = 0; i < CLIPS; i++) {
        click();
        clip c = through(REVERB, i);
        static double left[N + 1];
        x[RATE / 10] = 0;                                  /* the direct sound */
        for (int k = N - 1; k >= 0; k--)
            left[k] = left[k + 1] + x[k] * x[k];
        int a = 0, b = 0, dense = 0;
        while (left[a] > left[0] * 0.316227766)
            a++;
        while (left[b] > left[0] * 0.000316227766)
            b++;
        double seconds = 2.0 * (b - a) / RATE;
        ck_assert_msg(fabs(seconds / c.time - 1) < 0.12, "clip %d: decays in %g s, not %g", i, seconds, c.time);
        for (int k = RATE / 10 + RATE / 5; k < RATE / 10 + RATE / 5 + RATE / 10; k++)
            dense += x[k] != 0;
        ck_assert_int_gt(dense, 400);                      /* echoes in a tenth of a second */
    }
}
END_TEST

/* ---- what swings ---- */

/* Root mean squares of 5 ms each, in dB, with the straight line taken out, from the note's start on. */
static int envelope(const double *s, const clip *c, double *out)
{
    enum { HOP = 220 };
    int first = (int)((c->onset + 0.03) * RATE), count = (N - first) / HOP;
    double mean = 0, slope = 0, spread = 0;
    for (int f = 0; f < count; f++) {
        double sum = 1e-12;
        for (int i = 0; i < HOP; i++)
            sum += s[first + f * HOP + i] * s[first + f * HOP + i];
        out[f] = 10 * log10(sum / HOP);
        mean += out[f] / count;
    }
    for (int f = 0; f < count; f++) {
        slope += (out[f] - mean) * (f - count / 2.0);
        spread += (f - count / 2.0) * (f - count / 2.0);
    }
    for (int f = 0; f < count; f++)
        out[f] -= mean + slope / spread * (f - count / 2.0);
    return count;
}

START_TEST(tremolo_swings_the_level)
{
    static double series[N];
    for (int i = 0; i < CLIPS; i++) {
        clip c = played(TREMOLO, i);
        int count = envelope(x, &c, series);
        double hz = strongest(series, count, RATE / 220.0, 2, 12), least = 1e9, most = 0;
        ck_assert_msg(fabs(hz - c.rate) < 0.15, "clip %d: swings at %g Hz, not %g", i, hz, c.rate);
        for (int k = RATE / 2; k < RATE; k++)
            if (fabs(dry[k]) > 1e-6) {
                least = m_min(least, x[k] / dry[k]);
                most = m_max(most, x[k] / dry[k]);
            }
        ck_assert_double_eq_tol(most, 1, 0.01);
        ck_assert_double_eq_tol(least, 1 - c.depth, 0.01);
    }
}
END_TEST

/* A sine's frequency follows the vibrato: phase against the clock, in windows much shorter than its period. */
START_TEST(vibrato_swings_the_frequency)
{
    enum { HOP = 441, FRAMES = N / HOP - 20 };
    static double cents[FRAMES];
    for (int i = 0; i < CLIPS; i++) {
        sine(1000);
        clip c = through(VIBRATO, i);
        double last = 0, most = 0;
        for (int f = 0; f < FRAMES; f++) {
            double phase = phase_at(x, 1000, (f + 10) * HOP, 400), step = phase - last;
            step -= floor(step + 0.5);                      /* 441 samples are ten periods */
            cents[f] = f ? 1200 * log2(1 + step / 10) : 0;
            most = m_max(most, fabs(cents[f]));
            last = phase;
        }
        double hz = strongest(cents + 1, FRAMES - 1, 100, 2, 12);
        ck_assert_msg(fabs(hz - c.rate) < 0.1, "clip %d: swings at %g Hz, not %g", i, hz, c.rate);
        ck_assert_msg(fabs(most / c.depth - 1) < 0.08, "clip %d: swings by %g cents, not %g", i, most, c.depth);
    }
}
END_TEST

/* A sine comes out with sidebands at the rates of both voices, and keeps its dry middle. */
START_TEST(chorus_adds_sidebands)
{
    for (int i = 0; i < CLIPS; i++) {
        sine(1000);
        clip c = through(CHORUS, i);
        int from = RATE / 20, count = N - from;
        double before = level_at(dry, 1000 + 3 * c.rate, from, count), own = 0;
        for (int k = 1; k <= 6; k++)
            own = m_max(own, m_max(level_at(x, 1000 + k * c.rate, from, count),
                                   level_at(x, 1000 + k * 1.3 * c.rate, from, count)));
        ck_assert_msg(own > 0.1 && before < 0.01, "clip %d: sidebands of %g, %g before", i, own, before);
        click();
        through(CHORUS, i);
        double direct = x[RATE / 10], voices = 0;
        for (int k = RATE / 10 + 200; k < RATE / 10 + 1800; k++)
            voices += x[k];
        ck_assert_double_eq_tol(direct, 1, 1e-12);
        ck_assert_double_eq_tol(voices, 2 * c.amount, 0.1 * c.amount);
    }
}
END_TEST

/* ---- notches that move ---- */

/* Power of x around `hz` in 20 ms around `middle`, by the mean over some neighbours; noise is rough. */
static double power_near(double hz, int middle, double octaves)
{
    double sum = 0;
    for (int k = -2; k <= 2; k++) {
        double a = level_at(x, hz * exp2(octaves * k / 4), middle - 441, 882);
        sum += a * a;
    }
    return sum;
}

START_TEST(phaser_moves_three_notches)
{
    static const double notch[] = { 0.2679491924311227, 1, 3.732050807568877 };           /* tan pi/12, 3 pi/12, ... */
    for (int i = 0; i < CLIPS; i++) {
        noise();
        clip c = through(PHASER, i);
        double in = 0, between = 0, lowest = 1e9, highest = 0;
        for (int middle = RATE / 10; middle < N - RATE / 10; middle += RATE / 100) {
            double swing = sin(TAU * (c.spot[0] + c.rate * (middle + 8.0) / RATE));
            double hz = 200 * exp2(c.depth * 0.5 * (1 + swing));
            lowest = m_min(lowest, hz);
            highest = m_max(highest, hz);
            for (int k = 0; k < 3; k++)
                if (notch[k] * hz > 300 && notch[k] * hz < 8000) {
                    in += power_near(notch[k] * hz, middle, 0.06);
                    between += power_near(notch[k] * hz * 2.2, middle, 0.06);
                }
        }
        ck_assert_msg(10 * log10(in / between) < -6, "clip %d: notches of %g dB", i, 10 * log10(in / between));
        ck_assert_msg(log2(highest / lowest) > 0.9 * c.depth, "clip %d: they move by %g octaves", i,
                      log2(highest / lowest));
    }
}
END_TEST

/* The lag that repeats in 20 ms of noise is the delay of that moment. */
START_TEST(flanger_moves_a_comb)
{
    for (int i = 0; i < CLIPS; i++) {
        noise();
        clip c = through(FLANGER, i);
        int right = 0, all = 0;
        double shortest = 1e9, longest = 0;
        for (int middle = RATE / 10; middle < N - RATE / 10; middle += RATE / 50, all++) {
            double most = -1, found = 0;
            double want = c.time * RATE * (1 + c.depth * sin(TAU * (c.spot[0] + c.rate * middle / RATE)));
            for (int lag = 8; lag < 350; lag++) {
                double sum = 0;
                for (int k = middle - 441; k < middle + 441; k++)
                    sum += x[k] * x[k - lag];
                if (sum > most) {
                    most = sum;
                    found = lag;
                }
            }
            right += fabs(found - want) < 3 + 0.05 * want;
            shortest = m_min(shortest, found);
            longest = m_max(longest, found);
        }
        ck_assert_msg(right > 0.7 * all, "clip %d: %d of %d delays", i, right, all);
        ck_assert_msg(longest > 2 * shortest, "clip %d: from %g to %g samples", i, shortest, longest);
    }
}
END_TEST

int main(void)
{
    return RUN_SUITE("strings_effect", RANGE(echoes_come_when_they_should, 0, 2),
                     ONCE(echoes_are_as_many_as_they_should), ONCE(reverberation_decays_as_drawn),
                     ONCE(tremolo_swings_the_level), ONCE(vibrato_swings_the_frequency), ONCE(chorus_adds_sidebands),
                     ONCE(phaser_moves_three_notches), ONCE(flanger_moves_a_comb));
}

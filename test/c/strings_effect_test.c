/* strings_effect_test.c: what a string is and what each effect does, measured on what comes out, by other means than
   those that made it: pitch and decay of partials, echoes in the response to a click, periods of envelopes and of
   instantaneous frequencies, sidebands, harmonics, notches that move. The parts are included as source: they are not
   exported. */
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
static clip drawn(int label, int i)
{
    clip c;
    clip_draw(&c, 3, (uint32_t)(label + HZ_STRINGS_CLASSES * i));
    ck_assert_int_eq(c.label, label);
    return c;
}

/* Plays clip i of the class: dry, then x with its effect. */
static clip played(int label, int i)
{
    clip c = drawn(label, i);
    note_play(&c, 3, (uint32_t)(label + HZ_STRINGS_CLASSES * i), dry, N);
    memcpy(x, dry, sizeof x);
    effect_apply(&c, x, room, N);
    return c;
}

static clip through(int label, int i)           /* the effect of clip i upon what stands in x */
{
    clip c = drawn(label, i);
    memcpy(dry, x, sizeof x);
    effect_apply(&c, x, room, N);
    return c;
}

static void click(void)
{
    memset(x, 0, sizeof x);
    x[RATE / 10] = 1;
}

static void sine(double hz)
{
    for (int i = 0; i < N; i++)
        x[i] = sin(TAU * hz * i / RATE);
}

static void noise(void)
{
    stream r = { .seed = 5, .purpose = HZ_FOR_NOTE };
    for (int i = 0; i < N; i++)
        x[i] = uniform(&r, -1, 1);
}

/* Amplitude at `hz` of count samples from `from` on, by a Hann window. */
static double level_at(const double *s, double hz, int from, int count)
{
    double complex sum = 0, turn = cexp(-I * TAU * hz / RATE), now = 1;
    for (int i = 0; i < count; i++, now *= turn)
        sum += s[from + i] * now * (1 - cos(TAU * i / count));
    return 2 * cabs(sum) / count;
}

static double db(double ratio_) { return 20 * log10(ratio_); }

/* The frequency in [lo,hi], by steps, where `series` (count values, `per_second` of them a second) is strongest. */
static double strongest(const double *series, int count, double per_second, double lo, double hi)
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

/* ---- the string ---- */

/* Phase of the partial at `hz` in count samples around `middle`, in turns. */
static double phase_at(const double *s, double hz, int middle, int count)
{
    double complex sum = 0;
    for (int i = -count / 2; i < count / 2; i++)
        sum += s[middle + i] * (1 + cos(TAU * i / count)) * cexp(-I * TAU * hz * i / RATE);
    return carg(sum) / TAU;
}

START_TEST(pitch_is_that_which_was_drawn)
{
    for (int i = 0; i < CLIPS; i++) {
        clip c = played(NONE, i);
        int a = (int)((c.onset + 0.1) * RATE), b = a + (int)(8 * RATE / c.pitch + 0.5), window = 8820;
        double turns = phase_at(dry, c.pitch, b + window, window) - phase_at(dry, c.pitch, a + window, window);
        double want = c.pitch * (b - a) / RATE, off = turns - want;
        off -= floor(off + 0.5);
        double cents = 1200 * log2(1 + off / want);
        ck_assert_msg(fabs(cents) < 4, "clip %d: %g Hz is off by %g cents", i, c.pitch, cents);
    }
}
END_TEST

START_TEST(partials_decay_as_drawn)
{
    for (int i = 0; i < CLIPS; i++) {
        clip c = played(NONE, i);
        int from = (int)((c.onset + 0.05) * RATE), step = RATE / 2, window = 8820;
        double fall = db(level_at(dry, c.pitch, from, window) / level_at(dry, c.pitch, from + step, window));
        double loop = 1 - 2 * c.damping * (1 - cos(TAU * c.pitch / RATE));                /* damping takes some, too */
        double want = 30 / c.decay - db(loop) * c.pitch * step / RATE;
        ck_assert_msg(fabs(fall / want - 1) < 0.06, "clip %d: falls by %g dB, not %g", i, fall, want);
        double high = db(level_at(dry, 8 * c.pitch, from, window) / level_at(dry, 8 * c.pitch, from + step, window));
        ck_assert_msg(high > fall + 1, "clip %d: the eighth partial falls by %g dB, the first by %g", i, high, fall);
    }
}
END_TEST

/* The partial that has a node where the string is plucked is missing. */
START_TEST(pick_position_silences_its_partial)
{
    for (int part = 3; part <= 6; part++) {
        clip c = drawn(NONE, 0);
        c.pitch = RATE / 240.0;
        c.pick = 1.0 / part;
        note_play(&c, 3, 0, dry, N);
        int from = (int)((c.onset + 0.02) * RATE);
        double own = level_at(dry, part * c.pitch, from, 8820);
        double next = level_at(dry, (part - 1) * c.pitch, from, 8820);
        ck_assert_msg(db(own / next) < -26, "pick 1/%d: partial lies at %g dB", part, db(own / next));
    }
}
END_TEST

START_TEST(silence_then_a_peak_of_one)
{
    for (int i = 0; i < CLIPS; i++) {
        clip c = played(NONE, i);
        double most = 0;
        for (int k = 0; k < N; k++) {
            ck_assert(k >= (int)(c.onset * RATE) || dry[k] == 0);
            most = m_max(most, m_abs(dry[k]));
        }
        ck_assert(most == 1);
        ck_assert_mem_eq(x, dry, sizeof x);                /* no effect is none */
    }
}
END_TEST

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

/* ---- spectra ---- */

/* Harmonics of a sine: a square's for distortion, falling by 1/n and odd; even ones too, and softer, for overdrive. */
START_TEST(drive_adds_harmonics)
{
    const double hz = RATE / 100.0;
    for (int i = 0; i < CLIPS; i++) {
        double third[2], second[2], level[2];
        for (int k = 0; k < 2; k++) {
            sine(hz);
            through(k ? OVERDRIVE : DISTORTION, i);
            double first = level_at(x, hz, RATE / 2, RATE);
            second[k] = db(level_at(x, 2 * hz, RATE / 2, RATE) / first);
            third[k] = db(level_at(x, 3 * hz, RATE / 2, RATE) / first);
            double softer[2] = { first, 0 };
            for (int s = 0; s < N; s++)
                x[s] = 0.1 * sin(TAU * hz * s / RATE);
            through(k ? OVERDRIVE : DISTORTION, i);
            softer[1] = level_at(x, hz, RATE / 2, RATE);
            level[k] = db(softer[0] / softer[1]);
        }
        ck_assert_double_eq_tol(third[0], -9.5, 0.5);       /* 1/3 */
        ck_assert_msg(second[0] < -30 && second[1] > -30, "clip %d: second %g and %g dB", i, second[0], second[1]);
        ck_assert_msg(third[1] < third[0] - 0.5, "clip %d: third %g and %g dB", i, third[0], third[1]);
        /* 20 dB in: hardly one comes out of distortion, about half of overdrive */
        ck_assert_msg(level[0] < 2 && level[1] > 3 && level[1] < 15, "clip %d: %g and %g dB", i, level[0], level[1]);
    }
}
END_TEST

/* What folds back from beyond half the rate lies far below the harmonics. */
START_TEST(drive_hardly_folds)
{
    sine(2311);
    through(DISTORTION, 0);
    double first = level_at(x, 2311, RATE / 2, RATE), worst = 0;
    for (int k = 21; k <= 41; k += 2) {
        double folded = fabs(k * 2311.0 - RATE * floor(k * 2311.0 / RATE + 0.5));
        worst = m_max(worst, level_at(x, folded, RATE / 2, RATE));
    }
    ck_assert_msg(db(worst / first) < -30, "folds at %g dB", db(worst / first));
}
END_TEST

START_TEST(equaliser_lifts_and_cuts_a_band)
{
    for (int i = 0; i < CLIPS; i++) {
        clip c = drawn(EQ, i);
        double low = 300 * exp(c.spot[0] * 0.9), high = 1400 * exp(c.spot[1] * 0.9), sign = c.spot[2] < 0.5 ? 1 : -1;
        double gain[4], at[4] = { 20, low, high, 18000 };
        for (int k = 0; k < 4; k++) {
            sine(at[k]);
            through(EQ, i);
            gain[k] = db(level_at(x, at[k], RATE / 2, RATE));
        }
        ck_assert_double_eq_tol(gain[0], 0, 0.6);
        ck_assert_double_eq_tol(gain[1], sign * c.amount, 4);         /* the other band reaches here */
        ck_assert_double_eq_tol(gain[2], -sign * c.amount, 4);
        ck_assert_double_eq_tol(gain[3], 0, 0.6);
    }
}
END_TEST

START_TEST(tone_tilts)
{
    clip c = drawn(NONE, 0);
    double gain[2], at[2] = { 100, 15000 };
    c.corner = 1000;
    for (int k = 0; k < 2; k++) {
        sine(at[k]);
        tone_apply(&c, x, N);
        gain[k] = db(level_at(x, at[k], RATE / 2, RATE));
    }
    ck_assert_double_eq_tol(gain[1] - gain[0], c.tilt, 1.5);
    for (int i = 0; i < N; i++)
        x[i] = 1;
    tone_apply(&c, x, N);
    ck_assert_double_lt(fabs(x[N - 1]), 1e-9);             /* nothing stands still */
}
END_TEST

int main(void)
{
    return RUN_SUITE("strings_effect", ONCE(pitch_is_that_which_was_drawn), ONCE(partials_decay_as_drawn),
                     ONCE(pick_position_silences_its_partial), ONCE(silence_then_a_peak_of_one),
                     RANGE(echoes_come_when_they_should, 0, 2), ONCE(echoes_are_as_many_as_they_should),
                     ONCE(reverberation_decays_as_drawn), ONCE(tremolo_swings_the_level),
                     ONCE(vibrato_swings_the_frequency), ONCE(chorus_adds_sidebands),
                     ONCE(phaser_moves_three_notches), ONCE(flanger_moves_a_comb), ONCE(drive_adds_harmonics),
                     ONCE(drive_hardly_folds), ONCE(equaliser_lifts_and_cuts_a_band), ONCE(tone_tilts));
}

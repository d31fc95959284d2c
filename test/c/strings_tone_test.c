/* strings_tone_test.c: what a string is, and what effects do to spectra: pitch and decay of partials, the place of the
   pick; harmonics, bands. */
#include "strings_work.h"

/* ---- the string ---- */

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
        for (int part = 1; part <= 8; part += 7) {
            double hz = part * c.pitch, a = level_at(dry, hz, from, window), b = level_at(dry, hz, from + step, window);
            double loop = 1 - 2 * c.damping * (1 - cos(TAU * hz / RATE));            /* damping takes some, too */
            double want = 30 / c.decay - db(loop) * c.pitch * step / RATE;
            ck_assert_msg(fabs(db(a / b) / want - 1) < 0.08, "clip %d: partial %d falls by %g dB, not %g", i, part,
                          db(a / b), want);
        }
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

/* By the response to a click: one band up, one down, an octave apart, and nothing at the ends. */
START_TEST(equaliser_lifts_and_cuts_a_band)
{
    for (int i = 0; i < CLIPS; i++) {
        click();
        clip c = through(EQ, i);
        double most = 0, least = 0, up = 0, down = 0;
        for (double hz = 20; hz < 20000; hz *= 1.03) {
            double complex sum = 0;
            for (int k = 0; k < RATE / 2; k++)
                sum += x[k] * cexp(-I * TAU * hz * k / RATE);
            double gain = db(cabs(sum));
            ck_assert_msg((hz > 60 && hz < 16000) || fabs(gain) < 1, "clip %d: %g dB at %g Hz", i, gain, hz);
            most = gain > most ? (up = hz, gain) : most;
            least = gain < least ? (down = hz, gain) : least;
        }
        ck_assert_msg(most > c.amount - 4 && most < c.amount + 0.1, "clip %d: lifts by %g dB", i, most);
        ck_assert_msg(least < 4 - c.amount && least > -c.amount - 0.1, "clip %d: cuts by %g dB", i, least);
        ck_assert_msg(fabs(log2(up / down)) > 1, "clip %d: at %g and %g Hz", i, up, down);
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
    return RUN_SUITE("strings_tone", ONCE(pitch_is_that_which_was_drawn), ONCE(partials_decay_as_drawn),
                     ONCE(pick_position_silences_its_partial), ONCE(silence_then_a_peak_of_one),
                     ONCE(drive_adds_harmonics), ONCE(drive_hardly_folds), ONCE(equaliser_lifts_and_cuts_a_band),
                     ONCE(tone_tilts));
}

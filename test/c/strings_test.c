/* strings_test.c: the embedded set of sounds: equal bits always, noise as tabulated and its entropy, knobs, errors. The
   microphone is included as source: it is not exported. What the sounds are: strings_tone_test.c,
   strings_effect_test.c. */
#include "strings/mic.c"
#include "hz/philox.h"
#include "suite.h"
#include <pthread.h>
#include <stdlib.h>

enum { FRAMES = 11025 };

static uint64_t fnv(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3;
    return h;
}

static hz_strings *player_of(hz_strings_spec spec)
{
    hz_strings *strings = hz_strings_new(&spec);
    ck_assert_msg(strings != NULL, "%s", hz_message());
    return strings;
}

/* Clips first .. first+count-1 of these knobs; samples new: free. */
static float *play(hz_strings_spec spec, uint32_t first, int count, float *entropy)
{
    hz_strings *strings = player_of(spec);
    int64_t frames = hz_strings_frames(strings);
    float *samples = malloc(sizeof(float) * (size_t)(count * frames));
    uint32_t clips[64];
    for (int i = 0; i < count; i++)
        clips[i] = first + (uint32_t)i;
    OK(hz_strings_play(strings, clips, count, 0, samples, NULL, entropy));
    hz_strings_free(strings);
    return samples;
}

/* ---- microphone ---- */

static const double sigmas[] = { 1.6, 3.7, 16, 160 };

/* The table against the definition, by libm. */
START_TEST(table_is_the_exact_distribution)
{
    static mic m;
    double sigma = sigmas[_i];
    mic_make(&m, sigma);
    for (int phase = 0; phase < PHASES; phase++) {
        double bits = 0, last = 0;
        for (int k = -m.reach; k <= m.reach + 1; k++) {
            double z = (k + 0.5 - phase / 16.0) / sigma, p = 0.5 * erfc(-z * 0.70710678118654752440);
            ck_assert_double_eq_tol(m.upto[phase][k + m.reach] / 4294967296.0, p, 3e-10);
            if (p > last)
                bits -= (p - last) * log2(p - last);
            last = p;
        }
        ck_assert_double_eq_tol(m.entropy[phase], bits, 2e-6);
        ck_assert_double_eq_tol(m.entropy[phase], log2(sigma * sqrt(2 * 3.141592653589793 * exp(1))), 0.03);
    }
}
END_TEST

START_TEST(draws_follow_the_table)
{
    enum { DRAWS = 40000 };
    static const int levels[] = { 0, 7, 8, 15, 16, -1, -16, -17, 123456, -123451 };
    static mic m;
    mic_make(&m, sigmas[_i]);
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        double mean = 0, power = 0, exact = levels[l] / 16.0;
        for (uint64_t d = 0; d < DRAWS; d++) {
            double off = mic_draw(&m, levels[l], hz_random(1, d, 0, 0, 0, HZ_FOR_MICROPHONE)) - exact;
            mean += off / DRAWS;
            power += off * off / DRAWS;
        }
        ck_assert_double_eq_tol(mean, 0, 5 * sigmas[_i] / sqrt(DRAWS));
        ck_assert_double_eq_tol(sqrt(power) / sqrt(sigmas[_i] * sigmas[_i] + 1 / 12.0), 1, 0.02);
    }
    ck_assert_int_ge(mic_draw(&m, 0, 0), -m.reach);
    ck_assert_int_le(mic_draw(&m, 0, UINT32_MAX), m.reach + 1);
}
END_TEST

/* What is recorded less what is played is noise of the known deviation, not correlated from sample to sample. */
START_TEST(noise_is_that_which_is_said)
{
    enum { N = 12 };
    const hz_strings_spec spec = { .seed = 4, .rate = 11025, .seconds = 1, .noise = 2 };
    hz_strings_spec quiet = spec;
    quiet.noise_free = 1;
    float bits[N], none[N];
    float *noisy = play(spec, 100, N, bits), *clean = play(quiet, 100, N, none);
    static const int lags[] = { 0, 1, 2, 3, 4, FRAMES };
    for (size_t l = 0; l < sizeof lags / sizeof *lags; l++) {
        double sum = 0;
        for (int i = 0; i + lags[l] < N * FRAMES; i++)
            sum += (double)(noisy[i] - clean[i]) * (noisy[i + lags[l]] - clean[i + lags[l]]);
        double share = sum / (N * FRAMES) * 32768 * 32768 / (32 * 32 + 1 / 6.0);
        ck_assert_double_eq_tol(share, lags[l] == 0, 0.02);
    }
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq_tol(bits[i], log2(32 * sqrt(2 * 3.141592653589793 * exp(1))), 1e-3);
        ck_assert(none[i] == 0);
    }
    free(noisy);
    free(clean);
}
END_TEST

/* ---- reproducibility ---- */

static const struct { hz_strings_spec spec; uint64_t digest; } golden[] = {
    { { 0 }, 0xe1b1e7c96430dfdc },
    { { .seed = 123456789012345, .rate = 22050, .seconds = 1.37, .noise = 2.5 }, 0x28fbacc49563513a },
    { { .rate = 11025, .seconds = 1, .noise_free = 1 }, 0xc7ddd8370037306b },
};

/* Recorded with gcc 12 on x86-64; any other compiler, option or machine must yield the same bits. All classes. */
START_TEST(golden_bits)
{
    float entropy[HZ_STRINGS_CLASSES];
    float *samples = play(golden[_i].spec, 12345, HZ_STRINGS_CLASSES, entropy);
    hz_strings *strings = player_of(golden[_i].spec);
    size_t bytes = sizeof(float) * (size_t)hz_strings_frames(strings) * HZ_STRINGS_CLASSES;
    uint64_t digest = fnv(samples, bytes) ^ fnv(entropy, sizeof entropy);
    ck_assert_msg(digest == golden[_i].digest, "case %d: digest 0x%016llx, not 0x%016llx", _i,
                  (unsigned long long)digest, (unsigned long long)golden[_i].digest);
    hz_strings_free(strings);
    free(samples);
}
END_TEST

typedef struct half {
    const hz_strings *strings;
    const uint32_t *clips;
    int64_t count;
    float *samples;
} half;

static void *play_half(void *p)
{
    half *h = p;
    return (void *)(intptr_t)hz_strings_play(h->strings, h->clips, h->count, 1, h->samples, NULL, NULL);
}

/* In any order, by any threads, within other knobs that a clip does not depend on. */
START_TEST(a_clip_is_the_same_wherever_it_is_played)
{
    enum { N = 9, CUT = 4 };
    static const uint32_t there[N] = { 7, 3, 4000000000u, 8, 9, 10, 11, 0, 26 };
    static const uint32_t back[N] = { 26, 0, 11, 10, 9, 8, 4000000000u, 3, 7 };
    static float one[N * FRAMES], two[N * FRAMES];
    int32_t labels[N];
    float entropy[2][N];
    hz_strings *strings = player_of((hz_strings_spec){ .seed = 9, .rate = 11025, .seconds = 1 });
    ck_assert_int_eq(hz_strings_frames(strings), FRAMES);
    OK(hz_strings_play(strings, there, N, 7, one, labels, entropy[0]));
    half a = { strings, back, CUT, two }, b = { strings, back + CUT, N - CUT, two + CUT * FRAMES };
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, play_half, &b), 0);
    ck_assert_ptr_null(play_half(&a));
    void *status;
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    OK(hz_strings_play(strings, back, N, 2, NULL, NULL, entropy[1]));
    for (int i = 0; i < N; i++) {
        ck_assert_mem_eq(one + i * FRAMES, two + (N - 1 - i) * FRAMES, sizeof(float) * FRAMES);
        ck_assert(entropy[0][i] == entropy[1][N - 1 - i]);
        ck_assert_int_eq(labels[i], there[i] % HZ_STRINGS_CLASSES);
    }
    hz_strings_free(strings);
}
END_TEST

/* Samples are whole steps of 16 bits, the peak lies where level says, and nothing is clipped. */
START_TEST(samples_are_16_bits_below_full_scale)
{
    enum { N = 48 };
    const hz_strings_spec spec = { .rate = 22050, .seconds = 0.5, .noise = 10 };
    float *samples = play(spec, 0, N, NULL);
    double softest = 1, loudest = 0;
    for (int i = 0; i < N; i++) {
        double most = 0;
        for (int k = 0; k < FRAMES; k++) {
            double v = samples[i * FRAMES + k];
            ck_assert(v * 32768 == floor(v * 32768));
            most = fmax(most, fabs(v));
        }
        softest = fmin(softest, most);
        loudest = fmax(loudest, most);
    }
    ck_assert_msg(softest > 0.09 && softest < 0.2 && loudest > 0.6 && loudest < 0.85, "%g %g", softest, loudest);
    free(samples);
}
END_TEST

/* ---- rates ---- */

static double level_at(const float *s, double turns, int count)
{
    double re = 0, im = 0;
    for (int i = 0; i < count; i++) {
        double w = 1 - cos(6.283185307179586 * i / count);
        re += w * s[i] * cos(6.283185307179586 * turns * i);
        im += w * s[i] * sin(6.283185307179586 * turns * i);
    }
    return sqrt(re * re + im * im) / count;
}

/* A lower rate hears the same lows, and nothing folded down from above. */
START_TEST(lower_rates_hear_the_same)
{
    hz_strings_spec spec = { .seed = 2, .seconds = 1, .noise_free = 1 };
    for (uint32_t item = 0; item < HZ_STRINGS_CLASSES; item++) {
        spec.rate = 44100;
        float *full = play(spec, item, 1, NULL);
        spec.rate = 11025;
        float *low = play(spec, item, 1, NULL);
        double scale = 0, all = 0;
        for (int i = 0; i < 40; i++) {                         /* to one level: peaks differ */
            double hz = 100 * pow(45, i / 40.0), a = level_at(full, hz / 44100, 44100);
            double b = level_at(low, hz / 11025, 11025);
            scale += a * b;
            all += b * b;
        }
        scale /= all;
        double wrong = 0, power = 0;
        for (int i = 0; i < 40; i++) {
            double hz = 100 * pow(45, i / 40.0), a = level_at(full, hz / 44100, 44100);
            double b = scale * level_at(low, hz / 11025, 11025);
            wrong += (a - b) * (a - b);
            power += a * a;
        }
        ck_assert_msg(wrong < 1e-4 * power, "%s: off by %g dB", hz_strings_class((int)item),
                      10 * log10(wrong / power));
        free(full);
        free(low);
    }
}
END_TEST

/* ---- knobs ---- */

static const struct { hz_strings_spec spec; const char *word; } wrong[] = {
    { { .rate = 8000 }, "rate is 8000; it must be 44100, 22050 or 11025" },
    { { .rate = -1 }, "rate is -1" },
    { { .seconds = 0.2 }, "seconds is 0.2" },
    { { .seconds = 11 }, "seconds is 11" },
    { { .seconds = NAN }, "seconds is" },
    { { .noise = 0.05 }, "noise is 0.05" },
    { { .noise = -1 }, "noise is -1" },
    { { .noise = INFINITY }, "noise is inf" },
    { { .noise_free = 2 }, "noise_free is 2" },
};

START_TEST(bad_knobs_are_named)
{
    ck_assert_ptr_null(hz_strings_new(&wrong[_i].spec));
    SAYS(wrong[_i].word);
}
END_TEST

START_TEST(ends_of_the_knobs_work)
{
    for (int corner = 0; corner < 8; corner++) {
        float bits[2];
        hz_strings_spec spec = { .rate = corner & 1 ? 11025 : 44100, .seconds = corner & 2 ? 10 : 0.25,
                                 .noise = corner & 4 ? 10 : 0.1 };
        free(play(spec, UINT32_MAX - 1, 2, bits));
        ck_assert(bits[0] > 2 && bits[0] < 10 && bits[1] > 2 && bits[1] < 10);
    }
}
END_TEST

START_TEST(bad_calls_are_errors)
{
    const uint32_t one = 0;
    hz_strings *strings = hz_strings_new(NULL);
    ck_assert_int_eq(hz_strings_knobs(strings)->rate, 44100);
    ck_assert_int_eq(hz_strings_frames(strings), 88200);
    ck_assert_int_eq(hz_strings_play(strings, &one, -1, 0, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_strings_play(strings, NULL, 1, 0, NULL, NULL, NULL), HZ_EARG);
    SAYS("without indices");
    ck_assert_int_eq(hz_strings_play(NULL, &one, 1, 0, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_strings_play(strings, NULL, 0, 0, NULL, NULL, NULL), HZ_OK);
    hz_strings_free(strings);
    hz_strings_free(NULL);
    ck_assert_str_eq(hz_strings_class(0), "chorus");
    ck_assert_str_eq(hz_strings_class(11), "vibrato");
    ck_assert_ptr_null(hz_strings_class(-1));
    ck_assert_ptr_null(hz_strings_class(HZ_STRINGS_CLASSES));
    ck_assert_int_eq(hz_live_bytes(), 0);
}
END_TEST

int main(void)
{
    return RUN_SUITE("strings", EACH(table_is_the_exact_distribution, sigmas), EACH(draws_follow_the_table, sigmas),
                     ONCE(noise_is_that_which_is_said), EACH(golden_bits, golden),
                     ONCE(a_clip_is_the_same_wherever_it_is_played), ONCE(samples_are_16_bits_below_full_scale),
                     ONCE(lower_rates_hear_the_same), EACH(bad_knobs_are_named, wrong), ONCE(ends_of_the_knobs_work),
                     ONCE(bad_calls_are_errors));
}

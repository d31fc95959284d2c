/* camera_test.c: the embedded data set: equal bytes always, the recorded entropy against two independent computations of
   it (direct sums with libm in long double, and simulated electrons), and the knobs.
   The parts are included as source: they are not exported. */
#include "camera_sensor.c"
#include "camera_scene.c"
#include "camera_shape.c"
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE = 32 * 32 * 3 };

static uint64_t fnv(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3;
    return h;
}

static hz_camera *camera_of(hz_camera_spec spec)
{
    hz_camera *camera = hz_camera_new(&spec);
    ck_assert_msg(camera != NULL, "%s", hz_message());
    return camera;
}

static void render(hz_camera_spec spec, int64_t first, int64_t count, uint8_t *pixels, float *entropy)
{
    hz_camera *camera = camera_of(spec);
    ck_assert_int_eq(hz_camera_render(camera, first, count, pixels, NULL, entropy), HZ_OK);
    hz_camera_free(camera);
}

/* ---- own functions against libm ---- */

START_TEST(functions_agree_with_libm)
{
    for (int i = -3000; i <= 3000; i++) {
        double x = i * 0.0101;
        ck_assert_double_eq_tol(m_exp(x) / exp(x), 1, 4e-16 * 4);
        ck_assert_double_eq_tol(m_sin(x), sin(6.283185307179586476925L * (x - floor(x))), 1e-14);
        ck_assert_double_eq_tol(m_normal(x), 0.5 * erfc(-x * 0.70710678118654752440), 3e-15);
        ck_assert(m_floor(x) == floor(x));
        if (i > 0) {
            ck_assert_double_eq_tol(m_log2(x), log2(x), 1e-14);
            ck_assert_double_eq_tol(m_log2(x * 4e9), log2(x * 4e9), 1e-14);
        }
    }
    ck_assert(m_exp(0) == 1);
    ck_assert(m_log2(1) == 0);
    ck_assert(m_log2(1024) == 10);
}
END_TEST

START_TEST(tone_curve_and_inverse)
{
    ck_assert_double_eq_tol(sensor_tone(0), 0, 1e-15);
    ck_assert_double_eq_tol(sensor_tone(1), 1, 1e-15);
    for (int level = 0; level < LEVELS; level++)
        ck_assert_int_eq(sensor_level(sensor_light((double)level / LEVEL_STEP / 255)), level);
    ck_assert_int_eq(sensor_level(-1), 0);
    ck_assert_int_eq(sensor_level(1e300), LEVEL_MAX);
}
END_TEST

/* ---- entropy ---- */

static const struct { double full, sigma; } sensors[] = {
    { 4000, 6 }, { 250, 3 }, { 40, 0.6 }, { 250, 6 }, { 20000, 2 }, { 400000, 60 }
};
enum { SENSORS = sizeof sensors / sizeof *sensors };

static sensor *made(int i)
{
    sensor *s = malloc(sizeof *s);
    ck_assert_int_eq(sensor_make(s, sensors[i].full, sensors[i].sigma), HZ_OK);
    return s;
}

/* The definition, in long double with libm: P(electrons = n) by logarithms of factorials, P(Y <= k) by summing over n. */
typedef struct brute { long double mass[40000]; long first, count; } brute;

static void brute_poisson(brute *b, long double mean)
{
    long double spread = 12 * sqrtl(mean) + 60;
    b->first = mean > spread ? (long)(mean - spread) : 0;
    b->count = (long)(mean + spread) - b->first + 1;
    for (long i = 0; i < b->count; i++) {
        long double n = b->first + i;
        b->mass[i] = mean > 0 ? expl(n * logl(mean) - mean - lgammal(n + 1)) : n == 0;
    }
}

static long double brute_upto(const brute *b, double full, double sigma, int k)
{
    if (k >= 255)
        return 1;
    long double low = sqrtl(0.02L), span = sqrtl(1.02L) - low, root = (k + 0.5L) / 255 * span + low;
    long double edge = full * (root * root - 0.02L), sum = 0;
    for (long i = 0; i < b->count; i++) {
        long double z = (b->first + i - edge) / sigma;
        sum += z > 12 ? 0 : z < -12 ? b->mass[i] : b->mass[i] * 0.5L * erfcl(z / 1.41421356237309504880L);
    }
    return sum;
}

START_TEST(table_is_the_exact_distribution)
{
    static const int levels[] = { 0, 1, 7, 40, 333, 1024, 2049, 3500, 4072, 4080, 4100, LEVEL_MAX };
    sensor *s = made(_i);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        int level = levels[i];
        long double tone = level / 4080.0L, low = sqrtl(0.02L), root = tone * (sqrtl(1.02L) - low) + low;
        long double last = 0, bits = 0;
        static brute direct;
        brute_poisson(&direct, sensors[_i].full * (root * root - 0.02L));
        for (int k = 0; k < VALUES; k++) {
            long double p = brute_upto(&direct, sensors[_i].full, sensors[_i].sigma, k);
            long double table = k < s->lo[level] ? 0 : k >= s->hi[level] ? 1 : s->upto[level][k] / 4294967296.0L;
            ck_assert_msg(fabsl(table - p) < 1.3e-10L, "level %d, value %d: %.12Lf, not %.12Lf", level, k, table, p);
            if (p > last)
                bits -= (p - last) * log2l(p - last);
            last = p > last ? p : last;
        }
        ck_assert_msg(fabsl(bits - s->entropy[level]) < 1e-6L, "level %d: %.9f bits, not %.9Lf", level, s->entropy[level], bits);
    }
    free(s);
}
END_TEST

static double standard_uniform(void) { return (rand() + 0.5) / (RAND_MAX + 1.0); }

static double standard_normal(void)
{
    return sqrt(-2 * log(standard_uniform())) * cos(6.283185307179586 * standard_uniform());
}

/* Electrons one by one (as gaps between events), a Gaussian, the tone curve, rounding, clipping. */
static int simulate(double full, double sigma, double mean)
{
    int electrons = -1;
    for (double t = 0; t < mean; electrons++)
        t -= log(standard_uniform());
    double x = m_max((m_max(electrons, 0) + sigma * standard_normal()) / full, -0.02);
    double y = floor(255 * (sqrt(x + 0.02) - sqrt(0.02)) / (sqrt(1.02) - sqrt(0.02)) + 0.5);
    return (int)m_clamp(y, 0, 255);
}

/* Plug-in estimate with the Miller-Madow correction. */
static double estimate(const int count[VALUES], int draws)
{
    double bits = 0;
    int used = 0;
    for (int k = 0; k < VALUES; k++)
        if (count[k]) {
            bits -= (double)count[k] / draws * log2((double)count[k] / draws);
            used++;
        }
    return bits + (used - 1) / (2 * draws * 0.6931471805599453);
}

START_TEST(entropy_agrees_with_simulated_electrons)
{
    enum { DRAWS = 60000 };
    static const int levels[] = { 0, 200, 900 };
    sensor *s = made(1);
    srand(1);
    for (int i = 0; i < 3; i++) {
        int simulated[VALUES] = { 0 }, drawn[VALUES] = { 0 };
        double mean = sensors[1].full * sensor_light(levels[i] / 4080.0);
        for (int d = 0; d < DRAWS; d++) {
            simulated[simulate(sensors[1].full, sensors[1].sigma, mean)]++;
            drawn[sensor_draw(s, levels[i], hz_random(1, (uint64_t)d, 0, 0, 0, HZ_FOR_SENSOR))]++;
        }
        ck_assert_double_eq_tol(estimate(simulated, DRAWS), s->entropy[levels[i]], 0.02);
        ck_assert_double_eq_tol(estimate(drawn, DRAWS), s->entropy[levels[i]], 0.02);
    }
    free(s);
}
END_TEST

START_TEST(drawing_inverts_the_table)
{
    sensor *s = made(0);
    for (int level = 0; level < LEVELS; level += 61) {
        int k = s->lo[level];
        ck_assert_int_eq(sensor_draw(s, level, 0), k);
        ck_assert_int_eq(sensor_draw(s, level, 0xffffffff), s->hi[level]);
        for (; k < s->hi[level]; k++) {
            uint32_t upto = s->upto[level][k];
            if (k == s->lo[level] || upto > s->upto[level][k - 1])
                ck_assert_int_eq(sensor_draw(s, level, upto - 1), k);
            ck_assert_int_gt(sensor_draw(s, level, upto), k);
        }
    }
    free(s);
}
END_TEST

/* The recorded entropy is the mean over the samples of the entropy at the light that fell on each. */
START_TEST(recorded_entropy_is_that_of_the_scene)
{
    float recorded[3];
    render((hz_camera_spec){ .seed = 4 }, 500, 3, NULL, recorded);
    sensor *s = made(0);
    for (uint32_t i = 0; i < 3; i++) {
        scene view;
        scene_make(&view, 4, 500 + i, 0);
        double bits = 0, rgb[3];
        for (int p = 1023; p >= 0; p--) {
            scene_light(&view, (p % 32 - 15.5) / 16, (15.5 - p / 32) / 16, 1.0 / 16, rgb);
            for (int c = 0; c < 3; c++)
                bits += s->entropy[sensor_level(rgb[c])];
        }
        ck_assert_double_eq_tol(recorded[i], bits / IMAGE, 1e-6);
    }
    free(s);
}
END_TEST

/* Noise of neighbours and of the channels of a pixel must be uncorrelated. */
START_TEST(noise_is_independent_per_sample)
{
    enum { N = 60 };
    static uint8_t noisy[N * IMAGE], clean[N * IMAGE];
    render((hz_camera_spec){ 0 }, 0, N, noisy, NULL);
    render((hz_camera_spec){ .noise_free = 1 }, 0, N, clean, NULL);
    static const int lags[] = { 1, 2, 3, 4, 96, IMAGE };
    double mean = 0, power = 0;
    for (int i = 0; i < N * IMAGE; i++) {
        mean += noisy[i] - clean[i];
        power += (noisy[i] - clean[i]) * (noisy[i] - clean[i]);
    }
    ck_assert_double_eq_tol(mean / (N * IMAGE), 0, 0.1);
    for (size_t l = 0; l < sizeof lags / sizeof *lags; l++) {
        double sum = 0;
        for (int i = 0; i + lags[l] < N * IMAGE; i++)
            sum += (noisy[i] - clean[i]) * (noisy[i + lags[l]] - clean[i + lags[l]]);
        ck_assert_msg(fabs(sum / power) < 0.012, "lag %d: correlation %g", lags[l], sum / power);      /* five deviations */
    }
}
END_TEST

/* ---- reproducibility ---- */

static const struct { hz_camera_spec spec; uint64_t digest; } golden[] = {
    { { 0 }, 0x606be3269a917c5e },
    { { .noise_free = 1 }, 0x41077d5c1a5e4f4a },
    { { .seed = 123456789012345, .height = 24, .width = 40, .noise = 2.5, .texture = 1.5, .exposure = -0.7, .gain = 1.1 },
      0x95b391d3a241be6d },
};

/* Recorded with gcc 12 on x86-64; any other compiler, option or machine must yield the same bytes. */
START_TEST(golden_bytes)
{
    enum { N = 20 };
    static uint8_t pixels[N * IMAGE];
    float entropy[N];
    memset(pixels, 0, sizeof pixels);
    render(golden[_i].spec, 12345, N, pixels, entropy);
    uint64_t digest = fnv(pixels, sizeof pixels) ^ fnv(entropy, sizeof entropy);
    ck_assert_msg(digest == golden[_i].digest, "case %d: digest 0x%016llx, not 0x%016llx", _i, (unsigned long long)digest,
                  (unsigned long long)golden[_i].digest);
}
END_TEST

typedef struct half {
    const hz_camera *camera;
    int64_t first, count;
    uint8_t *pixels;
    int32_t *labels;
    float *entropy;
} half;

static void *render_half(void *p)
{
    half *h = p;
    return (void *)(intptr_t)hz_camera_render(h->camera, h->first, h->count, h->pixels, h->labels, h->entropy);
}

START_TEST(parts_equal_the_whole)
{
    enum { N = 41, CUT = 17 };
    static uint8_t whole[N * IMAGE], parts[N * IMAGE];
    int32_t labels[2][N];
    float entropy[2][N];
    hz_camera *camera = camera_of((hz_camera_spec){ .seed = 9 });
    ck_assert_int_eq(hz_camera_render(camera, 3, N, whole, labels[0], entropy[0]), HZ_OK);
    half a = { camera, 3, CUT, parts, labels[1], entropy[1] };
    half b = { camera, 3 + CUT, N - CUT, parts + CUT * IMAGE, labels[1] + CUT, entropy[1] + CUT };
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, render_half, &b), 0);
    ck_assert_ptr_null(render_half(&a));
    void *status;
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    ck_assert_mem_eq(whole, parts, sizeof whole);
    ck_assert_mem_eq(labels[0], labels[1], sizeof labels[0]);
    ck_assert_mem_eq(entropy[0], entropy[1], sizeof entropy[0]);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(labels[0][i], (3 + i) % HZ_CAMERA_CLASSES);
    hz_camera_free(camera);
}
END_TEST

/* ---- knobs ---- */

static double distance(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    for (int i = 0; i < 10 * IMAGE; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (10 * IMAGE));
}

START_TEST(knobs_do_what_they_say)
{
    static uint8_t plain[10 * IMAGE], other[10 * IMAGE];
    float bits[10], more[10];
    render((hz_camera_spec){ .noise_free = 1 }, 0, 10, plain, bits);
    for (int i = 0; i < 10; i++)
        ck_assert(bits[i] == 0);
    render((hz_camera_spec){ 0 }, 0, 10, other, bits);
    double noise = distance(plain, other);
    ck_assert_double_gt(noise, 1.5);
    render((hz_camera_spec){ .noise = 2 }, 0, 10, other, more);
    ck_assert_double_eq_tol(distance(plain, other) / noise, 2, 0.1);
    for (int i = 0; i < 10; i++)
        ck_assert_double_eq_tol(more[i] - bits[i], 1, 0.1);          /* twice the deviation: one bit more */
    render((hz_camera_spec){ .noise = 0.1 }, 0, 10, other, more);
    ck_assert_double_lt(distance(plain, other), 0.5);
    render((hz_camera_spec){ .noise_free = 1, .exposure = -1, .gain = 1 }, 0, 10, other, NULL);
    ck_assert_double_lt(distance(plain, other), 0.1);                /* equal brightness, up to rounding of 2^0 */
    render((hz_camera_spec){ .noise_free = 1, .exposure = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 20);
    render((hz_camera_spec){ .noise_free = 1, .texture = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 4);
    render((hz_camera_spec){ .noise_free = 1, .seed = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 20);
}
END_TEST

static const struct { hz_camera_spec spec; const char *word; } wrong[] = {
    { { .height = 7 }, "height is 7" },
    { { .width = 513 }, "width is 513" },
    { { .width = -1 }, "width is -1" },
    { { .noise = 0.05 }, "noise is 0.05" },
    { { .noise = -1 }, "noise is -1" },
    { { .noise = NAN }, "noise is" },
    { { .noise_free = 2 }, "noise_free is 2" },
    { { .texture = 4.5 }, "texture is 4.5" },
    { { .exposure = INFINITY }, "exposure is inf" },
    { { .gain = -5 }, "gain is -5" },
};

START_TEST(bad_knobs_are_named)
{
    ck_assert_ptr_null(hz_camera_new(&wrong[_i].spec));
    ck_assert_msg(strstr(hz_message(), wrong[_i].word) != NULL, "%s", hz_message());
}
END_TEST

START_TEST(ends_of_the_knobs_work)
{
    float bits[2];
    for (int corner = 0; corner < 16; corner++) {
        hz_camera_spec spec = { .height = 8, .width = 9, .noise = corner & 1 ? 10 : 0.1, .texture = corner & 2 ? 4 : 0,
                                .exposure = corner & 4 ? 4 : -4, .gain = corner & 8 ? 4 : -4 };
        render(spec, ((int64_t)1 << 32) - 2, 2, NULL, bits);
        ck_assert(bits[0] >= 0 && bits[0] < 8 && bits[1] >= 0 && bits[1] < 8);
    }
}
END_TEST

START_TEST(bad_ranges_are_errors)
{
    hz_camera *camera = hz_camera_new(NULL);
    ck_assert_int_eq(hz_camera_knobs(camera)->height, 32);
    ck_assert_int_eq(hz_camera_render(camera, -1, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, 0, -1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, (int64_t)1 << 32, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, 1, INT64_MAX, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(NULL, 0, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, (int64_t)1 << 32, 0, NULL, NULL, NULL), HZ_OK);
    hz_camera_free(camera);
    hz_camera_free(NULL);
    ck_assert_str_eq(hz_camera_class(0), "ball");
    ck_assert_ptr_null(hz_camera_class(-1));
    ck_assert_ptr_null(hz_camera_class(HZ_CAMERA_CLASSES));
    ck_assert_int_eq(hz_live_bytes(), 0);
}
END_TEST

/* ---- scenes ---- */

START_TEST(outlines_fill_their_frame)
{
    for (int label = 0; label < HZ_CAMERA_CLASSES; label++)
        for (int form = 0; form <= 2; form++) {
            double reach = 0;
            int area = 0;
            for (int i = -60; i <= 60; i++)
                for (int j = -60; j <= 60; j++)
                    if (shape_distance(label, i / 40.0, j / 40.0, form / 2.0) < 0) {
                        area++;
                        reach = m_max(reach, m_max(m_abs(i), m_abs(j)) / 40.0);
                    }
            ck_assert_msg(reach > 0.6 && reach <= 1.1, "%s reaches to %g", shape_name(label), reach);
            ck_assert_int_gt(area, 500);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("camera");
    TCase *c = tcase_create("camera");
    tcase_add_test(c, functions_agree_with_libm);
    tcase_add_test(c, tone_curve_and_inverse);
    tcase_add_loop_test(c, table_is_the_exact_distribution, 0, SENSORS);
    tcase_add_test(c, entropy_agrees_with_simulated_electrons);
    tcase_add_test(c, drawing_inverts_the_table);
    tcase_add_test(c, recorded_entropy_is_that_of_the_scene);
    tcase_add_test(c, noise_is_independent_per_sample);
    tcase_add_loop_test(c, golden_bytes, 0, (int)(sizeof golden / sizeof *golden));
    tcase_add_test(c, parts_equal_the_whole);
    tcase_add_test(c, knobs_do_what_they_say);
    tcase_add_loop_test(c, bad_knobs_are_named, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(c, ends_of_the_knobs_work);
    tcase_add_test(c, bad_ranges_are_errors);
    tcase_add_test(c, outlines_fill_their_frame);
    tcase_set_timeout(c, 120);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

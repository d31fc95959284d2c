/* camera_sensor_test.c: the sensor of the embedded data set and the functions under it. The tabulated distribution
   and its entropy stand against two independent computations: direct sums with libm in long double, and simulated
   electrons. The sensor is included as source: it is not exported. */
#include "camera/sensor.c"
#include "hz/philox.h"
#include "suite.h"
#include <stdlib.h>

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

/* The definition, in long double with libm: P(electrons = n) by logarithms of factorials, P(Y <= k)
   by summing over n. */
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
        ck_assert_msg(fabsl(bits - s->entropy[level]) < 1e-6L, "level %d: %.9f bits, not %.9Lf", level,
                      s->entropy[level], bits);
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

int main(void)
{
    return RUN_SUITE("camera_sensor", ONCE(functions_agree_with_libm), ONCE(tone_curve_and_inverse),
                     RANGE(table_is_the_exact_distribution, 0, SENSORS), ONCE(entropy_agrees_with_simulated_electrons),
                     ONCE(drawing_inverts_the_table));
}

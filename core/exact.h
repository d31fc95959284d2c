/* exact.h: the few functions the embedded data sets need, from IEEE 754 additions, multiplications, divisions and
   square roots alone, so that every machine computes the same bits; a libm may round its exp or sin as it likes.
   Accuracy is a few units in the last place, which the tests compare with libm. Core only. */
#ifndef HZ_CORE_EXACT_H
#define HZ_CORE_EXACT_H
#include <float.h>
#include <math.h>       /* sqrt only: IEEE 754 rounds it correctly everywhere */
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "the embedded data sets need arithmetic in the type's own precision (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

static inline double m_floor(double x)      /* |x| < 2^62 */
{
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

static inline double m_min(double a, double b) { return a < b ? a : b; }
static inline double m_max(double a, double b) { return a > b ? a : b; }
static inline double m_abs(double a) { return a < 0 ? -a : a; }
static inline double m_clamp(double x, double lo, double hi) { return m_min(m_max(x, lo), hi); }
static inline double m_mix(double a, double b, double t) { return a + (b - a) * t; }
static inline double m_length(double x, double y) { return sqrt(x * x + y * y); }

/* 0 below 0, 1 above 1, 3t^2 - 2t^3 between. */
static inline double m_smooth(double t)
{
    t = m_clamp(t, 0, 1);
    return t * t * (3 - 2 * t);
}

/* 2^k for -1022 <= k <= 1023. */
static inline double m_power2(int k)
{
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x for -700 <= x <= 700: x = k ln 2 + r with |r| <= ln 2 / 2, then the Taylor series of e^r to r^13. */
static inline double m_exp(double x)
{
    double k = m_floor(x * 1.4426950408889634 + 0.5);
    double r = (x - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;      /* ln 2 in two parts */
    double sum = 1;
    for (int i = 13; i > 0; i--)
        sum = 1 + sum * r / i;
    return sum * m_power2((int)k);
}

/* log2 x for normal x > 0: x = 2^k m with m in [sqrt 1/2, sqrt 2), then ln m = 2 atanh((m - 1)/(m + 1)). */
static inline double m_log2(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    double z = (m - 1) / (m + 1), z2 = z * z, sum = 0;
    for (int i = 23; i > 0; i -= 2)
        sum = sum * z2 + 1.0 / i;
    return k + 2 * z * sum * 1.4426950408889634;
}

/* sin(2 pi t) for |t| < 2^50: the angle is counted in turns, so that the reduction is exact. */
static inline double m_sin(double turns)
{
    double t = turns - m_floor(turns + 0.5);                /* -1/2 .. 1/2 */
    if (t > 0.25)
        t = 0.5 - t;
    else if (t < -0.25)
        t = -0.5 - t;
    double x = t * 6.283185307179586, x2 = x * x, sum = 1;
    for (int i = 20; i > 0; i -= 2)
        sum = 1 - sum * x2 / (i * (i + 1));
    return x * sum;
}

static inline double m_cos(double turns) { return m_sin(turns + 0.25); }

/* The normal distribution function, to about 1e-15 absolute (Marsaglia, J. Stat. Software 11, 2004):
   1/2 + phi(x) (x + x^3/3 + x^5/15 + ...). */
static inline double m_normal(double x)
{
    if (x > 8.5 || x < -8.5)
        return x > 0;
    double term = x, sum = x;
    for (int i = 3; m_abs(term) > 1e-18; i += 2) {
        term *= x * x / i;
        sum += term;
    }
    return 0.5 + sum * m_exp(-0.5 * x * x) * 0.3989422804014327;
}

#endif

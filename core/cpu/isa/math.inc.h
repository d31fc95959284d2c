/* math.inc.h: exp, tanh, erf over V, each within a few units in the last place; NaN goes in and comes out. */

INLINE V v_abs(V x) { return (V)((VI)x & 0x7fffffff); }

/* e^r - 1 for |r| <= ln2/2 by a polynomial of degree 7 (Cephes expf). */
INLINE V v_exp_near(V r)
{
    V p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    return v_fma(p, r * r, r);
}

/* e^x = 2^n * e^r, |r| <= ln2/2. Below -103 it is 0, above
   88.7 infinite. */
INLINE V v_exp(V x)
{
    V y = v_max(v_set(-104.0f), v_min(v_set(88.8f), x));
    /* 1.5*2^23: rounds to an integer in the low bits */
    V shifted = v_fma(y, v_set(1.44269504088896341f), v_set(12582912.0f));
    VI n = (VI)shifted - 0x4b400000;
    V whole = shifted - 12582912.0f;
    V r = v_fma(whole, v_set(-0.693359375f), y);
    r = v_fma(whole, v_set(2.12194440e-4f), r);
    V p = v_exp_near(r) + 1.0f;
    VI half = n >> 1;      /* in two steps: 2^128 and denormals come out right */
    p = p * (V)((half + 127) << 23) * (V)((n - half + 127) << 23);
    return v_select(x != x, x, p);
}

/* The same to the same bit for |x| <= 40, in fewer steps: no power of 2 leaves the range of normal numbers, so its
   exponent is added at once. near: e^x - 1 without cancellation, of |x| < 0.34. Of NaN: anything. */
INLINE V v_exp_middle(V x, V *near)
{
    V shifted = v_fma(x, v_set(1.44269504088896341f), v_set(12582912.0f)), whole = shifted - 12582912.0f;
    V r = v_fma(whole, v_set(-0.693359375f), x);
    *near = v_exp_near(v_fma(whole, v_set(2.12194440e-4f), r));
    return (V)((VW)(*near + 1.0f) + ((VW)shifted << 23));
}

/* e^x - 1 for x <= 0; below -30 it is -1. The limit: what follows -0.34. Of x > 0 or NaN: anything. */
INLINE V v_expm1_low(V x)
{
    V near, far = v_exp_middle(v_max(v_set(-30.0f), x), &near) - 1.0f;
    return v_below(x, -0x1.5c28f4p-2f, far, near);
}

/* Near 0 an odd polynomial (Cephes tanhf), else 1 - 2/(e^2|x| + 1), which is 1 from 2|x| = 40 on. The limit: what
   comes before 0.625. */
INLINE V v_tanh(V x)
{
    V z = x * x, p = v_set(-5.70498872745e-3f), unused;
    p = v_fma(p, z, v_set(2.06390887954e-2f));
    p = v_fma(p, z, v_set(-5.37397155531e-2f));
    p = v_fma(p, z, v_set(1.33314422036e-1f));
    p = v_fma(p, z, v_set(-3.33332819422e-1f));
    p = v_fma(p * z, x, x);
    V a = v_abs(x), big = 1.0f - 2.0f / (v_exp_middle(v_min(v_set(40.0f), a + a), &unused) + 1.0f);
    big = (V)((VI)big | ((VI)x & (int32_t)0x80000000));
    return v_below(-a, -0x1.3ffffep-1f, big, p);
}

INLINE V v_sigmoid(V x) { return 1.0f / (1.0f + v_exp(-x)); }

/* erf as a ratio of polynomials in x^2 on [-4,4], where it reaches 1 in f32 (the coefficients of Eigen's perf): what
   is above the line, and *q below it. */
INLINE V v_erf_parts(V x, V *below)
{
    V y = v_max(v_set(-4.0f), v_min(v_set(4.0f), x));
    V z = y * y, p = v_set(-2.72614225801306e-10f), q = v_set(-1.45660718464996e-05f);
    p = v_fma(p, z, v_set(2.77068142495902e-08f));
    p = v_fma(p, z, v_set(-2.10102402082508e-06f));
    p = v_fma(p, z, v_set(-5.69250639462346e-05f));
    p = v_fma(p, z, v_set(-7.34990630326855e-04f));
    p = v_fma(p, z, v_set(-2.95459980854025e-03f));
    p = v_fma(p, z, v_set(-1.60960333262415e-02f));
    q = v_fma(q, z, v_set(-2.13374055278905e-04f));
    q = v_fma(q, z, v_set(-1.68282697438203e-03f));
    q = v_fma(q, z, v_set(-7.37332916720468e-03f));
    *below = v_fma(q, z, v_set(-1.42647390514189e-02f));
    return y * p;
}

/* x*Phi(x), by a quotient that does not wait for a division. */
INLINE V v_gelu(V x)
{
    V q, p = v_erf_parts(x * 0.70710678118654752f, &q), half = x * 0.5f;
    return v_fma(half, v_quotient(p, q), half);
}

/* Phi(x) + x*phi(x): the upper tail is phi times a polynomial in t = 1/(1 + 0.2316419 |x|), off by 7.5e-8 at most
   (Abramowitz and Stegun, 26.2.17). Beyond 8.9, where both are constant in f32, x counts as that. */
INLINE V v_gelu_slope(V given)
{
    V x = v_max(v_set(-8.9f), v_min(v_set(8.9f), given)), unused;
    V phi = 0.39894228040143268f * v_exp_middle(x * x * -0.5f, &unused);
    V t = v_quotient(v_set(1.0f), v_fma(v_abs(x), v_set(0.2316419f), v_set(1.0f))), p = v_set(1.330274429f);
    p = v_fma(p, t, v_set(-1.821255978f));
    p = v_fma(p, t, v_set(1.781477937f));
    p = v_fma(p, t, v_set(-0.356563782f));
    p = v_fma(p, t, v_set(0.319381530f));
    return v_fma(x, phi, v_upper(x, phi * (p * t)));
}

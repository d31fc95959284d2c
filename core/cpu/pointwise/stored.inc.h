/* stored.inc.h: loops over activations of storage type S (cpu_stored), included once per type with
     S, F(name)                    the type, and the function's name for it
     s_part, s_store_part          V from and to the first n elements, 0 <= n <= LANES
     s_each(n, to, value, ...)     to[i..] = value(i, have, ...) for all n elements (vector.h)
     s_store_product               the same of a product of an S and a number that is no NaN
     S_INT                         a signed integer of its size
     s_bytes                       a vector of them from the first n of bytes */

/* ---- activations ---- */

INLINE V F(act_at)(int64_t i, int have, S *to, const S *a, const S *b, const int act, const int kind, V alpha)
{
    v_fetch(a + i);
    if (kind != ACT_ONE)
        v_fetch(b + i);
    v_fetch_written(to + i);
    V x = s_part(a + i, have), y = kind == ACT_ONE ? x : s_part(b + i, have);
    return kind == ACT_ONE ? act_one(x, act, alpha) : kind == ACT_GRAD ? act_slope(x, y, act, alpha)
                                                                       : act_one(x + y, act, alpha);
}

INLINE void F(act_loop)(S *to, const S *a, const S *b, int64_t n, const int act, const int kind, V alpha)
{
    s_each(n, to, F(act_at), to, a, b, act, kind, alpha);
}

INLINE void F(act_switch)(void *to, const void *a, const void *b, int64_t n, int act, const int kind, float given)
{
    V alpha = v_set(given);
#define STORED(which) F(act_loop)(to, a, b, n, which, kind, alpha)
    EACH_ACT(act, STORED)
#undef STORED
}

/* y = act(x) */
static void F(act)(void *y, const void *x, int64_t n, int which, float alpha)
{
    F(act_switch)(y, x, NULL, n, which, ACT_ONE, alpha);
}
/* dx = dy * act'(y) */
static void F(act_grad)(void *dx, const void *dy, const void *y, int64_t n, int which, float alpha)
{
    F(act_switch)(dx, dy, y, n, which, ACT_GRAD, alpha);
}
/* y = act(a + b) */
static void F(act_add)(void *y, const void *a, const void *b, int64_t n, int which, float alpha)
{
    F(act_switch)(y, a, b, n, which, ACT_ADD, alpha);
}

/* ---- dropout and the batch ---- */

/* Elements i.. of x, `have` of them, at most 4*PHILOX vectors. */
INLINE void F(dropout_part)(int64_t i, int have, S *y, const S *x, uint8_t *mask, int64_t first, int32_t least,
                            float scale, const philox_round *p)
{
    VI words[2 * PHILOX];
    uint8_t rest[PHILOX * LANES / 2 + 1], *bits = have == 4 * PHILOX * LANES ? mask + i / 8 : rest;
    philox_lanes((uint32_t)((first + i) / 8), p, words);
    UNROLL for (int j = 0; j < 4 * PHILOX; j++) {
        int64_t at = i + j * LANES;
        int left = have - j * LANES, n = left >= LANES ? LANES : left > 0 ? left : 0;
        VH halves;
        memcpy(&halves, (const char *)&words[j / 2] + j % 2 * sizeof halves, sizeof halves);
        VI number = v_words(halves);
        s_store_product(y + at, (V)((number >= least) & (VI)(s_part(x + at, n) * scale)), n);
        keep_bits(bits, j, number, (VI){ 0 } + least);
    }
    if (bits == rest) {
        if (have % 8)
            rest[have / 8] &= (uint8_t)((1 << have % 8) - 1);
        memcpy(mask + i / 8, rest, (size_t)(have + 7) / 8);
    }
}

/* y = x/(1-rate) where the element's uniform number is at least rate, else 0; mask says where. x is element `first`
   of its item on, a multiple of 8. */
static void F(dropout)(void *out, const void *in, uint8_t *mask, int64_t n, int64_t first, const cpu_dropout *d)
{
    enum { STEP = 4 * PHILOX * LANES };
    int32_t least = (int32_t)ceilf(d->rate * 65536.0f);
    float scale = 1 / (1 - d->rate);
    philox_round p;
    philox_start(&p, d);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        F(dropout_part)(i, STEP, out, in, mask, first, least, scale, &p);
    if (i < n)
        F(dropout_part)(i, (int)(n - i), out, in, mask, first, least, scale, &p);
}

INLINE void F(keep_part)(int64_t i, int have, S *y, const S *x, const uint8_t *mask, float scale)
{
    s_store_product(y + i, (V)(kept_lanes(mask, i, have) & (VI)(s_part(x + i, have) * scale)), have);
}

/* y = x*scale where the mask has a bit, else 0 */
static void F(keep)(void *y, const void *x, const uint8_t *mask, int64_t n, float scale)
{
    EACH_VECTOR(n, F(keep_part), y, x, mask, scale);
}

INLINE V F(scale_bytes_at)(int64_t i, int have, const uint8_t *x, const float *a, const float *b)
{
    V v = __builtin_convertvector(v_bytes(x + i, have), V);
    return v_fma(v, v_part(a + i, have), v_part(b + i, have));
}

/* y = (x*scale - mean)/deviation as x*a + b, a and b given for each position of the row. */
static void F(scale_bytes)(void *y, const uint8_t *x, const float *a, const float *b, int64_t n)
{
    S *to = y;
    s_each(n, to, F(scale_bytes_at), x, a, b);
}

INLINE V F(scale_floats_at)(int64_t i, int have, const float *x, const float *a, const float *b)
{
    return v_fma(v_part(x + i, have), v_part(a + i, have), v_part(b + i, have));
}

static void F(scale_floats)(void *y, const float *x, const float *a, const float *b, int64_t n)
{
    S *to = y;
    s_each(n, to, F(scale_floats_at), x, a, b);
}

#include "cpu/pointwise/rows.inc.h"

static const cpu_stored F(stored) = {
    .act = F(act), .act_grad = F(act_grad), .act_add = F(act_add), .dropout = F(dropout), .keep = F(keep),
    .scale_bytes = F(scale_bytes), .scale_floats = F(scale_floats), .sum_rows = F(sum_rows), .pool_max = F(pool_max),
    .pool_max_grad = F(pool_max_grad), .pool_max_back = F(pool_max_back), .pool_mean = F(pool_mean),
    .pool_mean_grad = F(pool_mean_grad),
    .norm_squares = F(norm_squares), .norm_sums = F(norm_sums),
    .norm_apply = F(norm_apply), .norm_gelu = F(norm_gelu), .norm_gelu_grad = F(norm_gelu_grad),
    .run_moments = F(run_moments), .run_dots = F(run_dots), .run_apply = F(run_apply),
};

#undef S
#undef F
#undef s_part
#undef s_store_part
#undef s_each
#undef s_store_product
#undef S_INT
#undef s_bytes

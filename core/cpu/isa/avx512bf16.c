/* avx512bf16.c: the bf16 slots of AVX-512 with BF16; the others stay as AVX-512 made them. A product of pairs keeps 8
   rows by 2 vectors of sums in registers. */
#include "cpu/pairs/pairs.h"
#include "number.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define LANES 16
#define MUL_WIDE(a, b) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define AT_LEAST(a, b) _mm512_cmpge_epi32_mask((__m512i)(a), (__m512i)(b))
#include "cpu/vector.h"
#define UNROLL _Pragma("GCC unroll 16")
#include "cpu/pointwise/act.inc.h"
#include "cpu/pointwise/random.inc.h"
#include "cpu/pointwise/bf16.inc.h"
#include "cpu/wino/weights.inc.h"
#include "cpu/wino/poly_math.inc.h"

enum { ROWS = 8 };            /* of a product at a time, a divisor of 16 */

/* 12 chains of vdpbf16ps: each does 32 multiply-adds of bf16 pairs into 16 f32 sums. */
static double peak_bf16(long steps)
{
    __m512 sum[12];
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f003f00), b = (__m512bh)_mm512_set1_epi32(0x3a803a80);
    for (int i = 0; i < 12; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (long s = 0; s < steps; s++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, b);
    }
    for (int i = 1; i < 12; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    volatile float keep;
    keep = _mm512_cvtss_f32(sum[0]);
    (void)keep;
    return 12.0 * 64 * (double)steps;
}

/* ---- products ---- */

static void nothing(void) {}

/* One term into the sums of 8 rows. */
INLINE void term(__m512 s[ROWS][2], const uint16_t *a, const uint16_t *b)
{
    for (int i = 0; i < PAIRS; i += 2, b += 2 * PAIRS) {
        __m512bh w0 = (__m512bh)_mm512_loadu_si512(b), w1 = (__m512bh)_mm512_loadu_si512(b + PAIRS);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            int32_t pair;
            memcpy(&pair, a + r * PAIRS + i, sizeof pair);
            __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            s[r][0] = _mm512_dpbf16_ps(s[r][0], x, w0);
            s[r][1] = _mm512_dpbf16_ps(s[r][1], x, w1);
        }
    }
}

/* 8 rows from `first` on of block k. */
static void rows(const pairs_product *p, int k, int first)
{
    __m512 s[ROWS][2];
    const uint16_t *a = p->a + (pairs_tiles_of(p, k)[first / 16] + first % 16) * PAIRS, *b = pairs_weights(p, k);
    float *c = pairs_sums(p, k) + first * 16;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        s[r][0] = p->add ? _mm512_loadu_ps(c + r * 16) : _mm512_setzero_ps();
        s[r][1] = p->add ? _mm512_loadu_ps(c + PAIRS_HALF + r * 16) : _mm512_setzero_ps();
    }
    for (int t = 0; t < p->terms; t++) {
        if (t % (PAIRS / ROWS) == first / ROWS)          /* each term once, though the rows come in turn */
            pairs_fetch(p->ahead);
        term(s, a + p->offset[t], b + t * PAIRS_BLOCK);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(c + r * 16, s[r][0]);
        _mm512_storeu_ps(c + PAIRS_HALF + r * 16, s[r][1]);
    }
}

/* ---- outputs ---- */

/* 32 sums to outputs; x: the gate. */
INLINE __m512i finished(V low, V high, __m512i x, const int gated, const int act, V alpha)
{
    if (gated && act == HZ_RELU) {
        __m512i v = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
        return _mm512_maskz_mov_epi16(_mm512_cmpgt_epi16_mask(x, _mm512_setzero_si512()), v);
    }
    if (!gated && act == HZ_RELU) {               /* of NaN and of -0 the second operand is the result, as it should */
        __m512 zero = _mm512_setzero_ps();
        return (__m512i)_mm512_cvtne2ps_pbh(_mm512_max_ps(zero, (__m512)high), _mm512_max_ps(zero, (__m512)low));
    }
    V at_low = v_widen((VH)_mm512_castsi512_si256(x)), at_high = v_widen((VH)_mm512_extracti64x4_epi64(x, 1));
    low = gated ? act_slope(low, at_low, act, alpha) : act_one(low, act, alpha);
    high = gated ? act_slope(high, at_high, act, alpha) : act_one(high, act, alpha);
    return (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

INLINE void finish_rows(const pairs_finish *f, const float *c, int from, int to, const int gated, const int act)
{
    V b0 = f->bias ? v_load(f->bias) : v_set(0), b1 = f->bias ? v_load(f->bias + 16) : v_set(0);
    V alpha = v_set(f->alpha);
    __mmask32 have = f->columns == PAIRS ? 0xffffffff : (1u << f->columns) - 1;
    const int32_t *pixel = f->pixel;
    const uint16_t *gate = f->gate;
    uint16_t *y = f->y;
    pairs_ahead *ahead = f->ahead;
    int64_t step = f->step;
    uint64_t limit = (uint64_t)f->limit;
    for (int r = from; r < to; r++) {
        if (ahead && r % PAIRS_STRIDE == 0)
            pairs_fetch(ahead);
        if ((uint64_t)pixel[r] >= limit)          /* also where negative */
            continue;
        int64_t at = pixel[r] * step;
        __m512i x = gated ? _mm512_maskz_loadu_epi16(have, gate + at) : _mm512_setzero_si512();
        __m512i v = finished(v_load(c + r * 16) + b0, v_load(c + PAIRS_HALF + r * 16) + b1, x, gated, act, alpha);
        _mm512_mask_storeu_epi16(y + at, have, v);
    }
}

/* 8 words or floats of each of two outputs. */
INLINE V both_words(const __m128i x[2])
{
    return v_widen((VH)_mm256_inserti128_si256(_mm256_castsi128_si256(x[0]), x[1], 1));
}
INLINE V both_floats(const float *a, const float *b)
{
    return (V)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(a)), _mm256_loadu_ps(b), 1);
}

/* The same of outputs r and r + 1 of 17 to 24 columns: what is beyond 16 of both is one vector, so that an activation
   that takes long works on three in place of four. */
INLINE void finish_two(const pairs_finish *f, const float *c, int r, const int gated, const int act)
{
    V alpha = v_set(f->alpha), b0 = f->bias ? v_load(f->bias) : v_set(0);
    V v[3] = { v_load(c) + b0, v_load(c + 16) + b0, both_floats(c + PAIRS_HALF, c + PAIRS_HALF + 16) };
    V x[3] = { { 0 } };
    __m128i rest[2];
    __mmask16 first[2];
    __mmask8 more[2];
    int64_t at[2];
    v[2] += f->bias ? both_floats(f->bias + 16, f->bias + 16) : v_set(0);
    UNROLL for (int i = 0; i < 2; i++) {
        int there = f->pixel[r + i] >= 0 && f->pixel[r + i] < f->limit;
        at[i] = there ? f->pixel[r + i] * f->step : 0;
        first[i] = there ? 0xffff : 0;
        more[i] = there ? (__mmask8)((1u << (f->columns - 16)) - 1) : 0;
        if (gated)
            x[i] = v_widen((VH)_mm256_maskz_loadu_epi16(first[i], f->gate + at[i]));
        rest[i] = gated ? _mm_maskz_loadu_epi16(more[i], f->gate + at[i] + 16) : _mm_setzero_si128();
    }
    x[2] = both_words(rest);
    UNROLL for (int i = 0; i < 3; i++)
        v[i] = gated ? act_slope(v[i], x[i], act, alpha) : act_one(v[i], act, alpha);
    __m256i last = (__m256i)_mm512_cvtneps_pbh((__m512)v[2]);
    rest[0] = _mm256_castsi256_si128(last);
    rest[1] = _mm256_extracti128_si256(last, 1);
    UNROLL for (int i = 0; i < 2; i++) {
        _mm256_mask_storeu_epi16(f->y + at[i], first[i], (__m256i)_mm512_cvtneps_pbh((__m512)v[i]));
        _mm_mask_storeu_epi16(f->y + at[i] + 16, more[i], rest[i]);
    }
}

INLINE void finish_by_two(const pairs_finish *f, const float *c, int from, int to, const int gated, const int act)
{
    for (int r = from; r < to; r += 2) {
        if (f->ahead && r % PAIRS_STRIDE == 0)
            pairs_fetch(f->ahead);
        finish_two(f, c + r * 16, r, gated, act);
    }
}

static void finish(const pairs_finish *f, const float *c, int from, int to)
{
    int few = f->columns > 16 && f->columns <= 24 && from % 2 == 0 && to % 2 == 0;
#define FINISH(act) \
    if (few && act == HZ_GELU) \
        f->gate ? finish_by_two(f, c, from, to, 1, act) : finish_by_two(f, c, from, to, 0, act); \
    else \
        f->gate ? finish_rows(f, c, from, to, 1, act) : finish_rows(f, c, from, to, 0, act)
    EACH_ACT(f->act, FINISH)
#undef FINISH
}

static void product(const pairs_product *p)
{
    pairs_finish f = p->finish ? *p->finish : (pairs_finish){ 0 };
    for (int k = 0; k < p->blocks; k++, f.pixel += PAIRS) {
        for (int r = 0; r < (k + 1 == p->blocks && p->rows <= 16 ? 16 : 32); r += ROWS)
            rows(p, k, r);
        if (p->finish)
            finish(&f, pairs_sums(p, k), 0, PAIRS);
    }
}

/* ---- pairs ---- */

/* Two pixels of 16 channels as 16 pairs. */
INLINE __m512i side_by_side(const uint16_t *a, const uint16_t *b)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)a));
    return _mm512_permutexvar_epi16(order, _mm512_inserti64x4(low, _mm256_loadu_si256((const __m256i *)b), 1));
}

/* Columns of two inputs side by side. */
INLINE void store_pairs(__m512i a, __m512i b, uint16_t *out)
{
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(out + PAIRS, _mm512_permutex2var_epi16(a, _mm512_add_epi16(low, _mm512_set1_epi16(16)), b));
}

static void copy(const uint16_t *x, int64_t step, int64_t pixels, int channels, uint16_t *out, int64_t out_step)
{
    __mmask32 have = channels >= PAIRS ? 0xffffffff : (1u << channels) - 1;
    for (int64_t i = 0; i < pixels; i++)
        _mm512_storeu_si512(out + i * out_step, _mm512_maskz_loadu_epi16(have, x + i * step));
}

INLINE void lower_rows(const uint16_t *x, const int64_t *offset, const uint32_t *mask, const int rows, int64_t step,
                       int64_t pixels, uint16_t *out, int64_t out_step)
{
    for (int64_t p = 0; p < pixels; p++, x += step, out += out_step) {
        __m512i v = _mm512_setzero_si512();
#pragma GCC unroll 8
        for (int j = 0; j < rows; j++)
            v = _mm512_mask_loadu_epi16(v, mask[j], x + offset[j]);
        _mm512_storeu_si512(out, v);
    }
}

static void lower(const uint16_t *x, const int64_t *offset, const uint32_t *mask, int rows, int64_t step,
                  int64_t pixels, uint16_t *out, int64_t out_step)
{
    if (rows == 3) {                      /* all of 3x3 taps: then offsets and masks stay in registers */
        int64_t at[3] = { offset[0], offset[1], offset[2] };
        uint32_t bits[3] = { mask[0], mask[1], mask[2] };
        lower_rows(x, at, bits, 3, step, pixels, out, out_step);
    } else
        lower_rows(x, offset, mask, rows, step, pixels, out, out_step);
}

INLINE void store_pixels(__m512i a, __m512i b, uint16_t *out)
{
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(a, b));
    _mm512_storeu_si512(out + PAIRS, _mm512_unpackhi_epi16(a, b));
}

static void interleave(const uint16_t *const *pixel, int pairs, uint16_t *even, uint16_t *odd)
{
    __m512i a = _mm512_loadu_si512(pixel[0]);
    for (int i = 0; i < pairs; i++) {
        __m512i b = _mm512_loadu_si512(pixel[2 * i + 1]);
        store_pixels(a, b, even + i * 2 * PAIRS);
        if (!odd && i + 1 == pairs)
            return;
        a = _mm512_loadu_si512(pixel[2 * i + 2]);
        if (odd)
            store_pixels(b, a, odd + i * 2 * PAIRS);
    }
}

/* Transposes 16 vectors of 16 words of 32 bits: blocks of h x h off the diagonal change places, h = 8, 4, 2, 1. */
INLINE void turn(__m512i v[16])
{
#pragma GCC unroll 4
    for (int h = 8; h; h /= 2) {
        __m512i low = _mm512_setzero_si512(), high = low;
        __m512i number = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        __mmask16 upper = _mm512_test_epi32_mask(number, _mm512_set1_epi32(h));
        low = _mm512_mask_add_epi32(number, upper, number, _mm512_set1_epi32(16 - h));
        high = _mm512_mask_add_epi32(_mm512_add_epi32(number, _mm512_set1_epi32(h)), upper, number,
                                     _mm512_set1_epi32(16));
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++)
            if (!(r & h)) {
                __m512i a = v[r], b = v[r + h];
                v[r] = _mm512_permutex2var_epi32(a, low, b);
                v[r + h] = _mm512_permutex2var_epi32(a, high, b);
            }
    }
}

static void transpose(const uint16_t *const *pixel, uint16_t *out, float *sum)
{
    __m512i v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        v[i] = side_by_side(pixel[2 * i], pixel[2 * i + 1]);
    if (sum) {
        __m512 even = _mm512_loadu_ps(sum), odd = _mm512_setzero_ps();
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            even = _mm512_add_ps(even, _mm512_castsi512_ps(_mm512_slli_epi32(v[i], 16)));
            odd = _mm512_add_ps(odd, _mm512_castsi512_ps(_mm512_and_si512(v[i], _mm512_set1_epi32((int)0xffff0000))));
        }
        _mm512_storeu_ps(sum, _mm512_add_ps(even, odd));
    }
    turn(v);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        _mm512_storeu_si512(out + i * PAIRS, v[i]);
}

/* ---- weights ---- */

/* n floats as bf16, 0 <= n <= 32, zeros behind them */
INLINE __m512i narrow_some(const float *w, int n)
{
    __mmask32 have = n >= 32 ? 0xffffffff : (1u << (n > 0 ? n : 0)) - 1;
    __m512 a = _mm512_maskz_loadu_ps((__mmask16)have, w), b = _mm512_maskz_loadu_ps((__mmask16)(have >> 16), w + 16);
    return _mm512_inserti64x4(_mm512_castsi256_si512((__m256i)v_narrow((V)a)), (__m256i)v_narrow((V)b), 1);
}

static void pack_across(const float *w, int64_t column_step, int columns, int k, uint16_t *out)
{
    for (int half = 0; half < 2; half++) {
        __m512i v[16];
        for (int j = 0; j < 16; j++) {
            int column = half * 16 + j;
            v[j] = column < columns ? narrow_some(w + column * column_step, k) : _mm512_setzero_si512();
        }
        turn(v);
        for (int j = 0; j < 16; j++)
            _mm512_storeu_si512(out + j * 2 * PAIRS + half * PAIRS, v[j]);
    }
}

static void pack_along(const float *w, int64_t k_step, int columns, int k, uint16_t *out)
{
    for (int i = 0; i < PAIRS; i += 2, out += 2 * PAIRS) {
        __m512i a = i < k ? narrow_some(w + i * k_step, columns) : _mm512_setzero_si512();
        __m512i b = i + 1 < k ? narrow_some(w + (i + 1) * k_step, columns) : _mm512_setzero_si512();
        store_pairs(a, b, out);
    }
}

/* ---- fast convolution, planes in bf16 ---- */

INLINE V load_bf16(const uint16_t *p) { return v_widen(*(const VHU *)p); }
INLINE void store_bf16(uint16_t *p, V v) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh((__m512)v)); }
INLINE V multiply_pairs(V x, V w, V s) { return (V)_mm512_dpbf16_ps((__m512)s, (__m512bh)x, (__m512bh)w); }

/* See wino/gemm.inc.h. The halves of a word come in turn: the second is put beside what the first left. */
INLINE void put_pairs(float *d, V v, const int odd)
{
    if (odd < 0) {
        store_bf16((uint16_t *)d, v);
        return;
    }
    __m512i half = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)v));
    __m512i first = _mm512_maskz_loadu_epi32((__mmask16)-odd, d);
    _mm512_storeu_si512(d, _mm512_or_si512(first, _mm512_sll_epi32(half, _mm_cvtsi32_si128(16 * odd))));
}

#define WINO_TILES(ROW) ROW(1, 12) ROW(2, 12) ROW(3, 8) ROW(4, 6)
#define G(name) name##_pairs
#define EACH 2
#define MULTIPLY multiply_pairs
#define PUT put_pairs
#include "cpu/wino/gemm.inc.h"

#define S uint16_t
#define I(name) name##_pairs
#define s_load load_bf16
#define s_store store_bf16
#include "cpu/wino/table.inc.h"

/* ---- the level ---- */

static const cpu_pairs pairs = {
    .begin = nothing, .end = nothing, .product = product, .finish = finish, .blocks = 4, .terms = 9,
    .interleave = interleave, .transpose = transpose, .copy = copy, .lower = lower,
    .pack_across = pack_across, .pack_along = pack_along,
};

void cpu_micro_avx512bf16(cpu_micro *m)
{
    m->peak_bf16 = peak_bf16;
    bf16_fill(m);
    m->pairs = &pairs;
    m->pairs_rate = m->dot_rate;
    m->winopairs = &wino_table_pairs;
}

/* vector.h: V, a vector of LANES floats, through the compiler's vector extension: loads, arithmetic and comparisons
   are plain operators, so one text serves every width. Included by each file of isa/ after it has set LANES; all
   bodies are static, because a shared inline could be linked from the widest file. */
#include <stdint.h>
#include <string.h>
#if defined __AVX512F__ || defined __FMA__
#include <immintrin.h>
#endif

typedef float V __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t VI __attribute__((vector_size(4 * LANES), may_alias));
typedef uint64_t VL __attribute__((vector_size(4 * LANES), may_alias));
typedef float VU __attribute__((vector_size(4 * LANES), may_alias, aligned(4)));       /* unaligned, in memory */

#define INLINE static inline __attribute__((always_inline, unused))

/* body(i, LANES, ...) for each whole vector of n elements, body(i, rest, ...) for what remains. Bodies are INLINE,
   so the loop over whole vectors has no branch and keeps its constants in registers. */
#define EACH_VECTOR(n, body, ...) \
    do { \
        int64_t i_ = 0, n_ = (n); \
        for (; i_ + LANES <= n_; i_ += LANES) \
            body(i_, LANES, __VA_ARGS__); \
        if (i_ < n_) \
            body(i_, (int)(n_ - i_), __VA_ARGS__); \
    } while (0)

/* to[i..] = value(i, LANES, ...) for each whole vector of n elements, value(i, rest, ...) for what remains, by `store`
   of the type that is stored. */
#define EACH_ONE(n, store, to, value, ...) \
    do { \
        int64_t i_ = 0, n_ = (n); \
        for (; i_ + LANES <= n_; i_ += LANES) \
            store((to) + i_, value(i_, LANES, __VA_ARGS__), LANES); \
        if (i_ < n_) \
            store((to) + i_, value(i_, (int)(n_ - i_), __VA_ARGS__), (int)(n_ - i_)); \
    } while (0)
/* The same, two vectors at a time. */
#define EACH_TWO(n, store_two, store, to, value, ...) \
    do { \
        int64_t m_ = (n), j_ = 0; \
        for (; j_ + 2 * LANES <= m_; j_ += 2 * LANES) \
            store_two((to) + j_, value(j_, LANES, __VA_ARGS__), value(j_ + LANES, LANES, __VA_ARGS__)); \
        for (; j_ < m_; j_ += LANES) { \
            int have_ = m_ - j_ < LANES ? (int)(m_ - j_) : LANES; \
            store((to) + j_, value(j_, have_, __VA_ARGS__), have_); \
        } \
    } while (0)

/* Of streams whose vectors take long: what lies NEAR bytes on, which the hardware would fetch too late. Beyond the
   end of an array it does no harm. */
enum { NEAR = 1024 };
INLINE void v_fetch(const void *p) { __builtin_prefetch((const char *)p + NEAR); }
INLINE void v_fetch_written(const void *p) { __asm__ volatile("prefetchw %0" : : "m"(((const char *)p)[NEAR])); }

#define EACH_F32(n, ...) EACH_ONE(n, v_store_part, __VA_ARGS__)

INLINE V v_load(const float *p) { return *(const VU *)p; }
INLINE void v_store(float *p, V v) { *(VU *)p = v; }
/* The first n lanes, 0 <= n <= LANES; the others are 0. Touches no memory beyond. */
#ifdef __AVX512F__
#define FIRST(n) ((__mmask16)((1u << (n)) - 1))
INLINE V v_load_some(const float *p, int n) { return (V)_mm512_maskz_loadu_ps(FIRST(n), p); }
INLINE void v_store_some(float *p, V v, int n) { _mm512_mask_storeu_ps(p, FIRST(n), (__m512)v); }
#else
INLINE V v_load_some(const float *p, int n)
{
    V v = { 0 };
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
INLINE void v_store_some(float *p, V v, int n) { memcpy(p, &v, (size_t)n * sizeof(float)); }
#endif
/* The same where n is nearly always LANES. */
INLINE V v_part(const float *p, int n) { return n == LANES ? v_load(p) : v_load_some(p, n); }
INLINE void v_store_part(float *p, V v, int n)
{
    if (n == LANES)
        v_store(p, v);
    else
        v_store_some(p, v, n);
}

/* bf16: the upper half of an f32. To bf16 by rounding to nearest even on every level, denormals too, which
   vcvtneps2bf16 takes for zero: where there are any it is done in integers. NaN stays NaN, made quiet. */
typedef uint32_t VW __attribute__((vector_size(4 * LANES), may_alias));
typedef uint16_t VH __attribute__((vector_size(2 * LANES), may_alias));
typedef uint16_t VHU __attribute__((vector_size(2 * LANES), may_alias, aligned(2)));   /* unaligned, in memory */

/* By instructions of their own: the compiler makes several of a conversion by the extension. */
INLINE VI v_words(VH h)
{
#if defined __AVX512F__
    return (VI)_mm512_cvtepu16_epi32((__m256i)h);
#elif defined __AVX2__
    return (VI)_mm256_cvtepu16_epi32((__m128i)h);
#else
    return __builtin_convertvector(h, VI);
#endif
}
/* The first n of bytes, 0 <= n <= LANES; the others are 0. */
INLINE VI v_bytes(const uint8_t *p, int n)
{
#ifdef __AVX512F__
    return (VI)_mm512_cvtepu8_epi32(n == LANES ? _mm_loadu_si128((const __m128i *)p)
                                               : _mm_maskz_loadu_epi8(FIRST(n), p));
#else
    uint8_t byte[8] = { 0 };
    memcpy(byte, p, n == LANES ? LANES : (size_t)n);
#ifdef __AVX2__
    return (VI)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)byte));
#else
    typedef uint8_t VB __attribute__((vector_size(LANES)));
    VB small;
    memcpy(&small, byte, LANES);
    return __builtin_convertvector(small, VI);
#endif
#endif
}

/* The same in 16 bits. */
INLINE VH v_bytes_half(const uint8_t *p, int n)
{
    typedef uint8_t VB __attribute__((vector_size(LANES)));
    VB small = { 0 };
    memcpy(&small, p, n == LANES ? LANES : (size_t)n);
    return __builtin_convertvector(small, VH);
}

INLINE V v_widen(VH h) { return (V)(v_words(h) << 16); }
#ifdef __AVX512F__
INLINE __m256i v_narrow_bits(__m512 v)
{
    __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
#endif
INLINE VH v_narrow(V v)
{
#ifdef __AVX512BF16__
    enum { DENORMAL = 0x20 };
    if (__builtin_expect(_mm512_fpclass_ps_mask((__m512)v, DENORMAL) != 0, 0))
        return (VH)v_narrow_bits((__m512)v);
    return (VH)_mm512_cvtneps_pbh((__m512)v);
#elif defined __AVX512F__
    return (VH)v_narrow_bits((__m512)v);
#else
    VW u = (VW)v, rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16, nan = (VW)(v != v);
    return __builtin_convertvector((nan & (u >> 16 | 0x40)) | (~nan & rounded), VH);
#endif
}
/* Where a NaN has nothing in its lower half, as one that came from bf16 has: rounding cannot carry it away. */
INLINE VH v_narrow_product(V v)
{
    VW u = (VW)v;
    return __builtin_convertvector((u + 0x7fff + (u >> 16 & 1)) >> 16, VH);
}
INLINE VH v_load_half(const uint16_t *p, int n)
{
    if (n == LANES)
        return *(const VHU *)p;
#ifdef __AVX512F__
    return (VH)_mm256_maskz_loadu_epi16(FIRST(n), p);
#else
    VH h = { 0 };
    memcpy(&h, p, (size_t)n * sizeof *p);
    return h;
#endif
}
INLINE V v_part_bf16(const uint16_t *p, int n) { return v_widen(v_load_half(p, n)); }
INLINE void v_store_half(uint16_t *p, VH h, int n)
{
    if (n == LANES) {
        *(VHU *)p = h;
        return;
    }
#ifdef __AVX512F__
    _mm256_mask_storeu_epi16(p, FIRST(n), (__m256i)h);
#else
    memcpy(p, &h, (size_t)n * sizeof *p);
#endif
}
INLINE void v_store_part_bf16(uint16_t *p, V v, int n) { v_store_half(p, v_narrow(v), n); }
#ifdef __AVX512BF16__
/* Rounded by one instruction. */
INLINE void v_store_two_bf16(uint16_t *p, V a, V b)
{
    enum { DENORMAL = 0x20 };
    __mmask16 in_a = _mm512_fpclass_ps_mask((__m512)a, DENORMAL), in_b = _mm512_fpclass_ps_mask((__m512)b, DENORMAL);
    if (__builtin_expect(_kortestz_mask16_u8(in_a, in_b), 1)) {
        _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
        return;
    }
    v_store_part_bf16(p, a, LANES);
    v_store_part_bf16(p + LANES, b, LANES);
}
#define EACH_BF16(n, ...) EACH_TWO(n, v_store_two_bf16, v_store_part_bf16, __VA_ARGS__)
#else
#define EACH_BF16(n, ...) EACH_ONE(n, v_store_part_bf16, __VA_ARGS__)
#endif
INLINE void v_store_product_bf16(uint16_t *p, V v, int n) { v_store_half(p, v_narrow_product(v), n); }

/* The first n lanes of v, the others 0. */
INLINE V v_first_lanes(V v, int n)
{
    float lane[LANES];
    v_store(lane, v);
    return v_load_some(lane, n);
}
INLINE V v_set(float x) { return x - (V){ 0 }; }
INLINE V v_select(VI mask, V a, V b) { return (V)((mask & (VI)a) | (~mask & (VI)b)); }
/* b where one is NaN and where both are zero, like maxps; v_below: low where x < limit, else high, also where x is NaN.
   In instructions of AVX-512 where there are any: its comparisons yield a mask that would become a vector first. */
#ifdef __AVX512F__
INLINE V v_max(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE V v_min(V a, V b) { return (V)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE V v_below(V x, float limit, V low, V high)
{
    __mmask16 mask = _mm512_cmp_ps_mask((__m512)x, (__m512)v_set(limit), _CMP_LT_OQ);
    return (V)_mm512_mask_blend_ps(mask, (__m512)high, (__m512)low);
}
#else
INLINE V v_max(V a, V b) { return v_select(a > b, a, b); }
INLINE V v_min(V a, V b) { return v_select(a < b, a, b); }
INLINE V v_below(V x, float limit, V low, V high) { return v_select(x < limit, low, high); }
#endif
/* v where x < 0, else 1 - v, also where x is NaN. */
INLINE V v_upper(V x, V v)
{
#ifdef __AVX512F__
    __mmask16 mask = _mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_NLT_UQ);
    return (V)_mm512_mask_sub_ps((__m512)v, mask, _mm512_set1_ps(1), (__m512)v);
#else
    return v_below(x, 0, v, 1.0f - v);
#endif
}
INLINE V v_add(V a, V b) { return a + b; }
INLINE V v_fma(V a, V b, V c) { return a * b + c; }      /* contracted where there is an instruction */
/* The same where a compiler has a choice: of two products it would contract one or the other, or none, by what stands
   around them. */
INLINE V v_fused(V a, V b, V c)
{
#if defined __AVX512F__
    return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __FMA__
    return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
/* a/b within two units in the last place, b a normal number whose reciprocal is one. */
INLINE V v_quotient(V a, V b)
{
#ifdef __AVX512F__
    V near = (V)_mm512_rcp14_ps((__m512)b);
    return a * v_fused(near, (V){ 0 } + 1.0f - b * near, near);
#else
    return a / b;
#endif
}
INLINE float v_first(V a) { return a[0]; }

/* Products of the low halves of 64-bit lanes. The extension has no operator for it, nor for a bit per lane
   (AT_LEAST). */
INLINE VL v_mul_wide(VL a, VL b) { return (VL)MUL_WIDE(a, b); }

/* Into *most what is more than it, which NaN is than any other, and into *at its number. */
INLINE void v_take_most(V *most, VI *at, V v, int32_t number)
{
#ifdef __AVX512F__
    __m512 best = (__m512)*most, other = (__m512)v;
    __mmask16 number_yet = _mm512_cmp_ps_mask(best, best, _CMP_ORD_Q);
    __mmask16 better = _mm512_mask_cmp_ps_mask(number_yet, other, best, _CMP_NLE_UQ);
    *most = (V)_mm512_mask_mov_ps(best, better, other);
    *at = (VI)_mm512_mask_mov_epi32((__m512i)*at, better, _mm512_set1_epi32(number));
#else
    VI better = (v > *most) | ((v != v) & (*most == *most));
    *most = v_select(better, v, *most);
    *at = (better & number) | (~better & *at);
#endif
}

/* The first n numbers, 0 <= n <= LANES, of 0 to 255, a byte each. */
INLINE void v_store_bytes(uint8_t *p, VI v, int n)
{
    typedef uint8_t VB __attribute__((vector_size(LANES)));
#ifdef __AVX512F__
    VB small = (VB)_mm512_cvtepi32_epi8((__m512i)v);
#else
    VB small = __builtin_convertvector(v, VB);
#endif
    memcpy(p, &small, n == LANES ? LANES : (size_t)n);
}

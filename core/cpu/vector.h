/* vector.h: V, a vector of LANES floats, through the compiler's vector extension: loads, arithmetic and comparisons are plain
   operators, so one text serves every width. Included by each isa_*.c after it has set LANES; all bodies are static,
   because a shared inline could be linked from the widest file. */
#include <stdint.h>
#include <string.h>

typedef float V __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t VI __attribute__((vector_size(4 * LANES), may_alias));
typedef uint64_t VL __attribute__((vector_size(4 * LANES), may_alias));
typedef float VU __attribute__((vector_size(4 * LANES), may_alias, aligned(4)));       /* unaligned, in memory */

#define INLINE static inline __attribute__((always_inline, unused))

INLINE V v_load(const float *p) { return *(const VU *)p; }
INLINE void v_store(float *p, V v) { *(VU *)p = v; }
/* The first n lanes, 0 <= n <= LANES; the others are 0. Touches no memory beyond. */
INLINE V v_load_some(const float *p, int n)
{
    V v = { 0 };
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
INLINE void v_store_some(float *p, V v, int n) { memcpy(p, &v, (size_t)n * sizeof(float)); }
/* The same where n is nearly always LANES. */
INLINE V v_part(const float *p, int n) { return n == LANES ? v_load(p) : v_load_some(p, n); }
INLINE void v_store_part(float *p, V v, int n)
{
    if (n == LANES)
        v_store(p, v);
    else
        v_store_some(p, v, n);
}
INLINE V v_set(float x) { return x - (V){ 0 }; }
INLINE V v_max(V a, V b) { return (V)(((VI)a & (a > b)) | ((VI)b & ~(a > b))); }        /* b where one is NaN, like maxps */
INLINE V v_add(V a, V b) { return a + b; }
INLINE V v_fma(V a, V b, V c) { return a * b + c; }                                    /* contracted where there is an instruction */
INLINE float v_first(V a) { return a[0]; }

/* Products of the low halves of 64-bit lanes. The extension has no operator for it. */
INLINE VL v_mul_wide(VL a, VL b) { return (VL)MUL_WIDE(a, b); }

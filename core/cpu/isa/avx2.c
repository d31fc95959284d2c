/* avx2.c: micro-kernels for AVX2 and FMA. Tiles are ROW(vectors, rows of tile, rows of outer).
   16 registers: 12 sums, 2 weights, 1 input. */
#define LANES 8
#define FILL cpu_micro_avx2
#define TILES(ROW) ROW(1, 8, 8) ROW(2, 6, 6)
#define WINO_TILES(ROW) ROW(1, 12) ROW(2, 6)
#define MUL_WIDE(a, b) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define AT_LEAST(a, b) _mm256_movemask_ps((__m256)((a) >= (b)))
#include <immintrin.h>
#include "cpu/isa/isa.inc.h"

/* avx512.c: micro-kernels for AVX-512 F, BW, VL, DQ. Tiles are ROW(vectors, rows of tile, rows of outer).
   32 registers: 24 sums; tile rows are pointers in general registers, so at most 8. */
#define LANES 16
#define FILL cpu_micro_avx512
#define TILES(ROW) ROW(1, 8, 12) ROW(2, 8, 12) ROW(3, 8, 8) ROW(4, 6, 6)
#define WINO_TILES(ROW) ROW(1, 12) ROW(2, 12) ROW(3, 8) ROW(4, 6)
#define MUL_WIDE(a, b) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define AT_LEAST(a, b) _mm512_cmpge_epi32_mask((__m512i)(a), (__m512i)(b))
#include <immintrin.h>
#include "cpu/isa/isa.inc.h"

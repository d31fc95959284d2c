/* portable.c: micro-kernels for SSE2, which every x86-64 has. Tiles are ROW(vectors, rows of tile, rows of outer).
   16 registers, no fused multiply-add: 8 sums and their products. */
#define LANES 4
#define FILL cpu_micro_portable
#define TILES(ROW) ROW(1, 8, 8) ROW(2, 4, 4)
#define WINO_TILES(ROW) ROW(1, 4) ROW(2, 4)
#define MUL_WIDE(a, b) _mm_mul_epu32((__m128i)(a), (__m128i)(b))
#define AT_LEAST(a, b) _mm_movemask_ps((__m128)((a) >= (b)))
#include <immintrin.h>
#include "cpu/isa/isa.inc.h"

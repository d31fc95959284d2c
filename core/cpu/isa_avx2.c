/* isa_avx2.c: micro-kernels for AVX2 and FMA. Tiles are ROW(vectors, rows of tile, rows of outer).
   16 registers: 12 sums, 2 weights, 1 input. */
#define LANES 8
#define FILL cpu_micro_avx2
#define TILES(ROW) ROW(1, 8, 8) ROW(2, 6, 6)
#include "cpu/isa.inc.h"

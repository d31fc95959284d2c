/* isa_avx512.c: micro-kernels for AVX-512 F, BW, VL, DQ. */
#define LANES 16
#define FILL cpu_micro_avx512
#include "cpu/isa.inc.h"

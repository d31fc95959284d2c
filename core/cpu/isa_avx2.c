/* isa_avx2.c: micro-kernels for AVX2 and FMA. */
#define LANES 8
#define FILL cpu_micro_avx2
#include "cpu/isa.inc.h"

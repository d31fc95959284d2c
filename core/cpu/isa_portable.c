/* isa_portable.c: micro-kernels for SSE2, which every x86-64 has. */
#define LANES 4
#define FILL cpu_micro_portable
#include "cpu/isa.inc.h"

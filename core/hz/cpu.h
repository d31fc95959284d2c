/* cpu.h: what only the CPU backend has: its threads, its instruction sets, its kernels by name. */
#ifndef HZ_CPU_H
#define HZ_CPU_H
#include "hz/backend.h"
#pragma GCC visibility push(default)

/* Lent for ever; NULL (message set) where HZ_THREADS, HZ_ISA or HZ_CPU make no sense. */
const hz_backend *hz_cpu_backend(void);
int hz_cpu_threads(void);                                 /* HZ_THREADS, else what affinity and cgroup allow */
hz_status hz_cpu_set_threads(int n);                      /* 1 .. 256; affects plans made before too. [main] */
/* "portable", "avx2", "avx512", "avx512bf16", "amx": as detected, capped by HZ_ISA. */
const char *hz_cpu_isa(void);
hz_status hz_cpu_set_isa(const char *name);               /* caps the level for programs made from now on. [main] */
const char *hz_cpu_level(int i);                          /* its name, lowest first; NULL past the end. [any] */
/* "intel" or "amd": on whose cores the prediction that chooses kernels has them run; as detected, or HZ_CPU, which
   pretends the other one. Results are right with either; their bits follow the kernels. Cores of neither count as
   Intel's. */
const char *hz_cpu_vendor(void);
hz_status hz_cpu_set_vendor(const char *name);            /* for programs made from now on. [main] */
/* Name of the i-th kernel of an op, fastest first, the plain loops ("ref") last; NULL past the end. HZ_KERNEL=name
   forces one. [any] */
const char *hz_cpu_kernel(int op, int i);
/* FMA rate of the level in force in GFLOP/s, summed over the threads, window by window. A median well below the best
   says that the machine was busy or its clock moved. */
typedef struct hz_peak {
    double best, median;
    int32_t windows;
} hz_peak;
/* Measures for about `seconds`, in windows of 2 ms or more, `threads` threads at once. dtype HZ_F32
   or HZ_BF16. [main] */
hz_status hz_cpu_peak_windows(int dtype, int threads, double seconds, hz_peak *out);
double hz_cpu_peak(int dtype, int threads, double seconds);      /* its best window; 0 on failure (message set) */

#pragma GCC visibility pop
#endif

/* backend.h: the contract between the core and what computes (cpu, null, later cuda and its emulation).
   The core infers shapes, appends gradients, fuses and places values in one arena; a backend runs nodes over memory.
   Kernels see hz_work: sizes and pointers, never a graph. */
#ifndef HZ_BACKEND_H
#define HZ_BACKEND_H
#include "hz/graph.h"
#pragma GCC visibility push(default)

/* What changes from step to step; everything else is fixed when the plan is made. */
typedef struct hz_step {
    uint64_t seed;        /* of the run: keys shuffle, augmentation and dropout */
    int64_t offset;       /* input: position of the batch's first item in the epoch's order */
    int64_t count;        /* rows of the batch in use, 1 .. batch; losses and gradients divide by it */
    int32_t epoch;        /* counts from 0 */
    int32_t step;         /* optimiser steps done before this one, over all epochs */
    float rate;           /* learning rate of this step */
    uint32_t version;     /* version of the parameters: packed weights are made anew when it changes */
} hz_step;

typedef struct hz_arg {
    void *data;           /* NULL when absent */
    int32_t dtype, ndim;
    int64_t shape[HZ_MAXDIM];     /* dimension 0 of an activation is the plan's batch; the rows in use are hz_step.count */
    int32_t kind;         /* hz_kind */
} hz_arg;

/* One node as a kernel sees it. */
typedef struct hz_work {
    int32_t op, nin, nout;
    const char *name;
    hz_attr attr;
    int32_t tails;
    hz_tail tail[HZ_TAILS];
    hz_arg in[HZ_MAXIN], out[HZ_MAXOUT];  /* out[0] is what tails begin with; its data are NULL where it is not stored */
} hz_work;

typedef struct hz_program hz_program;     /* private to each backend */

typedef struct hz_node_stat {
    const char *kernel;   /* lent with the program */
    double ms;            /* of the last timed run */
    double flops;         /* multiply-adds times two of the plain algorithm, for a full batch */
} hz_node_stat;

/* How long a kernel takes for a node: the median of its runs. */
typedef struct hz_trial {
    char kernel[32];      /* as a node's statistics name it */
    double ms;
} hz_trial;
enum { HZ_TRIALS = 12, HZ_REPEATS = 15 };      /* kernels of a node, runs of each, at most */

typedef struct hz_backend {
    uint32_t size;                        /* sizeof *this */
    const char *name;                     /* "cpu" */
    const char *(*describe)(void);        /* "cpu avx512, 2 threads"; lent for ever */
    void *(*alloc)(size_t bytes);         /* new; NULL, message set */
    void (*free)(void *p, size_t bytes);  /* taken */
    /* 1 if some kernel runs this node (used by fusion before it rewrites) */
    int (*accepts)(const hz_work *w);
    /* new; chooses kernels, allocates scratch. Data pointers in `works` stay valid for the program's life. NULL, message set */
    hz_program *(*program_new)(const hz_work *works, int count, int train);
    void (*program_free)(hz_program *p);
    /* Runs works from..to-1 in order. timed: fill the statistics. */
    hz_status (*run)(hz_program *p, int from, int to, const hz_step *s, int timed);
    hz_status (*stat)(const hz_program *p, int i, hz_node_stat *out);
    /* Kernels that run work i, each timed `repeats` times over the work's own memory, whose outputs are spoilt; memory of the kernels' own
       is freed again. repeats 0 only names them. Returns how many; -1, message set. NULL: this backend has nothing to choose from */
    int (*trials)(const hz_program *p, int i, const hz_step *s, int repeats, hz_trial out[HZ_TRIALS]);
    /* Work i runs by this kernel from now on, unless HZ_KERNEL names another. HZ_EARG if the kernel does not run it */
    hz_status (*use)(hz_program *p, int i, const char *kernel);
} hz_backend;

const hz_backend *hz_backend_named(const char *name);     /* "cpu", "null"; NULL (message set) if unknown */

/* --- the CPU --- */
int hz_cpu_threads(void);                                 /* HZ_THREADS, else what affinity and cgroup allow */
hz_status hz_cpu_set_threads(int n);                      /* 1 .. 256; affects plans made before too. [main] */
const char *hz_cpu_isa(void);                             /* "portable", "avx2", "avx512", "avx512bf16", "amx": as detected, capped by HZ_ISA */
hz_status hz_cpu_set_isa(const char *name);               /* caps the level for programs made from now on. [main] */
/* "intel" or "amd": on whose cores the prediction that chooses kernels has them run; as detected, or HZ_CPU, which pretends the other one. Results
   are right with either; their bits follow the kernels. Cores of neither count as Intel's. */
const char *hz_cpu_vendor(void);
hz_status hz_cpu_set_vendor(const char *name);            /* for programs made from now on. [main] */
/* Name of the i-th kernel of an op, fastest first, the plain loops ("ref") last; NULL past the end. HZ_KERNEL=name forces one. [any] */
const char *hz_cpu_kernel(int op, int i);
/* FMA rate of the level in force in GFLOP/s, summed over the threads, window by window. A median well below the best says that the machine
   was busy or its clock moved. */
typedef struct hz_peak {
    double best, median;
    int32_t windows;
} hz_peak;
/* Measures for about `seconds`, in windows of 2 ms or more, `threads` threads at once. dtype HZ_F32 or HZ_BF16. [main] */
hz_status hz_cpu_peak_windows(int dtype, int threads, double seconds, hz_peak *out);
double hz_cpu_peak(int dtype, int threads, double seconds);      /* its best window; 0 on failure (message set) */

#pragma GCC visibility pop
#endif

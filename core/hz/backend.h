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
    union {               /* learning rates of this step, by hz_optim.group; `rate` is that of group 0 */
        float rate;
        float rates[HZ_GROUPS];
    };
    float keep;           /* averages: share of the mean that stays, 0..1; below 0: none moves in this step */
    uint32_t version;     /* version of the parameters: packed weights are made anew when it changes */
    int32_t mirror;       /* input: 1: all items left to right, and what they would be shifted and flipped is not */
    int32_t down, right;  /* input: all items moved by whole pixels, HZ_REFLECT, in place of what they would be */
    /* groups, a bit each, whose parameters are at rest: their rate stays 0, and what their updates alone need may be
       left out, the updates too */
    uint32_t resting;
} hz_step;

typedef struct hz_arg {
    void *data;           /* NULL when absent */
    int32_t dtype, ndim;
    int64_t shape[HZ_MAXDIM];    /* dimension 0 of an activation: the plan's batch; the rows in use are hz_step.count */
    int32_t kind;         /* hz_kind */
    int32_t blocked;      /* 1: an image (N,H,W,C) lies as (N/HZ_BLOCK_N, C/HZ_BLOCK_C, H, W, HZ_BLOCK_N, HZ_BLOCK_C) */
} hz_arg;
enum { HZ_BLOCK_N = 16, HZ_BLOCK_C = 32 };

/* One node as a kernel sees it. */
typedef struct hz_work {
    int32_t op, nin, nout;
    const char *name;
    hz_attr attr;
    int32_t exact;            /* 1: numbers are rounded to bf16 as they are stored or multiplied, not in between */
    int32_t tf32;             /* 1: factors of products over f32 may be rounded to 10 bits (an NVIDIA card's TF32) */
    int32_t tails;
    hz_tail tail[HZ_TAILS];
    hz_head head;             /* its in[of] has no data */
    /* out[0] is what tails begin with; its data are NULL where it is not stored */
    hz_arg in[HZ_MAXIN], out[HZ_MAXOUT];
} hz_work;

/* Multiply-adds times two of the plain algorithm, for a full batch; 0 for nodes without products. */
double hz_work_flops(const hz_work *w);

typedef struct hz_program hz_program;     /* private to each backend */

typedef struct hz_node_stat {
    const char *kernel;   /* lent with the program */
    double ms;            /* of the last timed run */
    double flops;         /* hz_work_flops */
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
    const hz_memory *memory;              /* in which the data of works lie */
    /* 1 if some kernel runs this node (used by fusion before it rewrites) */
    int (*accepts)(const hz_work *w);
    /* new; chooses kernels, allocates scratch. Data pointers in `works` stay valid for the program's life.
       NULL, message set */
    hz_program *(*program_new)(const hz_work *works, int count, int train);
    void (*program_free)(hz_program *p);
    /* Runs works from..to-1 in order. timed: fill the statistics, 1: where that costs nothing, 2: also where it slows
       the run down. In memory that is not the host's it may return before
       they are done: memory->synchronise waits. */
    hz_status (*run)(hz_program *p, int from, int to, const hz_step *s, int timed);
    /* From now on works from `from` on change nothing of the caller's once `number`, a float of one of the works
       before them, was not finite when they began: the device looks for itself, the host learns it when it reads the
       number, and opens the gate by calling this again. */
    void (*gate)(hz_program *p, int from, const hz_arg *number);
    hz_status (*stat)(const hz_program *p, int i, hz_node_stat *out);
    /* Kernels that run work i, each timed `repeats` times over the work's own memory, whose outputs are spoilt;
       memory of the kernels' own is freed again. repeats 0 only names them. Returns how many; -1, message set. NULL:
       this backend has nothing to choose from */
    int (*trials)(const hz_program *p, int i, const hz_step *s, int repeats, hz_trial out[HZ_TRIALS]);
    /* Work i runs by this kernel from now on, unless HZ_KERNEL names another. HZ_EARG if the kernel does not run it */
    hz_status (*use)(hz_program *p, int i, const char *kernel);
    /* Bytes of its memory that are free, and all. NULL: it has none of its own */
    hz_status (*room)(size_t *unused, size_t *all);
    /* The last of the works that may come all at once where works[first] stands, others between them not counted;
       `first`: it comes by itself. Before there is memory: data pointers tell values apart, and lead to no data. The
       plan keeps apart in memory what these works read and write. NULL: all come one by one */
    int (*together)(const hz_work *works, int count, int first);
    int32_t blocks;                       /* 1: accepts() knows blocked values; 0: it is not asked about any */
} hz_backend;

/* --- devices by name --- */
/* "cpu", "null", "far", or what a shared object libhz_NAME.so offers (in the folders of HZ_BACKEND_PATH, then
   beside libhz.so); "NAME:WHICH" asks it for one of several. Lent for ever; NULL, message set: unknown, of another
   build, or unusable here. [main] */
const hz_backend *hz_backend_named(const char *name);
/* Name of the i-th device that hz_backend_named may know, whether or not it opens; lent until the next call. NULL past
   the end. [main] */
const char *hz_backend_name(int i);

/* --- devices in shared objects --- */
/* Raised by every change of the structs above. */
enum { HZ_BACKEND_DRAFT = 5 };

/* What the core lends to a device that links nothing of hz; lent for ever. */
typedef struct hz_core {
    uint32_t size;                        /* sizeof *this */
    /* hz_fail */
    hz_status (*fail)(hz_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));
    const char *(*message)(void);                                           /* hz_message */
    const hz_act_attr *(*epilogue)(int op, const hz_attr *attr);            /* hz_epilogue */
    const char *(*op_name)(int op);                                         /* hz_op_name */
    double (*flops)(const hz_work *w);                                      /* hz_work_flops */
} hz_core;

/* The one symbol of libhz_NAME.so, hz_device_main. A device belongs to one build of the core: nothing
   of it is stable. */
typedef struct hz_device {
    uint32_t size;                        /* sizeof *this */
    uint32_t draft;                       /* HZ_BACKEND_DRAFT */
    const char *build;                    /* what hz_commit says in the build it belongs to */
    /* `id` is "hz.backend/0"; `which` stands behind the colon of "cuda:1", "" if there is none. Lent for ever; NULL,
       message set by fail */
    const hz_backend *(*open)(const char *id, const hz_core *core, const char *which);
} hz_device;

#pragma GCC visibility pop
#endif

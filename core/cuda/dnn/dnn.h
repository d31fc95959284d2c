/* dnn.h: convolutions by cuDNN's graph API, from the library that is opened when a card is. The same code makes plans
   for a card that is here and for one that is known by its properties alone, so plans are built, checked and packed
   without one. Nothing here is fatal: what cuDNN refuses is the next plan's, and in the end the plain kernel's.
   All of it is [main]. Plans are deterministic: engines that are not are left out. */
#ifndef CUDA_DNN_H
#define CUDA_DNN_H
#include "cuda/kernel.h"
#include <cudnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- load.c: the library --- */
#define DNN_FUNCTIONS(X) \
    X(cudnnGetVersion) X(cudnnCreate) X(cudnnDestroy) X(cudnnSetStream) X(cudnnGetLastErrorString) \
    X(cudnnGetErrorString) X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor) \
    X(cudnnBackendSetAttribute) X(cudnnBackendGetAttribute) X(cudnnBackendFinalize) X(cudnnBackendExecute)
typedef struct dnn_library {
#define X(f) __typeof__(&f) f;
    DNN_FUNCTIONS(X)
#undef X
} dnn_library;
extern dnn_library dnn;                  /* filled by dnn_load */
enum { DNN_OLDEST = 90800 };             /* cudnnGetVersion: the first that takes a card's properties as text */

/* Opens HZ_CUDNN, or libcudnn.so.9; once. HZ_EDEVICE, message set: there is none, it is too old or lacks a function. */
hz_status dnn_load(void);
/* HZ_OK for success; else HZ_EDEVICE, with what was done and cuDNN's own reason in the message. */
hz_status dnn_check(cudnnStatus_t answer, const char *doing);

/* --- graph.c: descriptors. They live until their scope ends; after a failure calls do nothing. --- */
typedef cudnnBackendDescriptor_t dnn_descriptor;
enum { DNN_MADE = 192 };
typedef struct dnn_scope {
    hz_status status;                    /* of what failed first; its message is set */
    int count;
    dnn_descriptor made[DNN_MADE];
} dnn_scope;

dnn_descriptor dnn_make(dnn_scope *s, cudnnBackendDescriptorType_t type);      /* lent by the scope; NULL on failure */
void dnn_set(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
             int64_t count, const void *values);
void dnn_set_int(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, int64_t value);
void dnn_set_descriptor(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, dnn_descriptor value);
void dnn_finish(dnn_scope *s, dnn_descriptor d, const char *what);
void dnn_end(dnn_scope *s);
/* Text that a descriptor holds; new, free. NULL on failure. */
char *dnn_text(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, size_t *bytes);

/* --- target.c: what plans are made for --- */
enum { DNN_NAME = 96 };
typedef struct dnn_target {
    cudnnHandle_t handle;                /* of a card that is here; else NULL and plans do not run */
    dnn_scope scope;
    dnn_descriptor properties;           /* of a card that is described; else NULL */
    char name[DNN_NAME];                 /* all that a plan as text depends on: "sm90-132-13000-1024-cudnn91900" */
} dnn_target;
hz_status dnn_target_here(dnn_target *t);                                /* the calling thread's card */
hz_status dnn_target_described(dnn_target *t, const char *properties);   /* by cuDNN's JSON: devices/ */
void dnn_target_end(dnn_target *t);

/* --- key.c: what is computed --- */
/* x (n,h,w,ci), w (co,kh,kw,ci), y (n,oh,ow,co), or their gradients; bias and sums f32. */
typedef enum dnn_pattern {
    DNN_CONV,             /* y = x * w */
    DNN_CONV_ACT,         /* y = act(x * w [+ bias]) */
    DNN_DX,               /* x = gradient of x by that of y */
    DNN_DX_ACT,           /* ... times the derivative of the activation that yielded `stored`, which is x's value */
    DNN_DX_ACT_SUMS,      /* ... and its sums over all but channels: the gradient of the bias before the activation */
    DNN_DW,               /* w = gradient of w by that of y */
    DNN_PATTERNS
} dnn_pattern;
typedef enum dnn_type { DNN_F32, DNN_TF32, DNN_BF16, DNN_TYPES } dnn_type;
typedef enum dnn_slot { DNN_X, DNN_W, DNN_Y, DNN_BIAS, DNN_STORED, DNN_SUMS, DNN_SLOTS } dnn_slot;

typedef struct dnn_key {
    int pattern, type;
    int64_t n, h, w, ci, oh, ow, co;
    int64_t kh, kw, sh, sw;
    int64_t before[2], after[2];         /* padding: rows, columns; 'same' may have one more after than before */
    int bias;                            /* CONV_ACT: 1: there is one */
    hz_act_attr act;                     /* CONV_ACT, DX_ACT*: linear is none */
} dnn_key;

const char *dnn_pattern_name(int pattern);
int dnn_pattern_alone(int pattern);      /* the product it begins with */
const char *dnn_type_name(int type);
/* What conv2d, conv2d_dx and conv2d_dw compute over f32 or bf16. */
dnn_key dnn_key_of(const hz_work *w);
/* Names the key wholly, as a file: "conv+act-bf16-128x32x32x64-..."; returns `text`. */
enum { DNN_KEYTEXT = 192 };
char *dnn_key_text(const dnn_key *k, char text[DNN_KEYTEXT]);
/* The way back. HZ_EFORMAT: no such text */
hz_status dnn_key_read(const char *text, dnn_key *out);
int dnn_key_fused(const dnn_key *k);     /* 1: its pattern is more than a product */
/* 1: the pattern of the key, or the product alone (split), uses this operand. */
int dnn_key_uses(const dnn_key *k, int split, int slot);
size_t dnn_key_bytes(const dnn_key *k, int slot);

/* --- patterns.c --- */
/* The operation graph, split: of its product alone; NULL where cuDNN has no such operation or it failed. */
dnn_descriptor dnn_graph(dnn_scope *s, const dnn_target *t, const dnn_key *k, int split);

/* --- plan.c: plans as text, which is how they are kept; what runs was always read from text --- */
typedef struct dnn_plan {
    char *text;                          /* cuDNN's JSON; new, free */
    size_t bytes;
    int64_t workspace;                   /* bytes; known once it was read */
    int engine;                          /* cuDNN's number of it */
    int split;                           /* 1: bias, activation and sums are left to kernels of our own */
    double us;                           /* of one run, with those; 0: not timed */
} dnn_plan;
enum { DNN_LIMIT = 24 };
typedef struct dnn_plans {
    int count;
    dnn_plan plan[DNN_LIMIT];
} dnn_plans;
void dnn_plans_clear(dnn_plans *list);

/* Adds what cuDNN proposes for the key, best first: up to `most` plans that it can build. *proposed: how many there
   were, built or not. */
hz_status dnn_build(const dnn_target *t, const dnn_key *k, int split, int most, dnn_plans *list, int *proposed);
/* Fills in p->workspace, too. */
hz_status dnn_plan_read(dnn_scope *s, const dnn_target *t, dnn_plan *p, dnn_descriptor *out);
/* Launches what was read; data by slot. */
hz_status dnn_execute(const dnn_target *t, const dnn_key *k, int split, dnn_descriptor plan,
                      void *const data[DNN_SLOTS], void *workspace, void *stream);

/* --- cache.c: plans in files, one a key, in a folder a target --- */
/* How many plans of a key are looked at: the first that builds, few, or all that may win. */
typedef enum dnn_effort { DNN_OFF, DNN_QUICK, DNN_FULL, DNN_EFFORTS } dnn_effort;
const char *dnn_effort_name(int effort);
int dnn_effort_wanted(void);             /* HZ_CUDNN_TUNE: off, quick (where it is unset or unknown), full */

/* Where plans lie. NULL: nowhere. */
typedef struct dnn_folders {
    const char *own;                     /* read and written */
    const char *packs;                   /* read only */
} dnn_folders;
/* HZ_PLANS, or hz/plans in XDG_CACHE_HOME or ~/.cache; packs/ beside the shared object this code is in. Lent. */
dnn_folders dnn_folders_usual(void);
/* HZ_ESTATE: there is no file, it is for another target, cut or spoilt, or was made with less effort. */
hz_status dnn_cache_read(const char *folder, const dnn_target *t, const dnn_key *k, int effort, dnn_plans *out);
/* Another process that was first is left in place unless what it wrote is of less effort or spoilt. */
hz_status dnn_cache_write(const char *folder, const dnn_target *t, const dnn_key *k, int effort, const dnn_plans *list);

/* --- tune.c: which plan runs --- */
/* Microseconds of one run of what was read of `p`, with what it leaves to other kernels; below 0: it does not run. */
typedef struct dnn_timer {
    double (*time)(void *self, const dnn_target *t, const dnn_key *k, const dnn_plan *p, dnn_descriptor read);
    void *self;
} dnn_timer;
/* The one plan of a key: from its own files, packs, or made anew, timed and kept. *read lives in `s`. timer NULL: the
   first one. HZ_ESTATE: cuDNN has none. */
hz_status dnn_choose(dnn_scope *s, const dnn_target *t, const dnn_folders *f, int effort, const dnn_timer *timer,
                     const dnn_key *k, dnn_plan *out, dnn_descriptor *read);
/* All plans that are worth timing. */
hz_status dnn_propose(const dnn_target *t, const dnn_key *k, int effort, dnn_plans *out);

/* --- run.c: a convolution with all that belongs to it, on a card --- */
typedef struct dnn_ready {
    const dnn_target *target;
    dnn_key key;
    dnn_plan plan;                       /* without its text */
    dnn_scope scope;
    dnn_descriptor read;                 /* in scope */
} dnn_ready;
/* The plan and where it is split what it leaves out. sums: of SUMS, dnn_sums_room floats where it is split. */
hz_status dnn_run(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream);
size_t dnn_run_workspace(const dnn_ready *r);      /* bytes */

/* --- timer.c: by the card's own clock --- */
/* Microseconds, of 20 runs in a recorded launch, the best of 5; over memory of its own. */
hz_status dnn_clock_begin(dnn_timer *t, const dnn_key *k);
void dnn_clock_end(dnn_timer *t);

#ifdef __cplusplus
}
#endif
#endif

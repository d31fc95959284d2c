/* dnn.h: convolutions by cuDNN's graph API, from the library that is opened when a card is. The same code makes plans
   for a card that is here and for one that is known by its properties alone, so plans are built, checked and packed
   without one. Nothing here is fatal: what cuDNN refuses is the next plan's, and in the end the plain kernel's.
   All of it is [main]. Plans are deterministic: engines that are not are left out. */
#ifndef CUDA_DNN_H
#define CUDA_DNN_H
#include "cuda/dnn/ready.h"
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
enum { DNN_MADE = 256 };
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
void dnn_cache_drop(const char *folder, const dnn_target *t, const dnn_key *k);

/* --- tune.c: which plan runs --- */
/* Microseconds of one run of what was read of `p`, with what it leaves to other kernels; below 0: it does not run; 0:
   there is no memory to time it in. */
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

/* --- here.c: what a dnn_ready holds --- */
typedef struct dnn_held {
    const dnn_target *target;
    dnn_scope scope;
    dnn_descriptor read;                 /* in scope */
} dnn_held;

/* --- timer.c: by the card's own clock --- */
/* Microseconds, of 20 runs in a recorded launch, the best of 5; over memory of its own. */
hz_status dnn_clock_begin(dnn_timer *t, const dnn_key *k);
void dnn_clock_end(dnn_timer *t);

#ifdef __cplusplus
}
#endif
#endif

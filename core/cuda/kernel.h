/* kernel.h: what the kernels of a card and the backend's host code share. C11 and C++17: the bodies of kernels are in
   kern/ (.cu), compiled by nvcc for a card and by the C++ compiler for the emulation (lang.h).
   Rows of a batch: a node computes all of its plan's rows. Those from step->count on are made of zeros by the input
   node and get gradients of zero from the loss; only ops that mix rows (xent, norm and their gradients) look at the
   count. So one recorded program serves short batches, too. */
#ifndef CUDA_KERNEL_H
#define CUDA_KERNEL_H
#include "hz/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row numbers of op.def. */
enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
    OP_COUNT
};

/* What a node's kernels are given. Pointers are to the device's memory, but for `state`. */
typedef struct cuda_call {
    const hz_step *step;      /* of the step that runs: kernels read it, the host never does */
    const int32_t *shut;      /* 1: nodes that write what is the caller's (updates) do nothing */
    void *stream;             /* on which all is launched, in order */
    void *workspace;          /* shared by all nodes, contents do not last */
    void *state;              /* on the host: what prepare() made */
    /* NULL, or one f32 per channel: of a node that yields_sums, where it also puts the sums of out[0] over all axes but
       the last; of conv2d_dw, where those of dy lie: its db, which others then fill in. */
    float *sums;
    void *narrow;             /* bf16: the copy of in[1] of a node that CUDA_NARROWS, or where one that CUDA_WIDENS puts
                                 out[0], which others then widen */
} cuda_call;

typedef struct cuda_kernel {
    const char *name;                                 /* "plain", "cudnn" */
    int (*accepts)(const hz_work *w);                 /* 1 if it runs this node; data pointers may lead nowhere */
    size_t (*workspace)(const hz_work *w, const void *state);  /* NULL: none */
    /* Host state of a node, made once, before anything runs: plans of a library. *out may stay NULL. sums: 1 if sums of
       out[0] are wanted of who yields_sums. NULL: none */
    hz_status (*prepare)(const hz_work *w, int sums, void **out);
    void (*discard)(void *state);
    int (*yields_sums)(const hz_work *w, const void *state);    /* NULL: it does not */
    int (*casts)(const hz_work *w, const void *state);          /* a cuda_cast; NULL: none */
    /* Launches; it neither waits nor allocates, and reads nothing that changes from step to step: a run of nodes is
       recorded once and replayed. */
    hz_status (*run)(const hz_work *w, const cuda_call *c);
} cuda_kernel;

/* What the program does for a node whose library multiplies bf16 beside parameters of f32 (casts.h). */
typedef enum cuda_cast { CUDA_NARROWS = 1, CUDA_WIDENS = 2 } cuda_cast;

enum { CUDA_KERNELS = 4 };                            /* rows of a list at most */
/* kern/: one "plain" kernel for each op that has any, which every other is judged by. */
#define OP(name, ...) extern const cuda_kernel plain_##name;
#include "hz/op.def"
#undef OP
/* dnn/: convolutions by cuDNN. */
extern const cuda_kernel cudnn_conv2d, cudnn_conv2d_dx, cudnn_conv2d_dw;
/* blas.c: large products by cuBLASLt. */
extern const cuda_kernel cublaslt_dense, cublaslt_dense_dx, cublaslt_dense_dw, cublaslt_muon;
const cuda_kernel *const *cuda_kernels(int op);       /* the first that accepts a node runs it; ends with NULL */

extern const hz_core *cuda_core;                      /* what the core lends: messages, questions about works */

/* --- small questions --- */
static inline int64_t cuda_size(const hz_arg *a, int from, int to)    /* product of dimensions from .. to-1 */
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= a->shape[i];
    return n;
}
static inline int64_t cuda_elements(const hz_arg *a) { return cuda_size(a, 0, a->ndim); }
/* The type in which a node's activations are stored where its parameters are f32 (or all f64); else -1. */
int cuda_storage(const hz_work *w);
int cuda_plain_accepts(const hz_work *w);             /* 1: cuda_storage knows it, no tails, no head */

#ifdef __cplusplus
}
#endif
#endif

/* ready.h: a convolution that is ready to run on a card: what the rows need of cuDNN (here.c), and of what stands for
   it in the emulation (emu/dnn.cu). */
#ifndef CUDA_DNN_READY_H
#define CUDA_DNN_READY_H
#include "cuda/dnn/key.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dnn_ready {
    dnn_key key;
    int split;                           /* 1: bias, activation and sums are left to kernels of our own */
    size_t workspace;                    /* bytes, of the product or of all in one */
    void *held;                          /* by who made it */
} dnn_ready;

const char *dnn_describe(void);          /* "cuDNN 91900", why there is none, or ""; lent for ever */
int dnn_here(void);                      /* 1: there is cuDNN for the card; 0, message set */
int dnn_wanted(void);                    /* whether a device opens: 1 if there is what it wants; 0, message set */
dnn_ready *dnn_ready_new(const dnn_key *k);      /* new; NULL: there is no plan for it */
void dnn_ready_free(dnn_ready *r);       /* NULL is fine */
/* Launches what was planned; data by slot. */
hz_status dnn_launch(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream);

/* --- run.c --- */
/* Launches it all: where it is split also what the plan leaves out. */
hz_status dnn_run(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream);
size_t dnn_run_workspace(const dnn_ready *r);      /* bytes */

#ifdef __cplusplus
}
#endif
#endif

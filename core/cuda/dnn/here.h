/* here.h: cuDNN on the card that this process works on. */
#ifndef CUDA_DNN_HERE_H
#define CUDA_DNN_HERE_H
#include "cuda/dnn/dnn.h"

#ifdef __cplusplus
extern "C" {
#endif

const dnn_target *dnn_here(void);        /* NULL, message set: there is none */
dnn_ready *dnn_ready_new(const dnn_key *k);      /* new; NULL: it has no plan */
void dnn_ready_free(dnn_ready *r);

#ifdef __cplusplus
}
#endif
#endif

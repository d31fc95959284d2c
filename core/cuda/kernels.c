/* kernels.c: the kernels of each op, the first that accepts a node runs it. */
#include "cuda/kernel.h"

static const cuda_kernel *const lists[OP_COUNT][CUDA_KERNELS + 1] = {
    [OP_act] = { &plain_act },
    [OP_act_grad] = { &plain_act_grad },
    [OP_add] = { &plain_add },
};

const cuda_kernel *const *cuda_kernels(int op) { return lists[op]; }

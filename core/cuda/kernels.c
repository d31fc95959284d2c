/* kernels.c: the kernels of each op, the first that accepts a node runs it. */
#include "cuda/kernel.h"

static const cuda_kernel *const lists[OP_COUNT][CUDA_KERNELS + 1] = {
    [OP_act] = { &plain_act },
    [OP_act_grad] = { &plain_act_grad },
    [OP_add] = { &plain_add },
    [OP_conv2d] = { &plain_conv2d },
    [OP_conv2d_dx] = { &plain_conv2d_dx },
    [OP_conv2d_dw] = { &plain_conv2d_dw },
    [OP_dense] = { &plain_dense },
    [OP_dense_dx] = { &plain_dense_dx },
    [OP_dense_dw] = { &plain_dense_dw },
    [OP_bias_grad] = { &plain_bias_grad },
};

const cuda_kernel *const *cuda_kernels(int op) { return lists[op]; }

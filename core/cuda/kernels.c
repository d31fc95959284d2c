/* kernels.c: the kernels of each op, the first that accepts a node runs it. */
#include "cuda/kernel.h"

static const cuda_kernel *const lists[OP_COUNT][CUDA_KERNELS + 1] = {
    [OP_input] = { &plain_input },
    [OP_conv2d] = { &cudnn_conv2d, &plain_conv2d },
    [OP_dense] = { &plain_dense },
    [OP_act] = { &plain_act },
    [OP_dropout] = { &plain_dropout },
    [OP_maxpool] = { &plain_maxpool },
    [OP_avgpool] = { &plain_avgpool },
    [OP_meanpool] = { &plain_meanpool },
    [OP_norm] = { &plain_norm },
    [OP_add] = { &plain_add },
    [OP_softmax] = { &plain_softmax },
    [OP_xent] = { &plain_xent },
    [OP_conv2d_dx] = { &cudnn_conv2d_dx, &plain_conv2d_dx },
    [OP_conv2d_dw] = { &cudnn_conv2d_dw, &plain_conv2d_dw },
    [OP_dense_dx] = { &plain_dense_dx },
    [OP_dense_dw] = { &plain_dense_dw },
    [OP_bias_grad] = { &plain_bias_grad },
    [OP_act_grad] = { &plain_act_grad },
    [OP_dropout_grad] = { &plain_dropout_grad },
    [OP_maxpool_grad] = { &plain_maxpool_grad },
    [OP_avgpool_grad] = { &plain_avgpool_grad },
    [OP_meanpool_grad] = { &plain_meanpool_grad },
    [OP_norm_grad] = { &plain_norm_grad },
    [OP_norm_act_grad] = { &plain_norm_act_grad },
    [OP_softmax_grad] = { &plain_softmax_grad },
    [OP_xent_grad] = { &plain_xent_grad },
    [OP_sgd] = { &plain_sgd },
    [OP_adam] = { &plain_adam },
    [OP_adamw] = { &plain_adamw },
    [OP_adadelta] = { &plain_adadelta },
    [OP_average] = { &plain_average },
    [OP_norm_update] = { &plain_norm_update },
};

const cuda_kernel *const *cuda_kernels(int op) { return lists[op]; }

/* kernels.c: the kernels of each op, fastest first, plain loops last. The cheapest that accepts a node runs it. */
#include "cpu/cpu.h"

extern const cpu_kernel conv2d_wino, conv2d_dx_wino, conv2d_dw_wino;      /* fast convolution */
extern const cpu_kernel conv2d_few, conv2d_dw_few;      /* few input channels */
extern const cpu_kernel conv2d_pairs, conv2d_dx_pairs, conv2d_dw_pairs, dense_pairs, dense_dx_pairs, dense_dw_pairs,
    conv2d_winopairs, conv2d_dx_winopairs, conv2d_dw_winopairs;      /* bf16 */
extern const cpu_kernel conv2d_blocked, conv2d_lowered;      /* "pairs" where values lie blocked */
extern const cpu_kernel
    input_rows, conv2d_gather, conv2d_dx_gather, dense_gather, dense_dx_gather, conv2d_dw_outer, dense_dw_outer,
    act_vector, act_grad_vector, add_vector, dropout_vector, dropout_grad_vector, sgd_vector, adam_vector,
    adamw_vector, adadelta_vector, average_vector, muon_products, maxpool_vector, maxpool_grad_vector, avgpool_vector,
    avgpool_grad_vector, meanpool_vector, meanpool_grad_vector, norm_vector, norm_grad_vector, norm_runs,
    norm_grad_runs, bias_grad_vector, ref_input, ref_conv2d, ref_conv2d_dx, ref_conv2d_dw, ref_dense, ref_dense_dx,
    ref_dense_dw, ref_bias_grad, ref_act, ref_act_grad, ref_dropout, ref_dropout_grad, ref_maxpool, ref_maxpool_grad,
    ref_avgpool, ref_avgpool_grad, ref_meanpool, ref_meanpool_grad, ref_norm, ref_norm_grad, ref_add, ref_softmax,
    ref_softmax_grad, ref_xent, ref_xent_grad, ref_sgd, ref_adam, ref_adamw, ref_adadelta, ref_muon, ref_average,
    ref_norm_update, norm_act_grad_vector, ref_norm_act_grad;

static const cpu_kernel *const lists[OP_COUNT][CPU_KERNELS] = {
    [OP_input]         = { &input_rows, &ref_input },
    [OP_conv2d]        = { &conv2d_blocked, &conv2d_lowered, &conv2d_pairs, &conv2d_winopairs, &conv2d_wino,
                           &conv2d_few, &conv2d_gather, &ref_conv2d },
    [OP_conv2d_dx]     = { &conv2d_dx_pairs, &conv2d_dx_winopairs, &conv2d_dx_wino, &conv2d_dx_gather, &ref_conv2d_dx },
    [OP_conv2d_dw]     = { &conv2d_dw_pairs, &conv2d_dw_winopairs, &conv2d_dw_wino, &conv2d_dw_few, &conv2d_dw_outer,
                           &ref_conv2d_dw },
    [OP_dense]         = { &dense_pairs, &dense_gather, &ref_dense },
    [OP_dense_dx]      = { &dense_dx_pairs, &dense_dx_gather, &ref_dense_dx },
    [OP_dense_dw]      = { &dense_dw_pairs, &dense_dw_outer, &ref_dense_dw },
    [OP_bias_grad]     = { &bias_grad_vector, &ref_bias_grad },
    [OP_act]           = { &act_vector, &ref_act },
    [OP_act_grad]      = { &act_grad_vector, &ref_act_grad },
    [OP_dropout]       = { &dropout_vector, &ref_dropout },
    [OP_dropout_grad]  = { &dropout_grad_vector, &ref_dropout_grad },
    [OP_maxpool]       = { &maxpool_vector, &ref_maxpool },
    [OP_maxpool_grad]  = { &maxpool_grad_vector, &ref_maxpool_grad },
    [OP_avgpool]       = { &avgpool_vector, &ref_avgpool },
    [OP_avgpool_grad]  = { &avgpool_grad_vector, &ref_avgpool_grad },
    [OP_meanpool]      = { &meanpool_vector, &ref_meanpool },
    [OP_meanpool_grad] = { &meanpool_grad_vector, &ref_meanpool_grad },
    [OP_norm]          = { &norm_vector, &norm_runs, &ref_norm },
    [OP_norm_grad]     = { &norm_grad_vector, &norm_grad_runs, &ref_norm_grad },
    [OP_norm_act_grad] = { &norm_act_grad_vector, &ref_norm_act_grad },
    [OP_add]           = { &add_vector, &ref_add },
    [OP_softmax]       = { &ref_softmax },
    [OP_softmax_grad]  = { &ref_softmax_grad },
    [OP_xent]          = { &ref_xent },
    [OP_xent_grad]     = { &ref_xent_grad },
    [OP_sgd]           = { &sgd_vector, &ref_sgd },
    [OP_adam]          = { &adam_vector, &ref_adam },
    [OP_adamw]         = { &adamw_vector, &ref_adamw },
    [OP_adadelta]      = { &adadelta_vector, &ref_adadelta },
    [OP_muon]          = { &muon_products, &ref_muon },
    [OP_average]       = { &average_vector, &ref_average },
    [OP_norm_update]   = { &ref_norm_update },
};

const cpu_kernel *const *cpu_kernels(int op)
{
    static const cpu_kernel *const none[1] = { 0 };
    return op >= 0 && op < OP_COUNT ? lists[op] : none;
}

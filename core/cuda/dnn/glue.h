/* glue.h: what a plan of a convolution leaves out. dtype: HZ_F32 or HZ_BF16. */
#ifndef CUDA_DNN_GLUE_H
#define CUDA_DNN_GLUE_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y (rows,channels) = act(y + bias); bias NULL: none */
void glue_activate(void *stream, int dtype, void *y, const float *bias, int64_t rows, int64_t channels,
                   hz_act_attr act);
/* dx *= act'(.), told by the activation's output y, both of n elements */
void glue_slope(void *stream, int dtype, void *dx, const void *y, int64_t n, hz_act_attr act);

#ifdef __cplusplus
}
#endif
#endif

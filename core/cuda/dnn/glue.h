/* glue.h: small kernels around convolutions: weights to bf16 and back, and what a plan leaves out. dtype: HZ_F32 or
   HZ_BF16. */
#ifndef CUDA_DNN_GLUE_H
#define CUDA_DNN_GLUE_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

void glue_narrow(void *stream, const float *from, void *to, int64_t n);          /* to bf16 */
void glue_widen(void *stream, const void *from, float *to, int64_t n);           /* from bf16 */
/* y (rows,channels) = act(y + bias); bias NULL: none */
void glue_activate(void *stream, int dtype, void *y, const float *bias, int64_t rows, int64_t channels,
                   hz_act_attr act);
/* dx *= act'(.), told by the activation's output y, both of n elements */
void glue_slope(void *stream, int dtype, void *dx, const void *y, int64_t n, hz_act_attr act);

#ifdef __cplusplus
}
#endif
#endif

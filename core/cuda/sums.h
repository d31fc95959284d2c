/* sums.h: who could add up the gradient of a convolution's bias on the way: the node that makes what is added up. */
#ifndef CUDA_SUMS_H
#define CUDA_SUMS_H
#include "cuda/kernel.h"

/* The node whose out[0] node i adds up over all axes but the last: i is a conv2d_dw that yields a bias's gradient. -1:
   i adds up nothing, or nobody here made it so. */
static inline int sums_maker(const hz_work *works, int i)
{
    const hz_work *w = &works[i];
    if (w->op != OP_conv2d_dw || w->nout < 2 || !w->out[1].data)
        return -1;
    for (int m = i - 1; m >= 0; m--)
        for (int k = 0; k < works[m].nout; k++)
            if (works[m].out[k].data == w->in[1].data)
                return k == 0 ? m : -1;
    return -1;
}

/* 1: some node adds up what node i makes. */
static inline int sums_wanted(const hz_work *works, int count, int i)
{
    for (int k = i + 1; k < count; k++)
        if (sums_maker(works, k) == i)
            return 1;
    return 0;
}
#endif

/* update.h: updates of parameters and of running statistics as items: a launch runs one, or all of a list. C11 and
   C++17. */
#ifndef CUDA_UPDATE_H
#define CUDA_UPDATE_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n elements each, on the device, all f32 or all f64. Of norm_update p and s are the running mean and variance, dp and
   t the batch's, optim.momentum is the norm's. */
typedef struct update {
    int32_t op, f64;
    int64_t n;
    void *p, *s, *t;          /* changed; NULL: the op has no such state */
    const void *dp;
    void *mean;               /* average of p that moves afterwards; NULL: none */
    int32_t back;             /* of that: hz_average */
    hz_optim optim;
} update;

update update_of(const hz_work *w);

#ifdef __cplusplus
}
#endif
#endif

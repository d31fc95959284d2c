/* act.h: activations over what kernels compute in. NaN goes in and comes out. As core/cpu/ref has them:
   relu max(x,0); elu x or alpha*(e^x - 1); leaky x or alpha*x; gelu x*Phi(x), exact by erf; sigmoid 1/(1+e^-x);
   scale alpha*x */
#ifndef CUDA_ACT_H
#define CUDA_ACT_H
#include "cuda/kernel.h"
#include "cuda/lang.h"

template <class T> static __device__ __forceinline__ T activate(T x, hz_act_attr a)
{
    T alpha = (T)a.alpha;
    switch (a.act) {
    case HZ_RELU:    return x < 0 ? (T)0 : x;
    case HZ_ELU:     return x < 0 ? alpha * (T)expm1(x) : x;
    case HZ_GELU:    return x * (T)0.5 * (1 + (T)erf(x * (T)0.70710678118654752));
    case HZ_LEAKY:   return x < 0 ? alpha * x : x;
    case HZ_TANH:    return (T)tanh(x);
    case HZ_SIGMOID: return 1 / (1 + (T)exp(-x));
    case HZ_SCALE:   return alpha * x;
    default:         return x;
    }
}

/* Derivative from the output y, except for gelu, where y is the input. At 0 relu, elu and leaky take the left
   branch. */
template <class T> static __device__ __forceinline__ T slope(T y, hz_act_attr a)
{
    T alpha = (T)a.alpha;
    switch (a.act) {
    case HZ_RELU:    return y > 0 ? (T)1 : (T)0;
    case HZ_ELU:     return y > 0 ? (T)1 : y + alpha;
    case HZ_GELU:    return (T)0.5 * (1 + (T)erf(y * (T)0.70710678118654752))
                            + y * (T)0.39894228040143268 * (T)exp(-y * y / 2);
    case HZ_LEAKY:   return y > 0 ? (T)1 : alpha;
    case HZ_TANH:    return 1 - y * y;
    case HZ_SIGMOID: return y * (1 - y);
    case HZ_SCALE:   return alpha;
    default:         return 1;
    }
}

/* The epilogue of a work, linear where it has none. Of a gradient it is the activation whose slope the last input
   gives. */
static inline hz_act_attr epilogue_of(const hz_work *w)
{
    const hz_act_attr *a = cuda_core->epilogue(w->op, &w->attr);
    hz_act_attr none = { HZ_LINEAR, 0 };
    return a ? *a : none;
}
#endif

/* act.cu: activations, their gradients, and sums of two values. */
#include "cuda/kern/act.h"

template <class T> static __global__ void act_kernel(const T *x, T *y, int64_t n, hz_act_attr a)
{
    int64_t i = thread_number();
    if (i < n)
        store(y, i, activate(load(x, i), a));
}

template <class T> static __global__ void act_grad_kernel(const T *dy, const T *y, T *dx, int64_t n, hz_act_attr a)
{
    int64_t i = thread_number();
    if (i < n)
        store(dx, i, load(dy, i) * slope(load(y, i), a));
}

template <class T> static __global__ void add_kernel(const T *a, const T *b, T *y, int64_t n, hz_act_attr act)
{
    int64_t i = thread_number();
    if (i < n)
        store(y, i, activate(load(a, i) + load(b, i), act));
}

template <class T> static hz_status act(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(act_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data, (T *)w->out[0].data, n,
                   w->attr.act);
    return HZ_OK;
}

template <class T> static hz_status act_grad(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(act_grad_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, n, w->attr.act);
    return HZ_OK;
}

template <class T> static hz_status add(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(add_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, n, w->attr.act);
    return HZ_OK;
}

PLAIN_KERNEL(act)
PLAIN_KERNEL(act_grad)
PLAIN_KERNEL(add)

/* act.cu: activations, their gradients, and sums of two values. A thread makes N values (pack.h), of n/N packs. */
#include "cuda/kern/act.h"
#include "cuda/kern/pack.h"

template <class T, int N>
static __global__ void act_kernel(const T *x, T *y, int64_t packs, hz_act_attr a)
{
    int64_t i = thread_number() * N;
    if (thread_number() >= packs)
        return;
    values<T, N> v = load_values<N>(x, i);
    for (int k = 0; k < N; k++)
        v.at[k] = activate(v.at[k], a);
    store_values<N>(y, i, v);
}

template <class T, int N>
static __global__ void act_grad_kernel(const T *dy, const T *y, T *dx, int64_t packs, hz_act_attr a)
{
    int64_t i = thread_number() * N;
    if (thread_number() >= packs)
        return;
    values<T, N> v = load_values<N>(dy, i), of = load_values<N>(y, i);
    for (int k = 0; k < N; k++)
        v.at[k] *= slope(of.at[k], a);
    store_values<N>(dx, i, v);
}

template <class T, int N>
static __global__ void add_kernel(const T *a, const T *b, T *y, int64_t packs, hz_act_attr act)
{
    int64_t i = thread_number() * N;
    if (thread_number() >= packs)
        return;
    values<T, N> v = load_values<N>(a, i), w = load_values<N>(b, i);
    for (int k = 0; k < N; k++)
        v.at[k] = activate(v.at[k] + w.at[k], act);
    store_values<N>(y, i, v);
}

template <class T, int N> static hz_status act_by(const hz_work *w, const cuda_call *c)
{
    int64_t packs = cuda_elements(&w->out[0]) / N;
    HZ_LAUNCH_FLAT((act_kernel<T, N>), blocks_of(packs), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, packs, w->attr.act);
    return HZ_OK;
}

template <class T, int N> static hz_status act_grad_by(const hz_work *w, const cuda_call *c)
{
    int64_t packs = cuda_elements(&w->out[0]) / N;
    HZ_LAUNCH_FLAT((act_grad_kernel<T, N>), blocks_of(packs), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, packs, w->attr.act);
    return HZ_OK;
}

template <class T, int N> static hz_status add_by(const hz_work *w, const cuda_call *c)
{
    int64_t packs = cuda_elements(&w->out[0]) / N;
    HZ_LAUNCH_FLAT((add_kernel<T, N>), blocks_of(packs), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, packs, w->attr.act);
    return HZ_OK;
}

BY_PACKS(act, cuda_elements(&w->out[0]))
BY_PACKS(act_grad, cuda_elements(&w->out[0]))
BY_PACKS(add, cuda_elements(&w->out[0]))
PLAIN_KERNEL(act)
PLAIN_KERNEL(act_grad)
PLAIN_KERNEL(add)

/* glue.cu: small kernels around convolutions (glue.h). They are bound by memory: a thread moves 16 bytes at a time
   where the count allows it. */
#include "cuda/dnn/glue.h"
#include "cuda/kern/act.h"

/* ---- in place, a pack of 16 bytes a thread ---- */

template <class T> struct __align__(16) pack {
    enum { N = 16 / sizeof(T) };
    T v[N];
};

/* n: packs of y; channels is a multiple of a pack, so a pack lies in one row */
template <class T> static __global__ void activate_packs(pack<T> *y, const float *bias, int64_t n, int64_t channels,
                                                         hz_act_attr act)
{
    int64_t i = thread_number();
    if (i >= n)
        return;
    pack<T> p = y[i];
    const float *b = bias ? bias + i * pack<T>::N % channels : nullptr;
    for (int j = 0; j < pack<T>::N; j++)
        store(p.v, j, activate(load(p.v, j) + (b ? b[j] : 0.0f), act));
    y[i] = p;
}

template <class T> static __global__ void activate_each(T *y, const float *bias, int64_t n, int64_t channels,
                                                        hz_act_attr act)
{
    int64_t i = thread_number();
    if (i < n)
        store(y, i, activate(load(y, i) + (bias ? bias[i % channels] : 0.0f), act));
}

template <class T> static void activate_all(void *stream, T *y, const float *bias, int64_t n, int64_t channels,
                                            hz_act_attr act)
{
    int64_t packs = n / pack<T>::N;
    if (channels % pack<T>::N == 0)
        HZ_LAUNCH_FLAT(activate_packs<T>, blocks_of(packs), BLOCK, 0, stream, (pack<T> *)y, bias, packs, channels, act);
    else
        HZ_LAUNCH_FLAT(activate_each<T>, blocks_of(n), BLOCK, 0, stream, y, bias, n, channels, act);
}

void glue_activate(void *stream, int dtype, void *y, const float *bias, int64_t rows, int64_t channels,
                   hz_act_attr act)
{
    if (dtype == HZ_BF16)
        activate_all(stream, (bf16 *)y, bias, rows * channels, channels, act);
    else
        activate_all(stream, (float *)y, bias, rows * channels, channels, act);
}

/* Threads beyond the packs take single elements of the rest. */
template <class T> static __global__ void slope_kernel(T *dx, const T *y, int64_t packs, int64_t n, hz_act_attr act)
{
    int64_t i = thread_number(), rest = packs * pack<T>::N + i - packs;
    if (i < packs) {
        pack<T> d = ((pack<T> *)dx)[i], g = ((const pack<T> *)y)[i];
        for (int j = 0; j < pack<T>::N; j++)
            store(d.v, j, load(d.v, j) * slope(load(g.v, j), act));
        ((pack<T> *)dx)[i] = d;
    } else if (rest < n) {
        store(dx, rest, load(dx, rest) * slope(load(y, rest), act));
    }
}

template <class T> static void slope_all(void *stream, T *dx, const T *y, int64_t n, hz_act_attr act)
{
    int64_t packs = n / pack<T>::N;
    HZ_LAUNCH_FLAT(slope_kernel<T>, blocks_of(packs + n % pack<T>::N), BLOCK, 0, stream, dx, y, packs, n, act);
}

void glue_slope(void *stream, int dtype, void *dx, const void *y, int64_t n, hz_act_attr act)
{
    if (dtype == HZ_BF16)
        slope_all(stream, (bf16 *)dx, (const bf16 *)y, n, act);
    else
        slope_all(stream, (float *)dx, (const float *)y, n, act);
}

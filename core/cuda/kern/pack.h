/* pack.h: sixteen bytes of values at a time, the most that a thread loads or stores at once. Kernels are templates over
   N, how many values next to each other a thread makes: per_pack<T> where shapes and pointers let it, else 1. */
#ifndef CUDA_PACK_H
#define CUDA_PACK_H
#include "cuda/kernel.h"
#include "cuda/lang.h"
#include <string.h>

enum { PACK = 16 };           /* bytes */
template <class T> constexpr int per_pack = PACK / (int)sizeof(T);

struct __attribute__((may_alias, aligned(PACK))) pack { uint32_t word[PACK / 4]; };
template <int N> struct __attribute__((may_alias, aligned(N))) bytes { uint8_t at[N]; };

/* N values as they are computed with. */
template <class T, int N> struct values {
    wide<T> at[N];
};

/* Of p[i] on; i is a multiple of N. */
template <int N, class T> static __device__ __forceinline__ values<T, N> load_values(const T *p, int64_t i)
{
    values<T, N> v;
    T near[N];
    if constexpr (N * sizeof(T) % PACK == 0) {
        pack words[N * sizeof(T) / PACK];
        for (size_t k = 0; k < sizeof words / PACK; k++)
            words[k] = ((const pack *)(p + i))[k];
        memcpy((void *)near, words, sizeof words);
    } else {
        for (int k = 0; k < N; k++)
            near[k] = p[i + k];
    }
    for (int k = 0; k < N; k++)
        v.at[k] = load(near, k);
    return v;
}

template <int N, class T> static __device__ __forceinline__ void store_values(T *p, int64_t i, const values<T, N> &v)
{
    T near[N];
    for (int k = 0; k < N; k++)
        store(near, k, v.at[k]);
    if constexpr (N * sizeof(T) % PACK == 0) {
        pack words[N * sizeof(T) / PACK];
        memcpy((void *)words, near, sizeof words);
        for (size_t k = 0; k < sizeof words / PACK; k++)
            ((pack *)(p + i))[k] = words[k];
    } else {
        for (int k = 0; k < N; k++)
            p[i + k] = near[k];
    }
}

/* a/b of numbers that are not negative; short ones, as nearly all are, divide faster. */
static __device__ __forceinline__ int64_t quotient(int64_t a, int64_t b)
{
    return (uint64_t)(a | b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}

/* Whether rows of `size` values of T are whole packs, and begin where one may. */
template <class T> static bool in_packs(const hz_work *w, int64_t size)
{
    uintptr_t where = 0;
    for (int i = 0; i < w->nin; i++)
        where |= (uintptr_t)w->in[i].data;
    for (int i = 0; i < w->nout; i++)
        where |= (uintptr_t)w->out[i].data;
    return size % per_pack<T> == 0 && where % PACK == 0;
}

/* The launches of an op by packs of rows of `size` values, or value by value: op_by<T, N> has them. */
#define BY_PACKS(op, size) \
    template <class T> static hz_status op(const hz_work *w, const cuda_call *c) \
    { \
        return in_packs<T>(w, size) ? op##_by<T, per_pack<T>>(w, c) : op##_by<T, 1>(w, c); \
    }
#endif

/* reduce.h: sums of a warp and of a block, in an order that the number of threads alone decides: the same bits each
   time. All threads must come. */
#ifndef CUDA_REDUCE_H
#define CUDA_REDUCE_H
#include "cuda/lang.h"

enum { LANES = 32, WARPS = BLOCK / LANES };           /* of a warp; of a block */

/* How many units hold n. */
static inline int64_t units(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

template <class T> static __device__ __forceinline__ T warp_sum(T v)
{
    for (int bits = LANES / 2; bits; bits /= 2)
        v += __shfl_xor_sync(~0u, v, bits);
    return v;
}

/* Of a block of BLOCK threads; every thread gets it. */
template <class T> static __device__ __forceinline__ T block_sum(T v)
{
    __shared__ T of_warp[WARPS];
    v = warp_sum(v);
    if (threadIdx.x % LANES == 0)
        of_warp[threadIdx.x / LANES] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; i < WARPS; i++)
        v += of_warp[i];
    __syncthreads();                                  /* who calls again writes there */
    return v;
}
#endif

/* norm.h: what batch norm and its gradients share. x counts as (outer, n, inner), the axis that keeps its statistics in
   the middle; only rows in use are measured. A thread sees N channels next to each other (pack.h; 1 unless they are the
   last axis), a block adds up some positions of some channels, and a warp per channel adds those parts, all in an order
   that the shape decides: the same bits each time. */
#ifndef CUDA_NORM_H
#define CUDA_NORM_H
#include "cuda/kern/act.h"
#include "cuda/kern/pack.h"
#include "cuda/kern/reduce.h"

/* Channel k at position j, of `each` for a row of the batch, lies at (j/inner*n + k)*inner + j%inner. A block sees
   `side` packs of channels next to each other, BLOCK/side positions at a time. */
struct axis {
    int64_t batch, each, n, inner;
    int side, parts;          /* parts: blocks that measure the same channels */
};

static inline int64_t axis_number(const hz_work *w, const hz_arg *a)
{
    return w->attr.norm.axis > 0 ? w->attr.norm.axis : a->ndim - 1;
}

/* The size that must be whole packs; 1: it cannot be. */
static inline int64_t packed_size(const hz_work *w, int arg)
{
    const hz_arg *a = &w->in[arg];
    return axis_number(w, a) == a->ndim - 1 ? a->shape[a->ndim - 1] : 1;
}

template <int N> static inline axis axis_of(const hz_work *w, int arg)
{
    const hz_arg *a = &w->in[arg];
    int d = (int)axis_number(w, a);
    axis v = { a->shape[0], cuda_size(a, 1, d) * cuda_size(a, d + 1, a->ndim), a->shape[d],
               cuda_size(a, d + 1, a->ndim), 1, 1 };
    while (v.inner == 1 && v.side < LANES && v.side * N < v.n)
        v.side *= 2;
    int64_t blocks = units(v.n, v.side * N), turns = units(v.batch * v.each, BLOCK / v.side);
    v.parts = (int)min(units(turns, 8), units(1024, blocks));
    return v;
}

static __device__ __forceinline__ int64_t place(const axis &v, int64_t k, int64_t j)
{
    if (v.inner == 1)
        return j * v.n + k;
    int64_t o = quotient(j, v.inner);
    return (o * v.n + k) * v.inner + (j - o * v.inner);
}

static __device__ __forceinline__ int64_t positions(const axis &v, const hz_step *s)
{
    return min(s->count, v.batch) * v.each;
}

/* Where a thread works: channels from k on (none where k >= n), positions from j on, by steps. */
struct beat {
    int64_t k, j, step;
};

template <int N> static __device__ __forceinline__ beat beat_of(const axis &v)
{
    int turns = BLOCK / v.side;
    return beat{ (blockIdx.x * (int64_t)v.side + threadIdx.x % v.side) * N,
                 blockIdx.y * (int64_t)turns + threadIdx.x / v.side, (int64_t)turns * gridDim.y };
}

/* Blocks that measure, and blocks that each make a few positions of all. */
template <int N> static inline dim3 measuring_grid(const axis &v)
{
    return dim3((unsigned)units(v.n, v.side * N), (unsigned)v.parts);
}
template <int N> static inline dim3 making_grid(const axis &v)
{
    int64_t turns = units(v.batch * v.each, BLOCK / v.side);
    return dim3((unsigned)units(v.n, v.side * N), (unsigned)min(units(turns, 4), (int64_t)65535));
}

/* ---- what is added up ---- */

/* n numbers, their mean, and the sum of squares about it. */
struct moments {
    double n, mean, squares;
};
/* Of dy, and of dy*xhat. */
struct sums {
    double plain, dot;
};

/* Chan, Golub, LeVeque 1979: nothing cancels. */
static __device__ __forceinline__ void merge(moments *a, moments b)
{
    double n = a->n + b.n, d = b.mean - a->mean;
    if (b.n == 0)
        return;
    a->mean += d * (b.n / n);
    a->squares += b.squares + d * d * (a->n * b.n / n);
    a->n = n;
}
static __device__ __forceinline__ void merge(sums *a, sums b)
{
    a->plain += b.plain;
    a->dot += b.dot;
}
static __device__ __forceinline__ moments from_lane(moments m, int bits)
{
    return moments{ __shfl_xor_sync(~0u, m.n, bits), __shfl_xor_sync(~0u, m.mean, bits),
                    __shfl_xor_sync(~0u, m.squares, bits) };
}
static __device__ __forceinline__ sums from_lane(sums s, int bits)
{
    return sums{ __shfl_xor_sync(~0u, s.plain, bits), __shfl_xor_sync(~0u, s.dot, bits) };
}

/* This thread's results of a channel, added up over the block's positions; the first turn gets them. */
template <class R> static __device__ __forceinline__ R over_turns(R mine, int side)
{
    __shared__ R all[BLOCK];
    int turn = threadIdx.x / side;
    __syncthreads();                                  /* who called before still reads */
    all[threadIdx.x] = mine;
    for (int half = BLOCK / side / 2; half; half /= 2) {
        __syncthreads();
        if (turn < half)
            merge(&all[threadIdx.x], all[threadIdx.x + half * side]);
    }
    return all[threadIdx.x];
}

/* parts: (n,parts) of what M measures of N channels. M has: result, what is known of a channel; tally, what a thread
   adds up; begin(tally, k); add(tally, v, k, j, step, end), M::RUN positions from j on by steps, before end;
   channel(tally, c). */
template <class M, int N>
static __global__ void parts_kernel(M measured, typename M::result *parts, axis v, const hz_step *step)
{
    beat b = beat_of<N>(v);
    int64_t end = b.k < v.n ? positions(v, step) : 0;
    typename M::tally mine = {};
    if (b.k < v.n)
        measured.begin(&mine, b.k);
    for (int64_t j = b.j; j < end; j += b.step * M::RUN)
        measured.add(&mine, v, b.k, j, b.step, end);
    for (int c = 0; c < N; c++) {
        typename M::result all = over_turns(measured.channel(mine, c), v.side);
        if (threadIdx.x < (unsigned)v.side && b.k < v.n)
            parts[(b.k + c) * v.parts + blockIdx.y] = all;
    }
}

/* All of channel k's parts, by the warp that asks. */
template <class R> static __device__ __forceinline__ R total(const R *parts, const axis &v, int64_t k)
{
    R sum = {};
    for (int i = threadIdx.x % LANES; i < v.parts; i += LANES)
        merge(&sum, parts[k * v.parts + i]);
    for (int bits = LANES / 2; bits; bits /= 2)
        merge(&sum, from_lane(sum, bits));
    return sum;
}

/* This warp's channel. */
static __device__ __forceinline__ int64_t warp_channel()
{
    return blockIdx.x * (int64_t)WARPS + threadIdx.x / LANES;
}

/* Sums that another node found come with tails, of which there are none here. */
static int norm_accepts(const hz_work *w)
{
    return cuda_plain_accepts(w) && !(w->nin > HZ_NORM_MOMENTS && w->in[HZ_NORM_MOMENTS].data);
}

template <class R> static size_t parts_bytes(const axis &v) { return (size_t)(v.n * v.parts) * sizeof(R); }
/* For as many channels to a thread as any type lets. */
template <class R> static size_t most_bytes(const hz_work *w, int arg)
{
    size_t some = max(parts_bytes<R>(axis_of<1>(w, arg)), parts_bytes<R>(axis_of<2>(w, arg)));
    return max(some, max(parts_bytes<R>(axis_of<4>(w, arg)), parts_bytes<R>(axis_of<8>(w, arg))));
}
#endif

/* lang.h: the language of kernels, and the one header that knows who compiles them: nvcc for a card, or the C++
   compiler for the emulation, where emu/shim.h is CUDA on the CPU. Kernels use what both have: blocks, shared memory,
   barriers, shuffles; no atomics on floats (sums would depend on luck), no tensor cores (cuDNN has them). */
#ifndef CUDA_LANG_H
#define CUDA_LANG_H
#ifdef __CUDACC__
#include <cuda_runtime.h>
#include <cuda_bf16.h>
#define HZ_BODY static inline __host__ __device__
typedef __nv_bfloat16 bf16;
static __device__ __forceinline__ float bf16_wide(bf16 x) { return __bfloat162float(x); }
static __device__ __forceinline__ bf16 bf16_near(float x) { return __float2bfloat16_rn(x); }
/* Launches a __global__ function; HZ_LAUNCH_FLAT one without barriers or shuffles (the emulation is faster then).
   A kernel with commas in its name stands in parentheses. */
#define HZ_LAUNCH(kernel, grid, block, shared, stream, ...) \
    kernel<<<grid, block, shared, (cudaStream_t)(stream)>>>(__VA_ARGS__)
#define HZ_LAUNCH_FLAT HZ_LAUNCH
/* Before a loop over arrays that must lie in registers. */
#define HZ_UNROLL _Pragma("unroll")
/* Shared memory whose size the launch gives. */
#define HZ_SHARED(type, name) \
    extern __shared__ __align__(16) unsigned char hz_shared_bytes[]; \
    type *name = (type *)hz_shared_bytes
/* Ends the process where a pointer that a struct hides from the launch leads nowhere on the device. A card's own tools
   tell that of a card. */
#define HZ_CHECK_POINTER(kernel, i, p) ((void)(p))
#else
#define HZ_BODY static inline
#define HZ_UNROLL
#include "cuda/emu/shim.h"
#endif
#include <math.h>
#include <stdint.h>

/* In what a kernel computes over values stored as T: f32 for bf16. */
template <class T> struct wide_of { typedef float type; };
template <> struct wide_of<double> { typedef double type; };
template <class T> using wide = typename wide_of<T>::type;

static __device__ __forceinline__ float load(const float *p, int64_t i) { return p[i]; }
static __device__ __forceinline__ double load(const double *p, int64_t i) { return p[i]; }
static __device__ __forceinline__ float load(const bf16 *p, int64_t i) { return bf16_wide(p[i]); }
static __device__ __forceinline__ void store(float *p, int64_t i, float v) { p[i] = v; }
static __device__ __forceinline__ void store(double *p, int64_t i, double v) { p[i] = v; }
static __device__ __forceinline__ void store(bf16 *p, int64_t i, float v) { p[i] = bf16_near(v); }

/* This thread's number among all of a one-dimensional launch. */
static __device__ __forceinline__ int64_t thread_number() { return blockIdx.x * (int64_t)blockDim.x + threadIdx.x; }

enum { BLOCK = 256 };                                 /* threads of a block where nothing else is said */
static inline unsigned blocks_of(int64_t n) { return (unsigned)((n + BLOCK - 1) / BLOCK); }

/* The row "plain" of an op, made of a function template `op` over the type in which activations are stored. */
#define PLAIN_RUN(op) \
    static hz_status op##_run(const hz_work *w, const cuda_call *c) \
    { \
        switch (cuda_storage(w)) { \
        case HZ_F64:  return op<double>(w, c); \
        case HZ_BF16: return op<bf16>(w, c); \
        default:      return op<float>(w, c); \
        } \
    }
#define PLAIN_KERNEL(op) \
    PLAIN_RUN(op) \
    const cuda_kernel plain_##op = { "plain", cuda_plain_accepts, 0, 0, 0, 0, 0, op##_run };
#endif

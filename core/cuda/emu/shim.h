/* shim.h: CUDA on the CPU, so far as kernels use it (lang.h). A block's threads are fibers, or a plain loop where a
   kernel has no barrier. One warp runs as far as it legally may before the next, in random order, and blocks come in
   random order: who needs a barrier that is missing, or what another block does, computes something else each time.
   A barrier that not all threads of a block or warp reach ends the process, as does a pointer to memory that is not
   the device's among a kernel's arguments. Launches run when the queue does (runtime.cc), one at a time. */
#ifndef CUDA_SHIM_H
#define CUDA_SHIM_H
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__ inline
#define __host__
#define __forceinline__
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(n)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

struct bf16 { uint16_t bits; };
static inline float bf16_wide(bf16 x)
{
    uint32_t bits = (uint32_t)x.bits << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static inline bf16 bf16_near(float x)                 /* to the nearest, halves to even; NaN stays one */
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return bf16{ 0x7fff };
    return bf16{ (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16) };
}

namespace emu {
enum { SHARED = 232448, THREADS = 1024 };
extern unsigned thread;                               /* of the block */
extern char *shared;                                  /* dynamic shared memory: full of NaN when a block begins */
void barrier();
void warp_barrier();
uint64_t exchange(uint64_t value, unsigned lane);     /* of the warp: what that lane brought */
/* Runs body once for each thread of each block. fibers: it may have barriers. */
void run(dim3 grid, dim3 block, size_t shared_bytes, bool fibers, const std::function<void()> &body);
void seed(uint32_t s);                                /* of the order in which blocks and warps run */
/* Behind all that was queued before. */
void queue(void *stream, std::function<void()> f);
void check_shape(const char *kernel, dim3 grid, dim3 block, size_t shared_bytes);
void check_pointer(const char *kernel, int argument, const void *p);

template <class T> void check(const char *kernel, int i, T v)
{
    if constexpr (std::is_pointer_v<T>)
        check_pointer(kernel, i, (const void *)v);
}

template <auto kernel, class... A>
void launch(const char *name, bool fibers, dim3 grid, dim3 block, size_t shared_bytes, void *stream, A... a)
{
    int i = 0;
    (check(name, ++i, a), ...);
    check_shape(name, grid, block, shared_bytes);
    queue(stream, [=] { run(grid, block, shared_bytes, fibers, [=] { kernel(a...); }); });
}

template <class T> T exchanged(T v, unsigned lane)
{
    static_assert(sizeof(T) <= 8, "shuffles move at most 8 bytes");
    uint64_t u = 0;
    memcpy(&u, &v, sizeof v);
    u = exchange(u, lane);
    memcpy(&v, &u, sizeof v);
    return v;
}
}

template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
static inline void __syncthreads() { emu::barrier(); }
static inline void __syncwarp(unsigned mask = ~0u) { emu::warp_barrier(); }
static inline void __threadfence() {}                 /* threads run in turns */
static inline unsigned atomicAdd(unsigned *p, unsigned v)
{
    unsigned before = *p;
    *p += v;
    return before;
}
template <class T> static inline T __shfl_sync(unsigned mask, T v, int lane) { return emu::exchanged(v, lane & 31); }
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int bits)
{
    return emu::exchanged(v, (emu::thread & 31) ^ bits);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T v, unsigned by)
{
    unsigned lane = emu::thread & 31;
    return emu::exchanged(v, lane + by < 32 ? lane + by : lane);
}

#define HZ_LAUNCH(kernel, grid, block, shared, stream, ...) \
    emu::launch<kernel>(#kernel, true, grid, block, shared, stream, __VA_ARGS__)
#define HZ_LAUNCH_FLAT(kernel, grid, block, shared, stream, ...) \
    emu::launch<kernel>(#kernel, false, grid, block, shared, stream, __VA_ARGS__)
#define HZ_SHARED(type, name) type *name = (type *)emu::shared
#define HZ_CHECK_POINTER(kernel, i, p) emu::check_pointer(kernel, i, p)
#endif

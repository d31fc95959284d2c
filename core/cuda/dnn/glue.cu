/* glue.cu: small kernels around convolutions (glue.h). They are bound by memory: a thread moves 16 bytes at a time where
   the count allows it, and sums read each value once. */
#include "cuda/dnn/glue.h"
#include "cuda/kern/act.h"

/* ---- between f32 and bf16 ---- */

template <class From, class To> static __global__ void convert_kernel(const From *from, To *to, int64_t n)
{
    int64_t i = thread_number();
    if (i < n)
        store(to, i, load(from, i));
}

void glue_narrow(void *stream, const float *from, void *to, int64_t n)
{
    HZ_LAUNCH_FLAT((convert_kernel<float, bf16>), blocks_of(n), BLOCK, 0, stream, from, (bf16 *)to, n);
}

void glue_widen(void *stream, const void *from, float *to, int64_t n)
{
    HZ_LAUNCH_FLAT((convert_kernel<bf16, float>), blocks_of(n), BLOCK, 0, stream, (const bf16 *)from, to, n);
}

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

/* ---- sums over rows: blocks of 32 columns by 8 rows, a stretch of rows each; then over the stretches ---- */

enum { WIDE = 32, HIGH = BLOCK / WIDE, STRETCH = 64, STRETCHES = 512 };

static int64_t stretches(int64_t rows)
{
    int64_t n = (rows + STRETCH - 1) / STRETCH;
    return n < STRETCHES ? n : STRETCHES;
}

int64_t glue_parts(int64_t rows, int64_t channels) { return stretches(rows) * channels; }

/* Threads hold a sum each; those of one column meet in row 0 of the block. */
static __device__ void meet(float sum, float *to, int64_t column, int64_t channels)
{
    __shared__ float part[HIGH][WIDE];
    int across = threadIdx.x % WIDE, down = threadIdx.x / WIDE;
    part[down][across] = sum;
    __syncthreads();
    if (down == 0 && column < channels) {
        for (int i = 1; i < HIGH; i++)
            sum += part[i][across];
        to[column] = sum;
    }
}

template <class T> static __global__ void sum_kernel(const T *y, float *parts, int64_t rows, int64_t channels)
{
    int64_t column = blockIdx.x * (int64_t)WIDE + threadIdx.x % WIDE, each = (rows + gridDim.y - 1) / gridDim.y;
    int64_t from = blockIdx.y * each, to = from + each < rows ? from + each : rows;
    float sum = 0;
    for (int64_t i = from + threadIdx.x / WIDE; i < to && column < channels; i += HIGH)
        sum += load(y, i * channels + column);
    meet(sum, parts + blockIdx.y * channels, column, channels);
}

template <class T> static void sum_all(void *stream, const T *y, int64_t rows, int64_t channels, float *parts,
                                       float *sums)
{
    unsigned across = (unsigned)((channels + WIDE - 1) / WIDE), n = (unsigned)stretches(rows);
    HZ_LAUNCH(sum_kernel<T>, dim3(across, n), BLOCK, 0, stream, y, parts, rows, channels);
    HZ_LAUNCH(sum_kernel<float>, dim3(across, 1), BLOCK, 0, stream, (const float *)parts, sums, (int64_t)n, channels);
}

void glue_sum(void *stream, int dtype, const void *y, int64_t rows, int64_t channels, float *parts, float *sums)
{
    if (dtype == HZ_BF16)
        sum_all(stream, (const bf16 *)y, rows, channels, parts, sums);
    else
        sum_all(stream, (const float *)y, rows, channels, parts, sums);
}

/* planted.cu: kernels with faults that the emulation must find, and right ones in which it must find none. One fault a
   process, named by the first argument: it says "right" or "wrong" for what was computed, or dies with a message.
   With the address sanitizer what reaches beyond its memory dies, too. */
#include "cuda/kernel.h"
#include "cuda/lang.h"
#include "cuda/runtime.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

static hz_status fail(hz_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

static const hz_core core = { sizeof core, fail, nullptr, nullptr, nullptr, nullptr };
const hz_core *cuda_core = &core;

enum { N = 1000, BLOCKS = 4 };

/* ---- a block's sum, with and without what keeps it right ---- */

enum { MISSING_BARRIER = 1, ONE_BARRIER = 2 };

template <int fault> static __global__ void sum_kernel(const float *x, float *out, int n)
{
    __shared__ float part[BLOCK];
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += x[i];
    part[threadIdx.x] = sum;
    if (fault != MISSING_BARRIER)
        __syncthreads();
    for (unsigned half = blockDim.x / 2; half; half /= 2) {
        if (threadIdx.x < half)
            part[threadIdx.x] += part[threadIdx.x + half];
        if (fault != ONE_BARRIER)
            __syncthreads();
    }
    if (threadIdx.x == 0)
        *out = part[0];
}

/* Shared memory is filled by one warp and read by all. */
static __global__ void early_kernel(const float *x, float *out)
{
    HZ_SHARED(float, row);
    if (threadIdx.x < 32)
        row[threadIdx.x] = x[threadIdx.x];
    out[threadIdx.x] = row[threadIdx.x % 32];
    __syncthreads();
}

/* A block reads what its neighbour writes. */
static __global__ void neighbour_kernel(float *x)
{
    float before = blockIdx.x ? x[blockIdx.x - 1] : 0;
    x[blockIdx.x] = before + 1;
}

static __global__ void divided_kernel(float *x)
{
    if (threadIdx.x < 40)
        __syncthreads();
    x[threadIdx.x] = 1;
}

static __global__ void torn_warp_kernel(float *x)
{
    if (threadIdx.x & 1)
        x[threadIdx.x] = __shfl_xor_sync(~0u, x[threadIdx.x], 2);
}

static __global__ void beyond_kernel(float *x, int n) { x[n] = 1; }

static __global__ void shared_beyond_kernel(float *x)
{
    __shared__ float part[32];
    part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = part[threadIdx.x ^ 1];
}

static __global__ void copy_kernel(const float *from, float *to, int n)
{
    int64_t i = thread_number();
    if (i < n)
        to[i] = from[i];
}

/* ---- running them ---- */

static float *x, *out, host[N], got[N];

static void fetch(const float *from, int n)
{
    uint64_t mark = 0;
    if (runtime_copy_out(got, from, (size_t)n * sizeof *got, &mark) || runtime_synchronise(mark))
        exit(2);
}

/* Sums come out in one order of all that is right: the same bits each time. */
template <int fault> static int sums(void)
{
    double all = 0;
    for (int i = 0; i < N; i++)
        all += host[i];
    for (int k = 0; k < 30; k++) {
        HZ_LAUNCH(sum_kernel<fault>, 1, BLOCK, 0, runtime_stream(), x, out, (int)N);
        fetch(out, 1);
        if (!(fabs(got[0] - all) < 1e-3))
            return 0;
    }
    return 1;
}

static int early(void)
{
    for (int k = 0; k < 30; k++) {
        HZ_LAUNCH(early_kernel, 1, 128, 32 * sizeof(float), runtime_stream(), x, out);
        fetch(out, 128);
        for (int i = 0; i < 128; i++)
            if (got[i] != host[i % 32])
                return 0;
    }
    return 1;
}

static int neighbour(void)
{
    for (int k = 0; k < 30; k++) {
        runtime_fill(out, 0, sizeof host);
        HZ_LAUNCH_FLAT(neighbour_kernel, BLOCKS, 1, 0, runtime_stream(), out);
        fetch(out, BLOCKS);
        if (got[BLOCKS - 1] != BLOCKS)
            return 0;
    }
    return 1;
}

static int divided(void) { HZ_LAUNCH(divided_kernel, 1, 64, 0, runtime_stream(), out); return 1; }
static int torn_warp(void) { HZ_LAUNCH(torn_warp_kernel, 1, 64, 0, runtime_stream(), out); return 1; }
static int flat(void) { HZ_LAUNCH_FLAT(sum_kernel<0>, 1, BLOCK, 0, runtime_stream(), x, out, (int)N); return 1; }
static int beyond(void) { HZ_LAUNCH_FLAT(beyond_kernel, 1, 1, 0, runtime_stream(), x, (int)N); return 1; }
static int beyond_page(void) { HZ_LAUNCH_FLAT(beyond_kernel, 1, 1, 0, runtime_stream(), x, N + 64); return 1; }
static int beyond_shared(void) { HZ_LAUNCH(shared_beyond_kernel, 1, 64, 0, runtime_stream(), out); return 1; }
static int copied(const float *from, unsigned threads)
{
    HZ_LAUNCH_FLAT(copy_kernel, 4, threads, 0, runtime_stream(), from, out, (int)N);
    return 1;
}
static int of_the_host(void) { return copied(host, BLOCK); }
static int too_wide(void) { return copied(x, 2048); }
static int peeped(void) { return out[0] == 0; }

static int copies_recorded(void)
{
    runtime_graph *g = nullptr;
    runtime_record();
    int refused = runtime_fill(out, 0, 4) && runtime_synchronise(0);
    runtime_recorded(&g);
    runtime_graph_free(g);
    return refused;
}

static int replayed(void)
{
    runtime_graph *g = nullptr;
    runtime_record();
    HZ_LAUNCH_FLAT(copy_kernel, 4, BLOCK, 0, runtime_stream(), x, out, (int)N);
    if (runtime_recorded(&g))
        return 0;
    runtime_fill(out, 0, sizeof host);
    fetch(out, N);
    int still = got[1] == 0;                          /* recording launched nothing */
    runtime_replay(g);
    fetch(out, N);
    runtime_graph_free(g);
    return still && !memcmp(got, host, sizeof host);
}

static const struct { const char *name; int (*run)(void); } cases[] = {
    { "sum", sums<0> }, { "missing-barrier", sums<MISSING_BARRIER> }, { "one-barrier", sums<ONE_BARRIER> },
    { "early", early }, { "neighbour", neighbour }, { "divided", divided }, { "torn-warp", torn_warp },
    { "flat", flat }, { "beyond", beyond }, { "beyond-page", beyond_page }, { "beyond-shared", beyond_shared },
    { "of-the-host", of_the_host }, { "too-wide", too_wide }, { "peeped", peeped }, { "replayed", replayed },
    { "copies-recorded", copies_recorded },
};

int main(int argc, char **argv)
{
    for (int i = 0; i < N; i++)
        host[i] = (float)(i % 17) / 16;
    if (runtime_open("") || !(x = (float *)runtime_alloc(sizeof host)) || !(out = (float *)runtime_alloc(sizeof host))
        || runtime_copy_in(x, host, sizeof host) || runtime_fill(out, 0, sizeof host))
        return 2;
    for (const auto &c : cases)
        if (argc == 2 && !strcmp(argv[1], c.name)) {
            int right = c.run();
            if (runtime_synchronise(0))
                return 1;
            puts(right ? "right" : "wrong");
            return 0;
        }
    fprintf(stderr, "planted: '%s'; have", argc > 1 ? argv[1] : "");
    for (const auto &c : cases)
        fprintf(stderr, " %s", c.name);
    fputc('\n', stderr);
    return 2;
}

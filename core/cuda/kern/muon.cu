/* muon.cu: Muon (Jordan et al. 2024): a matrix of one row per filter moves by the iterates of its gradient's direction.
   All launches are made in every step: at rate 0 and behind a shut gate the last one changes nothing. */
#include "cuda/kern/muon.h"
#include "cuda/kern/product.h"
#include "cuda/kern/reduce.h"

enum { NORM_BLOCKS = 64 };

/* x and next (m x n, m <= n, transposed where there are more filters than numbers of one), two squares of m, sums of
   squares of gradient and weights, by blocks, then in all, and sums of slices: elements from the workspace's begin. */
typedef struct layout {
    int64_t rows, columns, m, n, all;
    int tall;
    extent square_of, polynomial_of, next_of;
    int64_t next, square, polynomial, norms, sums, end;
} layout;

/* Elements up to the next multiple of 256 bytes. */
static int64_t whole(int64_t n) { return units(n, 64) * 64; }

static layout layout_of(const hz_work *w)
{
    layout l = { w->in[0].shape[0], cuda_size(&w->in[0], 1, w->in[0].ndim) };
    l.tall = l.rows > l.columns;
    l.m = l.tall ? l.columns : l.rows;
    l.n = l.tall ? l.rows : l.columns;
    l.all = l.m * l.n;
    l.square_of = extent_of(l.m, l.m, l.n);
    l.polynomial_of = extent_of(l.m, l.m, l.m);
    l.next_of = extent_of(l.m, l.n, l.m);
    l.next = whole(l.all);
    l.square = l.next + whole(l.all);
    l.polynomial = l.square + whole(l.m * l.m);
    l.norms = l.polynomial + whole(l.m * l.m);
    l.sums = l.norms + whole(2 * NORM_BLOCKS + 2);
    l.end = l.sums + max(sums_of(l.square_of), max(sums_of(l.polynomial_of), sums_of(l.next_of)));
    return l;
}

/* Where element i of the weights lies in x. */
static __device__ __forceinline__ int64_t turned(layout l, int64_t i)
{
    return l.tall ? i % l.columns * l.rows + i / l.columns : i;
}

/* ---- before and after the iterates ---- */

/* x = the gradient as sgd has it, not yet of norm 1. */
template <class T>
static __global__ void begin_kernel(layout l, hz_optim a, const T *p, const T *dp, T *velocity, const int32_t *shut,
                                    T *memory)
{
    T of_g = 0, of_p = 0, momentum = (T)a.momentum, *norms = memory + l.norms;
    int open = !*shut;
    for (int64_t i = thread_number(); i < l.all; i += NORM_BLOCKS * BLOCK) {
        T g = dp[i];
        if (velocity) {
            T v = momentum * velocity[i] + g;
            if (open)
                velocity[i] = v;
            g = a.nesterov ? g + momentum * v : v;
        }
        memory[turned(l, i)] = g;
        of_g += g * g;
        of_p += p[i] * p[i];
    }
    of_g = block_sum(of_g);
    of_p = block_sum(of_p);
    if (threadIdx.x == 0) {
        norms[blockIdx.x] = of_g;
        norms[NORM_BLOCKS + blockIdx.x] = of_p;
    }
}

/* One block: norms[2*NORM_BLOCKS] = 1/(|g| + epsilon), and then by what the weights are scaled. */
template <class T> static __global__ void norms_kernel(layout l, hz_optim a, T *memory)
{
    T *norms = memory + l.norms;
    int t = (int)threadIdx.x;
    T of_g = block_sum(t < NORM_BLOCKS ? norms[t] : (T)0);
    T of_p = block_sum(t < NORM_BLOCKS ? norms[NORM_BLOCKS + t] : (T)0);
    if (t == 0) {
        norms[2 * NORM_BLOCKS] = 1 / ((T)sqrt(of_g) + (T)a.epsilon);
        norms[2 * NORM_BLOCKS + 1] = a.renormalise && of_p > 0 ? (T)sqrt((T)l.rows / of_p) : (T)1;
    }
}

template <class T> static __global__ void scale_kernel(layout l, T *memory)
{
    int64_t i = thread_number();
    if (i < l.all)
        memory[i] *= memory[l.norms + 2 * NORM_BLOCKS];
}

template <class T>
static __global__ void end_kernel(layout l, hz_optim a, T *p, const T *memory, const T *x, const hz_step *step,
                                  const int32_t *shut)
{
    int64_t i = thread_number();
    T rate = (T)step->rates[a.group];
    if (i < l.all && !*shut && rate != 0)
        p[i] = p[i] * memory[l.norms + 2 * NORM_BLOCKS + 1] * (1 - rate * (T)a.decay) - rate * x[turned(l, i)];
}

/* ---- the iterates ---- */

/* out = by_sum*sum + by_was*was */
template <class W> struct mixed_end {
    W by_sum, by_was;
    __device__ __forceinline__ void put(const W *was, W *out, int64_t i, int64_t column, W sum) const
    {
        out[i] = by_sum * sum + by_was * was[i];
    }
};

/* a = x x^T; b = B a + C a a; next = A x + b x. a is its own transpose to the last bit. */
template <class T> static void iterate(const layout &l, T *memory, const T *x, T *next, void *stream)
{
    T *square = memory + l.square, *b = memory + l.polynomial, *sums = memory + l.sums;
    const T *a = square, *from_b = b, *none = 0;
    mixed_end<T> polynomial = { (T)MUON_C, (T)MUON_B }, step = { 1, (T)MUON_A };
    launch_product(stream, l.square_of, rows_side(l.n), rows_side(l.n), sum_end{}, x, x, sums, none, square);
    launch_product(stream, l.polynomial_of, rows_side(l.m), rows_side(l.m), polynomial, a, a, sums, a, b);
    launch_product(stream, l.next_of, rows_side(l.m), columns_side(l.m, l.n), step, from_b, x, sums, x, next);
}

/* by NULL: by products of our own. */
template <class T> static hz_status muon(const hz_work *w, const cuda_call *c, muon_iterate by)
{
    layout l = layout_of(w);
    hz_optim a = w->attr.optim;
    T *p = (T *)w->in[0].data, *memory = (T *)c->workspace, *x = memory, *next = memory + l.next;
    hz_status status = HZ_OK;
    HZ_LAUNCH(begin_kernel<T>, NORM_BLOCKS, BLOCK, 0, c->stream, l, a, (const T *)p, (const T *)w->in[1].data,
              (T *)(w->nin > 2 ? w->in[2].data : 0), c->shut, memory);
    HZ_LAUNCH(norms_kernel<T>, 1, BLOCK, 0, c->stream, l, a, memory);
    HZ_LAUNCH_FLAT(scale_kernel<T>, blocks_of(l.all), BLOCK, 0, c->stream, l, memory);
    for (int i = 0; i < a.iterations && !status; i++) {
        if (by)
            status = by(c->state, (const float *)x, (float *)memory + l.square, (float *)memory + l.polynomial,
                        (float *)next, memory + l.sums, c->stream);
        else
            iterate<T>(l, memory, x, next, c->stream);
        T *was = x;
        x = next;
        next = was;
    }
    HZ_LAUNCH_FLAT(end_kernel<T>, blocks_of(l.all), BLOCK, 0, c->stream, l, a, p, (const T *)memory, (const T *)x,
                   c->step, c->shut);
    return status;
}

void muon_extent(const hz_work *w, int64_t *m, int64_t *n)
{
    layout l = layout_of(w);
    *m = l.m;
    *n = l.n;
}

size_t muon_bytes(const hz_work *w) { return (size_t)layout_of(w).sums * sizeof(float); }
hz_status muon_run_by(const hz_work *w, const cuda_call *c, muon_iterate by) { return muon<float>(w, c, by); }

static size_t muon_workspace(const hz_work *w, const void *state)
{
    return (size_t)layout_of(w).end * (cuda_storage(w) == HZ_F64 ? sizeof(double) : sizeof(float));
}

static hz_status muon_run(const hz_work *w, const cuda_call *c)
{
    return cuda_storage(w) == HZ_F64 ? muon<double>(w, c, 0) : muon<float>(w, c, 0);
}

const cuda_kernel plain_muon = { "plain", cuda_plain_accepts, muon_workspace, 0, 0, 0, 0, muon_run };

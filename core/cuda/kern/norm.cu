/* norm.cu: batch norm over one axis, its gradients, and the epilogues of both. x counts as (outer, n, inner), the axis
   that keeps its statistics in the middle; only rows in use are measured. A block adds up some positions of some
   channels and a warp per channel adds those parts, all in an order that the shape decides: the same bits each time.
   Variances are of few numbers about their own mean first, then merged (Chan, Golub, LeVeque 1979): nothing cancels. */
#include "cuda/kern/act.h"
#include "cuda/kern/reduce.h"

enum { RUN = 8 };             /* positions that a thread adds up in what it computes in, before it merges */

/* Channel k at position j, of `each` for a row of the batch, lies at (j/inner*n + k)*inner + j%inner. A block sees
   `side` channels next to each other, BLOCK/side positions at a time, every `parts`-th time. */
struct axis {
    int64_t batch, each, n, inner;
    int side, parts;
};

static inline axis axis_of(const hz_work *w, int arg)
{
    const hz_arg *a = &w->in[arg];
    int d = w->attr.norm.axis > 0 ? w->attr.norm.axis : a->ndim - 1;
    axis v = { a->shape[0], cuda_size(a, 1, d) * cuda_size(a, d + 1, a->ndim), a->shape[d],
               cuda_size(a, d + 1, a->ndim), 1, 1 };
    while (v.inner == 1 && v.side < LANES && v.side < v.n)
        v.side *= 2;
    int64_t blocks = units(v.n, v.side), turns = units(v.batch * v.each, BLOCK / v.side);
    v.parts = (int)min(units(turns, RUN), units(1024, blocks));
    return v;
}

static __device__ __forceinline__ int64_t place(const axis &v, int64_t k, int64_t j)
{
    return v.inner == 1 ? j * v.n + k : (j / v.inner * v.n + k) * v.inner + j % v.inner;
}
static __device__ __forceinline__ int64_t channel_of(const axis &v, int64_t i) { return i / v.inner % v.n; }
/* Of an element: whether its row of the batch is in use. */
static __device__ __forceinline__ int in_use(const axis &v, int64_t i, const hz_step *s)
{
    return i < s->count * v.each * v.n;
}
static __device__ __forceinline__ int64_t positions(const axis &v, const hz_step *s)
{
    return min(s->count, v.batch) * v.each;
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

/* Positions j, j+step .. of those before `end`, RUN at most. */
template <class T> struct measure {
    const T *x;
    typedef moments result;
    __device__ moments over(const axis &v, int64_t k, int64_t j, int64_t step, int64_t end) const
    {
        wide<T> value[RUN], sum = 0, squares = 0;
        int n = 0;
        for (int i = 0; i < RUN; i++) {
            int inside = j + i * step < end;
            value[i] = inside ? load(x, place(v, k, j + i * step)) : 0;
            sum += value[i];
            n += inside;
        }
        wide<T> mean = sum / (n ? n : 1);
        for (int i = 0; i < RUN; i++)
            squares += i < n ? (value[i] - mean) * (value[i] - mean) : 0;
        return moments{ (double)n, mean, squares };
    }
};

template <class T> struct lean {
    const T *dy, *x;
    const wide<T> *mean, *variance;
    wide<T> epsilon;
    typedef sums result;
    __device__ sums over(const axis &v, int64_t k, int64_t j, int64_t step, int64_t end) const
    {
        wide<T> plain = 0, dot = 0, m = mean[k], scale = 1 / sqrt(variance[k] + epsilon);
        for (int i = 0; i < RUN; i++)
            if (j + i * step < end) {
                int64_t at = place(v, k, j + i * step);
                wide<T> d = load(dy, at);
                plain += d;
                dot += d * ((load(x, at) - m) * scale);
            }
        return sums{ plain, dot };
    }
};

/* parts: (n,parts) of what M measures. Grid: groups of channels, parts. */
template <class M>
static __global__ void parts_kernel(M measured, typename M::result *parts, axis v, const hz_step *step)
{
    __shared__ typename M::result all[BLOCK];
    int side = threadIdx.x % v.side, turn = threadIdx.x / v.side, turns = BLOCK / v.side;
    int64_t k = blockIdx.x * (int64_t)v.side + side, end = positions(v, step), stride = (int64_t)turns * v.parts;
    typename M::result mine = {};
    for (int64_t j = blockIdx.y * (int64_t)turns + turn; k < v.n && j < end; j += stride * RUN)
        merge(&mine, measured.over(v, k, j, stride, end));
    all[threadIdx.x] = mine;
    for (int half = turns / 2; half; half /= 2) {
        __syncthreads();
        if (turn < half)
            merge(&all[threadIdx.x], all[threadIdx.x + half * v.side]);
    }
    if (turn == 0 && k < v.n)
        parts[k * v.parts + blockIdx.y] = all[threadIdx.x];
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

/* ---- forward ---- */

/* x of a channel becomes (x - mean)*scale + beta. */
template <class W> struct line {
    const W *mean, *variance, *gamma, *beta;
    W epsilon;
};

template <class W> static __device__ __forceinline__ W on_line(const line<W> &l, int64_t k, W x)
{
    return (x - l.mean[k]) * (1 / sqrt(l.variance[k] + l.epsilon) * l.gamma[k]) + l.beta[k];
}

template <class W>
static __global__ void statistics_kernel(const moments *parts, axis v, W *mean, W *variance)
{
    int64_t k = warp_channel();
    if (k >= v.n)
        return;
    moments m = total(parts, v, k);
    if (threadIdx.x % LANES == 0) {
        mean[k] = (W)m.mean;
        variance[k] = (W)(m.squares / m.n);
    }
}

/* Of a frozen norm: what it has used is what the running statistics are. */
template <class W>
static __global__ void copy_kernel(const W *mean, const W *variance, W *to_mean, W *to_variance, int64_t n)
{
    int64_t k = thread_number();
    if (k >= n)
        return;
    if (to_mean)
        to_mean[k] = mean[k];
    if (to_variance)
        to_variance[k] = variance[k];
}

template <class T>
static __global__ void norm_kernel(const T *x, T *y, line<wide<T>> l, axis v, int64_t n, hz_act_attr act)
{
    int64_t i = thread_number();
    if (i < n)
        store(y, i, activate(on_line(l, channel_of(v, i), load(x, i)), act));
}

/* dy = dz * act'(y), with y made anew from x. */
template <class T>
static __global__ void norm_act_grad_kernel(const T *dz, const T *x, T *dy, line<wide<T>> l, axis v, int64_t n,
                                            hz_act_attr act)
{
    int64_t i = thread_number();
    if (i < n)
        store(dy, i, load(dz, i) * slope(on_line(l, channel_of(v, i), load(x, i)), act));
}

/* The workspace: parts, then two numbers of each channel. */
template <class R> static size_t parts_bytes(const axis &v) { return (size_t)(v.n * v.parts) * sizeof(R); }

static size_t norm_workspace(const hz_work *w, const void *state)
{
    axis v = axis_of(w, 0);
    return w->attr.norm.frozen ? 0 : parts_bytes<moments>(v) + (size_t)v.n * 2 * sizeof(double);
}

/* Launches; afterwards l has the batch's mean and variance. */
template <class T> static void measure_batch(const hz_work *w, const cuda_call *c, const axis &v, line<wide<T>> *l)
{
    typedef wide<T> W;
    moments *parts = (moments *)c->workspace;
    W *mean = (W *)w->out[HZ_NORM_BATCHMEAN].data, *variance = (W *)w->out[HZ_NORM_BATCHVARIANCE].data;
    W *spare = (W *)((char *)c->workspace + parts_bytes<moments>(v));
    measure<T> m = { (const T *)w->in[0].data };
    l->mean = mean = mean ? mean : spare;
    l->variance = variance = variance ? variance : spare + v.n;
    HZ_LAUNCH(parts_kernel<measure<T>>, dim3((unsigned)units(v.n, v.side), (unsigned)v.parts), BLOCK, 0, c->stream,
              m, parts, v, c->step);
    HZ_LAUNCH(statistics_kernel<W>, (unsigned)units(v.n, WARPS), BLOCK, 0, c->stream, (const moments *)parts, v,
              mean, variance);
}

template <class T> static line<wide<T>> line_of(const hz_work *w, int gamma, int mean)
{
    typedef wide<T> W;
    return line<W>{ (const W *)w->in[mean].data, (const W *)w->in[mean + 1].data, (const W *)w->in[gamma].data,
                    (const W *)w->in[gamma + 1].data, (W)w->attr.norm.epsilon };
}

template <class T> static hz_status norm(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    int64_t n = cuda_elements(&w->out[0]);
    axis v = axis_of(w, 0);
    line<W> l = line_of<T>(w, 1, HZ_NORM_MEAN);
    W *mean = (W *)w->out[HZ_NORM_BATCHMEAN].data, *variance = (W *)w->out[HZ_NORM_BATCHVARIANCE].data;
    if (!w->attr.norm.frozen)
        measure_batch<T>(w, c, v, &l);
    else if (mean || variance)
        HZ_LAUNCH_FLAT(copy_kernel<W>, blocks_of(v.n), BLOCK, 0, c->stream, l.mean, l.variance, mean, variance, v.n);
    HZ_LAUNCH_FLAT(norm_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data, (T *)w->out[0].data, l,
                   v, n, epilogue_of(w));
    return HZ_OK;
}

template <class T> static hz_status norm_act_grad(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(norm_act_grad_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, line_of<T>(w, 2, 4), axis_of(w, 1), n,
                   w->attr.norm.epilogue);
    return HZ_OK;
}

/* ---- backward ---- */

/* What dx needs of each channel: the means of dy and of dy*xhat. */
template <class W> struct tilt {
    W flat, dot;
};

template <class W>
static __global__ void sums_kernel(const sums *parts, axis v, tilt<W> *means, W *dgamma, W *dbeta, int frozen,
                                   const hz_step *step)
{
    int64_t k = warp_channel();
    if (k >= v.n)
        return;
    sums s = total(parts, v, k);
    if (threadIdx.x % LANES)
        return;
    double count = (double)positions(v, step);
    means[k] = tilt<W>{ frozen ? (W)0 : (W)(s.plain / count), frozen ? (W)0 : (W)(s.dot / count) };
    if (dgamma)
        dgamma[k] = (W)s.dot;
    if (dbeta)
        dbeta[k] = (W)s.plain;
}

/* dx = gamma*scale*(dy - mean(dy) - xhat*mean(dy*xhat)); 0 in rows that are not in use. */
template <class T>
static __global__ void norm_grad_kernel(lean<T> given, const wide<T> *gamma, const tilt<wide<T>> *means, const T *gate,
                                        T *dx, axis v, int64_t n, hz_act_attr act, const hz_step *step)
{
    typedef wide<T> W;
    int64_t i = thread_number(), k = channel_of(v, i);
    if (i >= n)
        return;
    if (!in_use(v, i, step))
        return store(dx, i, 0);
    W scale = 1 / sqrt(given.variance[k] + given.epsilon), xhat = (load(given.x, i) - given.mean[k]) * scale;
    W d = gamma[k] * scale * (load(given.dy, i) - means[k].flat - xhat * means[k].dot);
    store(dx, i, act.act == HZ_LINEAR ? d : d * slope(load(gate, i), act));
}

static size_t norm_grad_workspace(const hz_work *w, const void *state)
{
    axis v = axis_of(w, 1);
    return parts_bytes<sums>(v) + (size_t)v.n * sizeof(tilt<double>);
}

template <class T> static hz_status norm_grad(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    axis v = axis_of(w, 1);
    lean<T> given = { (const T *)w->in[0].data, (const T *)w->in[1].data, (const W *)w->in[3].data,
                      (const W *)w->in[4].data, (W)w->attr.norm.epsilon };
    sums *parts = (sums *)c->workspace;
    tilt<W> *means = (tilt<W> *)((char *)c->workspace + parts_bytes<sums>(v));
    HZ_LAUNCH(parts_kernel<lean<T>>, dim3((unsigned)units(v.n, v.side), (unsigned)v.parts), BLOCK, 0, c->stream,
              given, parts, v, c->step);
    HZ_LAUNCH(sums_kernel<W>, (unsigned)units(v.n, WARPS), BLOCK, 0, c->stream, (const sums *)parts, v, means,
              (W *)w->out[1].data, (W *)w->out[2].data, w->attr.norm.frozen, c->step);
    int64_t n = cuda_elements(&w->out[0]);
    if (w->out[0].data)
        HZ_LAUNCH_FLAT(norm_grad_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, given, (const W *)w->in[2].data,
                       (const tilt<W> *)means, (const T *)w->in[w->nin - 1].data, (T *)w->out[0].data, v, n,
                       epilogue_of(w), c->step);
    return HZ_OK;
}

/* Sums that another node found come with tails, of which there are none here. */
static int norm_accepts(const hz_work *w)
{
    return cuda_plain_accepts(w) && !(w->nin > HZ_NORM_MOMENTS && w->in[HZ_NORM_MOMENTS].data);
}

PLAIN_RUN(norm)
PLAIN_RUN(norm_grad)
const cuda_kernel plain_norm = { "plain", norm_accepts, 0, norm_workspace, 0, 0, 0, norm_run };
const cuda_kernel plain_norm_grad = { "plain", norm_accepts, 0, norm_grad_workspace, 0, 0, 0, norm_grad_run };
PLAIN_KERNEL(norm_act_grad)

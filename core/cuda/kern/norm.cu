/* norm.cu: batch norm over one axis, with its epilogue, and the gradient of an activation behind it. Variances are of
   few numbers about their own mean first, then merged. */
#include "cuda/kern/norm.h"

/* Of up to RUN positions the moments are found in what is computed in, then merged in double. */
template <class T, int N> struct measure {
    enum { RUN = N > 1 ? 4 : 8 };
    const T *x;
    typedef moments result;
    struct tally {
        double n, mean[N], squares[N];
    };
    __device__ __forceinline__ void begin(tally *t, int64_t k) const {}
    __device__ __forceinline__ void add(tally *t, const axis &v, int64_t k, int64_t j, int64_t step, int64_t end) const
    {
        values<T, N> value[RUN];
        int n = 0;
        for (int i = 0; i < RUN; i++) {
            int inside = j + i * step < end;
            value[i] = load_values<N>(x, place(v, k, inside ? j + i * step : j));
            n += inside;
        }
        double all = t->n + n, share = n / all, cross = t->n * share;
        for (int c = 0; c < N; c++) {
            wide<T> mean = 0, squares = 0;
            for (int i = 0; i < RUN; i++)
                mean += i < n ? value[i].at[c] : 0;
            mean /= n;
            for (int i = 0; i < RUN; i++)
                squares += i < n ? (value[i].at[c] - mean) * (value[i].at[c] - mean) : 0;
            double d = mean - t->mean[c];
            t->mean[c] += d * share;
            t->squares[c] += squares + d * d * cross;
        }
        t->n = all;
    }
    __device__ __forceinline__ moments channel(const tally &t, int c) const
    {
        return moments{ t.n, t.mean[c], t.squares[c] };
    }
};

/* x of a channel becomes (x - mean)*scale + beta. */
template <class W> struct line {
    const W *mean, *variance, *gamma, *beta;
    W epsilon;
};

/* Of N channels. */
template <class W, int N> struct lines {
    W mean[N], scale[N], beta[N];
};

template <int N, class W> static __device__ __forceinline__ lines<W, N> lines_of(const line<W> &l, int64_t k)
{
    lines<W, N> s;
    for (int c = 0; c < N; c++) {
        s.mean[c] = l.mean[k + c];
        s.scale[c] = 1 / sqrt(l.variance[k + c] + l.epsilon) * l.gamma[k + c];
        s.beta[c] = l.beta[k + c];
    }
    return s;
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

template <class T, int N>
static __global__ void norm_kernel(const T *x, T *y, line<wide<T>> l, axis v, hz_act_attr act)
{
    beat b = beat_of<N>(v);
    if (b.k >= v.n)
        return;
    lines<wide<T>, N> s = lines_of<N>(l, b.k);
    for (int64_t j = b.j; j < v.batch * v.each; j += b.step) {
        values<T, N> value = load_values<N>(x, place(v, b.k, j));
        for (int c = 0; c < N; c++)
            value.at[c] = activate((value.at[c] - s.mean[c]) * s.scale[c] + s.beta[c], act);
        store_values<N>(y, place(v, b.k, j), value);
    }
}

/* dy = dz * act'(y), with y made anew from x. */
template <class T, int N>
static __global__ void norm_act_grad_kernel(const T *dz, const T *x, T *dy, line<wide<T>> l, axis v, hz_act_attr act)
{
    beat b = beat_of<N>(v);
    if (b.k >= v.n)
        return;
    lines<wide<T>, N> s = lines_of<N>(l, b.k);
    for (int64_t j = b.j; j < v.batch * v.each; j += b.step) {
        values<T, N> d = load_values<N>(dz, place(v, b.k, j)), value = load_values<N>(x, place(v, b.k, j));
        for (int c = 0; c < N; c++)
            d.at[c] *= slope((value.at[c] - s.mean[c]) * s.scale[c] + s.beta[c], act);
        store_values<N>(dy, place(v, b.k, j), d);
    }
}

/* ---- launches ---- */

/* The workspace: parts, then two numbers of each channel. */
static size_t norm_workspace(const hz_work *w, const void *state)
{
    return w->attr.norm.frozen ? 0 : most_bytes<moments>(w, 0) + (size_t)axis_of<1>(w, 0).n * 2 * sizeof(double);
}

/* Afterwards l has the batch's mean and variance. */
template <class T, int N>
static void measure_batch(const hz_work *w, const cuda_call *c, const axis &v, line<wide<T>> *l)
{
    typedef wide<T> W;
    moments *parts = (moments *)c->workspace;
    W *mean = (W *)w->out[HZ_NORM_BATCHMEAN].data, *variance = (W *)w->out[HZ_NORM_BATCHVARIANCE].data;
    W *spare = (W *)((char *)c->workspace + parts_bytes<moments>(v));
    measure<T, N> m = { (const T *)w->in[0].data };
    l->mean = mean = mean ? mean : spare;
    l->variance = variance = variance ? variance : spare + v.n;
    HZ_LAUNCH((parts_kernel<measure<T, N>, N>), measuring_grid<N>(v), BLOCK, 0, c->stream, m, parts, v, c->step);
    HZ_LAUNCH(statistics_kernel<W>, (unsigned)units(v.n, WARPS), BLOCK, 0, c->stream, (const moments *)parts, v,
              mean, variance);
}

template <class T> static line<wide<T>> line_of(const hz_work *w, int gamma, int mean)
{
    typedef wide<T> W;
    return line<W>{ (const W *)w->in[mean].data, (const W *)w->in[mean + 1].data, (const W *)w->in[gamma].data,
                    (const W *)w->in[gamma + 1].data, (W)w->attr.norm.epsilon };
}

template <class T, int N> static hz_status norm_by(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    axis v = axis_of<N>(w, 0);
    line<W> l = line_of<T>(w, 1, HZ_NORM_MEAN);
    W *mean = (W *)w->out[HZ_NORM_BATCHMEAN].data, *variance = (W *)w->out[HZ_NORM_BATCHVARIANCE].data;
    if (!w->attr.norm.frozen)
        measure_batch<T, N>(w, c, v, &l);
    else if (mean || variance)
        HZ_LAUNCH_FLAT(copy_kernel<W>, blocks_of(v.n), BLOCK, 0, c->stream, l.mean, l.variance, mean, variance, v.n);
    HZ_LAUNCH_FLAT((norm_kernel<T, N>), making_grid<N>(v), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, l, v, epilogue_of(w));
    return HZ_OK;
}

template <class T, int N> static hz_status norm_act_grad_by(const hz_work *w, const cuda_call *c)
{
    axis v = axis_of<N>(w, 1);
    HZ_LAUNCH_FLAT((norm_act_grad_kernel<T, N>), making_grid<N>(v), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const T *)w->in[1].data, (T *)w->out[0].data, line_of<T>(w, 2, 4), v, w->attr.norm.epilogue);
    return HZ_OK;
}

BY_PACKS(norm, packed_size(w, 0))
BY_PACKS(norm_act_grad, packed_size(w, 1))
PLAIN_RUN(norm)
const cuda_kernel plain_norm = { "plain", norm_accepts, norm_workspace, 0, 0, 0, 0, norm_run };
PLAIN_KERNEL(norm_act_grad)

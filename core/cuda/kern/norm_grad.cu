/* norm_grad.cu: the gradients of batch norm. With xhat = (x - mean)*scale: dbeta = sum dy, dgamma = sum dy*xhat,
   dx = gamma*scale*(dy - mean(dy) - xhat*mean(dy*xhat)), without the two means where the statistics are frozen. */
#include "cuda/kern/norm.h"

template <class T> struct given {
    const T *dy, *x;
    const wide<T> *mean, *variance;
    wide<T> epsilon;
};

/* Sums of up to RUN positions are found in what is computed in, then added in double. */
template <class T, int N> struct lean {
    enum { RUN = N > 1 ? 4 : 8 };
    given<T> g;
    typedef sums result;
    struct tally {
        double plain[N], dot[N];
        wide<T> mean[N], scale[N];
    };
    __device__ __forceinline__ void begin(tally *t, int64_t k) const
    {
        for (int c = 0; c < N; c++) {
            t->mean[c] = g.mean[k + c];
            t->scale[c] = 1 / sqrt(g.variance[k + c] + g.epsilon);
        }
    }
    __device__ __forceinline__ void add(tally *t, const axis &v, int64_t k, int64_t j, int64_t step, int64_t end) const
    {
        values<T, N> dy[RUN], x[RUN];
        for (int i = 0; i < RUN; i++) {
            int inside = j + i * step < end;
            int64_t at = place(v, k, inside ? j + i * step : j);
            dy[i] = load_values<N>(g.dy, at);
            x[i] = load_values<N>(g.x, at);
        }
        for (int c = 0; c < N; c++) {
            wide<T> plain = 0, dot = 0;
            for (int i = 0; i < RUN; i++) {
                wide<T> d = j + i * step < end ? dy[i].at[c] : 0;
                plain += d;
                dot += d * (x[i].at[c] - t->mean[c]);
            }
            t->plain[c] += plain;
            t->dot[c] += dot * t->scale[c];
        }
    }
    __device__ __forceinline__ sums channel(const tally &t, int c) const { return sums{ t.plain[c], t.dot[c] }; }
};

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

/* dx of N channels at one position: factor*(dy - flat - (x - mean)*turn). */
template <class W, int N> struct leaning {
    W mean[N], factor[N], flat[N], turn[N];
};

template <int N, class T>
static __device__ __forceinline__ leaning<wide<T>, N> leaning_of(const given<T> &g, const wide<T> *gamma,
                                                                 const tilt<wide<T>> *means, int64_t k)
{
    leaning<wide<T>, N> l;
    for (int c = 0; c < N; c++) {
        wide<T> scale = 1 / sqrt(g.variance[k + c] + g.epsilon);
        l.mean[c] = g.mean[k + c];
        l.factor[c] = gamma[k + c] * scale;
        l.flat[c] = means[k + c].flat;
        l.turn[c] = scale * means[k + c].dot;
    }
    return l;
}

/* 0 in rows that are not in use. */
template <class T, int N>
static __global__ void norm_grad_kernel(given<T> g, const wide<T> *gamma, const tilt<wide<T>> *means, const T *gate,
                                        T *dx, axis v, hz_act_attr act, const hz_step *step)
{
    beat b = beat_of<N>(v);
    if (b.k >= v.n)
        return;
    leaning<wide<T>, N> l = leaning_of<N>(g, gamma, means, b.k);
    int64_t used = positions(v, step);
    for (int64_t j = b.j; j < v.batch * v.each; j += b.step) {
        int64_t at = place(v, b.k, j);
        values<T, N> d = {};
        if (j < used) {
            values<T, N> x = load_values<N>(g.x, at);
            d = load_values<N>(g.dy, at);
            for (int c = 0; c < N; c++)
                d.at[c] = l.factor[c] * (d.at[c] - l.flat[c] - (x.at[c] - l.mean[c]) * l.turn[c]);
        }
        if (j < used && act.act != HZ_LINEAR) {
            values<T, N> of = load_values<N>(gate, at);
            for (int c = 0; c < N; c++)
                d.at[c] *= slope(of.at[c], act);
        }
        store_values<N>(dx, at, d);
    }
}

/* ---- launches ---- */

static size_t norm_grad_workspace(const hz_work *w, const void *state)
{
    return most_bytes<sums>(w, 1) + (size_t)axis_of<1>(w, 1).n * sizeof(tilt<double>);
}

template <class T, int N> static hz_status norm_grad_by(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    axis v = axis_of<N>(w, 1);
    given<T> g = { (const T *)w->in[0].data, (const T *)w->in[1].data, (const W *)w->in[3].data,
                   (const W *)w->in[4].data, (W)w->attr.norm.epsilon };
    lean<T, N> measured = { g };
    sums *parts = (sums *)c->workspace;
    tilt<W> *means = (tilt<W> *)((char *)c->workspace + parts_bytes<sums>(v));
    HZ_LAUNCH((parts_kernel<lean<T, N>, N>), measuring_grid<N>(v), BLOCK, 0, c->stream, measured, parts, v, c->step);
    HZ_LAUNCH(sums_kernel<W>, (unsigned)units(v.n, WARPS), BLOCK, 0, c->stream, (const sums *)parts, v, means,
              (W *)w->out[1].data, (W *)w->out[2].data, w->attr.norm.frozen, c->step);
    if (w->out[0].data)
        HZ_LAUNCH_FLAT((norm_grad_kernel<T, N>), making_grid<N>(v), BLOCK, 0, c->stream, g,
                       (const W *)w->in[2].data, (const tilt<W> *)means, (const T *)w->in[w->nin - 1].data,
                       (T *)w->out[0].data, v, epilogue_of(w), c->step);
    return HZ_OK;
}

BY_PACKS(norm_grad, packed_size(w, 1))
PLAIN_RUN(norm_grad)
const cuda_kernel plain_norm_grad = { "plain", norm_accepts, norm_grad_workspace, 0, 0, 0, 0, norm_grad_run };

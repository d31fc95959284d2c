/* head.cu: the end of a network (head.h): a block makes a row of the batch. What nodes yield is stored, for others
   read it, and taken on as it was stored, so that forward and backward in one launch or in two have the same bits. */
#include "cuda/head.h"
#include "cuda/kern/act.h"
#include "cuda/kern/loss.h"
#include "cuda/kern/pack.h"

/* A product with an activation's slope; gate NULL: without. */
template <class T> struct gated {
    const T *gate;
    hz_act_attr act;
};

/* What is absent is NULL. x, dx (B,pixels,units); mean, dmean (B,units); weights (classes,units); logits, dlogits,
   dbefore, what flows on before the dense layer's activation, (B,classes). */
template <class T> struct head_args {
    const T *x, *given;               /* given: what the dense layer or, without one, the loss reads; x's mean if x */
    T *mean;
    const wide<T> *weights, *bias;
    T *logits;
    hz_act_attr act;
    const int32_t *labels;
    double smoothing;
    judged<wide<T>> out;
    wide<T> *loss;
    T *dlogits, *dbefore, *dmean, *dx;
    gated<T> before, to_mean, to_x;
    unsigned *done;
    int64_t rows, pixels;
    int units, classes, parts;
};

/* v as it is stored. */
template <class T> static __device__ __forceinline__ wide<T> keep(T *p, int64_t i, wide<T> v)
{
    store(p, i, v);
    return load(p, i);
}

template <class T>
static __device__ __forceinline__ wide<T> times_slope(const gated<T> &g, int64_t i, wide<T> v)
{
    return g.gate ? v * slope((wide<T>)load(g.gate, i), g.act) : v;
}

/* ---- forward ---- */

/* v[units]: the mean over pixels of x, of which thread groups take a share each; parts: room for N of each thread. */
template <int N, class T>
static __device__ void mean_row(const head_args<T> &a, int64_t row, wide<T> *v, wide<T> *parts)
{
    int t = (int)threadIdx.x, packs = a.units / N;
    for (int first = 0; first < packs; first += BLOCK) {
        int n = min(packs - first, (int)BLOCK), groups = BLOCK / n, pack = first + t % n;
        values<T, N> sum = {};
        for (int64_t p = t / n; t / n < groups && p < a.pixels; p += groups) {
            values<T, N> here = load_values<N>(a.x, (row * a.pixels + p) * a.units + pack * N);
            for (int k = 0; k < N; k++)
                sum.at[k] += here.at[k];
        }
        for (int k = 0; k < N; k++)
            parts[t * N + k] = sum.at[k];
        __syncthreads();
        for (int i = t; i < n * N; i += BLOCK) {
            wide<T> all = 0;
            for (int g = 0; g < groups; g++)
                all += parts[g * n * N + i];
            v[first * N + i] = keep(a.mean, row * a.units + first * N + i, all / (wide<T>)a.pixels);
        }
        __syncthreads();
    }
}

/* logits[classes] of v[units], a warp each. */
template <class T>
static __device__ void dense_row(const head_args<T> &a, int64_t row, const wide<T> *v, wide<T> *logits)
{
    for (int j = (int)threadIdx.x / LANES; j < a.classes; j += WARPS) {
        wide<T> sum = 0;
        for (int i = lane_number(); i < a.units; i += LANES)
            sum += v[i] * a.weights[(int64_t)j * a.units + i];
        sum = warp_sum(sum);
        if (lane_number() == 0)
            logits[j] = keep(a.logits, row * a.classes + j, activate(a.bias ? sum + a.bias[j] : sum, a.act));
    }
}

/* The last block to come adds up the losses of rows. */
template <class T> static __device__ void finish_loss(const head_args<T> &a, const hz_step *step)
{
    __shared__ int is_last;
    if (threadIdx.x == 0) {
        __threadfence();                              /* this row's loss, for whom counts on it */
        is_last = atomicAdd(a.done, 1u) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (!is_last)
        return;
    double mean = mean_loss(a.out.loss, a.rows, step);
    if (threadIdx.x == 0) {
        *a.loss = (wide<T>)mean;
        *a.done = 0;
    }
}

template <int N, class T>
static __device__ void forward(const head_args<T> &a, const hz_step *step, wide<T> *v, wide<T> *logits, wide<T> *parts)
{
    int64_t row = blockIdx.x;
    if (a.x)
        mean_row<N>(a, row, v, parts);
    for (int i = (int)threadIdx.x; !a.x && i < a.units; i += BLOCK)
        v[i] = load(a.given, row * a.units + i);
    __syncthreads();
    if (a.weights)
        dense_row(a, row, v, logits);
    __syncthreads();
    int used = row < step->count;
    if (threadIdx.x < LANES)
        judge_row(logits, a.classes, row, used, used ? a.labels[row] : 0, a.smoothing, a.out);
    __syncthreads();
}

/* ---- backward: d[classes], then to[units] ---- */

template <class T> static __device__ void loss_grad_row(const head_args<T> &a, const hz_step *step, wide<T> *d)
{
    int64_t row = blockIdx.x, rows = min(step->count, a.rows);
    for (int i = (int)threadIdx.x; i < a.classes; i += BLOCK) {
        int64_t at = row * a.classes + i;
        wide<T> g = row >= rows ? (wide<T>)0 : logit_grad(a.out.probs[at], i, a.classes, a.labels[row],
                                                         (wide<T>)a.smoothing, rows);
        d[i] = keep(a.dlogits, at, g);
        if (a.dbefore)
            d[i] = keep(a.dbefore, at, times_slope(a.before, at, d[i]));
    }
    __syncthreads();
}

template <class T> static __device__ void dense_grad_row(const head_args<T> &a, const wide<T> *d, wide<T> *to)
{
    int64_t row = blockIdx.x;
    for (int i = (int)threadIdx.x; i < a.units; i += BLOCK) {
        wide<T> sum = 0;
        for (int j = 0; j < a.classes; j++)
            sum += d[j] * a.weights[(int64_t)j * a.units + i];
        to[i] = keep(a.dmean, row * a.units + i, times_slope(a.to_mean, row * a.units + i, sum));
    }
    __syncthreads();
}

template <int N, class T> static __device__ void mean_grad_row(const head_args<T> &a, const wide<T> *of)
{
    int packs = a.units / N;
    for (int64_t i = threadIdx.x; i < a.pixels * packs; i += BLOCK) {
        int64_t at = ((int64_t)blockIdx.x * a.pixels * packs + i) * N;
        values<T, N> d, gate = {};
        if (a.to_x.gate)
            gate = load_values<N>(a.to_x.gate, at);
        for (int k = 0; k < N; k++) {
            d.at[k] = of[i % packs * N + k] / (wide<T>)a.pixels;
            if (a.to_x.gate)
                d.at[k] *= slope(gate.at[k], a.to_x.act);
        }
        store_values<N>(a.dx, at, d);
    }
}

template <class T, int N> static __global__ void head_kernel(head_args<T> a, const hz_step *step)
{
    HZ_SHARED(wide<T>, v);
    wide<T> *logits = a.weights ? v + a.units : v, *parts = logits + a.classes;
    if (a.parts & HEAD_FORWARD)
        forward<N>(a, step, v, logits, parts);
    if (a.parts & HEAD_BACKWARD && a.dlogits) {
        loss_grad_row(a, step, logits);
        if (a.dmean)
            dense_grad_row(a, logits, v);
        if (a.dx)
            mean_grad_row<N>(a, v);
    }
    if (a.parts & HEAD_FORWARD)
        finish_loss(a, step);
}

/* ---- launches ---- */

static const void *in_of(const hz_work *w, int k) { return w && k < w->nin ? w->in[k].data : NULL; }
static void *out_of(const hz_work *w, int k) { return w && k < w->nout ? w->out[k].data : NULL; }

/* Of a gradient that takes an activation's slope from its input k. */
template <class T> static gated<T> gated_by(const hz_work *w, int k)
{
    gated<T> g = {};
    if (w && (g.act = epilogue_of(w)).act != HZ_LINEAR)
        g.gate = (const T *)in_of(w, k);
    return g;
}

template <class T> static void set_gradients(head_args<T> *a, const hz_work *const role[HEAD_ROLES])
{
    const hz_work *act = role[HEAD_ACT_GRAD], *dense = role[HEAD_DENSE_GRAD], *mean = role[HEAD_MEAN_GRAD];
    a->dlogits = (T *)out_of(role[HEAD_LOSS_GRAD], 0);
    a->dbefore = (T *)out_of(act, 0);
    a->dmean = (T *)out_of(dense, 0);
    a->dx = (T *)out_of(mean, 0);
    if (act)
        a->before = gated<T>{ (const T *)in_of(act, 1), act->attr.act };
    a->to_mean = gated_by<T>(dense, 2);
    a->to_x = gated_by<T>(mean, 1);
}

template <class T> static head_args<T> args_of(const hz_work *const role[HEAD_ROLES])
{
    head_args<T> a = {};
    const hz_work *mean = role[HEAD_MEAN], *dense = role[HEAD_DENSE], *loss = role[HEAD_LOSS];
    a.rows = loss->in[0].shape[0];
    a.classes = (int)loss->in[0].shape[1];
    a.units = dense ? (int)dense->in[0].shape[1] : a.classes;
    a.pixels = mean ? cuda_size(&mean->in[0], 1, 3) : 1;
    a.x = (const T *)in_of(mean, 0);
    a.mean = (T *)out_of(mean, 0);
    a.given = (const T *)in_of(dense ? dense : loss, 0);
    a.weights = (const wide<T> *)in_of(dense, 1);
    a.bias = (const wide<T> *)in_of(dense, 2);
    a.logits = (T *)out_of(dense, 0);
    a.act = dense ? epilogue_of(dense) : hz_act_attr{ HZ_LINEAR, 0 };
    a.labels = (const int32_t *)in_of(loss, 1);
    a.smoothing = loss->attr.xent.smoothing;
    a.out = judged<wide<T>>{ NULL, (int32_t *)out_of(loss, 1), (wide<T> *)out_of(loss, 2) };
    a.loss = (wide<T> *)out_of(loss, 0);
    set_gradients(&a, role);
    return a;
}

/* Values of x and its gradient that a thread takes at once. */
template <class T> static int takes_packs(const head_args<T> &a)
{
    uintptr_t where = (uintptr_t)a.x | (uintptr_t)a.dx | (uintptr_t)a.to_x.gate;
    return a.x && a.units % per_pack<T> == 0 && where % PACK == 0;
}

template <class T, int N> static void launch_by(const head_args<T> &a, const cuda_call *c)
{
    size_t shared = ((size_t)a.units + a.classes + (a.x ? BLOCK * N : 0)) * sizeof(wide<T>);
    HZ_LAUNCH((head_kernel<T, N>), (unsigned)a.rows, BLOCK, shared, c->stream, a, c->step);
}

template <class T>
static void launch(const hz_work *const role[HEAD_ROLES], int parts, double *of_row, unsigned *done, const cuda_call *c)
{
    head_args<T> a = args_of<T>(role);
    a.parts = parts;
    a.out.loss = of_row;
    a.done = done;
    for (int r = 0; r < HEAD_ROLES; r++)
        for (int k = 0; role[r] && k < role[r]->nin + role[r]->nout; k++)
            HZ_CHECK_POINTER("head_kernel", k, k < role[r]->nin ? role[r]->in[k].data
                                                                : role[r]->out[k - role[r]->nin].data);
    if (takes_packs(a))
        launch_by<T, per_pack<T>>(a, c);
    else
        launch_by<T, 1>(a, c);
}

void launch_head(const hz_work *const role[HEAD_ROLES], int parts, double *of_row, unsigned *done, const cuda_call *c)
{
    hz_work loss = *role[HEAD_LOSS];
    loss.nout = 0;                                    /* its probabilities are f32 beside logits of bf16 */
    switch (cuda_storage(&loss)) {
    case HZ_F64:  return launch<double>(role, parts, of_row, done, c);
    case HZ_BF16: return launch<bf16>(role, parts, of_row, done, c);
    default:      return launch<float>(role, parts, of_row, done, c);
    }
}

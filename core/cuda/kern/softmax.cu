/* softmax.cu: softmax, cross entropy and their gradients: a warp makes a row of logits (B,k). The loss is a sum in
   double of the rows in use, in an order that the batch alone decides. */
#include "cuda/kern/loss.h"

/* This warp's row. */
static __device__ __forceinline__ int64_t warp_row() { return blockIdx.x * (int64_t)WARPS + threadIdx.x / LANES; }
static inline unsigned blocks_of_rows(int64_t rows) { return (unsigned)units(rows, WARPS); }

template <class T> static __global__ void softmax_kernel(const T *x, T *y, int64_t rows, int k)
{
    typedef wide<T> W;
    int64_t row = warp_row();
    if (row >= rows)
        return;
    x += row * k;
    y += row * k;
    W top = peak_of(x, k).value, sum = 0;
    for (int i = lane_number(); i < k; i += LANES)
        sum += exp(load(x, i) - top);
    sum = warp_sum(sum);
    for (int i = lane_number(); i < k; i += LANES)
        store(y, i, exp(load(x, i) - top) / sum);
}

/* dx = y * (dy - sum(dy*y)) */
template <class T> static __global__ void softmax_grad_kernel(const T *dy, const T *y, T *dx, int64_t rows, int k)
{
    wide<T> dot = 0;
    int64_t row = warp_row();
    if (row >= rows)
        return;
    for (int i = lane_number(); i < k; i += LANES)
        dot += load(dy, row * k + i) * load(y, row * k + i);
    dot = warp_sum(dot);
    for (int i = lane_number(); i < k; i += LANES)
        store(dx, row * k + i, load(y, row * k + i) * (load(dy, row * k + i) - dot));
}

template <class T>
static __global__ void xent_kernel(const T *x, const int32_t *labels, judged<wide<T>> out, int64_t rows, int k,
                                   double smoothing, const hz_step *step)
{
    int64_t row = warp_row();
    if (row >= rows)
        return;
    int used = row < step->count;
    judge_row(x + row * k, k, row, used, used ? labels[row] : 0, smoothing, out);
}

/* One block. */
template <class W> static __global__ void mean_kernel(const double *of_row, W *loss, int64_t batch, const hz_step *step)
{
    double mean = mean_loss(of_row, batch, step);
    if (threadIdx.x == 0)
        *loss = (W)mean;
}

template <class T>
static __global__ void xent_grad_kernel(const wide<T> *p, const int32_t *labels, T *dx, int64_t n, int k,
                                        wide<T> smoothing, int64_t batch, const hz_step *step)
{
    int64_t i = thread_number(), row = i / k, rows = min(step->count, batch);
    if (i < n)
        store(dx, i, row < rows ? logit_grad(p[i], (int)(i % k), k, labels[row], smoothing, rows) : (wide<T>)0);
}

template <class T> static hz_status softmax(const hz_work *w, const cuda_call *c)
{
    int64_t k = w->in[0].shape[w->in[0].ndim - 1], rows = cuda_elements(&w->out[0]) / k;
    HZ_LAUNCH(softmax_kernel<T>, blocks_of_rows(rows), BLOCK, 0, c->stream, (const T *)w->in[0].data,
              (T *)w->out[0].data, rows, (int)k);
    return HZ_OK;
}

template <class T> static hz_status softmax_grad(const hz_work *w, const cuda_call *c)
{
    int64_t k = w->in[0].shape[w->in[0].ndim - 1], rows = cuda_elements(&w->out[0]) / k;
    HZ_LAUNCH(softmax_grad_kernel<T>, blocks_of_rows(rows), BLOCK, 0, c->stream, (const T *)w->in[0].data,
              (const T *)w->in[1].data, (T *)w->out[0].data, rows, (int)k);
    return HZ_OK;
}

template <class T> static hz_status xent(const hz_work *w, const cuda_call *c)
{
    int64_t rows = w->in[0].shape[0], k = w->in[0].shape[1];
    judged<wide<T>> out = { (double *)c->workspace, (int32_t *)w->out[1].data, (wide<T> *)w->out[2].data };
    HZ_LAUNCH(xent_kernel<T>, blocks_of_rows(rows), BLOCK, 0, c->stream, (const T *)w->in[0].data,
              (const int32_t *)w->in[1].data, out, rows, (int)k, (double)w->attr.xent.smoothing, c->step);
    if (w->out[0].data)
        HZ_LAUNCH(mean_kernel<wide<T>>, 1, BLOCK, 0, c->stream, (const double *)c->workspace,
                  (wide<T> *)w->out[0].data, rows, c->step);
    return HZ_OK;
}

static size_t xent_workspace(const hz_work *w, const void *state) { return (size_t)w->in[0].shape[0] * sizeof(double); }

template <class T> static hz_status xent_grad(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(xent_grad_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const wide<T> *)w->in[0].data,
                   (const int32_t *)w->in[1].data, (T *)w->out[0].data, n, (int)w->in[0].shape[1],
                   (wide<T>)w->attr.xent.smoothing, w->in[0].shape[0], c->step);
    return HZ_OK;
}

PLAIN_KERNEL(softmax)
PLAIN_KERNEL(softmax_grad)

PLAIN_RUN(xent)
PLAIN_RUN(xent_grad)

/* Probabilities are f32 beside logits of bf16, as parameters are. */
static hz_work with_probs(const hz_work *w)
{
    hz_work same = *w;
    (w->op == OP_xent ? &same.out[2] : &same.in[0])->kind = HZ_GRADIENT;
    return same;
}

static int loss_accepts(const hz_work *w)
{
    hz_work same = with_probs(w);
    return cuda_plain_accepts(&same);
}

static hz_status loss_run(const hz_work *w, const cuda_call *c)
{
    hz_work same = with_probs(w);
    return w->op == OP_xent ? xent_run(&same, c) : xent_grad_run(&same, c);
}

const cuda_kernel plain_xent = { "plain", loss_accepts, xent_workspace, 0, 0, 0, 0, loss_run };
const cuda_kernel plain_xent_grad = { "plain", loss_accepts, 0, 0, 0, 0, 0, loss_run };

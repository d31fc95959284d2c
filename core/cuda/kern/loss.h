/* loss.h: what becomes of a row of logits, made by a warp: cross entropy, probabilities and their gradient. All lanes
   must come. A label that is no class makes the loss NaN: the host cannot look before the step is done. */
#ifndef CUDA_LOSS_H
#define CUDA_LOSS_H
#include "cuda/kernel.h"
#include "cuda/kern/reduce.h"

static __device__ __forceinline__ int lane_number() { return threadIdx.x % LANES; }

/* The largest of k logits and where it first stands; NaN is never larger, but a NaN at the head stays. */
template <class W> struct peak {
    W value;
    int at;
};

template <class T> static __device__ __forceinline__ peak<wide<T>> peak_of(const T *x, int k)
{
    typedef wide<T> W;
    peak<W> best = { (W)-INFINITY, k };
    for (int i = lane_number(); i < k; i += LANES) {
        W v = load(x, i);
        if (v > best.value || (best.at == k && v == v))
            best = peak<W>{ v, i };
    }
    for (int bits = LANES / 2; bits; bits /= 2) {
        peak<W> other = { __shfl_xor_sync(~0u, best.value, bits), __shfl_xor_sync(~0u, best.at, bits) };
        if (other.value > best.value || (other.value == best.value && other.at < best.at))
            best = other;
    }
    W head = load(x, 0);
    return head == head ? best : peak<W>{ head, 0 };
}

/* What rows may yield; each but the losses may be absent. */
template <class W> struct judged {
    double *loss;             /* (B) */
    int32_t *correct;         /* (B) */
    W *probs;                 /* (B,k) */
};

/* -sum(target*log p), target = (1-s)*onehot + s/k. sum: of e^(x - top); all: of x - top. */
template <class T>
static __device__ __forceinline__ double row_loss(const T *x, int label, int k, double top, double sum, double all,
                                                  double smoothing)
{
    if (label < 0 || label >= k)
        return NAN;
    double one = log(sum) - (1 - smoothing) * ((double)load(x, label) - top);
    return smoothing > 0 ? one - smoothing / k * all : one;
}

/* Of x, the logits of this row; used: 0 beyond the step's count. */
template <class T>
static __device__ __forceinline__ void judge_row(const T *x, int k, int64_t row, int used, int label, double smoothing,
                                                 judged<wide<T>> out)
{
    typedef wide<T> W;
    peak<W> best = peak_of(x, k);
    double top = best.value, sum = 0, all = 0;
    for (int i = lane_number(); i < k; i += LANES) {
        sum += exp((double)load(x, i) - top);
        all += (double)load(x, i) - top;
    }
    sum = warp_sum(sum);
    all = warp_sum(all);
    if (lane_number() == 0) {
        out.loss[row] = used ? row_loss(x, label, k, top, sum, all, smoothing) : 0;
        if (out.correct)
            out.correct[row] = used && best.at == label && sum == sum;
    }
    for (int i = lane_number(); out.probs && i < k; i += LANES)
        out.probs[row * k + i] = exp(load(x, i) - best.value) / (W)sum;
}

/* Of logit i of k that has probability p, in a row that is in use; rows: those in use. */
template <class W>
static __device__ __forceinline__ W logit_grad(W p, int i, int k, int label, W smoothing, int64_t rows)
{
    W target = smoothing / (W)k + (i == label ? 1 - smoothing : (W)0);
    return label < 0 || label >= k ? (W)NAN : (p - target) / (W)rows;
}

/* By a block, whose thread 0 gets it. volatile: other blocks may have written them in this launch, and a block's own
   cache would not know. */
static __device__ __forceinline__ double mean_loss(const volatile double *of_row, int64_t batch, const hz_step *step)
{
    double sum = 0;
    for (int64_t r = threadIdx.x; r < batch; r += BLOCK)
        sum += of_row[r];
    return block_sum(sum) / (double)min(step->count, batch);
}
#endif

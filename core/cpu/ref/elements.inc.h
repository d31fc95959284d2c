/* elements.inc.h: element-wise ops, softmax and cross entropy. */
#include "cpu/ref/act.inc.h"

static hz_status F(act)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0);
    T *y = OUT(0);
    int64_t n = cpu_count(&w->out[0], c);
    for (int64_t i = 0; i < n; i++)
        y[i] = F(activate)(x[i], w->attr.act.act, w->attr.act.alpha);
    return HZ_OK;
}

static hz_status F(act_grad)(const hz_work *w, const cpu_call *c)
{
    const T *dy = IN(0), *y = IN(1);
    T *dx = OUT(0);
    int64_t n = cpu_count(&w->out[0], c);
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * F(slope)(y[i], w->attr.act.act, w->attr.act.alpha);
    return HZ_OK;
}

static hz_status F(add)(const hz_work *w, const cpu_call *c)
{
    const T *a = IN(0), *b = IN(1);
    T *y = OUT(0);
    int64_t n = cpu_count(&w->out[0], c);
    for (int64_t i = 0; i < n; i++)
        y[i] = F(activate)(a[i] + b[i], w->attr.act.act, w->attr.act.alpha);
    return HZ_OK;
}

/* x (B,...) -> y: element e of an item is kept iff its uniform number is at least rate; kept ones are
   divided by 1 - rate. */
static hz_status F(dropout)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0);
    const int32_t *item = w->in[1].data;
    const hz_step *s = c->step;
    T *y = OUT(0);
    uint8_t *mask = w->out[1].data;
    int64_t rows = cpu_rows(w, c), size = cpu_size(&w->in[0], 1, w->in[0].ndim), bytes = (size + 7) / 8;
    float rate = w->attr.dropout.rate;
    T scale = 1 / (1 - (T)rate);
    memset(mask, 0, (size_t)(rows * bytes));
    for (int64_t r = 0; r < rows; r++)
    for (int64_t e = 0; e < size; e++) {
        uint32_t half = hz_random16(s->seed, (uint64_t)e, (uint32_t)item[r], (uint32_t)s->epoch,
                                    (uint32_t)w->attr.dropout.layer, HZ_FOR_DROPOUT);
        int keep = (float)half * (1.0f / 65536) >= rate;
        y[r * size + e] = keep ? x[r * size + e] * scale : 0;
        mask[r * bytes + e / 8] |= (uint8_t)(keep << e % 8);
    }
    return HZ_OK;
}

static hz_status F(dropout_grad)(const hz_work *w, const cpu_call *c)
{
    const T *dy = IN(0);
    const uint8_t *mask = w->in[1].data;
    T *dx = OUT(0), scale = 1 / (1 - (T)w->attr.dropout.rate);
    int64_t rows = cpu_rows(w, c), size = cpu_size(&w->in[0], 1, w->in[0].ndim), bytes = (size + 7) / 8;
    for (int64_t r = 0; r < rows; r++)
    for (int64_t e = 0; e < size; e++)
        dx[r * size + e] = mask[r * bytes + e / 8] >> e % 8 & 1 ? dy[r * size + e] * scale : 0;
    F(epilogue)(w, c);
    return HZ_OK;
}

/* p = softmax of k logits; the largest is subtracted first. */
static void F(softmax_row)(const T *x, T *p, int64_t k)
{
    T most = x[0], sum = 0;
    for (int64_t i = 1; i < k; i++)
        most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < k; i++)
        sum += p[i] = (T)exp(x[i] - most);
    for (int64_t i = 0; i < k; i++)
        p[i] /= sum;
}

static hz_status F(softmax)(const hz_work *w, const cpu_call *c)
{
    int64_t k = w->in[0].shape[w->in[0].ndim - 1], rows = cpu_count(&w->out[0], c) / k;
    for (int64_t r = 0; r < rows; r++)
        F(softmax_row)(IN(0) + r * k, OUT(0) + r * k, k);
    return HZ_OK;
}

/* dx = y * (dy - sum(dy*y)) */
static hz_status F(softmax_grad)(const hz_work *w, const cpu_call *c)
{
    int64_t k = w->in[0].shape[w->in[0].ndim - 1], rows = cpu_count(&w->out[0], c) / k;
    for (int64_t r = 0; r < rows; r++) {
        const T *dy = IN(0) + r * k, *y = IN(1) + r * k;
        T *dx = OUT(0) + r * k, dot = 0;
        for (int64_t i = 0; i < k; i++)
            dot += dy[i] * y[i];
        for (int64_t i = 0; i < k; i++)
            dx[i] = y[i] * (dy[i] - dot);
    }
    return HZ_OK;
}

/* Mean over the rows in use of -sum(target*log p), target = (1-s)*onehot + s/k;
   log p = x - most - log(sum e^(x-most)). A target of 0 adds nothing, also where p is 0. A row with NaN or +infinity,
   which has no probabilities, is never right. */
static hz_status F(xent)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0);
    const int32_t *label = w->in[1].data;
    T *loss = OUT(0), *probs = OUT(2);
    int32_t *correct = w->out[1].data;
    int64_t rows = cpu_rows(w, c), k = w->in[0].shape[1];
    double total = 0, smoothing = w->attr.xent.smoothing;
    if (cpu_check_labels(w, label, rows, k))
        return HZ_EARG;
    for (int64_t r = 0; r < rows; r++, x += k) {
        int64_t best = 0;
        double sum = 0, all = 0;
        for (int64_t i = 1; i < k; i++)
            best = x[i] > x[best] ? i : best;
        for (int64_t i = 0; i < k; i++) {
            sum += exp((double)x[i] - x[best]);
            all += (double)x[i] - x[best];
        }
        double one = log(sum) - (1 - smoothing) * ((double)x[label[r]] - x[best]);
        total += smoothing > 0 ? one - smoothing / (double)k * all : one;
        if (correct)
            correct[r] = best == label[r] && !isnan(sum);
        if (probs)
            F(softmax_row)(x, probs + r * k, k);
    }
    if (loss)
        *loss = (T)(total / (double)rows);
    return HZ_OK;
}

static hz_status F(xent_grad)(const hz_work *w, const cpu_call *c)
{
    const T *p = IN(0);
    const int32_t *label = w->in[1].data;
    T *dx = OUT(0), smoothing = (T)w->attr.xent.smoothing;
    int64_t rows = cpu_rows(w, c), k = w->in[0].shape[1];
    if (cpu_check_labels(w, label, rows, k))
        return HZ_EARG;
    for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < k; i++) {
        T target = smoothing / (T)k + (i == label[r] ? 1 - smoothing : 0);
        dx[r * k + i] = (p[r * k + i] - target) / (T)rows;
    }
    return HZ_OK;
}

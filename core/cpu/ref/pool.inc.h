/* pool.inc.h: maxpool, avgpool, meanpool (B,H,W,C), batch norm over one axis, and their gradients. */
#include "cpu/ref/act.inc.h"

/* y (B,OH,OW,C), argmax u8: position ky*kw + kx in the window. The first maximum wins; padding never does.
   NaN wins over all. */
static hz_status F(maxpool)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->in[0], &w->out[0]);
    const T *x = IN(0);
    T *y = OUT(0);
    uint8_t *argmax = w->nout > 1 ? w->out[1].data : NULL;
    int64_t channels = w->in[0].shape[3], rows = cpu_rows(w, c), out = 0;
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t ch = 0; ch < channels; ch++, out++) {
        T most = -INFINITY;
        int64_t at = -1;
        for (int64_t ky = 0; ky < v.kh; ky++)
        for (int64_t kx = 0; kx < v.kw; kx++) {
            int64_t iy = oy * v.sh - v.top + ky, ix = ox * v.sw - v.left + kx;
            if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w)
                continue;
            T value = x[((n * v.h + iy) * v.w + ix) * channels + ch];
            if (at < 0 || value > most || (isnan(value) && !isnan(most))) {
                most = value;
                at = ky * v.kw + kx;
            }
        }
        y[out] = most;
        if (argmax)
            argmax[out] = (uint8_t)at;
    }
    return HZ_OK;
}

static hz_status F(maxpool_grad)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->out[0], &w->in[0]);
    const T *dy = IN(0);
    const uint8_t *argmax = w->in[1].data;
    T *dx = OUT(0);
    int64_t channels = w->in[0].shape[3], rows = cpu_rows(w, c), out = 0;
    memset(dx, 0, (size_t)(rows * v.h * v.w * channels) * sizeof(T));
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t ch = 0; ch < channels; ch++, out++) {
        int64_t iy = oy * v.sh - v.top + argmax[out] / v.kw, ix = ox * v.sw - v.left + argmax[out] % v.kw;
        dx[((n * v.h + iy) * v.w + ix) * channels + ch] += dy[out];
    }
    F(epilogue)(w, c);
    return HZ_OK;
}

/* Positions of the window of output (oy, ox) that lie in the image: first and past-the-last row and column. */
static void F(inside)(const cpu_window *v, int64_t oy, int64_t ox, int64_t at[4])
{
    int64_t y = oy * v->sh - v->top, x = ox * v->sw - v->left;
    at[0] = y > 0 ? y : 0;
    at[1] = y + v->kh < v->h ? y + v->kh : v->h;
    at[2] = x > 0 ? x : 0;
    at[3] = x + v->kw < v->w ? x + v->kw : v->w;
}

/* Mean over those positions only, as TensorFlow does it. */
static hz_status F(avgpool)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->in[0], &w->out[0]);
    const T *x = IN(0);
    T *y = OUT(0);
    int64_t channels = w->in[0].shape[3], rows = cpu_rows(w, c), out = 0, at[4];
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t ch = 0; ch < channels; ch++, out++) {
        T sum = 0;
        F(inside)(&v, oy, ox, at);
        for (int64_t iy = at[0]; iy < at[1]; iy++)
        for (int64_t ix = at[2]; ix < at[3]; ix++)
            sum += x[((n * v.h + iy) * v.w + ix) * channels + ch];
        y[out] = sum / (T)((at[1] - at[0]) * (at[3] - at[2]));
    }
    return HZ_OK;
}

static hz_status F(avgpool_grad)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->out[0], &w->in[0]);
    const T *dy = IN(0);
    T *dx = OUT(0);
    int64_t channels = w->in[0].shape[3], rows = cpu_rows(w, c), out = 0, at[4];
    memset(dx, 0, (size_t)(rows * v.h * v.w * channels) * sizeof(T));
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t ch = 0; ch < channels; ch++, out++) {
        F(inside)(&v, oy, ox, at);
        T share = dy[out] / (T)((at[1] - at[0]) * (at[3] - at[2]));
        for (int64_t iy = at[0]; iy < at[1]; iy++)
        for (int64_t ix = at[2]; ix < at[3]; ix++)
            dx[((n * v.h + iy) * v.w + ix) * channels + ch] += share;
    }
    F(epilogue)(w, c);
    return HZ_OK;
}

static hz_status F(meanpool)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0);
    T *y = OUT(0);
    int64_t pixels = w->in[0].shape[1] * w->in[0].shape[2], channels = w->in[0].shape[3], rows = cpu_rows(w, c);
    for (int64_t n = 0; n < rows; n++)
    for (int64_t ch = 0; ch < channels; ch++) {
        T sum = 0;
        for (int64_t p = 0; p < pixels; p++)
            sum += x[(n * pixels + p) * channels + ch];
        y[n * channels + ch] = sum / (T)pixels;
    }
    return HZ_OK;
}

static hz_status F(meanpool_grad)(const hz_work *w, const cpu_call *c)
{
    const T *dy = IN(0);
    T *dx = OUT(0);
    int64_t pixels = w->out[0].shape[1] * w->out[0].shape[2], channels = w->out[0].shape[3], rows = cpu_rows(w, c);
    for (int64_t n = 0; n < rows; n++)
    for (int64_t p = 0; p < pixels; p++)
    for (int64_t ch = 0; ch < channels; ch++)
        dx[(n * pixels + p) * channels + ch] = dy[n * channels + ch] / (T)pixels;
    F(epilogue)(w, c);
    return HZ_OK;
}

/* x as (outer, n, inner): the axis that keeps its statistics in the middle. Variance is biased, for y and for the
   running statistics alike (Keras, channels-last without fusion). */
static hz_status F(norm)(const hz_work *w, const cpu_call *c)
{
    const hz_norm *a = &w->attr.norm;
    cpu_axis v = cpu_axis_of(w, c, 0);
    const T *x = IN(0), *gamma = IN(1), *beta = IN(2);
    const T *running_mean = IN(HZ_NORM_MEAN), *running_variance = IN(HZ_NORM_VARIANCE);
    T *y = OUT(0), *batchmean = OUT(HZ_NORM_BATCHMEAN), *batchvariance = OUT(HZ_NORM_BATCHVARIANCE);
    T epsilon = (T)a->epsilon;
    for (int64_t k = 0; k < v.n; k++) {
        T mean = 0, variance = 0, count = (T)(v.outer * v.inner);
        for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++)
            mean += x[(o * v.n + k) * v.inner + i];
        mean /= count;
        for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            T d = x[(o * v.n + k) * v.inner + i] - mean;
            variance += d * d;
        }
        variance /= count;
        if (a->frozen) {
            mean = running_mean[k];
            variance = running_variance[k];
        }
        T scale = 1 / (T)sqrt(variance + epsilon);
        for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++)
            y[(o * v.n + k) * v.inner + i] = (x[(o * v.n + k) * v.inner + i] - mean) * (scale * gamma[k]) + beta[k];
        if (batchmean)
            batchmean[k] = mean;
        if (batchvariance)
            batchvariance[k] = variance;
    }
    F(epilogue)(w, c);
    return HZ_OK;
}

/* running = momentum*running + (1-momentum)*batch */
static hz_status F(norm_update)(const hz_work *w, const cpu_call *c)
{
    T momentum = (T)w->attr.norm.momentum;
    for (int i = 0; i < 2; i++) {
        T *running = w->in[i].data;
        const T *moved = IN(2 + i);
        for (int64_t k = 0; k < w->in[i].shape[0]; k++)
            running[k] = momentum * running[k] + (1 - momentum) * moved[k];
    }
    return HZ_OK;
}

/* With xhat = (x - mean)*scale: dbeta = sum dy, dgamma = sum dy*xhat,
   dx = gamma*scale*(dy - mean(dy) - xhat*mean(dy*xhat)), without the two means where the statistics are frozen. */
static hz_status F(norm_grad)(const hz_work *w, const cpu_call *c)
{
    cpu_axis v = cpu_axis_of(w, c, 1);
    const T *dy = IN(0), *x = IN(1), *gamma = IN(2), *batchmean = IN(3), *batchvariance = IN(4);
    T *dx = OUT(0), *dgamma = OUT(1), *dbeta = OUT(2);
    T epsilon = (T)w->attr.norm.epsilon;
    for (int64_t k = 0; k < v.n; k++) {
        T sum = 0, dot = 0, count = (T)(v.outer * v.inner), mean = batchmean[k];
        T scale = 1 / (T)sqrt(batchvariance[k] + epsilon);
        for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            int64_t at = (o * v.n + k) * v.inner + i;
            sum += dy[at];
            dot += dy[at] * ((x[at] - mean) * scale);
        }
        if (dgamma)
            dgamma[k] = dot;
        if (dbeta)
            dbeta[k] = sum;
        T flat = w->attr.norm.frozen ? 0 : sum / count, tilt = w->attr.norm.frozen ? 0 : dot / count;
        for (int64_t o = 0; dx && o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            int64_t at = (o * v.n + k) * v.inner + i;
            dx[at] = gamma[k] * scale * (dy[at] - flat - (x[at] - mean) * scale * tilt);
        }
    }
    F(epilogue)(w, c);
    return HZ_OK;
}

/* dy = dz * act'(y), with y made anew from x. */
static hz_status F(norm_act_grad)(const hz_work *w, const cpu_call *c)
{
    const hz_act_attr *act = &w->attr.norm.epilogue;
    cpu_axis v = cpu_axis_of(w, c, 1);
    const T *dz = IN(0), *x = IN(1), *gamma = IN(2), *beta = IN(3), *mean = IN(4), *variance = IN(5);
    T *dy = OUT(0);
    for (int64_t k = 0; k < v.n; k++) {
        T scale = gamma[k] / (T)sqrt(variance[k] + (T)w->attr.norm.epsilon);
        for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            int64_t at = (o * v.n + k) * v.inner + i;
            dy[at] = dz[at] * F(slope)((x[at] - mean[k]) * scale + beta[k], act->act, act->alpha);
        }
    }
    return HZ_OK;
}

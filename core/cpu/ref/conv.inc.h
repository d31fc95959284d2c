/* conv.inc.h: conv2d x (B,H,W,I), w (O,KH,KW,I) -> y (B,OH,OW,O), dense x (B,K), w (O,K) -> y (B,O), and
   their gradients. */
#include "cpu/ref/act.inc.h"

static hz_status F(conv2d)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->in[0], &w->out[0]);
    const T *x = IN(0), *weight = IN(1), *bias = w->nin > 2 ? IN(2) : NULL;
    T *y = OUT(0);
    int64_t inputs = w->in[0].shape[3], outputs = w->out[0].shape[3], rows = cpu_rows(w, c);
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t o = 0; o < outputs; o++) {
        T sum = bias ? bias[o] : 0;
        for (int64_t ky = 0; ky < v.kh; ky++)
        for (int64_t kx = 0; kx < v.kw; kx++) {
            int64_t iy = oy * v.sh - v.top + ky, ix = ox * v.sw - v.left + kx;
            if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w)
                continue;
            for (int64_t i = 0; i < inputs; i++)
                sum += x[((n * v.h + iy) * v.w + ix) * inputs + i] * weight[((o * v.kh + ky) * v.kw + kx) * inputs + i];
        }
        y[((n * v.oh + oy) * v.ow + ox) * outputs + o] = F(activate)(sum, w->attr.window.act, w->attr.window.alpha);
    }
    return HZ_OK;
}

/* The epilogue of a gradient: act_grad(dx, y), n elements. */
static void F(gate)(T *dx, const hz_work *w, int act, float alpha, int64_t n)
{
    const T *y = IN(2);
    for (int64_t i = 0; i < n; i++)
        dx[i] *= F(slope)(y[i], act, alpha);
}

static hz_status F(conv2d_dx)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->out[0], &w->in[0]);
    const T *dy = IN(0), *weight = IN(1);
    T *dx = OUT(0);
    int64_t inputs = w->out[0].shape[3], outputs = w->in[0].shape[3], rows = cpu_rows(w, c);
    memset(dx, 0, (size_t)(rows * v.h * v.w * inputs) * sizeof(T));
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t o = 0; o < outputs; o++) {
        T d = dy[((n * v.oh + oy) * v.ow + ox) * outputs + o];
        for (int64_t ky = 0; ky < v.kh; ky++)
        for (int64_t kx = 0; kx < v.kw; kx++) {
            int64_t iy = oy * v.sh - v.top + ky, ix = ox * v.sw - v.left + kx;
            if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w)
                continue;
            for (int64_t i = 0; i < inputs; i++)
                dx[((n * v.h + iy) * v.w + ix) * inputs + i] += d * weight[((o * v.kh + ky) * v.kw + kx) * inputs + i];
        }
    }
    if (w->nin > 2)
        F(gate)(dx, w, w->attr.window.act, w->attr.window.alpha, rows * v.h * v.w * inputs);
    return HZ_OK;
}

static hz_status F(conv2d_dw)(const hz_work *w, const cpu_call *c)
{
    cpu_window v = cpu_window_of(&w->attr.window, &w->in[0], &w->in[1]);
    const T *x = IN(0), *dy = IN(1);
    T *dw = OUT(0), *db = w->nout > 1 ? OUT(1) : NULL;
    int64_t inputs = w->in[0].shape[3], outputs = w->in[1].shape[3], rows = cpu_rows(w, c);
    if (dw)
        memset(dw, 0, (size_t)(outputs * v.kh * v.kw * inputs) * sizeof(T));
    if (db)
        memset(db, 0, (size_t)outputs * sizeof(T));
    for (int64_t n = 0; n < rows; n++)
    for (int64_t oy = 0; oy < v.oh; oy++)
    for (int64_t ox = 0; ox < v.ow; ox++)
    for (int64_t o = 0; o < outputs; o++) {
        T d = dy[((n * v.oh + oy) * v.ow + ox) * outputs + o];
        if (db)
            db[o] += d;
        for (int64_t ky = 0; dw && ky < v.kh; ky++)
        for (int64_t kx = 0; kx < v.kw; kx++) {
            int64_t iy = oy * v.sh - v.top + ky, ix = ox * v.sw - v.left + kx;
            if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w)
                continue;
            for (int64_t i = 0; i < inputs; i++)
                dw[((o * v.kh + ky) * v.kw + kx) * inputs + i] += d * x[((n * v.h + iy) * v.w + ix) * inputs + i];
        }
    }
    return HZ_OK;
}

/* Of a bias alone: db is the sum of dy (rows,...,outputs) over all but its last axis. */
static hz_status F(bias_grad)(const hz_work *w, const cpu_call *c)
{
    const T *dy = IN(0);
    T *db = OUT(0);
    int64_t outputs = w->out[0].shape[0], pixels = cpu_count(&w->in[0], c) / outputs;
    for (int64_t o = 0; o < outputs; o++) {
        T sum = 0;
        for (int64_t i = 0; i < pixels; i++)
            sum += dy[i * outputs + o];
        db[o] = sum;
    }
    return HZ_OK;
}

static hz_status F(dense)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0), *weight = IN(1), *bias = w->nin > 2 ? IN(2) : NULL;
    T *y = OUT(0);
    int64_t inputs = w->in[0].shape[1], outputs = w->out[0].shape[1], rows = cpu_rows(w, c);
    for (int64_t n = 0; n < rows; n++)
    for (int64_t o = 0; o < outputs; o++) {
        T sum = bias ? bias[o] : 0;
        for (int64_t i = 0; i < inputs; i++)
            sum += x[n * inputs + i] * weight[o * inputs + i];
        y[n * outputs + o] = F(activate)(sum, w->attr.act.act, w->attr.act.alpha);
    }
    return HZ_OK;
}

static hz_status F(dense_dx)(const hz_work *w, const cpu_call *c)
{
    const T *dy = IN(0), *weight = IN(1);
    T *dx = OUT(0);
    int64_t inputs = w->out[0].shape[1], outputs = w->in[0].shape[1], rows = cpu_rows(w, c);
    for (int64_t n = 0; n < rows; n++)
    for (int64_t i = 0; i < inputs; i++) {
        T sum = 0;
        for (int64_t o = 0; o < outputs; o++)
            sum += dy[n * outputs + o] * weight[o * inputs + i];
        dx[n * inputs + i] = sum;
    }
    if (w->nin > 2)
        F(gate)(dx, w, w->attr.act.act, w->attr.act.alpha, rows * inputs);
    return HZ_OK;
}

static hz_status F(dense_dw)(const hz_work *w, const cpu_call *c)
{
    const T *x = IN(0), *dy = IN(1);
    T *dw = OUT(0), *db = w->nout > 1 ? OUT(1) : NULL;
    int64_t inputs = w->in[0].shape[1], outputs = w->in[1].shape[1], rows = cpu_rows(w, c);
    for (int64_t o = 0; o < outputs; o++) {
        for (int64_t i = 0; dw && i < inputs; i++) {
            T sum = 0;
            for (int64_t n = 0; n < rows; n++)
                sum += dy[n * outputs + o] * x[n * inputs + i];
            dw[o * inputs + i] = sum;
        }
        T sum = 0;
        for (int64_t n = 0; n < rows; n++)
            sum += dy[n * outputs + o];
        if (db)
            db[o] = sum;
    }
    return HZ_OK;
}

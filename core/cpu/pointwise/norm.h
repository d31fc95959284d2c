/* norm.h: what the kernels of norm and norm_grad share: from statistics to coefficients. n statistics, each of `count`
   numbers. */
#ifndef HZ_CPU_NORM_H
#define HZ_CPU_NORM_H
#include "cpu/pointwise/moments.h"
#include <string.h>

/* Numbers between two neighbours along the axis: 1 where statistics are of the last one. */
static inline int64_t norm_inner(const hz_work *w)
{
    const hz_arg *x = &w->in[w->op == OP_norm ? 0 : 1];
    return w->attr.norm.axis > 0 ? cpu_size(x, w->attr.norm.axis + 1, x->ndim) : 1;
}

static inline int64_t norm_extent(const hz_work *w)
{
    const hz_arg *x = &w->in[0];
    return x->shape[w->attr.norm.axis > 0 ? w->attr.norm.axis : x->ndim - 1];
}

/* y = (x - mean)*a + beta */
static inline void norm_factors(const hz_work *w, const float *variance, int64_t n, float *a)
{
    const float *gamma = w->in[1].data;
    for (int64_t i = 0; i < n; i++)
        a[i] = norm_scale(&w->attr.norm, variance[i]) * gamma[i];
}

/* What norm_apply needs to make y anew from x, for norm_act_grad, whose inputs gamma, beta, mean and variance begin at
   `in`; a: room for n factors. */
static inline cpu_affine norm_forward_of(const hz_norm *attr, const hz_arg *in, int64_t n, float *a)
{
    const float *gamma = in[0].data, *variance = in[3].data;
    for (int64_t i = 0; i < n; i++)
        a[i] = norm_scale(attr, variance[i]) * gamma[i];
    return (cpu_affine){ .mean = in[2].data, .a = a, .b = in[1].data };
}

/* What the batch's gradient and the running statistics need of it, where they are wanted. */
static inline void norm_tell(const hz_work *w, const float *mean, const float *variance, int64_t n)
{
    if (w->out[HZ_NORM_BATCHMEAN].data)
        memcpy(w->out[HZ_NORM_BATCHMEAN].data, mean, (size_t)n * sizeof(float));
    if (w->out[HZ_NORM_BATCHVARIANCE].data)
        memcpy(w->out[HZ_NORM_BATCHVARIANCE].data, variance, (size_t)n * sizeof(float));
}

/* dx = g*dy + a*(x - mean) + b with g = gamma*scale, a = -g*scale*mean(dy*xhat), b = -g*mean(dy); of statistic i, from
   the sums of dy*(x - mean) and of dy. */
typedef struct norm_slope { float *a, *b, *g; } norm_slope;
static inline void norm_slope_of(const hz_work *w, int64_t i, double dot, double sum, double count, norm_slope k)
{
    const float *gamma = w->in[2].data, *variance = w->in[4].data;
    float *dgamma = w->out[1].data, *dbeta = w->out[2].data;
    float scale = norm_scale(&w->attr.norm, variance[i]);
    dot *= scale;
    if (dgamma)
        dgamma[i] = (float)dot;
    if (dbeta)
        dbeta[i] = (float)sum;
    k.g[i] = gamma[i] * scale;
    k.a[i] = w->attr.norm.frozen ? 0 : (float)(-k.g[i] * scale * dot / count);
    k.b[i] = w->attr.norm.frozen ? 0 : (float)(-k.g[i] * sum / count);
}

#endif

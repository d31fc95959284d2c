/* pooling.c: kernel "vector" of maxpool, avgpool, meanpool and their gradients: channels in vectors, a task is one image. */
#include "cpu/micro.h"
#include <string.h>

typedef struct pooling {
    const hz_work *w;
    const cpu_micro *m;
    cpu_window v;
    int64_t channels;
} pooling;

static cpu_taps taps_of(const cpu_window *v, int64_t oy, int64_t ox, int64_t channels)
{
    int64_t y = oy * v->sh - v->top, x = ox * v->sw - v->left;
    cpu_taps t = { .ky0 = (int)(y < 0 ? -y : 0), .ky1 = (int)(v->h - y < v->kh ? v->h - y : v->kh), .kx0 = (int)(x < 0 ? -x : 0),
                   .kx1 = (int)(v->w - x < v->kw ? v->w - x : v->kw), .kw = (int)v->kw, .row = v->w * channels, .column = channels };
    return t;
}

static void task(void *arg, int n, int worker)
{
    const pooling *p = arg;
    const cpu_window *v = &p->v;
    const hz_work *w = p->w;
    int back = w->op == OP_maxpool_grad || w->op == OP_avgpool_grad;
    int64_t c = p->channels, size = v->h * v->w * c, out = n * v->oh * v->ow * c;
    float *image = (float *)(back ? w->out[0].data : w->in[0].data) + n * size;
    float *y = (float *)(back ? w->in[0].data : w->out[0].data);
    uint8_t *argmax = w->op == OP_maxpool ? (w->nout > 1 ? w->out[1].data : NULL) : w->op == OP_maxpool_grad ? w->in[1].data : NULL;
    if (back)
        memset(image, 0, (size_t)size * sizeof(float));
    for (int64_t oy = 0; oy < v->oh; oy++)
        for (int64_t ox = 0; ox < v->ow; ox++, out += c) {
            cpu_taps t = taps_of(v, oy, ox, c);
            float *x = image + ((oy * v->sh - v->top) * v->w + ox * v->sw - v->left) * c;
            switch (w->op) {
            case OP_maxpool:      p->m->pool_max(y + out, argmax ? argmax + out : NULL, x, &t, c); break;
            case OP_maxpool_grad: p->m->pool_max_grad(x, y + out, argmax + out, &t, c); break;
            case OP_avgpool:      p->m->pool_mean(y + out, x, &t, c); break;
            default:              p->m->pool_mean_grad(x, y + out, &t, c); break;
            }
        }
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_all(w, HZ_F32) && w->attr.window.kh * w->attr.window.kw <= 256 ? 1e-6 : -1;
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    int back = w->op == OP_maxpool_grad || w->op == OP_avgpool_grad;
    const hz_arg *image = back ? &w->out[0] : &w->in[0], *output = back ? &w->in[0] : &w->out[0];
    pooling p = { .w = w, .m = c->micro, .v = cpu_window_of(&w->attr.window, image, output), .channels = image->shape[3] };
    pool_run((int)cpu_rows(w, c), task, &p);
    return HZ_OK;
}

const cpu_kernel maxpool_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel maxpool_grad_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel avgpool_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel avgpool_grad_vector = { .name = "vector", .cost = cost, .run = run };

/* ---- mean over the whole image ---- */

static void mean_task(void *arg, int n, int worker)
{
    const pooling *p = arg;
    int64_t c = p->channels, pixels = p->v.h * p->v.w;
    const float *x = (const float *)p->w->in[0].data;
    float *y = p->w->out[0].data;
    float share = 1.0f / (float)pixels;
    if (p->w->op == OP_meanpool) {
        p->m->sum_rows(y + n * c, x + n * pixels * c, pixels, c, c);
        for (int64_t i = 0; i < c; i++)
            y[n * c + i] *= share;
        return;
    }
    float *first = y + n * pixels * c;
    for (int64_t i = 0; i < c; i++)
        first[i] = x[n * c + i] * share;
    for (int64_t q = 1; q < pixels; q++)
        memcpy(first + q * c, first, (size_t)c * sizeof(float));
}

static double mean_cost(const hz_work *w, const cpu_micro *m) { return cpu_all(w, HZ_F32) ? 1e-6 : -1; }

static hz_status mean_run(const hz_work *w, const cpu_call *c)
{
    const hz_arg *image = w->op == OP_meanpool ? &w->in[0] : &w->out[0];
    pooling p = { .w = w, .m = c->micro, .v = { .h = image->shape[1], .w = image->shape[2] }, .channels = image->shape[3] };
    pool_run((int)cpu_rows(w, c), mean_task, &p);
    return HZ_OK;
}

const cpu_kernel meanpool_vector = { .name = "vector", .cost = mean_cost, .run = mean_run };
const cpu_kernel meanpool_grad_vector = { .name = "vector", .cost = mean_cost, .run = mean_run };

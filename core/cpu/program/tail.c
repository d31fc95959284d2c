/* tail.c: what fusion put behind a convolution (hz_tail), over parts of its result that are still in the caches. A kernel that runs tails calls
   in when a part of an image has all its channels: pooling reads it there, so that the larger image need not be stored; dropout and
   gradients work in place; batch norm adds up its moments, which then need no reading of their own, or is applied where it is frozen. Same results
   as the ops alone, but for moments, whose blocks are others. */
#include "cpu/pointwise/moments.h"
#include <string.h>

enum { FROZEN_BETA = 1, FROZEN_MEAN, FROZEN_VARIANCE };      /* inputs of frozen batch norm, from gamma on */

static const hz_arg *pooled(const hz_work *w, const hz_tail *t) { return &w->out[t->out]; }

/* Windows that meet neither each other nor the edge before the first row and column. */
static int aligned(const hz_work *w, const hz_tail *t, int64_t rows, int64_t columns)
{
    cpu_window v = cpu_window_of(&t->attr.window, &w->out[0], pooled(w, t));
    return v.kh == v.sh && v.kw == v.sw && v.top == 0 && v.left == 0 && (!rows || rows % v.kh == 0) && (!columns || columns % v.kw == 0);
}

/* The tail that needs slots; there may be one. */
static const hz_tail *norm_of(const hz_work *w)
{
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++)
        if (t->op == OP_norm || t->op == OP_norm_grad)
            return t;
    return NULL;
}

int cpu_tail_fits(const hz_work *w, int64_t rows, int64_t columns)
{
    const hz_arg *y = &w->out[0];
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++) {
        int64_t channels = y->shape[3];
        switch (t->op) {
        case OP_maxpool:
            if (y != &w->out[0] || !aligned(w, t, rows, columns))
                return 0;
            y = pooled(w, t);
            break;
        case OP_dropout:
        case OP_dropout_grad:
            if (channels % 8)                /* of a byte of the mask */
                return 0;
            break;
        case OP_norm:
        case OP_norm_grad:
            if (channels > MOMENTS_MOST || t != norm_of(w))
                return 0;
            break;
        case OP_act:
        case OP_act_grad: break;
        default:          return 0;
        }
    }
    return 1;
}

static const hz_tail *pool_of(const hz_work *w)
{
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++)
        if (t->op == OP_maxpool)
            return t;
    return NULL;
}

int64_t cpu_tail_rows(const hz_work *w) { return pool_of(w) ? pool_of(w)->attr.window.kh : 1; }
int cpu_tail_stored(const hz_work *w) { return !pool_of(w); }

/* ---- slots: what batch norm adds up in a task, or its frozen factors ---- */

static int64_t statistics(const hz_work *w, const hz_tail *t)
{
    return t->attr.norm.frozen ? w->in[t->in].shape[0] : w->out[t->out].shape[1];
}

static double *slot_of(const hz_work *w, const hz_tail *t, void *slots, int64_t task)
{
    return (double *)slots + task * (2 * statistics(w, t) + 1);
}

size_t cpu_tail_bytes(const hz_work *w, int64_t tasks)
{
    const hz_tail *t = norm_of(w);
    return t ? ((size_t)tasks * (size_t)(2 * statistics(w, t) + 1) * sizeof(double) + 63) / 64 * 64 : 0;
}

void cpu_tail_begin(const hz_work *w, void *slots, int task)
{
    const hz_tail *t = norm_of(w);
    if (!t)
        return;
    double *slot = slot_of(w, t, slots, task);
    if (!t->attr.norm.frozen) {
        memset(slot, 0, (size_t)(2 * statistics(w, t) + 1) * sizeof *slot);
        return;
    }
    const float *gamma = w->in[t->in].data, *variance = w->in[t->in + FROZEN_VARIANCE].data;
    for (int64_t i = 0; i < statistics(w, t); i++)
        ((float *)slot)[i] = norm_scale(&t->attr.norm, variance[i]) * gamma[i];
}

void cpu_tail_end(const hz_work *w, void *slots, int tasks)
{
    const hz_tail *t = norm_of(w);
    if (!t || t->attr.norm.frozen)
        return;
    int back = t->op == OP_norm_grad;
    int64_t n = statistics(w, t);
    double *sum = slot_of(w, t, slots, 0);
    float *out = w->out[t->out].data;
    for (int k = 1; k < tasks; k++) {
        const double *more = slot_of(w, t, slots, k);
        for (int64_t i = 0; i < (back ? 2 * n : 0); i++)
            sum[1 + i] += more[1 + i];
        for (int64_t i = 0; i < n && !back; i++)
            moments_join(&sum[1 + i], &sum[1 + n + i], sum[0], more[1 + i], more[1 + n + i], more[0]);
        sum[0] += more[0];
    }
    for (int64_t i = 0; i < 2 * n; i++)
        out[i] = (float)sum[1 + i];
}

/* ---- parts ---- */

/* What tails see of the result as they go on: part r of y, which lies at `near`. */
typedef struct part {
    const hz_work *w;
    const cpu_call *c;
    const cpu_stored *s;
    const hz_arg *y;
    cpu_rect r;
    void *near;
    int64_t pitch;
} part;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static void *shifted(const part *p, int64_t elements) { return (char *)p->near + elements * (int64_t)hz_dtype_bytes(p->y->dtype); }
static int64_t element(const hz_arg *y, const cpu_rect *r) { return ((r->n * y->shape[1] + r->y0) * y->shape[2] + r->x0) * y->shape[3]; }

static void pool(part *p, const hz_tail *t)
{
    const hz_arg *z = pooled(p->w, t);
    uint8_t *argmax = p->w->out[t->out + 1].data;
    cpu_window v = cpu_window_of(&t->attr.window, p->y, z);
    int64_t c = p->y->shape[3];
    cpu_rect r = { .n = p->r.n, .y0 = p->r.y0 / v.kh, .x0 = p->r.x0 / v.kw };
    r.y1 = smaller(v.oh, (p->r.y1 + v.kh - 1) / v.kh);
    r.x1 = smaller(v.ow, (p->r.x1 + v.kw - 1) / v.kw);
    for (int64_t y = r.y0; y < r.y1; y++)
        for (int64_t x = r.x0; x < r.x1; x++) {
            cpu_taps taps = { .ky1 = (int)smaller(v.kh, v.h - y * v.kh), .kx1 = (int)smaller(v.kw, v.w - x * v.kw), .kw = (int)v.kw, .row = p->pitch,
                              .column = c };
            int64_t at = ((r.n * v.oh + y) * v.ow + x) * c;
            p->s->pool_max(cpu_at(z, at), argmax ? argmax + at : NULL, shifted(p, (y - r.y0) * v.kh * p->pitch + (x - r.x0) * v.kw * c), &taps, c);
        }
    p->y = z;
    p->r = r;
    p->near = r.y1 > r.y0 && r.x1 > r.x0 ? cpu_at(z, element(z, &r)) : NULL;
    p->pitch = v.ow * c;
}

/* n elements from number `from` of the whole result on, at `y`, with their part of the item's mask. */
static void drop(const part *p, const hz_tail *t, void *y, int64_t from, int64_t n)
{
    const hz_work *w = p->w;
    const hz_dropout *a = &t->attr.dropout;
    int64_t size = cpu_size(p->y, 1, 4), row = from / size, first = from % size;
    const hz_arg *mask = t->op == OP_dropout ? &w->out[t->out] : &w->in[t->in];
    uint8_t *bits = (uint8_t *)mask->data + row * mask->shape[1] + first / 8;
    if (t->op == OP_dropout) {
        cpu_dropout d = cpu_dropout_of(a, &w->in[t->in], p->c->step, row);
        p->s->dropout(y, y, bits, n, first, &d);
    } else
        p->s->keep(y, y, bits, n, 1 / (1 - a->rate));
}

/* Rows of dy and, from element `from` on, of x: sums of dy*(x - mean), then of dy. */
static void add_dots(const part *p, const hz_arg *x, const float *mean, double *slot, const void *dy, int64_t from, int64_t rows, int64_t n)
{
    float dot[MOMENTS_MOST], sum[MOMENTS_MOST];
    for (int64_t r = 0; r < rows; r += MOMENTS_NEAR) {
        int64_t some = smaller(rows - r, MOMENTS_NEAR);
        const void *at = (const char *)dy + r * n * (int64_t)hz_dtype_bytes(p->y->dtype);
        p->s->norm_dots(dot, at, cpu_at(x, from + r * n), mean, some, n);
        p->s->sum_rows(sum, at, some, n, n);
        for (int64_t i = 0; i < n; i++) {
            slot[1 + i] += dot[i];
            slot[1 + n + i] += sum[i];
        }
    }
}

/* n elements from number `from` of the whole result on, at `y`. */
static void run(const part *p, const hz_tail *t, void *slots, int task, void *y, int64_t from, int64_t n)
{
    const hz_work *w = p->w;
    int64_t channels = p->y->shape[3];
    const hz_arg *more = t->in >= 0 ? &w->in[t->in] : NULL;
    switch (t->op) {
    case OP_act:      p->s->act(y, y, n, t->attr.act.act, t->attr.act.alpha); break;
    case OP_act_grad: p->s->act_grad(y, y, cpu_at(more, from), n, t->attr.act.act, t->attr.act.alpha); break;
    case OP_norm:
        if (t->attr.norm.frozen) {
            cpu_affine k = { .a = (const float *)slot_of(w, t, slots, task), .b = more[FROZEN_BETA].data, .mean = more[FROZEN_MEAN].data };
            p->s->norm_apply(y, y, NULL, &k, n / channels, channels);
        } else
            moments_add(slot_of(w, t, slots, task), p->s, p->y->dtype, y, n / channels, channels);
        break;
    case OP_norm_grad: add_dots(p, &more[0], more[1].data, slot_of(w, t, slots, task), y, from, n / channels, channels); break;
    default:          drop(p, t, y, from, n); break;
    }
}

void cpu_tail_run(const hz_work *w, const cpu_call *c, void *slots, int task, cpu_rect r, void *near, int64_t pitch)
{
    part p = { .w = w, .c = c, .s = cpu_stored_of(w, c->micro), .y = &w->out[0], .r = r, .near = near, .pitch = pitch };
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++) {
        if (t->op == OP_maxpool) {
            pool(&p, t);
            continue;
        }
        int64_t width = (p.r.x1 - p.r.x0) * p.y->shape[3], rows = p.r.y1 - p.r.y0, together = width == p.pitch ? rows : 1;
        if (width <= 0)
            continue;
        for (int64_t y = 0; y < rows; y += together)
            run(&p, t, slots, task, shifted(&p, y * p.pitch), element(p.y, &p.r) + y * p.y->shape[2] * p.y->shape[3], together * width);
    }
}

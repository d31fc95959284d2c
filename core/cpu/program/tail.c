/* tail.c: what fusion put behind a convolution (hz_tail), over parts of its result that are still in the caches. A
   kernel that runs tails calls in when a part of an image has all its channels: pooling reads it there, so that the
   larger image need not be stored; dropout and gradients work in place; batch norm adds up its moments, which then need
   no reading of their own, or is applied where it is frozen. Same results as the ops alone, but for moments, whose
   blocks are others.

   A tail is a row of the table below, by kind and op. What one adds up, or makes ready, lies in a slot of the task; of
   the tails of a node, one may need slots. */
#include "cpu/pointwise/norm.h"
#include <string.h>

/* What tails see of the result as they go on: part r of y, which lies at `near`. */
typedef struct part {
    const hz_work *w;
    const cpu_call *c;
    const cpu_stored *s;
    const hz_arg *y;
    cpu_rect r;
    void *near;
    int64_t pitch;            /* elements from row to row */
} part;

/* n elements from number `from` of the whole result on, at y: whole pixels. */
typedef struct stretch { void *y; int64_t from, n; } stretch;

typedef struct tail_row {
    /* Whether it runs over parts of y that begin at multiples of `rows` and `columns`, see cpu_tail_fits; NULL: any */
    int (*fits)(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns);
    int64_t (*slot)(const hz_work *w, const hz_tail *t);                       /* doubles of a task's; NULL: none */
    void (*begin)(const hz_work *w, const hz_tail *t, double *slot);           /* NULL: a slot is zero at first */
    void (*end)(const hz_work *w, const hz_tail *t, double *slots, int tasks); /* NULL: nothing is left to do */
    /* In place or sums: over a stretch. Own result: over the part, which is then one of that result */
    void (*run)(const part *p, const hz_tail *t, double *slot, stretch s);
    void (*move)(part *p, const hz_tail *t);
} tail_row;

static void *shifted(const part *p, int64_t elements)
{
    return (char *)p->near + elements * (int64_t)hz_dtype_bytes(p->y->dtype);
}
static int64_t element(const hz_arg *y, const cpu_rect *r)
{
    return ((r->n * y->shape[1] + r->y0) * y->shape[2] + r->x0) * y->shape[3];
}

/* ---- activations ---- */

static void run_act(const part *p, const hz_tail *t, double *slot, stretch s)
{
    p->s->act(s.y, s.y, s.n, t->attr.act.act, t->attr.act.alpha);
}

static void run_act_grad(const part *p, const hz_tail *t, double *slot, stretch s)
{
    p->s->act_grad(s.y, s.y, cpu_at(&p->w->in[t->in], s.from), s.n, t->attr.act.act, t->attr.act.alpha);
}

/* ---- dropout ---- */

static int whole_bytes_of_mask(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns)
{
    return y->shape[3] % 8 == 0;
}

/* A stretch lies in one item. */
static int64_t item_of(const part *p, stretch s) { return s.from / cpu_size(p->y, 1, 4); }
static int64_t first_in_item(const part *p, stretch s) { return s.from % cpu_size(p->y, 1, 4); }
static uint8_t *bits_of(const part *p, const hz_arg *mask, stretch s)
{
    return (uint8_t *)mask->data + item_of(p, s) * mask->shape[1] + first_in_item(p, s) / 8;
}

static void run_dropout(const part *p, const hz_tail *t, double *slot, stretch s)
{
    cpu_dropout d = cpu_dropout_of(&t->attr.dropout, &p->w->in[t->in], p->c->step, item_of(p, s));
    p->s->dropout(s.y, s.y, bits_of(p, &p->w->out[t->out], s), s.n, first_in_item(p, s), &d);
}

static void run_dropout_grad(const part *p, const hz_tail *t, double *slot, stretch s)
{
    p->s->keep(s.y, s.y, bits_of(p, &p->w->in[t->in], s), s.n, 1 / (1 - t->attr.dropout.rate));
}

/* ---- max pooling and its gradient ---- */

/* Windows of the kernel's own result that meet neither each other nor the edge before the first row and column. */
static int whole_windows(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns)
{
    cpu_window v = cpu_window_of(&t->attr.window, y, &w->out[t->out]);
    return y == &w->out[0] && cpu_windows_apart(&v) && (!rows || rows % v.kh == 0)
           && (!columns || columns % v.kw == 0);
}

static void pool_pixel(const part *p, const cpu_window *v, const hz_arg *z, uint8_t *argmax, const cpu_rect *r,
                       int64_t y, int64_t x)
{
    int64_t c = p->y->shape[3], at = ((r->n * v->oh + y) * v->ow + x) * c;
    cpu_taps taps = { .ky1 = (int)min(v->kh, v->h - y * v->kh), .kx1 = (int)min(v->kw, v->w - x * v->kw),
                      .kw = (int)v->kw, .row = p->pitch, .column = c };
    p->s->pool_max(cpu_at(z, at), argmax ? argmax + at : NULL,
                   shifted(p, (y - r->y0) * v->kh * p->pitch + (x - r->x0) * v->kw * c), &taps, c);
}

static void move_maxpool(part *p, const hz_tail *t)
{
    const hz_arg *z = &p->w->out[t->out];
    uint8_t *argmax = p->w->out[t->out + 1].data;
    cpu_window v = cpu_window_of(&t->attr.window, p->y, z);
    cpu_rect r = { .n = p->r.n, .y0 = p->r.y0 / v.kh, .x0 = p->r.x0 / v.kw };
    r.y1 = min(v.oh, ceil_div(p->r.y1, v.kh));
    r.x1 = min(v.ow, ceil_div(p->r.x1, v.kw));
    for (int64_t y = r.y0; y < r.y1; y++)
        for (int64_t x = r.x0; x < r.x1; x++)
            pool_pixel(p, &v, z, argmax, &r, y, x);
    p->pitch = v.ow * p->y->shape[3];
    p->near = r.y1 > r.y0 && r.x1 > r.x0 ? cpu_at(z, element(z, &r)) : NULL;
    p->y = z;
    p->r = r;
}

/* Each number of the smaller image goes to one place of the larger one. */
static int windows_apart(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns)
{
    cpu_window v = cpu_window_of(&t->attr.window, &w->out[t->out], y);
    return y == &w->out[0] && cpu_windows_apart(&v);
}

static void move_maxpool_grad(part *p, const hz_tail *t)
{
    const hz_arg *z = &p->w->out[t->out];
    cpu_window v = cpu_window_of(&t->attr.window, z, p->y);
    int64_t c = z->shape[3], row = v.w * c;
    cpu_rect r = cpu_pool_back(p->s, z, &v, p->w->in[t->in].data, p->r, p->near, p->pitch);
    p->pitch = row;
    p->near = cpu_at(z, ((r.n * v.h + r.y0) * v.w + r.x0) * c);
    p->y = z;
    p->r = r;
}

/* ---- batch norm ---- */

/* Statistics are of the image's rows, else of the channels. */
static int is_by_rows(const hz_tail *t) { return t->attr.norm.axis == 1; }

static int few_channels(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns)
{
    return is_by_rows(t) || y->shape[3] <= MOMENTS_MOST;
}

/* The row that a stretch lies in, where it lies in one. */
static int64_t row_at(const part *p, stretch s) { return s.from / cpu_size(p->y, 2, 4) % p->y->shape[1]; }

/* Parts of a row that stay in the first-level cache: the element `at` of a stretch, and how many follow. */
enum { RUN = 2048 };
#define EACH_RUN(s) for (int64_t at = 0, count; at < s.n && (count = min(s.n - at, RUN)) > 0; at += RUN)

/* Sums lie in slots: two numbers for each of n statistics behind what they are numbers of: of channels one count, of
   rows, of which a task sees parts, a count of each. */
static int64_t statistics_of(const hz_work *w, const hz_tail *t) { return w->out[t->out].shape[1]; }
static int64_t counts_of(const hz_work *w, const hz_tail *t) { return is_by_rows(t) ? statistics_of(w, t) : 1; }
static int64_t slot_of_sums(const hz_work *w, const hz_tail *t) { return 2 * statistics_of(w, t) + counts_of(w, t); }

static void run_moments(const part *p, const hz_tail *t, double *slot, stretch s)
{
    int64_t channels = p->y->shape[3], n = statistics_of(p->w, t);
    if (!is_by_rows(t)) {
        moments_add(slot, p->s, p->y->dtype, s.y, s.n / channels, channels);
        return;
    }
    double *all = slot + row_at(p, s);
    EACH_RUN(s) {
        float more[2];
        p->s->run_moments((const char *)s.y + at * (int64_t)hz_dtype_bytes(p->y->dtype), count, more);
        moments_join(&all[n], &all[2 * n], all[0], more[0], more[1], (double)count);
        all[0] += (double)count;
    }
}

static void store(const hz_work *w, const hz_tail *t, const double *sums)
{
    float *out = w->out[t->out].data;
    for (int64_t i = 0; i < 2 * statistics_of(w, t); i++)
        out[i] = (float)sums[i];
}

/* Slots of parts of which nothing was seen join as nothing. */
static void end_moments(const hz_work *w, const hz_tail *t, double *slots, int tasks)
{
    int64_t n = statistics_of(w, t), counts = counts_of(w, t), each = slot_of_sums(w, t);
    double *sum = slots + counts;
    for (const double *more = slots + each; --tasks > 0; more += each) {
        for (int64_t i = 0; i < n; i++)
            if (more[counts > 1 ? i : 0] > 0)
                moments_join(&sum[i], &sum[n + i], slots[counts > 1 ? i : 0], more[counts + i], more[counts + n + i],
                             more[counts > 1 ? i : 0]);
        for (int64_t i = 0; i < counts; i++)
            slots[i] += more[i];
    }
    store(w, t, sum);
}

/* The gradient's: sums of dy*(x - mean), then of dy; its inputs are x and mean. */
static void add_dots(const part *p, const hz_tail *t, double *sums, stretch s)
{
    const hz_arg *x = &p->w->in[t->in];
    const float *mean = p->w->in[t->in + 1].data;
    float dot[MOMENTS_MOST], sum[MOMENTS_MOST];
    int64_t n = p->y->shape[3], rows = s.n / n;
    for (int64_t r = 0; r < rows; r += MOMENTS_NEAR) {
        int64_t some = min(rows - r, MOMENTS_NEAR);
        const void *dy = (const char *)s.y + r * n * (int64_t)hz_dtype_bytes(p->y->dtype);
        p->s->norm_sums(dot, sum, dy, cpu_at(x, s.from + r * n), mean, some, n);
        for (int64_t i = 0; i < n; i++) {
            sums[i] += dot[i];
            sums[n + i] += sum[i];
        }
    }
}

static void run_dots(const part *p, const hz_tail *t, double *slot, stretch s)
{
    const float *mean = p->w->in[t->in + 1].data;
    double *sums = slot + counts_of(p->w, t);
    if (!is_by_rows(t)) {
        add_dots(p, t, sums, s);
        return;
    }
    int64_t row = row_at(p, s);
    EACH_RUN(s) {
        float more[2];
        p->s->run_dots((const char *)s.y + at * (int64_t)hz_dtype_bytes(p->y->dtype),
                       cpu_at(&p->w->in[t->in], s.from + at), mean[row], count, more);
        sums[row] += more[0];
        sums[statistics_of(p->w, t) + row] += more[1];
    }
}

static void end_dots(const hz_work *w, const hz_tail *t, double *slots, int tasks)
{
    int64_t n = statistics_of(w, t), counts = counts_of(w, t), each = slot_of_sums(w, t);
    for (const double *more = slots + each; --tasks > 0; more += each)
        for (int64_t i = 0; i < 2 * n; i++)
            slots[counts + i] += more[counts + i];
    store(w, t, slots + counts);
}

/* The gradient of an activation behind batch norm; its inputs are x, gamma, beta, mean and variance. */
static int is_gelu_of_few(const hz_work *w, const hz_tail *t, const hz_arg *y, int64_t rows, int64_t columns)
{
    return !is_by_rows(t) && y->shape[3] <= MOMENTS_MOST && t->attr.norm.epilogue.act == HZ_GELU;
}

static void run_norm_act_grad(const part *p, const hz_tail *t, double *slot, stretch s)
{
    const hz_arg *in = &p->w->in[t->in];
    float a[MOMENTS_MOST];
    int64_t n = p->y->shape[3];
    cpu_affine k = norm_forward_of(&t->attr.norm, in + 1, n, a);
    p->s->norm_gelu_grad(s.y, s.y, cpu_at(in, s.from), &k, s.n / n, n);
}

/* ---- frozen batch norm: factors of the statistics, as floats, in its slot ---- */

enum { FROZEN_BETA = 1, FROZEN_MEAN, FROZEN_VARIANCE };      /* its inputs, from gamma on */

static int64_t slot_of_frozen(const hz_work *w, const hz_tail *t) { return 2 * w->in[t->in].shape[0] + 1; }

static void begin_frozen(const hz_work *w, const hz_tail *t, double *slot)
{
    const float *gamma = w->in[t->in].data, *variance = w->in[t->in + FROZEN_VARIANCE].data;
    for (int64_t i = 0; i < w->in[t->in].shape[0]; i++)
        ((float *)slot)[i] = norm_scale(&t->attr.norm, variance[i]) * gamma[i];
}

static void run_frozen(const part *p, const hz_tail *t, double *slot, stretch s)
{
    const hz_arg *more = &p->w->in[t->in];
    int64_t row = is_by_rows(t) ? row_at(p, s) : 0;
    cpu_affine k = { .a = (const float *)slot + row, .b = (const float *)more[FROZEN_BETA].data + row,
                     .mean = (const float *)more[FROZEN_MEAN].data + row };
    if (is_by_rows(t))
        p->s->run_apply(s.y, s.y, NULL, &k, s.n);
    else
        p->s->norm_apply(s.y, s.y, NULL, &k, s.n / p->y->shape[3], p->y->shape[3]);
}

/* ---- the table ---- */

static const tail_row table[HZ_TAIL_KINDS][OP_COUNT] = {
    [HZ_TAIL_IN_PLACE] = {
        [OP_act]          = { .run = run_act },
        [OP_act_grad]     = { .run = run_act_grad },
        [OP_dropout]      = { .fits = whole_bytes_of_mask, .run = run_dropout },
        [OP_dropout_grad] = { .fits = whole_bytes_of_mask, .run = run_dropout_grad },
        [OP_norm]         = { .fits = few_channels, .slot = slot_of_frozen, .begin = begin_frozen, .run = run_frozen },
        [OP_norm_act_grad] = { .fits = is_gelu_of_few, .run = run_norm_act_grad },
    },
    [HZ_TAIL_OWN] = {
        [OP_maxpool]      = { .fits = whole_windows, .move = move_maxpool },
        [OP_maxpool_grad] = { .fits = windows_apart, .move = move_maxpool_grad },
    },
    [HZ_TAIL_SUMS] = {
        [OP_norm]         = { .fits = few_channels, .slot = slot_of_sums, .run = run_moments, .end = end_moments },
        [OP_norm_grad]    = { .fits = few_channels, .slot = slot_of_sums, .run = run_dots, .end = end_dots },
    },
};

static const tail_row *row_of(const hz_tail *t) { return &table[hz_tail_kind_of(t->op, &t->attr)][t->op]; }

/* The tail that needs slots; NULL: none. */
static const hz_tail *slotted(const hz_work *w)
{
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++)
        if (row_of(t)->slot)
            return t;
    return NULL;
}

/* The tail that yields a result of its own; NULL: none. */
static const hz_tail *owner(const hz_work *w)
{
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++)
        if (row_of(t)->move)
            return t;
    return NULL;
}

int cpu_tail_fits(const hz_work *w, int64_t rows, int64_t columns)
{
    const hz_arg *y = &w->out[0];
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++) {
        const tail_row *row = row_of(t);
        if ((!row->run && !row->move) || (row->slot && t != slotted(w)))
            return 0;
        if (row->fits && !row->fits(w, t, y, rows, columns))
            return 0;
        if (row->move)
            y = &w->out[t->out];
    }
    return 1;
}

int64_t cpu_tail_rows(const hz_work *w)
{
    const hz_tail *t = owner(w);
    return t && t->op == OP_maxpool ? t->attr.window.kh : 1;
}
int cpu_tail_stored(const hz_work *w) { return !owner(w) || hz_tail_keeps(owner(w)->op); }

/* ---- running ---- */

size_t cpu_tail_bytes(const hz_work *w, int64_t tasks)
{
    const hz_tail *t = slotted(w);
    return t ? line_bytes((size_t)tasks * (size_t)row_of(t)->slot(w, t) * sizeof(double)) : 0;
}

void cpu_tail_begin(const hz_work *w, void *slots, int task)
{
    const hz_tail *t = slotted(w);
    if (!t)
        return;
    const tail_row *row = row_of(t);
    double *slot = (double *)slots + task * row->slot(w, t);
    if (row->begin)
        row->begin(w, t, slot);
    else
        memset(slot, 0, (size_t)row->slot(w, t) * sizeof *slot);
}

void cpu_tail_end(const hz_work *w, void *slots, int tasks)
{
    const hz_tail *t = slotted(w);
    if (t && row_of(t)->end)
        row_of(t)->end(w, t, slots, tasks);
}

/* Row by row, or at once where rows follow each other and none has a statistic of its own. */
static void run_over(const part *p, const hz_tail *t, const tail_row *row, double *slot)
{
    int64_t width = (p->r.x1 - p->r.x0) * p->y->shape[3], rows = p->r.y1 - p->r.y0;
    int64_t together = width == p->pitch && !(row->slot && is_by_rows(t)) ? rows : 1;
    for (int64_t y = 0; y < rows && width > 0; y += together) {
        int64_t from = element(p->y, &p->r) + y * p->y->shape[2] * p->y->shape[3];
        row->run(p, t, slot, (stretch){ shifted(p, y * p->pitch), from, together * width });
    }
}

void cpu_tail_run(const hz_work *w, const cpu_call *c, void *slots, int task, cpu_rect r, void *near, int64_t pitch)
{
    part p = { .w = w, .c = c, .s = cpu_stored_of(w, c->micro), .y = &w->out[0], .r = r, .near = near, .pitch = pitch };
    for (const hz_tail *t = w->tail; t < w->tail + w->tails; t++) {
        const tail_row *row = row_of(t);
        if (row->move)
            row->move(&p, t);
        else
            run_over(&p, t, row, row->slot ? (double *)slots + task * row->slot(w, t) : NULL);
    }
}

/* elements.c: element-wise kernels ("vector"): activations, addition, dropout, parameter updates. Cut into
   tasks of CHUNK elements. */
#include "cpu/micro.h"
#include <math.h>

enum { CHUNK = 16384 };

static double cost(const hz_work *w, const cpu_micro *m) { return cpu_storage(w) >= 0 ? 1e-6 : -1; }

typedef struct elements {
    const hz_work *w;
    const cpu_call *c;
    int64_t n;
    cpu_update update;
    void (*step)(const cpu_update *u, int64_t from, int64_t to);
} elements;

static int chunks(int64_t n) { return (int)ceil_div(n, CHUNK); }
static int64_t end_of(const elements *e, int64_t from) { return min(from + CHUNK, e->n); }

/* ---- activations ---- */

static void act_task(void *arg, int task, int worker)
{
    const elements *e = arg;
    const hz_work *w = e->w;
    const cpu_stored *s = cpu_stored_of(w, e->c->micro);
    int64_t from = (int64_t)task * CHUNK, n = end_of(e, from) - from;
    void *y = cpu_at(&w->out[0], from), *a = cpu_at(&w->in[0], from), *b = w->nin > 1 ? cpu_at(&w->in[1], from) : NULL;
    if (w->op == OP_act)
        s->act(y, a, n, w->attr.act.act, w->attr.act.alpha);
    else
        (w->op == OP_add ? s->act_add : s->act_grad)(y, a, b, n, w->attr.act.act, w->attr.act.alpha);
}

static hz_status act_run(const hz_work *w, const cpu_call *c)
{
    elements e = { .w = w, .c = c, .n = cpu_count(&w->out[0], c) };
    team_run(chunks(e.n), act_task, &e);
    return HZ_OK;
}

const cpu_kernel act_vector = { .name = "vector", .cost = cost, .run = act_run };
const cpu_kernel act_grad_vector = { .name = "vector", .cost = cost, .run = act_run };
const cpu_kernel add_vector = { .name = "vector", .cost = cost, .run = act_run };

void cpu_epilogue(const hz_work *w, const cpu_micro *m, int64_t from, int64_t n)
{
    const hz_act_attr *a = hz_epilogue(w->op, &w->attr);
    const cpu_stored *s = cpu_stored_of(w, m);
    void *y = cpu_at(&w->out[0], from);
    if (a->act == HZ_LINEAR)
        return;
    if (w->op == OP_norm)
        s->act(y, y, n, a->act, a->alpha);
    else
        s->act_grad(y, y, cpu_at(&w->in[w->nin - 1], from), n, a->act, a->alpha);
}

/* ---- dropout: an item is cut into parts of CHUNK elements, or a task has several small items ---- */

typedef struct items {
    const hz_work *w;
    const cpu_call *c;
    int64_t rows, size, parts, group;        /* parts per item, items per task; one of them is 1 */
} items;

cpu_dropout cpu_dropout_of(const hz_dropout *a, const hz_arg *item, const hz_step *s, int64_t row)
{
    return (cpu_dropout){ .rate = a->rate, .seed = s->seed, .item = (uint32_t)((const int32_t *)item->data)[row],
                          .epoch = (uint32_t)s->epoch, .layer = (uint32_t)a->layer };
}

static void dropout_task(void *arg, int task, int worker)
{
    const items *t = arg;
    const hz_work *w = t->w;
    const cpu_stored *s = cpu_stored_of(w, t->c->micro);
    int64_t first = task % t->parts * CHUNK, r = task / t->parts * t->group;
    int64_t end = min(r + t->group, t->rows);
    int64_t n = min(t->size - first, CHUNK);
    uint8_t *masks = w->op == OP_dropout ? w->out[1].data : w->in[1].data;
    for (; r < end; r++) {
        int64_t at = r * t->size + first;
        void *y = cpu_at(&w->out[0], at), *x = cpu_at(&w->in[0], at);
        uint8_t *mask = masks + r * ((t->size + 7) / 8) + first / 8;
        if (w->op == OP_dropout_grad) {
            s->keep(y, x, mask, n, 1 / (1 - w->attr.dropout.rate));
            cpu_epilogue(w, t->c->micro, at, n);
        } else {
            cpu_dropout d = cpu_dropout_of(&w->attr.dropout, &w->in[1], t->c->step, r);
            s->dropout(y, x, mask, n, first, &d);
        }
    }
}

static hz_status dropout_run(const hz_work *w, const cpu_call *c)
{
    items t = { .w = w, .c = c, .rows = cpu_rows(w, c), .size = cpu_size(&w->in[0], 1, w->in[0].ndim), .parts = 1,
                .group = 1 };
    if (t.size > CHUNK)
        t.parts = ceil_div(t.size, CHUNK);
    else if (t.size > 0)
        t.group = CHUNK / t.size;
    team_run((int)(ceil_div(t.rows, t.group) * t.parts), dropout_task, &t);
    return HZ_OK;
}

const cpu_kernel dropout_vector = { .name = "vector", .cost = cost, .run = dropout_run };
const cpu_kernel dropout_grad_vector = { .name = "vector", .cost = cost, .run = dropout_run };

/* ---- the gradient of a bias: a slot of sums per PIXELS pixels, added in their order ---- */

enum { PIXELS = 1024 };

static int64_t parts(int64_t pixels) { return ceil_div(pixels, PIXELS); }
static int64_t pixels_of(const hz_work *w) { return cpu_size(&w->in[0], 0, w->in[0].ndim - 1); }

static void bias_task(void *arg, int task, int worker)
{
    const elements *e = arg;
    const hz_work *w = e->w;
    int64_t from = (int64_t)task * PIXELS, n = w->out[0].shape[0];
    cpu_stored_of(w, e->c->micro)->sum_rows((float *)e->c->memory + task * n, cpu_at(&w->in[0], from * n),
                                            min(e->n - from, PIXELS), n, n);
}

static hz_status bias_run(const hz_work *w, const cpu_call *c)
{
    int64_t n = w->out[0].shape[0];
    elements e = { .w = w, .c = c, .n = cpu_count(&w->in[0], c) / n };
    team_run((int)parts(e.n), bias_task, &e);
    c->micro->f32.sum_rows(w->out[0].data, c->memory, parts(e.n), n, n);
    return HZ_OK;
}

static size_t bias_memory(const hz_work *w, const cpu_micro *m)
{
    return line_bytes((size_t)(parts(pixels_of(w)) * w->out[0].shape[0]) * sizeof(float));
}

const cpu_kernel bias_grad_vector = { .name = "vector", .cost = cost, .memory = bias_memory, .run = bias_run };

/* ---- parameter updates ---- */

static void update_task(void *arg, int task, int worker)
{
    const elements *e = arg;
    int64_t from = (int64_t)task * CHUNK;
    e->step(&e->update, from, end_of(e, from));
}

static double update_cost(const hz_work *w, const cpu_micro *m) { return cpu_all(w, HZ_F32) ? 1e-6 : -1; }

static hz_status update_run(const hz_work *w, const cpu_call *c)
{
    const hz_optim *a = &w->attr.optim;
    float rate = cpu_rate(w, c);
    elements e = { .w = w, .c = c, .n = cpu_size(&w->in[0], 0, w->in[0].ndim), .update = {
        .p = w->in[0].data, .dp = w->in[1].data, .m = w->nin > 2 ? w->in[2].data : NULL,
        .v = w->nin > 3 ? w->in[3].data : NULL, .rate = rate, .momentum = a->momentum, .nesterov = a->nesterov,
        .beta1 = a->beta1, .beta2 = a->beta2, .epsilon = a->epsilon, .decay = a->decay, .shrink = 1 } };
    cpu_update *u = &e.update;
    if (w->op == OP_sgd)
        e.step = c->micro->sgd;
    if (w->op == OP_adadelta)
        e.step = c->micro->adadelta;
    if (w->op == OP_adam || w->op == OP_adamw) {
        double steps = (double)c->step->step + 1;
        e.step = c->micro->adam;
        u->rate = (float)(rate / (1 - pow(u->beta1, steps)));
        u->root = (float)sqrt(1 - pow(u->beta2, steps));
    }
    if (w->op == OP_adamw || (w->op == OP_sgd && a->decoupled)) {
        u->shrink = 1 - rate * a->decay;
        u->decay = 0;
    }
    team_run(chunks(e.n), update_task, &e);
    return HZ_OK;
}

static hz_status average_run(const hz_work *w, const cpu_call *c)
{
    elements e = { .w = w, .c = c, .n = cpu_size(&w->in[0], 0, w->in[0].ndim), .step = c->micro->average, .update = {
        .p = w->in[0].data, .m = w->in[1].data, .keep = c->step->keep, .back = w->attr.average.back } };
    if (e.update.keep >= 0)
        team_run(chunks(e.n), update_task, &e);
    return HZ_OK;
}

const cpu_kernel average_vector = { .name = "vector", .cost = update_cost, .run = average_run };
const cpu_kernel sgd_vector = { .name = "vector", .cost = update_cost, .run = update_run };
const cpu_kernel adam_vector = { .name = "vector", .cost = update_cost, .run = update_run };
const cpu_kernel adamw_vector = { .name = "vector", .cost = update_cost, .run = update_run };
const cpu_kernel adadelta_vector = { .name = "vector", .cost = update_cost, .run = update_run };

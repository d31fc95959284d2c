/* norm_act.c: kernel "vector" of norm_act_grad with statistics along the last axis and GELU, the one activation whose
   slope is not told by its output. Cut into tasks of CHUNK rows. */
#include "cpu/pointwise/norm.h"

enum { CHUNK = 256 };

typedef struct slope {
    const hz_work *w;
    const cpu_stored *s;
    cpu_affine k;
    int64_t rows, n;
} slope;

static void task(void *arg, int number, int worker)
{
    const slope *t = arg;
    const hz_work *w = t->w;
    int64_t first = (int64_t)number * CHUNK, at = first * t->n;
    t->s->norm_gelu_grad(cpu_at(&w->out[0], at), cpu_at(&w->in[0], at), cpu_at(&w->in[1], at), &t->k,
                         min(CHUNK, t->rows - first), t->n);
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    float *a = c->memory;
    cpu_axis v = cpu_axis_of(w, c, 1);
    slope t = { .w = w, .s = cpu_stored_of(w, c->micro), .rows = v.outer, .n = v.n };
    t.k = norm_forward_of(&w->attr.norm, &w->in[2], v.n, a);
    team_run((int)ceil_div(v.outer, CHUNK), task, &t);
    return HZ_OK;
}

static size_t memory(const hz_work *w, const cpu_micro *m) { return (size_t)norm_extent(w) * sizeof(float); }

static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_storage(w) >= 0 && norm_inner(w) == 1 && w->attr.norm.epilogue.act == HZ_GELU ? 1e-6 : -1;
}

const cpu_kernel norm_act_grad_vector = { .name = "vector", .cost = cost, .memory = memory, .run = run };

/* work.c: questions about a node that more than one kernel asks: rows and elements in use, axes, labels,
   batches. */
#include "cpu/cpu.h"

int64_t cpu_size(const hz_arg *a, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= a->shape[i];
    return n;
}

int64_t cpu_rows(const hz_work *w, const cpu_call *c)
{
    int64_t rows = w->in[0].ndim ? w->in[0].shape[0] : 1;
    return c->step->count < rows ? c->step->count : rows;
}

int64_t cpu_count(const hz_arg *a, const cpu_call *c)
{
    int64_t rest = cpu_size(a, 1, a->ndim), rows = a->ndim ? a->shape[0] : 1;
    if (a->kind == HZ_ACTIVATION && c->step->count < rows)
        rows = c->step->count;
    return rows * rest;
}

float cpu_rate(const hz_work *w, const cpu_call *c) { return c->step->rates[w->attr.optim.group]; }

static int wrong(const hz_arg *a, int dtype)
{
    return a->data && (a->dtype == HZ_F32 || a->dtype == HZ_F64 || a->dtype == HZ_BF16) && a->dtype != dtype;
}

int cpu_all(const hz_work *w, int dtype)
{
    int from = w->op == OP_input ? 1 : 0;        /* data may have a type of its own */
    for (int i = from; i < w->nin; i++)
        if (wrong(&w->in[i], dtype))
            return 0;
    for (int i = 0; i < w->nout; i++)
        if (wrong(&w->out[i], dtype))
            return 0;
    return 1;
}

/* Beside bf16: not an f32 or bf16 value that is of the other type than its kind asks for. */
static int fits_bf16(const hz_arg *a) { return !a->data || !wrong(a, a->kind == HZ_ACTIVATION ? HZ_BF16 : HZ_F32); }

int cpu_storage(const hz_work *w)
{
    if (cpu_all(w, HZ_F32))
        return HZ_F32;
    for (int i = 0; i < w->nin; i++)
        if (!fits_bf16(&w->in[i]))
            return -1;
    for (int i = 0; i < w->nout; i++)
        if (!fits_bf16(&w->out[i]))
            return -1;
    return HZ_BF16;
}

cpu_axis cpu_axis_of(const hz_work *w, const cpu_call *c, int arg)
{
    const hz_arg *a = &w->in[arg];
    int axis = w->attr.norm.axis > 0 ? w->attr.norm.axis : a->ndim - 1;
    return (cpu_axis){ .outer = cpu_rows(w, c) * cpu_size(a, 1, axis), .n = a->shape[axis],
                       .inner = cpu_size(a, axis + 1, a->ndim) };
}

hz_status cpu_check_labels(const hz_work *w, const int32_t *label, int64_t rows, int64_t classes)
{
    for (int64_t r = 0; r < rows; r++)
        if (label[r] < 0 || label[r] >= classes)
            return hz_fail(HZ_EARG, "%s: label %d in row %lld of the batch; there are %lld classes, need 0 to %lld",
                           w->name, label[r], (long long)r, (long long)classes, (long long)classes - 1);
    return HZ_OK;
}

hz_status cpu_batch_of(const hz_work *w, const cpu_call *c, batch *b)
{
    *b = batch_of(w);
    batch_begin(b, c->step);
    return batch_check(b, w, hz_fail);
}

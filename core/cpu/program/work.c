/* work.c: questions about a node that more than one kernel asks: rows and elements in use, windows,
   augmentation, flops. */
#include "cpu/cpu.h"
#include "hz/philox.h"
#include <stdlib.h>

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

cpu_window cpu_window_of(const hz_window *a, const hz_arg *image, const hz_arg *output)
{
    cpu_window v = { .h = image->shape[1], .w = image->shape[2], .oh = output->shape[1], .ow = output->shape[2],
                     .kh = a->kh, .kw = a->kw, .sh = a->sh ? a->sh : 1, .sw = a->sw ? a->sw : 1 };
    if (a->pad == HZ_SAME) {
        int64_t high = (v.oh - 1) * v.sh + v.kh - v.h, wide = (v.ow - 1) * v.sw + v.kw - v.w;
        v.top = high > 0 ? high / 2 : 0;         /* an odd row or column more goes to the bottom and right */
        v.left = wide > 0 ? wide / 2 : 0;
    }
    return v;
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

hz_status cpu_batch_of(const hz_work *w, const cpu_call *c, cpu_batch *b)
{
    const hz_input *a = &w->attr.input;
    const hz_arg *data = &w->in[0];
    int image = data->ndim == 4;
    *b = (cpu_batch){ .step = c->step, .rows = c->step->count, .items = data->shape[0], .h = 1, .w = 1,
                      .c = cpu_size(data, image ? 3 : 1, data->ndim), .u8 = data->dtype == HZ_U8, .shuffle = a->shuffle,
                      .scale = a->scale != 0 ? a->scale : data->dtype == HZ_U8 ? 1.0f / 255 : 1 };
    if (image) {
        b->h = data->shape[1];
        b->w = data->shape[2];
        b->shift_y = a->shift_y;
        b->shift_x = a->shift_x;
        b->flip = a->flip;
        b->fill = a->fill;
    }
    b->seen = c->step->mirror || c->step->down || c->step->right;
    if (b->seen)
        b->fill = HZ_REFLECT;
    for (int i = 0; i < 4; i++) {
        b->mean[i] = a->mean[i];
        b->deviation[i] = a->deviation[i] != 0 ? a->deviation[i] : 1;
    }
    if (b->rows > w->out[0].shape[0])
        return hz_fail(HZ_EARG, "%s: %lld rows were asked for; the plan's batch is %lld", w->name, (long long)b->rows,
                       (long long)w->out[0].shape[0]);
    if (b->seen && (llabs(c->step->down) >= b->h || llabs(c->step->right) >= b->w))
        return hz_fail(HZ_EARG,
                       "%s: a shift by %d rows, %d columns was asked for; needs less than the %lldx%lld pixels",
                       w->name, c->step->down, c->step->right, (long long)b->h, (long long)b->w);
    if (c->step->offset < 0 || c->step->offset + b->rows > b->items)
        return hz_fail(HZ_EARG, "%s: items %lld to %lld were asked for; the data hold %lld", w->name,
                       (long long)c->step->offset, (long long)(c->step->offset + b->rows), (long long)b->items);
    return HZ_OK;
}

/* Uniform in -most..most by the high half of a product. */
static int shift(uint32_t word, int most) { return (int)((uint64_t)word * (uint32_t)(2 * most + 1) >> 32) - most; }

cpu_item cpu_item_of(const cpu_batch *b, int64_t row)
{
    const hz_step *s = b->step;
    uint32_t epoch = (uint32_t)s->epoch, position = (uint32_t)(s->offset + row), word[4];
    cpu_item it = { .item = b->shuffle ? hz_feistel(position, (uint32_t)b->items, s->seed, epoch) : position };
    if (b->seen) {
        it.dy = s->down;
        it.dx = s->right;
        it.flip = s->mirror != 0;
        return it;
    }
    if (b->shift_y || b->shift_x || b->flip) {       /* elements 0, 1, 2: shift down, shift right, flip */
        hz_random4(s->seed, 0, (uint32_t)it.item, epoch, 0, HZ_FOR_AUGMENT, word);
        it.dy = shift(word[0], b->shift_y);
        it.dx = shift(word[1], b->shift_x);
        it.flip = b->flip && word[2] >> 31;
    }
    if (b->flip == HZ_FLIP_ALTERNATING) {            /* the side of epoch 0 */
        hz_random4(s->seed, 0, (uint32_t)it.item, 0, 0, HZ_FOR_AUGMENT, word);
        it.flip = (int)((word[2] >> 31) ^ (epoch & 1));
    }
    return it;
}

double cpu_flops(const hz_work *w)
{
    const hz_arg *in = w->in, *out = w->out;
    double outputs = (double)cpu_size(&out[0], 0, out[0].ndim), taps = (double)w->attr.window.kh * w->attr.window.kw;
    switch (w->op) {
    case OP_conv2d:    return 2 * outputs * taps * (double)in[0].shape[3];
    case OP_conv2d_dx: return 2 * (double)cpu_size(&in[0], 0, 4) * taps * (double)out[0].shape[3];
    case OP_conv2d_dw: return 2 * (double)cpu_size(&in[1], 0, 4) * taps * (double)in[0].shape[3];
    case OP_dense:
    case OP_dense_dx:  return 2 * outputs * (double)in[0].shape[1];
    case OP_dense_dw:  return 2 * outputs * (double)in[0].shape[0];
    default:           return 0;
    }
}

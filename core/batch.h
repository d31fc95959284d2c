/* batch.h: how the input node draws a batch, shared as source by backends: equal items, places and sides everywhere.
   x[oy][ox] = data[inside(oy + dy)][inside(mirror(ox) + dx)]. */
#ifndef BATCH_H
#define BATCH_H
#include "hz/backend.h"
#include "hz/philox.h"
#include "slide.h"

/* What the node does, defaults filled in. Data that are not (N,H,W,C) count as (N,1,1,rest) and are not augmented. */
typedef struct batch {
    int64_t items, h, w, c;
    int u8;                   /* data are bytes, else f32 */
    int shift_y, shift_x, flip, fill, shuffle;
    float scale, mean[4], deviation[4];
    /* of the step: batch_begin */
    const hz_step *step;
    int64_t rows;
    int seen;                 /* 1: all items as the step says, in place of what they would be shifted and flipped */
} batch;
typedef struct batch_item {
    int64_t item;
    int dy, dx, flip;
} batch_item;

static inline batch batch_of(const hz_work *w)
{
    const hz_input *a = &w->attr.input;
    const hz_arg *data = &w->in[0];
    batch b;
    b.items = data->shape[0];
    b.h = b.w = 1;
    b.c = 1;
    b.u8 = data->dtype == HZ_U8;
    b.shuffle = a->shuffle;
    b.scale = a->scale != 0 ? a->scale : b.u8 ? 1.0f / 255 : 1;
    b.shift_y = b.shift_x = b.flip = b.fill = 0;
    for (int i = data->ndim == 4 ? 3 : 1; i < data->ndim; i++)
        b.c *= data->shape[i];
    if (data->ndim == 4) {
        b.h = data->shape[1];
        b.w = data->shape[2];
        b.shift_y = a->shift_y;
        b.shift_x = a->shift_x;
        b.flip = a->flip;
        b.fill = a->fill;
    }
    for (int i = 0; i < 4; i++) {
        b.mean[i] = a->mean[i];
        b.deviation[i] = a->deviation[i] != 0 ? a->deviation[i] : 1;
    }
    b.step = 0;
    b.rows = b.seen = 0;
    return b;
}

HZ_BODY void batch_begin(batch *b, const hz_step *s)
{
    b->step = s;
    b->rows = s->count;
    b->seen = s->mirror || s->down || s->right;
    if (b->seen)
        b->fill = HZ_REFLECT;
}

/* Whether the step asks for what the data hold; else `fail` (hz_fail) is told. */
static inline hz_status batch_check(const batch *b, const hz_work *w,
                                    hz_status (*fail)(hz_status code, const char *format, ...))
{
    const hz_step *s = b->step;
    if (b->rows > w->out[0].shape[0])
        return fail(HZ_EARG, "%s: %lld rows were asked for; the plan's batch is %lld", w->name, (long long)b->rows,
                    (long long)w->out[0].shape[0]);
    if (b->seen && (s->down >= b->h || -s->down >= b->h || s->right >= b->w || -s->right >= b->w))
        return fail(HZ_EARG, "%s: a shift by %d rows, %d columns was asked for; needs less than the %lldx%lld pixels",
                    w->name, s->down, s->right, (long long)b->h, (long long)b->w);
    if (s->offset < 0 || s->offset + b->rows > b->items)
        return fail(HZ_EARG, "%s: items %lld to %lld were asked for; the data hold %lld", w->name,
                    (long long)s->offset, (long long)(s->offset + b->rows), (long long)b->items);
    return HZ_OK;
}

/* Where a place of -n < x < 2n-1 that may be beyond the edges of n pixels is filled from. */
HZ_BODY int64_t batch_inside(int64_t x, int64_t n, int fill)
{
    if (x >= 0 && x < n)
        return x;
    return fill == HZ_REFLECT ? (x < 0 ? -x : 2 * n - 2 - x) : x < 0 ? 0 : n - 1;
}

/* Uniform in -most..most by the high half of a product. */
HZ_BODY int batch_shift(uint32_t word, int most)
{
    return (int)((uint64_t)word * (uint32_t)(2 * most + 1) >> 32) - most;
}

HZ_BODY batch_item batch_item_of(const batch *b, int64_t row)
{
    const hz_step *s = b->step;
    uint32_t epoch = (uint32_t)s->epoch, position = (uint32_t)(s->offset + row), word[4];
    batch_item it;
    it.item = b->shuffle ? hz_feistel(position, (uint32_t)b->items, s->seed, epoch) : position;
    it.dy = it.dx = it.flip = 0;
    if (b->seen) {
        it.dy = s->down;
        it.dx = s->right;
        it.flip = s->mirror != 0;
        return it;
    }
    if (b->shift_y || b->shift_x || b->flip) {       /* elements 0, 1, 2: shift down, shift right, flip */
        hz_random4(s->seed, 0, (uint32_t)it.item, epoch, 0, HZ_FOR_AUGMENT, word);
        it.dy = batch_shift(word[0], b->shift_y);
        it.dx = batch_shift(word[1], b->shift_x);
        it.flip = b->flip && word[2] >> 31;
    }
    if (b->flip == HZ_FLIP_ALTERNATING) {            /* the side of epoch 0 */
        hz_random4(s->seed, 0, (uint32_t)it.item, 0, 0, HZ_FOR_AUGMENT, word);
        it.flip = (int)((word[2] >> 31) ^ (epoch & 1));
    }
    return it;
}
#endif

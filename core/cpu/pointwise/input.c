/* input.c: kernel "rows" of the input node. Each row of an image is gathered (filled, mirrored) as bytes or floats,
   then scaled in one vector loop whose coefficients per position are made once per call. A task is one item. */
#include "cpu/micro.h"
#include <stdlib.h>
#include <string.h>

typedef struct gathering {
    const hz_work *w;
    const cpu_call *c;
    batch b;
    float *a, *shift;         /* (w*c): y = x*a + shift */
} gathering;

/* count pixels backwards from `from`, each of `size` bytes; a size known to the compiler makes a pixel one
   or two moves. */
static inline void mirrored(char *to, const char *from, int64_t count, size_t size)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(to + (size_t)i * size, from - (size_t)i * size, size);
}

static void mirror(char *to, const char *from, int64_t count, size_t size)
{
    switch (size) {
    case 1:  mirrored(to, from, count, 1); break;
    case 3:  mirrored(to, from, count, 3); break;
    case 4:  mirrored(to, from, count, 4); break;
    case 12: mirrored(to, from, count, 12); break;
    default: mirrored(to, from, count, size);
    }
}

/* Output columns low..high-1 of a row of b->w pixels, which ask for columns first + step*ox: beyond the edges, too. */
static void fill(const batch *b, char *to, const char *row, int64_t low, int64_t high, int64_t first, int64_t step,
                 size_t size)
{
    for (int64_t ox = low; ox < high; ox++)
        memcpy(to + (size_t)ox * size, row + (size_t)batch_inside(first + step * ox, b->w, b->fill) * size, size);
}

static int64_t within(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* One row of the image, moved: output column ox comes from column ox + dx, or w-1-ox + dx when mirrored. Columns inside
   the row go over in one piece, before and behind them those beyond the edges are filled. Pixels of `size` bytes. */
static void gather_row(const batch *b, const batch_item *it, const char *row, char *to, size_t size)
{
    /* column that output column 0 asks for */
    int64_t first = it->flip ? b->w - 1 + it->dx : it->dx, step = it->flip ? -1 : 1;
    int64_t before = within(it->flip ? it->dx : -it->dx, 0, b->w), inside = within(b->w - labs(it->dx), 0, b->w);
    const char *from = row + (size_t)within(first + step * before, 0, b->w - 1) * size;
    fill(b, to, row, 0, before, first, step, size);
    if (it->flip)
        mirror(to + (size_t)before * size, from, inside, size);
    else
        memcpy(to + (size_t)before * size, from, (size_t)inside * size);
    fill(b, to, row, before + inside, b->w, first, step, size);
}

static void task(void *arg, int r, int worker)
{
    const gathering *g = arg;
    const batch *b = &g->b;
    const hz_work *w = g->w;
    const cpu_stored *s = cpu_stored_of(w, g->c->micro);
    batch_item it = batch_item_of(b, r);
    size_t pixel = (size_t)b->c * (b->u8 ? 1 : sizeof(float));
    int64_t width = b->w * b->c;
    char *moved = g->c->scratch + g->c->scratch_stride * (size_t)worker;
    for (int64_t oy = 0; oy < b->h; oy++) {
        void *x = cpu_at(&w->out[0], (r * b->h + oy) * width);
        int64_t iy = batch_inside(oy + it.dy, b->h, b->fill);
        const char *row = (const char *)w->in[0].data + (size_t)((it.item * b->h + iy) * b->w) * pixel;
        if (it.flip || it.dx) {
            gather_row(b, &it, row, moved, pixel);
            row = moved;
        }
        if (b->u8)
            s->scale_bytes(x, (const uint8_t *)row, g->a, g->shift, width);
        else
            s->scale_floats(x, (const float *)row, g->a, g->shift, width);
    }
    if (w->out[1].data)
        ((int32_t *)w->out[1].data)[r] = ((const int32_t *)w->in[1].data)[it.item];
    if (w->out[2].data)
        ((int32_t *)w->out[2].data)[r] = (int32_t)it.item;
}

static int64_t row_elements(const hz_work *w)
{
    const hz_arg *data = &w->in[0];
    return data->ndim == 4 ? data->shape[2] * data->shape[3] : cpu_size(data, 1, data->ndim);
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    int dtype = w->in[0].dtype;
    return cpu_storage(w) >= 0 && (dtype == HZ_U8 || dtype == HZ_F32) ? 1e-6 : -1;
}

static size_t memory(const hz_work *w, const cpu_micro *m) { return 2 * (size_t)row_elements(w) * sizeof(float); }
static size_t scratch(const hz_work *w, const cpu_micro *m) { return (size_t)row_elements(w) * sizeof(float); }

static hz_status run(const hz_work *w, const cpu_call *c)
{
    gathering g = { .w = w, .c = c, .a = c->memory };
    hz_status status = cpu_batch_of(w, c, &g.b);
    if (status)
        return status;
    int64_t n = row_elements(w);
    g.shift = g.a + n;
    for (int64_t i = 0; i < n; i++) {
        int64_t channel = i % g.b.c % 4;
        g.a[i] = g.b.scale / g.b.deviation[channel];
        g.shift[i] = -g.b.mean[channel] / g.b.deviation[channel];
    }
    team_run((int)g.b.rows, task, &g);
    return HZ_OK;
}

const cpu_kernel input_rows = { .name = "rows", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

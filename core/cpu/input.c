/* input.c: kernel "rows" of the input node. Each row of an image is gathered (clamped, mirrored) as bytes or floats, then scaled in
   one vector loop whose coefficients per position are made once per call. A task is one item. */
#include "cpu/micro.h"

typedef struct gathering {
    const hz_work *w;
    const cpu_call *c;
    cpu_batch b;
    float *a, *shift;         /* (w*c): y = x*a + shift */
} gathering;

/* Output column ox comes from this column of the data. */
static int64_t column(const cpu_batch *b, const cpu_item *it, int64_t ox)
{
    int64_t x = (it->flip ? b->w - 1 - ox : ox) + it->dx;
    return x < 0 ? 0 : x >= b->w ? b->w - 1 : x;
}

/* One row of the image, moved: pixels of `size` bytes. */
static void gather_row(const cpu_batch *b, const cpu_item *it, const char *row, char *to, size_t size)
{
    for (int64_t ox = 0; ox < b->w; ox++) {
        const char *pixel = row + (size_t)column(b, it, ox) * size;
        for (size_t i = 0; i < size; i++)
            *to++ = pixel[i];
    }
}

static void task(void *arg, int r, int worker)
{
    const gathering *g = arg;
    const cpu_batch *b = &g->b;
    const hz_work *w = g->w;
    const cpu_micro *m = g->c->micro;
    cpu_item it = cpu_item_of(b, r);
    size_t pixel = (size_t)b->c * (b->u8 ? 1 : sizeof(float));
    int64_t width = b->w * b->c;
    char *moved = g->c->scratch + g->c->scratch_stride * (size_t)worker;
    float *x = (float *)w->out[0].data + r * b->h * width;
    for (int64_t oy = 0; oy < b->h; oy++, x += width) {
        int64_t iy = oy + it.dy < 0 ? 0 : oy + it.dy >= b->h ? b->h - 1 : oy + it.dy;
        const char *row = (const char *)w->in[0].data + (size_t)((it.item * b->h + iy) * b->w) * pixel;
        if (it.flip || it.dx) {
            gather_row(b, &it, row, moved, pixel);
            row = moved;
        }
        if (b->u8)
            m->scale_bytes(x, (const uint8_t *)row, g->a, g->shift, width);
        else
            m->scale_floats(x, (const float *)row, g->a, g->shift, width);
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
    return cpu_all(w, HZ_F32) && (dtype == HZ_U8 || dtype == HZ_F32) ? 1e-6 : -1;
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
    pool_run((int)g.b.rows, task, &g);
    return HZ_OK;
}

const cpu_kernel input_rows = { .name = "rows", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

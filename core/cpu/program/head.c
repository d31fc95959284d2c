/* head.c: what fusion put before a convolution's gradients (hz_head), made in parts by the kernels that read it: the
   gradient of max pooling by windows that do not meet, four times as large as what it is made of and mostly zeros.
   Kernel pairs, which rewrites images anyway, gains by it; the fast convolutions, whose parts overlap or are read once
   for each part of their planes, would lose. */
#include "cpu/micro.h"
#include <string.h>

static cpu_window window_of(const hz_work *w)
{
    return cpu_window_of(&w->head.window, &w->in[w->head.of], &w->in[w->head.in]);
}

int cpu_head_fits(const hz_work *w)
{
    cpu_window v = window_of(w);
    return w->head.op == OP_maxpool_grad && cpu_windows_apart(&v) && w->in[w->head.of].dtype == w->in[w->head.in].dtype;
}

/* Part of the image rows of one row of windows: rows y0..y1-1 of image n, at `out`. */
static void spread(const hz_work *w, const cpu_stored *s, const cpu_window *v, int64_t n, int64_t y0, int64_t y1,
                   char *out)
{
    const hz_arg *dz = &w->in[w->head.in], *argmax = &w->in[w->head.in + 1];
    int64_t c = dz->shape[3], row = v->w * c, bytes = (int64_t)hz_dtype_bytes(dz->dtype), y = y0 / v->kh;
    int64_t wide = y < v->oh ? min(v->ow * v->kw, v->w) : 0;
    cpu_taps taps = { .ky0 = (int)(y0 - y * v->kh), .ky1 = (int)(y1 - y * v->kh), .kw = (int)v->kw, .row = row,
                      .column = c };
    for (int64_t x = 0, at = (n * v->oh + y) * v->ow * c; x * v->kw < wide; x++, at += c) {
        taps.kx1 = (int)min(v->kw, v->w - x * v->kw);
        s->pool_max_back(out + (x * v->kw * c - taps.ky0 * row) * bytes, cpu_at(dz, at),
                         (const uint8_t *)argmax->data + at, &taps, c);
    }
    for (int64_t i = 0; i < y1 - y0 && wide < v->w; i++)
        memset(out + (i * row + wide * c) * bytes, 0, (size_t)((v->w - wide) * c * bytes));
}

void *cpu_head_run(const hz_work *w, const cpu_call *c, int64_t from, int64_t to, void *out)
{
    const hz_arg *dz = &w->in[w->head.in];
    const cpu_stored *s = dz->dtype == HZ_BF16 ? &c->micro->bf16 : &c->micro->f32;
    cpu_window v = window_of(w);
    int64_t row = v.w * dz->shape[3] * (int64_t)hz_dtype_bytes(dz->dtype);
    for (int64_t at = from, end; at < to; at = end) {
        int64_t n = at / v.h, y = at % v.h, next = (y / v.kh + 1) * v.kh;
        end = min(to, n * v.h + min(v.h, next));
        spread(w, s, &v, n, y, y + end - at, (char *)out + (at - from) * row);
    }
    return (char *)out - from * row;
}

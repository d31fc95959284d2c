/* axis.c: runs along one axis (axis.h). */
#include "cpu/conv/axis.h"

/* Outputs out + m*out_step < limit start at input in + m*in_step; taps outside 0..inputs-1 are cut off. */
static void fill(axis_phase *p, int64_t out, int64_t out_step, int64_t limit, int64_t in, int64_t in_step,
                 int64_t inputs)
{
    axis_run *r = NULL;
    for (; out < limit; out += out_step, in += in_step) {
        int64_t from = max(-in, 0), to = min(inputs - in, p->taps);
        from = min(from, p->taps);
        int64_t taps = max(to - from, 0);
        if (!r || r->tap != from || r->taps != taps) {
            r = &p->run[p->runs++];
            *r = (axis_run){ .out = out, .out_step = out_step, .in = in + from, .in_step = in_step, .tap = from,
                             .taps = taps };
        }
        r->count++;
    }
}

void axis_forward(axis_plan *p, int64_t image, int64_t output, int64_t taps, int64_t stride, int64_t before)
{
    p->phases = 1;
    p->phase[0].taps = taps;
    p->phase[0].first = 0;
    p->phase[0].step = 1;
    p->phase[0].runs = 0;
    fill(&p->phase[0], 0, 1, output, -before, stride, image);
}

/* Input i gets dy[o]*w[k] where o*stride - before + k = i. With i + before = q*stride + phase, k = phase + stride*j
   and o = q - j for j = 0 .. n-1. Packed in falling j, so that o rises with the packed tap t = n-1-j,
   beginning at q - (n-1). */
void axis_backward(axis_plan *p, int64_t image, int64_t output, int64_t taps, int64_t stride, int64_t before)
{
    p->phases = (int)stride;
    for (int64_t f = 0; f < stride; f++) {
        axis_phase *h = &p->phase[f];
        int64_t n = f < taps ? ceil_div(taps - f, stride) : 0;
        int64_t i = ((f - before) % stride + stride) % stride, q = (i + before - f) / stride;
        h->taps = n;
        h->first = f + stride * (n - 1);
        h->step = -stride;
        h->runs = 0;
        fill(h, i, stride, image, q - (n - 1), 1, output);
    }
}

axis_run axis_cut(const axis_run *r, int64_t from, int64_t to)
{
    axis_run c = *r;
    int64_t skip = from > r->out ? ceil_div(from - r->out, r->out_step) : 0;
    int64_t end = to > r->out ? ceil_div(to - r->out, r->out_step) : 0;
    end = min(end, r->count);
    c.count = max(end - skip, 0);
    c.out += skip * r->out_step;
    c.in += skip * r->in_step;
    return c;
}

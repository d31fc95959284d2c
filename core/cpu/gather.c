/* gather.c: kernel "gather", conv2d and conv2d_dx as a product of gathered rows with packed weights.
   A row of the product is one output pixel; its inputs for one row of taps are contiguous in (H,W,C), so a tile needs only a
   pointer per row, a step from tap row to tap row, and a length. Taps that fall outside the image are left out (axis.h): no
   padded copy, no multiplication by zeros. The gradient to the input is the same product over dy, once per phase of the stride.
   Work: tasks = groups of images x panels of channels x bands of rows. Weights are packed once per version of the parameters,
   [phase][panel][tap row][tap][input channel][nv*lanes], and stream from L2 once per tile. */
#include "cpu/axis.h"
#include "cpu/panel.h"
#include <math.h>
#include <string.h>

enum { GROUP = 8, TASKS = 32 };       /* images of a task at most; tasks wanted at least, for the sake of small batches */

typedef struct gather {
    const cpu_micro *m;
    axis_plan ay, ax;
    panels p;
    const float *in;                  /* (rows,ih,iw,ic) */
    float *out;                       /* (rows,oh,ow,oc) */
    int64_t rows, ih, iw, ic, oh, ow, oc;
    const float *packed, *bias;       /* bias: padded to whole vectors, NULL for none */
    int act;
    float alpha;
    int64_t group, groups, bands;
} gather;

/* Rows of a tile, gathered until there are enough of them. */
typedef struct rows {
    const float *a[MICRO_ROWS];
    float *y[MICRO_ROWS];
    int n;
} rows;

static void flush(const gather *g, cpu_tile *t, rows *r, int panel)
{
    int nv = panel_nv(&g->p, panel), most = g->m->tile_rows[nv];
    if (!r->n)
        return;
    for (int i = r->n; i < most; i++) {          /* the last row fills up: it is written more than once, with equal sums */
        r->a[i] = r->a[r->n - 1];
        r->y[i] = r->y[r->n - 1];
    }
    g->m->tile[nv](t);
    if (g->act != HZ_LINEAR && g->act != HZ_RELU)
        for (int i = 0; i < r->n; i++)
            g->m->act(r->y[i], r->y[i], (nv - 1) * g->p.lanes + t->last, g->act, g->alpha);
    r->n = 0;
}

/* Outputs of one pair of runs for images from..to-1, one panel; `packed` is the phase's. */
static void rectangle(const gather *g, const axis_run *y, const axis_run *x, const float *packed, int64_t taps_x, int panel,
                      int64_t from, int64_t to)
{
    int nv = panel_nv(&g->p, panel), most = g->m->tile_rows[nv];
    int64_t width = (int64_t)nv * g->p.lanes, first = (int64_t)panel_first(&g->p, panel) * g->p.lanes;
    rows r = { .n = 0 };
    cpu_tile t = {
        .a = r.a, .y = r.y, .b = packed + (y->tap * taps_x + x->tap) * g->ic * width, .bias = g->bias ? g->bias + first : NULL,
        .segments = y->taps, .a_step = g->iw * g->ic, .b_step = taps_x * g->ic * width, .k = x->taps * g->ic,
        .low = g->act == HZ_RELU ? 0 : -INFINITY, .last = panel_last(&g->p, panel),
    };
    for (int64_t n = from; n < to; n++)
        for (int64_t i = 0; i < y->count; i++) {
            const float *a = g->in + ((n * g->ih + y->in + i * y->in_step) * g->iw + x->in) * g->ic;
            float *out = g->out + ((n * g->oh + y->out + i * y->out_step) * g->ow + x->out) * g->oc + first;
            for (int64_t j = 0; j < x->count; j++, a += x->in_step * g->ic, out += x->out_step * g->oc) {
                r.a[r.n] = a;
                r.y[r.n] = out;
                if (++r.n == most)
                    flush(g, &t, &r, panel);
            }
        }
    flush(g, &t, &r, panel);
}

static void task(void *arg, int number, int worker)
{
    const gather *g = arg;
    int panel = number % g->p.count;
    int64_t band = number / g->p.count % g->bands, at = number / g->p.count / g->bands;
    int64_t from = at * g->group, to = from + g->group < g->rows ? from + g->group : g->rows;
    const float *packed = g->packed;
    for (int fy = 0; fy < g->ay.phases; fy++)
        for (int fx = 0; fx < g->ax.phases; fx++) {
            const axis_phase *hy = &g->ay.phase[fy], *hx = &g->ax.phase[fx];
            int64_t vector = hy->taps * hx->taps * g->ic * g->p.lanes;       /* packed floats per vector of channels */
            for (int i = 0; i < hy->runs; i++) {
                axis_run y = axis_cut(&hy->run[i], g->oh * band / g->bands, g->oh * (band + 1) / g->bands);
                for (int j = 0; j < hx->runs && y.count; j++)
                    rectangle(g, &y, &hx->run[j], packed + vector * panel_first(&g->p, panel), hx->taps, panel, from, to);
            }
            packed += vector * g->p.vectors;
        }
}

/* ---- packing ---- */

typedef struct packing {
    const gather *g;
    const float *w;
    float *packed;
    int64_t taps_x, tap_step, lane_step, k_step;      /* of the weights, in floats */
} packing;

static void pack_vector(void *arg, int vector, int worker)
{
    const packing *k = arg;
    const gather *g = k->g;
    int panel = 0, lanes = g->p.lanes;
    while (panel_first(&g->p, panel + 1) <= vector)
        panel++;
    int64_t first = panel_first(&g->p, panel), width = (int64_t)panel_nv(&g->p, panel) * lanes;
    int have = (int)(g->oc - (int64_t)vector * lanes < lanes ? g->oc - (int64_t)vector * lanes : lanes);
    float *phase = k->packed;
    for (int fy = 0; fy < g->ay.phases; fy++)
        for (int fx = 0; fx < g->ax.phases; fx++) {
            const axis_phase *hy = &g->ay.phase[fy], *hx = &g->ax.phase[fx];
            int64_t taps = hy->taps * hx->taps;
            float *to = phase + taps * g->ic * lanes * first + (vector - first) * lanes;
            for (int64_t t = 0; t < taps; t++) {
                int64_t tap = (hy->first + t / hx->taps * hy->step) * k->taps_x + hx->first + t % hx->taps * hx->step;
                const float *w = k->w + tap * k->tap_step + (int64_t)vector * lanes * k->lane_step;
                for (int64_t i = 0; i < g->ic; i++, to += width, w += k->k_step)
                    for (int l = 0; l < lanes; l++)
                        to[l] = l < have ? w[l * k->lane_step] : 0;
            }
            phase += taps * g->ic * lanes * g->p.vectors;
        }
}

/* ---- rows of the kernel lists ---- */

static int fits(const hz_window *a)
{
    return a->kh <= AXIS_TAPS && a->kw <= AXIS_TAPS && a->sh <= AXIS_PHASES && a->sw <= AXIS_PHASES;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    return fits(&w->attr.window) && cpu_all(w, HZ_F32) ? 1e-6 + cpu_flops(w) * 1e-11 : -1;
}

static const hz_arg *image_of(const hz_work *w) { return w->op == OP_conv2d ? &w->in[0] : &w->out[0]; }
static const hz_arg *output_of(const hz_work *w) { return w->op == OP_conv2d ? &w->out[0] : &w->in[0]; }

/* Floats of packed weights; the bias stands behind them. */
static size_t packed_floats(const hz_work *w, const cpu_micro *m)
{
    panels p = panels_of(w->out[0].shape[3], m);
    return (size_t)w->attr.window.kh * w->attr.window.kw * w->in[0].shape[3] * p.vectors * m->lanes;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    return (packed_floats(w, m) + (size_t)panels_of(w->out[0].shape[3], m).vectors * m->lanes) * sizeof(float);
}

static gather gather_of(const hz_work *w, const cpu_call *c)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    cpu_window v = cpu_window_of(&w->attr.window, image_of(w), output_of(w));
    gather g = { .m = c->micro, .p = panels_of(out->shape[3], c->micro), .in = in->data, .out = out->data, .rows = cpu_rows(w, c),
                 .ih = in->shape[1], .iw = in->shape[2], .ic = in->shape[3],
                 .oh = out->shape[1], .ow = out->shape[2], .oc = out->shape[3], .packed = c->memory };
    void (*axis)(axis_plan *, int64_t, int64_t, int64_t, int64_t, int64_t) = axis_backward;
    if (w->op == OP_conv2d) {
        axis = axis_forward;
        g.act = w->attr.window.act;
        g.alpha = w->attr.window.alpha;
        if (w->nin > 2 && w->in[2].data)
            g.bias = g.packed + packed_floats(w, c->micro);
    }
    axis(&g.ay, v.h, v.oh, v.kh, v.sh, v.top);
    axis(&g.ax, v.w, v.ow, v.kw, v.sw, v.left);
    int64_t images = in->shape[0], each = images * g.p.count / TASKS;           /* tasks are cut by the plan's batch */
    g.group = each < 1 ? 1 : each < GROUP ? each : GROUP;
    g.groups = (g.rows + g.group - 1) / g.group;
    int64_t tasks = (images + g.group - 1) / g.group * g.p.count, most = g.oh / 4 > 1 ? g.oh / 4 : 1;
    g.bands = tasks >= TASKS ? 1 : (TASKS + tasks - 1) / tasks < most ? (TASKS + tasks - 1) / tasks : most;
    return g;
}

static void pack(const hz_work *w, const cpu_call *c)
{
    gather g = gather_of(w, c);
    int64_t taps = (int64_t)w->attr.window.kh * w->attr.window.kw, inputs = w->in[1].shape[3];
    packing k = { .g = &g, .w = w->in[1].data, .packed = c->memory, .taps_x = w->attr.window.kw, .tap_step = inputs,
                  .lane_step = w->op == OP_conv2d ? taps * inputs : 1, .k_step = w->op == OP_conv2d ? 1 : taps * inputs };
    pool_run(g.p.vectors, pack_vector, &k);
    if (g.bias) {
        float *bias = k.packed + packed_floats(w, c->micro);
        memset(bias, 0, (size_t)g.p.vectors * g.p.lanes * sizeof(float));
        memcpy(bias, w->in[2].data, (size_t)g.oc * sizeof(float));
    }
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    gather g = gather_of(w, c);
    pool_run((int)(g.groups * g.bands * g.p.count), task, &g);
    return HZ_OK;
}

const cpu_kernel conv2d_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };
const cpu_kernel conv2d_dx_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };

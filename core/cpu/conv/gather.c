/* gather.c: kernel "gather", conv2d and conv2d_dx as a product of gathered rows with packed weights.
   A row of the product is one output pixel; its inputs for one row of taps are contiguous in (H,W,C), so a tile
   needs only a pointer per row, a step from tap row to tap row, and a length. Taps that fall outside the image are
   left out (axis.h): no padded copy, no multiplication by zeros. The gradient to the input is the same product over
   dy, once per phase of the stride.
   Layers of one tap and stride 1 (1x1, dense) are flat: all pixels of all images are one row.
   Work: tasks = groups of images x panels of channels x bands of rows (flat: of pixels). Weights are packed
   once per version of the parameters, [phase][panel][tap row][tap][input channel][nv*lanes], and stream from
   L2 once per tile. */
#include "cpu/conv/axis.h"
#include "cpu/panel.h"
#include <math.h>
#include <string.h>

enum {
    GROUP = 8,            /* images of a task at most */
    TASKS = 32,           /* wanted at least, for the sake of small batches */
    FLAT = 24,            /* pixels of a flat band are a multiple of this: whole tiles of 4, 6 or 8 rows */
    DEPTH = 1024          /* inputs of a flat sum at a time: weights of DEPTH x 64 stay in L2 while a band passes */
};

typedef struct gather {
    const cpu_micro *m;
    axis_plan ay, ax;
    panels p;
    const float *in;                  /* (rows,ih,iw,ic) */
    float *out;                       /* (rows,oh,ow,oc) */
    int64_t rows, ih, iw, ic, oh, ow, oc;
    const float *packed;              /* [phase][panel][tap row][tap](ic,nv*lanes) */
    const float *bias;                /* (oc), padded to whole vectors; NULL: none */
    const float *gate;                /* like out: the epilogue of a gradient: dx = act_grad(dx, gate); NULL: none */
    int act;
    float alpha;
    int64_t group, groups, bands, band;          /* band: output rows, or pixels where flat */
    int flat;
} gather;

/* Rows of a tile, gathered until there are enough of them. */
typedef struct rows {
    const float *a[MICRO_ROWS];
    float *y[MICRO_ROWS];
    const float *gate[MICRO_ROWS];
    int n;
} rows;

/* The activations that a tile does not know. */
static void activate(const gather *g, float *y, int64_t n)
{
    if (g->gate)
        g->m->f32.act_grad(y, y, g->gate + (y - g->out), n, g->act, g->alpha);
    else
        g->m->f32.act(y, y, n, g->act, g->alpha);
}

/* end: the sums are complete, so the activation may follow. */
static void flush(const gather *g, cpu_tile *t, rows *r, int panel, int end)
{
    int nv = panel_nv(&g->p, panel), most = g->m->tile_rows[nv];
    if (!r->n)
        return;
    for (int i = r->n; i < most; i++) {      /* the last row fills up: it is written more than once, with equal sums */
        r->a[i] = r->a[r->n - 1];
        r->y[i] = r->y[r->n - 1];
    }
    if (t->gate)
        for (int i = 0; i < most; i++)
            r->gate[i] = g->gate + (r->y[i] - g->out);
    g->m->tile[nv](t);
    if (end && g->act != HZ_LINEAR && g->act != HZ_RELU)
        for (int i = 0; i < r->n; i++)
            activate(g, r->y[i], (nv - 1) * g->p.lanes + t->last);
    r->n = 0;
}

/* Outputs of one pair of runs for images from..to-1, one panel; `packed` is the phase's. k0 and k: part
   of the inputs (flat). */
static void rectangle(const gather *g, const axis_run *y, const axis_run *x, const float *packed, int64_t taps_x,
                      int panel, int64_t from, int64_t to, int64_t k0, int64_t k)
{
    int nv = panel_nv(&g->p, panel), most = g->m->tile_rows[nv], end = k0 + k == x->taps * g->ic;
    int64_t width = (int64_t)nv * g->p.lanes, first = (int64_t)panel_first(&g->p, panel) * g->p.lanes;
    rows r = { .n = 0 };
    cpu_tile t = {
        .a = r.a, .y = r.y, .b = packed + ((y->tap * taps_x + x->tap) * g->ic + k0) * width,
        .bias = g->bias ? g->bias + first : NULL, .segments = y->taps, .a_step = g->iw * g->ic,
        .b_step = taps_x * g->ic * width, .k = k, .accumulate = k0 > 0,
        /* a row of outputs ahead */
        .ahead = g->flat ? FLAT * g->ic : y->taps * g->iw * g->ic, .ahead_rows = y->in_step,
        .ahead_width = g->flat ? k : x->in_step * g->ic, .stream = g->flat && k == g->ic,
        .low = end && g->act == HZ_RELU && !g->gate ? 0 : -INFINITY,
        .gate = end && g->act == HZ_RELU && g->gate ? r.gate : NULL, .last = panel_last(&g->p, panel),
    };
    for (int64_t n = from; n < to; n++)
        for (int64_t i = 0; i < y->count; i++) {
            const float *a = g->in + ((n * g->ih + y->in + i * y->in_step) * g->iw + x->in) * g->ic + k0;
            float *out = g->out + ((n * g->oh + y->out + i * y->out_step) * g->ow + x->out) * g->oc + first;
            for (int64_t j = 0; j < x->count; j++, a += x->in_step * g->ic, out += x->out_step * g->oc) {
                r.a[r.n] = a;
                r.y[r.n] = out;
                if (++r.n == most)
                    flush(g, &t, &r, panel, end);
            }
        }
    flush(g, &t, &r, panel, end);
}

static void flat_task(const gather *g, int panel, int64_t band)
{
    axis_run x = axis_cut(&g->ax.phase[0].run[0], band * g->band, (band + 1) * g->band);
    const float *packed = g->packed + g->ic * g->p.lanes * panel_first(&g->p, panel);
    for (int64_t k = 0; k < g->ic; k += DEPTH)
        rectangle(g, &g->ay.phase[0].run[0], &x, packed, 1, panel, 0, 1, k, min(g->ic - k, DEPTH));
}

static void task(void *arg, int number, int worker)
{
    const gather *g = arg;
    int panel = number % g->p.count;
    int64_t band = number / g->p.count % g->bands, at = number / g->p.count / g->bands;
    int64_t from = at * g->group, to = min(from + g->group, g->rows);
    const float *packed = g->packed;
    if (g->flat) {
        flat_task(g, panel, band);
        return;
    }
    for (int fy = 0; fy < g->ay.phases; fy++)
        for (int fx = 0; fx < g->ax.phases; fx++) {
            const axis_phase *hy = &g->ay.phase[fy], *hx = &g->ax.phase[fx];
            int64_t vector = hy->taps * hx->taps * g->ic * g->p.lanes;       /* packed floats per vector of channels */
            for (int i = 0; i < hy->runs; i++) {
                axis_run y = axis_cut(&hy->run[i], band * g->band, (band + 1) * g->band);
                for (int j = 0; j < hx->runs && y.count; j++)
                    rectangle(g, &y, &hx->run[j], packed + vector * panel_first(&g->p, panel), hx->taps, panel, from,
                              to, 0, hx->run[j].taps * g->ic);
            }
            packed += vector * g->p.vectors;
        }
}

/* ---- packing ---- */

typedef struct packing {
    const gather *g;
    const float *w;                   /* (O,KH,KW,I) */
    float *packed;                    /* as in gather */
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
    int have = (int)min(g->oc - (int64_t)vector * lanes, lanes);
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

static int is_conv(const hz_work *w) { return w->op == OP_conv2d || w->op == OP_conv2d_dx; }
static int is_forward(const hz_work *w) { return w->op == OP_conv2d || w->op == OP_dense; }
static int64_t last(const hz_arg *a) { return a->shape[a->ndim - 1]; }

static double cost(const hz_work *w, const cpu_micro *m)
{
    const hz_window *a = &w->attr.window;
    if (is_conv(w) && (a->kh > AXIS_TAPS || a->kw > AXIS_TAPS || a->sh > AXIS_PHASES || a->sw > AXIS_PHASES))
        return -1;
    /* short rows of taps: half as fast */
    double each = is_conv(w) && last(&w->in[0]) <= 8 && a->kh * a->kw > 1 ? 2e-11 : 1e-11;
    return cpu_all(w, HZ_F32) ? 1e-6 + hz_work_flops(w) * each : -1;
}

/* Floats of packed weights; the bias stands behind them. */
static size_t packed_floats(const hz_work *w, const cpu_micro *m)
{
    size_t taps = is_conv(w) ? (size_t)w->attr.window.kh * w->attr.window.kw : 1;
    return taps * last(&w->in[0]) * panels_of(last(&w->out[0]), m).vectors * m->lanes;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    return (packed_floats(w, m) + (size_t)panels_of(last(&w->out[0]), m).vectors * m->lanes) * sizeof(float);
}

static cpu_window window_of(const hz_work *w)
{
    if (!is_conv(w))
        return (cpu_window){ .h = 1, .w = 1, .oh = 1, .ow = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1 };
    return is_forward(w) ? cpu_window_of(&w->attr.window, &w->in[0], &w->out[0])
                         : cpu_window_of(&w->attr.window, &w->out[0], &w->in[0]);
}

/* Groups and bands by the plan's batch, so that a smaller count leaves the cut as it is. */
static void cut(gather *g, int64_t images)
{
    int64_t each = images * g->p.count / TASKS;
    if (g->flat) {
        int64_t bands = max(TASKS / g->p.count, 1), all = images * g->iw / g->rows;
        g->band = ceil_div(all, bands * FLAT) * FLAT;
        g->bands = ceil_div(g->iw, g->band);
        g->group = g->groups = g->rows = 1;
        return;
    }
    g->group = max(1, min(each, GROUP));
    g->groups = ceil_div(g->rows, g->group);
    int64_t tasks = ceil_div(images, g->group) * g->p.count;
    int64_t bands = ceil_div(TASKS, tasks);
    g->band = max(ceil_div(g->oh, bands), 4);
    g->bands = ceil_div(g->oh, g->band);
}

static gather gather_of(const hz_work *w, const cpu_call *c)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    cpu_window v = window_of(w);
    int forward = is_forward(w);
    gather g = { .m = c->micro, .p = panels_of(last(out), c->micro), .in = in->data, .out = out->data,
                 .rows = cpu_rows(w, c), .ic = last(in), .oc = last(out), .packed = c->memory,
                 .flat = v.kh * v.kw * v.sh * v.sw == 1 };
    g.act = is_conv(w) ? w->attr.window.act : w->attr.act.act;
    g.alpha = is_conv(w) ? w->attr.window.alpha : w->attr.act.alpha;
    if (w->nin > 2 && w->in[2].data && forward)
        g.bias = g.packed + packed_floats(w, c->micro);
    else if (w->nin > 2)
        g.gate = w->in[2].data;
    if (g.flat) {
        v.w = v.ow = v.w * v.h * g.rows;
        v.h = v.oh = 1;
    }
    g.ih = forward ? v.h : v.oh;
    g.iw = forward ? v.w : v.ow;
    g.oh = forward ? v.oh : v.h;
    g.ow = forward ? v.ow : v.w;
    (forward ? axis_forward : axis_backward)(&g.ay, v.h, v.oh, v.kh, v.sh, v.top);
    (forward ? axis_forward : axis_backward)(&g.ax, v.w, v.ow, v.kw, v.sw, v.left);
    cut(&g, in->shape[0]);
    return g;
}

static void pack(const hz_work *w, const cpu_call *c)
{
    gather g = gather_of(w, c);
    int64_t taps = is_conv(w) ? (int64_t)w->attr.window.kh * w->attr.window.kw : 1, inputs = last(&w->in[1]);
    packing k = { .g = &g, .w = w->in[1].data, .packed = c->memory, .taps_x = is_conv(w) ? w->attr.window.kw : 1,
                  .tap_step = inputs, .lane_step = is_forward(w) ? taps * inputs : 1,
                  .k_step = is_forward(w) ? 1 : taps * inputs };
    team_run(g.p.vectors, pack_vector, &k);
    if (g.bias) {
        float *bias = k.packed + packed_floats(w, c->micro);
        memset(bias, 0, (size_t)g.p.vectors * g.p.lanes * sizeof(float));
        memcpy(bias, w->in[2].data, (size_t)g.oc * sizeof(float));
    }
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    gather g = gather_of(w, c);
    team_run((int)(g.groups * g.bands * g.p.count), task, &g);
    return HZ_OK;
}

const cpu_kernel conv2d_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };
const cpu_kernel conv2d_dx_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };
const cpu_kernel dense_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };
const cpu_kernel dense_dx_gather = { .name = "gather", .cost = cost, .memory = memory, .pack = pack, .run = run };

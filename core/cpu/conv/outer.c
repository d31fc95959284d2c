/* outer.c: kernel "outer", conv2d_dw and dense_dw as a sum of outer products over pixels: dw[o][tap][i] = sum over
   pixels of dy[pixel][o] * x[pixel moved by the tap][i], i in vectors, o broadcast, sums in registers. Where I is a
   whole number of vectors x is read in place, tap by tap, over the outputs whose tap lies in the image. Elsewhere the
   columns taps*I of a block of pixels are copied to scratch, padded to whole vectors.
   Work: tasks = slots of images x panels of columns x chunks of output channels. Slots and their order depend on the
   shape and the count alone; they are added in slot order. */
#include "cpu/panel.h"
#include <string.h>

enum { TASKS = 32, SLOTS = 16, CHUNK = 64, PIXELS = 256 };    /* PIXELS: of a block, whose x and dy stay in L2 or L1 */

typedef struct grad {
    const cpu_micro *m;
    cpu_window v;
    panels p;                         /* over the columns of one tap, or over taps*I when copied */
    const float *x, *dy;              /* (images,h,w,I), (images,oh,ow,O) */
    float *dw, *db;                   /* (O,taps,I), (O); NULL where unwanted */
    float *slot, *bias_slot;          /* (slots,O,stride), (slots,O) */
    char *scratch;
    size_t scratch_stride;
    int64_t images, I, O, columns, stride;       /* columns = taps*I; stride: padded to whole vectors */
    int copy, slots, chunks;
} grad;

/* Memory that the next block will read: fetched while this one computes, else the first product of a block
   waits for it. */
typedef struct ahead {
    const float *part[2];             /* x, then dy */
    int64_t left[2], step;            /* floats; step: per pixel and product */
} ahead;

typedef struct block {                /* what one task works on */
    const grad *g;
    int panel;
    int64_t o0, o1;
    float *to;                        /* first column of the panel, row o = 0, in the task's slot */
} block;

/* The next product fetches what its pixels allow. */
static void next_ahead(ahead *a, cpu_outer *t)
{
    int i = a->left[0] > 0 ? 0 : 1;
    int64_t reach = t->planes * t->rows * t->columns * a->step;
    t->ahead = a->part[i];
    t->ahead_step = a->left[i] > 0 ? a->step : 0;
    a->part[i] += reach;
    a->left[i] -= reach;
}

/* All output channels of the chunk against the pixels `t` describes; c and a are those of channel 0.
   `ahead` moves on. */
static void channels(const block *b, cpu_outer t, int64_t column, ahead *next)
{
    const cpu_micro *m = b->g->m;
    int nv = panel_nv(&b->g->p, b->panel);
    const float *a = t.a;
    t.c_step = b->g->stride;
    for (int64_t o = b->o0; o < b->o1;) {
        int64_t left = b->o1 - o;
        int rows = left >= m->outer_rows[nv] ? m->outer_rows[nv] : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        t.a = a + o;
        t.c = b->to + o * b->g->stride + column;
        next_ahead(next, &t);
        m->outer[nv](&t, rows);
        o += rows;
    }
}

/* Outputs whose tap lies in the image along one axis. */
static void valid(int64_t out, int64_t in, int64_t stride, int64_t before, int64_t tap, int64_t range[2])
{
    int64_t first = before > tap ? ceil_div(before - tap, stride) : 0, room = in - 1 + before - tap;
    range[0] = min(first, out);
    range[1] = max(range[0], room < 0 ? 0 : min(room / stride + 1, out));
}

/* Images n0..n1-1, output rows y0..y1-1, every tap, x in place. first: nothing is in the slot yet. */
static void direct_block(const block *b, int64_t n0, int64_t n1, int64_t y0, int64_t y1, int first, ahead *next)
{
    const grad *g = b->g;
    const cpu_window *v = &g->v;
    for (int64_t ky = 0; ky < v->kh; ky++)
        for (int64_t kx = 0; kx < v->kw; kx++) {
            int64_t ry[2], rx[2];
            valid(v->oh, v->h, v->sh, v->top, ky, ry);
            valid(v->ow, v->w, v->sw, v->left, kx, rx);
            int64_t from = max(ry[0], y0), to = min(ry[1], y1);
            if (!first && (from >= to || rx[0] >= rx[1]))
                continue;
            int64_t iy = from * v->sh - v->top + ky, ix = rx[0] * v->sw - v->left + kx;
            cpu_outer t = {
                .a = g->dy + ((n0 * v->oh + from) * v->ow + rx[0]) * g->O,
                .b = g->x + ((n0 * v->h + iy) * v->w + ix) * g->I + (int64_t)panel_first(&g->p, b->panel) * g->p.lanes,
                .planes = n1 - n0, .rows = max(to - from, 0), .columns = rx[1] - rx[0],
                .a_plane = v->oh * v->ow * g->O, .a_row = v->ow * g->O, .a_column = g->O,
                .b_plane = v->h * v->w * g->I, .b_row = v->sh * v->w * g->I, .b_column = v->sw * g->I,
                .accumulate = !first,
            };
            if (v->oh * v->ow == 1) {                 /* images of one pixel: they are the columns */
                t.columns = min(t.rows, t.columns) * t.planes;
                t.planes = t.rows = 1;
                t.a_column = t.a_plane;
                t.b_column = t.b_plane;
            }
            channels(b, t, (ky * v->kw + kx) * g->I, next);
        }
}

/* Rows y0..y1-1 of the images n0.., which a block is about to read; the step spreads them over this block's
   products. */
static ahead ahead_of(const block *b, int64_t n, int64_t y, int64_t images, int64_t rows)
{
    const grad *g = b->g;
    const cpu_window *v = &g->v;
    int64_t outputs = images * rows * v->ow;
    int64_t products = v->kh * v->kw * ((b->o1 - b->o0) / g->m->outer_rows[panel_nv(&g->p, b->panel)] + 1);
    ahead a = { .part = { g->x + (n * v->h + y * v->sh) * v->w * g->I, g->dy + (n * v->oh + y) * v->ow * g->O },
                .left = { outputs * v->sh * v->sw * g->I, outputs * g->O } };
    a.step = max(1, min(16, (a.left[0] + a.left[1]) / max(1, products * outputs * 7 / 8)));
    return a;
}

static void direct(const block *b, int64_t n0, int64_t n1)
{
    const cpu_window *v = &b->g->v;
    int64_t rows = max(1, min(v->oh, PIXELS / v->ow));
    int64_t planes = rows == v->oh ? max(1, PIXELS / (v->oh * v->ow)) : 1;
    int first = 1;
    for (int64_t n = n0; n < n1; n += planes)
        for (int64_t y = 0; y < v->oh; y += rows, first = 0) {
            ahead a = y + rows < v->oh ? ahead_of(b, n, y + rows, planes, rows)
                                       : ahead_of(b, n + planes, 0, planes, rows);
            direct_block(b, n, min(n + planes, n1), y, min(y + rows, v->oh), first, &a);
        }
}

/* Columns from..to-1 of output pixel (n,oy,ox), zeros where a tap falls outside. One row of taps is one
   run of memory. */
static void copy_columns(const grad *g, int64_t n, int64_t oy, int64_t ox, int64_t from, int64_t to, float *out)
{
    const cpu_window *v = &g->v;
    int64_t row = v->kw * g->I, ix = ox * v->sw - v->left;
    int64_t kx0 = max(0, -ix), kx1 = max(kx0, min(v->kw, v->w - ix));
    int whole = kx0 == 0 && kx1 == v->kw;
    for (int64_t ky = from / row; ky < v->kh && ky * row < to; ky++) {
        int64_t iy = oy * v->sh - v->top + ky, c0 = max(from, ky * row), c1 = min(to, (ky + 1) * row);
        int outside = iy < 0 || iy >= v->h;
        int64_t d0 = max(c0, ky * row + kx0 * g->I), d1 = outside ? d0 : min(c1, ky * row + kx1 * g->I);
        const float *x = g->x + ((n * v->h + iy) * v->w + ix) * g->I - ky * row;
        if (outside || !whole)
            for (int64_t i = c0; i < c1; i++)
                out[i - from] = 0;
        for (int64_t i = d0; i < d1; i++)
            out[i - from] = x[i];
    }
    for (int64_t i = max(from, g->columns); i < to; i++)
        out[i - from] = 0;
}

static void copied(const block *b, int64_t n0, int64_t n1, float *scratch)
{
    const grad *g = b->g;
    const cpu_window *v = &g->v;
    int64_t area = v->oh * v->ow, from = (int64_t)panel_first(&g->p, b->panel) * g->p.lanes;
    int64_t width = (int64_t)panel_nv(&g->p, b->panel) * g->p.lanes;
    ahead none = { .part = { scratch, scratch } };
    int64_t n = n0, oy = 0, ox = 0;
    for (int64_t p = n0 * area; p < n1 * area; p += PIXELS) {
        int64_t end = min(p + PIXELS, n1 * area);
        for (int64_t q = p; q < end; q++) {
            copy_columns(g, n, oy, ox, from, from + width, scratch + (q - p) * width);
            if (++ox == v->ow) {
                ox = 0;
                if (++oy == v->oh) {
                    oy = 0;
                    n++;
                }
            }
        }
        channels(b, (cpu_outer){ .a = g->dy + p * g->O, .b = scratch, .planes = 1, .rows = 1, .columns = end - p,
                                 .a_column = g->O, .b_column = width, .accumulate = p > n0 * area }, 0, &none);
    }
}

static int64_t chunk_start(const grad *g, int panel, int chunk)
{
    int rows = g->m->outer_rows[panel_nv(&g->p, panel)];
    return chunk == g->chunks ? g->O : g->O * chunk / g->chunks / rows * rows;
}

static void task(void *arg, int number, int worker)
{
    const grad *g = arg;
    int chunk = number % g->chunks, panel = number / g->chunks % g->p.count, s = number / g->chunks / g->p.count;
    int64_t n0 = g->images * s / g->slots, n1 = g->images * (s + 1) / g->slots;
    block b = { .g = g, .panel = panel, .o0 = chunk_start(g, panel, chunk), .o1 = chunk_start(g, panel, chunk + 1),
                .to = g->slot + (int64_t)s * g->O * g->stride + (int64_t)panel_first(&g->p, panel) * g->p.lanes };
    if (g->dw && g->copy)
        copied(&b, n0, n1, (float *)(g->scratch + g->scratch_stride * (size_t)worker));
    else if (g->dw)
        direct(&b, n0, n1);
    if (g->db && panel == 0) {
        int64_t area = g->v.oh * g->v.ow;
        g->m->f32.sum_rows(g->bias_slot + s * g->O + b.o0, g->dy + n0 * area * g->O + b.o0, (n1 - n0) * area, g->O,
                           b.o1 - b.o0);
    }
}

static void add_slots(void *arg, int o, int worker)
{
    const grad *g = arg;
    if (g->db) {
        float sum = g->bias_slot[o];
        for (int s = 1; s < g->slots; s++)
            sum += g->bias_slot[s * g->O + o];
        g->db[o] = sum;
    }
    if (!g->dw || g->slot == g->dw)
        return;
    float *to = g->dw + o * g->columns;
    const float *from = g->slot + o * g->stride;
    memcpy(to, from, (size_t)g->columns * sizeof(float));
    for (int s = 1; s < g->slots; s++)
        g->m->f32.act_add(to, to, from + (int64_t)s * g->O * g->stride, g->columns, HZ_LINEAR, 0);
}

/* ---- rows of the kernel lists ---- */

/* Everything but pointers; images: those of the plan's batch. A layer of one tap is flat: each pixel is an image. */
static grad shape_of(const hz_work *w, const cpu_micro *m)
{
    const hz_arg *x = &w->in[0], *dy = &w->in[1];
    grad g = { .m = m, .images = x->shape[0], .I = x->shape[x->ndim - 1], .O = dy->shape[dy->ndim - 1],
               .v = { .h = 1, .w = 1, .oh = 1, .ow = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1 } };
    if (w->op == OP_conv2d_dw) {
        cpu_window v = cpu_window_of(&w->attr.window, x, dy);
        if (v.kh * v.kw * v.sh * v.sw == 1)
            g.images *= v.h * v.w;
        else
            g.v = v;
    }
    g.columns = g.v.kh * g.v.kw * g.I;
    g.copy = g.I % m->lanes != 0;
    g.p = panels_of(g.copy ? g.columns : g.I, m);
    g.stride = g.copy ? (int64_t)g.p.vectors * m->lanes : g.columns;
    g.chunks = (int)ceil_div(g.O, CHUNK);
    g.slots = TASKS / (g.p.count * g.chunks);
    g.slots = (int)max(1, min(g.slots, SLOTS));
    return g;
}

/* 100 GFLOP/s on a nominal core, a third of it with copies. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_all(w, HZ_F32) ? 1e-6 + hz_work_flops(w) * (shape_of(w, m).copy ? 3e-11 : 1e-11) : -1;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    grad g = shape_of(w, m);
    return (size_t)(g.slots * g.O * (g.stride + 1)) * sizeof(float);
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    return shape_of(w, m).copy ? (size_t)PIXELS * m->max_nv * m->lanes * sizeof(float) : 0;
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    grad g = shape_of(w, c->micro);
    g.images = g.images / w->in[0].shape[0] * cpu_rows(w, c);
    g.slots = (int)min(g.slots, g.images);
    g.x = w->in[0].data;
    g.dy = w->in[1].data;
    g.dw = w->out[0].data;
    g.db = w->nout > 1 ? w->out[1].data : NULL;
    g.bias_slot = c->memory;
    g.slot = g.slots == 1 && g.stride == g.columns ? g.dw : g.bias_slot + g.slots * g.O;
    g.scratch = c->scratch;
    g.scratch_stride = c->scratch_stride;
    team_run(g.slots * g.p.count * g.chunks, task, &g);
    team_run((int)g.O, add_slots, &g);
    return HZ_OK;
}

const cpu_kernel conv2d_dw_outer = { .name = "outer", .cost = cost, .memory = memory, .scratch = scratch, .run = run };
const cpu_kernel dense_dw_outer = { .name = "outer", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

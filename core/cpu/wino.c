/* wino.c: kernel "wino", conv2d and conv2d_dx of 3x3 taps and stride 1 by F(4x4,3x3) (wino.h).
   Layout: images (N,H,W,C), weights (O,3,3,I); transformed weights [panel][plane][k][nv*lanes], made once per version of the
   parameters. Work: a task is a block of 24 tiles (a multiple of every micro-kernel's rows: 4, 6, 8, 12) through all channels:
   transform them to 36 planes of (24,k), then for each panel of outputs 36 products and the transform back. At 128 channels
   V is 450 KB and M 220 KB, which leaves room in a second-level cache of 1 MB for the weights that stream by.
   Planes lie 24*k + 16 floats apart: at multiples of 4096 bytes all 36 would fall into the same lines of the first-level cache.
   What a later block reads, the weights of the next plane and the lines this block will write are fetched during the products, a
   line every few steps: the transforms wait for memory, the products do not. */
#include "cpu/panel.h"
#include "cpu/wino.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 24 };

typedef struct wino {
    const cpu_wino *k;
    const cpu_call *call;
    panels p;                 /* of the outputs */
    wino_image in, out;       /* where tiles are read and written */
    const float *x, *u, *bias;
    float *y;
    int64_t tiles;            /* of the rows in use */
    int64_t v_pitch, v_plane, m_plane;
    int threads, act;
    float alpha;
} wino;

static int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- one block ---- */

/* The part of an image that `tiles` tiles from `first` on cover. */
static wino_stream span(const float *data, const wino_image *g, int64_t first, int64_t tiles)
{
    int64_t each = g->h * g->w * g->c * (int64_t)sizeof(float) / (g->down * g->across);
    const char *from = (const char *)data + each * first;
    return (wino_stream){ .at = from, .end = from + each * tiles };
}

/* Blocks are taken in turn: the one this worker takes next is about as many blocks ahead as there are workers. */
static wino_ahead ahead_of(const wino *w, int64_t first, int64_t tiles)
{
    int64_t next = first + (int64_t)w->threads * BLOCK;
    int more = next + BLOCK <= w->tiles;
    return (wino_ahead){ .read = span(w->x, &w->in, more ? next : first, more ? BLOCK : 0), .write = span(w->y, &w->out, first, tiles) };
}

/* The activations that output() does not know, over what it has just written. */
static void activate(const wino *w, int64_t first, int64_t tiles)
{
    const wino_image *g = &w->out;
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * WINO_OUT, left = s.x * WINO_OUT, n = smaller(g->w - left, WINO_OUT) * g->c;
        float *y = w->y + ((s.n * g->h + top) * g->w + left) * g->c;
        for (int64_t i = 0; i < smaller(g->h - top, WINO_OUT); i++)
            w->call->micro->act(y + i * g->w * g->c, y + i * g->w * g->c, n, w->act, w->alpha);
    }
}

static void transform(const wino *w, float *v, float *zero, int64_t first, int64_t tiles)
{
    memset(zero, 0, (size_t)w->in.c * WINO_IN * sizeof(float));
    w->k->input(&w->in, w->x, zero, first, tiles, v, w->v_plane, w->v_pitch, 7);
    if (tiles < BLOCK)                           /* products take whole groups of rows */
        for (int p = 0; p < WINO_PLANES; p++)
            memset(v + p * w->v_plane + tiles * w->v_pitch, 0,
                   (size_t)((smaller(BLOCK, tiles + MICRO_ROWS) - tiles) * w->v_pitch) * sizeof(float));
}

static void block(void *arg, int number, int worker)
{
    const wino *w = arg;
    int64_t first = (int64_t)number * BLOCK, tiles = smaller(w->tiles - first, BLOCK);
    float *zero = (float *)(w->call->scratch + (size_t)worker * w->call->scratch_stride);
    float *v = zero + round_up(WINO_IN * w->in.c, 16), *m = v + WINO_PLANES * w->v_plane;
    wino_ahead ahead = ahead_of(w, first, tiles);
    transform(w, v, zero, first, tiles);
    for (int i = 0; i < w->p.count; i++) {
        int nv = panel_nv(&w->p, i);
        int64_t width = (int64_t)nv * w->p.lanes, channel = (int64_t)panel_first(&w->p, i) * w->p.lanes;
        const float *u = w->u + WINO_PLANES * w->in.c * channel;
        for (int p = 0; p < WINO_PLANES; p++, u += w->in.c * width) {
            const float *next = p + 1 < WINO_PLANES || i + 1 < w->p.count ? u + w->in.c * width : w->u;
            ahead.other = (wino_stream){ .at = (const char *)next, .end = (const char *)(next + w->in.c * width) };
            w->k->product[nv](v + p * w->v_plane, w->v_pitch, u, w->in.c, tiles, m + p * w->m_plane, &ahead);
        }
        w->k->output(&w->out, w->y, first, tiles, m, w->m_plane, width, channel, smaller(width, w->out.c - channel), w->bias,
                     w->act == HZ_RELU ? 0 : -INFINITY);
    }
    if (w->act != HZ_LINEAR && w->act != HZ_RELU)
        activate(w, first, tiles);
}

/* ---- transformed weights ---- */

typedef struct packing {
    const cpu_wino *k;
    panels p;                 /* of the product's columns: O forward, I backward */
    const float *g;           /* (O,3,3,I) */
    float *u;
    int64_t inputs, outputs;  /* I, O */
} packing;

/* A vector of output channels, all input channels. */
static void pack_forward(void *arg, int vector, int worker)
{
    const packing *q = arg;
    int panel = 0, lanes = q->p.lanes;
    while (panel_first(&q->p, panel + 1) <= vector)
        panel++;
    int64_t first = panel_first(&q->p, panel), width = (int64_t)panel_nv(&q->p, panel) * lanes, o = (int64_t)vector * lanes;
    float *u = q->u + WINO_PLANES * q->inputs * first * lanes + (vector - first) * lanes;
    for (int64_t c = 0; c < q->inputs; c += lanes) {
        int64_t i = smaller(c, q->inputs - lanes);
        q->k->taps_across(q->g + o * 9 * q->inputs + i, q->inputs, 9 * q->inputs, (int)smaller(lanes, q->outputs - o), u + i * width,
                          q->inputs * width, width);
    }
}

/* One output channel, which is a row of the product's second factor; inputs are its columns. */
static void pack_back(void *arg, int o, int worker)
{
    const packing *q = arg;
    int lanes = q->p.lanes;
    for (int panel = 0; panel < q->p.count; panel++) {
        int64_t first = panel_first(&q->p, panel), end = panel_first(&q->p, panel + 1), width = (end - first) * lanes;
        float *u = q->u + WINO_PLANES * q->outputs * first * lanes + o * width;
        if (end * lanes > q->inputs)             /* lanes beyond the channels are multiplied too */
            for (int p = 0; p < WINO_PLANES; p++)
                memset(u + p * q->outputs * width, 0, (size_t)width * sizeof(float));
        for (int64_t v = first; v < end; v++) {
            int64_t i = smaller(v * lanes, q->inputs - lanes);
            q->k->taps(q->g + (int64_t)o * 9 * q->inputs + i, q->inputs, 1, u + i - first * lanes, q->outputs * width);
        }
    }
}

static void pack(const hz_work *w, const cpu_call *c)
{
    packing q = { .k = c->micro->wino, .p = panels_of(w->out[0].shape[3], c->micro), .g = w->in[1].data, .u = c->memory,
                  .inputs = w->in[1].shape[3], .outputs = w->in[1].shape[0] };
    if (w->op == OP_conv2d)
        pool_run(q.p.vectors, pack_forward, &q);
    else
        pool_run((int)q.outputs, pack_back, &q);
}

/* ---- rows of the kernel lists ---- */

static wino wino_of(const hz_work *w, const cpu_micro *m)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    int forward = w->op == OP_conv2d;
    cpu_window window = cpu_window_of(&w->attr.window, forward ? in : out, forward ? out : in);
    int64_t down = (out->shape[1] + 3) / 4, across = (out->shape[2] + 3) / 4;
    wino r = { .k = m->wino, .p = panels_of(out->shape[3], m), .x = in->data, .y = out->data };
    r.in = (wino_image){ .h = in->shape[1], .w = in->shape[2], .c = in->shape[3], .down = down, .across = across,
                         .top = forward ? window.top : 2 - window.top, .left = forward ? window.left : 2 - window.left };
    r.out = (wino_image){ .h = out->shape[1], .w = out->shape[2], .c = out->shape[3], .down = down, .across = across };
    r.v_pitch = round_up(r.in.c, m->lanes);
    r.v_plane = BLOCK * r.v_pitch + 16;
    r.m_plane = BLOCK * m->max_nv * m->lanes + 16;
    return r;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    if (!wino_fits(w, m))
        return -1;
    wino r = wino_of(w, m);
    return wino_cost(m, w->in[0].shape[0] * r.in.down * r.in.across, r.in.c, r.out.c);
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    return sizeof(float) * WINO_PLANES * (size_t)(w->in[0].shape[3] * panels_of(w->out[0].shape[3], m).vectors * m->lanes);
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    wino r = wino_of(w, m);
    return sizeof(float) * (size_t)(round_up(WINO_IN * r.in.c, 16) + WINO_PLANES * (r.v_plane + r.m_plane));
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    wino r = wino_of(w, c->micro);
    r.call = c;
    r.u = c->memory;
    if (w->op == OP_conv2d) {
        r.act = w->attr.window.act;
        r.alpha = w->attr.window.alpha;
        r.bias = w->nin > 2 ? w->in[2].data : NULL;
    }
    r.tiles = cpu_rows(w, c) * r.in.down * r.in.across;
    r.threads = pool_threads();
    pool_run((int)((r.tiles + BLOCK - 1) / BLOCK), block, &r);
    return HZ_OK;
}

const cpu_kernel conv2d_wino = { .name = "wino", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack, .run = run };
const cpu_kernel conv2d_dx_wino = { .name = "wino", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack, .run = run };

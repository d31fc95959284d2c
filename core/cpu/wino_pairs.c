/* wino_pairs.c: kernel "winopairs", conv2d and conv2d_dx of 3x3 taps and stride 1 over bf16: F(4x4,3x3) as in wino.c, but the planes are bf16
   and the products those of pairs.h. Channels are whole vectors of 16; the activation is none or ReLU.
   Work: a task is a block of 32 tiles through all channels: planes [36][run][32 tiles][32], then for each panel of 32 outputs 36 products
   and the transform back. Weights [panel][36][run][16][32][2] stream by: 1.2 MB at 128 channels, so where products cost little (AMX)
   the direct kernel is ahead. Rounding the planes to bf16 makes results of relative L2 error 8e-3, direct ones have 2e-3. */
#include "cpu/pairs.h"
#include <math.h>
#include <string.h>

enum { BLOCK = PAIRS };

typedef struct wino {
    const cpu_pairs *k;
    const cpu_call *call;
    wino_image in, out;
    const uint16_t *x, *u, *gate;
    const float *bias;        /* padded to whole panels; NULL: none */
    uint16_t *y;
    int64_t tiles, runs, panels, outputs;
    int act, threads;
} wino;

static int64_t plane_of(const wino *w) { return w->runs * BLOCK * PAIRS; }

/* ---- one block ---- */

/* The part of an image that `tiles` tiles from `first` on cover. */
static const char *place(const uint16_t *data, const wino_image *g, int64_t tile)
{
    return (const char *)data + g->h * g->w * g->c * (int64_t)sizeof *data / (g->down * g->across) * tile;
}

/* What the block that this worker takes next reads and this one writes, spread over the terms of the products. */
static pairs_ahead ahead_of(const wino *w, int64_t first)
{
    int64_t next = first + (int64_t)w->threads * BLOCK, terms = WINO_MATRICES * w->runs * w->panels;
    pairs_ahead a = { .write = place(w->y, &w->out, first), .write_step = 64 };
    a.writes = (int)((place(w->y, &w->out, first + BLOCK) - a.write) / 64 / terms);
    if (next + BLOCK > w->tiles)
        return a;
    a.read = place(w->x, &w->in, next);
    a.end = place(w->x, &w->in, next + BLOCK);
    a.reads = (int)((a.end - a.read) / 64 / terms + 1);
    return a;
}

static void transform(const wino *w, const uint16_t *zero, int64_t first, int64_t tiles, uint16_t *v)
{
    w->k->wino_input(&w->in, w->x, zero, first, tiles, v, plane_of(w), BLOCK * PAIRS);
    if (w->in.c % PAIRS)                         /* the last run is filled up with zeros */
        for (int64_t t = 0; t < WINO_MATRICES * BLOCK; t++)
            memset(v + t / BLOCK * plane_of(w) + ((w->runs - 1) * BLOCK + t % BLOCK) * PAIRS + w->in.c % PAIRS, 0, (size_t)(PAIRS - w->in.c % PAIRS) * sizeof *v);
}

static void block(void *arg, int number, int worker)
{
    const wino *w = arg;
    int64_t first = (int64_t)number * BLOCK, tiles = pairs_min(BLOCK, w->tiles - first), plane = plane_of(w);
    float *m = (float *)(w->call->scratch + (size_t)worker * w->call->scratch_stride);
    uint16_t *v = (uint16_t *)(m + WINO_MATRICES * PAIRS_BLOCK), *zero = v + WINO_MATRICES * plane;
    int64_t offset[PAIRS_TAPS];
    pairs_ahead ahead = ahead_of(w, first);
    memset(zero, 0, (size_t)(WINO_REACH * w->in.c) * sizeof *zero);
    transform(w, zero, first, tiles, v);
    for (int64_t i = 0; i < w->runs; i++)
        offset[i] = i * BLOCK * PAIRS;
    w->k->begin();
    for (int64_t p = 0; p < w->panels; p++) {
        const uint16_t *u = w->u + p * WINO_MATRICES * w->runs * PAIRS_BLOCK;
        for (int i = 0; i < WINO_MATRICES; i++)
            w->k->product(&(pairs_product){ .a = v + i * plane, .b = u + i * w->runs * PAIRS_BLOCK, .offset = offset, .c = m + i * PAIRS_BLOCK,
                                            .c_row = PAIRS, .terms = (int)w->runs, .rows = (int)tiles, .ahead = &ahead });
        w->k->wino_output(&w->out, w->y, first, tiles, m, PAIRS_BLOCK, p * PAIRS,
                          &(pairs_finish){ .bias = w->bias ? w->bias + p * PAIRS : NULL, .low = w->act == HZ_RELU && !w->gate ? 0 : -INFINITY,
                                           .gate = w->gate, .columns = (int)pairs_min(PAIRS, w->outputs - p * PAIRS) });
    }
    w->k->end();
}

/* ---- transformed weights ---- */

typedef struct packing {
    const wino *w;
    const float *g;           /* (O,3,3,I) */
    uint16_t *u;
    int64_t inputs, filters;  /* I, O */
    int forward;
} packing;

/* One panel of the product's columns: O forward, I backward. */
static void pack_panel(void *arg, int panel, int worker)
{
    const packing *q = arg;
    int64_t runs = q->w->runs, plane = runs * PAIRS_BLOCK, first = (int64_t)panel * PAIRS;
    uint16_t *u = q->u + panel * WINO_MATRICES * plane;
    memset(u, 0, (size_t)(WINO_MATRICES * plane) * sizeof *u);
    if (q->forward)
        for (int64_t o = first; o < pairs_min(first + PAIRS, q->filters); o++)
            for (int64_t i = 0; i < q->inputs; i += 16)
                q->w->k->wino_across(q->g + o * 9 * q->inputs + i, q->inputs, (int)(o - first), (int)(i % PAIRS), u + i / PAIRS * PAIRS_BLOCK, plane);
    else
        for (int64_t o = 0; o < q->filters; o += 2)
            for (int64_t i = first; i < pairs_min(first + PAIRS, q->inputs); i += 16)
                q->w->k->wino_along(q->g + o * 9 * q->inputs + i, q->inputs, q->g + (o + 1) * 9 * q->inputs + i, (int)(i - first),
                                    (int)(o % PAIRS), u + o / PAIRS * PAIRS_BLOCK, plane);
}

/* ---- rows of the kernel lists ---- */

/* 0 unless the node is one of these. */
static int wino_of(const hz_work *w, const cpu_micro *m, wino *r)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    const hz_window *a = &w->attr.window;
    int forward = w->op == OP_conv2d;
    if (!m->pairs || in->dtype != HZ_BF16 || out->dtype != HZ_BF16 || w->in[1].dtype != HZ_F32 || a->kh != 3 || a->kw != 3 || a->sh > 1 || a->sw > 1)
        return 0;
    if (in->shape[3] % 16 || out->shape[3] % 16 || in->shape[3] > PAIRS * PAIRS_TAPS || (a->act != HZ_LINEAR && a->act != HZ_RELU))
        return 0;
    cpu_window window = cpu_window_of(a, forward ? in : out, forward ? out : in);
    *r = (wino){ .k = m->pairs, .x = in->data, .y = out->data, .act = a->act, .outputs = out->shape[3] };
    r->in = (wino_image){ .h = in->shape[1], .w = in->shape[2], .c = in->shape[3], .step = 4, .top = forward ? window.top : 2 - window.top,
                          .left = forward ? window.left : 2 - window.left };
    r->out = (wino_image){ .h = out->shape[1], .w = out->shape[2], .c = out->shape[3], .step = 4 };
    r->in.down = r->out.down = (r->out.h + 3) / 4;
    r->in.across = r->out.across = (r->out.w + 3) / 4;
    r->runs = (in->shape[3] + PAIRS - 1) / PAIRS;
    r->panels = (out->shape[3] + PAIRS - 1) / PAIRS;
    return 1;
}

/* Seconds on the nominal core of wino.c: products at 80 %, 400 cycles for each 36 vectors on the way in or out, and the weights
   from the second-level cache at 32 bytes a cycle, for each block anew; a quarter more, since the direct kernel is nearer to the truth. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    wino r;
    if (!wino_of(w, m, &r))
        return -1;
    double tiles = (double)(w->in[0].shape[0] * r.in.down * r.in.across), pairs = (double)(r.runs * r.panels * PAIRS_BLOCK * WINO_MATRICES);
    double cycles = tiles * 400 * (double)(r.in.c + r.out.c) / 16 + tiles / BLOCK * pairs * 2 / 32 + pairs;
    return 1e-6 + 1.25 * (2 * tiles * pairs / (m->pairs->rate * 0.8 * 118e9) + cycles * 64 / 118e9);
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    wino r;
    return wino_of(w, m, &r) ? (size_t)(r.panels * WINO_MATRICES * r.runs * PAIRS_BLOCK) * sizeof(uint16_t) + (size_t)(r.panels * PAIRS) * sizeof(float) : 0;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    wino r;
    if (!wino_of(w, m, &r))
        return 0;
    return WINO_MATRICES * ((size_t)plane_of(&r) * sizeof(uint16_t) + PAIRS_BLOCK * sizeof(float)) + (size_t)(WINO_REACH * r.in.c) * sizeof(uint16_t);
}

static float *bias_of(const wino *r, void *memory) { return (float *)((uint16_t *)memory + r->panels * WINO_MATRICES * r->runs * PAIRS_BLOCK); }

static void pack(const hz_work *w, const cpu_call *c)
{
    wino r;
    if (!wino_of(w, c->micro, &r))
        return;
    const hz_arg *weights = &w->in[1];
    packing q = { .w = &r, .g = weights->data, .u = c->memory, .inputs = weights->shape[3], .filters = weights->shape[0], .forward = w->op == OP_conv2d };
    pool_run((int)r.panels, pack_panel, &q);
    if (q.forward && w->nin > 2 && w->in[2].data) {
        memset(bias_of(&r, c->memory), 0, (size_t)(r.panels * PAIRS) * sizeof(float));
        memcpy(bias_of(&r, c->memory), w->in[2].data, (size_t)r.outputs * sizeof(float));
    }
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    wino r;
    if (!wino_of(w, c->micro, &r))
        return hz_fail(HZ_EARG, "%s: kernel winopairs was chosen for a node it does not take", w->name);
    r.call = c;
    r.u = c->memory;
    r.threads = pool_threads();
    r.tiles = cpu_rows(w, c) * r.in.down * r.in.across;
    if (w->op == OP_conv2d)
        r.bias = w->nin > 2 && w->in[2].data ? bias_of(&r, c->memory) : NULL;
    else if (w->nin > 2)
        r.gate = w->in[2].data;
    pool_run((int)((r.tiles + BLOCK - 1) / BLOCK), block, &r);
    return HZ_OK;
}

const cpu_kernel conv2d_winopairs = { .name = "winopairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack, .run = run };
const cpu_kernel conv2d_dx_winopairs = { .name = "winopairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack, .run = run };

/* wino.c: kernels "wino" and "winopairs", conv2d and conv2d_dx of 3x3 taps: F(4x4,3x3) for stride 1, polyphase F(4,2)
   for stride 2 (wino.h), with planes in f32 over images in f32 or bf16, and with planes in bf16. Rounded planes make
   results of relative L2 error 8e-3.
   Layout: images (N,H,W,C), weights (O,3,3,I); transformed weights [panel][matrix][k][nv*lanes], k counted in words,
   made once per version of the parameters.
   Work: a task is a block of 24 tiles (a multiple of the micro-kernels' rows, 4, 6, 8 or 12) through all channels:
   transform them to planes of (block,k), then for each panel of outputs a product per plane and the transform back;
   stride 2 in two passes, the first has more planes. At 128 channels V is 450 KB and M 220 KB for stride 1, which
   leaves room in a second-level cache of 1 MB for the weights that stream by. Planes lie block*k + 16 floats apart:
   at multiples of 4096 bytes they would all fall into the same lines of the first-level cache. What a later block
   reads, the weights of the next plane and the lines this block will write are fetched during the products, a line
   or two per step: the transforms wait for memory, the products do not.
   Best seen: 2.4x of the FMA peak in direct-equivalent flops (128 to 128 channels, stride 1), 1.15x
   (64 to 128, stride 2). */
#include "cpu/panel.h"
#include "cpu/wino/wino.h"
#include <string.h>

typedef struct wino {
    const hz_work *w;
    const cpu_wino *k;
    const wino_way *way;
    const cpu_call *call;
    panels p;                 /* of the outputs */
    wino_image in, out;       /* where tiles are read and written */
    wino_image block;         /* tiles of a block side by side: where they are written if the result is not stored */
    const float *u;           /* [panel][36][depth][nv*lanes] */
    const float *bias;        /* (O); NULL: none */
    const void *x;            /* (N,H,W,C) of in.c channels: x forward, dy backward */
    const void *gate;         /* like y: what conv2d_dx's epilogue looks at, NULL: none */
    void *y;                  /* (N,H,W,C) of out.c channels; NULL where it is not stored */
    int64_t depth;            /* words that products sum over */
    int64_t tiles;            /* of the rows in use */
    int64_t v_pitch, v_plane, m_plane;
    void *slots;              /* of the tails */
    int threads, stored;
} wino;

/* ---- one block ---- */

/* The part of an image that `tiles` tiles from `first` on cover. */
static wino_stream span(const wino *w, const void *data, const wino_image *g, int64_t first, int64_t tiles)
{
    int64_t each = g->h * g->w * g->c * w->k->bytes / (g->down * g->across);
    const char *from = (const char *)data + each * first;
    return (wino_stream){ .at = from, .end = from + each * tiles };
}

/* Blocks are taken in turn: the one this worker takes next is about as many blocks ahead as there are workers. */
static wino_ahead ahead_of(const wino *w, int64_t first, int64_t tiles, const char *near)
{
    int64_t next = first + (int64_t)w->threads * WINO_BLOCK;
    int more = next + WINO_BLOCK <= w->tiles;
    return (wino_ahead){ .read = span(w, w->x, &w->in, more ? next : first, more ? WINO_BLOCK : 0),
                         .write = w->stored ? span(w, w->y, &w->out, first, tiles)
                                            : (wino_stream){ .at = near, .end = near },
                         .gate = w->gate ? (const char *)w->gate - (const char *)w->y : 0 };
}

/* What follows when a block is written: each run of tiles side by side is a part of an image. near: the block,
   where it is not stored. */
static void follow(const wino *w, int task, int64_t first, int64_t tiles, char *near)
{
    const wino_image *g = &w->out;
    int64_t bytes = g->c * w->k->bytes;
    wino_spot s = wino_at(g, first);
    cpu_tail_begin(w->w, w->slots, task);
    for (int64_t t = 0, run; t < tiles; t += run, wino_next(g, &s)) {
        run = min(tiles - t, g->across - s.x);
        cpu_rect r = { .n = s.n, .y0 = max(s.y * g->step - g->top, 0),
                       .y1 = min(g->h, (s.y + 1) * g->step - g->top), .x0 = max(s.x * g->step - g->left, 0),
                       .x1 = min(g->w, (s.x + run) * g->step - g->left) };
        char *y = w->stored ? (char *)w->y + ((r.n * g->h + r.y0) * g->w + r.x0) * bytes : near + t * g->step * bytes;
        int64_t pitch = (w->stored ? g->w : w->block.w) * g->c;
        cpu_tail_run(w->w, w->call, w->slots, task, r, y, pitch);
        s.x += run - 1;
    }
}

static void transform(const wino *w, float *v, const float *zero, int64_t first, int64_t tiles, int pass)
{
    w->way->input(&w->in, w->x, zero, first, tiles, v, w->v_plane, w->v_pitch, pass);
    if (tiles < WINO_BLOCK)                           /* products take whole groups of rows */
        for (int p = 0; p < w->way->planes[pass]; p++)
            memset(v + p * w->v_plane + tiles * w->v_pitch, 0,
                   (size_t)((min(WINO_BLOCK, tiles + MICRO_ROWS) - tiles) * w->v_pitch) * sizeof(float));
}

/* The products of a panel with the planes of a pass, of which `before` come in passes before. then: the weights
   that are needed next. */
static void multiply(const wino *w, const float *v, int64_t tiles, int panel, int pass, int before, const float *then,
                     float *m, wino_ahead *ahead)
{
    int nv = panel_nv(&w->p, panel);
    int64_t each = w->depth * nv * w->p.lanes;       /* words of a matrix */
    const float *u = w->u + WINO_MATRICES * w->depth * panel_first(&w->p, panel) * w->p.lanes;
    const uint8_t *matrix = w->way->matrix + before;
    int last = matrix[w->way->planes[pass] - 1];
    for (int p = 0; p < w->way->planes[pass]; p++) {
        const float *next = matrix[p] < last ? u + (matrix[p] + 1) * each : then;
        if (p == 0 || matrix[p] != matrix[p - 1])
            ahead->other = (wino_stream){ .at = (const char *)next, .end = (const char *)(next + each) };
        w->k->product[nv](v + p * w->v_plane, w->v_pitch, u + matrix[p] * each, w->depth, tiles,
                          m + p * w->m_plane, ahead);
    }
}

/* What a pass leaves for the next, of all panels. */
static int64_t part_floats(const wino *w)
{
    return w->way->passes > 1 ? WINO_BLOCK * 16 * round_up(w->out.c, w->p.lanes * MICRO_NV) : 0;
}

/* The first weights of a panel in the pass whose planes begin behind `before`. */
static const float *weights_of(const wino *w, int panel, int before)
{
    int64_t first = panel_first(&w->p, panel), nv = panel_nv(&w->p, panel);
    return w->u + (WINO_MATRICES * first + w->way->matrix[before] * nv) * w->depth * w->p.lanes;
}

static void block(void *arg, int number, int worker)
{
    const wino *w = arg;
    int64_t first = (int64_t)number * WINO_BLOCK, tiles = min(w->tiles - first, WINO_BLOCK);
    float *zero = (float *)(w->call->scratch + (size_t)worker * w->call->scratch_stride);
    float *v = zero + round_up(WINO_REACH * w->in.c, 16);
    float *m = v + w->way->planes[0] * w->v_plane, *part = m + w->way->planes[0] * w->m_plane;
    char *near = (char *)(part + part_floats(w));
    wino_ahead ahead = ahead_of(w, first, tiles, near);
    wino_end end = { .bias = w->bias, .gate = w->gate, .act = w->w->attr.window.act,
                     .alpha = w->w->attr.window.alpha };
    memset(zero, 0, (size_t)w->in.c * WINO_REACH * sizeof(float));
    for (int pass = 0, before = 0; pass < w->way->passes; before += w->way->planes[pass++]) {
        int after = pass + 1 < w->way->passes ? before + w->way->planes[pass] : 0;
        transform(w, v, zero, first, tiles, pass);
        for (int i = 0; i < w->p.count; i++) {
            int64_t width = (int64_t)panel_nv(&w->p, i) * w->p.lanes;
            int64_t channel = (int64_t)panel_first(&w->p, i) * w->p.lanes;
            const float *then = i + 1 < w->p.count ? weights_of(w, i + 1, before) : weights_of(w, 0, after);
            multiply(w, v, tiles, i, pass, before, then, m, &ahead);
            w->way->output(w->stored ? &w->out : &w->block, w->stored ? w->y : near, w->stored ? first : 0,
                           tiles, m, w->m_plane, width, channel, min(width, w->out.c - channel), &end,
                           part + WINO_BLOCK * 16 * channel, pass);
        }
    }
    if (w->w->tails)
        follow(w, number, first, tiles, near);
}

/* ---- transformed weights ---- */

typedef struct packing {
    const cpu_wino *k;
    const wino_way *way;
    panels p;                 /* of the product's columns: O forward, I backward */
    const float *g;           /* (O,3,3,I) */
    float *u;                 /* [panel][36][depth][nv*lanes] */
    int64_t inputs, outputs;  /* I, O */
    int64_t depth;            /* words that products sum over */
} packing;

/* A panel of output channels, the vector of input channels from i on. */
static void pack_rows(const packing *q, int panel, int64_t i)
{
    int lanes = q->p.lanes;
    int64_t first = panel_first(&q->p, panel), width = (int64_t)panel_nv(&q->p, panel) * lanes;
    float *u = q->u + WINO_MATRICES * q->depth * first * lanes + i / q->k->each * width;
    for (int64_t o = first * lanes; o < (first + panel_nv(&q->p, panel)) * lanes; o += lanes)
        q->k->across(q->way, q->g + o * 9 * q->inputs + i, q->inputs, 9 * q->inputs,
                     (int)min(lanes, q->outputs - o), u + o - first * lanes, q->depth * width, width);
}

static int64_t chunks(const packing *q) { return q->inputs / q->p.lanes; }

/* Whole rows of the products' second factors, so that no two threads write to the same lines. What fills no vector
   comes with the last one. */
static void pack_forward(void *arg, int task, int worker)
{
    const packing *q = arg;
    int panel = (int)(task / chunks(q));
    int64_t chunk = task % chunks(q);
    pack_rows(q, panel, chunk * q->p.lanes);
    if (chunk == chunks(q) - 1 && q->inputs % q->p.lanes)
        pack_rows(q, panel, q->inputs - q->p.lanes);
}

/* The output channels of one word, which is a row of the product's second factor; inputs are its columns. */
static void pack_word(const packing *q, int64_t word)
{
    int lanes = q->p.lanes;
    for (int panel = 0; panel < q->p.count; panel++) {
        int64_t first = panel_first(&q->p, panel), end = panel_first(&q->p, panel + 1), width = (end - first) * lanes;
        float *u = q->u + WINO_MATRICES * q->depth * first * lanes + word * width;
        if (end * lanes > q->inputs)             /* lanes beyond the channels are multiplied too */
            for (int p = 0; p < WINO_MATRICES; p++)
                memset(u + p * q->depth * width, 0, (size_t)width * sizeof(float));
        for (int odd = 0; odd < q->k->each; odd++)
            for (int64_t v = first; v < end; v++) {
                int64_t i = min(v * lanes, q->inputs - lanes), o = word * q->k->each + odd;
                q->k->turned(q->way, q->g + o * 9 * q->inputs + i, q->inputs, odd, u + i - first * lanes,
                             q->depth * width, width);
            }
    }
}

enum { WORDS = 8 };      /* of a task */

static void pack_back(void *arg, int task, int worker)
{
    const packing *q = arg;
    for (int64_t word = (int64_t)task * WORDS; word < min(((int64_t)task + 1) * WORDS, q->depth); word++)
        pack_word(q, word);
}

static void pack(const hz_work *w, const cpu_call *c, const cpu_wino *k)
{
    packing q = { .k = k, .p = panels_of(w->out[0].shape[3], c->micro), .g = w->in[1].data, .u = c->memory,
                  .inputs = w->in[1].shape[3], .outputs = w->in[1].shape[0] };
    q.depth = w->in[0].shape[3] / k->each;
    q.way = (w->op == OP_conv2d ? q.k->forward : q.k->back) + wino_stride(w, c->micro);
    if (w->op == OP_conv2d)
        team_run((int)(q.p.count * chunks(&q)), pack_forward, &q);
    else
        team_run((int)ceil_div(q.depth, WORDS), pack_back, &q);
}

/* ---- rows of the kernel lists ---- */

/* Stride 1 takes 6x6 of the input to 4x4, stride 2 takes 9x9 to 4x4, its gradient 5x5 to 8x8. */
static wino wino_of(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    int forward = w->op == OP_conv2d, stride = wino_stride(w, m) + 1;
    cpu_window window = cpu_window_of(&w->attr.window, forward ? in : out, forward ? out : in);
    wino r = { .w = w, .k = k, .stored = cpu_tail_stored(w), .way = (forward ? k->forward : k->back) + stride - 1,
               .p = panels_of(out->shape[3], m), .x = in->data, .y = out->data, .depth = in->shape[3] / k->each };
    r.in = (wino_image){ .h = in->shape[1], .w = in->shape[2], .c = in->shape[3], .step = 4,
                         .top = 3 - stride - window.top, .left = 3 - stride - window.left };
    r.out = (wino_image){ .h = out->shape[1], .w = out->shape[2], .c = out->shape[3], .step = 4 };
    r.block = (wino_image){ .h = 4, .w = 4 * WINO_BLOCK, .c = r.out.c, .step = 4, .down = 1, .across = WINO_BLOCK };
    if (forward) {
        r.in.step = 4 * stride;
        r.in.top = window.top;
        r.in.left = window.left;
    } else if (stride == 2) {
        r.in.top = r.in.left = 1;
        r.out.step = 8;
        r.out.top = window.top;
        r.out.left = window.left;
    }
    r.in.down = r.out.down = ceil_div(r.out.h + r.out.top, r.out.step);
    r.in.across = r.out.across = ceil_div(r.out.w + r.out.left, r.out.step);
    r.v_pitch = round_up(r.in.c, m->lanes) / k->each;
    r.v_plane = WINO_BLOCK * r.v_pitch + 16;
    r.m_plane = WINO_BLOCK * m->max_nv * m->lanes + 16;
    return r;
}

/* Seconds on a nominal core of 118 GFLOP/s, on which the direct kernels reach 100: products at 72 % of it, 5 and
   4 cycles for each vector of a plane on the way in and out, 900 for each vector of weights. Channels are counted
   without the filling up of vectors, which costs the direct kernels as much. */
static double cost(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino r = wino_of(w, m, k);
    double a = (double)r.in.c / m->lanes, b = (double)r.out.c / m->lanes;
    double tiles = (double)(w->in[0].shape[0] * r.in.down * r.in.across);
    double cycles = tiles * (r.way->planes[0] + r.way->planes[1])
                    * ((double)r.in.c * b / 2 / 0.72 / wino_rate(m, k) + 5 * a + 4 * b) + 900 * (double)r.in.c * b;
    return 1e-6 + wino_caution(k) * cycles * 4 * m->lanes / 118e9;
}

static size_t weight_bytes(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    return sizeof(float) * WINO_MATRICES
           * (size_t)(w->in[0].shape[3] / k->each * panels_of(w->out[0].shape[3], m).vectors * m->lanes);
}

static int64_t blocks(int64_t tiles) { return ceil_div(tiles, WINO_BLOCK); }

/* Weights, then the slots of tails. */
static size_t memory(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino r = wino_of(w, m, k);
    return weight_bytes(w, m, k) + cpu_tail_bytes(w, blocks(w->in[0].shape[0] * r.in.down * r.in.across));
}

static size_t scratch(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino r = wino_of(w, m, k);
    return sizeof(float)
           * (size_t)(round_up(WINO_REACH * r.in.c, 16) + r.way->planes[0] * (r.v_plane + r.m_plane) + part_floats(&r))
           + (r.stored ? 0 : (size_t)(WINO_BLOCK * 16 * r.out.c * k->bytes));
}

static hz_status run(const hz_work *w, const cpu_call *c, const cpu_wino *k)
{
    wino r = wino_of(w, c->micro, k);
    r.call = c;
    r.u = c->memory;
    if (w->nin > 2)
        *(w->op == OP_conv2d ? (const void **)&r.bias : &r.gate) = w->in[2].data;
    r.tiles = cpu_rows(w, c) * r.in.down * r.in.across;
    r.threads = team_threads();
    r.slots = (char *)c->memory + weight_bytes(w, c->micro, k);
    team_run((int)blocks(r.tiles), block, &r);
    cpu_tail_end(w, r.slots, (int)blocks(r.tiles));
    return HZ_OK;
}

static int tails(const hz_work *w, const cpu_micro *m) { return cpu_tail_fits(w, 4, 4); }

WINO_ROW(wino_plain)
WINO_ROW(wino_pairs)
static void pack_plain(const hz_work *w, const cpu_call *c) { pack(w, c, wino_plain(w, c->micro)); }
static void pack_pairs(const hz_work *w, const cpu_call *c) { pack(w, c, wino_pairs(w, c->micro)); }

#define PLAIN \
    { .name = "wino", .cost = cost_wino_plain, .memory = memory_wino_plain, .scratch = scratch_wino_plain, \
      .pack = pack_plain, .run = run_wino_plain, .tails = tails }
#define ROUNDED \
    { .name = "winopairs", .cost = cost_wino_pairs, .memory = memory_wino_pairs, .scratch = scratch_wino_pairs, \
      .pack = pack_pairs, .run = run_wino_pairs, .tails = tails, .rounds = 1 }
const cpu_kernel conv2d_wino = PLAIN, conv2d_dx_wino = PLAIN, conv2d_winopairs = ROUNDED, conv2d_dx_winopairs = ROUNDED;

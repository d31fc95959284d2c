/* dw.c: kernels "wino" and "winopairs", conv2d_dw of 3x3 taps and stride 1 or 2 (wino.h), with planes in f32 and
   in bf16: for stride 1 dw = G' [ sum over tiles of (A dy A') * (B' x B) ] G, 36 products (O, tiles) x (tiles, I);
   for stride 2 the same over the phases; and db, the sum of dy.
   Work: the tiles are cut into slots by shape alone; a task is a slot. Its sums, 36*O*I floats, are kept in the
   second-level cache: all of them if they are small; else the slot is gone through once for each part of the planes
   (stride 1: 12 planes of a pair of rows, 790 KB at 128 channels), and x and dy are read as often. Products take
   32 or 64 tiles at a time and fetch what the next block reads. At its end a part is turned into taps, (O,9,I), and
   added to the slot's; the slots are added in order.
   Best seen: 1.9x of the FMA peak in direct-equivalent flops (128 to 128 channels, stride 1), 0.9x
   (64 to 128, stride 2). */
#include "cpu/panel.h"
#include "cpu/wino/wino.h"
#include <string.h>

enum { SLOTS = 8, MANY_SLOTS = 16, SLOT_TILES = 64, FEW_TILES = 32, BLOCK_TILES = 64 };
enum { SUMS_TOGETHER = 700000 };      /* bytes: larger sums are made in parts */

typedef struct wino_dw {
    const cpu_wino *k;
    const wino_sum *sum;
    const cpu_call *call;
    panels p;                 /* of the inputs, which are the columns of the products */
    wino_image x_image, dy_image;
    const void *x, *dy;       /* (N,H,W,I), (N,OH,OW,O) */
    float *dw, *db;           /* (O,3,3,I), (O); NULL where not wanted */
    int64_t tiles, slots;     /* tiles of the rows in use; slots of a full batch */
    int64_t slot_tiles, block;
    int planes, sums;         /* of the largest part; kept at a time */
    int turns, threads;       /* turns: how often the slot is gone through, 1 or once for each part */
    int64_t x_pitch, dy_pitch, x_plane, dy_plane, sum_plane;
    float *partial;           /* (slots,slot_floats): taps (O,9,x_pitch), then bias (dy_pitch) */
    int64_t slot_floats;
} wino_dw;

/* Of a plane, for so many tiles. */
static int64_t words(const wino_dw *w, int64_t tiles) { return ceil_div(tiles, w->k->each); }

static wino_dw dw_of(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    const hz_arg *x = &w->in[0], *dy = &w->in[1];
    cpu_window window = cpu_window_of(&w->attr.window, x, dy);
    int stride = wino_stride(w, m) + 1;
    int64_t down = (dy->shape[1] + 3) / 4, across = (dy->shape[2] + 3) / 4, all = x->shape[0] * down * across;
    wino_dw r = { .k = k, .sum = &k->sum[stride - 1], .p = panels_of(x->shape[3], m), .x = x->data, .dy = dy->data };
    r.x_image = (wino_image){ .h = x->shape[1], .w = x->shape[2], .c = x->shape[3], .step = 4 * stride,
                              .top = window.top, .left = window.left, .down = down, .across = across };
    r.dy_image = (wino_image){ .h = dy->shape[1], .w = dy->shape[2], .c = dy->shape[3], .step = 4, .down = down,
                               .across = across };
    r.x_pitch = round_up(r.x_image.c, m->lanes);
    r.dy_pitch = round_up(r.dy_image.c, m->lanes);
    r.sum_plane = r.dy_image.c * r.x_pitch + 16;
    r.turns = WINO_MATRICES * r.sum_plane * (int64_t)sizeof(float) <= SUMS_TOGETHER ? 1 : r.sum->parts;
    for (int i = 0; i < r.sum->parts; i++) {
        r.planes = r.planes > r.sum->planes[i] ? r.planes : r.sum->planes[i];
        r.sums = r.sums > r.sum->matrices[i] ? r.sums : r.sum->matrices[i];
    }
    r.sums = r.turns == 1 ? WINO_MATRICES : r.sums;
    r.slots = all >= SLOT_TILES * SLOTS * 8 ? MANY_SLOTS : SLOTS;
    while (r.slots > 1 && all / r.slots < SLOT_TILES)
        r.slots /= 2;
    r.slot_tiles = ceil_div(all, r.slots);
    r.block = min(r.turns == 1 ? BLOCK_TILES : FEW_TILES, r.slot_tiles);
    r.x_plane = words(&r, r.block) * r.x_pitch + 16;
    r.dy_plane = words(&r, r.block) * r.dy_pitch + 16;
    r.slot_floats = round_up(r.dy_image.c * 9 * r.x_pitch + r.dy_pitch, 16);
    return r;
}

/* ---- one slot ---- */

/* Slots that hold tiles of the rows in use. */
static int64_t used(const wino_dw *w) { return ceil_div(w->tiles, w->slot_tiles); }

typedef struct area {
    float *zero, *v, *y, *sum;
} area;

static int64_t zeros(const wino_dw *w) { return WINO_REACH * (w->x_pitch > w->dy_pitch ? w->x_pitch : w->dy_pitch); }

static area area_of(const wino_dw *w, char *scratch)
{
    area a = { .zero = (float *)scratch };
    a.v = a.zero + zeros(w);
    a.y = a.v + w->planes * w->x_plane;
    a.sum = a.y + w->planes * w->dy_plane;
    return a;
}

static wino_stream span(const wino_dw *w, const void *data, const wino_image *g, int64_t first, int64_t tiles)
{
    int64_t each = g->h * g->w * g->c * w->k->bytes / (g->down * g->across);
    return (wino_stream){ .at = (const char *)data + each * first, .end = (const char *)data + each * (first + tiles) };
}

/* The block after tiles `at` of a slot that ends at `to`: in the slot, its beginning for the next turn,
   or another slot. */
static wino_ahead ahead_of(const wino_dw *w, int number, int turn, int64_t at, int64_t to)
{
    int64_t next = at + w->block;
    if (next >= to)
        next = (turn + 1 < w->turns ? number : number + w->threads) * w->slot_tiles;
    int64_t tiles = next < w->tiles ? min(w->block, w->tiles - next) : 0;
    next = tiles ? next : at;
    return (wino_ahead){ .read = span(w, w->x, &w->x_image, next, tiles),
                         .other = span(w, w->dy, &w->dy_image, next, tiles) };
}

/* Where the sums of a part are kept. */
static float *sums_of(const wino_dw *w, const area *a, int part)
{
    int64_t before = 0;
    for (int i = 0; i < part && w->turns == 1; i++)
        before += w->sum->matrices[i];
    return a->sum + before * w->sum_plane;
}

/* A part's planes of a block, added to their sums. */
static void multiply(const wino_dw *w, const area *a, int part, int64_t first, int64_t tiles, float *bias, int add,
                     wino_ahead *ahead)
{
    float *sums = sums_of(w, a, part);
    int planes = w->sum->planes[part], each = planes / w->sum->matrices[part];
    w->sum->input(&w->x_image, w->x, a->zero, first, tiles, a->v, w->x_plane, w->x_pitch, part);
    w->sum->grad(&w->dy_image, w->dy, a->zero, first, tiles, a->y, w->dy_plane, w->dy_pitch, part, bias);
    for (int p = 0; p < planes; p++)
        for (int i = 0; i < w->p.count; i++) {
            int64_t column = (int64_t)panel_first(&w->p, i) * w->p.lanes;
            w->k->outer[panel_nv(&w->p, i)](a->y + p * w->dy_plane, w->dy_pitch, a->v + p * w->x_plane + column,
                                            w->x_pitch, words(w, tiles), sums + p / each * w->sum_plane + column,
                                            w->x_pitch, w->dy_image.c, add || p % each, ahead);
        }
}

static void fold(const wino_dw *w, const area *a, int part, float *taps)
{
    const float *sums = sums_of(w, a, part);
    for (int64_t o = 0; o < w->dy_image.c; o++)
        for (int64_t i = 0; i < w->x_pitch; i += w->p.lanes)
            w->sum->fold(sums + o * w->x_pitch + i, w->sum_plane, taps + o * 9 * w->x_pitch + i, w->x_pitch, part);
}

static void slot(void *arg, int number, int worker)
{
    const wino_dw *w = arg;
    int64_t from = number * w->slot_tiles, to = min(from + w->slot_tiles, w->tiles);
    area a = area_of(w, w->call->scratch + (size_t)worker * w->call->scratch_stride);
    float *taps = w->partial + number * w->slot_floats, *bias = taps + w->dy_image.c * 9 * w->x_pitch;
    memset(a.zero, 0, (size_t)zeros(w) * sizeof(float));
    memset(bias, 0, (size_t)w->dy_pitch * sizeof(float));
    if (w->x_pitch > w->x_image.c)               /* lanes beyond the channels are multiplied too */
        memset(a.v, 0, (size_t)(w->planes * w->x_plane) * sizeof(float));
    for (int turn = 0; turn < w->turns; turn++) {
        int begin = w->turns == 1 ? 0 : turn, end = w->turns == 1 ? w->sum->parts : turn + 1;
        for (int64_t t = from; t < to; t += w->block) {
            wino_ahead ahead = ahead_of(w, number, turn, t, to);
            for (int i = begin; i < end; i++)
                multiply(w, &a, i, t, min(w->block, to - t), bias, t > from, &ahead);
        }
        for (int i = begin; i < end; i++)
            fold(w, &a, i, taps);
    }
}

/* ---- sum of the slots ---- */

static void sum(void *arg, int o, int worker)
{
    const wino_dw *w = arg;
    int64_t inputs = w->x_image.c;
    for (int64_t tap = 0; tap < 9 && w->dw; tap++)
        w->call->micro->f32.sum_rows(w->dw + (o * 9 + tap) * inputs, w->partial + (o * 9 + tap) * w->x_pitch, used(w),
                                     w->slot_floats, inputs);
}

static hz_status run(const hz_work *w, const cpu_call *c, const cpu_wino *k)
{
    wino_dw r = dw_of(w, c->micro, k);
    r.call = c;
    r.threads = team_threads();
    r.partial = c->memory;
    r.dw = w->out[0].data;
    r.db = w->nout > 1 ? w->out[1].data : NULL;
    r.tiles = cpu_rows(w, c) * r.x_image.down * r.x_image.across;
    team_run((int)used(&r), slot, &r);
    team_run((int)r.dy_image.c, sum, &r);
    if (r.db)
        c->micro->f32.sum_rows(r.db, r.partial + r.dy_image.c * 9 * r.x_pitch, used(&r), r.slot_floats, r.dy_image.c);
    return HZ_OK;
}

/* ---- row of the kernel list ---- */

/* As in wino.c; products reach 68 %, and each slot turns its sums into taps. */
static double cost(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino_dw r = dw_of(w, m, k);
    double a = (double)r.x_image.c / m->lanes, b = (double)r.dy_image.c / m->lanes;
    double o = (double)r.dy_image.c, planes = 0;
    double tiles = (double)(w->in[0].shape[0] * r.x_image.down * r.x_image.across);
    for (int i = 0; i < r.sum->parts; i++)
        planes += r.sum->planes[i];
    double cycles = tiles * planes * (o * a / 2 / 0.68 / wino_rate(m, k) + 7 * a + 6 * b)
                    + 200 * (double)r.slots * o * a;
    return 1e-6 + wino_caution(k) * cycles * 4 * m->lanes / 118e9;
}

static size_t memory(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino_dw r = dw_of(w, m, k);
    return sizeof(float) * (size_t)(r.slots * r.slot_floats);
}

static size_t scratch(const hz_work *w, const cpu_micro *m, const cpu_wino *k)
{
    wino_dw r = dw_of(w, m, k);
    return sizeof(float) * (size_t)(zeros(&r) + r.planes * (r.x_plane + r.dy_plane) + r.sums * r.sum_plane);
}

WINO_ROW(wino_plain)
WINO_ROW(wino_pairs)
const cpu_kernel conv2d_dw_wino = { .name = "wino", .cost = cost_wino_plain, .memory = memory_wino_plain,
                                    .scratch = scratch_wino_plain, .run = run_wino_plain };
const cpu_kernel conv2d_dw_winopairs = { .name = "winopairs", .cost = cost_wino_pairs, .memory = memory_wino_pairs,
                                         .scratch = scratch_wino_pairs, .run = run_wino_pairs, .rounds = 1 };

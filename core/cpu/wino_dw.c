/* wino_dw.c: kernel "wino", conv2d_dw of 3x3 taps and stride 1 by F(4x4,3x3) (wino.h): dw = G' [ sum over tiles of
   (A dy A') * (B' x B) ] G, 36 products (O, tiles) x (tiles, I), and db, the sum of dy.
   Work: the tiles are cut into slots by shape alone; a task is a slot. It runs through the 36 planes in three parts of 12, so that
   the sums of a part (12*O*I floats, 790 KB at 128 channels) stay in the second-level cache; a part goes through the slot in
   blocks of up to 128 tiles, whose products keep their sums in registers. At its end a part is turned into taps, (O,9,I), and added
   to the slot's; the slots are added in order. x and dy are read three times, twice of them from cache. */
#include "cpu/panel.h"
#include "cpu/wino.h"
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 16, SLOT_TILES = 128, BLOCK = 128, PARTS = 3, PART = WINO_PLANES / PARTS };

typedef struct wino_dw {
    const cpu_wino *k;
    const cpu_call *call;
    panels p;                 /* of the inputs, which are the columns of the products */
    wino_image x_image, dy_image;
    const float *x, *dy;
    float *dw, *db;           /* (O,3,3,I), (O); NULL where not wanted */
    int64_t tiles, slots;     /* tiles of the rows in use; slots of a full batch */
    int64_t slot_tiles, block;
    int64_t x_pitch, dy_pitch, x_plane, dy_plane, sum_plane;
    float *partial;           /* per slot: taps (O,9,x_pitch), then bias (dy_pitch) */
    int64_t slot_floats;
} wino_dw;

static int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static wino_dw dw_of(const hz_work *w, const cpu_micro *m)
{
    const hz_arg *x = &w->in[0], *dy = &w->in[1];
    cpu_window window = cpu_window_of(&w->attr.window, x, dy);
    int64_t down = (dy->shape[1] + 3) / 4, across = (dy->shape[2] + 3) / 4, all = x->shape[0] * down * across;
    wino_dw r = { .k = m->wino, .p = panels_of(x->shape[3], m), .x = x->data, .dy = dy->data, .slots = SLOTS };
    r.x_image = (wino_image){ .h = x->shape[1], .w = x->shape[2], .c = x->shape[3], .top = window.top, .left = window.left,
                              .down = down, .across = across };
    r.dy_image = (wino_image){ .h = dy->shape[1], .w = dy->shape[2], .c = dy->shape[3], .down = down, .across = across };
    while (r.slots > 1 && all / r.slots < SLOT_TILES)
        r.slots /= 2;
    r.slot_tiles = (all + r.slots - 1) / r.slots;
    r.block = smaller(BLOCK, r.slot_tiles);
    r.x_pitch = round_up(r.x_image.c, m->lanes);
    r.dy_pitch = round_up(r.dy_image.c, m->lanes);
    r.x_plane = r.block * r.x_pitch + 16;
    r.dy_plane = r.block * r.dy_pitch + 16;
    r.sum_plane = r.dy_image.c * r.x_pitch + 16;
    r.slot_floats = round_up(r.dy_image.c * 9 * r.x_pitch + r.dy_pitch, 16);
    return r;
}

/* ---- one slot ---- */

typedef struct area {
    float *zero, *v, *y, *sum;
} area;

static int64_t zeros(const wino_dw *w) { return WINO_IN * (w->x_pitch > w->dy_pitch ? w->x_pitch : w->dy_pitch); }

static area area_of(const wino_dw *w, char *scratch)
{
    area a = { .zero = (float *)scratch };
    a.v = a.zero + zeros(w);
    a.y = a.v + PART * w->x_plane;
    a.sum = a.y + PART * w->dy_plane;
    return a;
}

static void products(const wino_dw *w, const area *a, int64_t tiles, int add)
{
    for (int p = 0; p < PART; p++)
        for (int i = 0; i < w->p.count; i++) {
            int64_t first = (int64_t)panel_first(&w->p, i) * w->p.lanes;
            w->k->outer[panel_nv(&w->p, i)](a->y + p * w->dy_plane, w->dy_pitch, a->v + p * w->x_plane + first, w->x_pitch, tiles,
                                            a->sum + p * w->sum_plane + first, w->x_pitch, w->dy_image.c, add);
        }
}

static void slot(void *arg, int number, int worker)
{
    const wino_dw *w = arg;
    int64_t from = number * w->slot_tiles, to = smaller(from + w->slot_tiles, w->tiles);
    area a = area_of(w, w->call->scratch + (size_t)worker * w->call->scratch_stride);
    float *taps = w->partial + number * w->slot_floats, *bias = taps + w->dy_image.c * 9 * w->x_pitch;
    memset(a.zero, 0, (size_t)zeros(w) * sizeof(float));
    memset(bias, 0, (size_t)w->dy_pitch * sizeof(float));
    if (w->x_pitch > w->x_image.c)               /* lanes beyond the channels are multiplied too */
        memset(a.v, 0, (size_t)(PART * w->x_plane) * sizeof(float));
    for (int part = 0; part < PARTS; part++) {
        for (int64_t t = from; t < to; t += w->block) {
            int64_t tiles = smaller(w->block, to - t);
            w->k->input(&w->x_image, w->x, a.zero, t, tiles, a.v, w->x_plane, w->x_pitch, 1 << part);
            w->k->grad(&w->dy_image, w->dy, a.zero, t, tiles, a.y, w->dy_plane, w->dy_pitch, part, bias);
            products(w, &a, tiles, t > from);
        }
        for (int64_t o = 0; o < w->dy_image.c; o++)
            for (int64_t i = 0; i < w->x_pitch; i += w->p.lanes)
                w->k->fold(a.sum + o * w->x_pitch + i, w->sum_plane, taps + o * 9 * w->x_pitch + i, w->x_pitch, part);
    }
}

/* ---- sum of the slots ---- */

/* Slots that hold tiles of the rows in use. */
static int64_t used(const wino_dw *w) { return (w->tiles + w->slot_tiles - 1) / w->slot_tiles; }

static void sum(void *arg, int o, int worker)
{
    const wino_dw *w = arg;
    int64_t inputs = w->x_image.c;
    for (int64_t tap = 0; tap < 9 && w->dw; tap++)
        w->call->micro->sum_rows(w->dw + (o * 9 + tap) * inputs, w->partial + (o * 9 + tap) * w->x_pitch, used(w), w->slot_floats, inputs);
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    wino_dw r = dw_of(w, c->micro);
    r.call = c;
    r.partial = c->memory;
    r.dw = w->out[0].data;
    r.db = w->nout > 1 ? w->out[1].data : NULL;
    r.tiles = cpu_rows(w, c) * r.x_image.down * r.x_image.across;
    pool_run((int)used(&r), slot, &r);
    pool_run((int)r.dy_image.c, sum, &r);
    if (r.db)
        c->micro->sum_rows(r.db, r.partial + r.dy_image.c * 9 * r.x_pitch, used(&r), r.slot_floats, r.dy_image.c);
    return HZ_OK;
}

/* ---- row of the kernel list ---- */

static double cost(const hz_work *w, const cpu_micro *m)
{
    if (!wino_fits(w, m))
        return -1;
    wino_dw r = dw_of(w, m);
    return wino_cost(m, w->in[0].shape[0] * r.x_image.down * r.x_image.across, r.x_image.c, r.dy_image.c);
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    wino_dw r = dw_of(w, m);
    return sizeof(float) * (size_t)(r.slots * r.slot_floats);
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    wino_dw r = dw_of(w, m);
    return sizeof(float) * (size_t)(zeros(&r) + PART * (r.x_plane + r.dy_plane + r.sum_plane));
}

const cpu_kernel conv2d_dw_wino = { .name = "wino", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

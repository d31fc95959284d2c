/* dw.c: kernel "pairs", conv2d_dw and dense_dw over bf16 (pairs.h): dw[o][tap][i] = sum over outputs q of
   dy[q][o] * x[q + tap][i].
   The sum runs over pixels, so pairs are pairs of neighbouring pixels: dy is transposed to (O/32, q/32, 32, 32),
   x is rewritten as (q/2, 32, 2), once beginning at even pixels and once at odd ones for the taps that move by an odd
   number. Outputs that do not exist have dy = 0.
   The sums of a block of 32 x 32 channels are made for about 288 outputs at a time by all taps, so that dy and
   x stay in the first-level cache.
   Work: groups of images are cut into slots by shape alone; a task is a slot, whose sums in f32, [O/32][run][tap]
   blocks of 32 x 32, stay in the second-level cache; slots are added in order. */
#include "cpu/pairs/pairs.h"
#include <string.h>

enum { SLOTS = 8, SLOT_BYTES = 64 << 20, TOGETHER = 9 };       /* TOGETHER: times 32 outputs of a product, at most */

typedef struct grad {
    const hz_work *w;
    const cpu_pairs *k;
    const cpu_call *call;
    pairs_shape s;
    const uint16_t *x, *dy;   /* (N,H,W,I), (N,OH,OW,O) */
    float *dw, *db;           /* (O,KH,KW,I), (O); NULL where not wanted */
    float *partial;           /* (slots,slot_floats): [panel of O][run][tap][32][32], then bias (outs) */
    /* outs: O rounded up to 16; groups, slots: of a full batch */
    int64_t outs, panels, sums, slot_floats, slots, groups;
    int64_t depth;            /* outputs of a group of images, rounded up */
    int copies;               /* of x: 2 if some tap moves by an odd number */
    int64_t offset[TOGETHER];
    /* of the taps: those that read the same copy and plane follow each other, it stays in the first-level cache */
    int order[PAIRS_TAPS];
} grad;

typedef struct area {
    uint16_t *source;         /* (plane,32): one run of a plane */
    uint16_t *x;              /* [copy][run](pixels/2,32,2) */
    uint16_t *dy;             /* [panel](depth/32,32,32): channels by outputs */
    uint16_t *pixels;         /* (33,32*panels): 32 of dy, padded; behind them one of zeros */
    uint16_t *spread;         /* dy of a group of images where a head makes it */
} area;

static int64_t copy_elements(const grad *g) { return g->s.source.pixels * g->s.source.runs * PAIRS; }
static int64_t source_elements(const grad *g) { return g->s.source.plane * PAIRS; }

static area area_of(const grad *g, char *scratch)
{
    area a = { .source = (uint16_t *)scratch };
    a.x = a.source + source_elements(g);
    a.dy = a.x + g->copies * copy_elements(g);
    a.pixels = a.dy + g->panels * PAIRS * g->depth;
    a.spread = a.pixels + g->panels * PAIRS * (PAIRS + 1);
    return a;
}

static size_t area_bytes(const grad *g)
{
    return sizeof(uint16_t) * (size_t)(source_elements(g) + g->copies * copy_elements(g)
                                       + g->panels * PAIRS * (g->depth + PAIRS + 1)
                                       + (g->w->head.op ? g->s.source.images * g->s.oh * g->s.ow * g->s.oc : 0));
}

/* ---- x ---- */

/* Where pair `pair` of run i lies: [copy][run][q/2][32][2]. */
static uint16_t *pair_of(const grad *g, const area *a, int copy, int64_t i, int64_t pair)
{
    return a->x + ((copy * g->s.source.runs + i) * g->s.source.pixels + 2 * pair) * PAIRS;
}

/* Images n0..n1-1, a plane of a run at a time, which stays in the first-level cache. */
static void rewrite(const grad *g, const area *a, int64_t n0, int64_t n1)
{
    const pairs_source *s = &g->s.source;
    int64_t planes = s->step_y * s->step_x;
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t p = 0; p < planes; p++) {
            int64_t pair = p * s->plane / 2;
            pairs_fill_plane(g->k, &g->s, g->x, n0, n1, p, i, a->source);
            g->k->interleave(a->source, s->plane / 2, pair_of(g, a, 0, i, pair),
                             g->copies > 1 ? pair_of(g, a, 1, i, pair) : NULL);
        }
}

/* What products read behind the planes. */
static void clear_ends(const grad *g, const area *a)
{
    const pairs_source *s = &g->s.source;
    int64_t used = s->step_y * s->step_x * s->plane;
    for (int copy = 0; copy < g->copies; copy++)
        for (int64_t i = 0; i < s->runs; i++)
            memset(pair_of(g, a, copy, i, used / 2), 0, (size_t)((s->pixels - used) * PAIRS) * sizeof *a->x);
}

/* ---- dy ---- */

static int64_t width(const grad *g, int64_t n) { return g->s.flat && n == g->s.used - 1 ? g->s.last : g->s.ow; }

/* The 32 outputs of images n0.. from q on as pixels of dy; those that do not exist are `zero`. */
static void pixels_of(const grad *g, const uint16_t *dy, int64_t n0, int64_t q, const uint16_t *zero,
                      const uint16_t *pixel[PAIRS])
{
    const pairs_source *s = &g->s.source;
    int64_t x = q % s->pitch, n = n0 + q / s->pitch % s->images, y = q / s->pitch / s->images;
    for (int i = 0; i < PAIRS;) {
        int64_t wide = n < g->s.used && y < g->s.oh ? width(g, n) : 0;
        const uint16_t *row = dy + (n * g->s.oh + y) * g->s.ow * g->s.oc;
        for (; i < PAIRS && x < s->pitch; i++, x++)
            pixel[i] = x < wide ? row + x * g->s.oc : zero;
        if (x < s->pitch)
            return;
        x = 0;
        if (++n == n0 + s->images) {
            n = n0;
            y++;
        }
    }
}

/* dy as [panel][q/32][32][32]; sum: of each channel; NULL: not wanted. */
static void transpose(const grad *g, const area *a, int64_t n0, int64_t n1, float *sum)
{
    const uint16_t *dy = g->w->head.op ? cpu_head_run(g->w, g->call, n0 * g->s.oh, n1 * g->s.oh, a->spread) : g->dy;
    int64_t oc = g->s.oc, wide = g->panels * PAIRS;
    uint16_t *zero = a->pixels + PAIRS * wide;
    for (int64_t q = 0; q < g->depth; q += PAIRS) {
        const uint16_t *pixel[PAIRS];
        pixels_of(g, dy, n0, q, zero, pixel);
        for (int i = 0; i < PAIRS && oc < g->outs; i++)               /* vectors would read beyond the channels */
            if (pixel[i] != zero)
                pixel[i] = memcpy(a->pixels + i * wide, pixel[i], (size_t)oc * sizeof *zero);
        for (int64_t o = 0; o < g->outs; o += 16) {
            const uint16_t *at[PAIRS];
            for (int i = 0; i < PAIRS; i++)
                at[i] = pixel[i] + o;
            g->k->transpose(at, a->dy + (o / PAIRS * g->depth + q) * PAIRS + o % PAIRS * PAIRS,
                            sum ? sum + o : NULL);
        }
    }
}

/* ---- a slot ---- */

/* The images from n on, spread over the terms of the products: dy, or the gradients that a head makes it of, then x. */
static pairs_ahead ahead_of(const grad *g, int64_t n)
{
    const pairs_source *s = &g->s.source;
    const uint16_t *from = g->w->head.op ? g->w->in[g->w->head.in].data : g->dy;
    int64_t terms = g->panels * s->runs * g->s.group[0].taps * (g->depth / PAIRS);
    int64_t x = s->h * s->w * s->c * (int64_t)sizeof *g->x;
    int64_t dy = (g->w->head.op ? cpu_size(&g->w->in[g->w->head.in], 1, 4) : g->s.oh * g->s.ow * g->s.oc)
                 * (int64_t)sizeof *g->dy;
    if (n + s->images >= g->s.used)
        return (pairs_ahead){ .read = NULL };
    pairs_ahead a = { .read = (const char *)from + n * dy, .then = (const char *)g->x + n * x };
    a.end = a.read + s->images * dy;
    a.last = a.then + s->images * x;
    a.reads = (int)(s->images * (x + dy) / 64 / terms + 1);
    return a;
}

/* The products of a group, one after the other: for a part of the outputs, from step `from` of 32 on, all blocks
   of sums, which lie in this order. Parts are about equal. */
typedef struct place {
    int64_t part, parts, from, terms, panel, i;
    int tap;
    float *sums;
} place;

static void begin_part(const grad *g, place *p, float *sums)
{
    int64_t steps = g->depth / PAIRS;
    p->from = steps * p->part / p->parts;
    p->terms = steps * (p->part + 1) / p->parts - p->from;
    p->sums = sums;
}

static void advance(const grad *g, place *p, float *sums)
{
    p->sums += PAIRS_BLOCK;
    if (++p->tap < g->s.group[0].taps)
        return;
    p->tap = 0;
    if (++p->i < g->s.source.runs)
        return;
    p->i = 0;
    if (++p->panel < g->panels)
        return;
    p->panel = 0;
    p->part++;
    begin_part(g, p, sums);
}

static pairs_product product_at(const grad *g, const area *a, const place *p, int add)
{
    int64_t move = g->s.group[0].offset[g->order[p->tap]];
    static const int32_t tile[] = { 0, 16 };
    return (pairs_product){ .a = a->dy + (p->panel * g->depth + p->from * PAIRS) * PAIRS, .offset = g->offset,
                            .tile = tile, .c = p->sums,
                            .b = pair_of(g, a, move & 1, p->i, p->from * (PAIRS / 2) + (move >> 1)),
                            .blocks = 1, .terms = (int)p->terms,
                            .rows = (int)min(PAIRS, g->outs - p->panel * PAIRS), .add = add || p->part > 0 };
}

static void multiply(const grad *g, const area *a, float *sums, int add, pairs_ahead *ahead)
{
    place at = { .parts = ceil_div(g->depth / PAIRS, TOGETHER) };
    begin_part(g, &at, sums);
    while (at.part < at.parts) {
        pairs_product now = product_at(g, a, &at, add);
        now.ahead = ahead;
        advance(g, &at, sums);
        now.next = at.part < at.parts ? at.sums : NULL;
        g->k->product(&now);
    }
}

static void slot(void *arg, int number, int worker)
{
    const grad *g = arg;
    area a = area_of(g, g->call->scratch + (size_t)worker * g->call->scratch_stride);
    float *sums = g->partial + number * g->slot_floats;
    int64_t from = g->groups * number / g->slots, to = g->groups * (number + 1) / g->slots, images = g->s.source.images;
    memset(sums + g->sums, 0, (size_t)g->outs * sizeof(float));
    memset(a.pixels, 0, (size_t)((PAIRS + 1) * g->panels * PAIRS) * sizeof *a.pixels);
    clear_ends(g, &a);
    g->k->begin();
    for (int64_t i = from; i < to && i * images < g->s.used; i++) {
        int64_t n0 = i * images, n1 = min(n0 + images, g->s.used);
        pairs_ahead ahead = ahead_of(g, n1);
        transpose(g, &a, n0, n1, g->db ? sums + g->sums : NULL);
        if (!g->dw)
            continue;
        rewrite(g, &a, n0, n1);
        multiply(g, &a, sums, i > from, &ahead);
    }
    g->k->end();
}

/* ---- sum of the slots ---- */

/* Slots that hold items in use. */
static int64_t used(const grad *g)
{
    int64_t n = 1;
    while (n < g->slots && g->groups * n / g->slots * g->s.source.images < g->s.used)
        n++;
    return n;
}

/* Run i of a panel. */
static void sum(void *arg, int number, int worker)
{
    const grad *g = arg;
    const pairs_source *s = &g->s.source;
    int64_t inputs = s->lowered ? s->window.kh * s->window.kw * s->c : s->c;
    int64_t panel = number / s->runs, i = number % s->runs;
    int64_t rows = min(PAIRS, g->s.oc - panel * PAIRS), wide = min(PAIRS, inputs - i * PAIRS);
    float all[PAIRS_BLOCK];
    for (int64_t t = 0; t < g->s.taps; t++) {
        g->call->micro->f32.sum_rows(all, g->partial + (number * g->s.taps + t) * PAIRS_BLOCK, used(g), g->slot_floats,
                                     PAIRS_BLOCK);
        for (int64_t r = 0; r < rows; r++) {
            float *to = g->dw + ((panel * PAIRS + r) * g->s.taps + g->order[t]) * inputs + i * PAIRS;
            memcpy(to, all + r * 16, (size_t)min(wide, 16) * sizeof(float));
            memcpy(to + 16, all + PAIRS_HALF + r * 16, (size_t)max(wide - 16, 0) * sizeof(float));
        }
    }
}

/* ---- rows of the kernel lists ---- */

static int comes_before(const pairs_group *g, int a, int b)
{
    int64_t odd_a = g->offset[a] % 2, odd_b = g->offset[b] % 2;
    return odd_a != odd_b ? odd_a < odd_b : g->offset[a] < g->offset[b];
}

static void sort_taps(const pairs_group *g, int *order)
{
    for (int t = 0; t < g->taps; t++) {
        int at = t;
        for (; at > 0 && comes_before(g, t, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = t;
    }
}

static int grad_of(const hz_work *w, const cpu_micro *m, grad *g)
{
    *g = (grad){ .w = w, .k = m->pairs };
    if (!pairs_shape_of(w, m, &g->s))
        return 0;
    const pairs_group *only = &g->s.group[0];
    g->outs = round_up(g->s.oc, 16);
    g->panels = ceil_div(g->s.oc, PAIRS);
    g->depth = round_up(only->oh * g->s.source.images * g->s.source.pitch, PAIRS);
    sort_taps(only, g->order);
    for (int t = 0; t < TOGETHER; t++)
        g->offset[t] = t * PAIRS_BLOCK;
    g->copies = 1;
    for (int t = 0; t < only->taps; t++)
        if (only->offset[t] % 2)
            g->copies = 2;
    g->sums = g->panels * PAIRS * g->s.taps * g->s.source.runs * PAIRS;
    g->slot_floats = g->sums + g->outs;
    g->groups = ceil_div(g->s.items, g->s.source.images);
    g->slots = max(1, min(min(SLOTS, g->groups),
                                      SLOT_BYTES / (g->slot_floats * (int64_t)sizeof(float))));
    return 1;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    grad g;
    if (!grad_of(w, m, &g))
        return -1;
    double images = (double)g.groups;
    double elements = (double)copy_elements(&g) * (1 + g.copies) + (double)(g.outs * g.depth) * 2;
    double products = images * (double)g.depth * (double)g.sums;
    return 1e-6 + 2 * products / (m->pairs_rate * 100e9) + images * elements * 1e-10
           + (double)g.slots * (double)g.sums * 1e-9;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    grad g;
    return grad_of(w, m, &g) ? sizeof(float) * (size_t)(g.slots * g.slot_floats) : 0;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    grad g;
    return grad_of(w, m, &g) ? area_bytes(&g) : 0;
}

static hz_status run(const hz_work *w, const cpu_call *call)
{
    grad g;
    if (!grad_of(w, call->micro, &g))
        return hz_fail(HZ_EARG, "%s: kernel pairs was chosen for a node it does not take", w->name);
    g.call = call;
    g.x = w->in[0].data;
    g.dy = w->in[1].data;
    g.dw = w->out[0].data;
    g.db = w->nout > 1 ? w->out[1].data : NULL;
    g.partial = call->memory;
    pairs_use(&g.s, w, call);
    team_run((int)used(&g), slot, &g);
    if (g.dw)
        team_run((int)(g.panels * g.s.source.runs), sum, &g);
    if (g.db)
        call->micro->f32.sum_rows(g.db, g.partial + g.sums, used(&g), g.slot_floats, g.s.oc);
    return HZ_OK;
}

const cpu_kernel conv2d_dw_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .run = run,
                                     .heads = 1 };
const cpu_kernel dense_dw_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

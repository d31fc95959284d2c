/* pairs_dw.c: kernel "pairs", conv2d_dw and dense_dw over bf16 (pairs.h): dw[o][tap][i] = sum over outputs q of dy[q][o] * x[q + tap][i].
   The sum runs over pixels, so pairs are pairs of neighbouring pixels: dy is transposed to (q/32, O, 32), x is rewritten as (q/2, 32, 2), once
   beginning at even pixels and once at odd ones for the taps that move by an odd number. Outputs that do not exist have dy = 0.
   The sums of a block of 32 x 32 channels are made for 256 outputs at a time by all taps, so that dy and x stay in the first-level cache.
   Work: groups of images are cut into slots by shape alone; a task is a slot, whose sums in f32, [O/32][run][tap] blocks of 32 x 32, stay in
   the second-level cache; slots are added in order. */
#include "cpu/pairs.h"
#include <string.h>

enum { SLOTS = 8, SLOT_BYTES = 64 << 20, TOGETHER = 8 };       /* TOGETHER: times 32 outputs of a product */

typedef struct grad {
    const cpu_pairs *k;
    const cpu_call *call;
    pairs_shape s;
    const uint16_t *x, *dy;
    float *dw, *db;           /* NULL where not wanted */
    float *partial;           /* per slot: [panel of O][run][tap][32][32], then bias (outs) */
    int64_t outs, sums, slot_floats, slots, groups;       /* outs: O rounded up; groups, slots: of a full batch */
    int64_t depth;            /* outputs of a group of images, rounded up */
    int copies;               /* of x: 2 if some tap moves by an odd number */
} grad;

typedef struct area {
    uint16_t *source, *x, *dy, *pixels;       /* pixels: 32 of dy, padded; behind them one of zeros */
} area;

static int64_t copy_elements(const grad *g) { return g->s.source.pixels * g->s.source.runs * PAIRS; }

static area area_of(const grad *g, char *scratch)
{
    area a = { .source = (uint16_t *)scratch };
    a.x = a.source + pairs_up(copy_elements(g), PAIRS);
    a.dy = a.x + g->copies * copy_elements(g);
    a.pixels = a.dy + g->outs * g->depth;
    return a;
}

static size_t area_bytes(const grad *g)
{
    return sizeof(uint16_t) * (size_t)(pairs_up(copy_elements(g), PAIRS) + g->copies * copy_elements(g) + g->outs * (g->depth + PAIRS + 1));
}

/* ---- x ---- */

/* [copy][panel][q/2][32][2]; the last pair of the odd copy has one pixel too few and stays zero. */
static void interleave(const grad *g, const area *a)
{
    const pairs_source *s = &g->s.source;
    int64_t pairs = s->pixels / 2;
    uint16_t *out = a->x;
    for (int copy = 0; copy < g->copies; copy++)
        for (int64_t i = 0; i < s->runs; i++, out += pairs * 2 * PAIRS) {
            g->k->interleave(a->source + (i * s->pixels + copy) * PAIRS, pairs - copy, out);
            memset(out + (pairs - copy) * 2 * PAIRS, 0, (size_t)(copy * 2 * PAIRS) * sizeof *out);
        }
}

/* ---- dy ---- */

static int64_t width(const grad *g, int64_t n) { return g->s.flat && n == g->s.used - 1 ? g->s.last : g->s.ow; }

/* Output q of images n0.. as a pixel of dy; NULL if it does not exist. */
static const uint16_t *pixel_of(const grad *g, int64_t n0, int64_t q)
{
    const pairs_source *s = &g->s.source;
    int64_t x = q % s->pitch, n = n0 + q / s->pitch % s->images, y = q / s->pitch / s->images;
    return n < g->s.used && y < g->s.oh && x < width(g, n) ? g->dy + ((n * g->s.oh + y) * g->s.ow + x) * g->s.oc : NULL;
}

static void transpose(const grad *g, const area *a, int64_t n0, float *sum)
{
    int64_t oc = g->s.oc;
    uint16_t *zero = a->pixels + PAIRS * g->outs;
    memset(a->pixels, 0, (size_t)((PAIRS + 1) * g->outs) * sizeof *zero);
    for (int64_t q = 0; q < g->depth; q += PAIRS) {
        const uint16_t *pixel[PAIRS];
        for (int i = 0; i < PAIRS; i++) {
            const uint16_t *p = pixel_of(g, n0, q + i);
            if (p && oc < g->outs)               /* vectors would read beyond the channels */
                p = memcpy(a->pixels + i * g->outs, p, (size_t)oc * sizeof *p);
            pixel[i] = p ? p : zero;
        }
        for (int64_t o = 0; o < g->outs; o += 16) {
            const uint16_t *at[PAIRS];
            for (int i = 0; i < PAIRS; i++)
                at[i] = pixel[i] + o;
            g->k->transpose(at, a->dy + q * g->outs + o * PAIRS, sum + o);
        }
    }
}

/* ---- a slot ---- */

/* The images from n on: x in place of reads, dy in place of writes, spread over the terms of the products. */
static pairs_ahead ahead_of(const grad *g, int64_t n)
{
    const pairs_source *s = &g->s.source;
    int64_t terms = (g->outs + PAIRS - 1) / PAIRS * s->runs * g->s.group[0].taps * (g->depth / PAIRS);
    int64_t x = s->h * s->w * s->c * (int64_t)sizeof *g->x, dy = g->s.oh * g->s.ow * g->s.oc * (int64_t)sizeof *g->dy;
    if (n + s->images >= g->s.used)
        return (pairs_ahead){ .read = NULL };
    const char *from = (const char *)g->x + n * x;
    return (pairs_ahead){ .read = from, .end = from + s->images * x, .reads = (int)(s->images * x / 64 / terms + 1),
                          .write = (const char *)g->dy + n * dy, .write_step = 64, .writes = (int)(s->images * dy / 64 / terms) };
}

/* Outputs q..to-1, all taps, 32 channels of dy from o on and run i of x. */
static void some(const grad *g, const area *a, int64_t o, int64_t i, int64_t q, int64_t to, float *sums, int add,
                 pairs_ahead *ahead)
{
    const pairs_source *s = &g->s.source;
    int64_t offset[TOGETHER];
    for (int t = 0; t < TOGETHER; t++)
        offset[t] = t * g->outs * PAIRS;
    for (int t = 0; t < g->s.group[0].taps; t++) {
        int64_t move = g->s.group[0].offset[t];
        const uint16_t *x = a->x + (move % 2 * s->runs + i) * s->pixels * PAIRS + (q + move - move % 2) * PAIRS;
        g->k->product(&(pairs_product){ .a = a->dy + q * g->outs + o * PAIRS, .b = x, .offset = offset,
                                        .c = sums + ((o / PAIRS * s->runs + i) * g->s.taps + t) * PAIRS_BLOCK, .c_row = PAIRS,
                                        .terms = (int)((to - q) / PAIRS), .rows = (int)pairs_min(PAIRS, g->outs - o), .add = add, .ahead = ahead });
    }
}

static void multiply(const grad *g, const area *a, float *sums, int add, pairs_ahead *ahead)
{
    for (int64_t o = 0; o < g->outs; o += PAIRS)
        for (int64_t i = 0; i < g->s.source.runs; i++)
            for (int64_t q = 0; q < g->depth; q += TOGETHER * PAIRS)
                some(g, a, o, i, q, pairs_min(g->depth, q + TOGETHER * PAIRS), sums, add || q > 0, ahead);
}

static void slot(void *arg, int number, int worker)
{
    const grad *g = arg;
    area a = area_of(g, g->call->scratch + (size_t)worker * g->call->scratch_stride);
    float *sums = g->partial + number * g->slot_floats;
    int64_t from = g->groups * number / g->slots, to = g->groups * (number + 1) / g->slots, images = g->s.source.images;
    memset(sums + g->sums, 0, (size_t)g->outs * sizeof(float));
    g->k->begin();
    for (int64_t i = from; i < to && i * images < g->s.used; i++) {
        int64_t n0 = i * images, n1 = pairs_min(n0 + images, g->s.used);
        pairs_ahead ahead = ahead_of(g, n1);
        transpose(g, &a, n0, sums + g->sums);
        if (!g->dw)
            continue;
        pairs_fill(g->k, &g->s, g->x, n0, n1, a.source);
        interleave(g, &a);
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

static void sum(void *arg, int o, int worker)
{
    const grad *g = arg;
    const pairs_source *s = &g->s.source;
    int64_t inputs = s->lowered ? s->window.kh * s->window.kw * s->c : s->c;
    for (int64_t t = 0; t < g->s.taps; t++)
        for (int64_t i = 0; i < s->runs; i++)
            g->call->micro->f32.sum_rows(g->dw + (o * g->s.taps + t) * inputs + i * PAIRS,
                                         g->partial + ((o / PAIRS * s->runs + i) * g->s.taps + t) * PAIRS_BLOCK + o % PAIRS * PAIRS,
                                         used(g), g->slot_floats, pairs_min(PAIRS, inputs - i * PAIRS));
}

/* ---- rows of the kernel lists ---- */

static int grad_of(const hz_work *w, const cpu_micro *m, grad *g)
{
    *g = (grad){ .k = m->pairs };
    if (!pairs_shape_of(w, m, &g->s))
        return 0;
    const pairs_group *only = &g->s.group[0];
    g->outs = pairs_up(g->s.oc, 16);
    g->depth = pairs_up(only->oh * g->s.source.images * g->s.source.pitch, PAIRS);
    g->copies = 1;
    for (int t = 0; t < only->taps; t++)
        if (only->offset[t] % 2)
            g->copies = 2;
    g->sums = pairs_up(g->outs, PAIRS) * g->s.taps * g->s.source.runs * PAIRS;
    g->slot_floats = g->sums + g->outs;
    g->groups = (g->s.items + g->s.source.images - 1) / g->s.source.images;
    g->slots = pairs_max(1, pairs_min(pairs_min(SLOTS, g->groups), SLOT_BYTES / (g->slot_floats * (int64_t)sizeof(float))));
    return 1;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    grad g;
    if (!grad_of(w, m, &g))
        return -1;
    double images = (double)g.groups, elements = (double)copy_elements(&g) * (1 + g.copies) + (double)(g.outs * g.depth) * 2;
    double products = images * (double)g.depth * (double)g.sums;
    return 1e-6 + 2 * products / (m->pairs->rate * 100e9) + images * elements * 1e-10 + (double)g.slots * (double)g.sums * 1e-9;
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
    pool_run((int)used(&g), slot, &g);
    if (g.dw)
        pool_run((int)g.s.oc, sum, &g);
    if (g.db)
        call->micro->f32.sum_rows(g.db, g.partial + g.sums, used(&g), g.slot_floats, g.s.oc);
    return HZ_OK;
}

const cpu_kernel conv2d_dw_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .run = run };
const cpu_kernel dense_dw_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .run = run };

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

/* TOGETHER: times 32 outputs of a product, at most; PIECE: pairs of pixels that are rewritten at a time */
enum { SLOTS = 8, SLOT_BYTES = 64 << 20, TOGETHER = 9, PIECE = 8, FOUR = 4 };

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
    /* of the node's memory: [run][tap] what a block of sums reads, in elements of x as it is rewritten; [plane][pixel]
       which pixel of a group of images lies there, -1 for zeros, unless lowered */
    int64_t *shift;
    int32_t *pixel;
    /* of the taps: those that read the same copy and plane follow each other, it stays in the first-level cache */
    int order[PAIRS_TAPS];
} grad;

typedef struct area {
    uint16_t *x;              /* [copy][run](pixels/2,32,2) */
    uint16_t *dy;             /* [panel](depth/32,32,32): channels by outputs */
    uint16_t *source;         /* (plane,32): a run of what is lowered */
    uint16_t *pixels;         /* (33,32*panels): 32 of dy, padded; behind them one of zeros */
    uint16_t *spread;         /* dy of a group of images where a head makes it */
} area;

static int64_t copy_elements(const grad *g) { return g->s.source.pixels * g->s.source.runs * PAIRS; }
static int64_t source_elements(const grad *g) { return g->s.source.lowered ? g->s.source.plane * PAIRS : 0; }

static area area_of(const grad *g, char *scratch)
{
    area a = { .x = (uint16_t *)scratch };
    a.dy = a.x + g->copies * copy_elements(g);
    a.source = a.dy + g->panels * PAIRS * g->depth;
    a.pixels = a.source + source_elements(g);
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

/* Where pair `pair` of run i lies in x: [copy][run][q/2][32][2]. */
static int64_t place_of(const grad *g, int64_t copy, int64_t i, int64_t pair)
{
    return ((copy * g->s.source.runs + i) * g->s.source.pixels + 2 * pair) * PAIRS;
}

static const uint16_t zeros[PAIRS];

/* The images of a group. */
typedef struct taken {
    const uint16_t *x;
    int64_t n0, n1;
    int64_t pixels;           /* of x that are in use */
} taken;

static taken taken_of(const grad *g, int64_t n0)
{
    const pairs_source *s = &g->s.source;
    int64_t n1 = min(n0 + s->images, g->s.used), image = g->s.flat ? g->s.run : s->h * s->w;
    return (taken){ .x = g->x + n0 * image * s->c, .n0 = n0, .n1 = n1,
                    .pixels = g->s.flat && n1 == g->s.used ? g->s.last : (n1 - n0) * image };
}

/* Pixels from..to-1 of a plane, `plane` pixels before it, that lie at pixel[]; behind them one more. */
static void interleave(const grad *g, const area *a, int64_t plane, int64_t run, int64_t from, int64_t to,
                       const uint16_t *const *pixel)
{
    int64_t pair = (plane + from) / 2;
    g->k->interleave(pixel, (int)((to - from) / 2), a->x + place_of(g, 0, run, pair),
                     g->copies > 1 ? a->x + place_of(g, 1, run, pair) : NULL);
}

/* A run by way of the source, which stays in the first-level cache. */
static void rewrite_lowered(const grad *g, const area *a, const taken *all, int64_t run)
{
    const uint16_t *pixel[2 * PIECE + 1];
    int64_t plane = g->s.source.plane;
    pairs_fill_plane(g->k, &g->s, g->x, all->n0, all->n1, 0, run, a->source);
    for (int64_t from = 0, to; from < plane; from = to) {
        to = min(from + 2 * PIECE, plane);
        for (int64_t i = from; i <= to; i++)
            pixel[i - from] = i < plane ? a->source + i * PAIRS : zeros;
        interleave(g, a, 0, run, from, to, pixel);
    }
}

/* Pixels from..to of a plane in run 0, zeros where there is none; step: elements to the next run. */
static void point(const grad *g, const taken *all, int64_t plane, int64_t from, int64_t to, const uint16_t **pixel,
                  int64_t *step)
{
    const pairs_source *s = &g->s.source;
    const int32_t *at = g->pixel + plane * s->plane;
    for (int64_t i = from; i <= to; i++) {
        int there = i < s->plane && at[i] >= 0 && at[i] < all->pixels;
        pixel[i - from] = there ? all->x + at[i] * s->c : zeros;
        step[i - from] = there ? PAIRS : 0;
    }
}

/* Where the last run has fewer than 32 channels the next pixel's follow: they end in columns that nobody reads; `last`
   takes pixels behind which there are too few. */
static void mend(const uint16_t *end, const uint16_t **pixel, const int64_t *step, int64_t n, uint16_t (*last)[PAIRS])
{
    for (int64_t i = 0; i < n; i++)
        if (step[i] && end - pixel[i] < PAIRS)
            pixel[i] = memcpy(last[i], pixel[i], (size_t)(end - pixel[i]) * sizeof **last);
}

static void rewrite_plane(const grad *g, const area *a, const taken *all, int64_t plane)
{
    const pairs_source *s = &g->s.source;
    const uint16_t *pixel[2 * PIECE + 1];
    int64_t step[2 * PIECE + 1];
    uint16_t last[2 * PIECE + 1][PAIRS];
    for (int64_t from = 0, to; from < s->plane; from = to) {
        to = min(from + 2 * PIECE, s->plane);
        point(g, all, plane, from, to, pixel, step);
        for (int64_t run = 0; run < s->runs; run++) {
            if ((run + 1) * PAIRS > s->c)
                mend(all->x + all->pixels * s->c, pixel, step, to - from + 1, last);
            interleave(g, a, plane * s->plane, run, from, to, pixel);
            for (int64_t i = 0; i <= to - from; i++)
                pixel[i] += step[i];
        }
    }
}

static void rewrite(const grad *g, const area *a, const taken *all)
{
    const pairs_source *s = &g->s.source;
    for (int64_t i = 0; i < (s->lowered ? s->runs : s->step_y * s->step_x); i++)
        (s->lowered ? rewrite_lowered : rewrite_plane)(g, a, all, i);
}

/* What products read behind the planes. */
static void clear_ends(const grad *g, const area *a)
{
    const pairs_source *s = &g->s.source;
    int64_t used = s->step_y * s->step_x * s->plane;
    for (int copy = 0; copy < g->copies; copy++)
        for (int64_t i = 0; i < s->runs; i++)
            memset(a->x + place_of(g, copy, i, used / 2), 0, (size_t)((s->pixels - used) * PAIRS) * sizeof *a->x);
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
static void transpose(const grad *g, const area *a, const taken *all, float *sum)
{
    const uint16_t *dy = g->dy;
    if (g->w->head.op)
        dy = cpu_head_run(g->w, g->call, all->n0 * g->s.oh, all->n1 * g->s.oh, a->spread);
    int64_t oc = g->s.oc, wide = g->panels * PAIRS;
    uint16_t *zero = a->pixels + PAIRS * wide;
    for (int64_t q = 0; q < g->depth; q += PAIRS) {
        const uint16_t *pixel[PAIRS];
        pixels_of(g, dy, all->n0, q, zero, pixel);
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
    int64_t terms = g->panels * s->runs * g->s.taps * (g->depth / PAIRS);
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

/* The products of a group: for a part of the outputs, from step `from` of 32 on, all blocks of sums, in the order in
   which they lie. Parts are about equal. Panels of 16 channels go block by block. */
static void multiply(const grad *g, const area *a, float *sums, int add, pairs_ahead *ahead)
{
    static const int32_t tile[] = { 0, PAIRS_TILE };
    int64_t steps = g->depth / PAIRS, parts = ceil_div(steps, TOGETHER), all = g->s.source.runs * g->s.taps;
    for (int64_t part = 0; part < parts; part++) {
        int64_t from = steps * part / parts, to = steps * (part + 1) / parts;
        for (int64_t panel = 0; panel < g->panels; panel++) {
            int rows = (int)min(PAIRS, g->outs - panel * PAIRS);
            int64_t many = rows == PAIRS ? all : 1;
            for (int64_t i = 0; i < all; i += many) {
                float *at = sums + (panel * all + i) * PAIRS_BLOCK, *next = at + many * PAIRS_BLOCK;
                pairs_product p = { .a = a->dy + (panel * g->depth + from * PAIRS) * PAIRS, .offset = g->offset,
                                    .tile = tile, .b = a->x + from * PAIRS_BLOCK, .shift = g->shift + i, .c = at,
                                    .blocks = (int)many, .terms = (int)(to - from), .rows = rows,
                                    .add = add || part > 0, .next = next < sums + g->sums ? next : sums,
                                    .ahead = ahead };
                g->k->product(&p);
            }
        }
    }
}

static int64_t pixels_listed(const grad *g)
{
    return g->s.source.lowered ? 0 : g->s.source.step_y * g->s.source.step_x * g->s.source.plane;
}

static void set_shifts(const grad *g)
{
    const pairs_group *only = &g->s.group[0];
    for (int64_t i = 0; i < g->s.source.runs; i++)
        for (int64_t t = 0; t < g->s.taps; t++) {
            int64_t move = only->offset[g->order[t]];
            g->shift[i * g->s.taps + t] = place_of(g, move & 1, i, move >> 1);
        }
}

static void set_pixels(const grad *g)
{
    const pairs_source *s = &g->s.source;
    memset(g->pixel, -1, (size_t)pixels_listed(g) * sizeof *g->pixel);
    for (int64_t n = 0; n < (s->lowered ? 0 : s->images); n++)
        for (int64_t y = 0; y < s->h; y++)
            for (int64_t x = 0; x < s->w; x++)
                g->pixel[pairs_pixel(s, n, y, x)] = (int32_t)((n * s->h + y) * s->w + x);
}

static void slot(void *arg, int number, int worker)
{
    const grad *g = arg;
    area a = area_of(g, g->call->scratch + (size_t)worker * g->call->scratch_stride);
    float *sums = g->partial + number * g->slot_floats;
    int64_t from = g->groups * number / g->slots, to = g->groups * (number + 1) / g->slots, each = g->s.source.images;
    memset(sums + g->sums, 0, (size_t)g->outs * sizeof(float));
    memset(a.pixels, 0, (size_t)((PAIRS + 1) * g->panels * PAIRS) * sizeof *a.pixels);
    clear_ends(g, &a);
    g->k->begin();
    for (int64_t i = from; i < to && i * each < g->s.used; i++) {
        taken all = taken_of(g, i * each);
        pairs_ahead ahead = ahead_of(g, all.n1);
        transpose(g, &a, &all, g->db ? sums + g->sums : NULL);
        if (!g->dw)
            continue;
        rewrite(g, &a, &all);
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

/* Run i of a panel. Of a row of sums four columns lie together, PAIRS_COLUMN. */
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
            for (int64_t c = 0; c < wide; c += FOUR) {
                const float *from = all + PAIRS_COLUMN(c) / 16 * PAIRS_HALF + r * 16 + PAIRS_COLUMN(c) % 16;
                if (wide - c >= FOUR)
                    memcpy(to + c, from, FOUR * sizeof *to);
                else
                    memcpy(to + c, from, (size_t)(wide - c) * sizeof *to);
            }
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

/* Behind the slots: the shifts, then the list of pixels. */
static size_t shifts_at(const grad *g)
{
    return sizeof(float) * (size_t)round_up(g->slots * g->slot_floats, 2);
}
static size_t pixels_at(const grad *g)
{
    return shifts_at(g) + sizeof(int64_t) * (size_t)(g->s.source.runs * g->s.taps);
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    grad g;
    return grad_of(w, m, &g) ? pixels_at(&g) + sizeof(int32_t) * (size_t)pixels_listed(&g) : 0;
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
    g.shift = (int64_t *)((char *)call->memory + shifts_at(&g));
    g.pixel = (int32_t *)((char *)call->memory + pixels_at(&g));
    set_shifts(&g);
    set_pixels(&g);
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

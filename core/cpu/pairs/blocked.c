/* blocked.c: kernel "pairs", conv2d over bf16 whose input lies blocked (hz_arg): 16 images within each other, so that a
   tile is one pixel of 16 images, whatever the stride, and is multiplied where it lies. Nothing is copied before, and
   taps beyond the edge are left out instead of multiplied with zeros. What is left has the order it has in conv.c: the
   bits are the same, so the name is.

   A band is a few rows of 16 images: the rows that it reads, the weights and the sums stay in the second-level cache.
   Two outputs with the same taps are one block; a part of a band's terms, of some runs of 32 channels, is multiplied
   for all blocks of a panel, whose weights stay in the first-level cache. Each worker has a share of the bands. */
#include "cpu/pairs/pairs.h"
#include <stdatomic.h>
#include <string.h>

enum { KINDS = 8, TERMS = 9, LEAST = 32, BLOCKS = 16 };   /* kinds along an axis; terms of a part; outputs of an image,
                                                              at least; blocks of a band, about */
enum { BAND_BYTES = 1 << 20, PIXEL = HZ_BLOCK_N * PAIRS };  /* of the rows that a band reads, at most; elements */

/* Outputs along one axis and their taps: those of kind k have from[k]..to[k]-1. */
typedef struct along {
    int kinds, from[KINDS], to[KINDS];
    int64_t count[KINDS];                 /* outputs of the kind */
    int64_t stride, before, taps, in;     /* output i reads from i*stride - before on; numbers of taps and of inputs */
} along;

typedef struct shape {
    cpu_window v;
    along y, x;
    int64_t runs, panels, oc;             /* of 32 input channels; of 32 output channels; output channels */
    int64_t together;                     /* runs of a part */
    int64_t lead, rows, bands;            /* see band_begin */
    int64_t blocks, most;                 /* of all bands; of the largest one */
    pairs_shape weights;                  /* as they are packed */
} shape;

/* What the node keeps. */
typedef struct own {
    uint16_t *weights;
    float *bias;
    pairs_terms *list;        /* [kind](terms of a part) */
    pairs_term *term;         /* [kind][terms] */
    int32_t *first;           /* (bands + 1): of a band's blocks */
    int32_t *tile, *pixel;    /* [block](2), [block](32) */
    uint8_t *kind;            /* [block] */
} own;

/* ---- shape ---- */

/* The kind of output i; -1 where there are too many, or it has no taps. */
static int kind_of(along *a, int64_t i)
{
    int64_t at = i * a->stride - a->before;
    int from = (int)max(0, -at), to = (int)min(a->taps, a->in - at);
    for (int k = 0; k < a->kinds; k++)
        if (a->from[k] == from && a->to[k] == to)
            return k;
    if (a->kinds == KINDS || from >= to)
        return -1;
    a->from[a->kinds] = from;
    a->to[a->kinds] = to;
    return a->kinds++;
}

/* Counts the kinds of `out` outputs; 0 if they cannot be told. */
static int count_kinds(along *a, int64_t out)
{
    for (int64_t i = 0; i < out; i++) {
        int kind = kind_of(a, i);
        if (kind < 0)
            return 0;
        a->count[kind]++;
    }
    return 1;
}

/* Band b is rows band_begin(b)..band_begin(b + 1)-1: behind the first rows, whose kind is not that of the middle, an
   even number each, so that outputs in a column have partners; what is left comes with the last. */
static int64_t band_begin(const shape *s, int64_t band)
{
    return band == s->bands ? s->v.oh : band ? s->lead + band * s->rows : 0;
}

static void cut_bands(shape *s)
{
    int64_t middle = s->v.oh / 2;
    int kind = kind_of(&s->y, middle);
    for (s->lead = middle; s->lead > 0 && kind_of(&s->y, s->lead - 1) == kind;)
        s->lead--;
    s->rows = round_up(ceil_div(2 * BLOCKS, s->v.ow), 2);
    s->bands = max(1, (s->v.oh - s->lead) / s->rows);
}

/* Blocks of a band: two outputs of a kind, one where their number is odd. */
static int64_t blocks_of(shape *s, int64_t band)
{
    int64_t n = 0, rows[KINDS] = { 0 };
    for (int64_t y = band_begin(s, band); y < band_begin(s, band + 1); y++)
        rows[kind_of(&s->y, y)]++;
    for (int ky = 0; ky < s->y.kinds; ky++)
        for (int kx = 0; kx < s->x.kinds; kx++)
            n += ceil_div(rows[ky] * s->x.count[kx], 2);
    return n;
}

static int64_t taps_of(const shape *s) { return s->v.kh * s->v.kw; }

static int shape_of(const hz_work *w, const cpu_micro *m, shape *s)
{
    const hz_arg *in = &w->in[0], *out = &w->out[0];
    hz_work plain = *w;
    plain.in[0].blocked = plain.out[0].blocked = 0;
    memset(s, 0, sizeof *s);
    if (!m->pairs || !m->pairs->lists || w->tails || !in->blocked || !pairs_shape_of(&plain, m, &s->weights))
        return 0;
    s->v = cpu_window_of(&w->attr.window, in, out);
    s->runs = in->shape[3] / PAIRS;
    s->oc = out->shape[3];
    s->panels = ceil_div(s->oc, PAIRS);
    s->y = (along){ .stride = s->v.sh, .before = s->v.top, .taps = s->v.kh, .in = s->v.h };
    s->x = (along){ .stride = s->v.sw, .before = s->v.left, .taps = s->v.kw, .in = s->v.w };
    if (taps_of(s) > PAIRS_TERMS || s->v.oh * s->v.ow < LEAST || s->v.h * s->v.w > INT32_MAX / PIXEL
        || s->v.oh * s->v.ow > INT32_MAX / PIXEL || !count_kinds(&s->y, s->v.oh) || !count_kinds(&s->x, s->v.ow))
        return 0;
    s->together = min(s->runs, max(1, TERMS / taps_of(s)));
    cut_bands(s);
    if (((s->rows + s->lead) * s->v.sh + s->v.kh) * s->v.w * s->runs * PIXEL * (int64_t)sizeof(uint16_t) > BAND_BYTES)
        return 0;
    for (int64_t b = 0; b < s->bands; b++) {
        int64_t blocks = blocks_of(s, b);
        s->blocks += blocks;
        s->most = max(s->most, blocks);
    }
    return 1;
}

/* ---- what the node keeps ---- */

static int kinds_of(const shape *s) { return s->y.kinds * s->x.kinds; }
static int64_t terms_of(const shape *s) { return s->together * taps_of(s); }

/* Where it lies from `memory` on; *bytes: how much that is. */
static own own_at(const shape *s, char *memory, size_t *bytes)
{
    own o;
    size_t n = 0;
#define PUT(what, count) \
    o.what = memory ? (void *)(memory + n) : NULL; \
    n += (size_t)(count) * sizeof *o.what;
    PUT(weights, pairs_weight_elements(&s->weights))
    PUT(bias, s->panels * PAIRS)
    PUT(list, kinds_of(s))
    PUT(term, kinds_of(s) * terms_of(s))
    PUT(first, s->bands + 1)
    PUT(tile, 2 * s->blocks)
    PUT(pixel, PAIRS * s->blocks)
    PUT(kind, s->blocks)
#undef PUT
    *bytes = line_bytes(n);
    return o;
}

/* The terms of a part by kind, run by run. */
static void list_terms(const shape *s, own *o)
{
    int64_t n = 0;
    for (int k = 0; k < kinds_of(s); k++) {
        int ky = k / s->x.kinds, kx = k % s->x.kinds;
        o->list[k] = (pairs_terms){ .at = o->term + n };
        for (int64_t r = 0; r < s->together; r++)
            for (int64_t y = s->y.from[ky]; y < s->y.to[ky]; y++)
                for (int64_t x = s->x.from[kx]; x < s->x.to[kx]; x++, n++) {
                    o->term[n].offset = (r * s->v.h * s->v.w + y * s->v.w + x) * PIXEL;
                    o->term[n].weight = (r * taps_of(s) + y * s->v.kw + x) * PAIRS_BLOCK;
                    o->list[k].terms++;
                }
    }
}

/* Output (y,x) as tile `half` of a block: where its first tap would lie, in pixels of 32 channels, and where the images
   lie in the group's result. */
static void put_output(const shape *s, own *o, int64_t block, int half, int64_t y, int64_t x, int blocked)
{
    o->tile[2 * block + half] = (int32_t)(((y * s->v.sh - s->v.top) * s->v.w + x * s->v.sw - s->v.left) * HZ_BLOCK_N);
    for (int64_t n = 0; n < HZ_BLOCK_N; n++)
        o->pixel[block * PAIRS + half * HZ_BLOCK_N + n] =
            (int32_t)(blocked ? (y * s->v.ow + x) * HZ_BLOCK_N + n : (n * s->v.oh + y) * s->v.ow + x);
}

/* A block whose second tile is the first again: it is computed, not stored. */
static void fill_up(own *o, int64_t block)
{
    o->tile[2 * block + 1] = o->tile[2 * block];
    for (int n = HZ_BLOCK_N; n < PAIRS; n++)
        o->pixel[block * PAIRS + n] = -1;
}

/* Columns of kind kx in the rows y and y2: each column is a block; of one row (y2 = y) two columns are. */
static int64_t list_rows(shape *s, own *o, int64_t block, int k, int64_t y, int64_t y2, int blocked)
{
    int half = 0;
    for (int64_t x = 0; x < s->v.ow; x++) {
        if (kind_of(&s->x, x) != k % s->x.kinds)
            continue;
        o->kind[block] = (uint8_t)k;
        put_output(s, o, block, half, y, x, blocked);
        if (y2 != y)
            put_output(s, o, block, half = 1, y2, x, blocked);
        block += half;
        half = !half;
    }
    if (half)
        fill_up(o, block++);
    return block;
}

/* Two rows at a time where there are two: blocks below each other share more of what they read than beside. */
static void list_band(shape *s, own *o, int64_t band, int blocked)
{
    int64_t block = o->first[band], to = band_begin(s, band + 1);
    for (int k = 0; k < kinds_of(s); k++)
        for (int64_t y = band_begin(s, band); y < to; y++) {
            if (kind_of(&s->y, y) != k / s->x.kinds)
                continue;
            int two = y + 1 < to && kind_of(&s->y, y + 1) == k / s->x.kinds;
            block = list_rows(s, o, block, k, y, y + two, blocked);
            y += two;
        }
    o->first[band + 1] = (int32_t)block;
}

static void pack(const hz_work *w, const cpu_call *c)
{
    shape s;
    if (!shape_of(w, c->micro, &s))
        return;
    size_t bytes;
    own o = own_at(&s, c->memory, &bytes);
    pairs_pack_weights(w, c, &s.weights, o.weights, o.bias);
    list_terms(&s, &o);
    o.first[0] = 0;
    for (int64_t b = 0; b < s.bands; b++)
        list_band(&s, &o, b, w->out[0].blocked);
}

/* ---- running ---- */

/* Bands from..to-1 of all groups that nobody has taken, in one word. */
typedef struct share { _Alignas(64) atomic_ullong bands; } share;

typedef struct blocked {
    const cpu_pairs *k;
    const cpu_call *call;
    const hz_work *w;
    shape s;
    own own;
    const uint16_t *x;        /* (groups,runs,h,w,16,32) */
    uint16_t *y;              /* (groups,panels,oh,ow,16,32), or (N,oh,ow,oc) */
    int64_t used;             /* images */
    int threads;
    share *shares;            /* (threads) */
} blocked;

static int64_t group_elements(const shape *s) { return s->runs * s->v.h * s->v.w * PIXEL; }

/* Rows of the input from `from` on that a band is the first to read; how many. */
static int64_t new_rows(const shape *s, int64_t band, int64_t *from)
{
    int64_t to = min(s->v.h, (band_begin(s, band + 1) - 1) * s->v.sh - s->v.top + s->v.kh);
    *from = band ? min(s->v.h, max(0, (band_begin(s, band) - 1) * s->v.sh - s->v.top + s->v.kh)) : 0;
    return max(0, to - *from);
}

/* Call number i of the `calls` of a band fetches its share of the next one's rows: bytes of one run, or of two. */
static pairs_ahead ahead_of(const blocked *b, const uint16_t *group, int64_t band, int64_t i, int64_t calls,
                            int64_t terms)
{
    const shape *s = &b->s;
    int64_t from, rows = group ? new_rows(s, band, &from) : 0, row = s->v.w * PIXEL * (int64_t)sizeof *group;
    int64_t run = rows * row, at = i * s->runs * run / calls / 64 * 64, end = (i + 1) * s->runs * run / calls / 64 * 64;
    if (end <= at)
        return (pairs_ahead){ .read = NULL };
    const char *first = (const char *)group + from * row, *last = first + (end - 1) / run * s->v.h * row;
    first += at / run * s->v.h * row;
    pairs_ahead a = { .read = first + at % run, .reads = (int)((end - at) / 64 / terms + 1) };
    if (at / run == (end - 1) / run)
        a.end = a.read + (end - at);
    else {
        a.end = first + run;
        a.then = last;
        a.last = last + ((end - 1) % run + 1);
    }
    return a;
}

/* The band of one group; `next`: the group whose rows are fetched meanwhile, of band next_band. */
static void compute(const blocked *b, int64_t group, int64_t band, const uint16_t *next, int64_t next_band, float *sum)
{
    const shape *s = &b->s;
    const own *o = &b->own;
    int64_t parts = ceil_div(s->runs, s->together), first = o->first[band], image = s->v.oh * s->v.ow * s->oc;
    int is_blocked = b->w->out[0].blocked, blocks = (int)(o->first[band + 1] - first);
    for (int64_t i = 0; i < s->panels * parts; i++) {
        int64_t panel = i / parts, run = i % parts * s->together, some = min(s->together, s->runs - run);
        pairs_terms list[KINDS * KINDS];
        for (int k = 0; k < kinds_of(s); k++) {
            list[k] = o->list[k];
            list[k].terms = (int)(list[k].terms / s->together * some);
            list[k].rows = pairs_rows_with(list[k].terms);
        }
        pairs_ahead ahead = ahead_of(b, next, next_band, i, s->panels * parts, blocks * some * taps_of(s));
        pairs_finish last = { .bias = b->w->nin > 2 && b->w->in[2].data ? o->bias + panel * PAIRS : NULL,
                              .act = b->w->attr.window.act, .alpha = b->w->attr.window.alpha,
                              .y = b->y + group * HZ_BLOCK_N * image
                                   + panel * (is_blocked ? HZ_BLOCK_N * s->v.oh * s->v.ow : 1) * PAIRS,
                              .step = is_blocked ? PAIRS : s->oc, .columns = (int)min(PAIRS, s->oc - panel * PAIRS),
                              .pixel = o->pixel + first * PAIRS,
                              .limit = (is_blocked ? HZ_BLOCK_N : min(HZ_BLOCK_N, b->used - group * HZ_BLOCK_N))
                                       * s->v.oh * s->v.ow };
        pairs_product p = { .a = b->x + group * group_elements(s) + run * s->v.h * s->v.w * PIXEL,
                            .b = o->weights + (panel * s->runs + run) * taps_of(s) * PAIRS_BLOCK,
                            .tile = o->tile + 2 * first, .kind = o->kind + first, .list = list, .c = sum,
                            .blocks = blocks, .terms = list[o->kind[first]].terms, .rows = PAIRS, .add = run > 0,
                            .finish = i % parts == parts - 1 ? &last : NULL, .ahead = &ahead };
        b->k->product(&p);
    }
}

/* ---- shares: bands that follow each other, so that one can fetch what the next reads ---- */

static unsigned long long bands_of(int64_t from, int64_t to) { return (unsigned long long)from << 32 | (uint64_t)to; }
static int64_t begin_of(unsigned long long bands) { return (int64_t)(bands >> 32); }
static int64_t end_of(unsigned long long bands) { return (int64_t)(bands & UINT32_MAX); }

/* The first band of a share, or the last; -1 if nothing is left of it. */
static int64_t take(share *s, int last)
{
    unsigned long long now = atomic_load(&s->bands);
    while (begin_of(now) < end_of(now)) {
        int64_t from = begin_of(now), to = end_of(now);
        if (atomic_compare_exchange_weak(&s->bands, &now, last ? bands_of(from, to - 1) : bands_of(from + 1, to)))
            return last ? to - 1 : from;
    }
    return -1;
}

/* The last band of the worker that has most left. */
static int64_t take_from_others(const blocked *b)
{
    for (;;) {
        int64_t most = 0;
        share *from = NULL;
        for (share *of = b->shares; of < b->shares + b->threads; of++) {
            unsigned long long now = atomic_load(&of->bands);
            if (end_of(now) - begin_of(now) > most) {
                most = end_of(now) - begin_of(now);
                from = of;
            }
        }
        int64_t band = from ? take(from, 1) : -1;
        if (band >= 0 || !from)
            return band;
    }
}

/* A share, then what others leave of theirs. */
static void work(void *arg, int number, int worker)
{
    const blocked *b = arg;
    int64_t bands = b->s.bands, band;
    float *sum = (float *)(b->call->scratch + (size_t)worker * b->call->scratch_stride);
    b->k->begin();
    while ((band = take(&b->shares[number], 0)) >= 0) {
        int64_t next = band + 1 < end_of(atomic_load(&b->shares[number].bands)) ? band + 1 : -1;
        compute(b, band / bands, band % bands, next < 0 ? NULL : b->x + next / bands * group_elements(&b->s),
                next % bands, sum);
    }
    while ((band = take_from_others(b)) >= 0)
        compute(b, band / bands, band % bands, NULL, 0, sum);
    b->k->end();
}

static hz_status run(const hz_work *w, const cpu_call *call)
{
    share shares[TEAM_MAX];
    blocked b = { .k = call->micro->pairs, .call = call, .w = w, .x = w->in[0].data, .y = w->out[0].data,
                  .shares = shares };
    if (!shape_of(w, call->micro, &b.s))
        return hz_fail(HZ_EARG, "%s: kernel pairs was chosen for a node it does not take", w->name);
    size_t bytes;
    b.own = own_at(&b.s, call->memory, &bytes);
    b.used = cpu_rows(w, call);
    int64_t bands = ceil_div(b.used, HZ_BLOCK_N) * b.s.bands;
    b.threads = (int)min(team_threads(), bands);
    for (int i = 0; i < b.threads; i++)
        atomic_init(&shares[i].bands, bands_of(i * bands / b.threads, (i + 1) * bands / b.threads));
    team_run(b.threads, work, &b);
    return HZ_OK;
}

/* Seconds on the nominal core of wino.c: products alone. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    shape s;
    if (!shape_of(w, m, &s))
        return -1;
    double down = 0, across = 0;
    for (int k = 0; k < s.y.kinds; k++)
        down += (double)((s.y.to[k] - s.y.from[k]) * s.y.count[k]);
    for (int k = 0; k < s.x.kinds; k++)
        across += (double)((s.x.to[k] - s.x.from[k]) * s.x.count[k]);
    double products = down * across * (double)w->in[0].shape[0] * (double)(s.runs * PAIRS) * (double)(s.panels * PAIRS);
    return 1e-6 + 2 * products / (m->pairs_rate * 100e9);
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    shape s;
    size_t bytes = 0;
    if (shape_of(w, m, &s))
        own_at(&s, NULL, &bytes);
    return bytes;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    shape s;
    return shape_of(w, m, &s) ? (size_t)max(2, s.most) * PAIRS_BLOCK * sizeof(float) : 0;
}

const cpu_kernel conv2d_blocked = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch,
                                    .pack = pack, .run = run, .blocked = 2 };

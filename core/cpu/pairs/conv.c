/* conv.c: kernel "pairs", conv2d, conv2d_dx, dense and dense_dx over bf16 (pairs.h). A task is a group of images:
   their source is made in scratch, then the outputs are taken 128 or 256 at a time, for each panel of 32 output
   channels and each run of 32 inputs: the run's weights, 18 KB for 9 taps, then serve 4 or 8 products. Weights are
   packed once per version of the parameters as bf16, [group][panel][run][tap][16][32][2]. */
#include "cpu/pairs/pairs.h"
#include <string.h>

enum { GATED = 4 };           /* blocks of 32 outputs, where there is a gate: its lines wait in the first-level cache */

typedef struct conv {
    const hz_work *w;
    const cpu_pairs *k;
    const cpu_call *call;
    pairs_shape s;
    const uint16_t *x;        /* (N,H,W,C), of source.c channels; dense: (N,C) */
    const uint16_t *weights;  /* [group][panel][run][tap](16,32,2) */
    const float *bias;        /* (32*panels), zeros behind the channels; NULL: none */
    const int32_t *pixel;     /* [group][output] */
    const int32_t *tile;      /* [group][tile] */
    uint16_t *y;              /* (N,oh,ow,oc) */
    const uint16_t *gate;     /* like y: the epilogue of a gradient: dx = act_grad(dx, gate); NULL: none */
    void *slots;              /* of the tails */
    int act;
    float alpha;
    int threads, stored;
} conv;

static int64_t panels(const pairs_shape *s) { return ceil_div(s->oc, PAIRS); }
/* Outputs that are computed for a group of images, and with what fills up the last 32. */
static int64_t outputs(const pairs_shape *s, const pairs_group *g) { return pairs_tiles(&s->source, g) * PAIRS_TILE; }
static int64_t listed(const pairs_shape *s, const pairs_group *g) { return round_up(outputs(s, g), PAIRS); }

/* One panel of a group of images. */
typedef struct part {
    const pairs_group *g;
    const uint16_t *source;   /* [run](pixels,32) */
    const uint16_t *weights;  /* [run][tap](16,32,2), of the panel */
    const int32_t *pixel, *tile;  /* (outputs), (tiles) of the group */
    int64_t n0, n1, panel;
    uint16_t *y;              /* (n1-n0,oh,ow,oc), from image n0 on */
    float *sum;               /* [block](2,32,16), a block is 32 outputs */
    pairs_ahead *ahead;
} part;

/* ---- blocks of 32 outputs ---- */

/* Of the gate: where the pixels of these images begin, and the panel; NULL for none. */
static const uint16_t *gate_of(const conv *c, const part *p)
{
    return c->gate ? c->gate + p->n0 * c->s.oh * c->s.ow * c->s.oc + p->panel * PAIRS : NULL;
}

/* An activation that takes no time beside the memory's. */
static int is_simple(const conv *c) { return c->act == HZ_LINEAR || c->act == HZ_RELU || c->act == HZ_LEAKY; }

/* How outputs from `from` on are stored. */
static pairs_finish finish_of(const conv *c, const part *p, int64_t from)
{
    int64_t images = p->n1 - p->n0;
    return (pairs_finish){ .bias = c->bias ? c->bias + p->panel * PAIRS : NULL,
                           .act = c->act, .alpha = c->alpha, .ahead = is_simple(c) ? NULL : p->ahead,
                           .y = p->y + p->panel * PAIRS, .gate = gate_of(c, p), .step = c->s.oc,
                           .columns = (int)min(PAIRS, c->s.oc - p->panel * PAIRS), .pixel = p->pixel + from,
                           .limit = c->s.flat && p->n1 == c->s.used ? c->s.last : images * c->s.oh * c->s.ow };
}

/* The images that this worker takes next, spread over the terms of a task, and over its activations if they take
   time. */
static pairs_ahead ahead_of(const conv *c, int64_t n0)
{
    const pairs_source *s = &c->s.source;
    int64_t terms = 0, each = s->h * s->w * s->c * (int64_t)sizeof *c->x, next = n0 + c->threads * s->images;
    for (int i = 0; i < c->s.groups; i++)
        terms += panels(&c->s) * (outputs(&c->s, &c->s.group[i]) / PAIRS)
                 * (c->s.group[i].taps * s->runs + (is_simple(c) ? 0 : PAIRS / PAIRS_STRIDE));
    if (next + s->images >= c->s.used || !c->x)
        return (pairs_ahead){ .read = NULL };
    const char *x = (const char *)c->x + next * each;
    return (pairs_ahead){ .read = x, .end = x + s->images * each,
                          .reads = (int)(s->images * each / 64 / max(terms, 1) + 1) };
}

/* The lines that outputs from..to-1 will be written to, spread over their products. */
static void aim(const conv *c, const part *p, int64_t from, int64_t to)
{
    int64_t terms = max(p->g->taps * c->s.source.runs, 1);
    pairs_ahead *a = p->ahead;
    a->pixel = p->pixel + from;
    a->pixels_end = p->pixel + round_up(to, PAIRS);
    a->y = (const char *)(p->y + p->panel * PAIRS);
    a->gate = (const char *)gate_of(c, p);
    a->step = c->s.oc * (int64_t)sizeof *c->y;
    a->writes = (int)(ceil_div(PAIRS, terms));
}

/* Terms of an output, and of one product: about as many as the first-level cache has room for their weights. */
static int64_t terms_of(const conv *c, const pairs_group *g) { return g->taps * c->s.source.runs; }
static int64_t terms_together(const conv *c, const pairs_group *g)
{
    int64_t terms = max(1, terms_of(c, g));
    return ceil_div(terms, ceil_div(terms, c->k->terms));
}

/* Outputs whose sums are kept until the last term; where one product is all, as many as make it long. */
static int64_t outputs_together(const conv *c, const pairs_group *g)
{
    int64_t all = max(1, ceil_div(outputs(&c->s, g), PAIRS)), most = c->gate ? GATED : c->k->blocks;
    int64_t terms = terms_of(c, g);
    if (terms && terms <= c->k->terms && !c->gate)
        most = max(most, most * c->k->terms / terms);
    return ceil_div(all, ceil_div(all, most)) * PAIRS;
}

/* Of outputs from..to-1 the product of the terms t..end-1, which lie at offset[]. */
static pairs_product product_of(const conv *c, const part *p, int64_t from, int64_t to, int64_t t, int64_t end,
                                int64_t *offset)
{
    const pairs_group *g = p->g;
    for (int64_t i = t; i < end; i++)
        offset[i - t] = (g->offset[i % g->taps] + i / g->taps * c->s.source.pixels) * PAIRS;
    return (pairs_product){ .a = p->source, .tile = p->tile + from / PAIRS_TILE, .b = p->weights + t * PAIRS_BLOCK,
                            .offset = offset, .c = p->sum, .blocks = (int)ceil_div(to - from, PAIRS),
                            .terms = (int)(end - t), .rows = (int)((to - from - 1) % PAIRS + 1), .add = t > 0,
                            .ahead = p->ahead };
}

/* Sums of the blocks one by one: the lines of the gate that will be read take all the time there is. */
static void multiply_singly(const conv *c, pairs_product now)
{
    int rows = now.rows;
    for (int k = now.blocks; k > 0; k--, now.tile += 2, now.c += PAIRS_BLOCK) {
        now.blocks = 1;
        now.rows = k > 1 ? PAIRS : rows;
        c->k->product(&now);
    }
}

static void finish(const conv *c, pairs_finish f, const float *sum, int64_t outputs, int64_t step)
{
    for (int64_t q = 0; q < outputs; q += PAIRS, f.pixel += PAIRS, sum += step)
        c->k->finish(&f, sum, 0, PAIRS);
}

/* Outputs from..to-1. */
static void multiply(const conv *c, const part *p, int64_t from, int64_t to)
{
    int64_t offset[PAIRS_TERMS], all = terms_of(c, p->g), together = terms_together(c, p->g);
    pairs_finish last = finish_of(c, p, from);
    for (int64_t t = 0; t < all; t += together) {
        pairs_product now = product_of(c, p, from, to, t, min(t + together, all), offset);
        now.finish = t + together < all || c->gate ? NULL : &last;
        if (c->gate)
            multiply_singly(c, now);
        else
            c->k->product(&now);
    }
    if (!all) {                                  /* pixels that no output reads */
        memset(p->sum, 0, PAIRS_BLOCK * sizeof *p->sum);
        finish(c, last, p->sum, to - from, 0);
    } else if (c->gate)
        finish(c, last, p->sum, to - from, PAIRS_BLOCK);
}

static void group(const conv *c, const part *first)
{
    int64_t all = outputs(&c->s, first->g), many = outputs_together(c, first->g);
    for (int64_t from = 0; from < all; from += many) {
        int64_t to = min(from + many, all);
        part p = *first;
        for (; p.panel < panels(&c->s); p.panel++, p.weights += p.g->taps * c->s.source.runs * PAIRS_BLOCK) {
            aim(c, &p, from, to);
            multiply(c, &p, from, to);
        }
    }
}

static int64_t source_elements(const pairs_shape *s) { return s->source.pixels * s->source.runs * PAIRS; }

/* The result of a task where it is not stored; its inputs where a head makes them. */
static int64_t near_elements(const hz_work *w, const pairs_shape *s)
{
    return cpu_tail_stored(w) ? 0 : s->source.images * s->oh * s->ow * s->oc;
}
static int64_t head_elements(const hz_work *w, const pairs_shape *s)
{
    return w->head.op ? s->source.images * s->source.h * s->source.w * s->source.c : 0;
}

static void task(void *arg, int number, int worker)
{
    const conv *c = arg;
    const pairs_source *s = &c->s.source;
    int64_t n0 = number * s->images, n1 = min(n0 + s->images, c->s.used);
    float *sum = (float *)(c->call->scratch + (size_t)worker * c->call->scratch_stride);
    uint16_t *source = (uint16_t *)(sum + c->k->blocks * PAIRS_BLOCK);
    pairs_ahead ahead = ahead_of(c, n0);
    int64_t row = c->s.ow * c->s.oc, image = c->s.oh * row;
    uint16_t *near = source + source_elements(&c->s), *spread = near + near_elements(c->w, &c->s);
    const uint16_t *x = c->w->head.op ? cpu_head_run(c->w, c->call, n0 * s->h, n1 * s->h, spread) : c->x;
    part p = { .source = source, .weights = c->weights, .pixel = c->pixel, .tile = c->tile, .n0 = n0, .n1 = n1,
               .y = c->stored ? c->y + n0 * image : near, .sum = sum, .ahead = &ahead };
    pairs_fill(c->k, &c->s, x, n0, n1, source);
    c->k->begin();
    for (int i = 0; i < c->s.groups; i++) {
        p.g = &c->s.group[i];
        group(c, &p);
        p.weights += panels(&c->s) * p.g->taps * s->runs * PAIRS_BLOCK;
        p.pixel += listed(&c->s, p.g);
        p.tile += listed(&c->s, p.g) / PAIRS_TILE;
    }
    c->k->end();
    if (!c->w->tails)
        return;
    cpu_tail_begin(c->w, c->slots, number);
    for (int64_t n = n0; n < n1; n++)
        cpu_tail_run(c->w, c->call, c->slots, number, (cpu_rect){ .n = n, .y1 = c->s.oh, .x1 = c->s.ow },
                     p.y + (n - n0) * image, row);
}

/* ---- weights ---- */

typedef struct packing {
    const cpu_pairs *k;
    const pairs_shape *s;
    const float *w;           /* (O,taps,inputs) */
    uint16_t *to;             /* [group][panel][run][tap](16,32,2) */
    int64_t taps, inputs;
    int64_t depth;            /* what the sums run over: inputs forward, O backward */
    int back;
} packing;

/* One panel, all groups. */
static void pack_panel(void *arg, int panel, int worker)
{
    const packing *p = arg;
    const pairs_source *source = &p->s->source;
    int columns = (int)min(PAIRS, p->s->oc - (int64_t)panel * PAIRS);
    uint16_t *to = p->to;
    for (int i = 0; i < p->s->groups; i++) {
        const pairs_group *g = &p->s->group[i];
        uint16_t *out = to + panel * g->taps * source->runs * PAIRS_BLOCK;
        for (int64_t k = 0; k < source->runs * PAIRS; k += PAIRS)
            for (int t = 0; t < g->taps; t++, out += PAIRS_BLOCK) {
                int have = (int)max(0, min(PAIRS, p->depth - k));
                int64_t column = (int64_t)panel * PAIRS, tap = p->taps == 1 ? 0 : g->tap[t];
                if (p->back)
                    p->k->pack_along(p->w + (k * p->taps + tap) * p->inputs + column, p->taps * p->inputs, columns,
                                     have, out);
                else
                    p->k->pack_across(p->w + (column * p->taps + tap) * p->inputs + k, p->taps * p->inputs, columns,
                                      have, out);
            }
        to += panels(p->s) * g->taps * source->runs * PAIRS_BLOCK;
    }
}

static size_t weight_elements(const pairs_shape *s)
{
    int64_t taps = 0;
    for (int i = 0; i < s->groups; i++)
        taps += s->group[i].taps;
    return (size_t)(panels(s) * taps * s->source.runs * PAIRS_BLOCK);
}

/* Behind the weights: the bias, then the pixels. */
static float *bias_of(const pairs_shape *s, void *memory) { return (float *)((uint16_t *)memory + weight_elements(s)); }
static int32_t *pixels_of(const pairs_shape *s, void *memory)
{
    return (int32_t *)(bias_of(s, memory) + panels(s) * PAIRS);
}

static int64_t listed_in_all(const pairs_shape *s)
{
    int64_t n = 0;
    for (int i = 0; i < s->groups; i++)
        n += listed(s, &s->group[i]);
    return n;
}

static size_t own_bytes(const pairs_shape *s)
{
    int64_t pixels = listed_in_all(s);
    return line_bytes(weight_elements(s) * sizeof(uint16_t) + (size_t)(panels(s) * PAIRS) * sizeof(float)
                      + (size_t)(pixels + pixels / PAIRS_TILE) * sizeof(int32_t));
}

static int64_t tasks(const pairs_shape *s, int64_t items) { return ceil_div(items, s->source.images); }

/* What kernels read, then the slots of tails. */
static size_t memory(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    return pairs_shape_of(w, m, &s) ? own_bytes(&s) + cpu_tail_bytes(w, tasks(&s, s.items)) : 0;
}

/* Where output q of a tile in row `row` lies in the images of a task, -1 where it does not exist. */
static int32_t pixel_of(const pairs_shape *s, const pairs_group *g, int64_t q, int64_t row)
{
    const pairs_source *p = &s->source;
    int64_t width = p->images * p->pitch, y = q / width, at = q % width, inner = p->step_image == 1;
    int64_t n = inner ? at % p->images : at / p->pitch, x = inner ? at / p->images : at % p->pitch;
    if (y != row && pairs_by_rows(p, g))
        return -1;
    return y < g->oh && x < g->ow ? (int32_t)((n * s->oh + g->y0 + y * g->dy) * s->ow + g->x0 + x * g->dx) : -1;
}

/* Of each group the pixels of its outputs; then of each the tiles. What fills up is the last tile again. */
static void list_outputs(const pairs_shape *s, int32_t *pixel)
{
    int32_t *tile = pixel + listed_in_all(s);
    for (const pairs_group *g = s->group; g < s->group + s->groups; g++) {
        int64_t tiles = pairs_tiles(&s->source, g), width = s->source.images * s->source.pitch;
        for (int64_t i = 0; i < listed(s, g) / PAIRS_TILE; i++) {
            int64_t q = pairs_tile(&s->source, g, min(i, tiles - 1));
            *tile++ = (int32_t)q;
            for (int64_t j = 0; j < PAIRS_TILE; j++)
                *pixel++ = i < tiles ? pixel_of(s, g, q + j, q / width) : -1;
        }
    }
}

static void pack(const hz_work *w, const cpu_call *c)
{
    pairs_shape s;
    if (!pairs_shape_of(w, c->micro, &s))
        return;
    int back = w->op == OP_conv2d_dx || w->op == OP_dense_dx;
    const hz_arg *weights = &w->in[1];
    packing p = { .k = c->micro->pairs, .s = &s, .w = weights->data, .to = c->memory, .taps = s.taps, .back = back };
    p.inputs = cpu_size(weights, 1, weights->ndim) / p.taps;
    p.depth = back ? weights->shape[0] : p.inputs;
    team_run((int)panels(&s), pack_panel, &p);
    list_outputs(&s, pixels_of(&s, c->memory));
    if (!back && w->nin > 2 && w->in[2].data) {
        float *bias = bias_of(&s, c->memory);
        memset(bias, 0, (size_t)(panels(&s) * PAIRS) * sizeof(float));
        memcpy(bias, w->in[2].data, (size_t)s.oc * sizeof(float));
    }
}

/* ---- rows of the kernel lists ---- */

/* Seconds on the nominal core of wino.c: products, and a copy of the source. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!pairs_shape_of(w, m, &s))
        return -1;
    double pixels = (double)s.source.pixels / (double)s.source.images * (double)s.items, taps = 0;
    for (int i = 0; i < s.groups; i++)
        taps += (double)s.group[i].taps * (double)(s.group[i].oh * s.source.pitch);
    double products = taps * (double)s.items * (double)(s.source.runs * PAIRS) * (double)(panels(&s) * PAIRS);
    return 1e-6 + 2 * products / (m->pairs_rate * 100e9) + pixels * (double)(s.source.runs * PAIRS) * 1e-10;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!pairs_shape_of(w, m, &s))
        return 0;
    return (size_t)m->pairs->blocks * PAIRS_BLOCK * sizeof(float)
           + (size_t)(source_elements(&s) + near_elements(w, &s) + head_elements(w, &s)) * sizeof(uint16_t);
}

static hz_status run(const hz_work *w, const cpu_call *call)
{
    conv c = { .w = w, .stored = cpu_tail_stored(w), .k = call->micro->pairs, .call = call, .x = w->in[0].data,
               .y = w->out[0].data, .weights = call->memory };
    if (!pairs_shape_of(w, call->micro, &c.s))
        return hz_fail(HZ_EARG, "%s: kernel pairs was chosen for a node it does not take", w->name);
    int forward = w->op == OP_conv2d || w->op == OP_dense, conv2d = w->op == OP_conv2d || w->op == OP_conv2d_dx;
    c.act = conv2d ? w->attr.window.act : w->attr.act.act;
    c.alpha = conv2d ? w->attr.window.alpha : w->attr.act.alpha;
    if (forward && w->nin > 2 && w->in[2].data)
        c.bias = bias_of(&c.s, call->memory);
    else if (!forward && w->nin > 2)
        c.gate = w->in[2].data;
    c.pixel = pixels_of(&c.s, call->memory);
    c.tile = c.pixel + listed_in_all(&c.s);
    c.threads = team_threads();
    c.slots = (char *)call->memory + own_bytes(&c.s);
    pairs_use(&c.s, w, call);
    team_run((int)tasks(&c.s, c.s.used), task, &c);
    cpu_tail_end(w, c.slots, (int)tasks(&c.s, c.s.used));
    return HZ_OK;
}

/* Where a task has whole images. */
static int tails(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    return pairs_shape_of(w, m, &s) && !s.flat && cpu_tail_fits(w, 0, 0);
}

const cpu_kernel conv2d_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack,
                                  .run = run, .tails = tails };
const cpu_kernel conv2d_dx_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack,
                                     .run = run, .tails = tails, .heads = 1 };
const cpu_kernel dense_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack,
                                 .run = run };
const cpu_kernel dense_dx_pairs = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pack,
                                    .run = run };

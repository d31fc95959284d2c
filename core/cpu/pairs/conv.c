/* conv.c: kernel "pairs", conv2d, conv2d_dx, dense and dense_dx over bf16 (pairs.h). Workers take one group of images
   after the other: their source is made in scratch, beside the products of the group before where that hides it. Then
   some blocks of 32 outputs are taken together, for each panel of 32 output channels and 9 or 12 terms: the weights of
   these, 18 or 24 KB, lie in the first-level cache and serve all the blocks. */
#include "cpu/pairs/pairs.h"
#include <stdatomic.h>
#include <string.h>

enum { GATED = 4 };           /* blocks of 32 outputs, where there is a gate: its lines wait in the first-level cache */

typedef struct conv {
    const hz_work *w;
    const cpu_pairs *k;
    const cpu_call *call;
    pairs_shape s;
    const uint16_t *x;        /* (N,H,W,C), of source.c channels; dense: (N,C) */
    pairs_memory own;
    const float *bias;        /* of `own`; NULL: none */
    uint16_t *y;              /* (N,oh,ow,oc), or blocked */
    const uint16_t *gate;     /* like y: the epilogue of a gradient: dx = act_grad(dx, gate); NULL: none */
    void *slots;              /* of the tails */
    int act;
    float alpha;
    int threads, stored;
    atomic_llong *next;       /* group that no worker has taken */
} conv;

/* One panel of a group of images. */
typedef struct part {
    const pairs_group *g;
    const uint16_t *source;   /* [run](pixels,32) */
    const uint16_t *weights;  /* [run][tap](16,32,2), of the panel */
    const int32_t *pixel, *tile;  /* (outputs), (tiles) of the group */
    const uint8_t *kind;      /* (blocks) of the group, and its lists [part][kind]; NULL: all blocks have all terms */
    const pairs_terms *list;
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

/* The panel's first output of pixel 0 of the part; elements from pixel to pixel. */
static uint16_t *first_output(const conv *c, const part *p)
{
    return p->y + p->panel * (c->s.blocked ? HZ_BLOCK_N * c->s.oh * c->s.ow : 1) * PAIRS;
}
static int64_t output_step(const conv *c) { return c->s.blocked ? PAIRS : c->s.oc; }

/* Where the outputs of images from n on lie. Blocked, a group's images are in one block, which has room for all. */
static uint16_t *outputs_of(const conv *c, int64_t n)
{
    int64_t image = c->s.oh * c->s.ow * c->s.oc, first = n % HZ_BLOCK_N;
    return c->s.blocked ? c->y + (n - first) * image + first * PAIRS : c->y + n * image;
}

/* How outputs from `from` on are stored. */
static pairs_finish finish_of(const conv *c, const part *p, int64_t from)
{
    int64_t images = c->s.blocked ? HZ_BLOCK_N : p->n1 - p->n0;
    return (pairs_finish){ .bias = c->bias ? c->bias + p->panel * PAIRS : NULL,
                           .act = c->act, .alpha = c->alpha, .ahead = is_simple(c) ? NULL : p->ahead,
                           .y = first_output(c, p), .gate = gate_of(c, p), .step = output_step(c),
                           .columns = (int)min(PAIRS, c->s.oc - p->panel * PAIRS), .pixel = p->pixel + from,
                           .limit = c->s.flat && p->n1 == c->s.used ? c->s.last : images * c->s.oh * c->s.ow };
}

/* Terms of all products of a group. */
static int64_t group_terms(const conv *c)
{
    int64_t n = 0;
    for (const pairs_group *g = c->s.group; g < c->s.group + c->s.groups; g++)
        n += pairs_panels(&c->s) * (pairs_outputs(&c->s, g) / PAIRS) * g->taps * c->s.source.runs;
    return max(n, 1);
}

/* The images from n on, spread over the terms of a group, and over its activations if they take time. */
static pairs_ahead ahead_of(const conv *c, int64_t n)
{
    const pairs_source *s = &c->s.source;
    int64_t each = s->h * s->w * s->c * (int64_t)sizeof *c->x, terms = group_terms(c);
    for (int i = 0; i < c->s.groups && !is_simple(c); i++)
        terms += pairs_panels(&c->s) * (pairs_outputs(&c->s, &c->s.group[i]) / PAIRS) * (PAIRS / PAIRS_STRIDE);
    if (n + s->images >= c->s.used || !c->x)
        return (pairs_ahead){ .read = NULL };
    const char *x = (const char *)c->x + n * each;
    return (pairs_ahead){ .read = x, .end = x + s->images * each,
                          .reads = (int)(s->images * each / 64 / terms + 1) };
}

/* The lines that outputs from..to-1 will be written to, spread over their products. */
static void aim(const conv *c, const part *p, int64_t from, int64_t to)
{
    int64_t terms = max(p->g->taps * c->s.source.runs, 1);
    pairs_ahead *a = p->ahead;
    a->pixel = p->pixel + from;
    a->pixels_end = p->pixel + round_up(to, PAIRS);
    a->y = (const char *)first_output(c, p);
    a->gate = (const char *)gate_of(c, p);
    a->step = output_step(c) * (int64_t)sizeof *c->y;
    a->writes = (int)(ceil_div(PAIRS, terms));
}

static int64_t terms_of(const conv *c, const pairs_group *g) { return g->taps * c->s.source.runs; }

/* Outputs whose sums are kept until the last term; where one product is all, as many as make it long. */
static int64_t outputs_together(const conv *c, const pairs_group *g)
{
    int64_t all = max(1, ceil_div(pairs_outputs(&c->s, g), PAIRS)), most = c->gate ? GATED : c->k->blocks;
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
                            .kind = p->kind ? p->kind + from / PAIRS : NULL,
                            .list = p->kind ? p->list + t / pairs_together(c->k, &c->s, g) * PAIRS_KINDS : NULL,
                            .terms = (int)(end - t), .rows = (int)((to - from - 1) % PAIRS + 1), .add = t > 0,
                            .ahead = p->ahead };
}

/* Sums of the blocks one by one: the lines of the gate that will be read take all the time there is. */
static void multiply_singly(const conv *c, pairs_product now)
{
    int rows = now.rows;
    for (int k = now.blocks; k > 0; k--, now.tile += 2, now.c += PAIRS_BLOCK, now.kind += now.kind != NULL) {
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
    int64_t offset[PAIRS_TERMS], all = terms_of(c, p->g), together = pairs_together(c->k, &c->s, p->g);
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
    int64_t all = pairs_outputs(&c->s, first->g), many = outputs_together(c, first->g);
    for (int64_t from = 0; from < all; from += many) {
        int64_t to = min(from + many, all);
        part p = *first;
        for (; p.panel < pairs_panels(&c->s); p.panel++, p.weights += p.g->taps * c->s.source.runs * PAIRS_BLOCK) {
            aim(c, &p, from, to);
            multiply(c, &p, from, to);
        }
    }
}

static int64_t tasks(const pairs_shape *s, int64_t items) { return ceil_div(items, s->source.images); }
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

/* ---- groups of images ---- */

/* A worker's memory. */
typedef struct area {
    float *sum;
    uint16_t *source[2];      /* of this group and the next; the same where they are made one after the other */
    uint16_t *near, *spread;
} area;

static area area_of(const conv *c, int worker)
{
    area a = { .sum = (float *)(c->call->scratch + (size_t)worker * c->call->scratch_stride) };
    a.source[0] = (uint16_t *)(a.sum + c->k->blocks * PAIRS_BLOCK);
    a.source[1] = a.source[0] + (c->own.copies ? source_elements(&c->s) : 0);
    a.near = a.source[1] + source_elements(&c->s);
    a.spread = a.near + near_elements(c->w, &c->s);
    return a;
}

static int64_t group_end(const conv *c, int64_t number) { return min((number + 1) * c->s.source.images, c->s.used); }

/* The node's input, of which the group's images are there. */
static const uint16_t *input_of(const conv *c, const area *a, int64_t number)
{
    int64_t n0 = number * c->s.source.images, n1 = group_end(c, number), h = c->s.source.h;
    return c->w->head.op ? cpu_head_run(c->w, c->call, n0 * h, n1 * h, a->spread) : c->x;
}

/* Outputs of the group of this number, whose source is there. */
static void compute(const conv *c, const area *a, int64_t number, const uint16_t *source, pairs_ahead *ahead)
{
    int64_t n0 = number * c->s.source.images, row = c->s.ow * c->s.oc, image = c->s.oh * row;
    part p = { .source = source, .weights = c->own.weights, .pixel = c->own.pixel, .tile = c->own.tile,
               .kind = c->own.kind, .list = c->own.list, .n0 = n0, .n1 = group_end(c, number),
               .y = c->stored ? outputs_of(c, n0) : a->near, .sum = a->sum, .ahead = ahead };
    c->k->begin();
    for (int i = 0; i < c->s.groups; i++) {
        p.g = &c->s.group[i];
        group(c, &p);
        p.weights += pairs_panels(&c->s) * p.g->taps * c->s.source.runs * PAIRS_BLOCK;
        p.pixel += pairs_listed(&c->s, p.g);
        p.tile += pairs_listed(&c->s, p.g) / PAIRS_TILE;
        p.kind += p.kind ? pairs_listed(&c->s, p.g) / PAIRS : 0;
        p.list += p.kind ? pairs_parts(c->k, &c->s, p.g) * PAIRS_KINDS : 0;
    }
    c->k->end();
    if (!c->w->tails)
        return;
    cpu_tail_begin(c->w, c->slots, (int)number);
    for (int64_t n = n0; n < p.n1; n++)
        cpu_tail_run(c->w, c->call, c->slots, (int)number, (cpu_rect){ .n = n, .y1 = c->s.oh, .x1 = c->s.ow },
                     p.y + (n - n0) * image, row);
}

/* Whether the source of a full group may be made by the list. */
static int is_listed(const conv *c, int64_t number)
{
    return c->own.copies && (number + 1) * c->s.source.images <= c->s.used;
}

static pairs_copying copying_of(const conv *c, const area *a, int64_t number, uint16_t *source)
{
    const pairs_source *s = &c->s.source;
    return (pairs_copying){ .at = c->own.copy, .end = c->own.copy + c->own.copies, .to = source,
                            .from = input_of(c, a, number) + number * s->images * s->h * s->w * s->c,
                            .each = (int)ceil_div(c->own.copies, group_terms(c)) };
}

static void copy_rest(pairs_copying *c)
{
    for (; c->at < c->end; c->at++)
        memcpy(c->to + c->at->to * PAIRS, c->from + c->at->from * PAIRS, PAIRS * sizeof *c->to);
}

/* Groups, as long as there are any. The next one is taken before this one is computed. What is made first in each of
   the two sources brings the zeros, which stay. */
static void work(void *arg, int number, int worker)
{
    const conv *c = arg;
    area a = area_of(c, worker);
    int64_t all = tasks(&c->s, c->s.used), now = atomic_fetch_add(c->next, 1), next, is_made = 0;
    for (int64_t i = 0; now < all; i++, now = next) {
        if (!is_made)
            pairs_fill(c->k, &c->s, input_of(c, &a, now), now * c->s.source.images, group_end(c, now), a.source[i % 2]);
        next = atomic_fetch_add(c->next, 1);
        pairs_ahead ahead = ahead_of(c, ((c->own.copies ? next : now) + c->threads) * c->s.source.images);
        is_made = i > 0 && is_listed(c, next);
        pairs_copying copying = { 0 };
        if (is_made) {
            copying = copying_of(c, &a, next, a.source[(i + 1) % 2]);
            ahead.copying = &copying;
        }
        compute(c, &a, now, a.source[i % 2], &ahead);
        copy_rest(&copying);
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
    double products = taps * (double)s.items * (double)(s.source.runs * PAIRS) * (double)(pairs_panels(&s) * PAIRS);
    return 1e-6 + 2 * products / (m->pairs_rate * 100e9) + pixels * (double)(s.source.runs * PAIRS) * 1e-10;
}

/* What the node keeps, then the slots of tails. */
static size_t memory(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!pairs_shape_of(w, m, &s))
        return 0;
    return pairs_memory_bytes(m->pairs, &s) + cpu_tail_bytes(w, tasks(&s, s.items));
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!pairs_shape_of(w, m, &s))
        return 0;
    int64_t sources = pairs_copies(m->pairs, &s) ? 2 : 1;
    return (size_t)m->pairs->blocks * PAIRS_BLOCK * sizeof(float)
           + (size_t)(sources * source_elements(&s) + near_elements(w, &s) + head_elements(w, &s)) * sizeof(uint16_t);
}

static hz_status run(const hz_work *w, const cpu_call *call)
{
    atomic_llong next = 0;
    conv c = { .w = w, .stored = cpu_tail_stored(w), .k = call->micro->pairs, .call = call, .x = w->in[0].data,
               .y = w->out[0].data };
    if (!pairs_shape_of(w, call->micro, &c.s))
        return hz_fail(HZ_EARG, "%s: kernel pairs was chosen for a node it does not take", w->name);
    c.own = pairs_memory_at(c.k, &c.s, call->memory);
    int forward = w->op == OP_conv2d || w->op == OP_dense, conv2d = w->op == OP_conv2d || w->op == OP_conv2d_dx;
    c.act = conv2d ? w->attr.window.act : w->attr.act.act;
    c.alpha = conv2d ? w->attr.window.alpha : w->attr.act.alpha;
    if (forward && w->nin > 2 && w->in[2].data)
        c.bias = c.own.bias;
    else if (!forward && w->nin > 2)
        c.gate = w->in[2].data;
    c.threads = team_threads();
    c.slots = (char *)call->memory + pairs_memory_bytes(c.k, &c.s);
    pairs_use(&c.s, w, call);
    c.next = &next;
    team_run((int)min(c.threads, tasks(&c.s, c.s.used)), work, &c);
    cpu_tail_end(w, c.slots, (int)tasks(&c.s, c.s.used));
    return HZ_OK;
}

/* Where a task has whole images. */
static int tails(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    return pairs_shape_of(w, m, &s) && !s.flat && cpu_tail_fits(w, 0, 0);
}

#define PAIRS_ROW .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch, .pack = pairs_pack, .run = run
const cpu_kernel conv2d_pairs = { PAIRS_ROW, .tails = tails, .blocked = 1 };
const cpu_kernel conv2d_dx_pairs = { PAIRS_ROW, .tails = tails, .heads = 1 };
const cpu_kernel dense_pairs = { PAIRS_ROW };
const cpu_kernel dense_dx_pairs = { PAIRS_ROW };

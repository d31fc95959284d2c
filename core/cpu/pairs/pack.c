/* pack.c: what a node of kernel "pairs" keeps from call to call (pairs.h): weights as bf16, packed once per version of
   the parameters, [group][panel][run][tap][16][32][2]; the bias; and lists that follow from the shape alone. */
#include "cpu/pairs/pairs.h"
#include <string.h>

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
        to += pairs_panels(p->s) * g->taps * source->runs * PAIRS_BLOCK;
    }
}

size_t pairs_weight_elements(const pairs_shape *s)
{
    int64_t taps = 0;
    for (int i = 0; i < s->groups; i++)
        taps += s->group[i].taps;
    return (size_t)(pairs_panels(s) * taps * s->source.runs * PAIRS_BLOCK);
}

static int64_t listed_in_all(const pairs_shape *s)
{
    int64_t n = 0;
    for (int i = 0; i < s->groups; i++)
        n += pairs_listed(s, &s->group[i]);
    return n;
}

int64_t pairs_together(const cpu_pairs *k, const pairs_shape *s, const pairs_group *g)
{
    int64_t terms = max(1, g->taps * s->source.runs);
    return ceil_div(terms, ceil_div(terms, k->terms));
}

/* Whether blocks may have terms of their own: not in larger images, of whose rows few are at the edge. */
static int has_lists(const cpu_pairs *k, const pairs_shape *s)
{
    enum { LOW = 16 };
    return k->lists && !s->grad && !s->flat && !s->source.lowered && s->group[0].oh <= LOW;
}

static int64_t parts_of_all(const cpu_pairs *k, const pairs_shape *s)
{
    int64_t n = 0;
    for (int i = 0; i < s->groups; i++)
        n += pairs_parts(k, s, &s->group[i]);
    return n;
}

/* Where it lies from `memory` on; *bytes: how much that is. */
static pairs_memory lay(const cpu_pairs *k, const pairs_shape *s, char *memory, size_t *bytes)
{
    pairs_memory m = { .copies = pairs_copies(k, s) };
    int64_t listed = listed_in_all(s), kinds = has_lists(k, s) ? PAIRS_KINDS : 0, parts = parts_of_all(k, s);
    size_t n = 0;
#define PUT(what, count) \
    m.what = memory ? (void *)(memory + n) : NULL; \
    n += (size_t)(count) * sizeof *m.what;
    PUT(weights, pairs_weight_elements(s))
    PUT(bias, pairs_panels(s) * PAIRS)
    PUT(list, kinds * parts)
    PUT(term, kinds * parts * PAIRS_TERMS)
    PUT(copy, m.copies)
    PUT(pixel, listed)
    PUT(tile, listed / PAIRS_TILE)
    PUT(kind, kinds ? listed / PAIRS : 0)
#undef PUT
    if (!kinds)
        m.kind = NULL;
    *bytes = line_bytes(n);
    return m;
}

pairs_memory pairs_memory_at(const cpu_pairs *k, const pairs_shape *s, void *memory)
{
    size_t bytes;
    return lay(k, s, memory, &bytes);
}

size_t pairs_memory_bytes(const cpu_pairs *k, const pairs_shape *s)
{
    size_t bytes;
    lay(k, s, NULL, &bytes);
    return bytes;
}

/* Where output q of a tile in row `row` lies in the images of a task, -1 where it does not exist. */
static int32_t pixel_of(const pairs_shape *s, const pairs_group *g, int64_t q, int64_t row)
{
    const pairs_source *p = &s->source;
    int64_t width = p->images * p->pitch, y = q / width, at = q % width, inner = p->step_image == 1;
    int64_t n = inner ? at % p->images : at / p->pitch, x = inner ? at / p->images : at % p->pitch;
    if ((y != row && pairs_by_rows(p, g)) || y >= g->oh || x >= g->ow)
        return -1;
    int64_t iy = g->y0 + y * g->dy, ix = g->x0 + x * g->dx;
    return (int32_t)(s->blocked ? (iy * s->ow + ix) * HZ_BLOCK_N + n : (n * s->oh + iy) * s->ow + ix);
}

/* Of each group the pixels of its outputs; then of each the tiles. What fills up is the last tile again. */
static void list_outputs(const pairs_shape *s, int32_t *pixel, int32_t *tile)
{
    for (const pairs_group *g = s->group; g < s->group + s->groups; g++) {
        int64_t tiles = pairs_tiles(&s->source, g), width = s->source.images * s->source.pitch;
        for (int64_t i = 0; i < pairs_listed(s, g) / PAIRS_TILE; i++) {
            int64_t q = pairs_tile(&s->source, g, min(i, tiles - 1));
            *tile++ = (int32_t)q;
            for (int64_t j = 0; j < PAIRS_TILE; j++)
                *pixel++ = i < tiles ? pixel_of(s, g, q + j, q / width) : -1;
        }
    }
}

/* ---- taps that only zeros are read through ---- */

/* Taps that some output of a block needs, by bits. */
static uint64_t taps_of(const pairs_shape *s, const pairs_group *g, const int32_t *pixel)
{
    uint64_t taps = 0;
    int64_t wide = s->ow * (s->blocked ? HZ_BLOCK_N : 1), last = -1;
    for (int i = 0; i < PAIRS; i++) {
        int64_t y = pixel[i] < 0 ? last : (pixel[i] / wide % s->oh - g->y0) / g->dy;
        for (int t = 0; t < g->taps && y != last; t++)
            taps |= (uint64_t)(y + g->row[t] >= 0 && y + g->row[t] < g->rows[t]) << t;
        last = y;
    }
    return taps;
}

/* The terms of part `part` through these taps; 0: none. */
static int list_part(const cpu_pairs *k, const pairs_shape *s, const pairs_group *g, int64_t part, uint64_t taps,
                     pairs_terms *list, pairs_term *term)
{
    int64_t from = part * pairs_together(k, s, g), to = min(from + pairs_together(k, s, g), g->taps * s->source.runs);
    *list = (pairs_terms){ .at = term };
    for (int64_t i = from; i < to; i++)
        if (taps >> i % g->taps & 1)
            term[list->terms++] = (pairs_term){ (g->offset[i % g->taps] + i / g->taps * s->source.pixels) * PAIRS,
                                                (i - from) * PAIRS_BLOCK };
    list->rows = pairs_rows_with(list->terms);
    return list->terms;
}

/* The number of these taps among the kinds there are, a new one if there is room; 0, all taps, if not, or if some part
   would have no terms. */
static int kind_of(const cpu_pairs *k, const pairs_shape *s, const pairs_group *g, uint64_t taps, uint64_t *kinds,
                   int *count)
{
    pairs_terms list;
    pairs_term term[PAIRS_TERMS];
    for (int i = 0; i < *count; i++)
        if (kinds[i] == taps)
            return i;
    for (int64_t part = 0; part < pairs_parts(k, s, g); part++)
        if (*count == PAIRS_KINDS || !list_part(k, s, g, part, taps, &list, term))
            return 0;
    kinds[*count] = taps;
    return (*count)++;
}

static void list_kinds(const cpu_pairs *k, const pairs_shape *s, const pairs_memory *m)
{
    const int32_t *pixel = m->pixel;
    uint8_t *kind = m->kind;
    pairs_terms *list = m->list;
    pairs_term *term = m->term;
    for (const pairs_group *g = s->group; g < s->group + s->groups; g++) {
        uint64_t kinds[PAIRS_KINDS] = { g->taps < 64 ? (1ull << g->taps) - 1 : ~0ull };
        int count = 1;
        for (int64_t i = 0; i < pairs_listed(s, g); i += PAIRS, pixel += PAIRS)
            *kind++ = (uint8_t)kind_of(k, s, g, taps_of(s, g, pixel), kinds, &count);
        for (int64_t part = 0; part < pairs_parts(k, s, g); part++)
            for (int i = 0; i < PAIRS_KINDS; i++, term += PAIRS_TERMS)
                list_part(k, s, g, part, kinds[i < count ? i : 0], list++, term);
    }
}

void pairs_pack_weights(const hz_work *w, const cpu_call *c, const pairs_shape *s, uint16_t *to, float *bias)
{
    int back = w->op == OP_conv2d_dx || w->op == OP_dense_dx;
    const hz_arg *weights = &w->in[1];
    packing p = { .k = c->micro->pairs, .s = s, .w = weights->data, .to = to, .taps = s->taps, .back = back };
    p.inputs = cpu_size(weights, 1, weights->ndim) / p.taps;
    p.depth = back ? weights->shape[0] : p.inputs;
    team_run((int)pairs_panels(s), pack_panel, &p);
    if (!back && w->nin > 2 && w->in[2].data) {
        memset(bias, 0, (size_t)(pairs_panels(s) * PAIRS) * sizeof(float));
        memcpy(bias, w->in[2].data, (size_t)s->oc * sizeof(float));
    }
}

void pairs_pack(const hz_work *w, const cpu_call *c)
{
    pairs_shape s;
    if (!pairs_shape_of(w, c->micro, &s))
        return;
    pairs_memory m = pairs_memory_at(c->micro->pairs, &s, c->memory);
    pairs_pack_weights(w, c, &s, m.weights, m.bias);
    list_outputs(&s, m.pixel, m.tile);
    if (m.copies)
        pairs_list_copies(&s, m.copy);
    if (m.kind)
        list_kinds(c->micro->pairs, &s, &m);
}

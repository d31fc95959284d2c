/* arena.c: one block of memory for all values of a plan.
   A value lives from the node that makes it to the last node that reads it. Largest first, each value is put at the
   lowest offset where it meets no value of an overlapping life (Pisarchyk, Lee: "Efficient memory management for deep
   neural net inference", 2020, section 5.2: greedy by size). Entries and kept values live for ever.

       offset
         |  [ conv1.y      ]
         |  [ conv2.y            ][ d conv2.y ]
         |        [ conv3.y             ]
         +------------------------------------- node */
#include "graph/planner.h"
#include "bounds.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 128, GAP = 128 };       /* the gap keeps neighbours of power-of-two size from meeting in one cache set */

int root_of(const hz_graph *g, int value)
{
    while (g->values[value].view >= 0)
        value = g->values[value].view;
    return value;
}

int64_t value_bytes(const hz_value *v)
{
    int64_t n = (int64_t)hz_dtype_bytes(v->dtype);
    for (int i = 0; i < v->ndim; i++)
        n *= v->shape[i];
    return n;
}

static void see(const hz_graph *g, life *lives, int value, int node)
{
    life *l = &lives[root_of(g, value)];
    if (l->first < 0)
        l->first = node;
    l->last = node;
}

static void measure_lives(const hz_graph *g, int keep, life *lives)
{
    for (int v = 0; v < g->nvalues; v++)
        lives[v] = (life){ .value = v, .first = -1, .offset = -1, .bytes = value_bytes(&g->values[v]) };
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        if (n->dead)
            continue;
        for (int k = 0; k < n->nin; k++)
            if (n->in[k] >= 0)
                see(g, lives, n->in[k], i);
        for (int k = 0; k < n->nout; k++)
            see(g, lives, n->out[k], i);
    }
    for (int v = 0; v < g->nvalues; v++) {
        const hz_value *value = &g->values[v];
        if (value->kind == HZ_BOUND || value->view >= 0 || value->unstored)
            lives[v].first = -1;
        else if (lives[v].first >= 0 || value->keep) {
            if (value->node < 0 && value->keep)
                lives[v].first = 0;
            if (keep || value->keep)
                lives[v].last = g->nnodes;
        }
    }
}

/* What is seen between a node and the last that may come at the same time lives through all of them. */
static void keep_apart(const hz_graph *g, const int *until, life *lives)
{
    for (int i = 0; i < g->nnodes; i++)
        for (int v = 0; v < g->nvalues && until[i] > i; v++) {
            life *l = &lives[v];
            if (l->first < 0 || l->first > until[i] || l->last < i)
                continue;
            l->first = l->first < i ? l->first : i;
            l->last = l->last > until[i] ? l->last : until[i];
        }
}

/* Lets an output take the memory of input 0 where the op allows it and nobody reads that input again. */
static void share_in_place(const hz_graph *g, life *lives, int32_t *heir)
{
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        if (n->dead || !op_has(n->op, 'I') || op_has(n->op, 'V'))
            continue;
        int from = root_of(g, n->in[0]), to = n->out[0];
        life *a = &lives[from], *b = &lives[to];
        if (a->first < 0 || b->first < 0 || a->last != i || a->bytes != b->bytes || n->in[1] == n->in[0])
            continue;
        heir[to] = from;
    }
    for (int v = 0; v < g->nvalues; v++)              /* a chain of heirs is one life */
        if (heir[v] >= 0) {
            int root = v;
            while (heir[root] >= 0)
                root = heir[root];
            heir[v] = root;
            if (lives[v].last > lives[root].last)
                lives[root].last = lives[v].last;
            lives[v].first = -1;
        }
}

static int by_size(const void *a, const void *b)
{
    const life *x = *(life *const *)a, *y = *(life *const *)b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->value - y->value;
}

static int by_offset(const void *a, const void *b)
{
    const life *x = *(life *const *)a, *y = *(life *const *)b;
    return x->offset != y->offset ? (x->offset > y->offset ? 1 : -1) : x->value - y->value;
}

static int overlap(const life *a, const life *b) { return a->first <= b->last && b->first <= a->last; }

/* `placed` is sorted by offset. */
static int64_t lowest_gap(life *const *placed, int n, const life *l)
{
    int64_t at = 0;
    for (int i = 0; i < n; i++)
        if (overlap(placed[i], l)) {
            if (placed[i]->offset >= at + l->bytes + GAP)
                break;
            int64_t end = placed[i]->offset + placed[i]->bytes + GAP;
            if (end > at)
                at = round_up(end, ALIGN);
        }
    return at;
}

hz_status arena_place(const hz_graph *g, int keep, const int *until, arena_map *map)
{
    size_t n = (size_t)g->nvalues + 1;
    life *lives = calloc(n, sizeof *lives), **order = calloc(n, sizeof *order), **placed = calloc(n, sizeof *placed);
    int32_t *heir = malloc(n * sizeof *heir);
    map->offset = malloc(n * sizeof *map->offset);
    map->bytes = 0;
    map->life = lives;
    if (!lives || !order || !placed || !heir || !map->offset) {
        free(order), free(placed), free(heir), arena_clear(map);
        return hz_fail(HZ_EMEM, "arena: no memory to place %d values", g->nvalues);
    }
    memset(heir, -1, n * sizeof *heir);
    measure_lives(g, keep, lives);
    keep_apart(g, until, lives);
    if (!keep)
        share_in_place(g, lives, heir);
    int count = 0;
    for (int v = 0; v < g->nvalues; v++)
        if (lives[v].first >= 0)
            order[count++] = &lives[v];
    qsort(order, (size_t)count, sizeof *order, by_size);
    for (int i = 0; i < count; i++) {
        order[i]->offset = lowest_gap(placed, i, order[i]);
        placed[i] = order[i];
        qsort(placed, (size_t)i + 1, sizeof *placed, by_offset);
        int64_t end = order[i]->offset + order[i]->bytes + GAP;
        if (end > map->bytes)
            map->bytes = end;
    }
    for (int v = 0; v < g->nvalues; v++) {
        int root = root_of(g, v);
        if (heir[root] >= 0)
            root = heir[root];
        map->offset[v] = lives[root].offset;
        assert(map->offset[v] < 0 || map->offset[v] % ALIGN == 0);
    }
    free(order), free(placed), free(heir);
    return HZ_OK;
}

void arena_clear(arena_map *map)
{
    free(map->offset);
    free(map->life);
    *map = (arena_map){ 0 };
}

/* history.c: what the runs of a plan have left of each value: its own numbers, or those of a node that used the memory
   again. Kept as the number of the run in which each node ran last; order within a run is that of the nodes. */
#include "graph/history.h"
#include <stdlib.h>

hz_status history_make(history *h, int nodes)
{
    h->ran = calloc((size_t)nodes + 1, sizeof *h->ran);
    return h->ran ? HZ_OK : hz_fail(HZ_EMEM, "plan: no memory for %d nodes", nodes);
}

void history_clear(history *h)
{
    free(h->ran);
    *h = (history){ 0 };
}

void history_note(history *h, int from, int to, const unsigned char *idle)
{
    h->runs++;
    h->end = to;
    for (int i = from; i < to; i++)
        h->ran[i] = idle[i] ? h->ran[i] : h->runs;
}

static int later(const history *h, int node, int than)
{
    return h->ran[node] != h->ran[than] ? h->ran[node] > h->ran[than] : node > than;
}

static int meets(const arena_map *m, int a, int64_t bytes_of_a, int b, int64_t bytes_of_b)
{
    return m->offset[a] < m->offset[b] + bytes_of_b && m->offset[b] < m->offset[a] + bytes_of_a;
}

static int writes_over(const hz_graph *g, const arena_map *m, const hz_node *n, int value)
{
    for (int k = 0; k < n->nout; k++) {
        int out = n->out[k];
        if (out >= 0 && m->offset[out] >= 0
            && meets(m, out, value_bytes(&g->values[out]), value, value_bytes(&g->values[value])))
            return 1;
    }
    return 0;
}

int history_overwritten(const history *h, const hz_graph *g, const arena_map *m, int value)
{
    int root = root_of(g, value), maker = g->values[root].node;
    if (maker < 0 || !h->ran[maker] || m->offset[root] < 0)
        return -1;
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        if (i != maker && !n->dead && !op_has(n->op, 'V') && later(h, i, maker) && writes_over(g, m, n, root))
            return i;
    }
    return -1;
}

/* An input of a node that will not be made again by nodes from .. node-1. */
static hz_status check_input(const history *h, const hz_graph *g, const arena_map *m, const hz_node *n, int value,
                             int from)
{
    int root = root_of(g, value), maker = g->values[root].node;
    if (maker < 0 || maker >= from || g->values[root].kind == HZ_BOUND)
        return HZ_OK;
    if (!h->ran[maker])
        return hz_fail(HZ_ESTATE, "plan: '%s' reads '%s', which no run has made yet; needs a run from '%s' on", n->name,
                       g->values[value].name, g->nodes[maker].name);
    int by = history_overwritten(h, g, m, root);
    if (by < 0)
        return HZ_OK;
    return hz_fail(HZ_ESTATE, "plan: '%s' reads '%s', whose memory '%s' used again; needs a plan with keep=true, or a "
                   "run from '%s' on", n->name, g->values[value].name, g->nodes[by].name, g->nodes[maker].name);
}

hz_status history_check(const history *h, const hz_graph *g, const arena_map *m, int from, int to)
{
    if (from == 0 || from == h->end)              /* goes on where the last run ended */
        return HZ_OK;
    for (int i = from; i < to; i++)
        for (int k = 0; k < g->nodes[i].nin && !g->nodes[i].dead; k++) {
            int value = g->nodes[i].in[k];
            hz_status status = value < 0 ? HZ_OK : check_input(h, g, m, &g->nodes[i], value, from);
            if (status)
                return status;
        }
    return HZ_OK;
}

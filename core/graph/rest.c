/* rest.c: what a step may leave out. A parameter whose rate has come to 0 for good needs no gradient any more: where
   its group is at rest (hz_step), its update does not run, nor does a node that nothing but such updates reads. */
#include "graph/planner.h"
#include <string.h>

static int rests(const hz_node *n, uint32_t groups)
{
    return op_has(n->op, 'R') && groups >> n->attr.optim.group & 1;
}

/* Whether all that reads this value is idle; 0 where nobody does. */
static int only_idle_read(const hz_graph *g, int value, int from, const unsigned char *idle)
{
    int readers = 0;
    for (int i = from; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin && !g->nodes[i].dead; k++)
            if (g->nodes[i].in[k] == value) {
                readers++;
                if (!idle[i])
                    return 0;
            }
    return readers > 0;
}

static int is_idle(const hz_graph *g, int node, uint32_t groups, const unsigned char *idle)
{
    const hz_node *n = &g->nodes[node];
    int some = 0;
    if (n->dead || op_has(n->op, 'U'))
        return !n->dead && rests(n, groups);
    for (int k = 0; k < n->nout; k++) {
        if (n->out[k] < 0)
            continue;
        if (g->values[n->out[k]].keep || !only_idle_read(g, n->out[k], node + 1, idle))
            return 0;
        some = 1;
    }
    return some;
}

void rest_find(const hz_graph *g, uint32_t groups, unsigned char *idle)
{
    for (int i = g->nnodes - 1; i >= 0; i--)
        idle[i] = (unsigned char)(groups && is_idle(g, i, groups, idle));
}

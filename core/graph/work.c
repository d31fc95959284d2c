/* work.c: a node as kernels see it (hz_work). Fusion asks a backend about nodes by it before there is any memory; the
   plan fills in where their values lie. */
#include "graph/planner.h"
#include <string.h>

hz_work work_of(const hz_graph *g, const hz_node *n)
{
    hz_work w = { .op = n->op, .nin = n->nin, .nout = n->nout, .name = n->name, .attr = n->attr, .exact = g->exact,
                  .tf32 = g->tf32, .tails = n->tails, .head = n->head };
    memcpy(w.tail, n->tail, sizeof w.tail);
    for (int k = 0; k < n->nin + n->nout; k++) {
        int v = k < n->nin ? n->in[k] : n->out[k - n->nin];
        hz_arg *a = k < n->nin ? &w.in[k] : &w.out[k - n->nin];
        if (v < 0)
            continue;
        const hz_value *value = &g->values[v];
        a->data = (void *)value;
        a->dtype = value->dtype;
        a->ndim = value->ndim;
        a->kind = value->kind;
        a->blocked = value->blocked;
        memcpy(a->shape, value->shape, sizeof a->shape);
    }
    return w;
}

int works_of(const hz_graph *g, hz_work *works, int *first_work)
{
    int count = 0;
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        first_work[i] = count;
        if (n->dead || op_has(n->op, 'V'))
            continue;
        hz_work *w = &works[count++];
        *w = work_of(g, n);
        for (int k = 0; k < n->nin; k++)
            w->in[k].data = n->in[k] < 0 ? NULL : &g->values[root_of(g, n->in[k])];
        for (int k = 0; k < n->nout; k++)
            w->out[k].data = &g->values[root_of(g, n->out[k])];
    }
    first_work[g->nnodes] = count;
    return count;
}

/* rewrite.c: orders of computation that cost less and yield the same. Run before fusion, over a graph with its gradient.

   Activation and max pooling: act_grad(maxpool_grad(dz), y) is zero but where y is the largest of its window, z, so it equals
   maxpool_grad(act_grad(dz, z)): as many multiplications as there are windows, and y need not be kept for it. Only where windows do not overlap,
   and for activations whose derivative is a function of the output.

   Activation and dropout: where the derivative depends on the sign of y alone, act_grad(dropout_grad(dz, mask), y) may read dropout's output in
   place of y: where an element was dropped, the gradient is zero already, elsewhere the signs agree. Then y need not be kept. */
#include "planner.h"
#include <stdlib.h>
#include <string.h>

int32_t *graph_uses(const hz_graph *g)
{
    int32_t *uses = calloc((size_t)g->nvalues + 1, sizeof *uses);
    for (int i = 0; i < g->nnodes && uses; i++)
        for (int k = 0; k < g->nodes[i].nin; k++)
            if (!g->nodes[i].dead && g->nodes[i].in[k] >= 0)
                uses[g->nodes[i].in[k]]++;
    return uses;
}

/* The node that makes input `i` of n, if it is of this op; else -1. */
static int maker(const hz_graph *g, const hz_node *n, int i, int op)
{
    int node = i < n->nin && n->in[i] >= 0 ? g->values[n->in[i]].node : -1;
    return node >= 0 && !g->nodes[node].dead && g->nodes[node].op == op ? node : -1;
}

static void take_shape(hz_value *to, const hz_value *from)
{
    to->ndim = from->ndim;
    memcpy(to->shape, from->shape, sizeof to->shape);
}

/* Node a: act_grad(dy, y) with dy = maxpool_grad(dz, argmax), and z, argmax = maxpool(y). */
static void swap_act_and_pool(hz_graph *g, int a, int32_t *uses)
{
    hz_node *act = &g->nodes[a];
    int p = maker(g, act, 0, OP_maxpool_grad), m = p < 0 ? -1 : maker(g, &g->nodes[p], 1, OP_maxpool);
    if (m < 0 || act->attr.act.act == HZ_GELU)
        return;
    hz_node *pool = &g->nodes[p], pool_before = *pool, act_before = *act;
    const hz_window *v = &pool->attr.window;
    int mid = act->in[0], y = act->in[1], z = g->nodes[m].out[0];
    if (g->nodes[m].in[0] != y || uses[mid] != 1 || g->values[mid].keep || v->kh > (v->sh ? v->sh : 1) || v->kw > (v->sw ? v->sw : 1))
        return;
    *pool = act_before;
    *act = pool_before;
    pool->in[0] = act->in[0];
    pool->in[1] = z;
    pool->out[0] = act->in[0] = mid;
    act->out[0] = act_before.out[0];
    take_shape(&g->values[mid], &g->values[pool->in[0]]);
    uses[y]--;
    uses[z]++;
}

/* Node a: act_grad(dropout_grad(dz, mask), y) with z, mask = dropout(y). */
static void read_dropped(hz_graph *g, int a, int32_t *uses)
{
    hz_node *act = &g->nodes[a];
    int d = maker(g, act, 0, OP_dropout_grad), m = d < 0 ? -1 : maker(g, &g->nodes[d], 1, OP_dropout);
    if (m < 0 || g->nodes[m].in[0] != act->in[1] || (act->attr.act.act != HZ_RELU && act->attr.act.act != HZ_LEAKY))
        return;
    uses[act->in[1]]--;
    act->in[1] = g->nodes[m].out[0];
    uses[act->in[1]]++;
}

void graph_rewrite(hz_graph *g, int32_t *uses)
{
    static void (*const rewrites[])(hz_graph *g, int a, int32_t *uses) = { swap_act_and_pool, read_dropped };
    for (size_t r = 0; r < sizeof rewrites / sizeof *rewrites; r++)
        for (int i = 0; i < g->nnodes; i++)
            if (!g->nodes[i].dead && g->nodes[i].op == OP_act_grad)
                rewrites[r](g, i, uses);
}

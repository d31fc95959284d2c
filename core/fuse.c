/* fuse.c: patterns that become one node. The gradient is appended before, so a pre-activation that some backward node reads
   (gelu's) has two users and is left alone: counting uses is the whole safety argument. */
#include "planner.h"
#include <stdlib.h>

/* producer -> act with nothing else reading the value between them: the activation becomes the producer's epilogue. */
static const int epilogue_takers[] = { OP_conv2d, OP_dense };

static int takes_epilogue(const hz_node *n)
{
    for (size_t i = 0; i < sizeof epilogue_takers / sizeof *epilogue_takers; i++)
        if (n->op == epilogue_takers[i])
            return 1;
    return 0;
}

static void set_epilogue(hz_node *n, hz_act_attr a)
{
    if (n->op == OP_conv2d) {
        n->attr.window.act = a.act;
        n->attr.window.alpha = a.alpha;
    } else {
        n->attr.act = a;
    }
}

static int epilogue_of(const hz_node *n) { return n->op == OP_conv2d ? n->attr.window.act : n->attr.act.act; }

static void fuse_epilogue(hz_graph *g, const hz_backend *b, int act, const int32_t *uses)
{
    hz_node *a = &g->nodes[act];
    hz_value *mid = &g->values[a->in[0]];
    if (mid->node < 0 || mid->keep || uses[a->in[0]] != 1)
        return;
    hz_node *p = &g->nodes[mid->node], fused = *p;
    if (p->dead || !takes_epilogue(p) || epilogue_of(p) != HZ_LINEAR)
        return;
    set_epilogue(&fused, a->attr.act);
    fused.out[0] = a->out[0];
    hz_work w = work_of(g, &fused);
    if (!b->accepts(&w))
        return;
    g->values[fused.out[0]].node = mid->node;
    mid->node = -1;
    *p = fused;
    a->dead = 1;
}

void graph_fuse(hz_graph *g, const hz_backend *b)
{
    int32_t *uses = calloc((size_t)g->nvalues + 1, sizeof *uses);
    if (!uses)
        return;                 /* unfused is always correct */
    for (int i = 0; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin; k++)
            if (g->nodes[i].in[k] >= 0)
                uses[g->nodes[i].in[k]]++;
    for (int i = 0; i < g->nnodes; i++)
        if (g->nodes[i].op == OP_act && !g->nodes[i].dead)
            fuse_epilogue(g, b, i, uses);
    free(uses);
}

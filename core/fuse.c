/* fuse.c: patterns of two nodes that become one. The gradient is appended before, so a pre-activation that some backward node reads
   (gelu's) has two users and is left alone: counting uses is the whole safety argument. The follower's other inputs must be older
   than the producer, because the fused node runs in the producer's place. */
#include "planner.h"
#include <stdlib.h>

/* producer -> follower with nothing else reading the value between them: the follower becomes the producer's epilogue. What else it
   reads (act_grad: y) becomes the fused node's last input. */
static const struct { int producer, follower; } patterns[] = {
    { OP_conv2d, OP_act }, { OP_dense, OP_act }, { OP_norm, OP_act }, { OP_conv2d_dx, OP_act_grad }, { OP_dense_dx, OP_act_grad },
    { OP_norm_grad, OP_act_grad }, { OP_dropout_grad, OP_act_grad }, { OP_maxpool_grad, OP_act_grad }, { OP_avgpool_grad, OP_act_grad },
    { OP_meanpool_grad, OP_act_grad },
};

static int is_pattern(int producer, int follower)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (patterns[i].producer == producer && patterns[i].follower == follower)
            return 1;
    return 0;
}

/* The one node that does the work of both; 0 if there is none. */
static int merge(const hz_graph *g, int producer, const hz_node *follower, hz_node *fused)
{
    const hz_node *p = &g->nodes[producer];
    if (p->dead || !is_pattern(p->op, follower->op) || hz_epilogue(p->op, &p->attr)->act != HZ_LINEAR || follower->attr.act.act == HZ_LINEAR)
        return 0;
    *fused = *p;
    *(hz_act_attr *)hz_epilogue(fused->op, &fused->attr) = follower->attr.act;
    fused->out[0] = follower->out[0];
    for (int k = 1; k < follower->nin; k++) {
        if (fused->nin == HZ_MAXIN || follower->in[k] < 0 || g->values[follower->in[k]].node >= producer)
            return 0;
        fused->in[fused->nin++] = follower->in[k];
    }
    return 1;
}

static void fuse(hz_graph *g, const hz_backend *b, int follower, const int32_t *uses)
{
    hz_node *f = &g->nodes[follower], fused;
    if (f->dead || f->nin < 1 || f->in[0] < 0)
        return;
    hz_value *mid = &g->values[f->in[0]];
    if (mid->node < 0 || mid->keep || uses[f->in[0]] != 1 || !merge(g, mid->node, f, &fused))
        return;
    hz_work w = work_of(g, &fused);
    if (!b->accepts(&w))
        return;
    g->nodes[mid->node] = fused;
    g->values[fused.out[0]].node = mid->node;
    mid->node = -1;
    f->dead = 1;
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
        fuse(g, b, i, uses);
    free(uses);
}

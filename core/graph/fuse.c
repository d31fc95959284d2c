/* fuse.c: patterns of two nodes that become one. The gradient is appended before, so a pre-activation that some backward node reads
   (gelu's) has two users and is left alone: counting uses is the whole safety argument. The follower's other inputs must be older
   than the producer, because the fused node runs in the producer's place. */
#include "graph/planner.h"
#include <stdio.h>
#include <stdlib.h>

/* producer -> follower with nothing else reading the value between them. EPILOGUE: an activation, which the producer's kernel applies to its
   sums; behind a tail it is one. TAIL: the follower runs over parts of the result while they are near (hz_tail). SUMS: the producer adds
   up what batch norm would read its result for. What a follower reads else becomes the fused node's. */
enum how { EPILOGUE, TAIL, SUMS };
static const struct { int producer, follower; enum how how; } patterns[] = {
    { OP_conv2d, OP_act, EPILOGUE },          { OP_dense, OP_act, EPILOGUE },             { OP_norm, OP_act, EPILOGUE },
    { OP_conv2d_dx, OP_act_grad, EPILOGUE },  { OP_dense_dx, OP_act_grad, EPILOGUE },     { OP_norm_grad, OP_act_grad, EPILOGUE },
    { OP_dropout_grad, OP_act_grad, EPILOGUE }, { OP_maxpool_grad, OP_act_grad, EPILOGUE }, { OP_avgpool_grad, OP_act_grad, EPILOGUE },
    { OP_meanpool_grad, OP_act_grad, EPILOGUE },
    { OP_conv2d, OP_maxpool, TAIL },          { OP_conv2d, OP_dropout, TAIL },            { OP_conv2d_dx, OP_dropout_grad, TAIL },
    { OP_conv2d, OP_norm, SUMS },             { OP_conv2d_dx, OP_norm_grad, SUMS },       /* frozen: a tail */
};

static int pattern_of(int producer, int follower)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (patterns[i].producer == producer && patterns[i].follower == follower)
            return (int)i;
    return -1;
}

/* Which of a node's outputs is its result: that of the last tail which yields one of its own, else the first. */
static int result_of(const hz_node *n)
{
    int result = 0;
    for (int i = 0; i < n->tails; i++)
        if (n->tail[i].op == OP_maxpool)
            result = n->tail[i].out;
    return result;
}

int32_t hz_node_result(const hz_node *n) { return n->nout ? n->out[result_of(n)] : -1; }

/* Adds the follower's further inputs from `first` on; 0 if one is younger than the producer or there is no room. */
static int take_inputs(const hz_graph *g, int producer, const hz_node *follower, int first, hz_node *fused)
{
    for (int k = 1; k < follower->nin; k++) {
        if (first == HZ_MAXIN || (follower->in[k] >= 0 && g->values[follower->in[k]].node >= producer))
            return 0;
        fused->in[first++] = follower->in[k];
        fused->nin = first;
    }
    return 1;
}

static int epilogue(const hz_graph *g, int producer, const hz_node *follower, hz_node *fused)
{
    if (hz_epilogue(fused->op, &fused->attr)->act != HZ_LINEAR || follower->attr.act.act == HZ_LINEAR)
        return 0;
    *(hz_act_attr *)hz_epilogue(fused->op, &fused->attr) = follower->attr.act;
    fused->out[0] = follower->out[0];
    return take_inputs(g, producer, follower, op_inputs(fused->op) - 1, fused);
}

/* Behind the inputs that the producer may have, absent ones included. */
static int tail(const hz_graph *g, int producer, const hz_node *follower, hz_node *fused)
{
    int first = fused->nin, most = op_inputs(fused->op), result = result_of(fused), own = follower->op == OP_maxpool;
    int outputs = follower->op == OP_norm ? 1 : follower->nout;      /* frozen statistics are nobody's result */
    if (fused->tails == HZ_TAILS || fused->nout + outputs - !own > HZ_MAXOUT)
        return 0;
    first = first < most ? most : first;
    fused->tail[fused->tails++] = (hz_tail){ .op = follower->op, .in = follower->nin > 1 ? first : -1, .out = outputs > !own ? fused->nout : -1,
                                             .attr = follower->attr };
    if (!own)
        fused->out[result] = follower->out[0];
    for (int k = !own; k < outputs; k++)
        fused->out[fused->nout++] = follower->out[k];
    return take_inputs(g, producer, follower, first, fused);
}

/* The node that does the work of both; 0 if there is none. */
static int merge(const hz_graph *g, int producer, const hz_node *follower, enum how how, hz_node *fused)
{
    *fused = g->nodes[producer];
    for (int k = fused->nin; k < HZ_MAXIN; k++)
        fused->in[k] = -1;
    return how == EPILOGUE && !fused->tails ? epilogue(g, producer, follower, fused) : tail(g, producer, follower, fused);
}

static int accepted(const hz_graph *g, const hz_backend *b, const hz_node *fused)
{
    hz_work w = work_of(g, fused);
    return b->accepts(&w);
}

/* From now on the fused node makes its outputs; what a tail pooled is not stored. */
static void replace(hz_graph *g, int producer, int mid, const hz_node *fused, hz_node *follower)
{
    g->values[mid].node = -1;
    g->nodes[producer] = *fused;
    for (int k = 0; k < fused->nout; k++) {
        g->values[fused->out[k]].node = producer;
        g->values[fused->out[k]].output = k;
    }
    g->values[fused->out[0]].unstored = result_of(fused) != 0;
    follower->dead = 1;
}

/* Batch norm, or its gradient, over the last axis gets the sums from the node that makes its first input. */
static void give_sums(hz_graph *g, const hz_backend *b, int producer, hz_node *norm)
{
    const hz_value *x = &g->values[norm->in[0]];
    hz_node fused = g->nodes[producer];
    int back = norm->op == OP_norm_grad, at = back ? HZ_NORM_SUMS : HZ_NORM_MOMENTS, first = op_inputs(fused.op);
    if (norm->nin > at || fused.tails == HZ_TAILS || fused.nout == HZ_MAXOUT)
        return;
    for (int k = fused.nin; k < first; k++)
        fused.in[k] = -1;
    first = fused.nin < first ? first : fused.nin;
    fused.tail[fused.tails++] = (hz_tail){ .op = norm->op, .in = back ? first : -1, .out = fused.nout, .attr = norm->attr };
    if (back) {
        if (first + 2 > HZ_MAXIN || g->values[norm->in[1]].node >= producer || g->values[norm->in[3]].node >= producer)
            return;
        fused.in[first] = norm->in[1];
        fused.in[first + 1] = norm->in[3];
        fused.nin = first + 2;
    }
    char name[HZ_NAMELEN];
    snprintf(name, sizeof name, "%.30s.%s", norm->name, back ? "sums" : "moments");
    int sums = graph_value(g, name, &(out_spec){ .dtype = parameter_dtype(x), .kind = HZ_GRADIENT, .ndim = 2, .shape = { 2, x->shape[x->ndim - 1] } });
    if (sums < 0)
        return;
    fused.out[fused.nout++] = sums;
    if (!accepted(g, b, &fused))
        return;
    g->nodes[producer] = fused;
    g->values[sums].node = producer;
    g->values[sums].output = fused.nout - 1;
    norm->in[at] = sums;
    norm->nin = at + 1;
}

/* Which way the follower joins its producer; -1: it does not. */
static int way_of(const hz_graph *g, int producer, const hz_node *follower, const int32_t *uses)
{
    int row = pattern_of(producer, follower->op), axis = follower->attr.norm.axis;
    if (row < 0 || patterns[row].how != SUMS)
        return row < 0 ? -1 : (int)patterns[row].how;
    if (axis && axis != g->values[follower->in[0]].ndim - 1)
        return -1;
    if (!follower->attr.norm.frozen)
        return SUMS;
    return follower->op == OP_norm && !uses[follower->out[1]] && !uses[follower->out[2]] ? TAIL : -1;
}

static void fuse(hz_graph *g, const hz_backend *b, int follower, const int32_t *uses)
{
    hz_node *f = &g->nodes[follower], fused;
    int mid = f->dead || f->nin < 1 ? -1 : f->in[0], producer = mid < 0 ? -1 : g->values[mid].node;
    if (producer < 0 || g->nodes[producer].dead || hz_node_result(&g->nodes[producer]) != mid)
        return;
    int way = way_of(g, g->nodes[producer].op, f, uses);
    if (way == SUMS)
        give_sums(g, b, producer, f);
    else if (way >= 0 && !g->values[mid].keep && uses[mid] == 1 && merge(g, producer, f, (enum how)way, &fused) && accepted(g, b, &fused))
        replace(g, producer, mid, &fused, f);
}

void graph_fuse(hz_graph *g, const hz_backend *b)
{
    int32_t *uses = graph_rewrite(g) ? NULL : calloc((size_t)g->nvalues + 1, sizeof *uses);
    if (!uses)
        return;                 /* unfused is always correct */
    for (int i = 0; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin; k++)
            if (!g->nodes[i].dead && g->nodes[i].in[k] >= 0)
                uses[g->nodes[i].in[k]]++;
    for (int i = 0; i < g->nnodes; i++)
        fuse(g, b, i, uses);
    free(uses);
}

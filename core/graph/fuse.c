/* fuse.c: two nodes become one. The producer makes `mid`, which the follower reads as its first input:

       producer --mid--> follower --y-->          producer+follower --y-->

   How, follows from the follower's tail in op.def. An activation is the producer's epilogue: its kernel applies it to
   its sums. What works in place or has a result of its own is a tail, which runs over parts of the producer's result
   while they are near (hz_tail). A tail that only adds up sums leaves the follower where it is, with less to read:

       producer --mid--> follower --y-->          producer+sums --mid---> follower --y-->
                                                                --sums-->

   The gradient of max pooling, which is mostly zeros, is a head (hz_head) of all nodes that read it, convolutions' own
   gradients: each makes the parts that it needs.

       producer --mid--> follower(s) --y-->       producer+follower(s) --y-->

   Each is done only where the backend runs the fused node. The gradient is appended before, so a pre-activation that
   some backward node reads (gelu's) has two users and is left alone: counting uses is the whole safety argument. What
   the follower reads besides becomes the fused node's; it must be older than the producer, in whose place that runs. */
#include "graph/planner.h"
#include <stdio.h>
#include <stdlib.h>

static const struct { int producer, follower; } patterns[] = {
    { OP_conv2d, OP_act },              { OP_dense, OP_act },               { OP_norm, OP_act },
    { OP_conv2d_dx, OP_act_grad },      { OP_dense_dx, OP_act_grad },       { OP_norm_grad, OP_act_grad },
    { OP_dropout_grad, OP_act_grad },   { OP_maxpool_grad, OP_act_grad },   { OP_avgpool_grad, OP_act_grad },
    { OP_meanpool_grad, OP_act_grad },
    { OP_conv2d, OP_maxpool },          { OP_conv2d, OP_dropout },          { OP_conv2d, OP_norm },
    { OP_conv2d_dx, OP_dropout_grad },  { OP_conv2d_dx, OP_norm_grad },     { OP_conv2d_dx, OP_maxpool_grad },
    { OP_conv2d_dx, OP_norm_act_grad },
};

/* What is to be joined. */
typedef struct pair {
    int producer, mid;        /* node and value by number */
    hz_node *follower;
} pair;

/* One way to join a pair. build: 0 if there is no such node, -1 without memory (message set); rewire: the graph
   has it in the producer's place. */
typedef struct way {
    int (*build)(hz_graph *g, const pair *p, hz_node *fused);
    void (*rewire)(hz_graph *g, const pair *p, const hz_node *fused);
} way;

/* ---- build ---- */

/* The first input behind all that the node's op may have, absent ones included, and behind what was taken before. */
static int free_input(const hz_node *n) { return n->nin < op_inputs(n->op) ? op_inputs(n->op) : n->nin; }

/* Adds inputs from place `first` on; 0 if one is younger than the producer or there is no room. */
static int take_inputs(const hz_graph *g, int producer, const int32_t *in, int n, int first, hz_node *fused)
{
    for (int k = 0; k < n; k++) {
        if (first == HZ_MAXIN || (in[k] >= 0 && g->values[in[k]].node >= producer))
            return 0;
        fused->in[first++] = in[k];
        fused->nin = first;
    }
    return 1;
}

static int add_epilogue(hz_graph *g, const pair *p, hz_node *fused)
{
    const hz_node *f = p->follower;
    hz_act_attr *epilogue = (hz_act_attr *)hz_epilogue(fused->op, &fused->attr);
    if (epilogue->act != HZ_LINEAR || f->attr.act.act == HZ_LINEAR)
        return 0;
    *epilogue = f->attr.act;
    fused->out[0] = f->out[0];
    return take_inputs(g, p->producer, f->in + 1, f->nin - 1, op_inputs(fused->op) - 1, fused);
}

/* A tail that reads `reads` further inputs and makes `makes` further outputs; 0 if there is no room. */
static int put_tail(const hz_node *f, int reads, int makes, hz_node *fused)
{
    if (fused->tails == HZ_TAILS || fused->nout + makes > HZ_MAXOUT)
        return 0;
    fused->tail[fused->tails++] = (hz_tail){ .op = f->op, .in = reads ? free_input(fused) : -1,
                                             .out = makes ? fused->nout : -1, .attr = f->attr };
    return 1;
}

/* In place, the follower's first output becomes the node's result; else all of its outputs are further ones. */
static int add_tail(hz_graph *g, const pair *p, hz_node *fused)
{
    const hz_node *f = p->follower;
    int outputs = op_tail_has(f->op, 'F') ? 1 : f->nout;
    int in_place = hz_tail_kind_of(f->op, &f->attr) == HZ_TAIL_IN_PLACE, first = free_input(fused);
    if (!put_tail(f, f->nin - 1, outputs - in_place, fused))
        return 0;
    if (in_place)
        fused->out[node_result(fused)] = f->out[0];
    for (int k = in_place; k < outputs; k++)
        fused->out[fused->nout++] = f->out[k];
    return take_inputs(g, p->producer, f->in + 1, f->nin - 1, first, fused);
}

static int axis_of(const hz_graph *g, const hz_node *norm)
{
    int last = g->values[norm->in[0]].ndim - 1, axis = norm->attr.norm.axis;
    return axis > 0 ? axis : last;
}

/* A value for the sums, (2,n) for the n elements of the follower's axis. */
static int sums_value(hz_graph *g, const hz_node *follower, const char *word)
{
    const hz_value *x = &g->values[follower->in[0]];
    out_spec spec = { .dtype = parameter_dtype(x), .kind = HZ_GRADIENT, .ndim = 2 };
    spec.shape[0] = 2;
    spec.shape[1] = x->shape[axis_of(g, follower)];
    char name[HZ_NAMELEN];
    snprintf(name, sizeof name, "%.30s.%s", follower->name, word);
    return graph_value(g, name, &spec);
}

static int add_sums(hz_graph *g, const pair *p, hz_node *fused)
{
    const hz_node *f = p->follower;
    op_sums s = op_sums_of(f->op);
    int32_t in[HZ_MAXIN];
    int first = free_input(fused);
    for (int k = 0; k < s.nreads; k++)
        in[k] = f->in[s.reads[k]];
    if (f->nin > s.input || !put_tail(f, s.nreads, 1, fused))
        return 0;
    if (!take_inputs(g, p->producer, in, s.nreads, first, fused))
        return 0;
    int sums = sums_value(g, f, s.name);
    fused->out[fused->nout++] = sums;
    return sums < 0 ? -1 : 1;
}

/* ---- rewire ---- */

static int is_unstored(const hz_node *n)
{
    for (const hz_tail *t = n->tail; t < n->tail + n->tails; t++)
        if (t->out == node_result(n))
            return t->out > 0 && !hz_tail_keeps(t->op);
    return 0;
}

/* The fused node makes its outputs; what a tail with a result of its own has read is not stored. */
static void put(hz_graph *g, int producer, const hz_node *fused)
{
    g->nodes[producer] = *fused;
    for (int k = 0; k < fused->nout; k++) {
        g->values[fused->out[k]].node = producer;
        g->values[fused->out[k]].output = k;
    }
    g->values[fused->out[0]].unstored = is_unstored(fused);
}

static void replace(hz_graph *g, const pair *p, const hz_node *fused)
{
    g->values[p->mid].node = -1;
    put(g, p->producer, fused);
    p->follower->dead = 1;
}

static void hand_sums(hz_graph *g, const pair *p, const hz_node *fused)
{
    int input = op_sums_of(p->follower->op).input;
    put(g, p->producer, fused);
    p->follower->in[input] = fused->out[fused->nout - 1];
    p->follower->nin = input + 1;
}

static const way epilogue_way = { add_epilogue, replace };
static const way tail_way = { add_tail, replace };
static const way sums_way = { add_sums, hand_sums };

/* ---- match ---- */

static int is_pattern(int producer, int follower)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (patterns[i].producer == producer && patterns[i].follower == follower)
            return 1;
    return 0;
}

static int find_pair(const hz_graph *g, hz_node *follower, pair *p)
{
    int mid = follower->dead || follower->nin < 1 ? -1 : follower->in[0], producer = mid < 0 ? -1 : g->values[mid].node;
    *p = (pair){ .producer = producer, .mid = mid, .follower = follower };
    if (producer < 0 || g->nodes[producer].dead || hz_node_result(&g->nodes[producer]) != mid)
        return 0;
    return is_pattern(g->nodes[producer].op, follower->op);
}

/* Tails meet whole rows of the last axis, of which they know the row of the image. */
static int is_over_channels_or_rows(const hz_graph *g, const hz_node *norm)
{
    int axis = axis_of(g, norm);
    return axis == g->values[norm->in[0]].ndim - 1 || axis == 1;
}

static int only_first_output_is_read(const hz_node *n, const int32_t *uses)
{
    for (int k = 1; k < n->nout; k++)
        if (uses[n->out[k]])
            return 0;
    return 1;
}

/* Which way a pair may be joined; NULL: none. */
static const way *way_of(const hz_graph *g, const pair *p, const int32_t *uses)
{
    const hz_node *f = p->follower;
    if (op_tail_has(f->op, 'S') && !is_over_channels_or_rows(g, f))
        return NULL;
    if (hz_tail_kind_of(f->op, &f->attr) == HZ_TAIL_SUMS)
        return &sums_way;
    if (g->values[p->mid].keep || uses[p->mid] != 1 || (op_tail_has(f->op, 'F') && !only_first_output_is_read(f, uses)))
        return NULL;
    return op_tail_has(f->op, 'A') && !g->nodes[p->producer].tails ? &epilogue_way : &tail_way;
}

/* ---- the pass ---- */

static int accepted(const hz_graph *g, const hz_backend *b, const hz_node *fused)
{
    hz_work w = work_of(g, fused);
    return b->accepts(&w);
}

static hz_status fuse(hz_graph *g, const hz_backend *b, int follower, const int32_t *uses)
{
    pair p;
    const way *how = find_pair(g, &g->nodes[follower], &p) ? way_of(g, &p, uses) : NULL;
    if (!how)
        return HZ_OK;
    hz_node fused = g->nodes[p.producer];
    int built = how->build(g, &p, &fused);
    if (built > 0 && accepted(g, b, &fused))
        how->rewire(g, &p, &fused);
    return built < 0 ? HZ_EMEM : HZ_OK;
}

/* ---- heads ---- */

static int windows_apart(const hz_window *v)
{
    return v->kh == (v->sh ? v->sh : 1) && v->kw == (v->sw ? v->sw : 1);
}

/* The reader of `mid` with the node that makes it as its head; 0 if it cannot have one. */
static int head_on(const hz_graph *g, const hz_backend *b, const hz_node *reader, int mid, const hz_node *maker,
                   hz_node *fused)
{
    int of = reader->op == OP_conv2d_dx ? 0 : 1, in = free_input(reader), readings = 0;
    for (int k = 0; k < reader->nin; k++)
        readings += reader->in[k] == mid;
    if ((reader->op != OP_conv2d_dx && reader->op != OP_conv2d_dw) || readings != 1 || reader->in[of] != mid)
        return 0;
    *fused = *reader;
    fused->head = (hz_head){ .op = maker->op, .of = of, .in = in, .window = maker->attr.window };
    return take_inputs(g, g->nnodes, maker->in, 2, in, fused) && accepted(g, b, fused);
}

/* Makes node m a head of all that read its result, or of none; twice: to look, then to do it. */
static int put_heads(hz_graph *g, const hz_backend *b, int m, int doing)
{
    int mid = g->nodes[m].out[0], all = 0;
    for (int i = m + 1; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin && !g->nodes[i].dead; k++) {
            hz_node fused;
            if (g->nodes[i].in[k] != mid || g->nodes[i].head.op)
                continue;
            if (!head_on(g, b, &g->nodes[i], mid, &g->nodes[m], &fused))
                return 0;
            all++;
            if (doing)
                g->nodes[i] = fused;
        }
    return all;
}

static void fuse_heads(hz_graph *g, const hz_backend *b, int m)
{
    hz_node *n = &g->nodes[m];
    if (n->dead || n->op != OP_maxpool_grad || n->tails || n->attr.window.act != HZ_LINEAR || g->values[n->out[0]].keep
        || !windows_apart(&n->attr.window) || !put_heads(g, b, m, 0))
        return;
    put_heads(g, b, m, 1);
    g->values[n->out[0]].unstored = 1;
    g->values[n->out[0]].node = -1;
    n->dead = 1;
}

static int32_t *count_uses(const hz_graph *g)
{
    int32_t *uses = calloc((size_t)g->nvalues + 1, sizeof *uses);
    for (int i = 0; i < g->nnodes && uses; i++)
        for (int k = 0; k < g->nodes[i].nin; k++)
            if (!g->nodes[i].dead && g->nodes[i].in[k] >= 0)
                uses[g->nodes[i].in[k]]++;
    return uses;
}

/* Unfused would be as right, but of other bits: what memory there was must not decide a result. */
hz_status graph_fuse(hz_graph *g, const hz_backend *b)
{
    hz_status status = graph_rewrite(g);
    int32_t *uses = status ? NULL : count_uses(g);
    if (!status && !uses)
        status = hz_fail(HZ_EMEM, "fuse: no memory for %d values", g->nvalues);
    for (int i = 0; i < g->nnodes && !status; i++)
        status = fuse(g, b, i, uses);
    for (int i = 0; i < g->nnodes && !status; i++)
        fuse_heads(g, b, i);
    free(uses);
    return status;
}

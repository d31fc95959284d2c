/* rewrite.c: orders of computation that cost less. Run before fusion, over a graph with its gradient; each rewrite keeps the number of nodes
   and leaves values that nobody makes any more without a node.

   Activation and max pooling: act_grad(maxpool_grad(dz), y) is zero but where y is the largest of its window, z, so it equals
   maxpool_grad(act_grad(dz, z)): as many multiplications as there are windows, and y need not be kept for it. Only where windows do not overlap,
   and for activations whose derivative is a function of the output.

   Activation and dropout: where the derivative depends on the sign of y alone, act_grad(dropout_grad(dz, mask), y) may read dropout's output in
   place of y: where an element was dropped, the gradient is zero already, elsewhere the signs agree. Then y need not be kept.

   Mean over the image and a linear layer of 1x1 taps: the mean of w*x + b is w*mean(x) + b, so the layer meets one pixel instead of all, forward
   and backward. Rounding differs. */
#include "graph/planner.h"
#include <stdio.h>

static int users(const hz_graph *g, int value)
{
    int n = 0;
    for (int i = 0; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin; k++)
            n += !g->nodes[i].dead && g->nodes[i].in[k] == value;
    return n;
}

/* The node that makes a value, if it is of this op; else -1. */
static int maker(const hz_graph *g, int value, int op)
{
    int node = value >= 0 ? g->values[value].node : -1;
    return node >= 0 && !g->nodes[node].dead && g->nodes[node].op == op ? node : -1;
}

/* A value nobody but its one reader needs. */
static int is_private(const hz_graph *g, int value) { return !g->values[value].keep && users(g, value) == 1; }

/* A new value in place of `before`, whose name it has with a stroke: names that users know stay theirs. */
static int in_place_of(hz_graph *g, int before, const out_spec *spec)
{
    char name[HZ_NAMELEN];
    snprintf(name, sizeof name, "%.40s'", g->values[before].name);
    return graph_value(g, name, spec);
}

/* Node i becomes `now`, the one that makes its first output. */
static void put(hz_graph *g, int i, hz_node now)
{
    g->nodes[i] = now;
    g->values[now.out[0]].node = i;
    g->values[now.out[0]].output = 0;
}

/* Node a: act_grad(dy, y) with dy = maxpool_grad(dz, argmax), and z, argmax = maxpool(y). */
static hz_status swap_act_and_pool(hz_graph *g, int a)
{
    hz_node act = g->nodes[a];
    int p = maker(g, act.in[0], OP_maxpool_grad), m = p < 0 ? -1 : maker(g, g->nodes[p].in[1], OP_maxpool);
    if (m < 0 || g->nodes[m].in[0] != act.in[1] || act.attr.act.act == HZ_GELU || !is_private(g, act.in[0]))
        return HZ_OK;
    hz_node pool = g->nodes[p];
    const hz_window *v = &pool.attr.window;
    if (v->kh > (v->sh ? v->sh : 1) || v->kw > (v->sw ? v->sw : 1))
        return HZ_OK;
    out_spec spec = like(&g->values[pool.in[0]]);
    int dx = act.out[0], mid = in_place_of(g, act.in[0], &spec);
    if (mid < 0)
        return HZ_EMEM;
    g->values[act.in[0]].node = -1;
    act.in[0] = pool.in[0];
    act.in[1] = g->nodes[m].out[0];
    act.out[0] = pool.in[0] = mid;
    pool.out[0] = dx;
    put(g, p, act);
    put(g, a, pool);
    return HZ_OK;
}

/* Node a: act_grad(dropout_grad(dz, mask), y) with z, mask = dropout(y). */
static hz_status read_dropped(hz_graph *g, int a)
{
    hz_node *act = &g->nodes[a];
    int d = maker(g, act->in[0], OP_dropout_grad), m = d < 0 ? -1 : maker(g, g->nodes[d].in[1], OP_dropout);
    if (m >= 0 && g->nodes[m].in[0] == act->in[1] && (act->attr.act.act == HZ_RELU || act->attr.act.act == HZ_LEAKY))
        act->in[1] = g->nodes[m].out[0];
    return HZ_OK;
}

static int is_linear_1x1(const hz_node *n)
{
    const hz_window *v = &n->attr.window;
    return v->kh == 1 && v->kw == 1 && v->sh <= 1 && v->sw <= 1 && v->act == HZ_LINEAR;
}

/* The backward nodes of conv2d and the meanpool behind it; -1 where there are none. */
typedef struct backward { int mean, dx, dw; } backward;

/* 0 if somebody else reads the gradient between them. */
static int find_backward(const hz_graph *g, const hz_node *conv, backward *b)
{
    int dy = g->gradient[conv->out[0]];
    *b = (backward){ .mean = maker(g, dy, OP_meanpool_grad), .dx = -1, .dw = -1 };
    if (dy < 0)
        return 1;
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        if (n->op == OP_conv2d_dx && n->in[0] == dy && n->in[1] == conv->in[1])
            b->dx = i;
        if (n->op == OP_conv2d_dw && n->in[0] == conv->in[0] && n->in[1] == dy)
            b->dw = i;
    }
    return b->mean >= 0 && !g->values[dy].keep && users(g, dy) == (b->dx >= 0) + (b->dw >= 0);
}

/* Node m: z = meanpool(y) with y = w*x + b for each pixel, becomes z = w*p + b with p = meanpool(x). Backward dp = dz*w, dx = meanpool_grad(dp),
   dw = dz*p and db = dz, each summed over the batch. */
static hz_status mean_first(hz_graph *g, int m)
{
    hz_node mean = g->nodes[m];
    int c = maker(g, mean.in[0], OP_conv2d);
    backward b;
    if (c < 0 || !is_linear_1x1(&g->nodes[c]) || !is_private(g, mean.in[0]) || !find_backward(g, &g->nodes[c], &b))
        return HZ_OK;
    hz_node conv = g->nodes[c];
    const hz_value *x = &g->values[conv.in[0]], *w = &g->values[conv.in[1]];
    out_spec pixel = { .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], x->shape[3] } };
    out_spec matrix = { .dtype = w->dtype, .kind = w->kind, .ndim = 2, .shape = { w->shape[0], w->shape[3] } };
    int p = in_place_of(g, conv.out[0], &pixel), dp = in_place_of(g, conv.in[0], &pixel), flat = in_place_of(g, conv.in[1], &matrix);
    if (p < 0 || dp < 0 || flat < 0)
        return HZ_EMEM;
    g->values[flat].view = conv.in[1];
    int dz = b.mean < 0 ? -1 : g->nodes[b.mean].in[0];
    g->values[mean.in[0]].node = -1;
    int z = mean.out[0], x_value = conv.in[0];
    mean.in[0] = x_value;
    mean.out[0] = p;
    conv.op = OP_dense;
    conv.attr = (hz_attr){ .act = { 0 } };
    conv.in[0] = p;
    conv.in[1] = flat;
    conv.out[0] = z;
    put(g, c, mean);
    put(g, m, conv);
    if (b.dw >= 0) {
        hz_node *dw = &g->nodes[b.dw];
        dw->op = OP_dense_dw;
        dw->attr = conv.attr;
        dw->in[0] = p;
        dw->in[1] = dz;
    }
    if (b.mean >= 0)
        g->nodes[b.mean].dead = b.dx < 0;
    if (b.dx >= 0) {
        hz_node spread = g->nodes[b.mean], dx = g->nodes[b.dx];
        g->values[spread.out[0]].node = -1;
        spread.in[0] = dp;
        spread.out[0] = dx.out[0];
        dx.op = OP_dense_dx;
        dx.attr = conv.attr;
        dx.in[0] = dz;
        dx.in[1] = flat;
        dx.out[0] = dp;
        put(g, b.mean, dx);
        put(g, b.dx, spread);
    }
    return HZ_OK;
}

hz_status graph_rewrite(hz_graph *g)
{
    static const struct { int op; hz_status (*rewrite)(hz_graph *g, int node); } rewrites[] = {
        { OP_act_grad, swap_act_and_pool }, { OP_act_grad, read_dropped }, { OP_meanpool, mean_first },
    };
    for (size_t r = 0; r < sizeof rewrites / sizeof *rewrites; r++)
        for (int i = 0; i < g->nnodes; i++)
            if (!g->nodes[i].dead && g->nodes[i].op == rewrites[r].op && rewrites[r].rewrite(g, i))
                return HZ_EMEM;
    return HZ_OK;
}

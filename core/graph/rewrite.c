/* rewrite.c: orders of computation that cost less. Run before fusion, over a graph with its gradient; each rewrite
   keeps the number of nodes and leaves values that nobody makes any more without a node.

   Activation and max pooling: act_grad(maxpool_grad(dz), y) is zero but where y is the largest of its window, z, so it
   equals maxpool_grad(act_grad(dz, z)): as many multiplications as there are windows, and y need not be kept for it.
   Only where windows do not overlap, and for activations whose derivative is a function of the output.

   Activation and dropout: where the derivative depends on the sign of y alone, act_grad(dropout_grad(dz, mask), y) may
   read dropout's output in place of y: where an element was dropped, the gradient is zero already, elsewhere the signs
   agree. Then y need not be kept.

   Batch norm and GELU: act_grad(dz, y) needs y, what the activation was given, which norm made of x. It is made anew
   from x, which the gradient of norm reads anyway: y need not be kept, and GELU becomes the epilogue of norm.

   Mean over the image and a linear layer of 1x1 taps: the mean of w*x + b is w*mean(x) + b, so the layer meets one
   pixel instead of all, forward and backward. Rounding differs. */
#include "graph/planner.h"
#include <stdio.h>
#include <string.h>

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

static int windows_overlap(const hz_window *v) { return v->kh > (v->sh ? v->sh : 1) || v->kw > (v->sw ? v->sw : 1); }

/* Node a: act_grad(dy, y) with dy = maxpool_grad(dz, argmax), and z, argmax = maxpool(y). */
static hz_status swap_act_and_pool(hz_graph *g, int a)
{
    hz_node act = g->nodes[a];
    int p = maker(g, act.in[0], OP_maxpool_grad), m = p < 0 ? -1 : maker(g, g->nodes[p].in[1], OP_maxpool);
    if (m < 0 || g->nodes[m].in[0] != act.in[1] || act.attr.act.act == HZ_GELU || !is_private(g, act.in[0])
        || windows_overlap(&g->nodes[p].attr.window))
        return HZ_OK;
    hz_node pool = g->nodes[p];
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

static int is_over_last_axis(const hz_graph *g, const hz_node *norm)
{
    int axis = norm->attr.norm.axis;
    return axis == 0 || axis == g->values[norm->in[0]].ndim - 1;
}

/* Node a: act_grad(dz, y) with y = norm(x), read only by it and its activation. */
static hz_status remake_normed(hz_graph *g, int a)
{
    hz_node *act = &g->nodes[a];
    int n = act->attr.act.act == HZ_GELU ? maker(g, act->in[1], OP_norm) : -1;
    const hz_node *norm = n < 0 ? NULL : &g->nodes[n];
    if (!norm || norm->attr.norm.frozen || !is_over_last_axis(g, norm) || g->values[act->in[1]].keep
        || users(g, act->in[1]) != 2)
        return HZ_OK;
    hz_act_attr epilogue = act->attr.act;
    int32_t in[] = { act->in[0], norm->in[0], norm->in[1], norm->in[2], norm->out[HZ_NORM_BATCHMEAN],
                     norm->out[HZ_NORM_BATCHVARIANCE] };
    act->op = OP_norm_act_grad;
    act->attr.norm = norm->attr.norm;
    act->attr.norm.epilogue = epilogue;
    act->nin = sizeof in / sizeof *in;
    memcpy(act->in, in, sizeof in);
    return HZ_OK;
}

/* ---- mean before a linear layer ----

         before                           after
     c   y  = conv2d(x, w, b)             p  = meanpool(x)            p, dp: (N,C), a pixel
     m   z  = meanpool(y)                 z  = dense(p, w', b)        w' = w as a matrix
     s   dy = meanpool_grad(dz)           dp = dense_dx(dz, w')
     d   dx = conv2d_dx(dy, w)            dx = meanpool_grad(dp)
     e   dw, db = conv2d_dw(x, dy)        dw, db = dense_dw(p, dz)

   Without gradients there are only c and m; without one of x, dy is nobody's and s does nothing. */

/* The nodes by number; -1 where there is none. */
typedef struct mean_match { int c, m, s, d, e; } mean_match;
/* The values that are new. */
typedef struct mean_values { int p, dp, w; } mean_values;

static int is_linear_1x1(const hz_node *n)
{
    const hz_window *v = &n->attr.window;
    return v->kh == 1 && v->kw == 1 && v->sh <= 1 && v->sw <= 1 && v->act == HZ_LINEAR;
}

/* 0 if somebody else reads dy. */
static int match_backward(const hz_graph *g, mean_match *k)
{
    const hz_node *conv = &g->nodes[k->c];
    int dy = g->gradient[conv->out[0]];
    if (dy < 0)
        return 1;
    k->s = maker(g, dy, OP_meanpool_grad);
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        if (n->op == OP_conv2d_dx && n->in[0] == dy && n->in[1] == conv->in[1])
            k->d = i;
        if (n->op == OP_conv2d_dw && n->in[0] == conv->in[0] && n->in[1] == dy)
            k->e = i;
    }
    return k->s >= 0 && !g->values[dy].keep && users(g, dy) == (k->d >= 0) + (k->e >= 0);
}

static int match_mean(const hz_graph *g, int m, mean_match *k)
{
    int y = g->nodes[m].in[0];
    *k = (mean_match){ .c = maker(g, y, OP_conv2d), .m = m, .s = -1, .d = -1, .e = -1 };
    return k->c >= 0 && is_linear_1x1(&g->nodes[k->c]) && is_private(g, y) && match_backward(g, k);
}

static int build_mean_values(hz_graph *g, const mean_match *k, mean_values *v)
{
    hz_node conv = g->nodes[k->c];
    const hz_value *x = &g->values[conv.in[0]], *w = &g->values[conv.in[1]];
    out_spec pixel = { .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], x->shape[3] } };
    out_spec matrix = { .dtype = w->dtype, .kind = w->kind, .ndim = 2, .shape = { w->shape[0], w->shape[3] } };
    v->p = in_place_of(g, conv.out[0], &pixel);
    v->dp = in_place_of(g, conv.in[0], &pixel);
    v->w = in_place_of(g, conv.in[1], &matrix);
    if (v->p < 0 || v->dp < 0 || v->w < 0)
        return 0;
    g->values[v->w].view = conv.in[1];
    return 1;
}

/* A convolution's node as that of the dense layer over (in0, in1). */
static hz_node as_dense(hz_node n, int op, int in0, int in1)
{
    n.op = op;
    n.attr = (hz_attr){ .act = { 0 } };
    n.in[0] = in0;
    n.in[1] = in1;
    return n;
}

/* A mean's node, or its gradient's, from one value to another. */
static hz_node mean_over(hz_node n, int from, int to)
{
    n.in[0] = from;
    n.out[0] = to;
    return n;
}

static void rewire_forward(hz_graph *g, const mean_match *k, const mean_values *v)
{
    hz_node conv = g->nodes[k->c], mean = g->nodes[k->m], dense = as_dense(conv, OP_dense, v->p, v->w);
    dense.out[0] = mean.out[0];
    g->values[conv.out[0]].node = -1;
    put(g, k->c, mean_over(mean, conv.in[0], v->p));
    put(g, k->m, dense);
}

static void rewire_backward(hz_graph *g, const mean_match *k, const mean_values *v)
{
    hz_node spread = g->nodes[k->s];
    int dz = spread.in[0];
    if (k->e >= 0)
        g->nodes[k->e] = as_dense(g->nodes[k->e], OP_dense_dw, v->p, dz);
    if (k->d < 0) {
        g->nodes[k->s].dead = 1;
        return;
    }
    hz_node conv = g->nodes[k->d], dense = as_dense(conv, OP_dense_dx, dz, v->w);
    dense.out[0] = v->dp;
    g->values[spread.out[0]].node = -1;
    put(g, k->s, dense);
    put(g, k->d, mean_over(spread, v->dp, conv.out[0]));
}

static hz_status mean_first(hz_graph *g, int m)
{
    mean_match k;
    mean_values v;
    if (!match_mean(g, m, &k))
        return HZ_OK;
    if (!build_mean_values(g, &k, &v))
        return HZ_EMEM;
    rewire_forward(g, &k, &v);
    if (k.s >= 0)
        rewire_backward(g, &k, &v);
    return HZ_OK;
}

hz_status graph_rewrite(hz_graph *g)
{
    static const struct { int op; hz_status (*rewrite)(hz_graph *g, int node); } rewrites[] = {
        { OP_act_grad, swap_act_and_pool }, { OP_act_grad, read_dropped }, { OP_act_grad, remake_normed },
        { OP_meanpool, mean_first },
    };
    for (size_t r = 0; r < sizeof rewrites / sizeof *rewrites; r++)
        for (int i = 0; i < g->nnodes; i++)
            if (!g->nodes[i].dead && g->nodes[i].op == rewrites[r].op && rewrites[r].rewrite(g, i))
                return HZ_EMEM;
    return HZ_OK;
}

/* pool.c: maxpool, avgpool and meanpool: shapes and gradients. */
#include "op/window.h"

hz_status op_maxpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status status = window_image(x);
    if (!status && (int64_t)n->attr.window.kh * n->attr.window.kw > 256)
        status = hz_fail(HZ_EARG, "a window of %dx%d; needs at most 256 elements", n->attr.window.kh,
                         n->attr.window.kw);
    if (!status)
        status = window_slide(x, &n->attr.window, x->shape[3], out);
    out[1] = out[0];
    out[1].dtype = HZ_U8;
    return status;
}

hz_status op_avgpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status status = window_image(x);
    return status ? status : window_slide(x, &n->attr.window, x->shape[3], out);
}

hz_status op_meanpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status status = window_image(x);
    *out = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], x->shape[3] } };
    return status;
}

/* dx of a pooling op: one node from dy (and a second value), shaped like x. */
static hz_status pool_grad(hz_graph *g, hz_node n, grad_call *c, int op, int second)
{
    int32_t in[] = { c->dy[0], second };
    out_spec out = like(&g->values[n.in[0]]);
    c->dx[0] = graph_append(g, op, n.name, &n.attr, in, second >= 0 ? 2 : 1, &out, 1);
    return c->dx[0] < 0 ? HZ_EMEM : HZ_OK;
}

hz_status op_maxpool_grad(hz_graph *g, hz_node n, grad_call *c)
{
    return pool_grad(g, n, c, OP_maxpool_grad, n.out[1]);
}
hz_status op_avgpool_grad(hz_graph *g, hz_node n, grad_call *c) { return pool_grad(g, n, c, OP_avgpool_grad, -1); }
hz_status op_meanpool_grad(hz_graph *g, hz_node n, grad_call *c) { return pool_grad(g, n, c, OP_meanpool_grad, -1); }

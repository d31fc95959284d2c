/* dense.c: y = x w^T + b with x (N,K), w (O,K), b (O). */
#include "graph.h"

hz_status op_dense_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0), *w = in_value(g, n, 1), *b = in_value(g, n, 2);
    char text[96];
    if (x->ndim != 2)
        return hz_fail(HZ_ESHAPE, "the input is %s; needs (batch,units): put flatten or meanpool before it", shape_text(text, x));
    if (w->ndim != 2 || w->shape[1] != x->shape[1])
        return hz_fail(HZ_ESHAPE, "the input has %lld units; the weights are %s", (long long)x->shape[1], shape_text(text, w));
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[0]))
        return hz_fail(HZ_ESHAPE, "the bias is %s; needs (%lld)", shape_text(text, b), (long long)w->shape[0]);
    if (x->dtype != w->dtype || (b && b->dtype != w->dtype))
        return hz_fail(HZ_EDTYPE, "the input is %s, the weights %s; needs one type", hz_dtype_name(x->dtype), hz_dtype_name(w->dtype));
    *out = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], w->shape[0] } };
    return HZ_OK;
}

hz_status op_dense_grad(hz_graph *g, hz_node n, grad_call *c)
{
    hz_attr a = { .act = { .act = HZ_LINEAR } };
    if (c->want[1] || c->want[2]) {
        int32_t in[] = { n.in[0], c->dy[0] };
        out_spec out[2] = { like_whole(&g->values[n.in[1]]) };
        if (c->want[2])
            out[1] = like_whole(&g->values[n.in[2]]);
        int dw = graph_append(g, OP_dense_dw, n.name, &a, in, 2, out, c->want[2] ? 2 : 1);
        if (dw < 0)
            return HZ_EMEM;
        c->dx[1] = dw;
        c->dx[2] = c->want[2] ? dw + 1 : -1;
    }
    if (c->want[0]) {
        int32_t in[] = { c->dy[0], n.in[1] };
        out_spec out = like(&g->values[n.in[0]]);
        c->dx[0] = graph_append(g, OP_dense_dx, n.name, &a, in, 2, &out, 1);
        if (c->dx[0] < 0)
            return HZ_EMEM;
    }
    return HZ_OK;
}

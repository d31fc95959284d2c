/* dense.c: y = x w^T + b with x (N,K), w (O,K), b (O). */
#include "graph/graph.h"

hz_status op_dense_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0), *w = in_value(g, n, 1), *b = in_value(g, n, 2);
    char text[96];
    if (x->ndim != 2)
        return hz_fail(HZ_ESHAPE, "the input is %s; needs (batch,units): put flatten or meanpool before it",
                       shape_text(text, x));
    if (w->ndim != 2 || w->shape[1] != x->shape[1])
        return hz_fail(HZ_ESHAPE, "the input has %lld units; the weights are %s", (long long)x->shape[1],
                       shape_text(text, w));
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[0]))
        return hz_fail(HZ_ESHAPE, "the bias is %s; needs (%lld)", shape_text(text, b), (long long)w->shape[0]);
    hz_status status = affine_types(x, w, b);
    if (status)
        return status;
    *out = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], w->shape[0] } };
    return HZ_OK;
}

hz_status op_dense_grad(hz_graph *g, hz_node n, grad_call *c)
{
    hz_attr a = { .act = { .act = HZ_LINEAR } };
    return affine_grad(g, n, c, &a, OP_dense_dw, OP_dense_dx);
}

/* affine.c: what is linear in x and in w shares types and gradient: conv2d and dense differ in the ops alone. */
#include "graph/graph.h"

hz_status affine_types(const hz_value *x, const hz_value *w, const hz_value *b)
{
    int wanted = parameter_dtype(x);
    if (w->dtype != wanted || (b && b->dtype != wanted))
        return hz_fail(HZ_EDTYPE, "the input is %s, the weights %s; needs %s weights", hz_dtype_name(x->dtype),
                       hz_dtype_name(w->dtype != wanted ? w->dtype : b->dtype), hz_dtype_name(wanted));
    return HZ_OK;
}

hz_status affine_grad(hz_graph *g, hz_node n, grad_call *c, const hz_attr *attr, int dw_op, int dx_op)
{
    if (c->want[2] && !c->want[1]) {                      /* the weights are frozen: no product for them */
        hz_attr none = { .act = { 0 } };
        out_spec out = like_whole(&g->values[n.in[2]]);
        c->dx[2] = graph_append(g, OP_bias_grad, n.name, &none, &c->dy[0], 1, &out, 1);
        if (c->dx[2] < 0)
            return HZ_EMEM;
    } else if (c->want[1]) {
        int32_t in[] = { n.in[0], c->dy[0] };
        out_spec out[2] = { like_whole(&g->values[n.in[1]]) };
        if (c->want[2])
            out[1] = like_whole(&g->values[n.in[2]]);
        int dw = graph_append(g, dw_op, n.name, attr, in, 2, out, c->want[2] ? 2 : 1);
        if (dw < 0)
            return HZ_EMEM;
        c->dx[1] = dw;
        c->dx[2] = c->want[2] ? dw + 1 : -1;
    }
    if (c->want[0]) {
        int32_t in[] = { c->dy[0], n.in[1] };
        out_spec out = like(&g->values[n.in[0]]);
        c->dx[0] = graph_append(g, dx_op, n.name, attr, in, 2, &out, 1);
        if (c->dx[0] < 0)
            return HZ_EMEM;
    }
    return HZ_OK;
}

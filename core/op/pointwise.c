/* pointwise.c: activations, dropout, sums, softmax, flatten and batch normalisation: shapes and gradients. */
#include "graph/graph.h"
#include <string.h>

/* One backward node with one output shaped like input 0. */
static hz_status one(hz_graph *g, hz_node n, grad_call *c, int op, const int32_t *in, int nin)
{
    out_spec out = like(&g->values[n.in[0]]);
    c->dx[0] = graph_append(g, op, n.name, &n.attr, in, nin, &out, 1);
    return c->dx[0] < 0 ? HZ_EMEM : HZ_OK;
}

static hz_status real(const hz_value *x)
{
    if (x->dtype == HZ_U8 || x->dtype == HZ_I32)
        return hz_fail(HZ_EDTYPE, "the input is %s; needs f32, bf16 or f64", hz_dtype_name(x->dtype));
    return HZ_OK;
}

hz_status op_act_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    *out = like(x);
    return real(x);
}

/* Most derivatives are functions of the output; gelu's is not, so its node reads the input instead. */
hz_status op_act_grad(hz_graph *g, hz_node n, grad_call *c)
{
    int32_t in[] = { c->dy[0], n.attr.act.act == HZ_GELU ? n.in[0] : n.out[0] };
    return one(g, n, c, OP_act_grad, in, 2);
}

static hz_status row_numbers(const hz_value *x, const hz_value *item)
{
    char text[96];
    if (item->dtype != HZ_I32 || item->ndim != 1 || item->shape[0] != x->shape[0])
        return hz_fail(HZ_ESHAPE, "item numbers are %s %s; needs i32 (%lld)", hz_dtype_name(item->dtype),
                       shape_text(text, item), (long long)x->shape[0]);
    return HZ_OK;
}

hz_status op_dropout_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    float rate = n->attr.dropout.rate;
    if (!(rate >= 0 && rate < 1))
        return hz_fail(HZ_EARG, "rate is %g; needs 0 <= rate < 1", (double)rate);
    hz_status status = row_numbers(x, in_value(g, n, 1));
    int64_t size = 1;
    for (int i = 1; i < x->ndim; i++)
        size *= x->shape[i];
    out[0] = like(x);
    out[1] = (out_spec){ .dtype = HZ_U8, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], (size + 7) / 8 } };
    return status ? status : real(x);
}

hz_status op_dropout_grad(hz_graph *g, hz_node n, grad_call *c)
{
    int32_t in[] = { c->dy[0], n.out[1] };
    return one(g, n, c, OP_dropout_grad, in, 2);
}

hz_status op_add_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *a = in_value(g, n, 0), *b = in_value(g, n, 1);
    char left[96], right[96];
    if (a->ndim != b->ndim || memcmp(a->shape, b->shape, sizeof *a->shape * (size_t)a->ndim))
        return hz_fail(HZ_ESHAPE, "a is %s, b is %s; the shapes must agree", shape_text(left, a), shape_text(right, b));
    if (a->dtype != b->dtype)
        return hz_fail(HZ_EDTYPE, "a is %s, b is %s; needs one type", hz_dtype_name(a->dtype), hz_dtype_name(b->dtype));
    *out = like(a);
    return real(a);
}

hz_status op_add_grad(hz_graph *g, hz_node n, grad_call *c)
{
    c->dx[0] = c->dx[1] = c->dy[0];
    return HZ_OK;
}

hz_status op_softmax_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    if (x->ndim != 2)
        return hz_fail(HZ_ESHAPE, "the input has %d dimensions; needs (batch,classes)", x->ndim);
    *out = like(x);
    return real(x);
}

hz_status op_softmax_grad(hz_graph *g, hz_node n, grad_call *c)
{
    int32_t in[] = { c->dy[0], n.out[0] };
    return one(g, n, c, OP_softmax_grad, in, 2);
}

hz_status op_flatten_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    int64_t units = 1;
    for (int i = 1; i < x->ndim; i++)
        units *= x->shape[i];
    *out = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], units } };
    return HZ_OK;
}

/* The same bytes in the input's shape: flatten is a view both ways. */
hz_status op_flatten_grad(hz_graph *g, hz_node n, grad_call *c)
{
    return one(g, n, c, OP_flatten, c->dy, 1);
}

/* ---- batch normalisation ---- */

hz_status op_norm_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    const hz_norm *a = &n->attr.norm;
    char text[96];
    if (a->axis < 0 || a->axis >= x->ndim || x->ndim < 2)
        return hz_fail(HZ_ESHAPE, "axis %d of an input %s; needs 1..%d, or 0 for the last", a->axis,
                       shape_text(text, x), x->ndim - 1);
    int64_t size = x->shape[a->axis ? a->axis : x->ndim - 1];
    if (!(a->momentum >= 0 && a->momentum <= 1 && a->epsilon >= 0))
        return hz_fail(HZ_EARG, "momentum %g and epsilon %g; needs 0 <= momentum <= 1 and epsilon >= 0",
                       (double)a->momentum, (double)a->epsilon);
    for (int i = 1; i < 5; i++) {
        const hz_value *v = in_value(g, n, i);
        if (v->ndim != 1 || v->shape[0] != size)
            return hz_fail(HZ_ESHAPE, "%s is %s; needs (%lld)", v->name, shape_text(text, v), (long long)size);
        if (v->dtype != parameter_dtype(x))
            return hz_fail(HZ_EDTYPE, "%s is %s beside an input of %s; needs %s", v->name, hz_dtype_name(v->dtype),
                           hz_dtype_name(x->dtype), hz_dtype_name(parameter_dtype(x)));
    }
    const hz_value *moments = in_value(g, n, HZ_NORM_MOMENTS);
    if (moments && (moments->dtype != HZ_F32 || moments->ndim != 2 || moments->shape[0] != 2
                    || moments->shape[1] != size || a->frozen || (a->axis && a->axis != x->ndim - 1)))
        return hz_fail(HZ_ESHAPE,
                       "moments are %s %s; needs f32 (2,%lld) and statistics of the last axis that are not frozen",
                       hz_dtype_name(moments->dtype), shape_text(text, moments), (long long)size);
    out[0] = like(x);
    out[1] = out[2] = (out_spec){ .dtype = parameter_dtype(x), .kind = HZ_GRADIENT, .ndim = 1, .shape = { size } };
    return real(x);
}

hz_status op_norm_update_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *first = in_value(g, n, 0);
    char text[96];
    for (int i = 0; i < n->nin; i++) {
        const hz_value *v = in_value(g, n, i);
        if (i < 2 && v->kind != HZ_BOUND)
            return hz_fail(HZ_EARG, "'%s' is not a bound tensor; needs running statistics", v->name);
        if (v->ndim != 1 || v->shape[0] != first->shape[0] || v->dtype != first->dtype)
            return hz_fail(HZ_ESHAPE, "'%s' is %s %s; needs %s (%lld)", v->name, hz_dtype_name(v->dtype),
                           shape_text(text, v), hz_dtype_name(first->dtype), (long long)first->shape[0]);
    }
    return HZ_OK;
}

hz_status op_norm_grad(hz_graph *g, hz_node n, grad_call *c)
{
    if (n.attr.norm.frozen)
        return hz_fail(HZ_ESTATE, "norm: its statistics are frozen; a gradient needs a training plan");
    int32_t in[] = { c->dy[0], n.in[0], n.in[1], n.out[1], n.out[2] };
    out_spec out[] = { like(&g->values[n.in[0]]), like_whole(&g->values[n.in[1]]), like_whole(&g->values[n.in[2]]) };
    int d = graph_append(g, OP_norm_grad, n.name, &n.attr, in, 5, out, 3);
    if (d < 0)
        return HZ_EMEM;
    for (int i = 0; i < 3; i++)
        c->dx[i] = d + i;
    return HZ_OK;
}

/* ends.c: where a step begins and ends: input, loss, optimiser updates. */
#include "graph/graph.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MUON_MOST = 100 };         /* iterations */

hz_status op_input_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *data = in_value(g, n, 0), *labels = in_value(g, n, 1);
    const hz_input *a = &n->attr.input;
    char text[96];
    if (data->ndim < 2 || data->shape[0] < 1 || (data->dtype != HZ_U8 && data->dtype != HZ_F32))
        return hz_fail(HZ_ESHAPE, "data is %s %s; needs u8 or f32 with one item or more", hz_dtype_name(data->dtype),
                       shape_text(text, data));
    if (labels->dtype != HZ_I32 || labels->ndim != 1 || labels->shape[0] != data->shape[0])
        return hz_fail(HZ_ESHAPE, "labels are %s %s; needs i32 (%lld)", hz_dtype_name(labels->dtype),
                       shape_text(text, labels), (long long)data->shape[0]);
    if (a->dtype != HZ_F32 && a->dtype != HZ_BF16 && a->dtype != HZ_F64)
        return hz_fail(HZ_EDTYPE, "a batch of dtype %d was asked for; needs f32, bf16 or f64", a->dtype);
    for (int i = 0; i < 4; i++)
        if (!(a->deviation[i] >= 0 && a->deviation[i] <= FLT_MAX && fabsf(a->mean[i]) <= FLT_MAX
              && fabsf(a->scale) <= FLT_MAX))
            return hz_fail(HZ_EARG, "mean %g, deviation %g, scale %g; needs numbers, the deviation above 0",
                           (double)a->mean[i], (double)a->deviation[i], (double)a->scale);
    if (a->flip < HZ_FLIP_NONE || a->flip > HZ_FLIP_ALTERNATING || a->fill < HZ_NEAREST || a->fill > HZ_REFLECT)
        return hz_fail(HZ_EARG, "flip is %d, fill %d; needs a hz_flip and a hz_fill", a->flip, a->fill);
    if (a->batch < 1)
        return hz_fail(HZ_EARG, "batch is %d; needs 1 or more", a->batch);
    if (a->batch > data->shape[0])
        return hz_fail(HZ_EARG, "batch is %d; the set has %lld items", a->batch, (long long)data->shape[0]);
    if ((a->shift_x || a->shift_y || a->flip) && data->ndim != 4)
        return hz_fail(HZ_ESHAPE, "shift and flip were asked of %s; needs images (items,height,width,channels)",
                       shape_text(text, data));
    if (a->shift_x < 0 || a->shift_y < 0
        || (data->ndim == 4 && (a->shift_y >= data->shape[1] || a->shift_x >= data->shape[2])))
        return hz_fail(HZ_EARG, "shift is %d, %d pixels; needs 0 or more and less than the image", a->shift_y,
                       a->shift_x);
    out[0] = like(data);
    out[0].dtype = a->dtype;
    out[0].shape[0] = a->batch;
    out[1] = out[2] = (out_spec){ .dtype = HZ_I32, .kind = HZ_ACTIVATION, .ndim = 1, .shape = { a->batch } };
    return HZ_OK;
}

hz_status op_input_grad(hz_graph *g, hz_node n, grad_call *c)
{
    return HZ_OK;               /* pixels are no parameters: no gradient flows */
}

hz_status op_xent_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0), *y = in_value(g, n, 1);
    char text[96];
    float s = n->attr.xent.smoothing;
    if (x->ndim != 2)
        return hz_fail(HZ_ESHAPE, "logits are %s; needs (batch,classes): end the net in meanpool, flatten or dense",
                       shape_text(text, x));
    if (y->dtype != HZ_I32 || y->ndim != 1 || y->shape[0] != x->shape[0])
        return hz_fail(HZ_ESHAPE, "labels are %s %s; needs i32 (%lld)", hz_dtype_name(y->dtype), shape_text(text, y),
                       (long long)x->shape[0]);
    if (!(s >= 0 && s < 1))
        return hz_fail(HZ_EARG, "smoothing is %g; needs 0 <= smoothing < 1", (double)s);
    out[0] = (out_spec){ .dtype = parameter_dtype(x), .kind = HZ_GRADIENT, .ndim = 1, .shape = { 1 } };
    out[1] = (out_spec){ .dtype = HZ_I32, .kind = HZ_ACTIVATION, .ndim = 1, .shape = { x->shape[0] } };
    out[2] = like(x);
    out[2].dtype = out[0].dtype;
    return HZ_OK;
}

hz_status op_xent_grad(hz_graph *g, hz_node n, grad_call *c)
{
    int32_t in[] = { n.out[2], n.in[1] };
    out_spec out = like(&g->values[n.in[0]]);
    c->dx[0] = graph_append(g, OP_xent_grad, n.name, &n.attr, in, 2, &out, 1);
    return c->dx[0] < 0 ? HZ_EMEM : HZ_OK;
}

/* ---- optimisers: p, its gradient, then the state, all of one shape; state and parameter are bound ---- */

static hz_status bound_alike(const hz_graph *g, const hz_node *n)
{
    const hz_value *p = in_value(g, n, 0);
    char left[96], right[96];
    if (p->kind != HZ_BOUND)
        return hz_fail(HZ_EARG, "'%s' is not a bound tensor; needs a parameter", p->name);
    for (int i = 1; i < n->nin; i++) {
        const hz_value *v = in_value(g, n, i);
        if (v && (v->ndim != p->ndim || memcmp(v->shape, p->shape, sizeof *p->shape * (size_t)p->ndim)))
            return hz_fail(HZ_ESHAPE, "'%s' is %s, '%s' is %s; the shapes must agree", p->name, shape_text(left, p),
                           v->name, shape_text(right, v));
        if (v && (i > 1 || n->op == OP_average) && v->kind != HZ_BOUND)
            return hz_fail(HZ_EARG, "'%s' is not a bound tensor; needs one that stays", v->name);
    }
    return HZ_OK;
}

static hz_status update(const hz_graph *g, const hz_node *n)
{
    if (!(fabsf(n->attr.optim.decay) <= FLT_MAX))
        return hz_fail(HZ_EARG, "decay is %g; needs a number", (double)n->attr.optim.decay);
    if (n->attr.optim.group < 0 || n->attr.optim.group >= HZ_GROUPS)
        return hz_fail(HZ_EARG, "group is %d; needs 0..%d", n->attr.optim.group, HZ_GROUPS - 1);
    return bound_alike(g, n);
}

static hz_status with_momentum(const hz_graph *g, const hz_node *n)
{
    const hz_optim *a = &n->attr.optim;
    if (!(a->momentum >= 0 && a->momentum < 1))
        return hz_fail(HZ_EARG, "momentum is %g; needs 0 <= momentum < 1", (double)a->momentum);
    if (a->momentum > 0 && !in_value(g, n, 2))
        return hz_fail(HZ_EARG, "momentum %g without a velocity tensor; needs one", (double)a->momentum);
    return update(g, n);
}

hz_status op_sgd_infer(const hz_graph *g, const hz_node *n, out_spec *out) { return with_momentum(g, n); }

hz_status op_muon_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *p = in_value(g, n, 0);
    const hz_optim *a = &n->attr.optim;
    char text[96];
    if (p->ndim < 2)
        return hz_fail(HZ_ESHAPE, "'%s' is %s; muon needs a matrix or filters: another group for it", p->name,
                       shape_text(text, p));
    if (!(a->epsilon > 0 && a->epsilon <= FLT_MAX) || a->iterations < 1 || a->iterations > MUON_MOST)
        return hz_fail(HZ_EARG, "epsilon is %g, iterations %d; needs a number above 0, and 1..%d", (double)a->epsilon,
                       a->iterations, MUON_MOST);
    return with_momentum(g, n);
}

static hz_status betas(const hz_graph *g, const hz_node *n)
{
    const hz_optim *a = &n->attr.optim;
    if (!(a->beta1 >= 0 && a->beta1 < 1 && a->beta2 >= 0 && a->beta2 < 1 && a->epsilon >= 0))
        return hz_fail(HZ_EARG, "beta %g and %g, epsilon %g; needs 0 <= beta < 1 and epsilon >= 0", (double)a->beta1,
                       (double)a->beta2, (double)a->epsilon);
    return update(g, n);
}

hz_status op_adam_infer(const hz_graph *g, const hz_node *n, out_spec *out) { return betas(g, n); }
hz_status op_adamw_infer(const hz_graph *g, const hz_node *n, out_spec *out) { return betas(g, n); }
hz_status op_adadelta_infer(const hz_graph *g, const hz_node *n, out_spec *out) { return betas(g, n); }

hz_status op_average_infer(const hz_graph *g, const hz_node *n, out_spec *out) { return bound_alike(g, n); }

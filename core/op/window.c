/* window.c: conv2d, maxpool, avgpool and meanpool: shapes and gradients. Images are (N,H,W,C), weights (O,KH,KW,I). */
#include "graph.h"

static hz_status image(const hz_value *x)
{
    char text[96];
    if (x->ndim != 4)
        return hz_fail(HZ_ESHAPE, "the input is %s; needs an image (batch,height,width,channels)", shape_text(text, x));
    return HZ_OK;
}

/* Output extent along one axis; -1 if the kernel does not fit. 'same' as TensorFlow: ceil(in/stride). */
static int64_t extent(int64_t in, int kernel, int stride, int pad)
{
    if (pad == HZ_SAME)
        return (in + stride - 1) / stride;
    return in < kernel ? -1 : (in - kernel) / stride + 1;
}

static hz_status slide(const hz_value *x, const hz_window *a, int64_t channels, out_spec *y)
{
    int sh = a->sh ? a->sh : 1, sw = a->sw ? a->sw : 1;
    if (a->kh < 1 || a->kw < 1 || sh < 1 || sw < 1)
        return hz_fail(HZ_EARG, "kernel %dx%d, stride %dx%d; needs 1 or more", a->kh, a->kw, sh, sw);
    if (a->pad != HZ_SAME && a->pad != HZ_VALID)
        return hz_fail(HZ_EARG, "padding %d; needs same or valid", a->pad);
    int64_t h = extent(x->shape[1], a->kh, sh, a->pad), w = extent(x->shape[2], a->kw, sw, a->pad);
    if (h < 1 || w < 1)
        return hz_fail(HZ_ESHAPE, "the input is %lldx%lld, the kernel %dx%d without padding; needs an input at least as large as the kernel",
                       (long long)x->shape[1], (long long)x->shape[2], a->kh, a->kw);
    *y = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 4, .shape = { x->shape[0], h, w, channels } };
    return HZ_OK;
}

hz_status op_conv2d_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0), *w = in_value(g, n, 1), *b = in_value(g, n, 2);
    const hz_window *a = &n->attr.window;
    char text[96];
    hz_status st = image(x);
    if (st)
        return st;
    if (w->ndim != 4 || w->shape[1] != a->kh || w->shape[2] != a->kw)
        return hz_fail(HZ_ESHAPE, "weights are %s; needs (filters,%d,%d,channels)", shape_text(text, w), a->kh, a->kw);
    if (x->shape[3] != w->shape[3])
        return hz_fail(HZ_ESHAPE, "the input has %lld channels; the weights expect %lld", (long long)x->shape[3], (long long)w->shape[3]);
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[0]))
        return hz_fail(HZ_ESHAPE, "the bias is %s; needs (%lld)", shape_text(text, b), (long long)w->shape[0]);
    if (x->dtype != w->dtype || (b && b->dtype != w->dtype))
        return hz_fail(HZ_EDTYPE, "the input is %s, the weights %s; needs one type", hz_dtype_name(x->dtype), hz_dtype_name(w->dtype));
    return slide(x, a, w->shape[0], out);
}

hz_status op_conv2d_grad(hz_graph *g, hz_node n, grad_call *c)
{
    hz_attr a = n.attr;
    a.window.act = HZ_LINEAR;
    if (c->want[1] || c->want[2]) {
        int32_t in[] = { n.in[0], c->dy[0] };
        out_spec out[2] = { like_whole(&g->values[n.in[1]]) };
        if (c->want[2])
            out[1] = like_whole(&g->values[n.in[2]]);
        int dw = graph_append(g, OP_conv2d_dw, n.name, &a, in, 2, out, c->want[2] ? 2 : 1);
        if (dw < 0)
            return HZ_EMEM;
        c->dx[1] = dw;
        c->dx[2] = c->want[2] ? dw + 1 : -1;
    }
    if (c->want[0]) {
        int32_t in[] = { c->dy[0], n.in[1] };
        out_spec out = like(&g->values[n.in[0]]);
        c->dx[0] = graph_append(g, OP_conv2d_dx, n.name, &a, in, 2, &out, 1);
        if (c->dx[0] < 0)
            return HZ_EMEM;
    }
    return HZ_OK;
}

/* ---- pooling ---- */

hz_status op_maxpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status st = image(x);
    if (!st && n->attr.window.kh * n->attr.window.kw > 256)
        st = hz_fail(HZ_EARG, "a window of %dx%d; needs at most 256 elements", n->attr.window.kh, n->attr.window.kw);
    if (!st)
        st = slide(x, &n->attr.window, x->shape[3], out);
    out[1] = out[0];
    out[1].dtype = HZ_U8;
    return st;
}

hz_status op_avgpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status st = image(x);
    return st ? st : slide(x, &n->attr.window, x->shape[3], out);
}

hz_status op_meanpool_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0);
    hz_status st = image(x);
    *out = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 2, .shape = { x->shape[0], x->shape[3] } };
    return st;
}

/* dx of a pooling op: one node from dy (and a second value), shaped like x. */
static hz_status pool_grad(hz_graph *g, hz_node n, grad_call *c, int op, int second)
{
    int32_t in[] = { c->dy[0], second };
    out_spec out = like(&g->values[n.in[0]]);
    c->dx[0] = graph_append(g, op, n.name, &n.attr, in, second >= 0 ? 2 : 1, &out, 1);
    return c->dx[0] < 0 ? HZ_EMEM : HZ_OK;
}

hz_status op_maxpool_grad(hz_graph *g, hz_node n, grad_call *c) { return pool_grad(g, n, c, OP_maxpool_grad, n.out[1]); }
hz_status op_avgpool_grad(hz_graph *g, hz_node n, grad_call *c) { return pool_grad(g, n, c, OP_avgpool_grad, -1); }
hz_status op_meanpool_grad(hz_graph *g, hz_node n, grad_call *c) { return pool_grad(g, n, c, OP_meanpool_grad, -1); }

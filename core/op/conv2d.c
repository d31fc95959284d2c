/* conv2d.c: shapes and gradient of the convolution: x (N,H,W,I), w (O,KH,KW,I), b (O) -> y (N,OH,OW,O). */
#include "op/window.h"

hz_status op_conv2d_infer(const hz_graph *g, const hz_node *n, out_spec *out)
{
    const hz_value *x = in_value(g, n, 0), *w = in_value(g, n, 1), *b = in_value(g, n, 2);
    const hz_window *a = &n->attr.window;
    char text[96];
    hz_status status = window_image(x);
    if (status)
        return status;
    if (w->ndim != 4 || w->shape[1] != a->kh || w->shape[2] != a->kw)
        return hz_fail(HZ_ESHAPE, "weights are %s; needs (filters,%d,%d,channels)", shape_text(text, w), a->kh, a->kw);
    if (x->shape[3] != w->shape[3])
        return hz_fail(HZ_ESHAPE, "the input has %lld channels; the weights expect %lld", (long long)x->shape[3],
                       (long long)w->shape[3]);
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[0]))
        return hz_fail(HZ_ESHAPE, "the bias is %s; needs (%lld)", shape_text(text, b), (long long)w->shape[0]);
    status = affine_types(x, w, b);
    if (status)
        return status;
    return window_slide(x, a, w->shape[0], out);
}

hz_status op_conv2d_grad(hz_graph *g, hz_node n, grad_call *c)
{
    hz_attr a = n.attr;
    a.window.act = HZ_LINEAR;
    return affine_grad(g, n, c, &a, OP_conv2d_dw, OP_conv2d_dx);
}

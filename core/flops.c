/* flops.c: what a node's plain algorithm computes, on whatever device. */
#include "hz/backend.h"

enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
};

static double elements(const hz_arg *a)
{
    double n = 1;
    for (int i = 0; i < a->ndim; i++)
        n *= (double)a->shape[i];
    return n;
}

double hz_work_flops(const hz_work *w)
{
    const hz_arg *in = w->in, *out = w->out;
    double taps = (double)w->attr.window.kh * w->attr.window.kw;
    switch (w->op) {
    case OP_conv2d:    return 2 * elements(&out[0]) * taps * (double)in[0].shape[3];
    case OP_conv2d_dx: return 2 * elements(&in[0]) * taps * (double)out[0].shape[3];
    case OP_conv2d_dw: return 2 * elements(&in[1]) * taps * (double)in[0].shape[3];
    case OP_dense:
    case OP_dense_dx:  return 2 * elements(&out[0]) * (double)in[0].shape[1];
    case OP_dense_dw:  return 2 * elements(&out[0]) * (double)in[0].shape[0];
    default:           return 0;
    }
}

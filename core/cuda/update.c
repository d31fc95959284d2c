/* update.c: nodes that update, as items. */
#include "cuda/update.h"

update update_of(const hz_work *w)
{
    update u = { .op = w->op, .f64 = w->in[0].dtype == HZ_F64, .n = cuda_elements(&w->in[0]), .p = w->in[0].data };
    if (w->op == OP_average) {
        u.mean = w->in[1].data;
        u.back = w->attr.average.back;
    } else if (w->op == OP_norm_update) {
        u.s = w->in[1].data;
        u.dp = w->in[2].data;
        u.t = w->in[3].data;
        u.optim.momentum = w->attr.norm.momentum;
    } else {
        u.dp = w->in[1].data;
        u.s = w->nin > 2 ? w->in[2].data : NULL;
        u.t = w->nin > 3 ? w->in[3].data : NULL;
        u.optim = w->attr.optim;
    }
    return u;
}

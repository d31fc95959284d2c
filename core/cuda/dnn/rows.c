/* rows.c: conv2d, conv2d_dx and conv2d_dw by cuDNN, with their epilogues. A node for which there is no plan runs by the
   plain kernel. Over bf16 activations weights are f32 all the same: cuDNN is given a bf16 copy, and their gradient
   leaves it as bf16 and is widened (for f32 cuDNN has one slow engine). Workspace: the plan's, then that of the bias's
   gradient. */
#include "cuda/dnn/glue.h"
#include "cuda/dnn/ready.h"
#include <stdlib.h>

enum { LINE = 256 };

static size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

static const cuda_kernel *plain(const hz_work *w)
{
    return w->op == OP_conv2d ? &plain_conv2d : w->op == OP_conv2d_dx ? &plain_conv2d_dx : &plain_conv2d_dw;
}

/* 1: rounds to bf16 what a plan that is exact does not: dw, and in split plans what bias and activation are given. */
static int rounds(const hz_work *w)
{
    return w->op == OP_conv2d_dw || w->attr.window.act != HZ_LINEAR || (w->op == OP_conv2d && w->nin > 2);
}

static int accepts(const hz_work *w)
{
    int storage = cuda_plain_accepts(w) ? cuda_storage(w) : -1;
    if (storage == HZ_BF16 && w->exact && rounds(w))
        return 0;
    return (storage == HZ_F32 || storage == HZ_BF16) && plain(w)->accepts(w) && dnn_here();
}

static hz_status prepare(const hz_work *w, int sums, void **out)
{
    dnn_key k = dnn_key_of(w, sums);
    *out = dnn_ready_new(&k);
    return HZ_OK;
}

static void discard(void *state) { dnn_ready_free(state); }

static int yields_sums(const hz_work *w, const void *state)
{
    const dnn_ready *r = state;
    return r && dnn_key_uses(&r->key, 0, DNN_SUMS);
}

static int casts(const hz_work *w, const void *state)
{
    const dnn_ready *r = state;
    return !r || r->key.type != DNN_BF16 ? 0 : w->op == OP_conv2d_dw ? CUDA_WIDENS : CUDA_NARROWS;
}

/* A dw node's second output as a node of its own. */
static hz_work bias_of(const hz_work *w)
{
    hz_work sums = { .op = OP_bias_grad, .nin = 1, .nout = 1, .name = w->name };
    sums.in[0] = w->in[1];
    sums.out[0] = w->out[1];
    return sums;
}

static int has_bias(const hz_work *w) { return w->nout > 1 && w->out[1].data; }

static size_t workspace(const hz_work *w, const void *state)
{
    if (!state)
        return plain(w)->workspace ? plain(w)->workspace(w, NULL) : 0;
    hz_work bias = bias_of(w);
    int summed = w->op == OP_conv2d_dw && has_bias(w);
    return lines(dnn_run_workspace(state)) + (summed ? plain_bias_grad.workspace(&bias, NULL) : 0);
}

/* conv2d and conv2d_dx. */
static hz_status run(const hz_work *w, const cuda_call *c)
{
    const dnn_ready *r = c->state;
    if (!r)
        return plain(w)->run(w, c);
    int forward = w->op == OP_conv2d;
    void *last = w->nin > 2 ? w->in[2].data : NULL;
    void *data[DNN_SLOTS] = {
        [DNN_X] = forward ? w->in[0].data : w->out[0].data, [DNN_Y] = forward ? w->out[0].data : w->in[0].data,
        [DNN_W] = c->narrow ? c->narrow : w->in[1].data, [DNN_BIAS] = last, [DNN_STORED] = last,
        [DNN_SUMS] = c->sums,
    };
    return dnn_run(r, data, c->workspace, c->stream);
}

static hz_status run_dw(const hz_work *w, const cuda_call *c)
{
    const dnn_ready *r = c->state;
    if (!r)
        return plain(w)->run(w, c);
    void *data[DNN_SLOTS] = { [DNN_X] = w->in[0].data, [DNN_Y] = w->in[1].data,
                              [DNN_W] = c->narrow ? c->narrow : w->out[0].data };
    hz_status status = dnn_run(r, data, c->workspace, c->stream);
    if (status || !has_bias(w) || c->sums)
        return status;
    hz_work bias = bias_of(w);
    cuda_call call = *c;
    call.workspace = (char *)c->workspace + lines(dnn_run_workspace(r));
    return plain_bias_grad.run(&bias, &call);
}

#define ROW(op, runs) const cuda_kernel cudnn_##op = \
    { "cudnn", accepts, workspace, prepare, discard, yields_sums, casts, runs };
ROW(conv2d, run)
ROW(conv2d_dx, run)
ROW(conv2d_dw, run_dw)

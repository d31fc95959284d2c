/* rows.c: conv2d, conv2d_dx and conv2d_dw by cuDNN, with their epilogues. A node for which there is no plan runs by the
   plain kernel. Over bf16 activations weights are f32 all the same: a bf16 copy is made at each run into the node's own
   memory; their gradient leaves cuDNN as bf16, into the workspace, and is widened (for f32 cuDNN has one slow engine).
   Workspace: the plan's, then dw as bf16, then that of the bias's gradient. */
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

/* Elements of the weights. */
static int64_t weights(const dnn_key *k) { return k->co * k->kh * k->kw * k->ci; }

static size_t memory(const hz_work *w)
{
    dnn_key k = dnn_key_of(w, 0);
    size_t ours = k.type == DNN_BF16 && k.pattern != DNN_DW ? (size_t)weights(&k) * 2 : 0;
    size_t other = plain(w)->memory ? plain(w)->memory(w) : 0;
    return ours > other ? ours : other;
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

/* Where the parts of a dw node's workspace begin. */
typedef struct layout {
    size_t narrow, sums, bytes;
} layout;

static layout lay_out(const hz_work *w, const dnn_ready *r)
{
    layout l = { .narrow = lines(dnn_run_workspace(r)) };
    hz_work bias = bias_of(w);
    l.sums = l.narrow + (r->key.type == DNN_BF16 ? lines((size_t)weights(&r->key) * 2) : 0);
    l.bytes = l.sums + (has_bias(w) ? plain_bias_grad.workspace(&bias, NULL) : 0);
    return l;
}

static size_t workspace(const hz_work *w, const void *state)
{
    if (!state)
        return plain(w)->workspace ? plain(w)->workspace(w, NULL) : 0;
    return w->op == OP_conv2d_dw ? lay_out(w, state).bytes : dnn_run_workspace(state);
}

/* conv2d and conv2d_dx. */
static hz_status run(const hz_work *w, const cuda_call *c)
{
    const dnn_ready *r = c->state;
    if (!r)
        return plain(w)->run(w, c);
    int forward = w->op == OP_conv2d, narrow = r->key.type == DNN_BF16;
    void *last = w->nin > 2 ? w->in[2].data : NULL;
    void *data[DNN_SLOTS] = {
        [DNN_X] = forward ? w->in[0].data : w->out[0].data, [DNN_Y] = forward ? w->out[0].data : w->in[0].data,
        [DNN_W] = narrow ? c->memory : w->in[1].data, [DNN_BIAS] = last, [DNN_STORED] = last,
        [DNN_SUMS] = c->sums,
    };
    if (narrow)
        glue_narrow(c->stream, w->in[1].data, c->memory, weights(&r->key));
    return dnn_run(r, data, c->workspace, c->stream);
}

static hz_status run_dw(const hz_work *w, const cuda_call *c)
{
    const dnn_ready *r = c->state;
    if (!r)
        return plain(w)->run(w, c);
    layout l = lay_out(w, r);
    int narrow = r->key.type == DNN_BF16;
    char *room = c->workspace;
    void *data[DNN_SLOTS] = { [DNN_X] = w->in[0].data, [DNN_Y] = w->in[1].data,
                              [DNN_W] = narrow ? room + l.narrow : w->out[0].data };
    hz_status status = dnn_run(r, data, room, c->stream);
    if (!status && narrow)
        glue_widen(c->stream, room + l.narrow, w->out[0].data, weights(&r->key));
    if (status || !has_bias(w))
        return status;
    hz_work bias = bias_of(w);
    cuda_call call = *c;
    call.workspace = room + l.sums;
    return plain_bias_grad.run(&bias, &call);
}

#define ROW(op, runs) const cuda_kernel cudnn_##op = \
    { "cudnn", accepts, memory, workspace, prepare, discard, yields_sums, runs };
ROW(conv2d, run)
ROW(conv2d_dx, run)
ROW(conv2d_dw, run_dw)

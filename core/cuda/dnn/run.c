/* run.c: a plan and what it leaves out, on a card. Workspace: the plan's, then that of the sums. */
#include "cuda/dnn/glue.h"
#include "cuda/dnn/ready.h"

enum { LINE = 256 };

static size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

/* Sums of x over all but channels as a node. */
static hz_work sums_of(const dnn_key *k, void *x, void *sums)
{
    hz_work w = { .op = OP_bias_grad, .nin = 1, .nout = 1, .name = "sums" };
    w.in[0] = (hz_arg){ .data = x, .dtype = k->type == DNN_BF16 ? HZ_BF16 : HZ_F32, .kind = HZ_ACTIVATION, .ndim = 4,
                        .shape = { k->n, k->h, k->w, k->ci } };
    w.out[0] = (hz_arg){ .data = sums, .dtype = HZ_F32, .kind = HZ_GRADIENT, .ndim = 1, .shape = { k->ci } };
    return w;
}

size_t dnn_run_workspace(const dnn_ready *r)
{
    hz_work sums = sums_of(&r->key, NULL, NULL);
    int summed = r->split && dnn_key_uses(&r->key, 0, DNN_SUMS);
    return lines(r->workspace) + (summed ? plain_bias_grad.workspace(&sums, NULL) : 0);
}

static hz_status complete(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    const dnn_key *k = &r->key;
    int dtype = k->type == DNN_BF16 ? HZ_BF16 : HZ_F32;
    if (k->pattern == DNN_CONV_ACT)
        glue_activate(stream, dtype, data[DNN_Y], k->bias ? data[DNN_BIAS] : NULL, k->n * k->oh * k->ow, k->co, k->act);
    else
        glue_slope(stream, dtype, data[DNN_X], data[DNN_STORED], k->n * k->h * k->w * k->ci, k->act);
    if (!dnn_key_uses(k, 0, DNN_SUMS))
        return HZ_OK;
    hz_work sums = sums_of(k, data[DNN_X], data[DNN_SUMS]);
    cuda_call c = { .stream = stream, .workspace = workspace };
    return plain_bias_grad.run(&sums, &c);
}

hz_status dnn_run(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    hz_status status = dnn_launch(r, data, workspace, stream);
    if (!status && r->split)
        status = complete(r, data, (char *)workspace + lines(r->workspace), stream);
    return status;
}

/* run.c: a plan and what it leaves out, on a card. Workspace: the plan's, then parts of sums. */
#include "cuda/dnn/glue.h"
#include "cuda/dnn/ready.h"

enum { LINE = 256 };

static size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

size_t dnn_run_workspace(const dnn_ready *r)
{
    const dnn_key *k = &r->key;
    int sums = r->split && dnn_key_uses(k, 0, DNN_SUMS);
    return lines(r->workspace) + (sums ? (size_t)glue_parts(k->n * k->h * k->w, k->ci) * 4 : 0);
}

static void complete(const dnn_ready *r, void *const data[DNN_SLOTS], float *parts, void *stream)
{
    const dnn_key *k = &r->key;
    int dtype = k->type == DNN_BF16 ? HZ_BF16 : HZ_F32;
    int64_t rows = k->n * k->h * k->w;
    if (k->pattern == DNN_CONV_ACT)
        glue_activate(stream, dtype, data[DNN_Y], k->bias ? data[DNN_BIAS] : NULL, k->n * k->oh * k->ow, k->co, k->act);
    else
        glue_slope(stream, dtype, data[DNN_X], data[DNN_STORED], rows * k->ci, k->act);
    if (k->pattern == DNN_DX_ACT_SUMS)
        glue_sum(stream, dtype, data[DNN_X], rows, k->ci, parts, data[DNN_SUMS]);
}

hz_status dnn_run(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    hz_status status = dnn_launch(r, data, workspace, stream);
    if (!status && r->split)
        complete(r, data, (float *)((char *)workspace + lines(r->workspace)), stream);
    return status;
}

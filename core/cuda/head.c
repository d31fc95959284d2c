/* head.c: which nodes are a network's head, found from the loss: before it a dense layer and a mean, behind it their
   gradients, each of what the one before made. All of them run where the first stands, so none may read what is made
   later, and the planner keeps their values apart (hz_backend.together). */
#include "cuda/head.h"
#include "cuda/runtime.h"
#include <stdlib.h>
#include <string.h>

struct head {
    hz_work work[HEAD_ROLES];
    const hz_work *role[HEAD_ROLES];
    int begin[2], end[2];             /* first and last work forward, backward; -1: none */
    double *of_row;                   /* on the device, and behind it what counts blocks */
    size_t bytes;
};

static const int ops[HEAD_ROLES] = {
    [HEAD_MEAN] = OP_meanpool, [HEAD_DENSE] = OP_dense, [HEAD_LOSS] = OP_xent, [HEAD_LOSS_GRAD] = OP_xent_grad,
    [HEAD_ACT_GRAD] = OP_act_grad, [HEAD_DENSE_GRAD] = OP_dense_dx, [HEAD_MEAN_GRAD] = OP_meanpool_grad,
};

/* ---- one node ---- */

static int64_t last_size(const hz_arg *a) { return a->shape[a->ndim - 1]; }

static int is_small(const hz_work *w)
{
    int64_t n = last_size(&w->in[0]);
    switch (w->op) {
    case OP_meanpool: return n <= HEAD_UNITS;
    case OP_dense:    return n <= HEAD_UNITS && last_size(&w->out[0]) * n <= HEAD_WEIGHTS;
    default:          return n <= HEAD_CLASSES;
    }
}

/* Whether a plain kernel runs it: a head does what those do. HZ_KERNEL=plain wants them apart. */
static int is_plain(const hz_work *w)
{
    const char *only = getenv("HZ_KERNEL");
    for (const cuda_kernel *const *k = cuda_kernels(w->op); *k; k++)
        if (!strcmp((*k)->name, "plain"))
            return (*k)->accepts(w) && !(only && !strcmp(only, "plain"));
    return 0;
}

static int fits(const hz_work *w, int role)
{
    return w->op == ops[role] && (role > HEAD_LOSS || is_small(w)) && is_plain(w);
}

/* The work before `before` whose first output it is; -1: none, or another's output. */
static int maker(const hz_work *works, int before, const void *data)
{
    for (int i = before - 1; i >= 0 && data; i--)
        for (int k = 0; k < works[i].nout; k++)
            if (works[i].out[k].data == data)
                return k == 0 ? i : -1;
    return -1;
}

static int made_by(const hz_work *works, int before, const void *data, int role)
{
    int i = maker(works, before, data);
    return i >= 0 && fits(&works[i], role) ? i : -1;
}

/* The first work behind `behind` that does this with `data`. */
static int reader(const hz_work *works, int count, int behind, const void *data, int role)
{
    for (int i = behind + 1; i < count; i++)
        if (works[i].op == ops[role] && works[i].in[0].data == data)
            return fits(&works[i], role) ? i : -1;
    return -1;
}

/* ---- all of them ---- */

static void find_backward(const hz_work *works, int count, int role[HEAD_ROLES])
{
    const hz_work *loss = &works[role[HEAD_LOSS]];
    int at = reader(works, count, role[HEAD_LOSS], loss->nout > 2 ? loss->out[2].data : NULL, HEAD_LOSS_GRAD);
    if (at < 0 || works[at].in[1].data != loss->in[1].data)
        return;
    role[HEAD_LOSS_GRAD] = at;
    if (role[HEAD_DENSE] >= 0) {
        const hz_work *dense = &works[role[HEAD_DENSE]];
        int act = reader(works, count, at, works[at].out[0].data, HEAD_ACT_GRAD);
        at = (role[HEAD_ACT_GRAD] = act) < 0 ? at : act;
        at = role[HEAD_DENSE_GRAD] = reader(works, count, at, works[at].out[0].data, HEAD_DENSE_GRAD);
        if (at >= 0 && works[at].in[1].data != dense->in[1].data)
            at = role[HEAD_DENSE_GRAD] = -1;
    }
    if (role[HEAD_MEAN] >= 0 && at >= 0)
        role[HEAD_MEAN_GRAD] = reader(works, count, at, works[at].out[0].data, HEAD_MEAN_GRAD);
}

static int first_of(const int role[HEAD_ROLES])
{
    for (int r = 0; r < HEAD_LOSS; r++)
        if (role[r] >= 0)
            return role[r];
    return role[HEAD_LOSS];
}

static int last_of(const int role[HEAD_ROLES])
{
    int last = role[HEAD_LOSS];
    for (int r = HEAD_LOSS_GRAD; r < HEAD_ROLES; r++)
        last = role[r] > last ? role[r] : last;
    return last;
}

static int has(const int role[HEAD_ROLES], int i)
{
    for (int r = 0; r < HEAD_ROLES; r++)
        if (role[r] == i)
            return 1;
    return 0;
}

/* Whether what a role reads is there where the first stands, or made by another of them. */
static int may_come_first(const hz_work *works, const int role[HEAD_ROLES], int first)
{
    for (int r = 0; r < HEAD_ROLES; r++)
        for (int k = 0; role[r] >= 0 && k < works[role[r]].nin; k++)
            for (int i = first; i < role[r]; i++)
                for (int o = 0; o < works[i].nout; o++)
                    if (works[i].out[o].data && works[i].out[o].data == works[role[r]].in[k].data && !has(role, i))
                        return 0;
    return 1;
}

/* The head of this loss, 1 if there is more to it than the loss. */
static int find(const hz_work *works, int count, int loss, int role[HEAD_ROLES])
{
    const hz_work *w = &works[loss];
    memset(role, -1, HEAD_ROLES * sizeof *role);
    if (!fits(w, HEAD_LOSS) || !w->out[0].data)
        return 0;
    role[HEAD_LOSS] = loss;
    role[HEAD_DENSE] = made_by(works, loss, w->in[0].data, HEAD_DENSE);
    int behind = role[HEAD_DENSE] >= 0 ? role[HEAD_DENSE] : loss;
    role[HEAD_MEAN] = made_by(works, behind, works[behind].in[0].data, HEAD_MEAN);
    find_backward(works, count, role);
    int first = first_of(role);
    return last_of(role) > first && may_come_first(works, role, first);
}

/* The head that begins with works[first]. */
static int find_from(const hz_work *works, int count, int first, int role[HEAD_ROLES])
{
    int op = works[first].op;
    if (op != OP_meanpool && op != OP_dense && op != OP_xent)
        return 0;
    for (int loss = first; loss < count; loss++)
        if (works[loss].op == OP_xent && find(works, count, loss, role) && first_of(role) == first)
            return 1;
    return 0;
}

int head_last(const hz_work *works, int count, int first)
{
    int role[HEAD_ROLES];
    return find_from(works, count, first, role) ? last_of(role) : first;
}

void head_free(head *h)
{
    if (h)
        runtime_free(h->of_row, h->bytes);
    free(h);
}

head *head_new(const hz_work *works, int count, int first, int *lead)
{
    int role[HEAD_ROLES];
    find_from(works, count, first, role);
    size_t bytes = ((size_t)works[role[HEAD_LOSS]].in[0].shape[0] + 1) * sizeof(double);
    head *h = calloc(1, sizeof *h);
    if (!h) {
        cuda_core->fail(HZ_EMEM, "%s: no memory for the end of a network", runtime_name);
        return NULL;
    }
    *h = (head){ .bytes = bytes, .of_row = runtime_alloc(bytes) };
    if (!h->of_row || runtime_fill(h->of_row, 0, bytes)) {
        head_free(h);
        return NULL;
    }
    for (int r = 0; r < HEAD_ROLES; r++)
        if (role[r] >= 0) {
            h->work[r] = works[role[r]];
            h->role[r] = &h->work[r];
            lead[role[r]] = first;
        }
    h->begin[0] = first;
    h->end[0] = role[HEAD_LOSS];
    h->begin[1] = role[HEAD_LOSS_GRAD];
    h->end[1] = last_of(role);
    return h;
}

int head_run(const head *h, int from, int to, int i, const cuda_call *c)
{
    int backward = i > h->end[0], parts = 0;
    for (int k = 0; k < 2; k++)
        if (h->begin[k] >= from && h->end[k] < to)
            parts |= k ? HEAD_BACKWARD : HEAD_FORWARD;
    if (!(parts & (backward ? HEAD_BACKWARD : HEAD_FORWARD)))
        return 0;
    if (i == h->begin[parts & HEAD_FORWARD ? 0 : 1])
        launch_head(h->role, parts, h->of_row, (unsigned *)((char *)h->of_row + h->bytes - sizeof *h->of_row), c);
    return 1;
}

/* blas.c: dense layers, their gradients and Muon by cuBLASLt, where no side is short. A node for which it has no way
   runs by the plain kernel. Over bf16 activations weights are f32 all the same: cuBLASLt is given a bf16 copy.
   Workspace: the product's, then that of the bias's gradient. */
#include "cuda/blas.h"
#include "cuda/dnn/glue.h"
#include "cuda/kern/muon.h"
#include <stdlib.h>

enum { LINE = 256 };

static size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

static const cuda_kernel *plain(const hz_work *w)
{
    return w->op == OP_dense ? &plain_dense : w->op == OP_dense_dx ? &plain_dense_dx
           : w->op == OP_dense_dw ? &plain_dense_dw : &plain_muon;
}

static int large(const blas_shape *s)
{
    return s->rows >= BLAS_LEAST && s->columns >= BLAS_LEAST && s->length >= BLAS_LEAST;
}

/* ---- dense ---- */

static blas_shape shape_of(const hz_work *w)
{
    int dx = w->op == OP_dense_dx, dw = w->op == OP_dense_dw, narrow = cuda_storage(w) == HZ_BF16;
    const hz_arg *x = dx ? &w->out[0] : &w->in[0], *y = dx ? &w->in[0] : dw ? &w->in[1] : &w->out[0];
    int64_t batch = x->shape[0], inputs = x->shape[1], outputs = y->shape[1];
    blas_shape s = { .narrow = narrow, .narrow_out = narrow && !dw, .tf32 = w->tf32, .left_turned = dw,
                     .right_turned = !dx && !dw };
    s.rows = dw ? outputs : batch;
    s.columns = dx || dw ? inputs : outputs;
    s.length = dx ? outputs : dw ? batch : inputs;
    return s;
}

static int accepts(const hz_work *w)
{
    int storage = cuda_plain_accepts(w) ? cuda_storage(w) : -1;
    blas_shape s = shape_of(w);
    return (storage == HZ_F32 || storage == HZ_BF16) && large(&s) && blas_here();
}

static int aligned(const hz_arg *a) { return (uintptr_t)a->data % BLAS_ALIGNMENT == 0; }

static hz_status prepare(const hz_work *w, int sums, void **out)
{
    blas_shape s = shape_of(w);
    int ok = w->out[0].data && aligned(&w->in[0]) && aligned(&w->in[1]) && aligned(&w->out[0]);
    *out = ok ? blas_product_new(&s) : NULL;
    return HZ_OK;
}

static void discard(void *state) { blas_product_free(state); }

static int casts(const hz_work *w, const void *state)
{
    return state && cuda_storage(w) == HZ_BF16 && w->op != OP_dense_dw ? CUDA_NARROWS : 0;
}

static int has_bias(const hz_work *w) { return w->nout > 1 && w->out[1].data; }

/* A dw node's second output as a node of its own. */
static hz_work bias_of(const hz_work *w)
{
    hz_work bias = { .op = OP_bias_grad, .nin = 1, .nout = 1, .name = w->name };
    bias.in[0] = w->in[1];
    bias.out[0] = w->out[1];
    return bias;
}

static size_t workspace(const hz_work *w, const void *state)
{
    if (!state)
        return plain(w)->workspace(w, NULL);
    hz_work bias = bias_of(w);
    int summed = w->op == OP_dense_dw && has_bias(w);
    return lines(blas_workspace(state)) + (summed ? plain_bias_grad.workspace(&bias, NULL) : 0);
}

/* What the product leaves out. */
static void complete(const hz_work *w, const cuda_call *c)
{
    const hz_act_attr *act = cuda_core->epilogue(w->op, &w->attr);
    hz_act_attr linear = { .act = HZ_LINEAR };
    const void *last = w->nin > 2 ? w->in[2].data : NULL;
    const hz_arg *out = &w->out[0];
    if (w->op == OP_dense && (last || (act && act->act != HZ_LINEAR)))
        glue_activate(c->stream, out->dtype, out->data, last, out->shape[0], out->shape[1], act ? *act : linear);
    else if (w->op == OP_dense_dx && last)
        glue_slope(c->stream, out->dtype, out->data, last, cuda_elements(out), act ? *act : linear);
}

static hz_status run(const hz_work *w, const cuda_call *c)
{
    if (!c->state)
        return plain(w)->run(w, c);
    int dw = w->op == OP_dense_dw;
    const void *left = w->in[dw].data, *right = c->narrow ? c->narrow : w->in[!dw].data;
    void *out = w->out[0].data;
    hz_status status = blas_multiply(c->state, 1, left, right, 0, out, out, c->workspace, c->stream);
    if (status)
        return status;
    complete(w, c);
    if (!dw || !has_bias(w))
        return HZ_OK;
    hz_work bias = bias_of(w);
    cuda_call call = *c;
    call.workspace = (char *)c->workspace + lines(blas_workspace(c->state));
    return plain_bias_grad.run(&bias, &call);
}

#define ROW(op) const cuda_kernel cublaslt_##op = { "cublaslt", accepts, workspace, prepare, discard, 0, casts, run };
ROW(dense)
ROW(dense_dx)
ROW(dense_dw)

/* ---- Muon ---- */

enum { SQUARE, POLYNOMIAL, NEXT, PRODUCTS };

typedef struct muon_state {
    blas_product *product[PRODUCTS];
} muon_state;

static blas_shape muon_shape(const hz_work *w, int which)
{
    int64_t m, n;
    muon_extent(w, &m, &n);
    return (blas_shape){ .rows = m, .columns = which == NEXT ? n : m, .length = which == SQUARE ? n : m,
                         .right_turned = which == SQUARE, .tf32 = w->tf32 };
}

static int muon_accepts(const hz_work *w)
{
    blas_shape s = muon_shape(w, SQUARE);
    return cuda_plain_accepts(w) && cuda_storage(w) != HZ_F64 && large(&s) && blas_here();
}

static void muon_discard(void *state)
{
    muon_state *s = state;
    for (int i = 0; i < PRODUCTS; i++)
        blas_product_free(s->product[i]);
    free(s);
}

static hz_status muon_prepare(const hz_work *w, int sums, void **out)
{
    muon_state *s = calloc(1, sizeof *s);
    int ok = s != NULL;
    for (int i = 0; i < PRODUCTS && ok; i++) {
        blas_shape shape = muon_shape(w, i);
        ok = (s->product[i] = blas_product_new(&shape)) != NULL;
    }
    if (!ok && s)
        muon_discard(s);
    *out = ok ? s : NULL;
    return HZ_OK;
}

static size_t muon_workspace(const hz_work *w, const void *state)
{
    const muon_state *s = state;
    size_t most = 0;
    for (int i = 0; s && i < PRODUCTS; i++)
        most = blas_workspace(s->product[i]) > most ? blas_workspace(s->product[i]) : most;
    return s ? muon_bytes(w) + most : plain_muon.workspace(w, NULL);
}

static hz_status iterate(const void *state, const float *x, float *square, float *polynomial, float *next, void *room,
                         void *stream)
{
    blas_product *const *p = ((const muon_state *)state)->product;
    hz_status status = blas_multiply(p[SQUARE], 1, x, x, 0, square, square, room, stream);
    if (!status)
        status = blas_multiply(p[POLYNOMIAL], (float)MUON_C, square, square, (float)MUON_B, square, polynomial, room,
                               stream);
    return status ? status : blas_multiply(p[NEXT], 1, polynomial, x, (float)MUON_A, x, next, room, stream);
}

static hz_status muon_run(const hz_work *w, const cuda_call *c)
{
    return c->state ? muon_run_by(w, c, iterate) : plain_muon.run(w, c);
}

const cuda_kernel cublaslt_muon = { "cublaslt", muon_accepts, muon_workspace, muon_prepare, muon_discard, 0, 0,
                                    muon_run };

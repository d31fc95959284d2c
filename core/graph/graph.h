/* graph.h: the inside of hz_graph and of the op table; core only. */
#ifndef GRAPH_H
#define GRAPH_H
#include "hz/graph.h"

struct hz_graph {
    char name[HZ_NAMELEN];
    hz_node *nodes;
    hz_value *values;
    int32_t *gradient;        /* per value: value of its gradient, -1 if none */
    int32_t *parameter;       /* per value: 1 if its gradient is wanted */
    int nnodes, nvalues, node_room, value_room;
    int exact, tf32;          /* of hz_plan_options */
};

/* Shape of an output, as infer gives it. */
typedef struct out_spec {
    int32_t dtype, kind, ndim;
    int64_t shape[HZ_MAXDIM];
} out_spec;

/* What grad asks for: gradients of the outputs (-1: none flows), which inputs want one; it fills dx. */
typedef struct grad_call {
    int32_t dy[HZ_MAXOUT];
    int32_t want[HZ_MAXIN];
    int32_t dx[HZ_MAXIN];
} grad_call;

typedef hz_status op_infer(const hz_graph *g, const hz_node *n, out_spec *out);
typedef hz_status op_grad(hz_graph *g, hz_node n, grad_call *c);      /* n by value: adding nodes moves the array */

typedef struct op_row {
    const char *name, *inputs, *outputs, *flags, *tail, *sums;
    op_infer *infer;
    op_grad *grad;
} op_row;

enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
    OP_COUNT
};

#define OP(name, ...) op_infer op_##name##_infer; op_grad op_##name##_grad;
#define UPDATE(name, ...) op_infer op_##name##_infer;
#define BACKWARD(name, ...)
#include "hz/op.def"
#undef OP

/* ---- op.c ---- */

const op_row *op_get(int op);
int op_has(int op, char flag);
int op_inputs(int op);                                     /* at most, absent ones included */
int op_inputs_needed(int op);                              /* at least */
int op_outputs(int op);
int op_tail_has(int op, char letter);

/* What an op as a tail S adds up: one of its inputs, made of what flows through and of some of its others. */
typedef struct op_sums {
    char name[16];            /* of that input, "moments" */
    int input;                /* its place among the op's inputs */
    int reads[HZ_MAXIN], nreads;
} op_sums;
op_sums op_sums_of(int op);

/* Index in n->out of the node's result: that of the last tail which yields one of its own, else 0. */
int node_result(const hz_node *n);

/* ---- graph.c ---- */

/* An input's value, NULL when absent. */
static inline const hz_value *in_value(const hz_graph *g, const hz_node *n, int i)
{
    return i < n->nin && n->in[i] >= 0 ? &g->values[n->in[i]] : NULL;
}
out_spec like(const hz_value *v);                          /* the same shape, dtype and kind */
out_spec like_whole(const hz_value *v);                    /* the same shape without a batch: a parameter's gradient */
/* Appends a node with given outputs. First output value, -1 on failure (message set). */
int graph_append(hz_graph *g, int op, const char *layer, const hz_attr *attr, const int32_t *in, int nin,
                 const out_spec *out, int nout);
/* A value that no node makes yet; -1 on failure (message set). */
int graph_value(hz_graph *g, const char *name, const out_spec *spec);
/* Type of parameters, statistics and their gradients beside activations like v: v's own, but f32 beside bf16. */
int parameter_dtype(const hz_value *v);
/* Refuses weights and bias of another type than x asks for. */
hz_status affine_types(const hz_value *x, const hz_value *w, const hz_value *b);
/* Gradient of an op with inputs x, w, [b]: dw and db by one node, dx by another. */
hz_status affine_grad(hz_graph *g, hz_node n, grad_call *c, const hz_attr *attr, int dw_op, int dx_op);
static inline int act_is_sloped(const hz_act_attr *a) { return a->act == HZ_ELU || a->act == HZ_LEAKY; }
/* "(128,32,32,3)" into a buffer of 96 bytes. */
const char *shape_text(char *text, const hz_value *v);
#endif

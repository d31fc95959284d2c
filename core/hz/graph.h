/* graph.h: nodes over named values, in the order in which they were added (which is an order of execution).
   Lua describes a network as a graph; the plan makes it run. Dimension 0 of every activation is the batch. */
#ifndef HZ_GRAPH_H
#define HZ_GRAPH_H
#include "hz/op.h"
#pragma GCC visibility push(default)

typedef struct hz_graph hz_graph;
enum { HZ_MAXIN = 12, HZ_MAXOUT = 4, HZ_NAMELEN = 48 };

typedef enum hz_kind {
    HZ_ACTIVATION,        /* lives in the arena, dimension 0 is the batch */
    HZ_GRADIENT,          /* lives in the arena, no batch dimension: gradients of parameters, losses, statistics */
    HZ_BOUND              /* a tensor of the caller's: parameter, buffer, optimiser state, data set */
} hz_kind;

typedef struct hz_value {
    char name[HZ_NAMELEN];      /* "conv7.weight", "conv7.y", "d conv7.y" */
    int32_t kind, dtype, ndim;
    int32_t node, output;       /* who makes it; node is -1 when bound */
    int64_t shape[HZ_MAXDIM];
    int32_t view;               /* value whose memory this is a view of, or -1 */
    int32_t keep;               /* 1: its memory is not reused (outputs, peeks) */
    int32_t unstored;           /* 1: fused away, a kernel holds parts of it for a moment */
    int32_t blocked;            /* 1: lies as kernels want it, see hz_arg */
    hz_tensor *tensor;          /* HZ_BOUND: the graph holds an alias of the caller's */
} hz_value;

typedef struct hz_node {
    char name[HZ_NAMELEN];      /* layer it serves: "conv7" */
    int32_t op;
    int32_t nin, nout;
    int32_t in[HZ_MAXIN];       /* values; -1 for an absent one */
    int32_t out[HZ_MAXOUT];
    int32_t dead;               /* 1: fused away, never run */
    hz_attr attr;
    int32_t tails;
    hz_tail tail[HZ_TAILS];
    hz_head head;
} hz_node;

/* new; `name` begins messages: "net 'name', layer ...: ". NULL, message set; values of a graph that is NULL
   fail with the same message. */
hz_graph *hz_graph_new(const char *name);
void hz_graph_free(hz_graph *g);                           /* taken; NULL is fine */

/* A value bound to the caller's tensor (the graph takes a count of its storage, `t` stays the caller's). Returns the
   value or -1. A parameter is a bound value whose gradient is wanted. The tensor must be contiguous. */
int hz_graph_bind(hz_graph *g, const char *name, const hz_tensor *t, int parameter);
/* A free activation of the given shape (an entry point filled by hz_plan_write). Returns the value or -1. */
int hz_graph_entry(hz_graph *g, const char *name, int dtype, int ndim, const int64_t *shape);
/* Adds a node; shapes are inferred. Returns its first output value (the others follow it), 0 for an op without outputs,
   -1 on failure. */
int hz_graph_add(hz_graph *g, const char *op, const char *layer, const hz_attr *attr, const int32_t *in, int nin);
/* Appends the backward nodes of d(value)/d(parameters), seeded with 1 (xent's loss) or by `seed` (a value like it), -1
   for none. Only what leads to parameters is made; with wrt_entries also entries get gradients. */
hz_status hz_graph_grad(hz_graph *g, int value, int seed, int wrt_entries);
/* Appends an update of the running statistics of every norm that is not frozen: they move when it runs, so one that
   stands behind a gate leaves them with the weights (hz_plan_gate). */
hz_status hz_graph_statistics(hz_graph *g);
int hz_graph_gradient_of(const hz_graph *g, int value);    /* value of its gradient, -1 if it has none */
hz_status hz_graph_keep(hz_graph *g, int value);           /* an output: its memory is not reused */

int hz_graph_nodes(const hz_graph *g);
int hz_graph_values(const hz_graph *g);
const hz_node *hz_graph_node(const hz_graph *g, int i);    /* lent until the next add */
int32_t hz_node_result(const hz_node *n);                  /* value that it yields when its tails have run; -1: none */
/* "conv2d+relu+maxpool", "act relu": head, op, epilogue and tails, cut to room - 1 letters. Returns `text`. */
const char *hz_node_text(const hz_node *n, char *text, size_t room);
enum { HZ_NODETEXT = 64 };                                 /* bytes that hold any node's */
const hz_value *hz_graph_value(const hz_graph *g, int i);  /* lent until the next add */
int hz_graph_find(const hz_graph *g, const char *name);    /* value by name, -1 if unknown */

#pragma GCC visibility pop
#endif

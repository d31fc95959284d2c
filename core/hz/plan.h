/* plan.h: a graph made ready to run: fused, placed in one arena, kernels chosen. A plan allocates nothing per step. */
#ifndef HZ_PLAN_H
#define HZ_PLAN_H
#include "hz/backend.h"
#pragma GCC visibility push(default)

typedef struct hz_plan hz_plan;

typedef struct hz_plan_options {
    const char *device;       /* NULL means "cpu" */
    int32_t train;            /* 1: backward or update nodes are present */
    int32_t keep;             /* 1: no memory is reused, every value can be peeked after a run */
    int32_t no_fuse;          /* 1: leave the graph as it was described */
} hz_plan_options;

/* new; takes the graph, also on failure. NULL, message set. [main] */
hz_plan *hz_plan_new(hz_graph *graph, const hz_plan_options *options);
void hz_plan_free(hz_plan *p);                             /* taken; NULL is fine */

/* Runs nodes from..to-1 (to = -1: the end). [main] */
hz_status hz_plan_run(hz_plan *p, int from, int to, const hz_step *step);

int hz_plan_nodes(const hz_plan *p);
const hz_graph *hz_plan_graph(const hz_plan *p);           /* lent with the plan */
int64_t hz_plan_arena_bytes(const hz_plan *p);
/* Value as a tensor. With rows >= 0, dimension 0 of an activation is cut to that many rows. new (a view of the arena, which
   lives as long as any view); valid until the next run, or longer where the value is kept. */
hz_tensor *hz_plan_peek(hz_plan *p, int value, int64_t rows);
/* Offset of a value in the arena in bytes, -1 for bound values. */
int64_t hz_plan_offset(const hz_plan *p, int value);
hz_status hz_plan_stat(const hz_plan *p, int node, hz_node_stat *out);
void hz_plan_timed(hz_plan *p, int on);                    /* time each node */
/* Index of the first node whose output holds a number that is not finite after the last run (all memory kept), -1 if none. */
int hz_plan_not_finite(hz_plan *p, int64_t rows);
/* Times every kernel that runs a node, `repeats` times each; only before the first run, as the arena is zeroed afterwards. Returns how many
   there are (0: the node has none, or writes to what is not the plan's); with repeats 0 they are only named. -1, message set. [main] */
int hz_plan_trials(hz_plan *p, int node, int repeats, hz_trial out[HZ_TRIALS]);
hz_status hz_plan_use(hz_plan *p, int node, const char *kernel);      /* the node runs by this kernel from now on [main] */
uint64_t hz_plan_digest(const hz_plan *p);                 /* of nodes, shapes, types and kernels chosen */

#pragma GCC visibility pop
#endif

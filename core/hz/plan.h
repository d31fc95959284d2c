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
    int32_t exact;            /* 1: no kernel that rounds in between (hz_work) */
    int32_t tf32;             /* 1: f32 plans may round factors of products to 10 bits (hz_work); an error on the CPU */
} hz_plan_options;

/* new; takes the graph, also on failure. NULL, message set. [main] */
hz_plan *hz_plan_new(hz_graph *graph, const hz_plan_options *options);
void hz_plan_free(hz_plan *p);                             /* taken; NULL is fine */

/* Runs nodes from..to-1 (to = -1: the end). HZ_ESTATE: they read what was never made, or memory that was used again.
   [main] */
hz_status hz_plan_run(hz_plan *p, int from, int to, const hz_step *step);

/* Nodes from `node` on do nothing while `value`, a float in the arena that nodes before them yield, is not finite. On a
   device with memory of its own, once it was not: until this is called again. [main] */
hz_status hz_plan_gate(hz_plan *p, int value, int node);

/* Numbers are asked for and answered: a device may be late, and other runs may be asked for meanwhile. */
enum { HZ_ASKS = 32 };
/* Asks for a value of the arena as the runs asked for so far leave it, an activation's rows 0..rows-1 alone
   (-1: all), under a number of the caller's, 0 .. HZ_ASKS-1. Allocates the first time. [main] */
hz_status hz_plan_ask(hz_plan *p, int number, int value, int64_t rows);
/* Waits for the answer; lent until the number is asked with again. NULL, message set: a run before it failed. [main] */
const void *hz_plan_answer(hz_plan *p, int number);

int hz_plan_nodes(const hz_plan *p);
const hz_graph *hz_plan_graph(const hz_plan *p);           /* lent with the plan */
int64_t hz_plan_arena_bytes(const hz_plan *p);
/* Value as a tensor. With rows >= 0, dimension 0 of an activation is cut to that many rows. new (a view of the arena,
   which lives as long as any view); valid until the next run, or longer where the value is kept. Look through
   hz_tensor_host. NULL, message set: it was fused away, or its memory was used again since a run made it. */
hz_tensor *hz_plan_peek(hz_plan *p, int value, int64_t rows);
/* Offset of a value in the arena in bytes, -1 for bound values. */
int64_t hz_plan_offset(const hz_plan *p, int value);
hz_status hz_plan_stat(const hz_plan *p, int node, hz_node_stat *out);
void hz_plan_timed(hz_plan *p, int on);                    /* time each node: `timed` of hz_backend.run */
/* Index of the first node whose output holds a number that is not finite after the last run (all memory kept), -1
   if none, -2, message set, where it cannot be told. */
int hz_plan_not_finite(hz_plan *p, int64_t rows);
/* Times every kernel that runs a node, `repeats` times each; only before the first run, as the arena is zeroed
   afterwards. Returns how many there are (0: the node has none, or writes to what is not the plan's); with repeats 0
   they are only named. -1, message set. [main] */
int hz_plan_trials(hz_plan *p, int node, int repeats, hz_trial out[HZ_TRIALS]);
hz_status hz_plan_use(hz_plan *p, int node, const char *kernel);  /* the node runs by this kernel from now on [main] */
uint64_t hz_plan_digest(const hz_plan *p);                 /* of nodes, shapes, types and kernels chosen */

#pragma GCC visibility pop
#endif

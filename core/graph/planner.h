/* planner.h: the stages between a graph and a running plan; core only. Each stage is a file and knows those before it:
   work, rewrite, fuse, block, arena, plan. */
#ifndef PLANNER_H
#define PLANNER_H
#include "graph/graph.h"
#include "hz/plan.h"

/* work.c: the node as kernels see it; data pointers of what is present are not NULL, but point to no data yet. */
hz_work work_of(const hz_graph *g, const hz_node *n);
/* work.c: all nodes that run, in order; data pointers tell apart what does not share memory. works: room for all of
   g's nodes; first_work: per node and one more, the first work at or after it. Returns how many. */
int works_of(const hz_graph *g, hz_work *works, int *first_work);
/* rewrite.c: patterns of nodes that cost less in another order. HZ_EMEM leaves a graph that is right. */
hz_status graph_rewrite(hz_graph *g);
/* fuse.c: patterns of two nodes become one with an epilogue or a tail, where the backend runs it. HZ_EMEM likewise. */
hz_status graph_fuse(hz_graph *g, const hz_backend *b);

/* block.c: which values lie blocked (hz_arg), where the backend's kernels want it. After fusion. */
void graph_block(hz_graph *g, const hz_backend *b);

/* A range of the arena: from the node that makes its value to the last that reads it, both counted. */
typedef struct life {
    int value, first, last;   /* first is -1 where the memory is another value's (view, in place) or the caller's */
    int64_t bytes, offset;
} life;

typedef struct arena_map {
    int64_t *offset;          /* per value: bytes from the arena's start; -1 for bound values and values nobody makes */
    life *life;               /* per value */
    int64_t bytes;
} arena_map;

/* Places every value; memory is shared by values whose lives do not overlap, unless `keep`. until: per node, the last
   that may come at the same time, itself if none does; what they see is kept apart. new: arena_clear. */
hz_status arena_place(const hz_graph *g, int keep, const int *until, arena_map *map);
void arena_clear(arena_map *map);
int root_of(const hz_graph *g, int value);             /* the value whose memory it is */
int64_t value_bytes(const hz_value *v);

/* rest.c: idle[node] is 1 where a step with these groups at rest leaves the node out. */
void rest_find(const hz_graph *g, uint32_t groups, unsigned char *idle);

/* hard.c: what surrounds each node when HZ_HARD is set. */
int hard_wanted(void);
hz_status hard_before(const hz_graph *g, const arena_map *m, const hz_memory *memory, char *arena, int node);
/* HZ_ESTATE: a value was overrun */
hz_status hard_after(const hz_graph *g, const arena_map *m, const hz_memory *memory, char *arena, int node);
#endif

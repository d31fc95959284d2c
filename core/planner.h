/* planner.h: the stages between a graph and a running plan; core only. Each stage is a file: fuse, arena, plan. */
#ifndef PLANNER_H
#define PLANNER_H
#include "graph.h"
#include "hz/plan.h"

/* Rewrites patterns into one node with an epilogue where the backend runs it. */
void graph_fuse(hz_graph *g, const hz_backend *b);

typedef struct arena_map {
    int64_t *offset;          /* per value: bytes from the arena's start; -1 for bound values and values nobody makes */
    int64_t bytes;
} arena_map;

/* Places every value; memory is shared by values whose lives do not overlap, unless `keep`. new: free map->offset. */
hz_status arena_place(const hz_graph *g, int keep, arena_map *map);
int root_of(const hz_graph *g, int value);             /* the value whose memory it is */
int64_t value_bytes(const hz_value *v);

/* The node as kernels see it; data pointers stay NULL. */
hz_work work_of(const hz_graph *g, const hz_node *n);
#endif

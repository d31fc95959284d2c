/* device.h: a plan's dealings with the memory of its device; core only. The host touches none of it but
   through hz_memory. */
#ifndef GRAPH_DEVICE_H
#define GRAPH_DEVICE_H
#include "graph/planner.h"
#include "tensor/mirror.h"

typedef struct written {
    int node;                 /* that writes a bound tensor */
    region of;
} written;

typedef struct answer {
    char *to;                 /* on the host */
    size_t room;
    uint64_t mark;
    int asked;
} answer;

typedef struct plan_device {
    const hz_memory *memory;
    hz_storage *arena;
    char *base;               /* of the arena on the device; the arena's own memory is the host's side */
    region *bound;            /* of every bound tensor */
    written *writes;          /* by node */
    int nbound, nwrites;
    answer answers[HZ_ASKS];
} plan_device;

/* The arena zeroed, mirrors of what is bound. To be cleared also on failure. */
hz_status device_make(plan_device *d, const hz_graph *g, const hz_memory *memory, size_t arena_bytes);
void device_clear(plan_device *d);
/* Address on the device of value v, NULL where it has none. */
void *device_data(const plan_device *d, const hz_graph *g, const arena_map *m, int v);
/* Before and after nodes from..to-1 run. */
hz_status device_before(plan_device *d);
hz_status device_after(plan_device *d, int from, int to);
hz_status device_zero(plan_device *d);                        /* the arena, when runs have spoilt it */

hz_status device_ask(plan_device *d, int number, int64_t offset, size_t bytes, size_t room);
const void *device_answer(plan_device *d, int number);
#endif

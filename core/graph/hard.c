/* hard.c: HZ_HARD=1 makes life hard for plans, so that a wrong lifetime or an overrun shows at once. Nodes run
   one by one; around each:
   - a value's memory is filled with NaN before the node that makes it runs, and again when its last reader has run:
     whoever reads too early, too late, or rows that are not in use gets NaN. Entries and kept values are left alone.
   - the gap behind each living value holds a pattern that must still be there afterwards: an overrun names the node.
   Values computed in the place of another are part of that one's life. */
#include "graph/planner.h"
#include <stdlib.h>
#include <string.h>

enum { CANARY = 0xA5, FENCE = 64 };       /* bytes behind a value; less than the arena's gap */

int hard_wanted(void)
{
    const char *asked = getenv("HZ_HARD");
    return asked && *asked && strcmp(asked, "0");
}

/* All bits set: NaN in f32, f64 and bf16, -1 in i32. */
static hz_status spoil(const arena_map *m, const hz_memory *memory, char *arena, int v)
{
    return memory->fill(arena + m->offset[v], 0xff, (size_t)m->life[v].bytes);
}

static char *fence(const arena_map *m, char *arena, int v) { return arena + m->offset[v] + m->life[v].bytes; }

/* 1, 0, or -1 (message set) where the fence cannot be read. */
static int fence_stands(const arena_map *m, const hz_memory *memory, char *arena, int v)
{
    unsigned char seen[FENCE];
    uint64_t mark;
    if (memory->copy_out(seen, fence(m, arena, v), FENCE, &mark) || memory->synchronise(mark))
        return -1;
    for (int i = 0; i < FENCE; i++)
        if (seen[i] != CANARY)
            return 0;
    return 1;
}

hz_status hard_before(const hz_graph *g, const arena_map *m, const hz_memory *memory, char *arena, int node)
{
    hz_status status = HZ_OK;
    for (int v = 0; v < g->nvalues && !status; v++) {
        if (m->life[v].first != node)
            continue;
        if (g->values[v].node >= 0 && m->life[v].last < g->nnodes)
            status = spoil(m, memory, arena, v);
        if (!status)
            status = memory->fill(fence(m, arena, v), CANARY, FENCE);
    }
    return status;
}

hz_status hard_after(const hz_graph *g, const arena_map *m, const hz_memory *memory, char *arena, int node)
{
    const hz_node *n = &g->nodes[node];
    hz_status status = HZ_OK;
    for (int v = 0; v < g->nvalues && !status; v++) {
        if (m->life[v].first < 0 || m->life[v].first > node || m->life[v].last < node)
            continue;
        int stands = fence_stands(m, memory, arena, v);
        if (!stands)
            return hz_fail(HZ_ESTATE, "hard: node '%s' (%s) wrote behind '%s'", n->name, op_get(n->op)->name,
                           g->values[v].name);
        status = stands < 0 ? HZ_EDEVICE : m->life[v].last == node ? spoil(m, memory, arena, v) : HZ_OK;
    }
    return status;
}

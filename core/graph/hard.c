/* hard.c: HZ_HARD=1 makes life hard for plans, so that a wrong lifetime or an overrun shows at once. Nodes run one by one; around each:
   - a value's memory is filled with NaN before the node that makes it runs, and again when its last reader has run: whoever reads
     too early, too late, or rows that are not in use gets NaN. Entries and kept values are left alone.
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
static void spoil(const arena_map *m, char *arena, int v) { memset(arena + m->offset[v], 0xff, (size_t)m->life[v].bytes); }

static char *fence(const arena_map *m, char *arena, int v) { return arena + m->offset[v] + m->life[v].bytes; }

static int fence_stands(const arena_map *m, char *arena, int v)
{
    const unsigned char *p = (const unsigned char *)fence(m, arena, v);
    for (int i = 0; i < FENCE; i++)
        if (p[i] != CANARY)
            return 0;
    return 1;
}

void hard_before(const hz_graph *g, const arena_map *m, char *arena, int node)
{
    for (int v = 0; v < g->nvalues; v++) {
        if (m->life[v].first < 0)
            continue;
        if (m->life[v].first == node && g->values[v].node >= 0 && m->life[v].last < g->nnodes)
            spoil(m, arena, v);
        if (m->life[v].first == node)
            memset(fence(m, arena, v), CANARY, FENCE);
    }
}

hz_status hard_after(const hz_graph *g, const arena_map *m, char *arena, int node)
{
    for (int v = 0; v < g->nvalues; v++) {
        if (m->life[v].first < 0 || m->life[v].first > node || m->life[v].last < node)
            continue;
        if (!fence_stands(m, arena, v))
            return hz_fail(HZ_ESTATE, "hard: node '%s' (%s) wrote behind '%s'", g->nodes[node].name, op_get(g->nodes[node].op)->name, g->values[v].name);
        if (m->life[v].last == node)
            spoil(m, arena, v);
    }
    return HZ_OK;
}

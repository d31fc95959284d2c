/* null.c: the "null" backend accepts every node and runs none: planners can be tested and timed without computing.
   Memory is real, so that values can be looked at; they stay as they were. */
#include "device/device.h"
#include "memory.h"
#include <stdlib.h>

struct hz_program {
    int count;
};

static const char *describe(void) { return "null"; }
static int accepts(const hz_work *w) { return 1; }

static hz_program *program_new(const hz_work *works, int count, int train)
{
    hz_program *p = malloc(sizeof *p);
    if (!p) {
        hz_fail(HZ_EMEM, "null: a program of %d nodes was asked for; the system has no more memory", count);
        return NULL;
    }
    p->count = count;
    return p;
}

static void program_free(hz_program *p) { free(p); }

static hz_status run(hz_program *p, int from, int to, const hz_step *s, int timed)
{
    if (from < 0 || to > p->count || from > to)
        return hz_fail(HZ_EARG, "null: nodes %d to %d were asked for; the program has %d", from, to, p->count);
    return HZ_OK;
}

static void gate(hz_program *p, int from, const hz_arg *number) {}

static hz_status stat(const hz_program *p, int i, hz_node_stat *out)
{
    if (i < 0 || i >= p->count)
        return hz_fail(HZ_EARG, "null: node %d was asked for; the program has %d", i, p->count);
    *out = (hz_node_stat){ .kernel = "null" };
    return HZ_OK;
}

static const hz_backend null = {
    .size = sizeof(hz_backend), .name = "null", .memory = &memory_host, .describe = describe, .accepts = accepts,
    .program_new = program_new, .program_free = program_free, .run = run, .gate = gate, .stat = stat,
};

const hz_backend *null_backend(void) { return &null; }

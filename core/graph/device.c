/* device.c: what a plan keeps on its device and what it borrows. Where the device's memory is the host's, mirrors are
   the tensors themselves and all of this costs a look at a pointer each.
   Every bound tensor's storage has a mirror; before a run what the host wrote is copied in, afterwards what nodes wrote
   (parameters, the optimiser's state, running statistics, the arena) counts as newer on the device. */
#include "graph/device.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* A bound value's tensor, NULL if it is none. */
static const hz_tensor *tensor_of(const hz_graph *g, int v)
{
    const hz_value *root = v < 0 ? NULL : &g->values[root_of(g, v)];
    return root && root->kind == HZ_BOUND ? root->tensor : NULL;
}

static hz_status note_writes(plan_device *d, const hz_graph *g)
{
    int room = 0;
    for (int i = 0; i < g->nnodes; i++)
        room += g->nodes[i].nin;
    d->writes = calloc((size_t)room + 1, sizeof *d->writes);
    if (!d->writes)
        return hz_fail(HZ_EMEM, "plan: no memory for a list of %d values", room);
    for (int i = 0; i < g->nnodes; i++)
        for (int k = 0; k < g->nodes[i].nin; k++) {
            const hz_tensor *t = tensor_of(g, g->nodes[i].in[k]);
            if (t && !g->nodes[i].dead && op_has(g->nodes[i].op, 'U'))
                d->writes[d->nwrites++] = (written){ .node = i, .of = region_of(t) };
        }
    return HZ_OK;
}

static hz_status mirror_bound(plan_device *d, const hz_graph *g)
{
    d->bound = calloc((size_t)g->nvalues + 1, sizeof *d->bound);
    if (!d->bound)
        return hz_fail(HZ_EMEM, "plan: no memory for a list of %d values", g->nvalues);
    for (int v = 0; v < g->nvalues; v++) {
        const hz_value *value = &g->values[v];
        if (value->kind != HZ_BOUND || value->view >= 0 || !value->tensor->storage)
            continue;
        if (!mirror_data(value->tensor->storage, d->memory, 0))
            return HZ_EMEM;
        d->bound[d->nbound++] = region_of(value->tensor);
    }
    return HZ_OK;
}

static hz_status make_arena(plan_device *d, size_t bytes)
{
    const hz_memory *m = d->memory;
    d->arena = m->is_host ? storage_new(bytes, m->alloc, m->free) : storage_new(bytes, memory_map, memory_unmap);
    d->base = d->arena ? mirror_data(d->arena, m, 1) : NULL;
    return d->base ? m->fill(d->base, 0, bytes) : HZ_EMEM;
}

hz_status device_make(plan_device *d, const hz_graph *g, const hz_memory *memory, size_t arena_bytes)
{
    d->memory = memory;
    hz_status status = make_arena(d, arena_bytes);
    status = status ? status : mirror_bound(d, g);
    return status ? status : note_writes(d, g);
}

void device_clear(plan_device *d)
{
    for (int i = 0; i < HZ_ASKS; i++)
        if (d->answers[i].asked)
            d->memory->synchronise(d->answers[i].mark);       /* else it would answer into memory that is gone */
    for (int i = 0; i < HZ_ASKS; i++)
        free(d->answers[i].to);
    storage_drop(d->arena);
    free(d->bound);
    free(d->writes);
    *d = (plan_device){ 0 };
}

void *device_data(const plan_device *d, const hz_graph *g, const arena_map *m, int v)
{
    const hz_tensor *t = tensor_of(g, v);
    if (t && t->storage)
        return mirror_data(t->storage, d->memory, 0) + ((char *)t->data - (char *)t->storage->data);
    return v < 0 || t || m->offset[v] < 0 ? NULL : d->base + m->offset[v];
}

/* ---- around a run ---- */

static region whole(const plan_device *d) { return (region){ .storage = d->arena, .to = d->arena->bytes }; }

hz_status device_before(plan_device *d)
{
    hz_status status = region_to(whole(d), d->memory);
    for (int i = 0; i < d->nbound && !status; i++)
        status = region_to(d->bound[i], d->memory);
    return status;
}

hz_status device_after(plan_device *d, int from, int to)
{
    hz_status status = region_written(whole(d), d->memory);
    for (int i = 0; i < d->nwrites && !status; i++)
        if (d->writes[i].node >= from && d->writes[i].node < to)
            status = region_written(d->writes[i].of, d->memory);
    return status;
}

hz_status device_zero(plan_device *d)
{
    hz_status status = d->memory->fill(d->base, 0, d->arena->bytes);
    return status ? status : region_written(whole(d), d->memory);
}

/* ---- numbers asked for ---- */

hz_status device_ask(plan_device *d, int number, int64_t offset, size_t bytes, size_t room)
{
    answer *a = &d->answers[number];
    hz_status status = a->asked ? d->memory->synchronise(a->mark) : HZ_OK;
    a->asked = 0;
    if (!status)
        status = region_to(whole(d), d->memory);
    if (!status && a->room < room) {
        free(a->to);
        a->to = malloc(room);
        a->room = a->to ? room : 0;
        status = a->to ? HZ_OK : hz_fail(HZ_EMEM, "plan: no memory for an answer of %zu bytes", room);
    }
    status = status ? status : d->memory->copy_out(a->to, d->base + offset, bytes, &a->mark);
    a->asked = !status;
    return status;
}

const void *device_answer(plan_device *d, int number)
{
    answer *a = &d->answers[number];
    if (a->asked && d->memory->synchronise(a->mark))
        return NULL;
    a->asked = 0;
    return a->to;
}

/* plan.c: the life of a plan. Made: fuse -> place -> bind pointers -> the backend chooses kernels. Run: nodes
   from..to in order. The plan owns its graph, its arena (a counted storage: peeked tensors keep it alive) and
   the backend's program. */
#include "graph/device.h"
#include "graph/history.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hz_plan {
    hz_graph *graph;
    const hz_backend *backend;
    hz_program *program;
    plan_device device;
    arena_map map;
    history history;
    hz_work *works;           /* live nodes only */
    int *first_work;          /* per node, and one more: index of the first work at or after it */
    int nworks, timed, train, hard;
    unsigned char *idle;      /* per node: left out while these groups are at rest */
    uint32_t resting;
};

static hz_status make_works(hz_plan *p)
{
    size_t n = (size_t)p->graph->nnodes + 1;
    p->works = calloc(n, sizeof *p->works);
    p->first_work = calloc(n, sizeof *p->first_work);
    p->idle = calloc(n, 1);
    if (!p->works || !p->first_work || !p->idle)
        return hz_fail(HZ_EMEM, "plan: no memory for %d nodes", p->graph->nnodes);
    p->nworks = works_of(p->graph, p->works, p->first_work);
    return HZ_OK;
}

/* The last node that the backend may run at the same time as node i; a hard plan runs one by one. */
static int last_with(const hz_plan *p, int i)
{
    int first = p->first_work[i];
    if (p->hard || !p->backend->together || first == p->first_work[i + 1])
        return i;
    int last = p->backend->together(p->works, p->nworks, first);
    while (p->first_work[i + 1] <= last)
        i++;
    return i;
}

static hz_status place(hz_plan *p, int keep)
{
    int n = p->graph->nnodes, *until = malloc(((size_t)n + 1) * sizeof *until);
    if (!until)
        return hz_fail(HZ_EMEM, "plan: no memory for %d nodes", n);
    for (int i = 0; i < n; i++)
        until[i] = last_with(p, i);
    hz_status status = arena_place(p->graph, keep, until, &p->map);
    free(until);
    return status;
}

/* Works lead to where their values lie. */
static void point_works(hz_plan *p)
{
    const hz_graph *g = p->graph;
    for (int i = 0; i < g->nnodes; i++)
        for (int j = p->first_work[i]; j < p->first_work[i + 1]; j++) {
            const hz_node *n = &g->nodes[i];
            for (int k = 0; k < n->nin; k++)
                p->works[j].in[k].data = device_data(&p->device, g, &p->map, n->in[k]);
            for (int k = 0; k < n->nout; k++)
                p->works[j].out[k].data = device_data(&p->device, g, &p->map, n->out[k]);
        }
}

/* Memory of the device, for the arena first, then for what is bound. */
static hz_status make_room(hz_plan *p)
{
    size_t bytes = (size_t)p->map.bytes;
    hz_status status = device_make(&p->device, p->graph, p->backend->memory, bytes);
    if (status != HZ_EMEM)
        return status;
    return hz_fail(HZ_EMEM, "%s; a smaller batch= needs less: of this one the plan's values take %.1f MB, its tensors "
                   "and data apart", hz_message(), (double)bytes / (1 << 20));
}

static hz_status build(hz_plan *p, const hz_plan_options *o)
{
    p->backend = hz_backend_named(o && o->device ? o->device : "cpu");
    if (!p->backend)
        return HZ_EDEVICE;
    p->hard = hard_wanted();
    p->graph->exact = o && o->exact;
    p->graph->tf32 = o && o->tf32;
    int as_described = o && (o->no_fuse || o->keep);
    hz_status status = as_described ? HZ_OK : graph_fuse(p->graph, p->backend);
    if (!status && !as_described)
        graph_block(p->graph, p->backend);
    status = status ? status : make_works(p);
    status = status ? status : place(p, o && o->keep);
    status = status ? status : make_room(p);
    status = status ? status : history_make(&p->history, p->graph->nnodes);
    if (status)
        return status;
    point_works(p);
    p->train = o && o->train;
    p->program = p->backend->program_new(p->works, p->nworks, p->train);
    return p->program ? HZ_OK : HZ_EMEM;
}

hz_plan *hz_plan_new(hz_graph *graph, const hz_plan_options *options)
{
    hz_plan *p = calloc(1, sizeof *p);
    if (!p) {
        hz_graph_free(graph);
        hz_fail(HZ_EMEM, "plan: no memory");
        return NULL;
    }
    p->graph = graph;
    if (build(p, options)) {
        hz_plan_free(p);
        return NULL;
    }
    return p;
}

void hz_plan_free(hz_plan *p)
{
    if (!p)
        return;
    if (p->program)
        p->backend->program_free(p->program);
    device_clear(&p->device);
    arena_clear(&p->map);
    history_clear(&p->history);
    free(p->works);
    free(p->first_work);
    free(p->idle);
    hz_graph_free(p->graph);
    free(p);
}

/* Node by node, see hard.c. */
static hz_status run_hard(hz_plan *p, int from, int to, const hz_step *step)
{
    hz_status status = HZ_OK;
    for (int i = from; i < to && !status; i++) {
        status = hard_before(p->graph, &p->map, p->device.memory, p->device.base, i);
        if (!status)
            status = p->backend->run(p->program, p->first_work[i], p->first_work[i + 1], step, p->timed);
        if (!status)
            status = hard_after(p->graph, &p->map, p->device.memory, p->device.base, i);
    }
    return status;
}

/* A backend that does more than one work at a time has made up its mind which. */
static void see_resting(hz_plan *p, const hz_step *step)
{
    uint32_t groups = p->backend->together ? 0 : step->resting;
    if (groups != p->resting)
        rest_find(p->graph, groups, p->idle);
    p->resting = groups;
}

/* Nodes from..to-1 but for those that are idle. */
static hz_status run_awake(hz_plan *p, int from, int to, const hz_step *step)
{
    hz_status status = HZ_OK;
    for (int end; from < to && !status; from = end) {
        int idle = p->idle[from];
        for (end = from + 1; end < to && p->idle[end] == idle;)
            end++;
        if (!idle)
            status = p->hard ? run_hard(p, from, end, step)
                             : p->backend->run(p->program, p->first_work[from], p->first_work[end], step, p->timed);
    }
    return status;
}

hz_status hz_plan_run(hz_plan *p, int from, int to, const hz_step *step)
{
    int n = p->graph->nnodes;
    if (to < 0)
        to = n;
    if (from < 0 || from > to || to > n)
        return hz_fail(HZ_EARG, "plan: nodes %d to %d were asked for; have 0 to %d", from, to, n);
    if (step->count < 1)
        return hz_fail(HZ_EARG, "plan: a step of %lld rows; needs 1 or more", (long long)step->count);
    hz_status status = history_check(&p->history, p->graph, &p->map, from, to);
    status = status ? status : device_before(&p->device);
    if (status)
        return status;
    see_resting(p, step);
    history_note(&p->history, from, to, p->idle);
    status = run_awake(p, from, to, step);
    hz_status after = device_after(&p->device, from, to);      /* also what a run that failed half-way has written */
    return status ? status : after;
}

/* Whether a value lies in the arena; else a message. */
static hz_status check_in_arena(const hz_plan *p, const char *who, int value)
{
    if (value < 0 || value >= p->graph->nvalues)
        return hz_fail(HZ_EARG, "%s: value %d; have 0..%d", who, value, p->graph->nvalues - 1);
    if (p->graph->values[value].blocked)
        return hz_fail(HZ_EARG, "%s: '%s' lies as kernels want it, images within each other", who,
                       p->graph->values[value].name);
    if (p->graph->values[value].kind == HZ_BOUND || p->map.offset[value] < 0)
        return hz_fail(HZ_EARG, "%s: '%s' is not in the plan's memory", who, p->graph->values[value].name);
    return HZ_OK;
}

hz_status hz_plan_gate(hz_plan *p, int value, int node)
{
    hz_status status = check_in_arena(p, "gate", value);
    if (status)
        return status;
    const hz_value *v = &p->graph->values[value];
    if (node < 0 || node > p->graph->nnodes || (v->dtype != HZ_F32 && v->dtype != HZ_F64))
        return hz_fail(HZ_EARG, "gate: node %d and '%s', %s; needs a node 0..%d and an f32 or f64", node, v->name,
                       hz_dtype_name(v->dtype), p->graph->nnodes);
    hz_arg number = { .data = device_data(&p->device, p->graph, &p->map, value), .dtype = v->dtype, .kind = v->kind };
    p->backend->gate(p->program, p->first_work[node], &number);
    return HZ_OK;
}

static int64_t bytes_of_rows(const hz_value *v, int64_t rows)
{
    int64_t all = value_bytes(v);
    return v->kind == HZ_ACTIVATION && rows >= 0 && rows < v->shape[0] ? all / v->shape[0] * rows : all;
}

hz_status hz_plan_ask(hz_plan *p, int number, int value, int64_t rows)
{
    hz_status status = check_in_arena(p, "ask", value);
    if (status)
        return status;
    if (number < 0 || number >= HZ_ASKS)
        return hz_fail(HZ_EARG, "ask: number %d; have 0..%d", number, HZ_ASKS - 1);
    const hz_value *v = &p->graph->values[value];
    size_t bytes = (size_t)bytes_of_rows(v, rows), room = (size_t)value_bytes(v);
    return device_ask(&p->device, number, p->map.offset[value], bytes, room);
}

const void *hz_plan_answer(hz_plan *p, int number)
{
    if (number >= 0 && number < HZ_ASKS && p->device.answers[number].to)
        return device_answer(&p->device, number);
    hz_fail(HZ_ESTATE, "answer: number %d was not asked for", number);
    return NULL;
}

int hz_plan_nodes(const hz_plan *p) { return p->graph->nnodes; }
const hz_graph *hz_plan_graph(const hz_plan *p) { return p->graph; }
int64_t hz_plan_arena_bytes(const hz_plan *p) { return p->map.bytes; }
void hz_plan_timed(hz_plan *p, int on) { p->timed = on; }

int64_t hz_plan_offset(const hz_plan *p, int value)
{
    return value >= 0 && value < p->graph->nvalues ? p->map.offset[value] : -1;
}

hz_tensor *hz_plan_peek(hz_plan *p, int value, int64_t rows)
{
    if (value < 0 || value >= p->graph->nvalues) {
        hz_fail(HZ_EARG, "peek: value %d; have 0..%d", value, p->graph->nvalues - 1);
        return NULL;
    }
    const hz_value *v = &p->graph->values[value];
    if (v->kind == HZ_BOUND)                            /* a view of one shows it as it is bound */
        return hz_tensor_alias(p->graph->values[root_of(p->graph, value)].tensor);
    if (p->map.offset[value] < 0) {
        hz_fail(HZ_ESTATE, "peek: '%s' was fused away; needs a plan with keep=true", v->name);
        return NULL;
    }
    if (v->blocked) {
        hz_fail(HZ_ESTATE, "peek: '%s' lies as kernels want it, images within each other; needs a plan with keep=true",
                v->name);
        return NULL;
    }
    int by = history_overwritten(&p->history, p->graph, &p->map, value);
    if (by >= 0) {
        hz_fail(HZ_ESTATE, "peek: the memory of '%s' was used again by '%s'; needs a plan with keep=true", v->name,
                p->graph->nodes[by].name);
        return NULL;
    }
    int64_t shape[HZ_MAXDIM];
    memcpy(shape, v->shape, sizeof shape);
    if (v->kind == HZ_ACTIVATION && rows >= 0 && rows < shape[0])
        shape[0] = rows;
    return storage_tensor(p->device.arena, (size_t)p->map.offset[value], v->dtype, v->ndim, shape);
}

hz_status hz_plan_stat(const hz_plan *p, int node, hz_node_stat *out)
{
    if (node < 0 || node >= p->graph->nnodes)
        return hz_fail(HZ_EARG, "plan: node %d; have 0..%d", node, p->graph->nnodes - 1);
    *out = (hz_node_stat){ .kernel = p->graph->nodes[node].dead ? "fused" : "view" };
    if (p->first_work[node] == p->first_work[node + 1])
        return HZ_OK;
    return p->backend->stat(p->program, p->first_work[node], out);
}

/* The work of a node that a trial may run: one whose outputs are all in the arena; -1 if it is none. */
static int work_for_trial(const hz_plan *p, int node)
{
    int i = node >= 0 && node < p->graph->nnodes ? p->first_work[node] : 0;
    if (node < 0 || node >= p->graph->nnodes || i == p->first_work[node + 1] || p->works[i].nout == 0
        || !p->backend->trials)
        return -1;
    return i;
}

/* Of the plan's batch: what a node reads first may be a whole data set. */
static int64_t rows_of(const hz_work *w)
{
    const hz_arg *a = w->in[0].kind == HZ_ACTIVATION ? &w->in[0] : &w->out[0];
    return a->kind == HZ_ACTIVATION && a->ndim ? a->shape[0] : 1;
}

int hz_plan_trials(hz_plan *p, int node, int repeats, hz_trial out[HZ_TRIALS])
{
    int i = work_for_trial(p, node);
    if (i < 0)
        return 0;
    hz_step step = { .count = rows_of(&p->works[i]) };
    if (repeats > 0 && device_before(&p->device))
        return -1;
    int n = p->backend->trials(p->program, i, &step, repeats, out);
    if (repeats > 0 && n > 1 && (device_after(&p->device, node, node + 1) || device_zero(&p->device)))
        return -1;
    return n;
}

hz_status hz_plan_use(hz_plan *p, int node, const char *kernel)
{
    int i = work_for_trial(p, node);
    if (i < 0)
        return hz_fail(HZ_EARG, "plan: node %d has no kernel to choose", node);
    return p->backend->use(p->program, i, kernel);
}

static int finite(const void *data, int dtype, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (dtype == HZ_F32 && !isfinite(((const float *)data)[i]))
            return 0;
        if (dtype == HZ_F64 && !isfinite(((const double *)data)[i]))
            return 0;
        if (dtype == HZ_BF16 && (((const uint16_t *)data)[i] & 0x7f80) == 0x7f80)
            return 0;
    }
    return 1;
}

/* 1, 0, or -1 (message set) where the value cannot be read. One that is not stored counts as finite. */
static int value_finite(hz_plan *p, int value, int64_t rows)
{
    const hz_value *v = &p->graph->values[value];
    int64_t at = p->map.offset[value], bytes = bytes_of_rows(v, rows);
    if (v->kind == HZ_BOUND || at < 0)
        return 1;
    hz_storage *arena = p->device.arena;
    if (region_home((region){ arena, (size_t)at, (size_t)(at + bytes) }, HZ_READ))
        return -1;
    return finite((char *)arena->data + at, v->dtype, bytes / (int64_t)hz_dtype_bytes(v->dtype));
}

int hz_plan_not_finite(hz_plan *p, int64_t rows)
{
    for (int i = 0; i < p->graph->nnodes; i++) {
        const hz_node *n = &p->graph->nodes[i];
        for (int k = 0; k < n->nout && p->first_work[i] < p->first_work[i + 1]; k++) {
            int known = n->out[k] < 0 ? 1 : value_finite(p, n->out[k], rows);
            if (known < 1)
                return known < 0 ? -2 : i;
        }
    }
    return -1;
}

/* FNV-1a, 64 bits: Fowler, Noll, Vo. */
static uint64_t fnv(uint64_t h, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return h;
}

uint64_t hz_plan_digest(const hz_plan *p)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int i = 0; i < p->nworks; i++) {
        const hz_work *w = &p->works[i];
        hz_node_stat s = { 0 };
        p->backend->stat(p->program, i, &s);
        h = fnv(h, op_get(w->op)->name, strlen(op_get(w->op)->name));
        h = fnv(h, &w->attr, sizeof w->attr);
        h = fnv(h, w->tail, (size_t)w->tails * sizeof *w->tail);
        for (int k = 0; k < w->nin + w->nout; k++) {
            const hz_arg *a = k < w->nin ? &w->in[k] : &w->out[k - w->nin];
            h = fnv(h, &a->dtype, sizeof a->dtype);
            if (k < w->nin)
                h = fnv(h, a->shape, sizeof a->shape);
        }
        h = fnv(h, s.kernel, s.kernel ? strlen(s.kernel) : 0);
    }
    return h;
}

/* program.c: programs of a card. A range of nodes that is asked for again is recorded once and replayed from then on:
   all that changes from step to step lies in an hz_step on the device, which a launch before the replay fills in. */
#include "cuda/casts.h"
#include "cuda/head.h"
#include "cuda/program.h"
#include "cuda/sums.h"
#include "cuda/update.h"
#include "batch.h"
#include <stdlib.h>

typedef struct node {
    hz_work work;
    const cuda_kernel *kernel;
    void *state;
    float *sums;
    size_t sums_bytes;                /* of the node that yields them */
    update_list *list;                /* updates from this node on that are one launch */
    head *head;                       /* this node and others are one launch, or two */
    double ms;
} node;

/* What was recorded for nodes from..to-1. */
typedef struct record {
    int from, to, runs;
    runtime_graph *graph;
} record;

enum { RECORDS = 32 };

struct hz_program {
    int count, gated;                 /* gated: updates from this node on wait for the number */
    node *nodes;
    casts *casts;
    int *lead;                        /* by node: with which it is launched; -1: by itself */
    hz_arg number;                    /* data NULL: no gate */
    hz_step *step;                    /* on the device */
    int32_t *shut;
    void *workspace;
    size_t workspace_bytes;
    record records[RECORDS];
    int nrecords;
    runtime_clock *clock;             /* made when first needed */
};

/* ---- choice ---- */

static const cuda_kernel *choose(const hz_work *w)
{
    if (cuda_storage(w) == HZ_BF16 && !runtime_bf16())
        return NULL;
    const char *only = getenv("HZ_KERNEL");
    const cuda_kernel *first = NULL;
    for (const cuda_kernel *const *k = cuda_kernels(w->op); *k; k++)
        if ((*k)->accepts(w)) {
            if (only && !strcmp(only, (*k)->name))
                return *k;
            first = first ? first : *k;
        }
    return first;
}

int program_accepts(const hz_work *w) { return choose(w) != NULL; }

static hz_status refuse(const hz_work *w)
{
    if (cuda_storage(w) == HZ_BF16 && !runtime_bf16())
        return cuda_core->fail(HZ_EDTYPE, "%s: '%s' is a node over bf16, which this card does not multiply (%s); needs "
                               "sm_80 or later, or dtype=f32", runtime_name, w->name ? w->name : "?",
                               runtime_describe());
    return cuda_core->fail(HZ_EDTYPE, "%s: no kernel runs '%s', a node %s; its floating-point values must be all f32, "
                           "all f64, or bf16 activations with f32 parameters", runtime_name,
                           w->name ? w->name : "?", cuda_core->op_name(w->op));
}

/* ---- making ---- */

static void *zeroed(size_t bytes)
{
    void *p = runtime_alloc(bytes);
    if (p && runtime_fill(p, 0, bytes)) {
        runtime_free(p, bytes);
        p = NULL;
    } else if (!p) {
        cuda_core->fail(HZ_EMEM, "%s; a smaller batch= needs less", cuda_core->message());
    }
    return p;
}

static hz_status prepare(hz_program *p, node *n, const hz_work *w, int sums)
{
    const cuda_kernel *k = choose(w);
    if (!k)
        return refuse(w);
    n->work = *w;
    n->kernel = k;
    hz_status status = k->prepare ? k->prepare(w, sums, &n->state) : HZ_OK;
    size_t bytes = !status && k->workspace ? k->workspace(w, n->state) : 0;
    p->workspace_bytes = bytes > p->workspace_bytes ? bytes : p->workspace_bytes;
    return status;
}

void program_free(hz_program *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->nrecords; i++)
        runtime_graph_free(p->records[i].graph);
    for (int i = 0; i < p->count; i++) {
        node *n = &p->nodes[i];
        if (n->state)
            n->kernel->discard(n->state);
        runtime_free(n->sums_bytes ? n->sums : NULL, n->sums_bytes);
        update_list_free(n->list);
        head_free(n->head);
    }
    casts_free(p->casts);
    runtime_free(p->workspace, p->workspace_bytes);
    runtime_free(p->step, sizeof *p->step);
    runtime_free(p->shut, sizeof *p->shut);
    runtime_clock_free(p->clock);
    free(p->lead);
    free(p->nodes);
    free(p);
}

/* A bias's gradient is summed up by the kernel that makes what is to be summed, where it can. */
static hz_status share_sums(hz_program *p, const hz_work *works)
{
    for (int i = 0; i < p->count; i++) {
        int maker = sums_maker(works, i);
        node *n = &p->nodes[i], *by = maker < 0 ? NULL : &p->nodes[maker];
        if (!by || !by->kernel->yields_sums || !by->kernel->yields_sums(&by->work, by->state))
            continue;
        by->sums_bytes = (size_t)n->work.out[1].shape[0] * sizeof *by->sums;
        if (!(n->sums = by->sums = zeroed(by->sums_bytes))) {
            by->sums_bytes = 0;
            return HZ_EMEM;
        }
    }
    return HZ_OK;
}

static hz_status share_casts(hz_program *p, const hz_work *works)
{
    int *wants = calloc((size_t)p->count + 1, sizeof *wants);
    float **sums = calloc((size_t)p->count + 1, sizeof *sums);
    for (int i = 0; wants && sums && i < p->count; i++) {
        const node *n = &p->nodes[i];
        wants[i] = n->kernel->casts ? n->kernel->casts(&n->work, n->state) : 0;
        sums[i] = n->sums_bytes ? NULL : n->sums;
    }
    if (wants && sums)
        p->casts = casts_new(works, p->count, wants, sums);
    else
        cuda_core->fail(HZ_EMEM, "%s: no memory for %d nodes", runtime_name, p->count);
    free(wants);
    free(sums);
    return p->casts ? HZ_OK : HZ_EMEM;
}

/* The end of the network and updates become few launches. */
static hz_status launch_together(hz_program *p, const hz_work *works)
{
    if (!(p->lead = malloc(((size_t)p->count + 1) * sizeof *p->lead)))
        return cuda_core->fail(HZ_EMEM, "%s: no memory for %d nodes", runtime_name, p->count);
    for (int i = 0; i < p->count; i++)
        p->lead[i] = -1;
    for (int i = 0; i < p->count; i++)
        if (p->lead[i] < 0 && head_last(works, p->count, i) > i
            && !(p->nodes[i].head = head_new(works, p->count, i, p->lead)))
            return HZ_EMEM;
    for (int i = 0; i < p->count; i++)
        if (update_fits(&works[i]) && p->lead[i] < 0
            && !(p->nodes[i].list = update_list_new(works, i, p->count, p->lead)))
            return HZ_EMEM;
    return HZ_OK;
}

hz_program *program_new(const hz_work *works, int count, int train)
{
    hz_program *p = calloc(1, sizeof *p);
    node *nodes = calloc((size_t)count + 1, sizeof *nodes);
    if (!p || !nodes) {
        free(p);
        free(nodes);
        cuda_core->fail(HZ_EMEM, "%s: a program of %d nodes was asked for; the system has no more memory",
                        runtime_name, count);
        return NULL;
    }
    p->count = count;
    p->nodes = nodes;
    hz_status status = HZ_OK;
    for (int i = 0; i < count && !status; i++)
        status = prepare(p, &nodes[i], &works[i], sums_wanted(works, count, i));
    status = status ? status : share_sums(p, works);
    status = status ? status : share_casts(p, works);
    status = status ? status : launch_together(p, works);
    size_t workspace = p->workspace_bytes;
    p->workspace_bytes = 0;
    if (!status && workspace && (p->workspace = zeroed(workspace)))
        p->workspace_bytes = workspace;
    if (status || (workspace && !p->workspace) || !(p->step = zeroed(sizeof *p->step))
        || !(p->shut = zeroed(sizeof *p->shut))) {
        program_free(p);
        return NULL;
    }
    return p;
}

void program_gate(hz_program *p, int from, const hz_arg *number)
{
    p->number = *number;
    p->gated = from;
    for (int i = 0; i < p->nrecords; i++)         /* they hold the gate that was */
        runtime_graph_free(p->records[i].graph);
    p->nrecords = 0;
    runtime_fill(p->shut, 0, sizeof *p->shut);
}

/* ---- running ---- */

static hz_status check_step(const hz_program *p, int from, int to, const hz_step *s)
{
    if (from < 0 || to > p->count || from > to)
        return cuda_core->fail(HZ_EARG, "%s: nodes %d to %d were asked for; the program has %d", runtime_name, from,
                               to, p->count);
    if (s->count < 1)
        return cuda_core->fail(HZ_EARG, "%s: a step over %lld rows was asked for; need at least 1", runtime_name,
                               (long long)s->count);
    for (int i = from; i < to; i++) {
        const hz_work *w = &p->nodes[i].work;
        const hz_arg *x = &w->in[0];
        if (w->op == OP_input) {
            batch b = batch_of(w);
            batch_begin(&b, s);
            hz_status status = batch_check(&b, w, cuda_core->fail);
            if (status)
                return status;
        } else if (w->nin && x->kind == HZ_ACTIVATION && x->ndim && s->count > x->shape[0]) {
            return cuda_core->fail(HZ_EARG, "%s: %lld rows were asked for; the plan's batch is %lld", w->name,
                                   (long long)s->count, (long long)x->shape[0]);
        }
    }
    return HZ_OK;
}

/* Whether all updates that node i is listed with lie within from..to-1, on one side of the gate; else it runs alone. */
static int listed(const hz_program *p, int from, int to, int i)
{
    int lead = p->lead[i];
    if (lead < from || !p->nodes[lead].list)
        return 0;
    int last = update_list_last(p->nodes[lead].list);
    return last < to && !(p->number.data && lead < p->gated && p->gated <= last);
}

/* By a kernel of its own, or with those it is launched with. */
static hz_status launch_node(hz_program *p, int from, int to, int i)
{
    node *n = &p->nodes[i];
    cuda_call call = { .step = p->step, .shut = p->shut, .stream = runtime_stream(),
                       .workspace = p->workspace, .state = n->state, .sums = n->sums,
                       .narrow = casts_narrow(p->casts, i) };
    head *h = p->lead[i] < 0 ? NULL : p->nodes[p->lead[i]].head;
    if (h && head_run(h, from, to, i, &call))
        return HZ_OK;
    if (h || !listed(p, from, to, i))
        return n->kernel->run(&n->work, &call);
    return n->list ? update_list_run(n->list, &call) : HZ_OK;
}

/* Before node i of a run that begins with node `from`. */
static void look_at_gate(hz_program *p, int from, int i)
{
    if (p->number.data && (i == p->gated || (i == from && i > p->gated)))
        launch_gate(runtime_stream(), &p->number, p->shut);
}

/* Node i of a run over from..to-1. */
static hz_status run_node(hz_program *p, int from, int to, int i)
{
    look_at_gate(p, from, i);
    casts_before(p->casts, i, runtime_stream());
    hz_status status = launch_node(p, from, to, i);
    if (!status)
        casts_behind(p->casts, from, to, i, runtime_stream());
    return status;
}

static hz_status run_plainly(hz_program *p, int from, int to)
{
    hz_status status = HZ_OK;
    casts_begin(p->casts, from, to, runtime_stream());
    for (int i = from; i < to && !status; i++)
        status = run_node(p, from, to, i);
    return status ? status : runtime_check(from < to ? p->nodes[from].work.name : "run");
}

static hz_status run_timed(hz_program *p, int from, int to)
{
    if (!p->clock && !(p->clock = runtime_clock_new(p->count + 1)))
        return HZ_EDEVICE;
    casts_begin(p->casts, from, to, runtime_stream());
    hz_status status = runtime_clock_read(p->clock, from);
    for (int i = from; i < to && !status; i++) {
        status = run_node(p, from, to, i);
        status = status ? status : runtime_clock_read(p->clock, i + 1);
    }
    for (int i = from; i < to && !status; i++)
        status = runtime_clock_ms(p->clock, i, i + 1, &p->nodes[i].ms);
    return status ? status : runtime_check(p->nodes[from].work.name);
}

/* What was recorded for the range; NULL: it is not worth it yet. The first run is not recorded: libraries may want to
   allocate in it. */
static record *record_of(hz_program *p, int from, int to)
{
    for (int i = 0; i < p->nrecords; i++)
        if (p->records[i].from == from && p->records[i].to == to)
            return &p->records[i];
    if (p->nrecords == RECORDS)
        return NULL;
    p->records[p->nrecords] = (record){ .from = from, .to = to };
    return &p->records[p->nrecords++];
}

static hz_status run_recorded(hz_program *p, int from, int to)
{
    record *r = record_of(p, from, to);
    if (!r || r->runs++ == 0)
        return run_plainly(p, from, to);
    if (!r->graph) {
        hz_status status = runtime_record();
        if (status)
            return status;
        status = run_plainly(p, from, to);
        hz_status ended = runtime_recorded(&r->graph);
        if (status || ended) {                        /* half a step is not to be replayed */
            runtime_graph_free(r->graph);
            r->graph = NULL;
            return status ? status : ended;
        }
    }
    return runtime_replay(r->graph);
}

hz_status program_run(hz_program *p, int from, int to, const hz_step *s, int timed)
{
    hz_status status = check_step(p, from, to, s);
    if (status || from == to)
        return status;
    launch_step(runtime_stream(), p->step, s);
    return timed > 1 ? run_timed(p, from, to) : run_recorded(p, from, to);
}

/* "grouped": the node that it is launched with has the time. */
hz_status program_stat(const hz_program *p, int i, hz_node_stat *out)
{
    if (i < 0 || i >= p->count)
        return cuda_core->fail(HZ_EARG, "%s: node %d was asked for; the program has %d", runtime_name, i, p->count);
    const node *n = &p->nodes[i];
    const char *kernel = n->head ? "head" : p->lead[i] < 0 || n->list ? n->kernel->name : "grouped";
    *out = (hz_node_stat){ .kernel = kernel, .ms = n->ms, .flops = cuda_core->flops(&n->work) };
    return HZ_OK;
}

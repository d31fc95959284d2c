/* backend.c: the "cpu" backend. A program is the nodes with the kernel chosen for each, each kernel's own memory, and
   one scratch area per worker that all nodes share; nodes over bf16 whose kernel computes over f32 share an area for
   the copies (wide.c). Nothing is allocated in a run, unless there are more workers than before. */
#include "cpu/program/program.h"
#include "memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- choice of kernels ---- */

/* Whether a list of names, separated by commas, holds this one. */
static int listed(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, name, n) && (!p[n] || p[n] == ','))
            return 1;
    return 0;
}

/* Whether the kernel reads and writes values where they lie. */
static int lies_well(choice c, const hz_work *w)
{
    int from = w->in[0].blocked, to = w->out[0].blocked;
    for (int i = 1; i < w->nin || i < w->nout; i++)
        if ((i < w->nin && w->in[i].blocked) || (i < w->nout && w->out[i].blocked))
            return 0;
    return from ? c.kernel->blocked == 2 && !c.wide : c.kernel->blocked < 2 && (!to || (c.kernel->blocked && !c.wide));
}

/* Predicted seconds, negative if the kernel does not take the node. Tails are run only by a kernel that sees
   the node as it is stored. */
static double cost_of(choice c, const hz_work *w, const hz_work *wide, const cpu_micro *m)
{
    if (w->tf32 || (w->exact && c.kernel->rounds) || !lies_well(c, w))
        return -1;
    if (w->tails && (c.wide || !c.kernel->tails || !c.kernel->tails(w, m)))
        return -1;
    if (w->head.op && (c.wide || !c.kernel->heads || !cpu_head_fits(w)))
        return -1;
    double cost = c.kernel->cost(c.wide ? wide : w, m);
    return cost < 0 || !c.wide ? cost : cost + wide_cost(w);
}

void choice_label(choice c, char label[KERNEL_LABEL])
{
    snprintf(label, KERNEL_LABEL, "%s%s", c.wide ? "wide " : "", c.kernel->name);
}

/* The first row that HZ_KERNEL names and that accepts, else the cheapest that accepts; kernel is NULL if none does. */
static choice choose(const hz_work *w, const cpu_micro *m, int *is_forced)
{
    const char *names = getenv("HZ_KERNEL");
    choice best = { 0 };
    double least = 0;
    size_t bytes;
    hz_work wide = wide_work(w, NULL, &bytes);
    *is_forced = 0;
    for (const cpu_kernel *const *k = cpu_kernels(w->op); *k; k++)
        for (int i = 0; i <= wide_wanted(w); i++) {
            choice c = { *k, i };
            double cost = cost_of(c, w, &wide, m);
            if (cost < 0)
                continue;
            if (names && listed(names, (*k)->name)) {
                *is_forced = 1;
                return c;
            }
            if (!best.kernel || cost < least) {
                best = c;
                least = cost;
            }
        }
    return best;
}

int choice_list(const hz_work *w, const cpu_micro *m, choice out[HZ_TRIALS])
{
    int n = 0, is_forced;
    size_t bytes;
    hz_work wide = wide_work(w, NULL, &bytes);
    out[0] = choose(w, m, &is_forced);
    if (is_forced)
        return -1;
    for (const cpu_kernel *const *k = cpu_kernels(w->op); *k; k++)
        for (int i = 0; i <= wide_wanted(w) && n < HZ_TRIALS; i++) {
            choice c = { *k, i };
            if (cost_of(c, w, &wide, m) >= 0 && (n == 0 || strcmp((*k)->name, "ref")))
                out[n++] = c;
        }
    return n;
}

const char *hz_cpu_kernel(int op, int i)
{
    const cpu_kernel *const *k = cpu_kernels(op);
    for (int n = 0; k[n]; n++)
        if (n == i)
            return k[n]->name;
    return NULL;
}

static double cost_alone(choice c, const hz_work *w)
{
    size_t bytes;
    hz_work wide = wide_work(w, NULL, &bytes);
    return cost_of(c, w, &wide, cpu_micro_now());
}

/* Values may be blocked where that takes nobody the kernel that was asked for, and costs no more. A little more it may:
   whoever reads a blocked value gains that. */
static int accepts_blocked(const hz_work *w)
{
    const double most = 1.1;
    int is_forced, was_forced;
    hz_work rest = *w;
    rest.in[0].blocked = rest.out[0].blocked = 0;
    choice now = choose(w, cpu_micro_now(), &is_forced), before = choose(&rest, cpu_micro_now(), &was_forced);
    return now.kernel && before.kernel && is_forced == was_forced
           && cost_alone(now, w) <= most * cost_alone(before, &rest);
}

/* What fusion put around a node, a head, an epilogue or tails, must not cost it the kernel that is fastest for the
   rest. */
static int accepts(const hz_work *w)
{
    if (w->in[0].blocked || w->out[0].blocked)
        return accepts_blocked(w);
    int is_forced;
    hz_work rest = *w;
    choice all = choose(w, cpu_micro_now(), &is_forced), alone;
    hz_act_attr *epilogue = (hz_act_attr *)hz_epilogue(w->op, &rest.attr);
    rest.tails = 0;
    rest.head.op = 0;
    if (epilogue)
        epilogue->act = HZ_LINEAR;
    alone = choose(&rest, cpu_micro_now(), &is_forced);
    return all.kernel && all.kernel == alone.kernel && all.wide == alone.wide;
}

static hz_status refuse(const hz_work *w)
{
    if (w->tf32)
        return hz_fail(HZ_EDTYPE, "cpu: dtype is tf32, which cards alone multiply by; needs f32 or bf16 here");
    char text[200] = "";
    size_t n = 0;
    for (int i = 0; i < w->nin && n < sizeof text - 16; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                              w->in[i].data ? hz_dtype_name(w->in[i].dtype) : "none");
    return hz_fail(HZ_EDTYPE, "cpu: '%s' is a node over (%s) that no kernel runs; its floating-point values must be "
                   "all f32, all f64, or bf16 activations with f32 parameters", w->name ? w->name : "?", text);
}

/* ---- programs ---- */

static void program_free(hz_program *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->count; i++)
        hz_free(p->nodes[i].memory, p->nodes[i].bytes);
    hz_free(p->scratch, p->scratch_bytes);
    hz_free(p->wide, p->wide_bytes);
    free(p->nodes);
    free(p);
}

hz_status program_reserve(hz_program *p)
{
    int workers = team_threads();
    if (p->workers >= workers && p->scratch_bytes >= p->stride * (size_t)workers)
        return HZ_OK;
    size_t bytes = p->stride * (size_t)workers;
    char *more = bytes ? hz_alloc(bytes) : NULL;
    if (bytes && !more)
        return HZ_EMEM;
    hz_free(p->scratch, p->scratch_bytes);
    p->scratch = more;
    p->scratch_bytes = bytes;
    p->workers = workers;
    return HZ_OK;
}

hz_status program_prepare(hz_program *p, node *n, choice use)
{
    const cpu_kernel *k = use.kernel;
    size_t wide;
    if (!k)
        return refuse(&n->work);
    n->use = use;
    choice_label(use, n->label);
    n->seen = use.wide ? wide_work(&n->work, NULL, &wide) : n->work;
    if (use.wide && wide > p->wide_needed)
        p->wide_needed = wide;
    if (k->memory && (n->bytes = k->memory(&n->seen, p->micro)) > 0 && !(n->memory = hz_alloc(n->bytes)))
        return HZ_EMEM;
    size_t scratch = k->scratch ? k->scratch(&n->seen, p->micro) : 0;
    scratch = (scratch + 4095) / 4096 * 4096;
    p->stride = scratch > p->stride ? scratch : p->stride;
    return HZ_OK;
}

hz_status program_place_copies(hz_program *p)
{
    size_t bytes = p->wide_needed;
    if (bytes > p->wide_bytes) {
        char *more = hz_alloc(bytes);
        if (!more)
            return HZ_EMEM;
        hz_free(p->wide, p->wide_bytes);
        p->wide = more;
        p->wide_bytes = bytes;
    }
    for (int i = 0; i < p->count; i++)
        if (p->nodes[i].use.wide)
            p->nodes[i].seen = wide_work(&p->nodes[i].work, p->wide, &bytes);
    return HZ_OK;
}

static hz_program *program_new(const hz_work *works, int count, int train)
{
    hz_program *p = calloc(1, sizeof *p);
    node *nodes = calloc((size_t)count + 1, sizeof *nodes);
    if (!p || !nodes) {
        free(p);
        free(nodes);
        hz_fail(HZ_EMEM, "cpu: a program of %d nodes was asked for; the system has no more memory", count);
        return NULL;
    }
    *p = (hz_program){ .micro = cpu_micro_now(), .count = count, .train = train, .nodes = nodes };
    for (int i = 0; i < count; i++) {
        nodes[i].work = works[i];
        int is_forced;
        if (program_prepare(p, &nodes[i], choose(&works[i], p->micro, &is_forced))) {
            program_free(p);
            return NULL;
        }
    }
    if (program_place_copies(p) || program_reserve(p)) {
        program_free(p);
        return NULL;
    }
    return p;
}

/* ---- running ---- */

hz_status program_run_node(hz_program *p, node *n, const hz_step *s)
{
    const hz_work *w = &n->seen;
    const cpu_kernel *k = n->use.kernel;
    cpu_call call = { .step = s, .micro = p->micro, .memory = n->memory, .scratch = p->scratch,
                      .scratch_stride = p->stride };
    if (w->nin && w->in[0].kind == HZ_ACTIVATION && w->in[0].ndim && s->count > w->in[0].shape[0])
        return hz_fail(HZ_EARG, "%s: %lld rows were asked for; the plan's batch is %lld", w->name, (long long)s->count,
                       (long long)w->in[0].shape[0]);
    if (k->pack && (!n->packed || n->version != s->version)) {
        k->pack(w, &call);
        n->packed = 1;
        n->version = s->version;
    }
    return n->use.wide ? wide_run(k, &n->work, w, &call) : k->run(w, &call);
}

static void gate(hz_program *p, int from, const hz_arg *number)
{
    p->gate = *number;
    p->gated = from;
}

static int shut(const hz_program *p, int i)
{
    if (!p->gate.data || i < p->gated)
        return 0;
    return !isfinite(p->gate.dtype == HZ_F64 ? *(const double *)p->gate.data : *(const float *)p->gate.data);
}

static hz_status run(hz_program *p, int from, int to, const hz_step *s, int timed)
{
    if (from < 0 || to > p->count || from > to)
        return hz_fail(HZ_EARG, "cpu: nodes %d to %d were asked for; the program has %d", from, to, p->count);
    if (s->count < 1)
        return hz_fail(HZ_EARG, "cpu: a step over %lld rows was asked for; need at least 1", (long long)s->count);
    hz_status status = program_reserve(p);
    double at = timed ? hz_seconds() : 0;      /* one reading a node: where it ends the next one begins */
    for (int i = from; i < to && !status && !shut(p, i); i++) {
        status = program_run_node(p, &p->nodes[i], s);
        double now = timed ? hz_seconds() : 0;
        if (timed)
            p->nodes[i].ms = 1e3 * (now - at);
        at = now;
    }
    return status;
}

static hz_status stat(const hz_program *p, int i, hz_node_stat *out)
{
    if (i < 0 || i >= p->count)
        return hz_fail(HZ_EARG, "cpu: node %d was asked for; the program has %d", i, p->count);
    const node *n = &p->nodes[i];
    *out = (hz_node_stat){ .kernel = n->label, .ms = n->ms, .flops = hz_work_flops(&n->work) };
    return HZ_OK;
}

static const char *describe(void)
{
    static _Thread_local char text[64];
    int n = team_threads();
    snprintf(text, sizeof text, "cpu %s, %d thread%s", hz_cpu_isa(), n, n == 1 ? "" : "s");
    return text;
}

static const hz_backend cpu = {
    .size = sizeof(hz_backend), .name = "cpu", .memory = &memory_host, .describe = describe, .accepts = accepts,
    .program_new = program_new, .program_free = program_free, .run = run, .gate = gate, .stat = stat,
    .trials = program_trials, .use = program_use, .blocks = 1,
};

const hz_backend *hz_cpu_backend(void) { return team_check() || cpu_isa_check() ? NULL : &cpu; }

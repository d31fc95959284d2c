/* grad.c: appends the backward nodes, and the updates of running statistics. Reverse-mode: the node list is walked
   from its end; each op's grad turns gradients of outputs into gradients of inputs. Values that feed several nodes
   get the sum of what comes back. */
#include "graph/graph.h"
#include <stdlib.h>
#include <string.h>

/* Marks every value from which a gradient must reach something wanted. */
static void mark_needed(const hz_graph *g, int32_t *needed, int wrt_entries)
{
    for (int v = 0; v < g->nvalues; v++)
        needed[v] = g->parameter[v] || (wrt_entries && g->values[v].kind == HZ_ACTIVATION && g->values[v].node < 0);
    for (int i = 0; i < g->nnodes; i++) {
        const hz_node *n = &g->nodes[i];
        int any = 0;
        for (int k = 0; k < n->nin; k++)
            any |= n->in[k] >= 0 && needed[n->in[k]];
        for (int k = 0; k < n->nout; k++)
            needed[n->out[k]] = any && op_get(n->op)->grad;
    }
}

/* Adds `d` to what has already come back to `value`. */
static hz_status accumulate(hz_graph *g, int value, int d)
{
    int before = g->gradient[value];
    if (before >= 0) {
        int32_t in[] = { before, d };
        out_spec out = like(&g->values[d]);
        d = graph_append(g, OP_add, g->values[value].name, NULL, in, 2, &out, 1);
        if (d < 0)
            return HZ_EMEM;
    }
    g->gradient[value] = d;
    return HZ_OK;
}

static hz_status through(hz_graph *g, int i, const int32_t *needed)
{
    hz_node n = g->nodes[i];
    grad_call c;
    int flows = 0, wanted = 0;
    for (int k = 0; k < HZ_MAXOUT; k++) {
        c.dy[k] = k < n.nout ? g->gradient[n.out[k]] : -1;
        flows |= c.dy[k] >= 0;
    }
    for (int k = 0; k < HZ_MAXIN; k++) {
        c.want[k] = k < n.nin && n.in[k] >= 0 && needed[n.in[k]];
        c.dx[k] = -1;
        wanted |= c.want[k];
    }
    if (!flows || !wanted)
        return HZ_OK;
    const hz_act_attr *epilogue = hz_epilogue(n.op, &n.attr);
    if (n.op != OP_act && epilogue && epilogue->act != HZ_LINEAR)
        return hz_fail(HZ_EARG, "gradient: %s '%s' has an activation of its own; needs it as a node",
                       op_get(n.op)->name, n.name);
    if (n.op == OP_act && act_is_sloped(&n.attr.act) && n.attr.act.alpha < 0)
        return hz_fail(HZ_EARG, "layer '%s': alpha of %s is %g; a gradient needs a number of at least 0, as it is told "
                       "by the sign of the output", n.name, hz_act_name(n.attr.act.act), (double)n.attr.act.alpha);
    hz_status status = op_get(n.op)->grad(g, n, &c);
    for (int k = 0; k < n.nin && !status; k++)
        if (c.dx[k] >= 0 && c.want[k])
            status = accumulate(g, n.in[k], c.dx[k]);
    return status;
}

hz_status hz_graph_grad(hz_graph *g, int value, int seed, int wrt_entries)
{
    if (value < 0 || value >= g->nvalues)
        return hz_fail(HZ_EARG, "gradient: value %d; have 0..%d", value, g->nvalues - 1);
    int node = g->values[value].node;
    if (seed < 0 && (node < 0 || g->nodes[node].op != OP_xent))
        return hz_fail(HZ_EARG, "gradient: '%s' is not a loss; needs a seed of its shape", g->values[value].name);
    int32_t *needed = calloc((size_t)g->nvalues, sizeof *needed);
    if (!needed)
        return hz_fail(HZ_EMEM, "gradient: no memory for %d values", g->nvalues);
    mark_needed(g, needed, wrt_entries);
    /* a loss is its own seed: d(loss)/d(loss) = 1 is built into xent_grad */
    g->gradient[value] = seed >= 0 ? seed : value;
    hz_status status = HZ_OK;
    for (int i = g->nnodes - 1; i >= 0 && !status; i--)
        status = through(g, i, needed);
    free(needed);
    return status;
}

hz_status hz_graph_statistics(hz_graph *g)
{
    for (int i = 0, n = g->nnodes; i < n; i++) {
        hz_node norm = g->nodes[i];
        if (norm.op != OP_norm || norm.attr.norm.frozen)
            continue;
        int32_t in[] = { norm.in[HZ_NORM_MEAN], norm.in[HZ_NORM_VARIANCE], norm.out[HZ_NORM_BATCHMEAN],
                         norm.out[HZ_NORM_BATCHVARIANCE] };
        if (hz_graph_add(g, op_get(OP_norm_update)->name, norm.name, &norm.attr, in, 4) < 0)
            return HZ_EARG;
    }
    return HZ_OK;
}

int hz_graph_gradient_of(const hz_graph *g, int value)
{
    return value >= 0 && value < g->nvalues ? g->gradient[value] : -1;
}

/* graph.c: building a graph node by node. Values are numbered in the order of their making; a node's inputs come before
   it, so the node list is an order of execution and needs no sorting. */
#include "graph/graph.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hz_graph *hz_graph_new(const char *name)
{
    hz_graph *g = calloc(1, sizeof *g);
    if (!g) {
        hz_fail(HZ_EMEM, "graph: no memory");
        return NULL;
    }
    snprintf(g->name, sizeof g->name, "%s", name ? name : "");
    return g;
}

void hz_graph_free(hz_graph *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->nvalues; i++)
        hz_tensor_free(g->values[i].tensor);
    free(g->nodes);
    free(g->values);
    free(g->gradient);
    free(g->parameter);
    free(g);
}

/* Grows *array to hold one more of `size` bytes. */
static int grow(void *array, int room, size_t size)
{
    void *bigger = realloc(*(void **)array, (size_t)room * size);
    if (!bigger)
        return hz_fail(HZ_EMEM, "graph: no memory for %d entries", room);
    *(void **)array = bigger;
    return HZ_OK;
}

static int value_new(hz_graph *g, const char *name)
{
    if (!g)
        return -1;                     /* hz_graph_new failed; its message stands */
    if (g->nvalues == g->value_room) {
        int room = g->value_room ? 2 * g->value_room : 64;
        if (grow(&g->values, room, sizeof *g->values) || grow(&g->gradient, room, sizeof *g->gradient)
            || grow(&g->parameter, room, sizeof *g->parameter))
            return -1;
        g->value_room = room;
    }
    int i = g->nvalues++;
    g->values[i] = (hz_value){ .node = -1, .view = -1 };
    snprintf(g->values[i].name, HZ_NAMELEN, "%s", name);
    g->gradient[i] = -1;
    g->parameter[i] = 0;
    return i;
}

int graph_value(hz_graph *g, const char *name, const out_spec *spec)
{
    int v = value_new(g, name);
    if (v < 0)
        return -1;
    hz_value *value = &g->values[v];
    value->kind = spec->kind;
    value->dtype = spec->dtype;
    value->ndim = spec->ndim;
    memcpy(value->shape, spec->shape, sizeof value->shape);
    return v;
}

int hz_graph_bind(hz_graph *g, const char *name, const hz_tensor *t, int parameter)
{
    if (!hz_tensor_contiguous(t) || !t->storage)
        return hz_fail(HZ_ESHAPE, "%s: the tensor is %s; needs a contiguous one", name,
                       t->storage ? "a view with gaps" : "cleared"), -1;
    hz_tensor *alias = hz_tensor_alias(t);
    int i = alias ? value_new(g, name) : -1;
    if (i < 0) {
        hz_tensor_free(alias);
        return -1;
    }
    hz_value *v = &g->values[i];
    v->kind = HZ_BOUND;
    v->dtype = t->dtype;
    v->ndim = t->ndim;
    memcpy(v->shape, t->shape, sizeof v->shape);
    v->tensor = alias;
    g->parameter[i] = parameter;
    return i;
}

int hz_graph_entry(hz_graph *g, const char *name, int dtype, int ndim, const int64_t *shape)
{
    if (hz_shape_count(ndim, shape) < 0)
        return -1;
    int i = value_new(g, name);
    if (i < 0)
        return -1;
    hz_value *v = &g->values[i];
    v->kind = HZ_ACTIVATION;
    v->dtype = dtype;
    v->ndim = ndim;
    memcpy(v->shape, shape, sizeof *shape * (size_t)ndim);
    v->keep = 1;                       /* filled from outside before the first node runs */
    return i;
}

/* "conv7.y" from layer and the k-th word of the op's outputs. */
static void output_name(char *name, const char *layer, const char *outputs, int k)
{
    while (k-- > 0)
        outputs = strchr(outputs, ' ') + 1;
    int n = (int)strcspn(outputs, " ");
    snprintf(name, HZ_NAMELEN, "%.30s.%.*s", layer, n, outputs);
}

int graph_append(hz_graph *g, int op, const char *layer, const hz_attr *attr, const int32_t *in, int nin,
                 const out_spec *out, int nout)
{
    if (g->nnodes == g->node_room) {
        int room = g->node_room ? 2 * g->node_room : 64;
        if (grow(&g->nodes, room, sizeof *g->nodes))
            return -1;
        g->node_room = room;
    }
    hz_node n = { .op = op, .nin = nin, .nout = nout };
    snprintf(n.name, HZ_NAMELEN, "%s", layer);
    if (attr)
        n.attr = *attr;
    memcpy(n.in, in, sizeof *in * (size_t)nin);
    for (int i = nin; i < HZ_MAXIN; i++)
        n.in[i] = -1;
    for (int i = 0; i < nout; i++) {
        char name[HZ_NAMELEN];
        output_name(name, layer, op_get(op)->outputs, i);
        int v = graph_value(g, name, &out[i]);
        if (v < 0)
            return -1;
        n.out[i] = v;
        hz_value *value = &g->values[v];
        value->node = g->nnodes;
        value->output = i;
        if (op_has(op, 'V'))
            value->view = in[0];
    }
    g->nodes[g->nnodes++] = n;
    return nout ? n.out[0] : 0;
}

static hz_status check_inputs(const hz_graph *g, int op, const int32_t *in, int nin)
{
    const op_row *row = op_get(op);
    int least = op_inputs_needed(op);
    if (nin < least || nin > op_inputs(op))
        return hz_fail(HZ_EARG, "%s: %d inputs were given; needs %s", row->name, nin, row->inputs);
    for (int i = 0; i < nin; i++)
        if (in[i] >= g->nvalues || (in[i] < 0 && i < least))
            return hz_fail(HZ_EARG, "%s: input %d is value %d; the graph has %d values", row->name, i + 1, in[i],
                           g->nvalues);
    return HZ_OK;
}

/* Kernels divide by extents and count some of them as int. */
static hz_status check_extents(const char *name, int ndim, const int64_t *shape)
{
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 1 || shape[i] > INT32_MAX)
            return hz_fail(HZ_ESHAPE, "extent %d of '%s' is %lld; needs 1 to %d", i + 1, name, (long long)shape[i],
                           INT32_MAX);
    return hz_shape_count(ndim, shape) < 0 ? HZ_ESHAPE : HZ_OK;
}

static hz_status check_inputs_extents(const hz_graph *g, const hz_node *n)
{
    hz_status status = HZ_OK;
    for (int i = 0; i < n->nin && !status; i++) {
        const hz_value *v = in_value(g, n, i);
        status = v ? check_extents(v->name, v->ndim, v->shape) : HZ_OK;
    }
    return status;
}

static hz_status check_outputs_extents(int op, const char *layer, const out_spec *out)
{
    hz_status status = HZ_OK;
    char name[HZ_NAMELEN];
    for (int i = 0; i < op_outputs(op) && !status; i++) {
        output_name(name, layer, op_get(op)->outputs, i);
        status = check_extents(name, out[i].ndim, out[i].shape);
    }
    return status;
}

/* The activation that the op is, or that it has as its epilogue. */
static hz_status check_activation(int op, const hz_attr *attr)
{
    const hz_act_attr *a = hz_epilogue(op, attr);
    if (!a)
        return HZ_OK;
    if (!hz_act_name(a->act))
        return hz_fail(HZ_EARG, "activation %d is unknown", a->act);
    if ((act_is_sloped(a) || a->act == HZ_SCALE) && !(fabsf(a->alpha) <= FLT_MAX))
        return hz_fail(HZ_EARG, "alpha of %s is %g; needs a finite number", hz_act_name(a->act), (double)a->alpha);
    return HZ_OK;
}

static hz_status infer(const hz_graph *g, const hz_node *n, const char *layer, out_spec *out)
{
    hz_status status = check_inputs_extents(g, n);
    status = status ? status : check_activation(n->op, &n->attr);
    status = status ? status : op_get(n->op)->infer(g, n, out);
    return status ? status : check_outputs_extents(n->op, layer, out);
}

int hz_graph_add(hz_graph *g, const char *op, const char *layer, const hz_attr *attr, const int32_t *in, int nin)
{
    int id = hz_op_named(op);
    if (!g)
        return -1;                     /* as in value_new */
    if (id < 0 || op_has(id, 'B'))
        return hz_fail(HZ_EARG, "graph: op '%s' is %s", op, id < 0 ? "unknown" : "made by the gradient only"), -1;
    if (check_inputs(g, id, in, nin))
        return -1;
    hz_node n = { .op = id, .nin = nin };
    if (attr)
        n.attr = *attr;
    memcpy(n.in, in, sizeof *in * (size_t)nin);
    out_spec out[HZ_MAXOUT] = { 0 };
    hz_status status = infer(g, &n, layer, out);
    if (status)
        return hz_fail_in(status, "%s: ", op), -1;
    return graph_append(g, id, layer, &n.attr, in, nin, out, op_outputs(id));
}

hz_status hz_graph_keep(hz_graph *g, int value)
{
    if (value < 0 || value >= g->nvalues)
        return hz_fail(HZ_EARG, "graph: value %d; have 0..%d", value, g->nvalues - 1);
    while (g->values[value].view >= 0)
        value = g->values[value].view;
    g->values[value].keep = 1;
    return HZ_OK;
}

int hz_graph_nodes(const hz_graph *g) { return g->nnodes; }
int hz_graph_values(const hz_graph *g) { return g->nvalues; }
const hz_node *hz_graph_node(const hz_graph *g, int i) { return i >= 0 && i < g->nnodes ? &g->nodes[i] : NULL; }
const hz_value *hz_graph_value(const hz_graph *g, int i) { return i >= 0 && i < g->nvalues ? &g->values[i] : NULL; }

int hz_graph_find(const hz_graph *g, const char *name)
{
    for (int i = 0; i < g->nvalues; i++)
        if (!strcmp(g->values[i].name, name))
            return i;
    return -1;
}

/* ---- small helps for core/op ---- */

out_spec like(const hz_value *v)
{
    out_spec s = { .dtype = v->dtype, .kind = v->kind == HZ_BOUND ? HZ_ACTIVATION : v->kind, .ndim = v->ndim };
    memcpy(s.shape, v->shape, sizeof s.shape);
    return s;
}

out_spec like_whole(const hz_value *v)
{
    out_spec s = like(v);
    s.kind = HZ_GRADIENT;
    return s;
}

int parameter_dtype(const hz_value *v) { return v->dtype == HZ_BF16 ? HZ_F32 : v->dtype; }

const char *shape_text(char *text, const hz_value *v)
{
    int n = snprintf(text, 96, "(");
    for (int i = 0; i < v->ndim; i++)
        n += snprintf(text + n, (size_t)(96 - n), "%s%lld", i ? "," : "", (long long)v->shape[i]);
    snprintf(text + n, (size_t)(96 - n), ")");
    return text;
}

/* graph.c: building a graph node by node. Values are numbered in the order of their making; a node's inputs come before it,
   so the node list is an order of execution and needs no sorting. */
#include "graph/graph.h"
#include <assert.h>
#include <stdio.h>
#include <stddef.h>
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
        return hz_fail(HZ_ESHAPE, "%s: the tensor is %s; needs a contiguous one", name, t->storage ? "a view with gaps" : "cleared"), -1;
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

int graph_append(hz_graph *g, int op, const char *layer, const hz_attr *attr, const int32_t *in, int nin, const out_spec *out, int nout)
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

/* Least and most inputs of "x w [b]". */
static void arity(const char *inputs, int *least, int *most)
{
    *least = *most = 0;
    for (const char *p = inputs; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        *most += 1;
        *least += *p != '[';
    }
}

static int word_count(const char *words)
{
    int least, most;
    arity(words, &least, &most);
    return most;
}

int op_inputs(int op) { return word_count(op_get(op)->inputs); }

static hz_status check_inputs(const hz_graph *g, const op_row *row, const int32_t *in, int nin)
{
    int least, most;
    arity(row->inputs, &least, &most);
    if (nin < least || nin > most)
        return hz_fail(HZ_EARG, "%s: %d inputs were given; needs %s", row->name, nin, row->inputs);
    for (int i = 0; i < nin; i++)
        if (in[i] >= g->nvalues || (in[i] < 0 && i < least))
            return hz_fail(HZ_EARG, "%s: input %d is value %d; the graph has %d values", row->name, i + 1, in[i], g->nvalues);
    return HZ_OK;
}

int hz_graph_add(hz_graph *g, const char *op, const char *layer, const hz_attr *attr, const int32_t *in, int nin)
{
    int id = hz_op_named(op);
    if (id < 0 || op_has(id, 'B'))
        return hz_fail(HZ_EARG, "graph: op '%s' is %s", op, id < 0 ? "unknown" : "made by the gradient only"), -1;
    const op_row *row = op_get(id);
    if (check_inputs(g, row, in, nin))
        return -1;
    hz_node n = { .op = id, .nin = nin };
    if (attr)
        n.attr = *attr;
    memcpy(n.in, in, sizeof *in * (size_t)nin);
    out_spec out[HZ_MAXOUT] = { 0 };
    hz_status st = row->infer(g, &n, out);
    if (st)
        return hz_fail_in(st, "%s: ", row->name), -1;
    return graph_append(g, id, layer, &n.attr, in, nin, out, word_count(row->outputs));
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

/* ---- the op table ---- */

#define OP(name, attr, inputs, outputs, flags) { #name, inputs, outputs, flags, op_##name##_infer, op_##name##_grad },
#define UPDATE(name, attr, inputs, outputs, flags) { #name, inputs, outputs, flags, op_##name##_infer, NULL },
#define BACKWARD(name, attr, inputs, outputs, flags) { #name, inputs, outputs, flags, NULL, NULL },
static const op_row rows[OP_COUNT] = {
#include "hz/op.def"
};
#undef OP

const op_row *op_get(int op)
{
    assert(op >= 0 && op < OP_COUNT);
    return &rows[op];
}

int op_has(int op, char flag) { return strchr(op_get(op)->flags, flag) != NULL; }
int hz_op_count(void) { return OP_COUNT; }
const char *hz_op_name(int op) { return op >= 0 && op < OP_COUNT ? rows[op].name : NULL; }
const char *hz_op_inputs(int op) { return op >= 0 && op < OP_COUNT ? rows[op].inputs : NULL; }

int hz_op_named(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (!strcmp(rows[i].name, name))
            return i;
    return -1;
}

enum {
    epilogue_in_input = -1, epilogue_in_xent = -1, epilogue_in_optim = -1, epilogue_in_act = offsetof(hz_attr, act),
    epilogue_in_window = offsetof(hz_attr, window.epilogue), epilogue_in_dropout = offsetof(hz_attr, dropout.epilogue),
    epilogue_in_norm = offsetof(hz_attr, norm.epilogue)
};
static const int epilogues[OP_COUNT] = {
#define OP(name, attr, inputs, outputs, flags) epilogue_in_##attr,
#include "hz/op.def"
#undef OP
};

const hz_act_attr *hz_epilogue(int op, const hz_attr *attr)
{
    int at = op >= 0 && op < OP_COUNT ? epilogues[op] : -1;
    return at < 0 ? NULL : (const hz_act_attr *)((const char *)attr + at);
}

static const char *const acts[HZ_NACT] = { "linear", "relu", "elu", "gelu", "leaky", "tanh", "sigmoid" };
const char *hz_act_name(int act) { return act >= 0 && act < HZ_NACT ? acts[act] : NULL; }

int hz_act_named(const char *name)
{
    for (int i = 0; i < HZ_NACT; i++)
        if (!strcmp(acts[i], name))
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

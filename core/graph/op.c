/* op.c: the op table, made of op.def, and what follows from its rows: how many inputs, where an activation is kept,
   what an op is as a tail, and so which value a node yields and what a plan calls it. */
#include "graph/graph.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define OP(name, attr, ...) { #name, __VA_ARGS__, op_##name##_infer, op_##name##_grad },
#define UPDATE(name, attr, ...) { #name, __VA_ARGS__, op_##name##_infer, NULL },
#define BACKWARD(name, attr, ...) { #name, __VA_ARGS__, NULL, NULL },
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

/* ---- inputs and outputs: words like "x w [b]" ---- */

/* The first word of *text, which moves on behind it; its length, 0 at the end. */
static int word(const char **text, const char **first)
{
    *first = *text + strspn(*text, " ");
    int n = (int)strcspn(*first, " ");
    *text = *first + n;
    return n;
}

/* How many there are, of those that begin like `first` if it is not 0. */
static int words(const char *text, char first)
{
    const char *w;
    int n = 0;
    while (word(&text, &w))
        n += !first || *w == first;
    return n;
}

int op_inputs(int op) { return words(op_get(op)->inputs, 0); }
int op_inputs_needed(int op) { return op_inputs(op) - words(op_get(op)->inputs, '['); }
int op_outputs(int op) { return words(op_get(op)->outputs, 0); }

/* Place of the input with this name of n letters. */
static int input_named(int op, const char *name, int n)
{
    const char *text = op_get(op)->inputs, *w;
    for (int i = 0, length; (length = word(&text, &w)) > 0; i++) {
        int bracket = *w == '[';
        if (length - 2 * bracket == n && !strncmp(w + bracket, name, (size_t)n))
            return i;
    }
    assert(!"op.def: sums name no input");
    return -1;
}

/* ---- activations ---- */

enum {
    epilogue_in_input = -1, epilogue_in_xent = -1, epilogue_in_optim = -1, epilogue_in_average = -1,
    epilogue_in_act = offsetof(hz_attr, act),
    epilogue_in_window = offsetof(hz_attr, window.epilogue), epilogue_in_dropout = offsetof(hz_attr, dropout.epilogue),
    epilogue_in_norm = offsetof(hz_attr, norm.epilogue)
};
static const int epilogues[OP_COUNT] = {
#define OP(name, attr, ...) epilogue_in_##attr,
#include "hz/op.def"
#undef OP
};

const hz_act_attr *hz_epilogue(int op, const hz_attr *attr)
{
    int at = op >= 0 && op < OP_COUNT ? epilogues[op] : -1;
    return at < 0 ? NULL : (const hz_act_attr *)((const char *)attr + at);
}

static const char *const acts[HZ_NACT] = { "linear", "relu", "elu", "gelu", "leaky", "tanh", "sigmoid", "scale" };
const char *hz_act_name(int act) { return act >= 0 && act < HZ_NACT ? acts[act] : NULL; }

int hz_act_named(const char *name)
{
    for (int i = 0; i < HZ_NACT; i++)
        if (!strcmp(acts[i], name))
            return i;
    return -1;
}

/* ---- tails ---- */

int op_tail_has(int op, char letter) { return strchr(op_get(op)->tail, letter) != NULL; }

int hz_tail_keeps(int op) { return op_tail_has(op, 'K'); }

hz_tail_kind hz_tail_kind_of(int op, const hz_attr *attr)
{
    if (op_tail_has(op, 'P') || op_tail_has(op, 'A') || (op_tail_has(op, 'F') && attr->norm.frozen))
        return HZ_TAIL_IN_PLACE;
    return op_tail_has(op, 'O') || hz_tail_keeps(op) ? HZ_TAIL_OWN : op_tail_has(op, 'S') ? HZ_TAIL_SUMS : HZ_TAIL_NONE;
}

op_sums op_sums_of(int op)
{
    const char *text = op_get(op)->sums, *w;
    op_sums s = { .nreads = 0 };
    int n = word(&text, &w);
    snprintf(s.name, sizeof s.name, "%.*s", n, w);
    s.input = input_named(op, w, n);
    while ((n = word(&text, &w)) > 0)
        s.reads[s.nreads++] = input_named(op, w, n);
    return s;
}

int node_result(const hz_node *n)
{
    int result = 0;
    for (const hz_tail *t = n->tail; t < n->tail + n->tails; t++)
        if (hz_tail_kind_of(t->op, &t->attr) == HZ_TAIL_OWN)
            result = t->out;
    return result;
}

int32_t hz_node_result(const hz_node *n) { return n->nout ? n->out[node_result(n)] : -1; }

/* ---- a node as text ---- */

static void add(char *text, size_t room, const char *before, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, room - n, "%s%s", before, more);
}

static void add_tail(char *text, size_t room, const hz_tail *t)
{
    if (hz_tail_kind_of(t->op, &t->attr) == HZ_TAIL_SUMS)
        add(text, room, "+", op_sums_of(t->op).name);
    else
        add(text, room, "+", op_tail_has(t->op, 'A') ? hz_act_name(t->attr.act.act) : hz_op_name(t->op));
}

const char *hz_node_text(const hz_node *n, char *text, size_t room)
{
    const hz_act_attr *epilogue = hz_epilogue(n->op, &n->attr);
    snprintf(text, room, "%s%s%s", n->head.op ? hz_op_name(n->head.op) : "", n->head.op ? "+" : "", hz_op_name(n->op));
    if (epilogue && epilogue->act != HZ_LINEAR)
        add(text, room, op_tail_has(n->op, 'A') ? " " : "+", hz_act_name(epilogue->act));
    for (int i = 0; i < n->tails; i++)
        add_tail(text, room, &n->tail[i]);
    return text;
}

/* update.c: nodes that update, as items, and lists of them that one launch makes. A node joins a list if nothing that
   it changes is another's before it, nor anything that it reads another's to change: then the order does not matter.
   One exception: an average of what an item updates moves behind it, in the same thread. */
#include "cuda/update.h"
#include "cuda/runtime.h"
#include <stdlib.h>
#include <string.h>

struct update_list {
    int last, f64, nitems;
    update *items;            /* on the host, until they are on the device */
    parts parts;
};

/* ---- items ---- */

static update item(const hz_work *w, int p, int dp, int s, int t)
{
    update u = { .op = w->op, .f64 = w->in[0].dtype == HZ_F64, .n = cuda_elements(&w->in[p]), .p = w->in[p].data };
    u.dp = dp ? w->in[dp].data : NULL;
    u.s = s && s < w->nin ? w->in[s].data : NULL;
    u.t = t && t < w->nin ? w->in[t].data : NULL;
    return u;
}

int updates_of(const hz_work *w, update out[UPDATE_ITEMS])
{
    if (w->op == OP_norm_update) {
        for (int i = 0; i < 2; i++) {
            out[i] = item(w, i, 2 + i, 0, 0);
            out[i].optim.momentum = w->attr.norm.momentum;
        }
        return 2;
    }
    if (w->op == OP_average) {
        out[0] = item(w, 0, 0, 0, 0);
        out[0].mean = w->in[1].data;
        out[0].back = w->attr.average.back;
        return 1;
    }
    out[0] = item(w, 0, 1, 2, 3);
    out[0].optim = w->attr.optim;
    return 1;
}

/* ---- what may come together ---- */

static const char *const flags[OP_COUNT] = {
#define OP(name, attr, inputs, outputs, flags, ...) [OP_##name] = flags,
#include "hz/op.def"
#undef OP
};

static int updates(const hz_work *w) { return strchr(flags[w->op], 'U') != NULL; }
int update_fits(const hz_work *w) { return updates(w) && w->op != OP_muon; }

static int writes(const hz_work *w, int in)
{
    return w->op == OP_norm_update ? in < 2 : w->op == OP_average ? in == 1 || w->attr.average.back : in != 1;
}

int update_moves(const hz_work *w, const void *p)
{
    for (int i = 0; updates(w) && i < w->nin; i++)
        if (writes(w, i) && w->in[i].data == p)
            return 1;
    return 0;
}

static const char *end_of(const hz_arg *a)
{
    return (const char *)a->data + cuda_elements(a) * (a->dtype == HZ_F64 ? 8 : 4);
}

static int overlap(const hz_arg *a, const hz_arg *b)
{
    const char *p = a->data, *q = b->data;
    return p && q && p < end_of(b) && q < end_of(a);
}

/* Whether the order of two nodes matters, inputs of b from `first` on. */
static int in_order(const hz_work *a, const hz_work *b, int first)
{
    for (int i = 0; i < a->nin; i++)
    for (int k = first; k < b->nin; k++)
        if ((writes(a, i) || writes(b, k)) && overlap(&a->in[i], &b->in[k]))
            return 1;
    return 0;
}

/* The item whose p is w's, an average; it has none yet. */
static update *averaged(update_list *l, const hz_work *w)
{
    for (int i = 0; w->op == OP_average && i < l->nitems; i++)
        if (l->items[i].p == w->in[0].data && l->items[i].n == cuda_elements(&w->in[0]))
            return l->items[i].mean ? NULL : &l->items[i];
    return NULL;
}

/* Whether works[at] may be made where works[from] stands: with those of this list, after those of lists before it, and
   before all others. */
static int may_join(update_list *l, const hz_work *works, int from, int at, const int *lead)
{
    const hz_work *w = &works[at];
    if (!update_fits(w) || lead[at] >= 0 || (w->in[0].dtype == HZ_F64) != l->f64)
        return 0;
    int first = averaged(l, w) ? 1 : 0;
    for (int i = from; i < at; i++)
        if ((lead[i] < 0 || lead[i] == from) && in_order(&works[i], w, lead[i] == from ? first : 0))
            return 0;
    return 1;
}

static void join(update_list *l, const hz_work *w)
{
    update *behind = averaged(l, w), own[UPDATE_ITEMS];
    int n = updates_of(w, own);
    if (behind) {
        behind->mean = own[0].mean;
        behind->back = own[0].back;
        return;
    }
    memcpy(l->items + l->nitems, own, (size_t)n * sizeof *own);
    l->nitems += n;
}

/* ---- lists ---- */

void update_list_free(update_list *l)
{
    if (!l)
        return;
    parts_free(&l->parts);
    free(l->items);
    free(l);
}

static hz_status upload(update_list *l)
{
    for (int i = 0; i < l->nitems; i++)
        check_update(&l->items[i]);
    hz_status status = parts_make(&l->parts, l->items, l->nitems, sizeof *l->items, &l->items->n, UPDATE_PART);
    free(l->items);
    l->items = NULL;
    return status;
}

update_list *update_list_new(const hz_work *works, int from, int count, int *lead)
{
    update_list *l = calloc(1, sizeof *l);
    update *items = calloc((size_t)(count - from) * UPDATE_ITEMS, sizeof *items);
    if (!l || !items) {
        free(l);
        free(items);
        cuda_core->fail(HZ_EMEM, "%s: no memory for a list of updates", runtime_name);
        return NULL;
    }
    l->items = items;
    l->f64 = works[from].in[0].dtype == HZ_F64;
    for (int i = from; i < count && updates(&works[i]); i++)
        if (may_join(l, works, from, i, lead)) {
            join(l, &works[i]);
            lead[i] = from;
            l->last = i;
        }
    if (upload(l)) {
        update_list_free(l);
        return NULL;
    }
    return l;
}

int update_list_last(const update_list *l) { return l->last; }

hz_status update_list_run(const update_list *l, const cuda_call *c)
{
    launch_updates(&l->parts, l->f64, c);
    return HZ_OK;
}

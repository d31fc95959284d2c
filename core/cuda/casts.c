/* casts.c: who needs which copy, and what may wait for others. Weights change in updates and between runs alone, so a
   copy at the begin of a run serves it, but for who reads what a node before it has made or updated. A gradient may
   wait for the last of them as long as nobody has read one; what nobody reads lives no longer than its node, and does
   not wait. */
#include "cuda/casts.h"
#include "cuda/runtime.h"
#include "cuda/update.h"
#include <stdlib.h>
#include <string.h>

enum { OF_NODE = 2 };                 /* casts behind a node at most: of its gradient and of its bias's */

typedef struct need {
    void *narrow;                     /* bf16: copy of in[1], shared, or room for out[0], its own */
    size_t own;                       /* bytes of it */
    parts behind;                     /* empty: nothing is */
    int reads, again, waits;          /* reads a copy; one that must be made just before it; casts with the others */
} need;

struct casts {
    int count, first, last;           /* the first and the last that waits; -1: none does */
    need *need;                       /* by work */
    cast *copies;                     /* on the host: of weights, each once */
    int ncopies;
    parts all_copies, all_waiting;
};

/* ---- lists ---- */

static hz_status list_make(parts *l, const cast *items, int n)
{
    for (int i = 0; i < n; i++)
        check_cast(&items[i]);
    return parts_make(l, items, n, sizeof *items, &items->n, CAST_PART);
}

static void list_run(const parts *l, void *stream)
{
    if (l->count)
        launch_casts(l, stream);
}

/* ---- copies of weights ---- */

/* Whether a work before i makes or updates what its in[1] leads to. */
static int changes_before(const hz_work *works, int i)
{
    const void *weights = works[i].in[1].data;
    for (int u = 0; u < i; u++) {
        if (update_moves(&works[u], weights))
            return 1;
        for (int k = 0; k < works[u].nout; k++)
            if (works[u].out[k].data == weights)
                return 1;
    }
    return 0;
}

static hz_status take_copy(casts *c, const hz_work *works, int i)
{
    need *n = &c->need[i];
    const hz_arg *weights = &works[i].in[1];
    int64_t count = cuda_elements(weights);
    n->reads = 1;
    n->again = changes_before(works, i);
    for (int k = 0; k < c->ncopies; k++)
        if (c->copies[k].from == weights->data && c->copies[k].n == count) {
            n->narrow = c->copies[k].to;
            return HZ_OK;
        }
    n->own = (size_t)count * 2;
    if (!(n->narrow = runtime_alloc(n->own)))
        return HZ_EMEM;
    c->copies[c->ncopies++] = (cast){ weights->data, n->narrow, count, CAST_NARROW };
    return HZ_OK;
}

/* ---- gradients ---- */

/* The first work behind i that reads what is cast; count: none does before the memory is another value's. */
static int reader_of(const hz_work *works, int count, int i, const cast *c)
{
    const char *from = c->to, *end = from + c->n * (int64_t)sizeof(float);
    for (int j = i + 1; j < count; j++) {
        for (int k = 0; k < works[j].nin; k++)
            if (works[j].in[k].data == c->to)
                return j;
        for (int k = 0; k < works[j].nout; k++)
            if ((const char *)works[j].out[k].data >= from && (const char *)works[j].out[k].data < end)
                return count;
    }
    return count;
}

/* What is cast behind work i; how many. */
static int behind_of(const casts *c, const hz_work *works, int i, const int *wants, float *const *sums,
                     cast items[OF_NODE])
{
    int n = 0;
    if (wants[i] & CUDA_WIDENS)
        items[n++] = (cast){ c->need[i].narrow, works[i].out[0].data, cuda_elements(&works[i].out[0]), CAST_WIDEN };
    if (sums[i])
        items[n++] = (cast){ sums[i], works[i].out[1].data, cuda_elements(&works[i].out[1]), CAST_COPY };
    return n;
}

static hz_status take_room(need *n, const hz_work *w)
{
    n->own = (size_t)cuda_elements(&w->out[0]) * 2;
    return (n->narrow = runtime_alloc(n->own)) ? HZ_OK : HZ_EMEM;
}

/* The first and the last reader of what is cast behind a work. */
static void readers_of(const hz_work *works, int count, int i, const cast *items, int n, int *first, int *last)
{
    *first = count;
    *last = n ? 0 : count;
    for (int k = 0; k < n; k++) {
        int reader = reader_of(works, count, i, &items[k]);
        *first = reader < *first ? reader : *first;
        *last = reader > *last ? reader : *last;
    }
}

static hz_status list_waiting(casts *c, const hz_work *works, const int *wants, float *const *sums)
{
    cast *all = calloc((size_t)c->count * OF_NODE + 1, sizeof *all), items[OF_NODE];
    int n = 0, until = c->count, first, last;
    if (!all)
        return cuda_core->fail(HZ_EMEM, "%s: no memory for casts of %d nodes", runtime_name, c->count);
    for (int i = 0; i < c->count; i++) {
        readers_of(works, c->count, i, items, behind_of(c, works, i, wants, sums, items), &first, &last);
        until = first < until ? first : until;
    }
    for (int i = 0; i < until; i++) {
        int m = behind_of(c, works, i, wants, sums, items);
        readers_of(works, c->count, i, items, m, &first, &last);
        if (last == c->count)
            continue;
        c->need[i].waits = 1;
        c->first = c->first < 0 ? i : c->first;
        c->last = i;
        memcpy(all + n, items, (size_t)m * sizeof *items);
        n += m;
    }
    hz_status status = list_make(&c->all_waiting, all, n);
    free(all);
    return status;
}

/* ---- all ---- */

void casts_free(casts *c)
{
    if (!c)
        return;
    parts_free(&c->all_copies);
    parts_free(&c->all_waiting);
    for (int i = 0; c->need && i < c->count; i++) {
        runtime_free(c->need[i].own ? c->need[i].narrow : NULL, c->need[i].own);
        parts_free(&c->need[i].behind);
    }
    free(c->need);
    free(c->copies);
    free(c);
}

static hz_status make(casts *c, const hz_work *works, const int *wants, float *const *sums)
{
    hz_status status = HZ_OK;
    for (int i = 0; i < c->count && !status; i++) {
        cast items[OF_NODE];
        if (wants[i] & CUDA_NARROWS)
            status = take_copy(c, works, i);
        else if (wants[i] & CUDA_WIDENS)
            status = take_room(&c->need[i], &works[i]);
        if (!status)
            status = list_make(&c->need[i].behind, items, behind_of(c, works, i, wants, sums, items));
    }
    status = status ? status : list_make(&c->all_copies, c->copies, c->ncopies);
    return status ? status : list_waiting(c, works, wants, sums);
}

casts *casts_new(const hz_work *works, int count, const int *wants, float *const *sums)
{
    casts *c = calloc(1, sizeof *c);
    if (c) {
        c->count = count;
        c->first = c->last = -1;
        c->need = calloc((size_t)count + 1, sizeof *c->need);
        c->copies = calloc((size_t)count + 1, sizeof *c->copies);
    }
    if (!c || !c->need || !c->copies)
        cuda_core->fail(HZ_EMEM, "%s: no memory for casts of %d nodes", runtime_name, count);
    else if (!make(c, works, wants, sums))
        return c;
    casts_free(c);
    return NULL;
}

void *casts_narrow(const casts *c, int i) { return c->need[i].narrow; }

void casts_begin(const casts *c, int from, int to, void *stream)
{
    int read = 0;
    for (int i = from; i < to; i++)
        read |= c->need[i].reads && !c->need[i].again;
    if (read)
        list_run(&c->all_copies, stream);
}

void casts_before(const casts *c, int i, void *stream)
{
    if (c->need[i].again)
        list_run(&c->all_copies, stream);
}

void casts_behind(const casts *c, int from, int to, int i, void *stream)
{
    int together = c->need[i].waits && from <= c->first && c->last < to;
    if (!together)
        list_run(&c->need[i].behind, stream);
    else if (i == c->last)
        list_run(&c->all_waiting, stream);
}

/* mirror.c: which side of a mirror holds what is newest, as ranges of bytes.
   newer: the device wrote them, the host lacks them; in at most one mirror of a storage.
   stale: the device lacks them; the host has them, or gets them from the mirror in which they are newer.
   A byte is never both in one mirror. Lists are short: where one is full, bytes that are alike on both sides,
   or were made so, join two ranges. */
#include "tensor/mirror.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { RANGES = 16 };

/* Sorted; none overlaps or touches the next. */
typedef struct ranges {
    int n;
    struct { size_t from, to; } at[RANGES + 1];       /* one more while a list changes */
} ranges;

typedef struct mirror {
    struct mirror *next;
    const hz_memory *memory;
    char *data;
    ranges newer, stale;
} mirror;

/* ---- ranges ---- */

static void erase(ranges *r, int i)
{
    memmove(&r->at[i], &r->at[i + 1], (size_t)(--r->n - i) * sizeof r->at[0]);
}

static void insert(ranges *r, int i, size_t from, size_t to)
{
    memmove(&r->at[i + 1], &r->at[i], (size_t)(r->n++ - i) * sizeof r->at[0]);
    r->at[i].from = from;
    r->at[i].to = to;
}

/* May leave one range too many. */
static void add(ranges *r, size_t from, size_t to)
{
    int i = 0;
    while (i < r->n && r->at[i].to < from)
        i++;
    while (i < r->n && r->at[i].from <= to) {
        from = r->at[i].from < from ? r->at[i].from : from;
        to = r->at[i].to > to ? r->at[i].to : to;
        erase(r, i);
    }
    insert(r, i, from, to);
}

/* May leave one range too many. */
static void cut(ranges *r, size_t from, size_t to)
{
    for (int i = r->n - 1; i >= 0; i--) {
        size_t a = r->at[i].from, b = r->at[i].to;
        if (b <= from || a >= to)
            continue;
        erase(r, i);
        if (b > to)
            insert(r, i, to, b);
        if (a < from)
            insert(r, i, a, from);
    }
}

static int smallest(const ranges *r)
{
    int best = 0;
    for (int i = 1; i < r->n; i++)
        if (r->at[i].to - r->at[i].from < r->at[best].to - r->at[best].from)
            best = i;
    return best;
}

/* The range behind which the smallest gap lies. */
static int smallest_gap(const ranges *r)
{
    int best = 0;
    for (int i = 1; i + 1 < r->n; i++)
        if (r->at[i + 1].from - r->at[i].to < r->at[best + 1].from - r->at[best].to)
            best = i;
    return best;
}

static void join(ranges *r, int i)
{
    r->at[i].to = r->at[i + 1].to;
    erase(r, i + 1);
}

/* ---- moving bytes ---- */

static int64_t copied_in, copied_out;

void hz_copied(int64_t *in, int64_t *out)
{
    *in = copied_in;
    *out = copied_out;
}

/* The host gets what is newer in a mirror between two offsets. */
static hz_status bring_home(const hz_storage *s, mirror *m, size_t from, size_t to)
{
    uint64_t mark = 0;
    int copied = 0;
    for (int i = 0; i < m->newer.n; i++) {
        size_t a = m->newer.at[i].from > from ? m->newer.at[i].from : from;
        size_t b = m->newer.at[i].to < to ? m->newer.at[i].to : to;
        hz_status status = a < b ? m->memory->copy_out((char *)s->data + a, m->data + a, b - a, &mark) : HZ_OK;
        if (status)
            return status;
        copied |= a < b;
        copied_out += a < b ? (int64_t)(b - a) : 0;
    }
    hz_status status = copied ? m->memory->synchronise(mark) : HZ_OK;
    if (status)
        return status;
    cut(&m->newer, from, to);
    if (m->newer.n <= RANGES)
        return HZ_OK;
    int i = smallest(&m->newer);
    return bring_home(s, m, m->newer.at[i].from, m->newer.at[i].to);
}

static hz_status bring_all_home(const hz_storage *s, size_t from, size_t to)
{
    hz_status status = HZ_OK;
    for (mirror *m = s->mirrors; m && !status; m = m->next)
        status = bring_home(s, m, from, to);
    return status;
}

/* The mirror lacks these bytes from now on. What lies between two ranges that are joined is made alike first. */
static hz_status add_stale(const hz_storage *s, mirror *m, size_t from, size_t to)
{
    add(&m->stale, from, to);
    if (m->stale.n <= RANGES)
        return HZ_OK;
    int i = smallest_gap(&m->stale);
    hz_status status = bring_all_home(s, m->stale.at[i].to, m->stale.at[i + 1].from);
    join(&m->stale, i);
    return status;
}

static mirror *mirror_in(const hz_storage *s, const hz_memory *memory)
{
    mirror *m = s->mirrors;
    while (m && m->memory != memory)
        m = m->next;
    return m;
}

hz_status region_to(region r, const hz_memory *memory)
{
    hz_storage *s = r.storage;
    if (!s || !s->mirrors)
        return HZ_OK;
    if (memory->is_host)
        return bring_all_home(s, r.from, r.to);
    mirror *m = mirror_in(s, memory);
    while (m->stale.n) {
        int i = m->stale.n - 1;
        size_t from = m->stale.at[i].from, to = m->stale.at[i].to;
        hz_status status = bring_all_home(s, from, to);
        if (!status)
            status = memory->copy_in(m->data + from, (char *)s->data + from, to - from);
        if (status)
            return status;
        copied_in += (int64_t)(to - from);
        erase(&m->stale, i);
    }
    return HZ_OK;
}

hz_status region_written(region r, const hz_memory *memory)
{
    hz_storage *s = r.storage;
    hz_status status = HZ_OK;
    if (!s || r.from == r.to)
        return HZ_OK;
    for (mirror *m = s->mirrors; m && !status; m = m->next)
        if (m->memory != memory) {
            status = bring_home(s, m, r.from, r.to);
            status = status ? status : add_stale(s, m, r.from, r.to);
        } else {
            add(&m->newer, r.from, r.to);
            if (m->newer.n > RANGES)                 /* the host has nothing that the device lacks after a run */
                join(&m->newer, smallest_gap(&m->newer));
        }
    return status;
}

hz_status region_home(region r, int use)
{
    hz_storage *s = r.storage;
    hz_status status = HZ_OK;
    if (!s || r.from == r.to)
        return HZ_OK;
    for (mirror *m = s->mirrors; m && !status; m = m->next) {
        if (use == HZ_OVERWRITE && m->newer.n < RANGES)
            cut(&m->newer, r.from, r.to);
        else
            status = bring_home(s, m, r.from, r.to);
        if (use != HZ_READ && !status)
            status = add_stale(s, m, r.from, r.to);
    }
    return status;
}

/* ---- making and freeing ---- */

char *mirror_data(hz_storage *s, const hz_memory *memory, int blank)
{
    if (memory->is_host)
        return s->data;
    mirror *m = mirror_in(s, memory);
    if (m)
        return m->data;
    m = calloc(1, sizeof *m);
    char *data = m ? memory->alloc(s->bytes) : NULL;
    if (!data) {
        if (!m)
            hz_fail(HZ_EMEM, "memory: %zu bytes were asked for; the system has no more", sizeof *m);
        free(m);
        return NULL;
    }
    memory_count((int64_t)s->bytes);
    *m = (mirror){ .next = s->mirrors, .memory = memory, .data = data };
    if (!blank && s->bytes)
        add(&m->stale, 0, s->bytes);
    s->mirrors = m;
    return data;
}

void mirrors_free(hz_storage *s)
{
    while (s->mirrors) {
        mirror *m = s->mirrors;
        s->mirrors = m->next;
        m->memory->free(m->data, s->bytes);
        memory_count(-(int64_t)s->bytes);
        free(m);
    }
}

/* tables.c: a set of table segments, so that a set of files counts byte-identical ones once.
   A segment is kept as its length and its digest. */
#define _GNU_SOURCE
#include "codec/door.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t MOST = (int64_t)1 << 48;      /* bytes of a segment */

typedef struct entry {
    uint64_t a, b;
    int64_t bytes;                   /* > 0; 0: the slot is free */
} entry;

/* Files of one codec repeat the same few segments in the same order: comparing with the one that came then saves the
   digest. */
enum { RECENT = 8, RECENT_BYTES = 256 };
typedef struct recent {
    int64_t bytes;
    uint8_t data[RECENT_BYTES];
} recent;

struct hz_tables {
    entry *slot;                     /* open addressing, a power of two, at most half full */
    int64_t slots, count, bytes;
    int next;                        /* where in `recent` to look first */
    recent recent[RECENT];           /* each of them is in the table */
};

static uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, p, n);
    return w;
}

void bytes_digest(const uint8_t *p, int64_t bytes, uint64_t out[2])
{
    uint64_t a = 0x9e3779b97f4a7c15u ^ (uint64_t)bytes, b = 0xc2b2ae3d27d4eb4fu + (uint64_t)bytes;
    for (int64_t left = bytes; left > 0; left -= 8, p += 8) {
        uint64_t w = load(p, left < 8 ? (size_t)left : 8);
        a = (a ^ w) * 0xff51afd7ed558ccdu;
        a ^= a >> 32;
        b = (b + w) * 0x9fb21c651e98df25u;
        b ^= b >> 29;
    }
    out[0] = a;
    out[1] = b;
}

static entry digest(const uint8_t *p, int64_t bytes)
{
    uint64_t lanes[2];
    bytes_digest(p, bytes, lanes);
    return (entry){ .a = lanes[0], .b = lanes[1], .bytes = bytes };
}

static entry *place(const hz_tables *t, const entry *e)
{
    uint64_t mask = (uint64_t)t->slots - 1;
    for (uint64_t i = e->a & mask;; i = (i + 1) & mask) {
        entry *s = &t->slot[i];
        if (!s->bytes || (s->a == e->a && s->b == e->b && s->bytes == e->bytes))
            return s;
    }
}

static hz_status widen(hz_tables *t)
{
    hz_tables wide = { .slots = t->slots ? 2 * t->slots : 64 };
    wide.slot = calloc((size_t)wide.slots, sizeof *wide.slot);
    if (!wide.slot)
        return hz_fail(HZ_EMEM, "tables: no memory for %lld segments", (long long)wide.slots);
    for (int64_t i = 0; i < t->slots; i++)
        if (t->slot[i].bytes)
            *place(&wide, &t->slot[i]) = t->slot[i];
    free(t->slot);
    t->slot = wide.slot;
    t->slots = wide.slots;
    return HZ_OK;
}

static hz_status add(hz_tables *t, const entry *e)
{
    if (2 * (t->count + 1) > t->slots && widen(t))
        return HZ_EMEM;
    entry *s = place(t, e);
    if (!s->bytes) {
        *s = *e;
        t->count++;
        t->bytes += e->bytes;
    }
    return HZ_OK;
}

hz_status tables_add(hz_tables *t, const uint8_t *data, int64_t bytes)
{
    for (int i = 0; i < RECENT; i++) {
        recent *r = &t->recent[(t->next + i) % RECENT];
        if (r->bytes == bytes && !memcmp(r->data, data, (size_t)bytes)) {
            t->next = (t->next + i + 1) % RECENT;
            return HZ_OK;
        }
    }
    entry e = digest(data, bytes);
    hz_status status = add(t, &e);
    if (!status && bytes <= RECENT_BYTES) {
        recent *r = &t->recent[t->next];
        memcpy(r->data, data, (size_t)bytes);
        r->bytes = bytes;
        t->next = (t->next + 1) % RECENT;
    }
    return status;
}

hz_status tables_merge(hz_tables *t, const hz_tables *from)
{
    for (int64_t i = 0; i < from->slots; i++)
        if (from->slot[i].bytes && add(t, &from->slot[i]))
            return HZ_EMEM;
    return HZ_OK;
}

/* ---- to another process ---- */

hz_status tables_write(const hz_tables *t, int fd)
{
    FILE *f = fdopen(dup(fd), "wb");
    int bad = !f;
    for (int64_t i = 0; !bad && i < t->slots; i++)
        bad = t->slot[i].bytes && fwrite(&t->slot[i], sizeof t->slot[i], 1, f) != 1;
    if (f)
        bad |= fclose(f) != 0;
    return bad ? hz_fail(HZ_EMEM, "tables: no memory to pass on %lld segments", (long long)t->count) : HZ_OK;
}

hz_status tables_read(hz_tables *t, int fd)
{
    int copy = dup(fd);
    FILE *f = copy >= 0 && lseek(copy, 0, SEEK_SET) == 0 ? fdopen(copy, "rb") : NULL;
    hz_status status = f ? HZ_OK : hz_fail(HZ_EMEM, "tables: no memory to take segments");
    for (entry e; !status && fread(&e, sizeof e, 1, f) == 1;)
        status = e.bytes < 1 || e.bytes > MOST ? hz_fail(HZ_ESTATE, "tables: a segment of %lld bytes was passed on",
                                                         (long long)e.bytes)
               : add(t, &e);
    if (f)
        fclose(f);
    else if (copy >= 0)
        close(copy);
    return status;
}

/* ---- making and asking ---- */

hz_tables *hz_tables_new(void)
{
    hz_tables *t = calloc(1, sizeof *t);
    if (!t)
        hz_fail(HZ_EMEM, "tables: no memory for a set of them");
    return t;
}

void hz_tables_free(hz_tables *t)
{
    if (t)
        free(t->slot);
    free(t);
}

int64_t hz_tables_count(const hz_tables *t) { return t->count; }
int64_t hz_tables_bytes(const hz_tables *t) { return t->bytes; }

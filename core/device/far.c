/* far.c: the "far" device runs the CPU's kernels over pages that nobody may touch between calls, as if they were on
   a card: whoever reads or writes them past hz_memory dies at once. What is copied out arrives only when it is waited
   for. So all that plans, training and mirrors do on a device with memory of its own is proved without one, to the
   same bits as on the CPU. A block is followed by a page that is never opened. HZ_FAR_BYTES is how much memory it has;
   without it, as much as the host. "far:1" is the same: another process that asks for it shares nothing with this. */
#define _GNU_SOURCE
#include "device/device.h"
#include "hz/cpu.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, LINE = 64 };

/* ---- blocks ---- */

typedef struct block {
    struct block *next;
    char *pages;              /* the block ends where they end, but for up to a line */
    size_t bytes;             /* of the pages */
} block;

static block *blocks;
static size_t in_use;

static hz_status room(size_t *free_bytes, size_t *total)
{
    const char *limit = getenv("HZ_FAR_BYTES");
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *total = limit ? strtoull(limit, NULL, 10) : page * (size_t)sysconf(_SC_PHYS_PAGES);
    *free_bytes = !limit ? page * (size_t)sysconf(_SC_AVPHYS_PAGES) : *total > in_use ? *total - in_use : 0;
    return HZ_OK;
}

static hz_status allow(char *at, size_t bytes, int how)
{
    char *first = (char *)((uintptr_t)at / PAGE * PAGE), *end = at + bytes;
    size_t n = (size_t)(end - first + PAGE - 1) / PAGE * PAGE;
    return mprotect(first, n, how) ? hz_fail(HZ_EDEVICE, "far: %zu bytes cannot be protected", n) : HZ_OK;
}

static hz_status open_bytes(const void *p, size_t n) { return n ? allow((char *)p, n, PROT_READ | PROT_WRITE) : HZ_OK; }
static hz_status close_bytes(const void *p, size_t n) { return n ? allow((char *)p, n, PROT_NONE) : HZ_OK; }

static void *refuse(size_t bytes, size_t left)
{
    hz_fail(HZ_EMEM, "far: %zu bytes of memory were asked for; %zu are in use and %zu free", bytes, in_use, left);
    return NULL;
}

static void *get(size_t bytes)
{
    size_t left, total;
    room(&left, &total);
    if (getenv("HZ_FAR_BYTES") && bytes > left)
        return refuse(bytes, left);
    size_t lines = (bytes + LINE - 1) / LINE * LINE, pages_bytes = (lines + PAGE - 1) / PAGE * PAGE;
    block *b = lines < bytes ? NULL : malloc(sizeof *b);
    char *pages = b ? mmap(NULL, pages_bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                    : MAP_FAILED;
    if (pages == MAP_FAILED) {
        free(b);
        return refuse(bytes, left);
    }
    *b = (block){ .next = blocks, .pages = pages, .bytes = pages_bytes };
    blocks = b;
    in_use += pages_bytes;
    return pages + pages_bytes - lines;
}

static block **find(const void *p)
{
    block **b = &blocks;
    while (*b && !((const char *)p >= (*b)->pages && (const char *)p <= (*b)->pages + (*b)->bytes))
        b = &(*b)->next;
    return b;
}

static void give_back(void *p, size_t bytes)
{
    block **link = p ? find(p) : NULL, *b = link ? *link : NULL;
    if (!b)
        return;
    *link = b->next;
    in_use -= b->bytes;
    munmap(b->pages, b->bytes + PAGE);
    free(b);
}

/* ---- copies ---- */

/* What was copied out and not yet waited for: the bytes, and where they are to go. */
typedef struct parcel {
    struct parcel *next;
    uint64_t mark;
    void *to;
    size_t bytes;
    char data[];
} parcel;

static parcel *parcels, **last_parcel = &parcels;
static uint64_t marks;

static hz_status copy_in(void *to, const void *from, size_t bytes)
{
    hz_status status = open_bytes(to, bytes);
    if (status)
        return status;
    memcpy(to, from, bytes);
    return close_bytes(to, bytes);
}

static hz_status copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    parcel *p = malloc(sizeof *p + bytes);
    hz_status status = p ? open_bytes(from, bytes) : hz_fail(HZ_EMEM, "far: no memory to copy %zu bytes out", bytes);
    if (status) {
        free(p);
        return status;
    }
    *p = (parcel){ .mark = ++marks, .to = to, .bytes = bytes };
    memcpy(p->data, from, bytes);
    *last_parcel = p;
    last_parcel = &p->next;
    *mark = p->mark;
    return close_bytes(from, bytes);
}

static hz_status fill(void *to, int byte, size_t bytes)
{
    hz_status status = open_bytes(to, bytes);
    if (status)
        return status;
    memset(to, byte, bytes);
    return close_bytes(to, bytes);
}

static hz_status synchronise(uint64_t mark)
{
    while (parcels && (!mark || parcels->mark <= mark)) {
        parcel *p = parcels;
        memcpy(p->to, p->data, p->bytes);
        parcels = p->next;
        free(p);
    }
    if (!parcels)
        last_parcel = &parcels;
    return HZ_OK;
}

static const hz_memory memory = {
    .size = sizeof memory, .name = "far", .alloc = get, .free = give_back, .copy_in = copy_in, .copy_out = copy_out,
    .fill = fill, .synchronise = synchronise,
};

/* ---- programs: the CPU's, over blocks that are open while it runs ---- */

struct hz_program {
    void *inner;              /* the CPU's */
    block **used;
    int nused;
    hz_arg number;            /* the gate's; no data: there is none */
    int gated, shut;
};

static const hz_backend *cpu;             /* opened with this device */

static const char *describe(void)
{
    static _Thread_local char text[80];
    snprintf(text, sizeof text, "far: %s", cpu->describe());
    return text;
}

static int accepts(const hz_work *w) { return cpu->accepts(w); }

static void program_free(hz_program *p)
{
    if (!p)
        return;
    cpu->program_free(p->inner);
    free(p->used);
    free(p);
}

static void use_block(hz_program *p, const void *data)
{
    block *b = data ? *find(data) : NULL;
    for (int i = 0; i < p->nused && b; i++)
        if (p->used[i] == b)
            b = NULL;
    if (b)
        p->used[p->nused++] = b;
}

static hz_program *program_new(const hz_work *works, int count, int train)
{
    hz_program *p = calloc(1, sizeof *p);
    size_t room = (size_t)count * (HZ_MAXIN + HZ_MAXOUT) + 1;
    if (!p || !(p->used = malloc(room * sizeof *p->used))) {
        free(p);
        hz_fail(HZ_EMEM, "far: no memory for a program of %d nodes", count);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < works[i].nin + works[i].nout; k++)
            use_block(p, k < works[i].nin ? works[i].in[k].data : works[i].out[k - works[i].nin].data);
    p->inner = cpu->program_new(works, count, train);
    if (p->inner)
        return p;
    free(p->used);
    free(p);
    return NULL;
}

static hz_status allow_all(const hz_program *p, int how)
{
    hz_status status = HZ_OK;
    for (int i = 0; i < p->nused && !status; i++)
        status = allow(p->used[i]->pages, p->used[i]->bytes, how);
    return status;
}

/* The gate, where a run comes to it: once shut it stays so. */
static int shut(hz_program *p)
{
    const hz_arg *n = &p->number;
    if (n->data && !isfinite(n->dtype == HZ_F64 ? *(const double *)n->data : *(const float *)n->data))
        p->shut = 1;
    return p->shut;
}

static hz_status run(hz_program *p, int from, int to, const hz_step *s, int timed)
{
    int gate = !p->number.data || p->gated > to ? to : p->gated > from ? p->gated : from;
    hz_status status = allow_all(p, PROT_READ | PROT_WRITE);
    if (!status)
        status = cpu->run(p->inner, from, gate, s, timed);
    if (!status && gate < to && !shut(p))
        status = cpu->run(p->inner, gate, to, s, timed);
    return allow_all(p, PROT_NONE) ? HZ_EDEVICE : status;
}

static void gate(hz_program *p, int from, const hz_arg *number)
{
    p->number = *number;
    p->gated = from;
    p->shut = 0;
}

static hz_status stat(const hz_program *p, int i, hz_node_stat *out) { return cpu->stat(p->inner, i, out); }

static int trials(const hz_program *p, int i, const hz_step *s, int repeats, hz_trial out[HZ_TRIALS])
{
    if (allow_all(p, PROT_READ | PROT_WRITE))
        return -1;
    int n = cpu->trials(p->inner, i, s, repeats, out);
    return allow_all(p, PROT_NONE) ? -1 : n;
}

static hz_status use(hz_program *p, int i, const char *kernel) { return cpu->use(p->inner, i, kernel); }

static const hz_backend far = {
    .size = sizeof far, .name = "far", .memory = &memory, .describe = describe, .accepts = accepts,
    .program_new = program_new, .program_free = program_free, .run = run, .gate = gate, .stat = stat, .trials = trials,
    .use = use, .room = room, .blocks = 1,
};

const hz_backend *far_backend(void)
{
    cpu = hz_cpu_backend();
    return cpu ? &far : NULL;
}

/* memory.c: memory of the host. Large blocks lie in huge pages; what is alive is counted, so that Lua's
   collector can feel it. */
#define _GNU_SOURCE
#include "memory.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_llong live, peak;

void memory_count(int64_t bytes)
{
    int64_t now = atomic_fetch_add(&live, bytes) + bytes;
    long long seen = atomic_load(&peak);
    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now)) {}
}

int64_t hz_live_bytes(void) { return atomic_load(&live); }
int64_t hz_peak_bytes(void) { return atomic_load(&peak); }
void hz_peak_reset(void) { atomic_store(&peak, atomic_load(&live)); }

static void *refuse(size_t bytes)
{
    hz_fail(HZ_EMEM, "memory: %zu bytes were asked for; the system has no more", bytes);
    return NULL;
}

enum { HUGE_PAGE = 2 << 20 };

void *hz_alloc(size_t bytes)
{
    size_t align = bytes >= HUGE_PAGE / 2 ? HUGE_PAGE : 64;
    size_t room = (bytes + align - 1) / align * align;
    void *p = room < bytes ? NULL : aligned_alloc(align, room ? room : align);
    if (!p)
        return refuse(bytes);
    if (align == HUGE_PAGE)
        madvise(p, room, MADV_HUGEPAGE);       /* a hint: TLB misses cost the kernels 5 to 10 % without it */
    memory_count((int64_t)bytes);
    return p;
}

void hz_free(void *p, size_t bytes)
{
    if (!p)
        return;
    free(p);
    memory_count(-(int64_t)bytes);
}

/* ---- untouched memory ---- */

void *memory_map(size_t bytes)
{
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? refuse(bytes) : p;
}

void memory_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes ? bytes : 1);
}

/* ---- the host's as a device's ---- */

static hz_status copy_in(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return HZ_OK;
}

static hz_status copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    memcpy(to, from, bytes);
    *mark = 0;
    return HZ_OK;
}

static hz_status fill(void *to, int byte, size_t bytes)
{
    memset(to, byte, bytes);
    return HZ_OK;
}

static hz_status synchronise(uint64_t mark) { return HZ_OK; }

const hz_memory memory_host = {
    .size = sizeof memory_host, .name = "host", .is_host = 1, .alloc = hz_alloc, .free = hz_free, .copy_in = copy_in,
    .copy_out = copy_out, .fill = fill, .synchronise = synchronise,
};

/* guard.c: for who tries a plugin (hz plugin check): what it is lent ends where a page begins that nobody may touch,
   what it is given to read cannot be written, and a C++ exception that leaves it ends the process under its name.
   Off until hz_plugin_guard; then for this process's life. Guarded memory is of handles only, and so of one thread. */
#define _GNU_SOURCE
#include "codec/door.h"
#include "bounds.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static int mode, told;               /* hz_guard, and the descriptor that hears of a fault */

/* ---- calls ----
   The unwinder finds no frame above one whose return address is undefined: whoever throws is told that nobody catches,
   and the C++ runtime says what was thrown. LuaJIT would catch it and could not. */

#if defined __x86_64__
#define END_OF_STACK __asm__ volatile(".cfi_undefined rip" ::: "memory")
#elif defined __aarch64__
#define END_OF_STACK __asm__ volatile(".cfi_undefined x30" ::: "memory")
#else
#define END_OF_STACK
#endif
#define LAST __attribute__((noinline)) static

LAST void *last_create(const hz_codec_api *api, const double *values)
{
    END_OF_STACK;
    void *instance = api->create(values);
    __asm__ volatile("" ::: "memory");          /* no jump instead of the call: the frame must be there */
    return instance;
}

LAST void last_destroy(const hz_codec_api *api, void *instance)
{
    END_OF_STACK;
    api->destroy(instance);
    __asm__ volatile("" ::: "memory");
}

LAST int last_encode(const hz_codec_api *api, void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    END_OF_STACK;
    int failed = api->encode(instance, in, out, account);
    __asm__ volatile("" ::: "memory");
    return failed;
}

LAST int last_decode(codec_decoder decode, void *instance, const uint8_t *bytes, size_t count, hz_media *format,
                     hz_bytes *out)
{
    END_OF_STACK;
    int failed = decode(instance, bytes, count, format, out);
    __asm__ volatile("" ::: "memory");
    return failed;
}

LAST int last_open(const hz_plugin *p, const hz_host *host)
{
    END_OF_STACK;
    int failed = p->open(host);
    __asm__ volatile("" ::: "memory");
    return failed;
}

LAST int last_timing(const hz_codec_api *api, void *instance, double rate, int64_t *delay, int64_t *tail)
{
    END_OF_STACK;
    int failed = api->timing(instance, rate, delay, tail);
    __asm__ volatile("" ::: "memory");
    return failed;
}

int guard_open(const hz_plugin *p, const hz_host *host)
{
    return mode & HZ_GUARD_CALLS ? last_open(p, host) : p->open(host);
}

int guard_timing(const hz_codec_api *api, void *instance, double rate, int64_t *delay, int64_t *tail)
{
    return mode & HZ_GUARD_CALLS ? last_timing(api, instance, rate, delay, tail)
                                 : api->timing(instance, rate, delay, tail);
}

void *guard_create(const hz_codec_api *api, const double *values)
{
    return mode & HZ_GUARD_CALLS ? last_create(api, values) : api->create(values);
}

void guard_destroy(const hz_codec_api *api, void *instance)
{
    if (mode & HZ_GUARD_CALLS)
        last_destroy(api, instance);
    else
        api->destroy(instance);
}

int guard_encode(const hz_codec_api *api, void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    return mode & HZ_GUARD_CALLS ? last_encode(api, instance, in, out, account)
                                 : api->encode(instance, in, out, account);
}

int guard_decode(codec_decoder decode, void *instance, const uint8_t *bytes, size_t count, hz_media *format,
                 hz_bytes *out)
{
    return mode & HZ_GUARD_CALLS ? last_decode(decode, instance, bytes, count, format, out)
                                 : decode(instance, bytes, count, format, out);
}

/* Up to 64 us, now and then none: another thread gets ahead. */
void guard_turn(void)
{
    static _Thread_local unsigned state;
    if (!(mode & HZ_GUARD_TURNS))
        return;
    if (!state)
        state = (unsigned)(uintptr_t)&state | 1u;
    state = state * 1664525u + 1013904223u;
    nanosleep(&(struct timespec){ .tv_nsec = (long)(state >> 16 & 63) * 1000 }, NULL);
}

/* ---- memory ---- */

enum { BEFORE = 0xa5 };              /* what stands in the pages before the memory that was lent */

typedef struct region {
    uint8_t *map, *data;             /* map: a page, those of the data, a page; data ends where the last one begins */
    size_t mapped, bytes;
    const char *what;                /* NULL: free; what it is lent for */
    int dead;                        /* moved or given back: whoever touches it holds on to what is gone */
} region;

enum { LIVE = 8, DEAD = 24 };        /* memory moves often: the last DEAD of it are kept untouchable */
static region live[LIVE], gone[DEAD];
static unsigned buried;
static int trespassed;               /* something was written before the memory lent */

static region *find(const uint8_t *data)
{
    for (int i = 0; i < LIVE; i++)
        if (live[i].what && live[i].data == data)
            return &live[i];
    return NULL;
}

/* NULL with the message set. */
static region *lend(size_t bytes, const char *what)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size_t)round_up((int64_t)bytes, (int64_t)page);
    region *r = NULL;
    for (int i = 0; i < LIVE && !r; i++)
        r = live[i].what ? NULL : &live[i];
    uint8_t *map = r ? mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (map == MAP_FAILED || mprotect(map + page, inner, PROT_READ | PROT_WRITE)) {
        hz_fail(HZ_EMEM, "%zu bytes were asked for; the system has no more", bytes);
        return NULL;
    }
    *r = (region){ map, map + page + inner - bytes, inner + 2 * page, bytes, what, 0 };
    memset(map + page, BEFORE, inner - bytes);
    return r;
}

static void look_before(const region *r)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (const uint8_t *p = r->map + page; p < r->data; p++)
        trespassed |= *p != BEFORE;
}

static void bury(region *r)
{
    region *grave = &gone[buried++ % DEAD];
    if (grave->what)
        munmap(grave->map, grave->mapped);
    look_before(r);
    mprotect(r->map, r->mapped, PROT_NONE);
    madvise(r->map, r->mapped, MADV_DONTNEED);
    *grave = *r;
    grave->dead = 1;
    r->what = NULL;
}

int guard_room(void) { return mode & HZ_GUARD_ROOM ? GUARDED : 0; }

hz_status guard_grow(hz_bytes *b, size_t room)
{
    region *old = b->data ? find(b->data) : NULL, *r = lend(room, "to be written");
    if (!r)
        return HZ_EMEM;
    if (old) {
        memcpy(r->data, b->data, (size_t)min((int64_t)b->size, (int64_t)old->bytes));
        bury(old);
    }
    b->data = r->data;
    b->room = room;
    return HZ_OK;
}

void guard_free(hz_bytes *b)
{
    region *r = b->data ? find(b->data) : NULL;
    if (r)
        bury(r);
    *b = (hz_bytes){ .data = NULL };
}

hz_status guard_input(const void **data, size_t bytes)
{
    region *r;
    if (!(mode & HZ_GUARD_INPUT))
        return HZ_OK;
    if (!(r = lend(bytes, "to be read")))
        return HZ_EMEM;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memcpy(r->data, *data, bytes);
    mprotect(r->map + page, r->mapped - 2 * page, PROT_READ);
    *data = r->data;
    return HZ_OK;
}

void guard_input_end(const void *data)
{
    region *r = mode & HZ_GUARD_INPUT ? find(data) : NULL;
    if (r)
        bury(r);
}

hz_status guard_look(const char *who, const hz_bytes *b)
{
    const region *r = mode & HZ_GUARD_ROOM && b->data ? find(b->data) : NULL;
    if (r)
        look_before(r);
    int bad = trespassed;
    trespassed = 0;
    return bad ? hz_fail(HZ_ESTATE, "%s: it wrote before the memory that it was lent", who) : HZ_OK;
}

/* ---- faults ---- */

/* 1 written, 0 read; -1 not known */
static int is_write(const void *context)
{
#if defined __x86_64__
    return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] >> 1 & 1;
#else
    (void)context;
    return -1;
#endif
}

static const region *hit(const region *list, int n, const uint8_t *at)
{
    for (int i = 0; i < n; i++)
        if (list[i].what && at >= list[i].map && at < list[i].map + list[i].mapped)
            return &list[i];
    return NULL;
}

static void say(const region *r, const uint8_t *at, const void *context)
{
    static const char *const did[] = { "touched", "read", "wrote" };
    char text[200];
    int n;
    const char *verb = did[is_write(context) + 1];
    if (r->dead)
        n = snprintf(text, sizeof text, "guard it %s memory that was moved or is no longer lent\n", verb);
    else if (at >= r->data && at < r->data + r->bytes)
        n = snprintf(text, sizeof text, "guard it %s byte %td of the %zu that it was lent %s\n", verb, at - r->data,
                     r->bytes, r->what);
    else if (at < r->data)
        n = snprintf(text, sizeof text, "guard it %s before the %zu bytes that it was lent %s\n", verb, r->bytes,
                     r->what);
    else
        n = snprintf(text, sizeof text, "guard it %s %td byte%s past the %zu that it was lent %s\n", verb,
                     at - r->data - (ptrdiff_t)r->bytes + 1, at == r->data + r->bytes ? "" : "s", r->bytes, r->what);
    if (write(told, text, (size_t)n) < 0)
        _exit(127);
}

/* Says what was hit; the fault then happens again and ends the process. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    const region *r = hit(live, LIVE, info->si_addr);
    if (!r)
        r = hit(gone, DEAD, info->si_addr);
    if (r)
        say(r, info->si_addr, context);
    (void)number;
}

void hz_plugin_guard(int what, int fd)
{
    struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | (int)SA_RESETHAND };
    mode = what;
    told = fd;
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
}

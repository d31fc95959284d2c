/* shim.cc: the scheduler behind shim.h: fibers of a block, warp by warp. */
#include "cuda/emu/shim.h"
#include <cstdio>
#include <cstdlib>

dim3 threadIdx, blockIdx, blockDim, gridDim;

#if defined(__SANITIZE_ADDRESS__)
extern "C" {
void __asan_unpoison_memory_region(void const volatile *, size_t);
void __sanitizer_start_switch_fiber(void **, const void *, size_t);
void __sanitizer_finish_switch_fiber(void *, const void **, size_t *);
}
#else
static void __asan_unpoison_memory_region(void const volatile *, size_t) {}
static void __sanitizer_start_switch_fiber(void **, const void *, size_t) {}
static void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) {}
#endif

namespace emu {

unsigned thread;
alignas(128) static char shared_memory[SHARED];
char *shared = shared_memory;

enum state { READY, AT_BARRIER, AT_WARP_BARRIER, DONE };
enum { STACK = 256 << 10, WARP = 32 };
struct fiber {
    void *sp;
    char *stack;
    state at;
    void *fake;                   /* the sanitizer's */
};

static fiber fibers_[THREADS];
static uint64_t slot[THREADS];
static void *scheduler, *scheduler_fake;
static const void *main_stack;
static size_t main_size;
static const std::function<void()> *running;
static unsigned nthreads;

/* ---- luck ---- */

static uint32_t luck = 1;
void seed(uint32_t s) { luck = s; }
static uint32_t drawn() { return (luck = luck * 1664525u + 1013904223u) >> 8; }

/* ---- switching ---- */

extern "C" void emu_switch(void **save, void *load);
asm(".text\n.globl emu_switch\n.hidden emu_switch\nemu_switch:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");

static void place(unsigned t)
{
    thread = t;
    threadIdx = dim3(t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y));
}

static void enter(unsigned t)
{
    place(t);
    __sanitizer_start_switch_fiber(&scheduler_fake, fibers_[t].stack, STACK);
    emu_switch(&scheduler, fibers_[t].sp);
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
}

static void leave(state at)
{
    fiber *f = &fibers_[thread];
    f->at = at;
    __sanitizer_start_switch_fiber(at == DONE ? nullptr : &f->fake, main_stack, main_size);
    emu_switch(&f->sp, scheduler);
    __sanitizer_finish_switch_fiber(f->fake, &main_stack, &main_size);
}

static void begin()
{
    __sanitizer_finish_switch_fiber(nullptr, &main_stack, &main_size);
    (*running)();
    leave(DONE);
    abort();
}

/* A fiber that will begin at its next turn: six registers and where to return to. */
static void prepare(fiber *f)
{
    if (!f->stack && !(f->stack = (char *)malloc(STACK))) {
        fprintf(stderr, "emu: no memory for a thread's stack\n");
        abort();
    }
    __asan_unpoison_memory_region(f->stack, STACK);
    void **sp = (void **)(((uintptr_t)f->stack + STACK) & ~(uintptr_t)15);
    *--sp = nullptr;
    *--sp = (void *)begin;
    for (int i = 0; i < 6; i++)
        *--sp = nullptr;
    f->sp = sp;
    f->at = READY;
    f->fake = nullptr;
}

/* ---- scheduling ---- */

static unsigned count(unsigned from, unsigned to, state at)
{
    unsigned n = 0;
    for (unsigned t = from; t < to; t++)
        n += fibers_[t].at == at;
    return n;
}

static void wake(unsigned from, unsigned to)
{
    for (unsigned t = from; t < to; t++)
        fibers_[t].at = fibers_[t].at == DONE ? DONE : READY;
}

/* One warp, until all of it waits for the block or is done. */
static void run_warp(unsigned from, unsigned to)
{
    while (count(from, to, READY)) {
        for (unsigned t = from; t < to; t++)
            if (fibers_[t].at == READY)
                enter(t);
        unsigned waiting = count(from, to, AT_WARP_BARRIER);
        if (waiting && waiting != to - from) {
            fprintf(stderr, "emu: a shuffle or warp barrier was reached by %u of %u threads of a warp\n", waiting,
                    to - from);
            abort();
        }
        if (waiting)
            wake(from, to);
    }
}

static void run_block()
{
    for (unsigned t = 0; t < nthreads; t++)
        prepare(&fibers_[t]);
    unsigned warps = (nthreads + WARP - 1) / WARP;
    while (count(0, nthreads, DONE) < nthreads) {
        unsigned first = drawn();
        for (unsigned k = 0; k < warps; k++) {
            unsigned from = (first + k) % warps * WARP, to = from + WARP < nthreads ? from + WARP : nthreads;
            run_warp(from, to);
        }
        unsigned waiting = count(0, nthreads, AT_BARRIER);
        if (waiting && waiting != nthreads) {
            fprintf(stderr, "emu: __syncthreads was reached by %u of %u threads\n", waiting, nthreads);
            abort();
        }
        wake(0, nthreads);
    }
}

static void run_flat()
{
    for (unsigned t = 0; t < nthreads; t++) {
        place(t);
        (*running)();
    }
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b ? gcd(b, a % b) : a; }

void run(dim3 grid, dim3 block, size_t shared_bytes, bool fibers, const std::function<void()> &body)
{
    uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z, stride = drawn() % (blocks < 2 ? 1 : blocks) | 1;
    while (gcd(stride, blocks) != 1)
        stride += 2;
    gridDim = grid;
    blockDim = block;
    nthreads = block.x * block.y * block.z;
    running = &body;
    for (uint64_t i = 0, at = drawn() % blocks; i < blocks; i++, at = (at + stride) % blocks) {
        blockIdx = dim3((unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y),
                        (unsigned)(at / ((uint64_t)grid.x * grid.y)));
        memset(shared_memory, 0xff, shared_bytes);
        fibers ? run_block() : run_flat();
    }
}

/* ---- what kernels call ---- */

static void without_fibers(const char *what)
{
    fprintf(stderr, "emu: %s in a kernel that was launched as one without barriers\n", what);
    abort();
}

void barrier()
{
    if (!fibers_[thread].stack || fibers_[thread].at == DONE)
        without_fibers("__syncthreads");
    leave(AT_BARRIER);
}

void warp_barrier()
{
    if (!fibers_[thread].stack || fibers_[thread].at == DONE)
        without_fibers("a warp barrier");
    leave(AT_WARP_BARRIER);
}

uint64_t exchange(uint64_t value, unsigned lane)
{
    slot[thread] = value;
    warp_barrier();
    value = slot[(thread & ~31u) | lane];
    warp_barrier();
    return value;
}

void check_shape(const char *kernel, dim3 grid, dim3 block, size_t shared_bytes)
{
    unsigned n = block.x * block.y * block.z;
    if (n < 1 || n > THREADS || block.z > 64 || shared_bytes > SHARED || grid.x < 1 || grid.x > 2147483647u
        || grid.y < 1 || grid.y > 65535 || grid.z < 1 || grid.z > 65535) {
        fprintf(stderr, "emu: %s was launched as (%u,%u,%u) blocks of (%u,%u,%u) threads with %zu bytes\n", kernel,
                grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes);
        abort();
    }
}

}

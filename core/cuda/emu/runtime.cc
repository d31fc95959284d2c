/* runtime.cc: the emulated device: pages that the host cannot touch but while the queue runs, and a queue that runs as
   late as it may, when somebody waits. What is copied in is taken at once, what is copied out arrives when it is waited
   for. A block ends at a page that is never opened. HZ_EMU_BYTES is all the memory the device has, HZ_EMU_SEED
   chooses the order in which blocks and warps run. */
#include "cuda/emu/shim.h"
#include "cuda/kernel.h"
#include "cuda/runtime.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <vector>

enum { PAGE = 4096, LINE = 256, LATE = 1 << 14 };       /* LATE: entries of the queue at most */
#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_poison_memory_region(void const volatile *, size_t);
extern "C" void __asan_unpoison_memory_region(void const volatile *, size_t);
#else
static void __asan_poison_memory_region(void const volatile *, size_t) {}
static void __asan_unpoison_memory_region(void const volatile *, size_t) {}
#endif

static const size_t MEMORY = (size_t)16 << 30;

const char *const runtime_name = "emu";

/* ---- blocks ---- */

struct block {
    char *pages;
    size_t bytes;                 /* of the pages, without the closed one */
};

static std::vector<block> blocks;
static size_t used, all = MEMORY;

/* A number of a variable of the environment, `otherwise` where that is not set. */
static hz_status number(const char *name, size_t least, size_t otherwise, size_t *out)
{
    const char *text = getenv(name);
    char *end = nullptr;
    *out = text && *text ? strtoull(text, &end, 10) : otherwise;
    return (end && *end) || *out < least ? cuda_core->fail(HZ_EDEVICE, "emu: %s is '%s'; needs a number from %zu on",
                                                           name, text, least) : HZ_OK;
}

hz_status runtime_open(const char *which)
{
    size_t seed;
    if (*which && strcmp(which, "0"))
        return cuda_core->fail(HZ_EDEVICE, "emu: number %s was asked for; there is emu:0", which);
    hz_status status = number("HZ_EMU_BYTES", 1, MEMORY, &all);
    status = status ? status : number("HZ_EMU_SEED", 0, 1, &seed);
    if (!status)
        emu::seed((uint32_t)seed);
    return status;
}

const char *runtime_describe(void)
{
    static char text[96];
    snprintf(text, sizeof text, "emulated on one core, %.1f GiB", (double)all / (1 << 30));
    return text;
}

hz_status runtime_room(size_t *unused, size_t *total)
{
    *unused = all - used;
    *total = all;
    return HZ_OK;
}

/* HZ_EMU_BF16=0: as a card before sm_80. */
int runtime_bf16(void)
{
    const char *text = getenv("HZ_EMU_BF16");
    return !text || strcmp(text, "0");
}

void *runtime_alloc(size_t bytes)
{
    size_t lines = (bytes + LINE - 1) / LINE * LINE, room = (lines + PAGE - 1) / PAGE * PAGE;
    if (lines < bytes || bytes > all - used) {
        cuda_core->fail(HZ_EMEM, "emu: %zu bytes of memory were asked for; %zu of %zu are free", bytes, all - used,
                        all);
        return nullptr;
    }
    void *pages = mmap(nullptr, room + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
        cuda_core->fail(HZ_EMEM, "emu: %zu bytes of memory were asked for; the system has no more", bytes);
        return nullptr;
    }
    blocks.push_back({ (char *)pages, room });
    used += bytes;
    char *p = (char *)pages + room - lines;
    __asan_poison_memory_region(p + bytes, lines - bytes);
    return p;
}

static block *find(const void *p)
{
    for (block &b : blocks)
        if ((const char *)p >= b.pages && (const char *)p <= b.pages + b.bytes)
            return &b;
    return nullptr;
}

static void unmap(char *pages, size_t bytes)
{
    for (size_t i = 0; i < blocks.size(); i++)
        if (blocks[i].pages == pages) {
            blocks[i] = blocks.back();
            blocks.pop_back();
            __asan_unpoison_memory_region(pages, bytes);
            munmap(pages, bytes + PAGE);
            return;
        }
}

static void protect(int how)
{
    for (const block &b : blocks)
        if (b.bytes && mprotect(b.pages, b.bytes, how)) {
            fprintf(stderr, "emu: %zu bytes cannot be protected\n", b.bytes);
            abort();
        }
}

/* ---- the queue ---- */

typedef std::function<void()> job;
typedef std::vector<job> jobs;

struct runtime_graph {
    std::shared_ptr<jobs> list;
};

static jobs late, *recording;
static uint64_t asked, done;      /* marks */

static void run_late()
{
    if (late.empty())
        return;
    protect(PROT_READ | PROT_WRITE);
    jobs now;
    now.swap(late);
    for (const job &j : now)
        j();
    protect(PROT_NONE);
    done = asked;
}

static void add(job j)
{
    late.push_back(std::move(j));
    if (late.size() > LATE)
        run_late();
}

void emu::queue(void *stream, job f)
{
    if (recording)
        recording->push_back(std::move(f));
    else
        add(std::move(f));
}

void emu::check_pointer(const char *kernel, int argument, const void *p)
{
    if (!p || find(p))
        return;
    fprintf(stderr, "emu: argument %d of %s is %p, which is not the device's memory\n", argument, kernel, p);
    abort();
}

/* Copies, fills and waiting cannot be recorded: a step that needed one would differ from replay to replay. */
static hz_status not_recording(const char *what)
{
    return recording ? cuda_core->fail(HZ_ESTATE, "emu: %s was asked for while launches are recorded", what) : HZ_OK;
}

static hz_status check_range(const char *what, const void *p, size_t bytes)
{
    const block *b = find(p);
    if (b && (const char *)p + bytes <= b->pages + b->bytes)
        return not_recording(what);
    return cuda_core->fail(HZ_EDEVICE, "emu: %s of %zu bytes at %p, which is not the device's memory", what, bytes, p);
}

/* ---- what the backend asks ---- */

void runtime_free(void *p, size_t bytes)
{
    const block *b = p ? find(p) : nullptr;
    if (!b)
        return;
    char *pages = b->pages;
    size_t room = b->bytes;
    used -= bytes;
    run_late();                   /* a job may hold its address */
    unmap(pages, room);
}

hz_status runtime_copy_in(void *to, const void *from, size_t bytes)
{
    hz_status status = check_range("a copy", to, bytes);
    if (status || !bytes)
        return status;
    auto taken = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
    add([=] { memcpy(to, taken->data(), bytes); });
    return HZ_OK;
}

hz_status runtime_copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    hz_status status = check_range("a copy", from, bytes);
    if (status)
        return status;
    *mark = ++asked;
    add([=] { memcpy(to, from, bytes); });
    return HZ_OK;
}

hz_status runtime_fill(void *to, int byte, size_t bytes)
{
    hz_status status = check_range("a fill", to, bytes);
    if (!status)
        add([=] { memset(to, byte, bytes); });
    return status;
}

hz_status runtime_synchronise(uint64_t mark)
{
    hz_status status = not_recording("waiting");
    if (!status && (!mark || mark > done))
        run_late();
    return status;
}

void *runtime_stream(void) { return nullptr; }
hz_status runtime_check(const char *who) { return HZ_OK; }

hz_status runtime_record(void)
{
    recording = new jobs;
    return HZ_OK;
}

hz_status runtime_recorded(runtime_graph **out)
{
    *out = new runtime_graph{ std::shared_ptr<jobs>(recording) };
    recording = nullptr;
    return HZ_OK;
}

hz_status runtime_replay(runtime_graph *g)
{
    std::shared_ptr<jobs> list = g->list;
    add([=] {
        for (const job &j : *list)
            j();
    });
    return HZ_OK;
}

void runtime_graph_free(runtime_graph *g) { delete g; }

/* ---- clocks ---- */

struct runtime_clock {
    std::vector<double> at;       /* ms */
};

runtime_clock *runtime_clock_new(int n) { return new runtime_clock{ std::vector<double>((size_t)n) }; }
void runtime_clock_free(runtime_clock *c) { delete c; }

hz_status runtime_clock_read(runtime_clock *c, int i)
{
    add([=] {
        auto now = std::chrono::steady_clock::now().time_since_epoch();
        c->at[(size_t)i] = std::chrono::duration<double, std::milli>(now).count();
    });
    return HZ_OK;
}

hz_status runtime_clock_ms(runtime_clock *c, int from, int to, double *ms)
{
    hz_status status = runtime_synchronise(0);
    *ms = c->at[(size_t)to] - c->at[(size_t)from];
    return status;
}

/* cpu.c: which instruction sets this machine and its system grant, the level in force, and whose cores the choice of
   kernels is predicted for. */
#include "cpu/micro.h"
#include <cpuid.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* __builtin_cpu_supports asks cpuid for the instructions and xgetbv whether the system saves the registers. */
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
static int has_avx512bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
/* Tiles and their bf16 products: leaf 7, edx bits 24 and 22. */
static int has_amx(void)
{
    unsigned a, b, c, d;
    return has_avx512bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 24 & d >> 22 & 1 && cpu_amx_granted();
}
static int always(void) { return 1; }

static const struct level {
    const char *name;
    int (*granted)(void);
    void (*fill)(cpu_micro *m);
} levels[] = {
    { "portable",   always,         cpu_micro_portable },
    { "avx2",       has_avx2,       cpu_micro_avx2 },
    { "avx512",     has_avx512,     cpu_micro_avx512 },
    { "avx512bf16", has_avx512bf16, cpu_micro_avx512bf16 },
    { "amx",        has_amx,        cpu_micro_amx },
};
enum { LEVELS = sizeof levels / sizeof *levels };

/* All that the prediction knows of the maker of a core: vdpbf16ps has half the speed of f32 multiply-adds on Intel's,
   twice on AMD's. */
static const struct vendor {
    const char *name;
    double dot_rate;
} vendors[] = { { "intel", 0.5 }, { "amd", 2.0 } };
enum { INTEL, AMD, VENDORS };

static cpu_micro table[VENDORS][LEVELS];
static int detected;          /* highest level the machine grants */
static int cap = -1;          /* level in force; -1 before the first question */
static int vendor;            /* row of vendors in force */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int level_named(const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (!strcmp(levels[i].name, name))
            return i;
    return -1;
}

static int vendor_named(const char *name)
{
    for (int i = 0; i < VENDORS; i++)
        if (!strcmp(vendors[i].name, name))
            return i;
    return -1;
}

/* What a variable of the environment asks for; NULL where it is empty. */
static const char *asked(const char *variable)
{
    const char *text = getenv(variable);
    return text && *text ? text : NULL;
}

static void detect(void)
{
    for (int i = 0; i < LEVELS && levels[i].granted(); i++) {
        detected = i;
        for (int v = 0; v < VENDORS; v++) {
            cpu_micro *m = &table[v][i];
            *m = i ? table[v][i - 1] : (cpu_micro){ .dot_rate = vendors[v].dot_rate };
            levels[i].fill(m);
            m->isa = levels[i].name;
        }
    }
    int level = asked("HZ_ISA") ? level_named(asked("HZ_ISA")) : detected;
    cap = level < 0 || level > detected ? detected : level;
    vendor = asked("HZ_CPU") ? vendor_named(asked("HZ_CPU")) : -1;
    vendor = vendor < 0 ? __builtin_cpu_is("amd") ? AMD : INTEL : vendor;
}

static hz_status unknown(const char *who, const char *name)
{
    return hz_fail(HZ_EARG, "%s: '%s' is not known; have portable, avx2, avx512, avx512bf16, amx", who, name);
}

static hz_status unknown_vendor(const char *who, const char *name)
{
    return hz_fail(HZ_EARG, "%s: '%s' is not known; have intel, amd", who, name);
}

hz_status cpu_isa_check(void)
{
    const char *isa = asked("HZ_ISA"), *cpu = asked("HZ_CPU");
    if (isa && level_named(isa) < 0)
        return unknown("HZ_ISA", isa);
    return cpu && vendor_named(cpu) < 0 ? unknown_vendor("HZ_CPU", cpu) : HZ_OK;
}

const cpu_micro *cpu_micro_now(void)
{
    pthread_once(&once, detect);
    return &table[vendor][cap];
}

const char *hz_cpu_isa(void) { return cpu_micro_now()->isa; }
const char *hz_cpu_level(int i) { return i >= 0 && i < LEVELS ? levels[i].name : NULL; }

hz_status hz_cpu_set_isa(const char *name)
{
    pthread_once(&once, detect);
    int level = level_named(name);
    if (level < 0)
        return unknown("isa", name);
    if (level > detected)
        return hz_fail(HZ_EDEVICE, "isa: '%s' is not granted by this machine; its highest is '%s'", name,
                       levels[detected].name);
    cap = level;
    return HZ_OK;
}

const char *hz_cpu_vendor(void)
{
    pthread_once(&once, detect);
    return vendors[vendor].name;
}

hz_status hz_cpu_set_vendor(const char *name)
{
    pthread_once(&once, detect);
    int i = vendor_named(name);
    if (i < 0)
        return unknown_vendor("vendor", name);
    vendor = i;
    return HZ_OK;
}

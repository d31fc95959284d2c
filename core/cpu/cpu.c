/* cpu.c: which instruction sets this machine and its system grant, and the level in force. */
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

static cpu_micro table[LEVELS];
static int detected;          /* highest level the machine grants */
static int cap = -1;          /* level in force; -1 before the first question */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int level_named(const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (!strcmp(levels[i].name, name))
            return i;
    return -1;
}

static void detect(void)
{
    for (int i = 0; i < LEVELS && levels[i].granted(); i++) {
        detected = i;
        if (i)
            table[i] = table[i - 1];
        levels[i].fill(&table[i]);
        table[i].isa = levels[i].name;
    }
    const char *asked = getenv("HZ_ISA");
    int level = asked && *asked ? level_named(asked) : detected;
    cap = level < 0 || level > detected ? detected : level;
}

static hz_status unknown(const char *who, const char *name)
{
    return hz_fail(HZ_EARG, "%s: '%s' is not known; have portable, avx2, avx512, avx512bf16, amx", who, name);
}

hz_status cpu_isa_check(void)
{
    const char *asked = getenv("HZ_ISA");
    return asked && *asked && level_named(asked) < 0 ? unknown("HZ_ISA", asked) : HZ_OK;
}

const cpu_micro *cpu_micro_now(void)
{
    pthread_once(&once, detect);
    return &table[cap];
}

const char *hz_cpu_isa(void) { return cpu_micro_now()->isa; }

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

/* amx.c: products of pairs by AMX: tiles of 16 rows by 16 pairs, 16 x 16 sums; 32 x 32 sums are 4 of the 8 tiles.
   The rest is as AVX-512 with BF16 made it. A thread that has tiles configured takes longer to be switched, so they
   are released after each task. */
#define _GNU_SOURCE
#include "cpu/pairs/pairs.h"
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A row of b; elements of b for 32 inputs; sums of a tile. */
enum { ROW_BYTES = 2 * PAIRS * 2, STEP = PAIRS * PAIRS, TILE = 16 * 16 };

static void begin(void)
{
    struct __attribute__((packed)) {
        uint8_t palette, start, none[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = 16;
    }
    __asm__ volatile("" : : "r"(&config) : "memory");        /* the compiler does not know that all of it is read */
    _tile_loadconfig(&config);
}

static void end(void) { _tile_release(); }

/* With each term some of the sums that the next product adds to. */
static inline const char *fetch_sums(const char *at, const char *end)
{
    enum { LINES = 8 };
    if (at < end)
#pragma GCC unroll 8
        for (int i = 0; i < LINES; i++)
            __builtin_prefetch(at + i * 64, 0, 3);
    return at + LINES * 64;
}

static inline void load_term(const uint16_t *a, const uint16_t *b)
{
    _tile_loadd(4, a, 2 * PAIRS);
    _tile_loadd(6, b, ROW_BYTES);
    _tile_loadd(7, b + PAIRS, ROW_BYTES);
    _tile_loadd(5, a + 16 * PAIRS, 2 * PAIRS);
}

static void both(const pairs_product *p)
{
    const uint16_t *b = p->b;
    pairs_ahead ahead = *p->ahead;
    const char *next = (const char *)p->next, *next_end = next ? next + PAIRS_BLOCK * sizeof(float) : NULL;
    load_term(p->a + p->offset[0], b);
    if (p->add) {
        _tile_loadd(0, p->c, 64);
        _tile_loadd(1, p->c + 2 * TILE, 64);
        _tile_loadd(2, p->c + TILE, 64);
        _tile_loadd(3, p->c + 3 * TILE, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int t = 1; t < p->terms; t++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        b += STEP;
        load_term(p->a + p->offset[t], b);
        next = fetch_sums(next, next_end);
        pairs_fetch(&ahead);
    }
    pairs_fetch(&ahead);
    *p->ahead = ahead;
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stored(0, p->c, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stored(1, p->c + 2 * TILE, 64);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stored(2, p->c + TILE, 64);
    _tile_stored(3, p->c + 3 * TILE, 64);
}

static void one(const pairs_product *p)
{
    const uint16_t *b = p->b;
    pairs_ahead ahead = *p->ahead;
    if (p->add) {
        _tile_loadd(0, p->c, 64);
        _tile_loadd(1, p->c + 2 * TILE, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
    }
    for (int t = 0; t < p->terms; t++, b += STEP) {
        _tile_loadd(4, p->a + p->offset[t], 2 * PAIRS);
        _tile_loadd(6, b, ROW_BYTES);
        _tile_loadd(7, b + PAIRS, ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        pairs_fetch(&ahead);
    }
    *p->ahead = ahead;
    _tile_stored(0, p->c, 64);
    _tile_stored(1, p->c + 2 * TILE, 64);
}

static void product(const pairs_product *p) { (p->rows <= 16 ? one : both)(p); }

/* Four independent chains of products of whole tiles, over numbers like those of a network: tiles of zeros, whose
   bits never change, run a fifth faster. */
static double peak_bf16(long steps)
{
    enum { NUMBERS = 16 * PAIRS };
    uint16_t numbers[4 * NUMBERS];
    for (int i = 0; i < 4 * NUMBERS; i++)           /* +-0.5 .. 1, all bits of the mantissa in use */
        numbers[i] = (uint16_t)(0x3f00 | (i * 37 & 0x7f) | (i * 5 & 1) << 15);
    __asm__ volatile("" : : "r"(numbers) : "memory");
    begin();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, numbers, 64);
    _tile_loadd(5, numbers + NUMBERS, 64);
    _tile_loadd(6, numbers + 2 * NUMBERS, 64);
    _tile_loadd(7, numbers + 3 * NUMBERS, 64);
    for (long s = 0; s < steps; s++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    end();
    return 4.0 * 2 * 16 * 16 * 32 * (double)steps;
}

int cpu_amx_granted(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}

void cpu_micro_amx(cpu_micro *m)
{
    static cpu_pairs own;
    own = *m->pairs;
    own.begin = begin;
    own.end = end;
    own.product = product;
    m->peak_bf16 = peak_bf16;
    m->pairs = &own;
    m->pairs_rate = 7;        /* of 14 that the instructions alone would reach */
}

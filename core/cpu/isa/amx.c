/* amx.c: products of pairs by AMX: tiles of 16 rows by 16 pairs, 16 x 16 sums; 32 x 32 sums are 4 of the 8 tiles.
   The rest is as AVX-512 with BF16 made it. A thread that has tiles configured takes longer to be switched, so they
   are released after each task. */
#define _GNU_SOURCE
#include "cpu/pairs/pairs.h"
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A row of b; elements of b for 32 inputs; sums of a tile. */
enum { ROW_BYTES = 2 * PAIRS * 2, STEP = PAIRS * PAIRS, QUARTER = 16 * 16 };

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

/* ---- beside the products ---- */

/* What goes on a little with each term. */
typedef struct beside {
    const char *read, *end;   /* as in pairs_ahead */
    pairs_copying copying;
    const char *next, *next_end;  /* sums that the next block, or the next product, adds to */
    pairs_finish finish;      /* of the block before */
    const float *c;           /* its sums */
    int done, rows;           /* outputs of it that are stored, PAIRS: all; as many with each term */
    const int32_t *near, *near_end;  /* outputs whose lines have not been asked for */
} beside;

enum { ADD = 1, FINISH = 2, SUMS = 4, LISTS = 8 };

static void (*finish_rows)(const pairs_finish *f, const float *c, int from, int to);      /* as AVX-512 made it */

static beside beside_of(const pairs_product *p)
{
    const pairs_ahead *a = p->ahead;
    beside b = { .read = a->read, .end = a->end, .done = PAIRS };
    if (a->copying)
        b.copying = *a->copying;
    b.rows = pairs_rows_with(p->terms);
    if (p->finish) {
        b.finish = *p->finish;
        b.near = b.finish.pixel;
        b.near_end = b.near + p->blocks * PAIRS;
        b.finish.pixel -= PAIRS;
    }
    return b;
}

static inline void finish_some(beside *b, int rows)
{
    int to = b->done + rows < PAIRS ? b->done + rows : PAIRS;
    if (b->done < PAIRS)
        finish_rows(&b->finish, b->c, b->done, to);
    b->done = to;
}

/* Lines that will be written soon: long before they would have to be fetched twice. */
static inline void ask(beside *b)
{
    enum { SOON = 16 };
    const pairs_finish *f = &b->finish;
    const int32_t *to = f->pixel + b->done + SOON;
    to = to < b->near_end ? to : b->near_end;
    for (; b->near < to; b->near++) {
        int64_t at = *b->near * f->step;
        __asm__ volatile("prefetchw %0" : : "m"(f->y[at]));
    }
}

/* From a list, so that addresses are known early, and without masks: then the products do not wait. */
static inline void copy_some(pairs_copying *c)
{
    for (int i = 0; i < c->each && c->at < c->end; i++, c->at++)
        _mm512_storeu_si512(c->to + c->at->to * PAIRS, _mm512_loadu_si512(c->from + c->at->from * PAIRS));
}

static inline void go_on(beside *b, const int how, int reads)
{
    enum { LINES = 8 };
    for (int i = 0; i < reads && b->read < b->end; i++, b->read += 64)
        __builtin_prefetch(b->read, 0, 2);
    copy_some(&b->copying);
    if (how & FINISH) {
        finish_some(b, b->rows);
        ask(b);
    }
    if (how & SUMS && b->next < b->next_end) {
#pragma GCC unroll 8
        for (int i = 0; i < LINES; i++, b->next += 64)
            __builtin_prefetch(b->next, 0, 3);
    }
}

/* Behind block k. */
static inline void turn_sums(beside *b, const pairs_product *p, int k)
{
    b->next = (const char *)(k + 1 < p->blocks ? pairs_sums(p, k + 1) : p->next);
    b->next_end = b->next ? b->next + PAIRS_BLOCK * sizeof(float) : NULL;
}

/* The block before is done, the one at c is next. */
static inline void turn_to(beside *b, const float *c)
{
    finish_some(b, PAIRS);
    ask(b);
    b->c = c;
    b->done = 0;
    b->finish.pixel += PAIRS;
}

static void end_beside(beside *b, const pairs_product *p)
{
    pairs_ahead *a = p->ahead;
    finish_some(b, PAIRS);
    a->read = b->read;
    if (a->copying)
        *a->copying = b->copying;
    if (a->read >= a->end) {
        a->read = a->then;
        a->end = a->last;
        a->then = a->last = NULL;
    }
}

/* ---- products ---- */

/* Of the inputs' two tiles, a0 and a1, and 32 channels. */
static inline void load_term(const uint16_t *a0, const uint16_t *a1, const uint16_t *b)
{
    _tile_loadd(4, a0, 2 * PAIRS);
    _tile_loadd(6, b, ROW_BYTES);
    _tile_loadd(7, b + PAIRS, ROW_BYTES);
    _tile_loadd(5, a1, 2 * PAIRS);
}

/* Term t, whose weights lie at b or are in the list `at`. */
static inline __attribute__((always_inline)) void load(const pairs_product *p, const int how, const uint16_t *a0,
                                                       const uint16_t *a1, const uint16_t *b, const pairs_term *at,
                                                       int t)
{
    int64_t offset = how & LISTS ? at[t].offset : p->offset[t];
    load_term(a0 + offset, a1 + offset, how & LISTS ? b + at[t].weight : b);
}

static inline void multiply(void)
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

#define BEGIN_SUM(tile, add, c) \
    if (add) \
        _tile_loadd(tile, c, 64); \
    else \
        _tile_zero(tile);

/* Whole blocks. What the first products of a block read is loaded before the sums of the block before are stored: the
   products do not stop. */
static inline __attribute__((always_inline)) void whole(const pairs_product *p, int blocks, const int how, beside *m)
{
    const uint16_t *a0 = p->a + p->tile[0] * PAIRS, *a1 = p->a + p->tile[1] * PAIRS;
    float *c = p->c, *next = p->c;
    const uint16_t *b = pairs_weights(p, 0);
    const pairs_term *at = how & LISTS ? p->list[p->kind[0]].at : NULL;
    int terms = how & LISTS ? p->list[p->kind[0]].terms : p->terms, reads = p->ahead->reads;
    load(p, how, a0, a1, b, at, 0);
    BEGIN_SUM(0, how & ADD, c)
    BEGIN_SUM(1, how & ADD, c + 2 * QUARTER)
    BEGIN_SUM(2, how & ADD, c + QUARTER)
    BEGIN_SUM(3, how & ADD, c + 3 * QUARTER)
    for (int k = 0;; c = next) {
        if (how & SUMS)
            turn_sums(m, p, k);
        for (int t = 1; t < terms; t++) {
            multiply();
            b += how & LISTS ? 0 : STEP;
            load(p, how, a0, a1, b, at, t);
            go_on(m, how, reads);
        }
        if (++k == blocks)
            break;
        next = pairs_sums(p, k);
        multiply();
        b = how & SUMS ? p->b + p->shift[k] : p->b;
        if (!(how & SUMS)) {
            a0 = p->a + p->tile[2 * k] * PAIRS;
            a1 = p->a + p->tile[2 * k + 1] * PAIRS;
        }
        if (how & LISTS) {
            const pairs_terms *list = &p->list[p->kind[k]];
            at = list->at;
            terms = list->terms;
            m->rows = list->rows;
        }
        load(p, how, a0, a1, b, at, 0);
        _tile_stored(0, c, 64);
        BEGIN_SUM(0, how & ADD, next)
        _tile_stored(1, c + 2 * QUARTER, 64);
        BEGIN_SUM(1, how & ADD, next + 2 * QUARTER)
        _tile_stored(2, c + QUARTER, 64);
        BEGIN_SUM(2, how & ADD, next + QUARTER)
        _tile_stored(3, c + 3 * QUARTER, 64);
        BEGIN_SUM(3, how & ADD, next + 3 * QUARTER)
        if (how & FINISH)
            turn_to(m, c);
    }
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stored(0, c, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stored(1, c + 2 * QUARTER, 64);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stored(2, c + QUARTER, 64);
    _tile_stored(3, c + 3 * QUARTER, 64);
    if (how & FINISH)
        turn_to(m, c);
}

/* The last block, of 16 rows. */
static void half(const pairs_product *p, const uint16_t *a, float *c, const pairs_terms *list, beside *m)
{
    int terms = list ? list->terms : p->terms;
    BEGIN_SUM(0, p->add, c)
    BEGIN_SUM(1, p->add, c + 2 * QUARTER)
    for (int t = 0; t < terms; t++) {
        const uint16_t *b = p->b + (list ? list->at[t].weight : t * STEP);
        _tile_loadd(4, a + (list ? list->at[t].offset : p->offset[t]), 2 * PAIRS);
        _tile_loadd(6, b, ROW_BYTES);
        _tile_loadd(7, b + PAIRS, ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        go_on(m, 0, p->ahead->reads);
    }
    _tile_stored(0, c, 64);
    _tile_stored(1, c + 2 * QUARTER, 64);
    if (p->finish)
        turn_to(m, c);
}

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

static inline __attribute__((always_inline)) void both(const pairs_product *p, const int copies, const int how)
{
    const pairs_terms *list = how & LISTS ? &p->list[*p->kind] : NULL;
    const pairs_term *at = list ? list->at : NULL;
    int terms = list ? list->terms : p->terms;
    pairs_copying copying = copies ? *p->ahead->copying : (pairs_copying){ 0 };
    const uint16_t *a0 = p->a + p->tile[0] * PAIRS, *a1 = p->a + p->tile[1] * PAIRS;
    const uint16_t *b = pairs_weights(p, 0);
    pairs_ahead ahead = *p->ahead;
    const char *next = (const char *)p->next, *next_end = next ? next + PAIRS_BLOCK * sizeof(float) : NULL;
    load(p, how, a0, a1, b, at, 0);
    if (p->add) {
        _tile_loadd(0, p->c, 64);
        _tile_loadd(1, p->c + 2 * QUARTER, 64);
        _tile_loadd(2, p->c + QUARTER, 64);
        _tile_loadd(3, p->c + 3 * QUARTER, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int t = 1; t < terms; t++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        b += how & LISTS ? 0 : STEP;
        load(p, how, a0, a1, b, at, t);
        next = fetch_sums(next, next_end);
        pairs_fetch(&ahead);
        if (copies)
            copy_some(&copying);
    }
    pairs_fetch(&ahead);
    *p->ahead = ahead;
    if (copies)
        *ahead.copying = copying;
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stored(0, p->c, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stored(1, p->c + 2 * QUARTER, 64);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stored(2, p->c + QUARTER, 64);
    _tile_stored(3, p->c + 3 * QUARTER, 64);
}

static inline __attribute__((always_inline)) void one(const pairs_product *p, const int copies, const int how)
{
    const pairs_terms *list = how & LISTS ? &p->list[*p->kind] : NULL;
    pairs_copying copying = copies ? *p->ahead->copying : (pairs_copying){ 0 };
    const uint16_t *a = p->a + p->tile[0] * PAIRS, *all = pairs_weights(p, 0);
    pairs_ahead ahead = *p->ahead;
    int terms = list ? list->terms : p->terms;
    if (p->add) {
        _tile_loadd(0, p->c, 64);
        _tile_loadd(1, p->c + 2 * QUARTER, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
    }
    for (int t = 0; t < terms; t++) {
        const uint16_t *b = all + (list ? list->at[t].weight : t * STEP);
        _tile_loadd(4, a + (list ? list->at[t].offset : p->offset[t]), 2 * PAIRS);
        _tile_loadd(6, b, ROW_BYTES);
        _tile_loadd(7, b + PAIRS, ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        pairs_fetch(&ahead);
        if (copies)
            copy_some(&copying);
    }
    *p->ahead = ahead;
    if (copies)
        *ahead.copying = copying;
    _tile_stored(0, p->c, 64);
    _tile_stored(1, p->c + 2 * QUARTER, 64);
}

#define SINGLE(name, ...) \
    static void name(const pairs_product *p) \
    { \
        if (p->rows <= 16) \
            one(p, __VA_ARGS__); \
        else \
            both(p, __VA_ARGS__); \
    }
SINGLE(single, 0, 0)
SINGLE(single_copying, 1, 0)
SINGLE(single_of_list, 0, LISTS)
SINGLE(single_of_list_copying, 1, LISTS)

static void product(const pairs_product *p)
{
    if (p->blocks == 1 && !p->finish) {
        if (p->kind)
            (p->ahead->copying ? single_of_list_copying : single_of_list)(p);
        else
            (p->ahead->copying ? single_copying : single)(p);
        return;
    }

    beside m = beside_of(p);
    int is_half = p->rows <= 16, blocks = p->blocks - is_half;
    if (p->kind && blocks) {
        if (p->finish && p->add)
            whole(p, blocks, LISTS | ADD | FINISH, &m);
        else if (p->finish)
            whole(p, blocks, LISTS | FINISH, &m);
        else if (p->add)
            whole(p, blocks, LISTS | ADD, &m);
        else
            whole(p, blocks, LISTS, &m);
    } else if (p->shift && p->add)
        whole(p, blocks, ADD | SUMS, &m);
    else if (p->shift)
        whole(p, blocks, SUMS, &m);
    else if (blocks && p->finish && p->add)
        whole(p, blocks, ADD | FINISH, &m);
    else if (blocks && p->finish)
        whole(p, blocks, FINISH, &m);
    else if (blocks && p->add)
        whole(p, blocks, ADD, &m);
    else if (blocks)
        whole(p, blocks, 0, &m);
    if (is_half)
        half(p, p->a + p->tile[2 * blocks] * PAIRS, pairs_sums(p, blocks), p->kind ? &p->list[p->kind[blocks]] : NULL,
             &m);
    end_beside(&m, p);
}

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
    finish_rows = own.finish;
    own.begin = begin;
    own.end = end;
    own.product = product;
    own.overlaps = own.lists = 1;
    own.blocks = 20;
    own.terms = 12;
    m->peak_bf16 = peak_bf16;
    m->pairs = &own;
    m->pairs_rate = 7;        /* of 14 that the instructions alone would reach */
}

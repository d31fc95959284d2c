/* bad.c: plugins that each break one promise of the interface, for the tests of `hz plugin check`; compiled once per
   BAD_name, bad_none breaks none. What all share is a codec that keeps the upper bits of every sample:
   of images, or of sounds (16 bits) for the promises that concern sounds. bad.cc makes of it one in C++ that throws. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "hz/plugin.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TEXT(x) #x
#define VALUE(x) TEXT(x)
#define OF(x) (!strcmp(VALUE(NAME), "bad_" #x))      /* the compiler drops what is not of this plugin */

static const hz_host *host;
enum { HEADER = 16 };                /* 'B', bits, channels, 0; of 4 bytes each: height, width or frames, rate */

typedef struct quantiser { int bits; } quantiser;

#ifdef SOUND
enum { SOUNDS = 1, SAMPLE = 4, DELAY = 100, CHANNELS = 1 << 1 | 1 << 2 };
#define PARAMS "bits:int=8[1..16]+"
#else
enum { SOUNDS = 0, SAMPLE = 1, DELAY = 0, CHANNELS = 1 << 1 | 1 << 3 };
#define PARAMS "bits:int=6[1..8]+"
#endif

static void put32(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int64_t get32(const uint8_t *p) { return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static int64_t samples_of(const hz_media *m)
{
    return m->kind == HZ_AUDIO ? m->frames * m->channels : m->height * m->width * m->channels;
}

/* A sample as 8 or 16 bits, and back. */
static int level(const hz_media *in, int64_t i)
{
    if (in->kind == HZ_AUDIO)
        return (int)lrintf(((const float *)in->data)[i] * 32767.0f) + 32768;
    return ((const uint8_t *)in->data)[i];
}

static void put_level(uint8_t *out, int64_t i, int v)
{
    if (!SOUNDS) {
        out[i] = (uint8_t)v;
    } else {
        float x = (float)(v - 32768) / 32767.0f;
        memcpy(out + 4 * i, &x, sizeof x);
    }
}

static int bits_of_all(void) { return SOUNDS ? 16 : 8; }

/* ---- what is broken ---- */

static int last_bits;                /* of BAD_statics */
static unsigned char shared[1 << 22];
static char *volatile lost;          /* keeps the compiler from dropping what leaks */

static void lose(size_t bytes)
{
    lost = (char *)malloc(bytes);
    if (lost)
        memset(lost, 1, bytes < 4096 ? bytes : 4096);
}

static void hang(void)
{
    signal(SIGTERM, SIG_IGN);
    for (volatile int i = 0;; i++) {}
}

static void crash(void) { *(volatile int *)0 = 1; }

static int is_single(const hz_media *in) { return samples_of(in) <= in->channels; }

/* Before an item is encoded. */
static int bad_start(const quantiser *q, const hz_media *in)
{
#ifdef BAD_THROWS
    BAD_THROWS;
#endif
    if (OF(exits))
        exit(0);
    if (OF(quits))
        _exit(3);
    if (OF(loops))
        hang();
    if (OF(sleeps))
        for (;;)
            pause();
    if (OF(leaks))
        lose(10 << 20);
    if (OF(maps))
        mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (OF(files))
        (void)!dup(0);
    if (OF(drips))
        lose(200);
    if (OF(prints))
        printf("encoding %d channels\n", in->channels);
    for (int i = 0; OF(floods) && i < 1 << 16; i++)
        fprintf(stderr, "warning %d of many, each of them a line\n", i);
    if (OF(tiny) && is_single(in))
        crash();
    if (OF(ends) && q->bits == 8)
        return host->fail("8 bits are too many");
    if (OF(grey) && in->channels == 1)
        crash();
    if (OF(clip) && in->frames < 2)
        return host->fail("the sound has %lld frames; needs 2", (long long)in->frames);
    if (OF(rate) && in->rate == 48000)
        return host->fail("the rate is 48000");
    if (OF(writes))
        ((uint8_t *)(uintptr_t)in->data)[0] = 7;
    return 0;
}

/* The bits that are kept of an item. */
static int bits_for(const quantiser *q)
{
    if (OF(statics))
        return last_bits;
    if (OF(falls))
        return q->bits > 5 ? 2 : q->bits;
    return q->bits;
}

/* What is written over the good stream. */
static void bad_stream(uint8_t *p, size_t bytes)
{
    if (OF(overrun))
        p[bytes] = 0;
    if (OF(underrun))
        p[-1] = 0;
    if (OF(clock))
        p[3] = (uint8_t)time(NULL);
    if (OF(rand))
        p[3] = (uint8_t)rand();
    if (OF(pid))
        p[3] = (uint8_t)(getpid() * 7);
    if (OF(garbage)) {
        uint8_t *unset = (uint8_t *)malloc(100);
        p[3] = unset ? ((volatile uint8_t *)unset)[50] : 0;
        free(unset);
    }
}

/* ---- the codec ---- */

static void *create(const double *values)
{
    quantiser *q = (quantiser *)host->alloc(sizeof *q);
    if (OF(creates))
        crash();
    if (q)
        q->bits = last_bits = (int)values[0];
    return q;
}

static void destroy(void *instance)
{
    if (OF(destroys) && instance)
        lose(1000);
    host->free(instance);
}

/* Coded samples are written as many bits each, the first in the top bits. */
static void pack(uint8_t *p, const hz_media *in, int bits)
{
    int64_t n = samples_of(in), at = 0;
    for (int64_t i = 0; i < n; i++) {
        unsigned v = (unsigned)level(in, i) >> (bits_of_all() - bits);
        for (int b = bits - 1; b >= 0; b--, at++)
            if (v >> b & 1)
                p[at >> 3] |= (uint8_t)(0x80 >> (at & 7));
    }
}

static int name_parts(hz_account *account, size_t payload)
{
    hz_part part = OF(tables) ? HZ_TABLES : OF(wraps) ? HZ_CONTAINER : HZ_PAYLOAD;
    if (OF(wraps))
        return host->part(account, HZ_CONTAINER, HEADER + payload - 1) || host->part(account, HZ_PAYLOAD, 1);
    return host->part(account, HZ_CONTAINER, HEADER) || host->part(account, part, payload);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const quantiser *q = (const quantiser *)instance;
    int bits = bits_for(q);
    size_t payload = ((size_t)samples_of(in) * (size_t)bits + 7) / 8, bytes = HEADER + payload;
    if (bad_start(q, in))
        return -1;
    uint8_t *stale = out->data;
    if (host->grow(out, HEADER) || (stale = out->data, host->grow(out, bytes)))
        return -1;
    uint8_t *p = OF(shared) ? shared : OF(stale) ? stale : out->data;
    memset(p, 0, bytes);
    p[0] = 'B';
    p[1] = (uint8_t)bits;
    p[2] = (uint8_t)in->channels;
    put32(p + 4, in->kind == HZ_IMAGE ? in->height : 0);
    put32(p + 8, in->kind == HZ_IMAGE ? in->width : in->frames);
    put32(p + 12, (int64_t)in->rate);
    pack(p + HEADER, in, bits);
    bad_stream(p, bytes);
    if (name_parts(account, payload))
        return -1;
    if (p != out->data)
        memcpy(out->data, p, bytes);
    out->size = OF(boasts) ? bytes + 1 : bytes;
    if (OF(boasts))
        return host->part(account, HZ_PAYLOAD, 1);
    return 0;
}

static int bad_header(const uint8_t *bytes, size_t count, size_t need)
{
    if (OF(hangs) && count < need)
        hang();
    for (size_t i = 1; OF(swells) && count != need && i < 700; i++) {
        char *p = (char *)malloc(1 << 20);
        if (p)
            memset(p, 1, 1 << 20);
        lost = p;
    }
    if (OF(reads) && count < need)
        return bytes[need - 1] == 0 ? 0 : host->fail("cut short");
    return host->fail("the stream has %zu bytes; its header promises %zu", count, need);
}

/* Where a sample goes, and as what. */
static int64_t place_of(int64_t i, int64_t n, int channels)
{
    if (OF(swapped) && channels == 3)
        return i / 3 * 3 + 2 - i % 3;
    if (OF(turned))
        return n - 1 - i / channels * channels - (channels - 1 - i % channels);
    if (OF(moved))
        return (i + channels) % n;
    return i;
}

static int bad_level(int v)
{
    int most = (1 << bits_of_all()) - 1;
    return OF(inverted) ? most - v : OF(faint) ? (v + most / 2) / 2 : OF(bright) && v < most - 30 ? v + 30 : v;
}

static void unpack(const uint8_t *p, uint8_t *to, int64_t n, int bits, int channels)
{
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        int v = 0, whole = bits_of_all();
        for (int b = 0; b < bits; b++, at++)
            v = v << 1 | (p[at >> 3] >> (7 - (at & 7)) & 1);
        v = bits == whole ? v : (2 * v + 1) << (whole - 1 - bits);
        put_level(to, place_of(i, n, channels) + DELAY * channels, bad_level(v));
    }
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    (void)instance;
    int whole = bits_of_all();
    if (count < HEADER || bytes[0] != 'B' || bytes[1] < 1 || bytes[1] > whole || !(CHANNELS >> (bytes[2] & 31) & 1))
        return bad_header(bytes, count, HEADER + 64);
    int bits = bytes[1], channels = bytes[2];
    format->channels = channels;
    format->height = SOUNDS ? 0 : get32(bytes + 4);
    format->width = SOUNDS ? 0 : get32(bytes + 8);
    format->frames = SOUNDS ? get32(bytes + 8) : 0;
    format->rate = SOUNDS ? (double)get32(bytes + 12) : 0;
    format->kind = SOUNDS ? HZ_AUDIO : HZ_IMAGE;
    int64_t n = samples_of(format);
    if (n < 1 || format->height > 1 << 16 || format->width > 1 << 16 || format->frames > 1 << 24)
        return host->fail("the header is of no item");
    size_t need = HEADER + ((size_t)n * (size_t)bits + 7) / 8;
    if (count != need && bad_header(bytes, count, need))
        return -1;
    size_t room = (size_t)(n + DELAY * channels) * SAMPLE;
    if (host->grow(out, room))
        return -1;
    memset(out->data, 0, room);
    if (OF(static_decode) && room <= sizeof shared) {
        unpack(bytes + HEADER, shared, n, bits, channels);
        memcpy(out->data, shared, room);
    } else {
        unpack(bytes + HEADER, out->data, n, bits, channels);
    }
    if (OF(overdraws))
        out->data[room] = 0;
    if (OF(leaves))
        lose(64);
    out->size = room;
    format->frames += DELAY;
    return 0;
}

static int timing(void *instance, double rate, int64_t *delay, int64_t *tail)
{
    (void)instance;
    (void)rate;
    *delay = OF(delay) ? DELAY - 10 : DELAY;
    *tail = 0;
    return 0;
}

static const char *library(void) { return OF(silent) ? "" : "none"; }

static const int rates[] = { 8000, 44100, 48000, 0 };

static const hz_codec_api codec = {
    sizeof codec, SOUNDS ? HZ_AUDIO : HZ_IMAGE, CHANNELS, 0, VALUE(NAME), PARAMS, SOUNDS ? rates : NULL, library,
    create, destroy, encode, decode, SOUNDS ? timing : NULL,
};

#ifdef BAD_symbols
__attribute__((visibility("default"))) int helper(void);
int helper(void) { return 1; }
#endif

static int open_plugin(const hz_host *lent)
{
    host = lent;
#if defined __x86_64__
    if (OF(rounds))                  /* as what is linked with -ffast-math does: flush to zero, denormals are zero */
        __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
    if (OF(opens))
        crash();
    if (OF(leaves_open))
        exit(0);
    if (OF(waits))
        hang();
    return 0;
}

static const void *interface(const char *id) { return strcmp(id, "hz.codec/1") ? NULL : &codec; }

const hz_plugin hz_plugin_main = { sizeof(hz_plugin), VALUE(NAME), "1", "breaks one promise", open_plugin, interface };

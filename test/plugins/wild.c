/* wild.c: a codec of images that ruins its process, for the tests. It stores the highest bits of each sample behind a
   header; an item whose first sample is `mark` (-1: every item) meets what `how` says. */
#define _GNU_SOURCE
#include "hz/plugin.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 9, DEEP = 1 << 12 };
static const hz_host *host;

typedef struct coder {
    int level, how, mark;
} coder;

/* ---- what it does ---- */

static void well(const hz_media *in) {}
static int *volatile nowhere = NULL;
static void crash(const hz_media *in) { *nowhere = 1; }
static void stop(const hz_media *in) { abort(); }
static void leave(const hz_media *in) { exit(0); }
static void vanish(const hz_media *in) { _exit(0); }
static void die(const hz_media *in) { raise(SIGKILL); }

static int deeper(volatile char *above, int n)
{
    volatile char here[DEEP];
    here[n % DEEP] = above[0];
    return n < 0 ? 0 : deeper(here, n % 2 + 1) + here[0];
}
static void overflow(const hz_media *in) { deeper("", 0); }

static void hang(const hz_media *in)
{
    signal(SIGTERM, SIG_IGN);
    for (volatile int i = 0;; i++) {}
}

static void chatter(const hz_media *in)
{
    for (int i = 0; i < 20000; i++)
        printf("wild: line %d of what nobody wants to know, on the output\n", i);
    fprintf(stderr, "wild: and on stderr\n");
    fflush(stdout);
}

static void rant(const hz_media *in)
{
    printf("\033[2Jthe end is near\n");
    fflush(stdout);
    abort();
}

/* The originals, which are lent for reading alone. */
static void scribble(const hz_media *in)
{
    memset((void *)in->data, 0xee, (size_t)(in->height * in->width * in->channels));
}

static void linger(const hz_media *in) { sleep(2); }

static void (*const ways[])(const hz_media *) = { well, crash, stop, overflow, leave, vanish, die, hang, chatter, rant,
                                                  scribble, linger };
#define WAYS "well|crash|stop|overflow|leave|vanish|die|hang|chatter|rant|scribble|linger|refuse"
enum { REFUSE = sizeof ways / sizeof *ways };

/* The same when an instance is made. */
#define STARTS "well|crash|stop|overflow|leave|refused"
enum { REFUSED = 5 };

/* ---- the codec ---- */

static void *create(const double *values)
{
    coder *c = host->alloc(sizeof *c);
    if (values[3] == REFUSED) {
        host->free(c);
        host->fail("start is refused; needs another");
        return NULL;
    }
    ways[(int)values[3]](NULL);
    if (c)
        *c = (coder){ (int)values[0], (int)values[1], (int)values[2] };
    return c;
}

static void destroy(void *instance) { host->free(instance); }

static void put32(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int64_t get32(const uint8_t *p) { return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    const uint8_t *x = in->data;
    size_t n = (size_t)(in->height * in->width * in->channels), bytes = (n * (size_t)c->level + 7) / 8;
    if (c->mark < 0 || x[0] == c->mark) {
        if (c->how == REFUSE)
            return host->fail("the first sample is %d; needs another", x[0]);
        ways[c->how](in);
    }
    if (host->grow(out, HEADER + bytes))
        return -1;
    put32(out->data, in->height);
    put32(out->data + 4, in->width);
    out->data[8] = (uint8_t)(in->channels << 4 | c->level);
    memset(out->data + HEADER, 0, bytes);
    for (size_t i = 0, bit = 0; i < n; i++)
        for (int k = 0; k < c->level; k++, bit++)
            out->data[HEADER + bit / 8] |= (uint8_t)((x[i] >> (7 - k) & 1) << (7 - bit % 8));
    out->size = HEADER + bytes;
    return host->part(account, HZ_CONTAINER, 8) || host->part(account, HZ_TABLES, 1) ||
           host->part(account, HZ_PAYLOAD, bytes);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    int64_t height = count > HEADER ? get32(bytes) : 0, width = count > HEADER ? get32(bytes + 4) : 0;
    int channels = count > HEADER ? bytes[8] >> 4 : 0, level = count > HEADER ? bytes[8] & 15 : 0;
    if (height < 1 || width < 1 || height > 65536 || width > 65536 || (channels != 1 && channels != 3) || level < 1 ||
        level > 8)
        return host->fail("the stream does not begin as one of this codec");
    size_t n = (size_t)(height * width * channels);
    if (count != HEADER + (n * (size_t)level + 7) / 8)
        return host->fail("the stream has %zu bytes, its header promises others", count);
    if (host->grow(out, n))
        return -1;
    for (size_t i = 0, bit = 0; i < n; i++) {
        int v = 0;
        for (int k = 0; k < level; k++, bit++)
            v |= (bytes[HEADER + bit / 8] >> (7 - bit % 8) & 1) << (7 - k);
        out->data[i] = (uint8_t)v;
    }
    out->size = n;
    format->channels = channels;
    format->height = height;
    format->width = width;
    return 0;
}

static const char *library(void) { return "none"; }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .name = "wild",
    .params = "level:int=4[1..8]+; how:enum=" WAYS "; mark:int=-1[-1..255]; start:enum=" STARTS,
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
    return 0;
}

static const void *interface(const char *id) { return strcmp(id, "hz.codec/1") ? NULL : &codec; }

const hz_plugin hz_plugin_main = { sizeof(hz_plugin), "wild", "1", "ruins its process", open_plugin, interface };

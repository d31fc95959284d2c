/* host.c: the functions that hz lends to plugins.
   What a plugin says goes into the calling thread's message; whether it said anything is remembered beside it. */
#include "codec/door.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct { int said, memory; hz_status relayed; } heard;

void host_listen(void)
{
    heard.said = heard.memory = 0;
    heard.relayed = HZ_OK;
}

int host_relay(hz_status status)
{
    heard.said = 1;
    heard.memory = 0;
    heard.relayed = status;
    return (int)status;
}

hz_status host_blame(const char *who, hz_status code)
{
    if (heard.relayed)
        code = heard.relayed;
    if (heard.memory)
        code = HZ_EMEM;
    if (!heard.said)
        return hz_fail(code, "%s: failed without a reason; its plugin must call host->fail", who);
    return hz_fail_in(code, "%s: ", who);
}

static int host_fail(const char *format, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    heard.said = 1;
    return (int)hz_fail(HZ_EFORMAT, "%s", text);
}

static int out_of_memory(size_t bytes)
{
    heard.memory = heard.said = 1;
    return (int)hz_fail(HZ_EMEM, "%zu bytes were asked for; the system has no more", bytes);
}

/* ---- memory ---- */

static void *host_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

static int host_grow(hz_bytes *b, size_t room)
{
    guard_turn();
    if (room <= b->room)
        return 0;
    if (b->fixed == GUARDED)
        return guard_grow(b, room) ? out_of_memory(room) : 0;
    if (b->fixed)
        return host_fail("decoding needs %zu bytes; the original took %zu", room, b->room);
    size_t more = b->room + b->room / 2;
    if (more < room)
        more = room;
    uint8_t *p = realloc(b->data, more);
    if (!p)
        return out_of_memory(more);
    b->data = p;
    b->room = more;
    return 0;
}

/* ---- the account ---- */

static int host_part(hz_account *a, hz_part part, size_t bytes)
{
    guard_turn();
    if ((unsigned)part >= HZ_PARTS)
        return host_fail("part %d of the account is unknown; needs payload, tables or container", (int)part);
    int64_t offset = a->bytes[0] + a->bytes[1] + a->bytes[2];
    a->bytes[part] += (int64_t)bytes;
    if (bytes == 0)
        return 0;
    if (a->count && part != HZ_TABLES && a->segments[a->count - 1].part == (int)part) {
        a->segments[a->count - 1].bytes += (int64_t)bytes;      /* only table segments have an identity of their own */
        return 0;
    }
    if (a->count == a->room) {
        int64_t room = a->room ? 2 * a->room : 16;
        hz_segment *s = realloc(a->segments, (size_t)room * sizeof *s);
        if (!s)
            return out_of_memory((size_t)room * sizeof *s);
        a->segments = s;
        a->room = room;
    }
    a->segments[a->count++] = (hz_segment){ .part = (int)part, .offset = offset, .bytes = (int64_t)bytes };
    return 0;
}

/* ---- the log: the last lines that plugins noted ---- */

enum { LOG_LINES = 64, LOG_WIDTH = 160 };
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_line[LOG_LINES][LOG_WIDTH];
static unsigned log_count;
static char log_text[LOG_LINES * (LOG_WIDTH + 1) + 1];

static void host_log(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    pthread_mutex_lock(&log_lock);
    vsnprintf(log_line[log_count++ % LOG_LINES], LOG_WIDTH, format, ap);
    pthread_mutex_unlock(&log_lock);
    va_end(ap);
}

const char *hz_plugin_log(void)
{
    char *at = log_text;
    pthread_mutex_lock(&log_lock);
    *at = 0;
    for (unsigned i = log_count > LOG_LINES ? log_count - LOG_LINES : 0; i < log_count; i++)
        at += sprintf(at, "%s\n", log_line[i % LOG_LINES]);
    pthread_mutex_unlock(&log_lock);
    return log_text;
}

const hz_host *host_table(void)
{
    static hz_host table = { .size = sizeof(hz_host), .fail = host_fail, .log = host_log, .alloc = host_alloc,
                             .free = free, .grow = host_grow, .part = host_part,
                             .cancelled = hz_signal_pending };
    table.version = hz_version();
    return &table;
}

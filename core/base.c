/* base.c: what every other file of the core stands on.
   The message buffer is thread-local; cleanup paths must not call fallible functions before the message was read. */
#define _GNU_SOURCE
#include "hz/base.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Thread_local char message[1024];

hz_status hz_fail(hz_status code, const char *format, ...)
{
    char text[sizeof message];       /* an argument may point into `message` itself */
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    memcpy(message, text, sizeof text);
    return code;
}

hz_status hz_fail_in(hz_status code, const char *format, ...)
{
    char text[sizeof message];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, "%s", message);
    memcpy(message, text, sizeof text);
    return code;
}

const char *hz_message(void) { return message; }
const char *hz_version(void) { return "0.1.0"; }
int hz_numerics(void) { return 9; }

static const char cdef_text[] =
#include "cdef.inc"
;
const char *hz_cdef(void) { return cdef_text; }

static const char commit_text[] =
#include "commit.inc"
;
const char *hz_commit(void) { return commit_text; }

/* ---- signals ---- */

static volatile sig_atomic_t pending, interrupts;    /* interrupts: SIGINTs since hz_signal_catch, also those cleared */

static void on_signal(int number)
{
    if (pending == number || (number == SIGINT && interrupts++))
        _exit(128 + number);             /* asked twice: at once */
    pending = number;
}

void hz_signal_catch(void)
{
    struct sigaction a = { .sa_handler = on_signal };
    pending = interrupts = 0;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

void hz_signal_release(void)
{
    pending = 0;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

int hz_signal_pending(void) { return pending; }
void hz_signal_set(int number) { pending = number; }
void hz_signal_clear(void) { pending = 0; }

double hz_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* apart.c: recoding in a process of its own, for codecs that may crash, hang, or write where they should not. The child
   is a fork: it sees our memory as it was, and of what it writes only this comes back: the decoded samples, which lie
   in pages that both share while it works and that are ours alone afterwards, the board (apart.h), and its tables.
   What ended it is told with the lowest item that does so: where other threads were at work on lower ones, these are
   tried again by one thread. */
#define _GNU_SOURCE
#include "codec/apart.h"
#include "memory.h"
#include "tensor/storage.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK = 50, SAID = 160 };      /* ms between looks at the child; bytes of what it printed last */

/* ---- memory ---- */

static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static size_t whole_pages(size_t bytes) { return (bytes + page() - 1) / page() * page(); }

/* Zeros between two pages that nobody may touch. */
static void *places_map(size_t bytes)
{
    size_t room = whole_pages(bytes ? bytes : 1);
    char *p = mmap(NULL, room + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page(), room, PROT_READ | PROT_WRITE)) {
        hz_fail(HZ_EMEM, "memory: %zu bytes were asked for; the system has no more", bytes);
        return NULL;
    }
    memory_count((int64_t)bytes);
    return p + page();
}

static void places_unmap(void *p, size_t bytes)
{
    munmap((char *)p - page(), whole_pages(bytes ? bytes : 1) + 2 * page());
    memory_count(-(int64_t)bytes);
}

hz_tensor *hz_codec_places(int dtype, int ndim, const int64_t *shape)
{
    int64_t n = hz_dtype_name(dtype) ? hz_shape_count(ndim, shape) : -1;
    hz_storage *s = n < 0 ? NULL : storage_new((size_t)n * hz_dtype_bytes(dtype), places_map, places_unmap);
    hz_tensor *t = s ? storage_tensor(s, 0, dtype, ndim, shape) : NULL;
    storage_drop(s);
    return t;
}

/* ---- what came of a child ---- */

typedef struct ending {
    int signal, status;              /* of the process; status counts where there was no signal */
    int done;                        /* it came to its end */
    int stuck;                       /* it was ended for an item that took too long */
    int64_t item, last;              /* the lowest and the highest item that may have ended it; AT_..., n: none */
    int64_t lowest;                  /* the lowest item that some thread had not finished; n: none */
    int64_t failed;                  /* the lowest item that the codec refused, n: none, -1: before any */
    char said[SAID + 1];             /* what it printed last */
} ending;

typedef struct watch {
    const job *job;
    board *board;
    size_t bytes;                    /* of the board */
    double seconds;                  /* that an item may take */
    int threads;                     /* of the child */
    int ruined;                      /* what failed was not the codec's refusal */
    int pid, words, tables;
    int64_t seen[WORKERS];           /* what each worker was at when last looked at */
    double idle[WORKERS];            /* seconds since that changed */
    double before;
} watch;

/* ---- watching ---- */

/* Keeps the line that was printed last, whole or not, with what is no text shown as '?'. */
static void hear(char said[SAID + 1], char c)
{
    size_t have = strlen(said);
    int ended = have > 0 && said[have - 1] == '\n';
    if (c == '\n' ? !have || ended : have == SAID && !ended)
        return;
    have = ended ? 0 : have == SAID ? SAID - 1 : have;
    said[have] = c == '\n' || (c >= ' ' && c <= '~') ? c : '?';
    said[have + 1] = 0;
}

/* 0: the child has closed its side. */
static int listen_to(watch *w, char said[SAID + 1])
{
    char text[1 << 16];
    ssize_t n = read(w->words, text, sizeof text);
    for (ssize_t i = 0; i < n; i++)
        hear(said, text[i]);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* The worker that has been at one item for too long, of several the one with the lowest; NOBODY. Time in which we were
   stopped does not count. */
static int stuck_worker(watch *w)
{
    int found = NOBODY;
    double now = hz_seconds(), passed = now - w->before < 1 ? now - w->before : 1;
    w->before = now;
    for (int i = 0; i < w->threads; i++) {
        int64_t at = atomic_load(&w->board->at[i]);
        w->idle[i] = at == w->seen[i] ? w->idle[i] + passed : 0;
        w->seen[i] = at;
        if (at != AT_REST && w->idle[i] > w->seconds && (found == NOBODY || at < w->seen[found]))
            found = i;
    }
    return found;
}

/* Waits until the child has ended, and ends it where a signal to us or an item that takes too long asks for that. */
static void await(watch *w, ending *e, int *status)
{
    int open = 1, patience = LOOK, stuck;
    w->before = hz_seconds();
    for (;;) {
        struct pollfd p = { .fd = open ? w->words : -1, .events = POLLIN };
        poll(&p, 1, patience);
        if (open && !(open = listen_to(w, e->said)))
            patience = 1;            /* it is about to be gone */
        pid_t ended = waitpid(w->pid, status, WNOHANG);
        if (ended == w->pid || (ended < 0 && errno != EINTR))
            return;
        if (!open && patience < LOOK)
            patience++;
        if (hz_signal_pending() || (stuck = stuck_worker(w)) != NOBODY)
            break;
    }
    if (!hz_signal_pending()) {
        e->stuck = 1;
        e->item = e->last = w->seen[stuck];
    }
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, status, 0) < 0 && errno == EINTR) {}
}

/* ---- understanding ---- */

static int64_t bounded(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

/* Which items were at work when the child ended. */
static void look_back(const watch *w, ending *e)
{
    int64_t n = w->job->n, first = n, highest = AT_BEGIN;
    int ender = atomic_load(&w->board->ender);
    for (int i = 0; i < w->threads; i++) {
        int64_t at = bounded(atomic_load(&w->board->at[i]), AT_REST, n - 1);
        if (at == AT_REST || at == AT_END)
            continue;
        first = at < first ? at : first;
        highest = at > highest ? at : highest;
    }
    e->lowest = first < 0 ? 0 : first;
    e->failed = bounded(atomic_load(&w->board->job.failed), -1, n);
    if (!e->stuck) {
        e->item = first;
        e->last = highest;
        if (ender >= 0 && ender < w->threads)
            e->item = e->last = bounded(atomic_load(&w->board->at[ender]), AT_REST, n - 1);
    }
    if (e->item == AT_END || e->item == AT_REST)
        e->item = e->last = n;
}

static void where_text(const watch *w, const ending *e, char *text, size_t room)
{
    const char *item = job_item(w->job);
    long long n = w->job->n;
    if (e->item < 0)
        snprintf(text, room, "before its first %s", item);
    else if (e->item >= n)
        snprintf(text, room, "after its last %s", item);
    else if (e->last > e->item)
        snprintf(text, room, "at one of %ss %lld to %lld of %lld", item, (long long)e->item, (long long)e->last, n);
    else
        snprintf(text, room, "at %s %lld of %lld", item, (long long)e->item, n);
}

/* Sets the message of a child that did not come to its end. */
static hz_status blame(const watch *w, const ending *e)
{
    char where[96], said[SAID + 24] = "";
    const char *name = w->job->row->api->name, *abbreviation = sigabbrev_np(e->signal);
    where_text(w, e, where, sizeof where);
    if (*e->said)
        snprintf(said, sizeof said, ", having printed '%.*s'", (int)strcspn(e->said, "\n"), e->said);
    if (e->stuck)
        return hz_fail(HZ_ESTATE, "%s: no end after %g s %s%s; needs a codec that comes to one, or more seconds "
                       "(HZ_ITEM_SECONDS)", name, w->seconds, where, said);
    if (e->signal == SIGKILL)
        return hz_fail(HZ_ESTATE, "%s: signal 9 (SIGKILL) %s%s; needs more memory, if nobody else ended it", name,
                       where, said);
    if (e->signal)
        return hz_fail(HZ_ESTATE, "%s: signal %d (SIG%s) %s%s; needs a plugin that passes hz plugin check", name,
                       e->signal, abbreviation ? abbreviation : "?", where, said);
    return hz_fail(HZ_ESTATE, "%s: it ended its process with status %d %s%s; needs a plugin that never exits", name,
                   e->status, where, said);
}

/* ---- one child ---- */


static void put_up(watch *w, int64_t from, int64_t end, int threads)
{
    board *b = w->board;
    w->threads = threads;
    b->job = *w->job;
    b->job.end = end;
    b->job.threads = threads;
    b->job.at = b->at;
    b->job.out = b->rows;
    atomic_init(&b->job.next, from);
    atomic_init(&b->job.failed, w->job->n);
    pthread_mutex_init(&b->job.lock, NULL);
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&b->at[i], i < threads ? AT_BEGIN : AT_REST);
    atomic_store(&b->ender, NOBODY);
    memset(w->idle, 0, sizeof w->idle);
}

/* Items [from, end) by a process of `threads` threads. Fails where there can be none, or a signal to us ended it. */
static hz_status attempt(watch *w, int64_t from, int64_t end, int threads, ending *e)
{
    int fd[2], status = 0, parent = getpid();
    *e = (ending){ .item = w->job->n };
    put_up(w, from, end, threads);
    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
        return hz_fail(HZ_ESTATE, "recode: no process of its own: %s", strerror(errno));
    fcntl(fd[1], F_SETFL, 0);
    w->words = fd[0];
    w->pid = fork();
    if (w->pid == 0)
        apart_child(w->board, parent, (outlets){ .words = fd[1], .tables = w->tables });
    int why = errno;
    close(fd[1]);
    if (w->pid > 0)
        await(w, e, &status);
    close(fd[0]);
    if (w->pid < 0)
        return hz_fail(HZ_ESTATE, "recode: no process of its own: %s", strerror(why));
    if (hz_signal_pending())
        return hz_fail(HZ_ESTATE, "recode: stopped by signal %d", hz_signal_pending());
    e->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    e->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    e->done = !e->signal && !e->status && atomic_load(&w->board->done);
    look_back(w, e);
    return HZ_OK;
}

/* ---- all of it ---- */

/* Sets the message of the lowest item that has failed, and what that was: `*item`, which only sinks. */
static hz_status judge(watch *w, const ending *e, int64_t *item, hz_status before, char message[1024])
{
    job heard = *w->job;
    hz_status status = before;
    if (e->failed < *item && (e->done || e->failed <= e->last)) {
        *item = e->failed;
        atomic_store(&heard.failed, e->failed);
        heard.code = w->board->job.code ? w->board->job.code : HZ_ESTATE;
        snprintf(heard.message, sizeof heard.message, "%.*s", (int)sizeof heard.message - 1, w->board->job.message);
        status = job_finish(&heard);
    } else if (!e->done && (before == HZ_OK || e->last <= *item)) {
        *item = e->last;
        status = blame(w, e);
        w->ruined = 1;
    } else {
        return before;
    }
    snprintf(message, 1024, "%s", hz_message());
    return status;
}

static hz_status recode_all(watch *w)
{
    char message[1024];
    int64_t from = 0, end = w->job->n, item = end;
    int threads = w->job->threads;
    hz_status status = HZ_OK;
    for (;;) {
        ending e;
        hz_status trouble = attempt(w, from, end, threads, &e);
        if (trouble)
            return trouble;
        status = judge(w, &e, &item, status, message);
        if (e.done || threads == 1)
            break;
        from = e.lowest;
        end = e.last > e.item ? e.last + 1 : item;        /* which of several it was will be seen */
        threads = 1;
        if (from >= end)
            break;
    }
    return status ? hz_fail(status, "%s", message) : HZ_OK;
}

/* The rows that the child wrote, if such can be. */
static hz_status take_rows(const watch *w)
{
    for (int64_t i = 0; i < w->job->n; i++) {
        hz_recoded r = w->board->rows[i];
        int64_t most = (int64_t)1 << 48;
        if (r.payload < 0 || r.tables < 0 || r.container < 0 || r.payload > most || r.tables > most ||
            r.container > most || r.payload + r.tables + r.container == 0)
            return hz_fail(HZ_ESTATE, "%s: the account of %s %lld of %lld was overwritten; needs a plugin that passes "
                           "hz plugin check", w->job->row->api->name, job_item(w->job), (long long)i,
                           (long long)w->job->n);
        if (w->job->out)
            w->job->out[i] = r;
    }
    return HZ_OK;
}

/* ---- what both share ---- */

typedef struct pages {
    void *decoded;
    size_t room;                     /* bytes of it, whole pages */
    int fd;                          /* what lies there */
} pages;

static hz_status share(watch *w, pages *p)
{
    p->fd = p->room ? memfd_create("hz decoded", MFD_CLOEXEC) : -1;
    w->tables = memfd_create("hz tables", MFD_CLOEXEC);
    w->board = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int there = w->tables >= 0 && w->board != MAP_FAILED;
    if (there && p->room)
        there = p->fd >= 0 && !ftruncate(p->fd, (off_t)p->room) &&
                mmap(p->decoded, p->room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, p->fd, 0) != MAP_FAILED;
    if (there)
        return HZ_OK;
    return hz_fail(HZ_EMEM, "recode: no %zu bytes to share with a process of its own: %s", p->room, strerror(errno));
}

/* What was decoded stays where it is, but no child of later can write to it. */
static hz_status keep(watch *w, pages *p)
{
    hz_status status = HZ_OK;
    if (p->fd >= 0 &&
        mmap(p->decoded, p->room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, p->fd, 0) == MAP_FAILED)
        status = HZ_EMEM;
    if (w->board != MAP_FAILED)
        munmap(w->board, w->bytes);
    if (w->tables >= 0)
        close(w->tables);
    if (p->fd >= 0)
        close(p->fd);
    return status;
}

static hz_status run(watch *w, pages *p)
{
    hz_status status = share(w, p);
    if (!status)
        status = recode_all(w);
    if (!status)
        status = take_rows(w);
    if (!status && w->job->tables)
        status = tables_read(w->job->tables, w->tables);
    if (keep(w, p) && !status)
        status = hz_fail(HZ_EMEM, "recode: no memory to keep %zu bytes of decoded items", p->room);
    return status;
}

/* A job of no items makes an instance and destroys it. */
hz_status apart_try(const hz_codec *c, double seconds)
{
    job j = { .row = codec_row_of(c), .values = hz_codec_values(c), .threads = 1, .chunk = 1 };
    watch w = { .job = &j, .bytes = sizeof *w.board, .seconds = seconds };
    pages p = { .decoded = NULL };
    hz_status status = run(&w, &p);
    return w.ruined || hz_signal_pending() ? HZ_OK : status;
}

hz_status hz_codec_recode_apart(hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride,
                                hz_recoded *out, hz_tables *tables, int threads, double seconds)
{
    job j;
    hz_status status = job_set_up(&j, c, items, n, decoded, stride, threads);
    if (status)
        return status;
    j.out = out;
    j.tables = tables;
    if ((uintptr_t)decoded % page() || !(seconds > 0))
        return hz_fail(HZ_EARG, "recode: in a process of its own it needs places of hz_codec_places, and seconds > 0");
    watch w = { .job = &j, .bytes = sizeof *w.board + (size_t)n * sizeof *out, .seconds = seconds };
    pages p = { .decoded = decoded, .room = whole_pages((size_t)(n * stride)) };
    return run(&w, &p);
}

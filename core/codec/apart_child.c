/* apart_child.c: the process that recodes for another one, a fork of it. It starts threads of its own and never comes
   back: it ends here, or by whatever a plugin does to it, and then the board says where that was. The file is compiled
   without tables for unwinding, so that no exception of C++ finds its way to who called, which is a pcall of Lua. */
#define _GNU_SOURCE
#include "codec/apart.h"
#include "spread.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static board *here;
static _Thread_local int number = NOBODY;

enum {
    ALTERNATE = 1 << 16,             /* bytes of stack for handlers: a plugin may have used up the other */
    POPULATE_WRITE = 23,             /* MADV_POPULATE_WRITE of Linux 5.14, refused by others */
};

static void on_fault(int signal_number)
{
    atomic_store(&here->ender, number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);            /* pending until we return */
}

/* exit() by a plugin: what the parent wants done at its own end is not ours to do. */
static void on_leaving(int status, void *unused)
{
    atomic_store(&here->ender, number);
    _exit(status);
}

static void set_up_signals(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    struct sigaction a = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigaction(faults[i], &a, NULL);
    signal(SIGINT, SIG_IGN);         /* Ctrl-C reaches both; the parent decides */
    signal(SIGTERM, SIG_DFL);
    hz_signal_clear();
    on_exit(on_leaving, NULL);
}

/* Where memory runs out, this process is ended and not the parent. */
static void die_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    if (fd >= 0 && write(fd, "1000", 4) == 4)
        close(fd);
}

/* What is printed goes to the parent, nothing is read, and no core of this size is written. */
static void set_up_files(int words)
{
    struct rlimit none = { 0, 0 };
    int empty = open("/dev/null", O_RDONLY);
    die_first();
    setrlimit(RLIMIT_CORE, &none);
    dup2(empty, STDIN_FILENO);
    dup2(words, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
}

/* Makes pages for this worker's share of what will be decoded: faster than one fault for each. */
static void populate(const job *j, int worker)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), all = (uintptr_t)(j->n * j->stride);
    uintptr_t from = all / page * (uintptr_t)worker / (uintptr_t)j->threads * page;
    uintptr_t to = all / page * (uintptr_t)(worker + 1) / (uintptr_t)j->threads * page;
    if (from < to)
        madvise(j->decoded + from, to - from, POPULATE_WRITE);
}

static void work(void *arg, int worker)
{
    char stack[ALTERNATE];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack }, none = { .ss_flags = SS_DISABLE };
    board *b = arg;
    number = worker;
    sigaltstack(&alternate, NULL);
    populate(&b->job, worker);
    job_work(&b->job, worker);
    sigaltstack(&none, NULL);
    atomic_store(&b->at[worker], AT_REST);
}

void apart_child(board *b, int parent, outlets to)
{
    here = b;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    set_up_files(to.words);
    set_up_signals();
    spread(b->job.threads, work, b);
    if (b->job.tables && tables_write(b->job.tables, to.tables)) {
        b->job.code = HZ_EMEM;
        snprintf(b->job.message, sizeof b->job.message, "%s", hz_message());
        atomic_store(&b->job.failed, -1);
    }
    atomic_store(&b->done, 1);
    _exit(0);
}

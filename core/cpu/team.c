/* team.c: persistent worker threads. The caller is worker 0 and works too, so a job ends even if no other thread
   ever runs. Tasks are claimed from one 64-bit ticket, tasks<<32 | next: a late worker sees either nothing left
   or a valid claim of the current job, never half of two jobs. Idle workers spin a little (a step has dozens of jobs
   a few microseconds apart), then sleep. */
#define _GNU_SOURCE
#include "cpu/cpu.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPINS = 4000 };        /* about 50 to 150 microseconds */

static struct {
    pthread_mutex_t entry;    /* one job at a time */
    pthread_mutex_t lock;     /* guards sleeping only */
    pthread_cond_t wake, done;
    int threads;              /* wanted, the caller included; 0: not asked yet */
    int started;              /* running helper threads */
    pthread_t helper[TEAM_MAX];
    atomic_int stop, sleeping, waiting;
    atomic_uint generation;   /* raised for each job */
    team_task *fn;
    void *arg;
    _Alignas(64) atomic_ullong ticket;
    _Alignas(64) atomic_uint finished;
} team = { .entry = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

static _Thread_local int inside, self;      /* inside a task; its worker number */

static void pause_spin(void) { __builtin_ia32_pause(); }

/* ---- how many threads the machine grants ---- */

/* Cores granted by "quota period" in a cgroup v2 cpu.max, or by the two v1 files; INT_MAX if unlimited. */
static int quota_v2(const char *dir)
{
    char path[1200];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    FILE *f = fopen(path, "r");
    int n = f ? fscanf(f, "%lld %lld", &quota, &period) : 0;      /* "max 100000" reads nothing */
    if (f)
        fclose(f);
    return n == 2 && quota > 0 && period > 0 ? (int)ceil_div(quota, period) : INT_MAX;
}

static int quota_v1(const char *dir)
{
    static const char *const file[2] = { "cpu.cfs_quota_us", "cpu.cfs_period_us" };
    long long value[2] = { 0, 0 };
    for (int i = 0; i < 2; i++) {
        char path[1200];
        snprintf(path, sizeof path, "%s/%s", dir, file[i]);
        FILE *f = fopen(path, "r");
        if (!f)
            return INT_MAX;
        if (fscanf(f, "%lld", &value[i]) != 1)
            value[i] = 0;
        fclose(f);
    }
    return value[0] > 0 && value[1] > 0 ? (int)ceil_div(value[0], value[1]) : INT_MAX;
}

/* The tightest limit from the process's group up to the root of the hierarchy. */
static int quota_upwards(const char *root, const char *group, int (*quota)(const char *))
{
    char dir[1100];
    int least = INT_MAX;
    if (snprintf(dir, sizeof dir, "%s%s", root, group) >= (int)sizeof dir)
        return least;
    for (;;) {
        int q = quota(dir);
        least = q < least ? q : least;
        char *slash = strrchr(dir, '/');
        if (!slash || strlen(dir) <= strlen(root))
            return least;
        *slash = 0;
    }
}

static int cgroup_limit(void)
{
    char line[1024];
    int least = INT_MAX;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {                    /* "4:cpu,cpuacct:/group" or "0::/group" */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        controllers++;
        int q = INT_MAX;
        if (!*controllers)
            q = quota_upwards("/sys/fs/cgroup", group, quota_v2);
        else if (!strcmp(controllers, "cpu") || !strncmp(controllers, "cpu,", 4) || strstr(controllers, ",cpu,"))
            q = quota_upwards("/sys/fs/cgroup/cpu", group, quota_v1);
        least = q < least ? q : least;
    }
    if (f)
        fclose(f);
    return least;
}

static int machine_threads(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    int limit = cgroup_limit();
    n = limit < n ? limit : n;
    return n < 1 ? 1 : n > TEAM_MAX ? TEAM_MAX : n;
}

/* HZ_THREADS as a number, 0 if it is not set, -1 if it makes no sense. */
static int asked_threads(void)
{
    const char *text = getenv("HZ_THREADS");
    if (!text || !*text)
        return 0;
    char *end;
    long n = strtol(text, &end, 10);
    return *end || n < 1 || n > TEAM_MAX ? -1 : (int)n;
}

hz_status team_check(void)
{
    if (asked_threads() < 0)
        return hz_fail(HZ_EARG, "HZ_THREADS: '%s' was given; need a number from 1 to %d", getenv("HZ_THREADS"),
                       TEAM_MAX);
    return HZ_OK;
}

int hz_cpu_threads(void)
{
    if (!team.threads) {
        int asked = asked_threads();
        team.threads = asked > 0 ? asked : machine_threads();
    }
    return team.threads;
}

int team_threads(void) { return hz_cpu_threads(); }

/* ---- workers ---- */

static void work(int worker)
{
    inside = 1;
    self = worker;
    for (;;) {
        unsigned long long claim = atomic_fetch_add(&team.ticket, 1);
        unsigned tasks = (unsigned)(claim >> 32), task = (unsigned)claim;
        if (task >= tasks)
            break;
        team.fn(team.arg, (int)task, worker);
        if (atomic_fetch_add(&team.finished, 1) + 1 == tasks && atomic_load(&team.waiting)) {
            pthread_mutex_lock(&team.lock);
            pthread_cond_signal(&team.done);
            pthread_mutex_unlock(&team.lock);
        }
    }
    inside = 0;
}

static unsigned await_job(unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&team.generation, memory_order_acquire) != seen)
            return atomic_load(&team.generation);
        pause_spin();
    }
    pthread_mutex_lock(&team.lock);
    atomic_fetch_add(&team.sleeping, 1);
    while (atomic_load(&team.generation) == seen)
        pthread_cond_wait(&team.wake, &team.lock);
    atomic_fetch_sub(&team.sleeping, 1);
    pthread_mutex_unlock(&team.lock);
    return atomic_load(&team.generation);
}

static void raise_generation(void)
{
    atomic_fetch_add(&team.generation, 1);
    if (atomic_load(&team.sleeping)) {
        pthread_mutex_lock(&team.lock);
        pthread_cond_broadcast(&team.wake);
        pthread_mutex_unlock(&team.lock);
    }
}

static void *helper_main(void *number)
{
    unsigned seen = 0;        /* a job that began before this thread did is taken up too */
    for (;;) {
        seen = await_job(seen);
        if (atomic_load(&team.stop))
            return NULL;
        work((int)(intptr_t)number);
    }
}

/* Ends all helpers; the caller holds `entry`, so no job is running. */
static void stop_helpers(void)
{
    atomic_store(&team.stop, 1);
    raise_generation();
    for (int i = 0; i < team.started; i++)
        pthread_join(team.helper[i], NULL);
    team.started = 0;
    atomic_store(&team.stop, 0);
    atomic_store(&team.generation, 0);
}

/* Signals are the main thread's. A thread the system refuses is done without: the others take its tasks. */
static void start_helpers(int wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team.started < wanted &&
           !pthread_create(&team.helper[team.started], NULL, helper_main, (void *)(intptr_t)(team.started + 1)))
        team.started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

hz_status hz_cpu_set_threads(int n)
{
    if (n < 1 || n > TEAM_MAX)
        return hz_fail(HZ_EARG, "threads: %d was given; need 1 to %d", n, TEAM_MAX);
    pthread_mutex_lock(&team.entry);
    if (team.started > n - 1)
        stop_helpers();
    team.threads = n;
    pthread_mutex_unlock(&team.entry);
    return HZ_OK;
}

static void await_end(unsigned tasks)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&team.finished, memory_order_acquire) == tasks)
            return;
        pause_spin();
    }
    pthread_mutex_lock(&team.lock);
    atomic_store(&team.waiting, 1);
    while (atomic_load(&team.finished) != tasks)
        pthread_cond_wait(&team.done, &team.lock);
    atomic_store(&team.waiting, 0);
    pthread_mutex_unlock(&team.lock);
}

void team_run(int tasks, team_task *fn, void *arg)
{
    if (inside || tasks <= 1 || team_threads() == 1) {      /* a task may call on: it is worker `self` all along */
        int worker = inside ? self : 0;
        for (int i = 0; i < tasks; i++)
            fn(arg, i, worker);
        return;
    }
    pthread_mutex_lock(&team.entry);
    if (team.started < team.threads - 1)
        start_helpers(team.threads - 1);
    team.fn = fn;
    team.arg = arg;
    atomic_store(&team.finished, 0);
    atomic_store(&team.ticket, (unsigned long long)tasks << 32);
    raise_generation();
    work(0);
    await_end((unsigned)tasks);
    pthread_mutex_unlock(&team.entry);
}

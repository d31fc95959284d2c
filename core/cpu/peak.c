/* peak.c: the FMA peak of the level in force: register-only multiply-adds (isa/peak.inc.h, pairs) on all threads
   at once, in many short windows. The best window counts: a neighbour on the machine, an interrupt or a clock that
   has yet to rise only ever make one slower. */
#include "cpu/micro.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { WINDOWS = 400 };               /* at most; of WINDOW seconds or, where more time is asked for, longer */
static const double WINDOW = 2e-3;
static const double SHORTEST = 1e-4;
static const double WARM = 1e-3;      /* seconds before the first window: the clock settles, the units power up */

typedef struct race {
    double (*flops)(long steps);
    double begin, window;             /* seconds: of the first window, of each */
    int threads, windows;
    long steps;                       /* of one call: a twentieth of a window or less */
    atomic_int arrived, released;
    double (*rate)[WINDOWS];          /* (threads, windows): flops per second of each task in each window */
} race;

/* Tasks wait for each other (at most 50 ms), so that all cores are measured under the same load; the last
   sets the time. */
static void meet(race *r)
{
    double start = hz_seconds();
    if (atomic_fetch_add(&r->arrived, 1) + 1 == r->threads) {
        r->begin = hz_seconds() + WARM;
        atomic_store(&r->released, 1);
    }
    while (!atomic_load(&r->released) && hz_seconds() - start < 0.05) {}
}

/* Windows are slices of one clock, so that their sum over the tasks is a rate that the machine had at one time. */
static void race_task(void *arg, int task, int worker)
{
    race *r = arg;
    meet(r);
    if (!atomic_load(&r->released))   /* fewer threads than tasks: one task after the other */
        r->begin = hz_seconds() + WARM;
    double begin = r->begin, now = hz_seconds();
    while (now < begin) {
        r->flops(r->steps);
        now = hz_seconds();
    }
    for (int k = 0; k < r->windows; k++) {
        double from = now, end = begin + (k + 1) * r->window, done = 0;
        while (now < end) {
            done += r->flops(r->steps);
            now = hz_seconds();
        }
        r->rate[task][k] = now > from ? done / (now - from) : 0;
    }
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Steps that take about a fortieth of a window. */
static long steps_for(double (*flops)(long), double window)
{
    long steps = 64;
    for (double seconds = 0; seconds < window / 40 && steps < 1L << 30; steps *= 2) {
        double begin = hz_seconds();
        flops(steps);
        seconds = hz_seconds() - begin;
    }
    return steps / 2;
}

/* Windows in which every task ran; of a window that one of them slept through nothing can be said. */
static int sums_of(const race *r, double *sum)
{
    int n = 0;
    for (int k = 0; k < r->windows; k++) {
        double all = 0, least = 1;
        for (int i = 0; i < r->threads; i++) {
            all += 1e-9 * r->rate[i][k];
            least = r->rate[i][k] < least ? r->rate[i][k] : least;
        }
        if (least > 0)
            sum[n++] = all;
    }
    return n;
}

static void measure(race *r, hz_peak *out)
{
    double sum[WINDOWS];
    int n = 0;
    while (n == 0) {
        atomic_store(&r->arrived, 0);
        atomic_store(&r->released, 0);
        team_run(r->threads, race_task, r);
        n = sums_of(r, sum);
    }
    qsort(sum, (size_t)n, sizeof *sum, descending);
    *out = (hz_peak){ .best = sum[0], .median = sum[n / 2], .windows = n };
}

hz_status hz_cpu_peak_windows(int dtype, int threads, double seconds, hz_peak *out)
{
    const cpu_micro *m = cpu_micro_now();
    int before = team_threads();
    race r = { .flops = dtype == HZ_BF16 && m->peak_bf16 ? m->peak_bf16 : m->peak_f32 };
    r.threads = threads < 1 ? 1 : threads > TEAM_MAX ? TEAM_MAX : threads;
    r.windows = seconds < WINDOW ? 1 : seconds > WINDOWS * WINDOW ? WINDOWS : (int)(seconds / WINDOW);
    r.window = seconds < SHORTEST ? SHORTEST : seconds / r.windows;
    r.rate = calloc((size_t)r.threads, sizeof *r.rate);
    if (!r.rate)
        return hz_fail(HZ_EMEM, "peak: no memory for %d threads", r.threads);
    if (r.threads != before)
        hz_cpu_set_threads(r.threads);
    r.steps = steps_for(r.flops, r.window);
    measure(&r, out);
    if (r.threads != before)
        hz_cpu_set_threads(before);
    free(r.rate);
    return HZ_OK;
}

double hz_cpu_peak(int dtype, int threads, double seconds)
{
    hz_peak peak = { 0 };
    return hz_cpu_peak_windows(dtype, threads, seconds, &peak) ? 0 : peak.best;
}

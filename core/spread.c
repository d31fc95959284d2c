/* spread.c: threads that live as long as one call. A thread that cannot be started is made up for by the caller. */
#include "spread.h"
#include "hz/cpu.h"
#include <pthread.h>

enum { MOST = 256 };

typedef struct share {
    void (*work)(void *job, int i);
    void *job;
    int i, started;
    pthread_t thread;
} share;

int spread_threads(int asked)
{
    if (asked <= 0)
        asked = hz_cpu_threads();
    return asked < MOST ? asked : MOST;
}

static void *start(void *arg)
{
    share *s = arg;
    s->work(s->job, s->i);
    return NULL;
}

void spread(int threads, void (*work)(void *job, int i), void *job)
{
    share shares[MOST];
    for (int i = 1; i < threads; i++) {
        shares[i] = (share){ .work = work, .job = job, .i = i };
        shares[i].started = pthread_create(&shares[i].thread, NULL, start, &shares[i]) == 0;
    }
    work(job, 0);
    for (int i = 1; i < threads; i++)
        if (shares[i].started)
            pthread_join(shares[i].thread, NULL);
        else
            work(job, i);
}

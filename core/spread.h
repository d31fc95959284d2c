/* spread.h: the same function on several threads, for work that takes long enough to pay for starting them. */
#ifndef HZ_CORE_SPREAD_H
#define HZ_CORE_SPREAD_H

/* Threads to use when `asked` for; 0 or less: hz_cpu_threads(). 1 .. 256. */
int spread_threads(int asked);
/* Calls work(job, i) for each i in 0 .. threads-1, in parallel as far as threads can be had, and returns
   when all are done. */
void spread(int threads, void (*work)(void *job, int i), void *job);

#endif

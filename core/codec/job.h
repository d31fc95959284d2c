/* job.h: a set on its way through a codec: recode.c works on it, apart.c has that done by a process of its own. */
#ifndef HZ_CORE_JOB_H
#define HZ_CORE_JOB_H
#include "codec/door.h"
#include <pthread.h>
#include <stdatomic.h>

/* What a thread is at work on where it is no item: what comes before its first, what comes after its last, nothing any
   more. */
enum { AT_BEGIN = -1, AT_END = -2, AT_REST = -3 };

typedef struct job {
    const codec_row *row;
    const double *values;
    const hz_media *items;           /* (n) */
    uint8_t *decoded;                /* n places, `stride` bytes from one to the next */
    int64_t n, stride;
    int64_t end;                     /* items from here on stay as they are */
    hz_recoded *out;                 /* (n) or NULL */
    hz_tables *tables;               /* or NULL; guarded by lock */
    int threads, chunk;
    atomic_llong *at;                /* (threads) the item that each is at, or as above; NULL: nobody looks */
    atomic_llong next, failed;       /* first item not yet handed out; lowest that failed, n: none, -1: before any */
    pthread_mutex_t lock;
    hz_status code;                  /* of `failed`, with its message; guarded by lock */
    char message[1024];
} job;

hz_status job_set_up(job *j, hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride, int threads);
void job_work(void *job, int worker);                    /* for spread, by `threads` workers */
hz_status job_finish(job *j);                            /* what came of it, once all workers have ended */
const char *job_item(const job *j);                      /* "image", "sound" */

#endif

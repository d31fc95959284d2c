/* runtime.h: what the backend asks of the machinery below it: a card by the CUDA runtime (runtime_cuda.c), or the
   emulation (emu/runtime.cc). One device per process, one stream: copies, fills, launches and replays happen in the
   order in which they were asked for, after the call has returned. [main] */
#ifndef CUDA_RUNTIME_H
#define CUDA_RUNTIME_H
#include "hz/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct runtime_graph runtime_graph;           /* launches, recorded */
typedef struct runtime_clock runtime_clock;           /* readings of the device's clock */

extern const char *const runtime_name;                /* "cuda", "emu" */
/* which: what stands behind the colon of a device's name, "" for the first. */
hz_status runtime_open(const char *which);
const char *runtime_describe(void);                   /* "NVIDIA H200, 139.8 GiB, CUDA 13.0"; lent for ever */
hz_status runtime_room(size_t *unused, size_t *all);  /* bytes */
int runtime_bf16(void);                               /* 1: the device multiplies bf16 (sm_80 and later) */

/* As hz_memory has them. */
void *runtime_alloc(size_t bytes);
void runtime_free(void *p, size_t bytes);
hz_status runtime_copy_in(void *to, const void *from, size_t bytes);
hz_status runtime_copy_out(void *to, const void *from, size_t bytes, uint64_t *mark);
hz_status runtime_fill(void *to, int byte, size_t bytes);
hz_status runtime_synchronise(uint64_t mark);

void *runtime_stream(void);                           /* for launches */
hz_status runtime_check(const char *who);             /* whether the launches so far could be made */

/* From begin to end launches are recorded, not made. *out: new; NULL where it failed. */
hz_status runtime_record(void);
hz_status runtime_recorded(runtime_graph **out);
hz_status runtime_replay(runtime_graph *g);
void runtime_graph_free(runtime_graph *g);            /* NULL is fine */

/* Readings 0..n-1; taken on the stream, told when it has come that far. */
runtime_clock *runtime_clock_new(int n);              /* NULL, message set */
void runtime_clock_free(runtime_clock *c);
hz_status runtime_clock_read(runtime_clock *c, int i);
hz_status runtime_clock_ms(runtime_clock *c, int from, int to, double *ms);      /* waits */

#ifdef __cplusplus
}
#endif
#endif

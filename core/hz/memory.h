/* memory.h: what tensors and arenas lie in: the host's memory, or memory of a device, which the host reaches
   through these functions alone. */
#ifndef HZ_MEMORY_H
#define HZ_MEMORY_H
#include "hz/base.h"
#pragma GCC visibility push(default)

/* Copies, fills, frees and runs happen on the device in the order in which they were asked for. [main] */
typedef struct hz_memory {
    uint32_t size;                        /* sizeof *this */
    const char *name;                     /* "host", "far" */
    int32_t is_host;                      /* 1: the host may read and write it; what a run yields is there
                                             when it returns */
    void *(*alloc)(size_t bytes);         /* new: free; 64-byte aligned, contents undefined. NULL, message set */
    void (*free)(void *p, size_t bytes);  /* taken; NULL is fine */
    /* from the host, who may change `from` afterwards */
    hz_status (*copy_in)(void *to, const void *from, size_t bytes);
    /* To the host: `to` holds the bytes once synchronise(*mark) has returned; before, it may hold anything. */
    hz_status (*copy_out)(void *to, const void *from, size_t bytes, uint64_t *mark);
    hz_status (*fill)(void *to, int byte, size_t bytes);
    /* Waits for all that was asked for up to `mark`, 0: until now. Fails where one of it did. */
    hz_status (*synchronise)(uint64_t mark);
} hz_memory;

/* Bytes of tensors and plans that were copied to devices, and home from them, since the process began; answers of
   plans apart. [main] */
void hz_copied(int64_t *in, int64_t *out);

#pragma GCC visibility pop
#endif

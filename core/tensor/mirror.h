/* mirror.h: copies of a storage in memories of devices. The storage's own memory, the host's, stands in the
   middle: what one device computed comes home before the host or another device sees it. Only bytes that are
   newer on the other side move. */
#ifndef MIRROR_H
#define MIRROR_H
#include "tensor/storage.h"

/* Part of a storage, in bytes. */
typedef struct region {
    hz_storage *storage;
    size_t from, to;
} region;
region region_of(const hz_tensor *t);     /* from the first byte to the last that the view may reach */

/* Where the mirror in `m` begins, made if there is none: at first it lacks all that the host has, or nothing where
   `blank` (the caller fills both alike). It lives as long as the storage. In the host's own memory: the storage's.
   NULL, message set. [main] */
char *mirror_data(hz_storage *s, const hz_memory *m, int blank);
void mirrors_free(hz_storage *s);         /* with the storage */

/* Before a run on `m` that reads the region: all of the storage that others wrote is there. */
hz_status region_to(region r, const hz_memory *m);
/* After a run on `m` that wrote it. */
hz_status region_written(region r, const hz_memory *m);
/* Before the host looks (hz_use). */
hz_status region_home(region r, int use);
#endif

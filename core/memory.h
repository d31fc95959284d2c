/* memory.h: the core's own side of memory: what counts in hz_live_bytes. */
#ifndef MEMORY_H
#define MEMORY_H
#include "hz/memory.h"

extern const hz_memory memory_host;       /* hz_alloc and memcpy */

void memory_count(int64_t bytes);         /* so many more, or fewer where negative. [any] */
/* Zeroed memory that costs nothing until it is touched, and is not counted: the host's side of what lives on a device.
   new: memory_unmap with the same byte count; NULL, message set. */
void *memory_map(size_t bytes);
void memory_unmap(void *p, size_t bytes);
#endif

/* parts.h: a list of items on the device that one launch works through: each of its blocks takes a part of an item. C11
   and C++17. */
#ifndef CUDA_PARTS_H
#define CUDA_PARTS_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What block i takes: elements of an item from part times the size of a part on. */
typedef struct part {
    int32_t item, part;
} part;

/* On the device. bytes 0: there is no list. */
typedef struct parts {
    void *items;
    part *of;                 /* (count), by block */
    int64_t count;
    size_t bytes;
} parts;

/* new, empty if there is no element: a copy of n items of `size` bytes, cut into parts of `each` elements; elements:
   where the first item has its number of them. HZ_EMEM or HZ_EDEVICE, message set. */
hz_status parts_make(parts *p, const void *items, int n, size_t size, const int64_t *elements, int each);
void parts_free(parts *p);

#ifdef __cplusplus
}
#endif
#endif

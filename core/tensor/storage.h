/* storage.h: counted memory behind tensors and arenas; core only. */
#ifndef STORAGE_H
#define STORAGE_H
#include "hz/tensor.h"

struct hz_storage {
    _Atomic int uses;
    size_t bytes;
    void *data;
    void (*release)(void *data, size_t bytes);
    struct mirror *mirrors;                              /* in memories of devices, see mirror.h; NULL for nearly all */
};

/* One use; NULL, message set. */
hz_storage *storage_new(size_t bytes, void *(*alloc)(size_t), void (*release)(void *, size_t));
hz_storage *storage_hold(hz_storage *s);
void storage_drop(hz_storage *s);                        /* NULL is fine */
/* Whether some device may have newer bytes or lack some: else the host has nothing to ask for. */
static inline int is_mirrored(const hz_tensor *t) { return t->storage && t->storage->mirrors; }
/* A contiguous tensor at byte `offset` of `s`; takes a use of its own. NULL, message set. */
hz_tensor *storage_tensor(hz_storage *s, size_t offset, int dtype, int ndim, const int64_t *shape);
#endif

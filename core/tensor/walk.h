/* walk.h: going over the elements of strided tensors together; for the files of this folder. */
#ifndef WALK_H
#define WALK_H
#include "hz/tensor.h"
#include <string.h>

/* Walks up to three tensors of one shape together. */
typedef struct walk {
    int n, ndim;
    const int64_t *shape;
    int64_t index[HZ_MAXDIM];
    struct { char *p; int64_t step[HZ_MAXDIM]; } t[3];
} walk;

static inline void walk_add(walk *w, const hz_tensor *t)
{
    int k = w->n++;
    w->t[k].p = t->data;
    for (int i = 0; i < t->ndim; i++)
        w->t[k].step[i] = t->stride[i] * (int64_t)hz_dtype_bytes(t->dtype);
}

static inline void walk_next(walk *w)
{
    for (int d = w->ndim - 1; d >= 0; d--) {
        w->index[d]++;
        for (int k = 0; k < w->n; k++)
            w->t[k].p += w->t[k].step[d];
        if (w->index[d] < w->shape[d])
            return;
        for (int k = 0; k < w->n; k++)
            w->t[k].p -= w->t[k].step[d] * w->shape[d];
        w->index[d] = 0;
    }
}

static inline walk walk_over(const hz_tensor *out, const hz_tensor *a, const hz_tensor *b)
{
    walk w = { .ndim = out->ndim, .shape = out->shape };
    walk_add(&w, out);
    if (a)
        walk_add(&w, a);
    if (b)
        walk_add(&w, b);
    return w;
}

/* Operands for reading, then the result for writing: it may be one of them. Absent ones are NULL. */
static inline hz_status at_host(const hz_tensor *out, const hz_tensor *a, const hz_tensor *b)
{
    hz_status status = a ? hz_tensor_host(a, HZ_READ) : HZ_OK;
    status = status || !b ? status : hz_tensor_host(b, HZ_READ);
    return status ? status : hz_tensor_host(out, HZ_OVERWRITE);
}

static inline int same_shape(const hz_tensor *a, const hz_tensor *b)
{
    return a->ndim == b->ndim && !memcmp(a->shape, b->shape, sizeof *a->shape * (size_t)a->ndim);
}
#endif

/* tensor.h: strided n-dimensional arrays over counted storage.
   Images are (N,H,W,C), channels last; convolution weights are (O,H,W,I). Strides count elements, not bytes. */
#ifndef HZ_TENSOR_H
#define HZ_TENSOR_H
#include "hz/memory.h"
#pragma GCC visibility push(default)

typedef enum hz_dtype { HZ_F32, HZ_BF16, HZ_U8, HZ_I32, HZ_F64, HZ_NDTYPE } hz_dtype;
enum { HZ_MAXDIM = 6 };

typedef struct hz_storage hz_storage;       /* reference-counted memory; freed with its last tensor */

typedef struct hz_tensor {
    hz_storage *storage;         /* one count of it is ours */
    void *data;                  /* first element on the host; inside storage. Whoever looks asks
                                    hz_tensor_host first */
    int32_t dtype;               /* hz_dtype */
    int32_t ndim;                /* 0 (a scalar) .. HZ_MAXDIM */
    int64_t shape[HZ_MAXDIM];    /* each >= 0 */
    int64_t stride[HZ_MAXDIM];   /* elements; 0 repeats */
} hz_tensor;

/* --- making: new (free with hz_tensor_free), NULL on failure --- */
hz_tensor *hz_tensor_new(int dtype, int ndim, const int64_t *shape);            /* contiguous, zeroed */
hz_tensor *hz_tensor_empty(int dtype, int ndim, const int64_t *shape);          /* contiguous, undefined contents */
hz_tensor *hz_tensor_alias(const hz_tensor *t);                                 /* same storage, own shape */
/* [from,to), a view. */
hz_tensor *hz_tensor_slice(const hz_tensor *t, int dim, int64_t from, int64_t to, int64_t step);
hz_tensor *hz_tensor_select(const hz_tensor *t, int dim, int64_t index);        /* drops dim, a view */
hz_tensor *hz_tensor_permute(const hz_tensor *t, const int32_t *order);         /* a view */
/* View if contiguous, else a copy; one -1 is inferred. */
hz_tensor *hz_tensor_reshape(const hz_tensor *t, int ndim, const int64_t *shape);
hz_tensor *hz_tensor_expand(const hz_tensor *t, int ndim, const int64_t *shape);  /* broadcast view */
void hz_tensor_free(hz_tensor *t);                                              /* taken; NULL is fine */
/* Gives its storage up and becomes an empty 1-d tensor; header stays the caller's. */
void hz_tensor_clear(hz_tensor *t);
/* `from` is taken; `to` holds what it held (and held nothing before). */
void hz_tensor_move(hz_tensor *to, hz_tensor *from);

/* --- asking --- */
int64_t hz_tensor_count(const hz_tensor *t);
int hz_tensor_contiguous(const hz_tensor *t);
int hz_tensor_uses(const hz_tensor *t);                  /* tensors (and plans) that share the storage */
size_t hz_dtype_bytes(int dtype);
const char *hz_dtype_name(int dtype);                    /* "f32"; lent for ever; NULL when out of range */
int hz_dtype_named(const char *name);                    /* -1 if unknown */
/* Product of a shape, -1 (message set) on a negative extent or overflow. The one place where that is checked. */
int64_t hz_shape_count(int ndim, const int64_t *shape);
/* index inside the shape; NaN, message set, where hz_tensor_host fails */
double hz_tensor_at(const hz_tensor *t, const int64_t *index);
hz_status hz_tensor_put(hz_tensor *t, const int64_t *index, double value);      /* rounds and saturates to the dtype */

/* --- the host's side --- */
/* HZ_OVERWRITE: what was there does not matter. */
typedef enum hz_use { HZ_READ, HZ_WRITE, HZ_OVERWRITE } hz_use;
/* Makes t->data hold what a device with memory of its own computed last, and notes where the host will write (until the
   next run on that device). All functions of this header do so themselves. HZ_EDEVICE: the device is lost. [main] */
hz_status hz_tensor_host(const hz_tensor *t, int use);

/* --- changing --- */
hz_status hz_tensor_copy(hz_tensor *to, const hz_tensor *from);      /* same shape after broadcast; converts */
hz_status hz_tensor_fill(hz_tensor *t, double value);

/* Element-wise arithmetic with broadcasting, computed in f64, stored in `out`'s dtype. Names: add sub mul div pow max
   min eq ne lt le gt ge; unary: neg abs sqrt exp log sin cos tanh relu sign floor round isfinite. */
hz_status hz_tensor_binary(const char *name, hz_tensor *out, const hz_tensor *a, const hz_tensor *b);
hz_status hz_tensor_unary(const char *name, hz_tensor *out, const hz_tensor *a);
/* Reduces dimension `dim` (all if -1): sum mean max min argmax argmin var. out has that dimension removed. */
hz_status hz_tensor_reduce(const char *name, hz_tensor *out, const hz_tensor *a, int dim);

/* Random contents from Philox, key = seed, stream = a number of the caller's: uniform [a,b) or normal(a,b).
   f32 or f64. */
hz_status hz_tensor_uniform(hz_tensor *t, double a, double b, uint64_t seed, uint32_t stream);
hz_status hz_tensor_normal(hz_tensor *t, double mean, double deviation, uint64_t seed, uint32_t stream);

#pragma GCC visibility pop
#endif

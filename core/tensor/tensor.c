/* tensor.c: making and freeing tensors. A tensor is a view: shape and strides over a storage whose count it shares. */
#include "tensor/mirror.h"
#include "tensor/storage.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; size_t bytes; } dtypes[HZ_NDTYPE] = {
    [HZ_F32] = { "f32", 4 }, [HZ_BF16] = { "bf16", 2 }, [HZ_U8] = { "u8", 1 }, [HZ_I32] = { "i32", 4 },
    [HZ_F64] = { "f64", 8 },
};

static int is_dtype(int d) { return d >= 0 && d < HZ_NDTYPE; }
size_t hz_dtype_bytes(int dtype) { return is_dtype(dtype) ? dtypes[dtype].bytes : 0; }
const char *hz_dtype_name(int dtype) { return is_dtype(dtype) ? dtypes[dtype].name : NULL; }

int hz_dtype_named(const char *name)
{
    for (int i = 0; i < HZ_NDTYPE; i++)
        if (!strcmp(dtypes[i].name, name))
            return i;
    return -1;
}

/* Bytes that a process can address. */
static const int64_t MOST_ELEMENTS = (int64_t)1 << 47;

int64_t hz_shape_count(int ndim, const int64_t *shape)
{
    int64_t n = 1;
    if (ndim < 0 || ndim > HZ_MAXDIM) {
        hz_fail(HZ_ESHAPE, "tensor: %d dimensions were given; needs 0 to %d", ndim, HZ_MAXDIM);
        return -1;
    }
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0) {
            hz_fail(HZ_ESHAPE, "tensor: extent %d is %lld; needs 0 or more", i + 1, (long long)shape[i]);
            return -1;
        }
        if (__builtin_mul_overflow(n, shape[i], &n) || n > MOST_ELEMENTS) {
            hz_fail(HZ_ESHAPE, "tensor: the shape has more elements than memory can address");
            return -1;
        }
    }
    return n;
}

/* ---- storage ---- */

hz_storage *storage_new(size_t bytes, void *(*alloc)(size_t), void (*release)(void *, size_t))
{
    hz_storage *s = malloc(sizeof *s);
    if (!s) {
        hz_fail(HZ_EMEM, "memory: %zu bytes were asked for; the system has no more", sizeof *s);
        return NULL;
    }
    void *data = alloc(bytes);
    if (!data) {
        free(s);
        return NULL;
    }
    *s = (hz_storage){ .uses = 1, .bytes = bytes, .data = data, .release = release };
    return s;
}

hz_storage *storage_hold(hz_storage *s)
{
    if (s)                           /* a cleared tensor has none */
        atomic_fetch_add(&s->uses, 1);
    return s;
}

void storage_drop(hz_storage *s)
{
    if (!s || atomic_fetch_sub(&s->uses, 1) > 1)
        return;
    if (s->mirrors)
        mirrors_free(s);
    s->release(s->data, s->bytes);
    free(s);
}

hz_tensor *storage_tensor(hz_storage *s, size_t offset, int dtype, int ndim, const int64_t *shape)
{
    int64_t n = hz_shape_count(ndim, shape);
    if (n < 0)
        return NULL;
    assert(offset + (size_t)n * hz_dtype_bytes(dtype) <= s->bytes);
    hz_tensor *t = calloc(1, sizeof *t);
    if (!t) {
        hz_fail(HZ_EMEM, "tensor: no memory for a header of %zu bytes", sizeof *t);
        return NULL;
    }
    *t = (hz_tensor){ .storage = storage_hold(s), .data = (char *)s->data + offset, .dtype = dtype, .ndim = ndim };
    int64_t step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        t->shape[i] = shape[i];
        t->stride[i] = step;
        step *= shape[i];
    }
    return t;
}

/* ---- making ---- */

hz_tensor *hz_tensor_empty(int dtype, int ndim, const int64_t *shape)
{
    if (!is_dtype(dtype)) {
        hz_fail(HZ_EDTYPE, "tensor: dtype %d is unknown; have f32 bf16 u8 i32 f64", dtype);
        return NULL;
    }
    int64_t n = hz_shape_count(ndim, shape);
    if (n < 0)
        return NULL;
    hz_storage *s = storage_new((size_t)n * dtypes[dtype].bytes, hz_alloc, hz_free);
    if (!s)
        return NULL;
    hz_tensor *t = storage_tensor(s, 0, dtype, ndim, shape);
    storage_drop(s);
    return t;
}

hz_tensor *hz_tensor_new(int dtype, int ndim, const int64_t *shape)
{
    hz_tensor *t = hz_tensor_empty(dtype, ndim, shape);
    if (t)
        memset(t->data, 0, t->storage->bytes);
    return t;
}

hz_tensor *hz_tensor_alias(const hz_tensor *t)
{
    hz_tensor *v = malloc(sizeof *v);
    if (!v) {
        hz_fail(HZ_EMEM, "tensor: no memory for a header of %zu bytes", sizeof *v);
        return NULL;
    }
    *v = *t;
    storage_hold(v->storage);
    return v;
}

void hz_tensor_free(hz_tensor *t)
{
    if (!t)
        return;
    storage_drop(t->storage);
    free(t);
}

void hz_tensor_clear(hz_tensor *t)
{
    storage_drop(t->storage);
    *t = (hz_tensor){ .dtype = t->dtype, .ndim = 1, .stride = { 1 } };
}

void hz_tensor_move(hz_tensor *to, hz_tensor *from)
{
    *to = *from;
    free(from);
}

/* ---- asking ---- */

int64_t hz_tensor_count(const hz_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++)
        n *= t->shape[i];
    return n;
}

int hz_tensor_contiguous(const hz_tensor *t)
{
    int64_t step = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != step)
            return 0;
        step *= t->shape[i];
    }
    return 1;
}

int hz_tensor_uses(const hz_tensor *t) { return t->storage ? atomic_load(&t->storage->uses) : 0; }

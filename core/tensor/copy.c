/* copy.c: single elements, copies between strides and dtypes, and what needs such a copy: reshaping. Values that change
   their dtype pass through a double. */
#include "number.h"
#include "tensor/storage.h"
#include "tensor/walk.h"
#include <stdio.h>
#include <string.h>

static char *element(const hz_tensor *t, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < t->ndim; i++)
        at += index[i] * t->stride[i];
    return (char *)t->data + at * (int64_t)hz_dtype_bytes(t->dtype);
}

double hz_tensor_at(const hz_tensor *t, const int64_t *index)
{
    return is_mirrored(t) && hz_tensor_host(t, HZ_READ) ? NAN : number_get(element(t, index), t->dtype);
}

hz_status hz_tensor_put(hz_tensor *t, const int64_t *index, double value)
{
    hz_status status = is_mirrored(t) ? hz_tensor_host(t, HZ_WRITE) : HZ_OK;
    if (!status)
        number_put(element(t, index), t->dtype, value);
    return status;
}

#define MOVE(type) for (int64_t i = 0; i < n; i++) memcpy(to + i * to_step, from + i * from_step, sizeof(type))

/* Moves n elements of one size from one stride (bytes) to another. */
static void move_row(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n, size_t bytes)
{
    switch (bytes) {
    case 1: MOVE(uint8_t); break;
    case 2: MOVE(uint16_t); break;
    case 4: MOVE(uint32_t); break;
    default: MOVE(uint64_t);
    }
}

/* Same dtype and shape, any strides: nothing is converted, the last dimension is one tight loop. */
static void move(hz_tensor *to, const hz_tensor *from)
{
    int64_t count = hz_tensor_count(to), n = to->shape[to->ndim - 1];
    walk w = walk_over(to, from, NULL);
    w.ndim--;
    for (int64_t i = 0; i < count; i += n, walk_next(&w))
        move_row(w.t[0].p, w.t[0].step[w.ndim], w.t[1].p, w.t[1].step[w.ndim], n, hz_dtype_bytes(to->dtype));
}

/* `from` can be broadcast over `to`. */
static int spreads(const hz_tensor *from, const hz_tensor *to)
{
    int more = to->ndim - from->ndim;
    for (int i = 0; i < from->ndim && more >= 0; i++)
        if (from->shape[i] != 1 && from->shape[i] != to->shape[i + more])
            return 0;
    return more >= 0;
}

static const char *shape_text(char text[128], const hz_tensor *t)
{
    int n = 0;
    for (int i = 0; i < t->ndim; i++)
        n += snprintf(text + n, (size_t)(128 - n), "%s%lld", i ? "," : "", (long long)t->shape[i]);
    text[n] = 0;
    return text;
}

/* Whether some byte of one may belong to the other: the ranges between their first and last bytes meet. */
static int may_overlap(const hz_tensor *a, const hz_tensor *b)
{
    const hz_tensor *t[2] = { a, b };
    const char *first[2], *last[2];
    for (int k = 0; k < 2; k++) {
        int64_t bytes = (int64_t)hz_dtype_bytes(t[k]->dtype);
        first[k] = t[k]->data;
        last[k] = first[k] + bytes;
        for (int i = 0; i < t[k]->ndim; i++) {
            int64_t reach = (t[k]->shape[i] - 1) * t[k]->stride[i] * bytes;
            *(reach < 0 ? &first[k] : &last[k]) += reach;
        }
    }
    return a->storage == b->storage && first[0] < last[1] && first[1] < last[0];
}

/* Of one shape, anywhere. */
static void convert(hz_tensor *to, const hz_tensor *from)
{
    if (to->dtype == from->dtype && to->ndim > 0) {
        move(to, from);
        return;
    }
    int64_t count = hz_tensor_count(to);
    walk w = walk_over(to, from, NULL);
    for (int64_t i = 0; i < count; i++, walk_next(&w))
        number_put(w.t[0].p, to->dtype, number_get(w.t[1].p, from->dtype));
}

/* By way of memory of its own: what is written must not be read again. */
static hz_status convert_apart(hz_tensor *to, const hz_tensor *from)
{
    hz_tensor *between = hz_tensor_empty(from->dtype, from->ndim, from->shape);
    if (!between)
        return hz_fail_in(HZ_EMEM, "copy: ");
    convert(between, from);
    convert(to, between);
    hz_tensor_free(between);
    return HZ_OK;
}

hz_status hz_tensor_copy(hz_tensor *to, const hz_tensor *from)
{
    int64_t count = hz_tensor_count(to);
    char given[128], needed[128];
    if (!spreads(from, to))
        return hz_fail(HZ_ESHAPE, "copy: (%s) was given; needs (%s), or extents of 1", shape_text(given, from),
                       shape_text(needed, to));
    if (!count)
        return HZ_OK;
    if (to->dtype == from->dtype && same_shape(to, from) && hz_tensor_contiguous(to) && hz_tensor_contiguous(from)) {
        hz_status status = at_host(to, from, NULL);
        if (status)
            return status;
        memmove(to->data, from->data, (size_t)count * hz_dtype_bytes(to->dtype));
        return HZ_OK;
    }
    hz_tensor *source = hz_tensor_expand(from, to->ndim, to->shape);
    if (!source)
        return hz_fail_in(HZ_EMEM, "copy: ");
    hz_status status = at_host(to, source, NULL);
    if (!status && may_overlap(to, source))
        status = convert_apart(to, source);
    else if (!status)
        convert(to, source);
    hz_tensor_free(source);
    return status;
}

hz_status hz_tensor_fill(hz_tensor *t, double value)
{
    hz_status status = hz_tensor_host(t, HZ_OVERWRITE);
    int64_t count = status ? 0 : hz_tensor_count(t);
    walk w = walk_over(t, NULL, NULL);
    for (int64_t i = 0; i < count; i++, walk_next(&w))
        number_put(w.t[0].p, t->dtype, value);
    return status;
}

/* ---- reshaping ---- */

static hz_tensor *contiguous(const hz_tensor *t)
{
    if (hz_tensor_contiguous(t))
        return hz_tensor_alias(t);
    hz_tensor *c = hz_tensor_empty(t->dtype, t->ndim, t->shape);
    if (c && hz_tensor_copy(c, t)) {
        hz_tensor_free(c);
        return NULL;
    }
    return c;
}

/* Fills in one extent given as -1. */
static hz_status infer_shape(const hz_tensor *t, int ndim, const int64_t *shape, int64_t *full)
{
    int64_t count = hz_tensor_count(t);
    int unknown = -1;
    int64_t known = 1;
    if (ndim < 0 || ndim > HZ_MAXDIM)
        return hz_fail(HZ_ESHAPE, "reshape: %d dimensions were given; needs 0 to %d", ndim, HZ_MAXDIM);
    for (int i = 0; i < ndim; i++) {
        full[i] = shape[i];
        if (shape[i] == -1 && unknown < 0)
            unknown = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known))
            return hz_fail(HZ_ESHAPE, "reshape: extent %d is %lld; needs 0 or more, or one -1", i + 1,
                           (long long)shape[i]);
    }
    if (unknown >= 0)
        full[unknown] = known > 0 ? count / known : 0;
    if (unknown >= 0)
        known *= full[unknown];
    if (known != count)
        return hz_fail(HZ_ESHAPE, "reshape: the new shape has %lld elements; the tensor has %lld", (long long)known,
                       (long long)count);
    return HZ_OK;
}

hz_tensor *hz_tensor_reshape(const hz_tensor *t, int ndim, const int64_t *shape)
{
    int64_t full[HZ_MAXDIM];
    if (infer_shape(t, ndim, shape, full))
        return NULL;
    hz_tensor *v = contiguous(t);
    if (!v)
        return NULL;
    v->ndim = ndim;
    int64_t step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        v->shape[i] = full[i];
        v->stride[i] = step;
        step *= full[i];
    }
    return v;
}

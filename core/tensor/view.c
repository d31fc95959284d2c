/* view.c: other shapes and strides over the same storage; nothing is moved. */
#include "bounds.h"
#include "hz/tensor.h"

static hz_status check_dim(const hz_tensor *t, int dim, const char *who)
{
    if (dim < 0 || dim >= t->ndim)
        return hz_fail(HZ_ESHAPE, "%s: dimension %d was given; the tensor has %d", who, dim + 1, t->ndim);
    return HZ_OK;
}

static void advance(hz_tensor *v, int64_t elements)
{
    v->data = (char *)v->data + elements * (int64_t)hz_dtype_bytes(v->dtype);
}

hz_tensor *hz_tensor_slice(const hz_tensor *t, int dim, int64_t from, int64_t to, int64_t step)
{
    if (check_dim(t, dim, "slice"))
        return NULL;
    if (step < 1 || from < 0 || to < from || to > t->shape[dim]) {
        hz_fail(HZ_ESHAPE,
                "slice: %lld to %lld in steps of %lld; needs a range inside 0..%lld and a step of at least 1",
                (long long)from, (long long)to, (long long)step, (long long)t->shape[dim]);
        return NULL;
    }
    hz_tensor *v = hz_tensor_alias(t);
    if (!v)
        return NULL;
    if (to > from)
        advance(v, from * t->stride[dim]);
    v->shape[dim] = ceil_div(to - from, step);
    v->stride[dim] = t->stride[dim] * step;
    return v;
}

hz_tensor *hz_tensor_select(const hz_tensor *t, int dim, int64_t index)
{
    if (check_dim(t, dim, "select"))
        return NULL;
    if (index < 0 || index >= t->shape[dim]) {
        hz_fail(HZ_ESHAPE, "index: %lld of dimension %d; needs 1..%lld", (long long)index + 1, dim + 1,
                (long long)t->shape[dim]);
        return NULL;
    }
    hz_tensor *v = hz_tensor_alias(t);
    if (!v)
        return NULL;
    advance(v, index * t->stride[dim]);
    v->ndim--;
    for (int i = dim; i < v->ndim; i++) {
        v->shape[i] = t->shape[i + 1];
        v->stride[i] = t->stride[i + 1];
    }
    return v;
}

hz_tensor *hz_tensor_permute(const hz_tensor *t, const int32_t *order)
{
    int seen = 0;
    for (int i = 0; i < t->ndim; i++) {
        if (order[i] < 0 || order[i] >= t->ndim || seen >> order[i] & 1) {
            hz_fail(HZ_ESHAPE, "permute: the order does not name each of the %d dimensions once", t->ndim);
            return NULL;
        }
        seen |= 1 << order[i];
    }
    hz_tensor *v = hz_tensor_alias(t);
    for (int i = 0; v && i < t->ndim; i++) {
        v->shape[i] = t->shape[order[i]];
        v->stride[i] = t->stride[order[i]];
    }
    return v;
}

hz_tensor *hz_tensor_expand(const hz_tensor *t, int ndim, const int64_t *shape)
{
    if (hz_shape_count(ndim, shape) < 0)
        return NULL;
    hz_tensor *v = ndim < t->ndim ? NULL : hz_tensor_alias(t);
    if (!v) {
        if (ndim < t->ndim)
            hz_fail(HZ_ESHAPE, "expand: %d dimensions were given; the tensor has %d", ndim, t->ndim);
        return NULL;
    }
    v->ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        int j = i - (ndim - t->ndim);
        int64_t own = j < 0 ? 1 : t->shape[j];
        if (own != shape[i] && own != 1) {
            hz_fail(HZ_ESHAPE, "expand: extent %d is %lld; needs %lld or 1", i + 1, (long long)own,
                    (long long)shape[i]);
            hz_tensor_free(v);
            return NULL;
        }
        v->shape[i] = shape[i];
        v->stride[i] = own == shape[i] && j >= 0 ? t->stride[j] : 0;
    }
    return v;
}

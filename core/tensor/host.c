/* host.c: tensors from the host: which bytes of its storage a view reaches, and that these are there (mirror.c). */
#include "tensor/mirror.h"
#include "tensor/storage.h"

region region_of(const hz_tensor *t)
{
    region r = { .storage = t->storage };
    int64_t last = 0;
    if (!t->storage || hz_tensor_count(t) == 0)
        return r;
    for (int i = 0; i < t->ndim; i++)
        last += (t->shape[i] - 1) * t->stride[i];
    r.from = (size_t)((char *)t->data - (char *)t->storage->data);
    r.to = r.from + (size_t)(last + 1) * hz_dtype_bytes(t->dtype);
    return r;
}

hz_status hz_tensor_host(const hz_tensor *t, int use)
{
    if (!is_mirrored(t))
        return HZ_OK;
    return region_home(region_of(t), use == HZ_OVERWRITE && !hz_tensor_contiguous(t) ? HZ_WRITE : use);
}

/* parts.c: items and the list of their parts, in one block of the device's memory. */
#include "cuda/parts.h"
#include "cuda/runtime.h"
#include <stdlib.h>
#include <string.h>

static int64_t parts_of(const int64_t *elements, size_t size, int i, int each)
{
    int64_t n = *(const int64_t *)((const char *)elements + size * (size_t)i);
    return (n + each - 1) / each;
}

hz_status parts_make(parts *p, const void *items, int n, size_t size, const int64_t *elements, int each)
{
    int64_t count = 0;
    for (int i = 0; i < n; i++)
        count += parts_of(elements, size, i, each);
    *p = (parts){ 0 };
    if (!count)
        return HZ_OK;
    size_t head = (size_t)n * size, bytes = head + (size_t)count * sizeof(part);
    char *image = malloc(bytes);
    if (!image)
        return cuda_core->fail(HZ_EMEM, "%s: no memory for a list of %d items", runtime_name, n);
    memcpy(image, items, head);
    part *at = (part *)(image + head);
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < parts_of(elements, size, i, each); k++)
            *at++ = (part){ i, k };
    char *there = runtime_alloc(bytes);
    hz_status status = there ? runtime_copy_in(there, image, bytes) : HZ_EMEM;
    free(image);
    if (there)
        *p = (parts){ .items = there, .of = (part *)(there + head), .count = count, .bytes = bytes };
    return status;
}

void parts_free(parts *p)
{
    runtime_free(p->bytes ? p->items : NULL, p->bytes);
    *p = (parts){ 0 };
}

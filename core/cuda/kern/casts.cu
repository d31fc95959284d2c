/* casts.cu: many casts in one launch (casts.h). A block takes a part of one of them, its threads neighbours. */
#include "cuda/casts.h"
#include "cuda/lang.h"

template <class From, class To> static __device__ __forceinline__ void cast_part_of(const cast &c, int64_t first)
{
    const From *from = (const From *)c.from;
    To *to = (To *)c.to;
    int64_t last = min(first + CAST_PART, c.n);
    for (int64_t i = first + threadIdx.x; i < last; i += BLOCK)
        store(to, i, load(from, i));
}

static __global__ void casts_kernel(const cast *items, const part *of)
{
    part mine = of[blockIdx.x];
    cast c = items[mine.item];
    int64_t first = (int64_t)mine.part * CAST_PART;
    switch (c.kind) {
    case CAST_NARROW: return cast_part_of<float, bf16>(c, first);
    case CAST_WIDEN:  return cast_part_of<bf16, float>(c, first);
    default:          return cast_part_of<float, float>(c, first);
    }
}

void launch_casts(const parts *list, void *stream)
{
    HZ_LAUNCH_FLAT(casts_kernel, (unsigned)list->count, BLOCK, 0, stream, (const cast *)list->items,
                   (const part *)list->of);
}

void check_cast(const cast *c)
{
    HZ_CHECK_POINTER("casts_kernel", 0, c->from);
    HZ_CHECK_POINTER("casts_kernel", 1, c->to);
}

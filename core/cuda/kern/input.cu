/* input.cu: a batch out of the resident set: equal draws to the CPU's, as batch.h is theirs, too. A block makes an
   item, so that its place in the order, shift and side are drawn once. Rows that are not in use are zeros. */
#include "cuda/kernel.h"
#include "cuda/lang.h"
#include "batch.h"

/* What the node makes; labels and items may be absent. */
template <class T> struct made {
    T *x;                     /* (B,H,W,C) */
    int32_t *label, *item;    /* (B) */
};

/* What a block knows of its item. Shared, as one thread draws for all. */
struct drawn {
    batch b;
    batch_item it;
    int used;
};

static __device__ __forceinline__ void draw(drawn *d, const hz_step *step, int64_t row)
{
    batch_begin(&d->b, step);
    d->used = row < step->count;
    d->it = d->used ? batch_item_of(&d->b, row) : batch_item{ 0, 0, 0, 0 };
}

/* Element e of the item: from where in the data, and as which number. */
template <class T, class D> static __device__ __forceinline__ T element(const drawn &d, const D *data, int e)
{
    const batch &b = d.b;
    int c = (int)b.c, w = (int)b.w, ch = e % c, ox = e / c % w, oy = e / c / w;
    int64_t iy = batch_inside(oy + d.it.dy, b.h, b.fill);
    int64_t ix = batch_inside((d.it.flip ? w - 1 - ox : ox) + d.it.dx, w, b.fill);
    T value = (T)data[((d.it.item * b.h + iy) * w + ix) * c + ch];
    return (value * (T)b.scale - (T)b.mean[ch % 4]) / (T)b.deviation[ch % 4];
}

template <class T, class D>
static __global__ void input_kernel(const D *data, const int32_t *labels, made<T> out, batch b, const hz_step *step)
{
    __shared__ drawn d;
    int64_t row = blockIdx.x;
    if (threadIdx.x == 0) {
        d.b = b;
        draw(&d, step, row);
        if (out.label)
            out.label[row] = d.used ? labels[d.it.item] : 0;
        if (out.item)
            out.item[row] = (int32_t)d.it.item;
    }
    __syncthreads();
    int size = (int)(d.b.h * d.b.w * d.b.c);
    T *x = out.x + row * size;
    for (int e = threadIdx.x; e < size; e += BLOCK)
        store(x, e, d.used ? element<wide<T>>(d, data, e) : 0);
}

template <class T> static hz_status input(const hz_work *w, const cuda_call *c)
{
    batch b = batch_of(w);
    made<T> out = { (T *)w->out[0].data, (int32_t *)w->out[1].data, (int32_t *)w->out[2].data };
    const int32_t *labels = (const int32_t *)w->in[1].data;
    unsigned rows = (unsigned)w->out[0].shape[0];
    if (b.u8)
        HZ_LAUNCH((input_kernel<T, uint8_t>), rows, BLOCK, 0, c->stream, (const uint8_t *)w->in[0].data, labels, out, b,
                  c->step);
    else
        HZ_LAUNCH((input_kernel<T, float>), rows, BLOCK, 0, c->stream, (const float *)w->in[0].data, labels, out, b,
                  c->step);
    return HZ_OK;
}

PLAIN_RUN(input)
/* An item's elements are counted by an int. */
static int input_accepts(const hz_work *w)
{
    return cuda_plain_accepts(w) && cuda_size(&w->in[0], 1, w->in[0].ndim) < INT32_MAX;
}
const cuda_kernel plain_input = { "plain", input_accepts, 0, 0, 0, 0, 0, input_run };

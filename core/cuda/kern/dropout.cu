/* dropout.cu: dropout and its gradient: a thread makes a byte of the mask and the eight elements that it stands for,
   whose halves of words are one block of Philox (hz/philox.h). */
#include "cuda/kern/act.h"
#include "hz/philox.h"

/* Items of `size` elements, `bytes` of mask each. */
struct masks {
    int64_t rows, size, bytes;
};

/* The eight bits of elements 8*byte .. of an item: 1 where kept. */
static __device__ __forceinline__ unsigned kept(const hz_step *s, uint32_t byte, uint32_t item, hz_dropout a)
{
    uint32_t word[4], bits = 0;
    hz_random4(s->seed, byte, item, (uint32_t)s->epoch, (uint32_t)a.layer, HZ_FOR_DROPOUT, word);
    for (int i = 0; i < 8; i++)
        bits |= (uint32_t)((float)(word[i / 2] >> 16 * (i & 1) & 0xffff) * (1.0f / 65536) >= a.rate) << i;
    return bits;
}

template <class T>
static __global__ void dropout_kernel(const T *x, const int32_t *item, T *y, uint8_t *mask, masks m, hz_dropout a,
                                      const hz_step *step)
{
    int64_t i = thread_number(), row = i / m.bytes, byte = i % m.bytes;
    if (row >= m.rows)
        return;
    int n = (int)min((int64_t)8, m.size - byte * 8);
    unsigned bits = kept(step, (uint32_t)byte, (uint32_t)item[row], a) & ((1u << n) - 1);
    wide<T> scale = 1 / (1 - (wide<T>)a.rate);
    mask[i] = (uint8_t)bits;
    for (int64_t e = 0, at = row * m.size + byte * 8; e < n; e++)
        store(y, at + e, bits >> e & 1 ? load(x, at + e) * scale : 0);
}

template <class T>
static __global__ void dropout_grad_kernel(const T *dy, const uint8_t *mask, const T *gate, T *dx, masks m, float rate,
                                           hz_act_attr act)
{
    int64_t i = thread_number(), row = i / m.bytes, byte = i % m.bytes;
    if (row >= m.rows)
        return;
    int n = (int)min((int64_t)8, m.size - byte * 8);
    unsigned bits = mask[i];
    wide<T> scale = 1 / (1 - (wide<T>)rate);
    for (int64_t e = 0, at = row * m.size + byte * 8; e < n; e++) {
        wide<T> d = bits >> e & 1 ? load(dy, at + e) * scale : 0;
        store(dx, at + e, act.act == HZ_LINEAR ? d : d * slope(load(gate, at + e), act));
    }
}

static masks masks_of(const hz_work *w)
{
    int64_t size = cuda_size(&w->in[0], 1, w->in[0].ndim);
    return masks{ w->in[0].shape[0], size, (size + 7) / 8 };
}

template <class T> static hz_status dropout(const hz_work *w, const cuda_call *c)
{
    masks m = masks_of(w);
    HZ_LAUNCH_FLAT(dropout_kernel<T>, blocks_of(m.rows * m.bytes), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const int32_t *)w->in[1].data, (T *)w->out[0].data, (uint8_t *)w->out[1].data, m, w->attr.dropout,
                   c->step);
    return HZ_OK;
}

template <class T> static hz_status dropout_grad(const hz_work *w, const cuda_call *c)
{
    masks m = masks_of(w);
    HZ_LAUNCH_FLAT(dropout_grad_kernel<T>, blocks_of(m.rows * m.bytes), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const uint8_t *)w->in[1].data, (const T *)w->in[2].data, (T *)w->out[0].data, m,
                   w->attr.dropout.rate, epilogue_of(w));
    return HZ_OK;
}

PLAIN_KERNEL(dropout)
PLAIN_KERNEL(dropout_grad)

/* dropout.cu: dropout and its gradient: a thread makes a byte of the mask and the eight elements that it stands for,
   whose halves of words are one block of Philox (hz/philox.h). Where items are whole bytes, N is eight, else one. */
#include "cuda/kern/act.h"
#include "cuda/kern/pack.h"
#include "hz/philox.h"

enum { BITS = 8 };

/* Items of `size` elements, `bytes` of mask each. */
struct masks {
    int64_t rows, size, bytes;
};

/* The bits of elements 8*byte .. of an item: 1 where kept. */
static __device__ __forceinline__ unsigned kept(const hz_step *s, uint32_t byte, uint32_t item, hz_dropout a)
{
    uint32_t word[4], bits = 0;
    hz_random4(s->seed, byte, item, (uint32_t)s->epoch, (uint32_t)a.layer, HZ_FOR_DROPOUT, word);
    for (int i = 0; i < BITS; i++)
        bits |= (uint32_t)((float)(word[i / 2] >> 16 * (i & 1) & 0xffff) * (1.0f / 65536) >= a.rate) << i;
    return bits;
}

/* What becomes of N elements from i on, by so many bits. */
template <int N, class T>
static __device__ __forceinline__ void thin(const T *x, const T *gate, T *y, int64_t i, unsigned bits, float rate,
                                            hz_act_attr act)
{
    wide<T> scale = 1 / (1 - (wide<T>)rate);
    values<T, N> v = load_values<N>(x, i);
    for (int e = 0; e < N; e++)
        v.at[e] = bits >> e & 1 ? v.at[e] * scale : 0;
    if (act.act != HZ_LINEAR) {
        values<T, N> of = load_values<N>(gate, i);
        for (int e = 0; e < N; e++)
            v.at[e] *= slope(of.at[e], act);
    }
    store_values<N>(y, i, v);
}

/* A thread's byte: where it lies among the masks, its item, its number in that. */
struct spot {
    int64_t at, row, byte;
};

static __device__ __forceinline__ spot spot_of(const masks &m)
{
    spot s = { thread_number(), quotient(thread_number(), m.bytes), 0 };
    s.byte = s.at - s.row * m.bytes;
    return s;
}

/* All elements of a byte. */
template <int N, class T>
static __device__ __forceinline__ void thin_byte(const T *x, const T *gate, T *y, const masks &m, spot s, unsigned bits,
                                                 float rate, hz_act_attr act)
{
    int64_t first = s.row * m.size + s.byte * BITS, n = min((int64_t)BITS, m.size - s.byte * BITS);
    for (int64_t e = 0; e < n; e += N)
        thin<N>(x, gate, y, first + e, bits >> e, rate, act);
}

template <class T, int N>
static __global__ void dropout_kernel(const T *x, const int32_t *item, T *y, uint8_t *mask, masks m, hz_dropout a,
                                      const hz_step *step)
{
    spot s = spot_of(m);
    if (s.row >= m.rows)
        return;
    int64_t over = max((int64_t)0, (s.byte + 1) * BITS - m.size);
    unsigned bits = kept(step, (uint32_t)s.byte, (uint32_t)item[s.row], a) & 0xffu >> over;
    mask[s.at] = (uint8_t)bits;
    thin_byte<N>(x, x, y, m, s, bits, a.rate, hz_act_attr{ HZ_LINEAR, 0 });
}

template <class T, int N>
static __global__ void dropout_grad_kernel(const T *dy, const uint8_t *mask, const T *gate, T *dx, masks m, float rate,
                                           hz_act_attr act)
{
    spot s = spot_of(m);
    if (s.row < m.rows)
        thin_byte<N>(dy, gate, dx, m, s, mask[s.at], rate, act);
}

static masks masks_of(const hz_work *w)
{
    int64_t size = cuda_size(&w->in[0], 1, w->in[0].ndim);
    return masks{ w->in[0].shape[0], size, (size + BITS - 1) / BITS };
}

template <class T, int N> static hz_status dropout_by(const hz_work *w, const cuda_call *c)
{
    masks m = masks_of(w);
    HZ_LAUNCH_FLAT((dropout_kernel<T, N>), blocks_of(m.rows * m.bytes), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (const int32_t *)w->in[1].data, (T *)w->out[0].data, (uint8_t *)w->out[1].data, m, w->attr.dropout,
                   c->step);
    return HZ_OK;
}

template <class T, int N> static hz_status dropout_grad_by(const hz_work *w, const cuda_call *c)
{
    masks m = masks_of(w);
    HZ_LAUNCH_FLAT((dropout_grad_kernel<T, N>), blocks_of(m.rows * m.bytes), BLOCK, 0, c->stream,
                   (const T *)w->in[0].data, (const uint8_t *)w->in[1].data, (const T *)w->in[2].data,
                   (T *)w->out[0].data, m, w->attr.dropout.rate, epilogue_of(w));
    return HZ_OK;
}

#define BY_BYTES(op) \
    template <class T> static hz_status op(const hz_work *w, const cuda_call *c) \
    { \
        int whole = masks_of(w).size % BITS == 0 && in_packs<T>(w, per_pack<T>); \
        return whole ? op##_by<T, BITS>(w, c) : op##_by<T, 1>(w, c); \
    }

BY_BYTES(dropout)
BY_BYTES(dropout_grad)
PLAIN_KERNEL(dropout)
PLAIN_KERNEL(dropout_grad)

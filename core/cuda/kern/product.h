/* product.h: sums of products c(row, column) = sum over taps t and k of a(row, t, k) * b(column, t, k), for dense
   layers, convolutions and Muon. What a and b are is said by sides: a side finds an index's place once, then says for
   each tap where its values over k lie (a stretch). Sums are made of parts of at most PART products, in one order that
   depends on the sizes alone. An end says what becomes of a sum. */
#ifndef CUDA_PRODUCT_H
#define CUDA_PRODUCT_H
#include "cuda/kern/act.h"

/* Values over k: data[base + k*step] for lo <= k < hi, 0 elsewhere. */
typedef struct stretch {
    int64_t base;
    int step, lo, hi;
} stretch;

/* rows x columns sums of taps x depth products. Slices share the taps: each makes rows x columns sums of its own. */
typedef struct extent {
    int64_t rows, columns;
    int taps, depth, slices;
} extent;

enum { PART = 32 };

static __device__ __forceinline__ int first_tap(extent e, int64_t slice) { return (int)(e.taps * slice / e.slices); }

/* Values that lie evenly: of a matrix, transposed or not, or of filters. */
struct even_side {
    int64_t by_index, by_tap;
    int by_k;
    int64_t all;                  /* k + tap*depth stays below */
    int depth;
    typedef int64_t place;
    __device__ __forceinline__ place find(int64_t index) const { return index * by_index; }
    __device__ __forceinline__ stretch at(place p, int tap) const
    {
        int64_t left = all - (int64_t)tap * depth;
        return stretch{ p + tap * by_tap, by_k, 0, (int)(left < depth ? left : depth) };
    }
};

/* One thread per sum. */
template <class W, class A, class B, class End, class DA, class DB, class DX, class DC>
static __global__ void flat_product(extent e, A a, B b, End end, const DA *va, const DB *vb, const DX *extra, DC *out)
{
    int64_t i = thread_number(), column = i % e.columns, row = i / e.columns % e.rows;
    int64_t slice = i / e.columns / e.rows;
    if (slice >= e.slices)
        return;
    typename A::place pa = a.find(row);
    typename B::place pb = b.find(column);
    W sum = 0;
    for (int t = first_tap(e, slice), last = first_tap(e, slice + 1); t < last; t++) {
        stretch sa = a.at(pa, t), sb = b.at(pb, t);
        int lo = sa.lo > sb.lo ? sa.lo : sb.lo, hi = sa.hi < sb.hi ? sa.hi : sb.hi;
        for (int from = lo; from < hi; from += PART) {
            W part = 0;
            int to = from + PART < hi ? from + PART : hi;
            for (int k = from; k < to; k++)
                part += (W)load(va, sa.base + (int64_t)k * sa.step) * (W)load(vb, sb.base + (int64_t)k * sb.step);
            sum += part;
        }
    }
    end.put(extra, out, (slice * e.rows + row) * e.columns + column, column, sum);
}

template <class W, class A, class B, class End, class DA, class DB, class DX, class DC>
static void launch_product(void *stream, extent e, A a, B b, End end, const DA *va, const DB *vb, const DX *extra,
                           DC *out)
{
    int64_t all = e.rows * e.columns * e.slices;
    HZ_LAUNCH_FLAT((flat_product<W, A, B, End, DA, DB, DX, DC>), blocks_of(all), BLOCK, 0, stream, e, a, b, end, va, vb,
                   extra, out);
}
#endif

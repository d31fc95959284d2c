/* product.h: sums of products c(row, column) = sum over taps t and k of a(row, t, k) * b(column, t, k), for dense
   layers, convolutions and Muon. What a and b are is said by sides: a side finds an index's place once, then says for
   each tap where its values over k lie (a stretch). Sums are made of parts of at most PART products, in one order that
   depends on the sizes alone. Where there are few sums, slices of the taps are added up apart, so that a card has
   enough to do, and then those. An end says what becomes of a sum. */
#ifndef CUDA_PRODUCT_H
#define CUDA_PRODUCT_H
#include "cuda/kern/act.h"

/* Values over k: data[base + k*step] for lo <= k < hi, 0 elsewhere. */
typedef struct stretch {
    int64_t base;
    int step, lo, hi;
} stretch;

/* rows x columns sums of taps x depth products. Slices share the taps. */
typedef struct extent {
    int64_t rows, columns;
    int taps, depth, slices;
} extent;

enum { PART = 32, DEPTH = 128 };

static __device__ __forceinline__ int first_tap(extent e, int64_t slice) { return (int)(e.taps * slice / e.slices); }

/* Values that lie evenly: of a matrix, transposed or not, or of filters. */
struct even_side {
    int64_t by_index, by_tap;
    int by_k;
    int64_t all;                  /* k + tap*depth stays below */
    int depth;
    typedef int64_t place;
    __device__ __forceinline__ int along_k() const { return by_k == 1; }
    __device__ __forceinline__ place find(int64_t index) const { return index * by_index; }
    __device__ __forceinline__ stretch at(place p, int tap) const
    {
        int64_t left = all - (int64_t)tap * depth;
        return stretch{ p + tap * by_tap, by_k, 0, (int)(left < depth ? left : depth) };
    }
};

/* Rows of a matrix of `length` columns, and columns of one of `length` rows, `width` of them, DEPTH of k at a time. */
static inline even_side rows_side(int64_t length) { return even_side{ length, DEPTH, 1, length, DEPTH }; }
static inline even_side columns_side(int64_t length, int64_t width)
{
    return even_side{ 1, DEPTH * width, (int)width, length, DEPTH };
}

/* ---- sums of slices ---- */

/* Rows of a slice at least, slices at most; that many sums at a time keep a card busy. */
static const int64_t SLICE = 32, SLICES = 1024, SUMS = 1 << 20;

/* Of sums of so many terms. */
static inline int slices_of(int64_t terms, int64_t sums)
{
    int64_t n = (SUMS + sums - 1) / sums, most = (terms + SLICE - 1) / SLICE;
    n = n < most ? n : most;
    return (int)(n < SLICES ? n : SLICES);
}

static inline extent extent_of(int64_t rows, int64_t columns, int64_t taps, int64_t depth)
{
    int64_t slices = slices_of(taps * depth, rows * columns);
    return extent{ rows, columns, (int)taps, (int)depth, (int)(slices < taps ? slices : taps) };
}

/* A product of matrices: `length` terms, DEPTH a tap. */
static inline extent extent_of(int64_t rows, int64_t columns, int64_t length)
{
    return extent_of(rows, columns, (length + DEPTH - 1) / DEPTH, length < DEPTH ? length : (int64_t)DEPTH);
}

/* Sums that a launch needs room for. */
static inline int64_t sums_of(extent e) { return e.slices > 1 ? e.rows * e.columns * e.slices : 0; }

template <class W, class End, class DX, class DC>
static __device__ __forceinline__ void put(const extent &e, W *sums, const End &end, const DX *extra, DC *out,
                                           int64_t slice, int64_t row, int64_t column, W sum)
{
    if (e.slices > 1)
        sums[(slice * e.rows + row) * e.columns + column] = sum;
    else
        end.put(extra, out, row * e.columns + column, column, sum);
}

template <class W, class End, class DX, class DC>
static __global__ void add_slices(const W *sums, int64_t n, int64_t columns, int slices, End end, const DX *extra,
                                  DC *out)
{
    int64_t i = thread_number();
    if (i >= n)
        return;
    W sum = 0;
    for (int from = 0; from < slices; from += PART) {
        W part = 0;
        for (int s = from; s < slices && s < from + PART; s++)
            part += sums[s * n + i];
        sum += part;
    }
    end.put(extra, out, i, i % columns, sum);
}

struct sum_end {
    template <class W>
    __device__ __forceinline__ void put(const W *none, W *out, int64_t i, int64_t column, W sum) const { out[i] = sum; }
};

/* ---- a thread per sum ---- */

template <class W, class A, class B, class End, class DA, class DB, class DX, class DC>
static __global__ void flat_product(extent e, A a, B b, End end, const DA *va, const DB *vb, W *sums, const DX *extra,
                                    DC *out)
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
            int to = from + PART < hi ? from + PART : hi;
            W part = 0;
            for (int k = from; k < to; k++)
                part += (W)load(va, sa.base + (int64_t)k * sa.step) * (W)load(vb, sb.base + (int64_t)k * sb.step);
            sum += part;
        }
    }
    put(e, sums, end, extra, out, slice, row, column, sum);
}

/* ---- by tiles: a block makes TILE x TILE sums, a thread EACH x EACH of them ---- */

enum { TILE = 64, STEP = 16, EACH = 4, LOADS = TILE * STEP / BLOCK };

/* A side's values for a tile's indices and STEP k: thread t loads the j-th of them at (index(j), k(j)), neighbours in
   memory by neighbours in a warp. */
template <class Side> struct tile_side {
    typename Side::place places[LOADS];
    stretch at[LOADS];
    int along_k;
    __device__ __forceinline__ int index(int j) const
    {
        int t = (int)threadIdx.x;
        return along_k ? t / STEP + j * (BLOCK / STEP) : t % TILE;
    }
    __device__ __forceinline__ int k(int j) const
    {
        int t = (int)threadIdx.x;
        return along_k ? t % STEP : t / TILE + j * (BLOCK / TILE);
    }
    __device__ __forceinline__ void find(const Side &side, int64_t first, int64_t count)
    {
        along_k = side.along_k();
        for (int j = 0; j < LOADS; j++) {
            int64_t i = first + index(j);
            places[j] = side.find(i < count ? i : count - 1);
        }
    }
    __device__ __forceinline__ void turn(const Side &side, int tap)
    {
        for (int j = 0; j < LOADS; j++)
            at[j] = side.at(places[j], tap);
    }
    template <class W, class D>
    __device__ __forceinline__ void fill(W (*tile)[TILE + EACH], const D *values, int from) const
    {
        for (int j = 0; j < LOADS; j++) {
            int i = from + k(j);
            bool lies = i >= at[j].lo && i < at[j].hi;
            tile[k(j)][index(j)] = lies ? (W)load(values, at[j].base + (int64_t)i * at[j].step) : (W)0;
        }
    }
};

template <class W>
static __device__ __forceinline__ void multiply(W (*a)[TILE + EACH], W (*b)[TILE + EACH], W (*part)[EACH], int steps)
{
    int row = (int)threadIdx.x / (TILE / EACH) * EACH, column = (int)threadIdx.x % (TILE / EACH) * EACH;
    for (int k = 0; k < steps; k++)
        for (int i = 0; i < EACH; i++)
            for (int j = 0; j < EACH; j++)
                part[i][j] += a[k][row + i] * b[k][column + j];
}

template <class W, class A, class B, class End, class DA, class DB, class DX, class DC>
static __global__ void __launch_bounds__(BLOCK)
tiled_product(extent e, A a, B b, End end, const DA *va, const DB *vb, W *sums, const DX *extra, DC *out)
{
    __shared__ __align__(16) W as[STEP][TILE + EACH];
    __shared__ __align__(16) W bs[STEP][TILE + EACH];
    int64_t slice = blockIdx.z, row = (int64_t)blockIdx.x * TILE, column = (int64_t)blockIdx.y * TILE;
    tile_side<A> ta;
    tile_side<B> tb;
    ta.find(a, row, e.rows);
    tb.find(b, column, e.columns);
    W sum[EACH][EACH] = {};
    for (int t = first_tap(e, slice), last = first_tap(e, slice + 1); t < last; t++) {
        ta.turn(a, t);
        tb.turn(b, t);
        for (int from = 0; from < e.depth; from += PART) {
            W part[EACH][EACH] = {};
            for (int k = from; k < e.depth && k < from + PART; k += STEP) {
                ta.fill(as, va, k);
                tb.fill(bs, vb, k);
                __syncthreads();
                multiply(as, bs, part, e.depth - k < STEP ? e.depth - k : STEP);
                __syncthreads();
            }
            HZ_UNROLL
            for (int i = 0; i < EACH * EACH; i++)
                sum[i / EACH][i % EACH] += part[i / EACH][i % EACH];
        }
    }
    row += threadIdx.x / (TILE / EACH) * EACH;
    column += threadIdx.x % (TILE / EACH) * EACH;
    HZ_UNROLL
    for (int i = 0; i < EACH; i++)
        HZ_UNROLL
        for (int j = 0; j < EACH; j++)
            if (row + i < e.rows && column + j < e.columns)
                put(e, sums, end, extra, out, slice, row + i, column + j, sum[i][j]);
}

/* ---- launches ---- */

/* Tiles where one would be at least a quarter full; not in double, which is for tests. sums: room for sums_of(e). */
template <class W, class A, class B, class End, class DA, class DB, class DX, class DC>
static void launch_product(void *stream, extent e, A a, B b, End end, const DA *va, const DB *vb, W *sums,
                           const DX *extra, DC *out)
{
    dim3 tiles((unsigned)((e.rows + TILE - 1) / TILE), (unsigned)((e.columns + TILE - 1) / TILE), (unsigned)e.slices);
    int64_t n = e.rows * e.columns;
    int tiled = sizeof(W) == sizeof(float) && e.rows >= TILE / 2 && e.columns >= TILE / 2;
    if constexpr (sizeof(W) == sizeof(float))
        if (tiled)
            HZ_LAUNCH((tiled_product<W, A, B, End, DA, DB, DX, DC>), tiles, BLOCK, 0, stream, e, a, b, end, va, vb,
                      sums, extra, out);
    if (!tiled)
        HZ_LAUNCH_FLAT((flat_product<W, A, B, End, DA, DB, DX, DC>), blocks_of(n * e.slices), BLOCK, 0, stream, e, a, b,
                       end, va, vb, sums, extra, out);
    if (e.slices > 1)
        HZ_LAUNCH_FLAT((add_slices<W, End, DX, DC>), blocks_of(n), BLOCK, 0, stream, (const W *)sums, n, e.columns,
                       e.slices, end, extra, out);
}
#endif

/* wino_gemm.inc.h: the products of the 36 planes, over V.
   product: rows*nv sums in registers, inputs broadcast, weights read from L1: they are worked through in runs of 64 input
   channels (16 KB for 4 vectors of 16) by all tiles of a block. The sums of a run are added to those before as a whole, which
   halves the rounding error of long sums: F(4x4,3x3) over 128 channels comes to 0.8e-6 where one run has 1.1e-6.
   outer: both operands run over the tiles; the sums are read and written once per block. */

enum { WINO_RUN = 64 };

INLINE void wino_fetch(wino_ahead *a)
{
    for (int i = 0; i < a->read.each && a->read.at < a->read.end; i++, a->read.at += 64)
        __builtin_prefetch(a->read.at, 0, 2);
    for (int i = 0; i < a->write.each && a->write.at < a->write.end; i++, a->write.at += 64)
        __asm__ volatile("prefetchw %0" : : "m"(*a->write.at));
}

/* m[r][j] (+)= sum over k of v[r*pitch + k] * u[k*width + j], for `rows` tiles */
INLINE void wino_product_rows(const float *v, int64_t pitch, const float *u, int64_t k, float *m, int add, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = v_set(0);
    for (int64_t i = 0; i < k; i++, u += nv * LANES) {
        V w[MICRO_NV];
        UNROLL for (int j = 0; j < nv; j++)
            w[j] = v_load(u + j * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            V x = v_set(v[r * pitch + i]);
            UNROLL for (int j = 0; j < nv; j++)
                s[r][j] = v_fma(x, w[j], s[r][j]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++, m += LANES)
            v_store(m, add ? v_load(m) + s[r][j] : s[r][j] + v_set(0));
}

INLINE void wino_product(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m, wino_ahead *ahead,
                         const int rows, const int nv)
{
    for (int64_t i = 0; i < k; i += WINO_RUN) {
        int64_t run = k - i < WINO_RUN ? k - i : WINO_RUN;
        for (int64_t t = 0; t < tiles; t += rows) {
            wino_fetch(ahead);
            wino_product_rows(v + t * pitch + i, pitch, u + i * nv * LANES, run, m + t * nv * LANES, i > 0, rows, nv);
        }
    }
}

INLINE void wino_outer_rows(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, int64_t d_pitch,
                            int add, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = add ? v_load(d + r * d_pitch + j * LANES) : v_set(0);
    for (int64_t t = 0; t < tiles; t++, a += a_pitch, b += b_pitch) {
        V w[MICRO_NV];
        UNROLL for (int j = 0; j < nv; j++)
            w[j] = v_load(b + j * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            V x = v_set(a[r]);
            UNROLL for (int j = 0; j < nv; j++)
                s[r][j] = v_fma(x, w[j], s[r][j]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store(d + r * d_pitch + j * LANES, s[r][j]);
}

INLINE void wino_outer(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, int64_t d_pitch,
                       int64_t rows, int add, const int most, const int nv)
{
    int64_t r = 0;
    for (; r + most <= rows; r += most)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, most, nv);
    for (; r + 4 <= rows; r += 4)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, 4, nv);
    for (; r + 2 <= rows; r += 2)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, 2, nv);
    for (; r < rows; r++)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, 1, nv);
}

/* WINO_TILES(ROW): ROW(nv, rows) for each width of a panel. */
#define WINO_MAKE(nv, most) \
    static void wino_product_##nv(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m, \
                                  wino_ahead *ahead) \
    { \
        wino_product(v, pitch, u, k, tiles, m, ahead, most, nv); \
    } \
    static void wino_outer_##nv(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, \
                                int64_t d_pitch, int64_t rows, int add) \
    { \
        wino_outer(a, a_pitch, b, b_pitch, tiles, d, d_pitch, rows, add, most, nv); \
    }
WINO_TILES(WINO_MAKE)

#define WINO_ROWS(nv, most) .rows[nv] = most, .product[nv] = wino_product_##nv, .outer[nv] = wino_outer_##nv,
static const cpu_wino wino_table = {
    .input = wino_input, .grad = wino_grad, .output = wino_output, .taps = wino_taps,
    .taps_across = wino_taps_across, .fold = wino_fold, WINO_TILES(WINO_ROWS)
};

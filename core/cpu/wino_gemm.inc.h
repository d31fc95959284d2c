/* wino_gemm.inc.h: the products of the 36 planes, over V.
   product: rows*nv sums in registers, inputs broadcast, weights read from L1: they are worked through in runs of 64 input
   channels (16 KB for 4 vectors of 16) by all tiles of a block. The sums of a run are added to those before as a whole, which
   halves the rounding error of long sums: F(4x4,3x3) over 128 channels comes to 0.8e-6 where one run has 1.1e-6.
   outer: both operands run over the tiles; the sums are read and written once per block. */

enum { WINO_RUN = 64 };

/* One line of each stream, for reading into the second-level cache or for writing. */
INLINE void wino_fetch(const char *at, const int write)
{
    if (write)
        __asm__ volatile("prefetchw %0" : : "m"(*at));
    else
        __builtin_prefetch(at, 0, 2);
}

/* How far a stream moves in each round of a call: not at all once it is at its end. A test in each round would take slots of the ports
   that multiply. */
INLINE int64_t wino_pace(const wino_stream *s, int64_t bytes) { return s->at < s->end ? bytes : 0; }

INLINE void wino_step(V s[MICRO_ROWS][MICRO_NV], const float *v, int64_t pitch, const float *u, const int rows, const int nv)
{
    V w[MICRO_NV];
    UNROLL for (int j = 0; j < nv; j++)
        w[j] = v_load(u + j * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
        V x = v_set(v[r * pitch]);
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = v_fma(x, w[j], s[r][j]);
    }
}

/* m[r][j] (+)= sum over k of v[r*pitch + k] * u[k*width + j], for `rows` tiles */
INLINE void wino_product_rows(const float *v, int64_t pitch, const float *u, int64_t k, float *m, int add, wino_ahead *ahead,
                              const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = v_set(0);
    int64_t i = 0, gate = ahead->gate;
    int64_t reading = wino_pace(&ahead->read, 64), writing = wino_pace(&ahead->write, 64), weighing = wino_pace(&ahead->other, 256);
    const char *read = ahead->read.at, *write = ahead->write.at, *weights = ahead->other.at;
    for (; i + 4 <= k; i += 4, v += 4, u += 4 * nv * LANES, read += reading, write += writing, weights += weighing) {
        wino_step(s, v, pitch, u, rows, nv);
        wino_fetch(weights, 0);
        wino_fetch(read, 0);
        wino_step(s, v + 1, pitch, u + nv * LANES, rows, nv);
        wino_fetch(weights + 64, 0);
        wino_step(s, v + 2, pitch, u + 2 * nv * LANES, rows, nv);
        wino_fetch(weights + 128, 0);
        wino_fetch(write + gate, 0);
        wino_step(s, v + 3, pitch, u + 3 * nv * LANES, rows, nv);
        wino_fetch(write, 1);
        wino_fetch(weights + 192, 0);
    }
    ahead->read.at = read;
    ahead->write.at = write;
    ahead->other.at = weights;
    for (; i < k; i++, v++, u += nv * LANES)
        wino_step(s, v, pitch, u, rows, nv);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++, m += LANES)
            v_store(m, add ? v_load(m) + s[r][j] : s[r][j] + v_set(0));
}

INLINE void wino_product(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m, wino_ahead *ahead,
                         const int rows, const int nv)
{
    for (int64_t i = 0; i < k; i += WINO_RUN) {
        int64_t run = k - i < WINO_RUN ? k - i : WINO_RUN;
        for (int64_t t = 0; t < tiles; t += rows)
            wino_product_rows(v + t * pitch + i, pitch, u + i * nv * LANES, run, m + t * nv * LANES, i > 0, ahead, rows, nv);
    }
}

INLINE void wino_outer_rows(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, int64_t d_pitch,
                            int add, wino_ahead *ahead, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = add ? v_load(d + r * d_pitch + j * LANES) : v_set(0);
    int64_t t = 0, x_pace = wino_pace(&ahead->read, 64), y_pace = wino_pace(&ahead->other, 64);
    const char *x = ahead->read.at, *y = ahead->other.at;
    for (; t + 2 <= tiles; t += 2, a += 2 * a_pitch, b += 2 * b_pitch, x += x_pace, y += y_pace) {
        wino_step(s, a, 1, b, rows, nv);
        wino_fetch(x, 0);
        wino_step(s, a + a_pitch, 1, b + b_pitch, rows, nv);
        wino_fetch(y, 0);
    }
    if (t < tiles)
        wino_step(s, a, 1, b, rows, nv);
    ahead->read.at = x;
    ahead->other.at = y;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store(d + r * d_pitch + j * LANES, s[r][j]);
}

INLINE void wino_outer(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, int64_t d_pitch,
                       int64_t rows, int add, wino_ahead *ahead, const int most, const int nv)
{
    int64_t r = 0;
    for (; r + most <= rows; r += most)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, most, nv);
    for (; r + 4 <= rows; r += 4)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 4, nv);
    for (; r + 2 <= rows; r += 2)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 2, nv);
    for (; r < rows; r++)
        wino_outer_rows(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 1, nv);
}

/* WINO_TILES(ROW): ROW(nv, rows) for each width of a panel. */
#define WINO_MAKE(nv, most) \
    static void wino_product_##nv(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m, \
                                  wino_ahead *ahead) \
    { \
        wino_product(v, pitch, u, k, tiles, m, ahead, most, nv); \
    } \
    static void wino_outer_##nv(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d, \
                                int64_t d_pitch, int64_t rows, int add, wino_ahead *ahead) \
    { \
        wino_outer(a, a_pitch, b, b_pitch, tiles, d, d_pitch, rows, add, ahead, most, nv); \
    }
WINO_TILES(WINO_MAKE)

#define WINO_ROWS(nv, most) .rows[nv] = most, .product[nv] = wino_product_##nv, .outer[nv] = wino_outer_##nv,
static const uint8_t wino_matrix[WINO_MATRICES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                                                    24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35 };
#define WINO_STRIDE_1 { .planes = 36, .block = 24, .matrix = wino_matrix, .input = wino_input, .output = wino_output, .taps = wino_taps }
static const cpu_wino wino_table = {
    .forward = { WINO_STRIDE_1,
                 { .planes = 81, .block = 12, .matrix = poly_matrix, .input = poly_input, .output = poly_output, .taps = poly_taps } },
    .back = { WINO_STRIDE_1,
              { .planes = 81, .block = 12, .matrix = poly_matrix, .input = poly_back_input, .output = poly_back_output, .taps = poly_taps } },
    .sum = { { .parts = 3, .planes = { 12, 12, 12 }, .matrices = { 12, 12, 12 }, .input = wino_sum_input, .grad = wino_grad, .fold = wino_fold },
             { .parts = 5, .planes = { 15, 10, 20, 20, 16 }, .matrices = { 15, 10, 5, 5, 1 }, .input = poly_sum_input, .grad = poly_grad,
               .fold = poly_fold } },
    .across = wino_across, WINO_TILES(WINO_ROWS)
};

/* gemm.inc.h: the products of the 36 planes, over V and a word of a plane, included once per kind of word with
     G(name)                       the functions' name for it
     EACH                          numbers in a word: 1, an f32, or 2, a pair of bf16
     MULTIPLY(x, w, s)             s + x*w, summed over the numbers of a word
     PUT(d, v, odd)                V into LANES words: as number `odd` of each, 0 before 1,
                                   or one after the other where odd < 0
   product: rows*nv sums in registers, inputs broadcast, weights read from L1: they are worked through in runs
   of 64 words (16 KB for 4 vectors of 16) by all tiles of a block. The sums of a run are added to those before
   as a whole, which halves the rounding error of long sums: F(4x4,3x3) over 128 channels comes to 0.8e-6 where
   one run has 1.1e-6.
   outer: both operands run over the tiles; the sums are read and written once per block. */

INLINE void G(wino_step)(V s[MICRO_ROWS][MICRO_NV], const float *v, int64_t pitch, const float *u, const int rows,
                         const int nv)
{
    V w[MICRO_NV];
    UNROLL for (int j = 0; j < nv; j++)
        w[j] = v_load(u + j * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
        V x = v_set(v[r * pitch]);
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = MULTIPLY(x, w[j], s[r][j]);
    }
}

/* m[r][j] (+)= sum over k of v[r*pitch + k] * u[k*width + j], for `rows` tiles */
INLINE void G(wino_product_rows)(const float *v, int64_t pitch, const float *u, int64_t k, float *m, int add,
                                 wino_ahead *ahead, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = v_set(0);
    int64_t i = 0, gate = ahead->gate;
    int64_t reading = wino_pace(&ahead->read, 64), writing = wino_pace(&ahead->write, 64);
    int64_t weighing = wino_pace(&ahead->other, 256);
    const char *read = ahead->read.at, *write = ahead->write.at, *weights = ahead->other.at;
    for (; i + 4 <= k; i += 4, v += 4, u += 4 * nv * LANES, read += reading, write += writing, weights += weighing) {
        G(wino_step)(s, v, pitch, u, rows, nv);
        wino_fetch(weights, 0);
        wino_fetch(read, 0);
        G(wino_step)(s, v + 1, pitch, u + nv * LANES, rows, nv);
        wino_fetch(weights + 64, 0);
        G(wino_step)(s, v + 2, pitch, u + 2 * nv * LANES, rows, nv);
        wino_fetch(weights + 128, 0);
        wino_fetch(write + gate, 0);
        G(wino_step)(s, v + 3, pitch, u + 3 * nv * LANES, rows, nv);
        wino_fetch(write, 1);
        wino_fetch(weights + 192, 0);
    }
    ahead->read.at = read;
    ahead->write.at = write;
    ahead->other.at = weights;
    for (; i < k; i++, v++, u += nv * LANES)
        G(wino_step)(s, v, pitch, u, rows, nv);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++, m += LANES)
            v_store(m, add ? v_load(m) + s[r][j] : s[r][j] + v_set(0));
}

INLINE void G(wino_product)(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m,
                            wino_ahead *ahead, const int rows, const int nv)
{
    for (int64_t i = 0; i < k; i += WINO_RUN) {
        int64_t run = k - i < WINO_RUN ? k - i : WINO_RUN;
        for (int64_t t = 0; t < tiles; t += rows)
            G(wino_product_rows)(v + t * pitch + i, pitch, u + i * nv * LANES, run, m + t * nv * LANES, i > 0, ahead,
                                 rows, nv);
    }
}

INLINE void G(wino_outer_rows)(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles,
                               float *d, int64_t d_pitch, int add, wino_ahead *ahead, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = add ? v_load(d + r * d_pitch + j * LANES) : v_set(0);
    int64_t t = 0, x_pace = wino_pace(&ahead->read, 64), y_pace = wino_pace(&ahead->other, 64);
    const char *x = ahead->read.at, *y = ahead->other.at;
    for (; t + 2 <= tiles; t += 2, a += 2 * a_pitch, b += 2 * b_pitch, x += x_pace, y += y_pace) {
        G(wino_step)(s, a, 1, b, rows, nv);
        wino_fetch(x, 0);
        G(wino_step)(s, a + a_pitch, 1, b + b_pitch, rows, nv);
        wino_fetch(y, 0);
    }
    if (t < tiles)
        G(wino_step)(s, a, 1, b, rows, nv);
    ahead->read.at = x;
    ahead->other.at = y;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store(d + r * d_pitch + j * LANES, s[r][j]);
}

INLINE void G(wino_outer)(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles, float *d,
                          int64_t d_pitch, int64_t rows, int add, wino_ahead *ahead, const int most, const int nv)
{
    int64_t r = 0;
    for (; r + most <= rows; r += most)
        G(wino_outer_rows)(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, most, nv);
    for (; r + 4 <= rows; r += 4)
        G(wino_outer_rows)(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 4, nv);
    for (; r + 2 <= rows; r += 2)
        G(wino_outer_rows)(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 2, nv);
    for (; r < rows; r++)
        G(wino_outer_rows)(a + r, a_pitch, b, b_pitch, tiles, d + r * d_pitch, d_pitch, add, ahead, 1, nv);
}

/* WINO_TILES(ROW): ROW(nv, rows) for each width of a panel. */
#define WINO_MAKE(nv, most) \
    static void G(wino_product_##nv)(const float *v, int64_t pitch, const float *u, int64_t k, \
                                     int64_t tiles, float *m, wino_ahead *ahead) \
    { \
        G(wino_product)(v, pitch, u, k, tiles, m, ahead, most, nv); \
    } \
    static void G(wino_outer_##nv)(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, \
                                   int64_t tiles, float *d, int64_t d_pitch, int64_t rows, int add, \
                                   wino_ahead *ahead) \
    { \
        G(wino_outer)(a, a_pitch, b, b_pitch, tiles, d, d_pitch, rows, add, ahead, most, nv); \
    }
WINO_TILES(WINO_MAKE)

/* ---- weights ---- */

static void G(wino_across)(const wino_way *way, const float *g, int64_t step, int64_t apart, int filters, float *u,
                           int64_t plane, int64_t width)
{
    float block[WINO_MATRICES][LANES][LANES];    /* [matrix][filter][input channel] */
    if (filters < LANES)
        memset(block, 0, sizeof block);
    for (int f = 0; f < filters; f++)
        way->taps(g + f * apart, step, 0, block[0][f], LANES * LANES);
    for (int p = 0; p < WINO_MATRICES; p++) {
        V x[LANES];
        /* the next plane's lines, else stores wait for each */
        for (int i = 0; i < LANES && p + 1 < WINO_MATRICES; i += EACH)
            wino_fetch((const char *)(u + (p + 1) * plane + i / EACH * width), 1);
        UNROLL for (int f = 0; f < LANES; f++)
            x[f] = v_load(block[p][f]);
        if (LANES > 8)
            wino_swap(x, 8 % LANES);
        if (LANES > 4)
            wino_swap(x, 4 % LANES);
        wino_swap(x, 2);
        wino_swap(x, 1);
        UNROLL for (int i = 0; i < LANES; i++)
            PUT(u + p * plane + i / EACH * width, x[i], i % EACH);
    }
}

static void G(wino_turned)(const wino_way *way, const float *g, int64_t step, int odd, float *u, int64_t plane,
                           int64_t width)
{
    float block[WINO_MATRICES][LANES];
    way->taps(g, step, 1, block[0], LANES);
    for (int p = 0; p < WINO_MATRICES; p++) {
        PUT(u + p * plane, v_load(block[p]), odd);
        wino_fetch((const char *)(u + p * plane + width), 1);            /* the next word's */
    }
}

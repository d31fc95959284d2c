/* tile.inc.h: the two matrix micro-kernels, written once over V; rows and vectors are constants after inlining.
   tile: inputs broadcast, weights streamed from L2 (nv vectors per step, rows*nv multiply-adds), all sums
   in registers. With 6 x 4 vectors of 16 that is 24 multiply-adds for 10 loads. Rows are pointers, so a tile
   may gather any pixels.
   outer: both operands stream; the sums are read and written once per call. */
enum { AHEAD = 8 };
#define UNROLL _Pragma("GCC unroll 16")
/* The counters take slots of the multiply-add ports otherwise: 0.79 -> 0.86 of peak. */
#define UNROLL_2 _Pragma("GCC unroll 2")

INLINE void tile_store(const cpu_tile *t, V s[MICRO_ROWS][MICRO_NV], const int rows, const int nv)
{
    V low = v_set(t->low);
    int whole = t->last == LANES ? nv : nv - 1;
    UNROLL for (int r = 0; r < rows; r++) {
        float *y = t->y[r];
        UNROLL for (int j = 0; j < nv; j++) {
            V v = v_max(low, s[r][j]);
            int have = j < whole ? LANES : t->last;
            if (t->gate)
                v = (V)((VI)v & (v_part(t->gate[r] + j * LANES, have) > 0.0f));
            v_store_part(y + j * LANES, v, have);
        }
    }
}

INLINE void tile(const cpu_tile *t, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    const float *a[MICRO_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        a[r] = t->a[r];
        UNROLL for (int j = 0; j < nv; j++) {
            __builtin_prefetch(t->y[r] + j * LANES, 1, 3);       /* else the stores at the end wait for memory */
            s[r][j] = t->accumulate ? v_load_some(t->y[r] + j * LANES, j == nv - 1 ? t->last : LANES)
                    : t->bias ? v_load(t->bias + j * LANES) : v_set(0);
        }
    }
    const float *segment = t->b, *soon = t->a[0] + (t->stream ? t->ahead : 0);
    int64_t pace = t->stream ? rows : 0;
    for (int64_t n = 0; n < t->segments; n++, segment += t->b_step) {
        const float *b = segment;
        for (int64_t r = n; r < rows && !t->stream; r += t->segments)      /* a share of the rows with each segment */
            for (int64_t i = 0; i < t->ahead_rows; i++)
                for (int64_t f = 0; f < t->ahead_width; f += 16)
                    __builtin_prefetch(t->a[r] + t->ahead + i * t->a_step + f, 0, 2);
        for (int64_t k = 0; k < t->k; k++, b += nv * LANES) {
            V w[MICRO_NV];
            __builtin_prefetch(soon, 0, 2);
            soon += pace;
            UNROLL for (int j = 0; j < nv; j++) {
                w[j] = v_load(b + j * LANES);
                if (j * LANES % 16 == 0)      /* one per line of 64 bytes, AHEAD steps before its use */
                    __builtin_prefetch(b + (j + AHEAD * nv) * LANES, 0, 3);
            }
            UNROLL for (int r = 0; r < rows; r++) {
                V x = v_set(a[r][k]);
                UNROLL for (int j = 0; j < nv; j++)
                    s[r][j] = v_fma(x, w[j], s[r][j]);
            }
        }
        UNROLL for (int r = 0; r < rows; r++)
            a[r] += t->a_step;
    }
    tile_store(t, s, rows, nv);
}

INLINE void outer(const cpu_outer *t, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = t->accumulate ? v_load(t->c + r * t->c_step + j * LANES) : v_set(0);
    const float *ahead = t->ahead;
    for (int64_t p = 0; p < t->planes; p++)
        for (int64_t y = 0; y < t->rows; y++) {
            const float *a = t->a + p * t->a_plane + y * t->a_row, *b = t->b + p * t->b_plane + y * t->b_row;
            UNROLL_2 for (int64_t x = t->columns; x > 0; x--, a += t->a_column, b += t->b_column) {
                V w[MICRO_NV];
                __builtin_prefetch(ahead, 0, 2);
                ahead += t->ahead_step;
                UNROLL for (int j = 0; j < nv; j++)
                    w[j] = v_load(b + j * LANES);
                UNROLL for (int r = 0; r < rows; r++) {
                    V v = v_set(a[r]);
                    UNROLL for (int j = 0; j < nv; j++)
                        s[r][j] = v_fma(v, w[j], s[r][j]);
                }
            }
        }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store(t->c + r * t->c_step + j * LANES, s[r][j]);
}

/* One function per panel width, named tile_NV and outer_NV. */
#define TILE(nv, tile_most, outer_most) \
    static void tile_##nv(const cpu_tile *t) { tile(t, tile_most, nv); } \
    static void outer_##nv(const cpu_outer *t, int rows) \
    { \
        if (rows == outer_most) \
            outer(t, outer_most, nv); \
        else if (rows == 4) \
            outer(t, 4, nv); \
        else if (rows == 2) \
            outer(t, 2, nv); \
        else \
            outer(t, 1, nv); \
    }
TILES(TILE)

#define TILE_FILL(nv, tile_most, outer_most) \
    m->tile[nv] = tile_##nv; \
    m->tile_rows[nv] = tile_most; \
    m->outer[nv] = outer_##nv; \
    m->outer_rows[nv] = outer_most; \
    m->max_nv = nv;

static void tile_fill(cpu_micro *m) { TILES(TILE_FILL) }

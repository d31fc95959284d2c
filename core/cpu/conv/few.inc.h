/* few.inc.h: the micro-kernel of few.c over V: a strip of output pixels whose inputs lie a fixed step apart, all
   taps present. rows*nv sums stay in registers; weights and inputs are in L1. The last pixels of a strip are computed
   with some of those before: same bits. */

INLINE void few_pixels(const cpu_few *t, const float *x, float *y, const int rows, const int nv)
{
    V s[MICRO_ROWS][MICRO_NV];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            s[r][j] = t->bias ? v_load(t->bias + j * LANES) : v_set(0);
    const float *w = t->w;
    for (int64_t segment = 0; segment < t->rows; segment++, x += t->x_row) {
        const float *a = x;
        /* the pixels after these, a share with each row of taps: else stores wait */
        for (int64_t r = segment; r < rows; r += t->rows)
            UNROLL for (int j = 0; j < nv; j++)
                __asm__ volatile("prefetchw %0" : : "m"(y[(rows + r) * t->y_column + j * LANES]));
        for (const float *end = x + t->k; a < end; a++, w += nv * LANES) {
            V b[MICRO_NV];
            UNROLL for (int j = 0; j < nv; j++)
                b[j] = v_load(w + j * LANES);
            UNROLL for (int r = 0; r < rows; r++) {
                V v = v_set(a[r * t->x_column]);
                UNROLL for (int j = 0; j < nv; j++)
                    s[r][j] = v_fma(v, b[j], s[r][j]);
            }
        }
    }
    V low = v_set(t->low);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store_part(y + r * t->y_column + j * LANES, v_max(low, s[r][j]), j < nv - 1 ? LANES : t->last);
}

INLINE void few(const cpu_few *t, const int rows, const int nv)
{
    if (t->pixels < rows)
        for (int64_t p = 0; p < t->pixels; p++)
            few_pixels(t, t->x + p * t->x_column, t->y + p * t->y_column, 1, nv);
    else
        for (int64_t p = 0; p < t->pixels; p += rows) {
            int64_t at = p + rows <= t->pixels ? p : t->pixels - rows;
            few_pixels(t, t->x + at * t->x_column, t->y + at * t->y_column, rows, nv);
        }
}

#define FEW(nv, tile_most, outer_most) \
    static void few_##nv(const cpu_few *t) { few(t, outer_most, nv); }
TILES(FEW)

#define FEW_FILL(nv, tile_most, outer_most) m->few[nv] = few_##nv;
static void few_fill(cpu_micro *m) { TILES(FEW_FILL) }

/* rows.inc.h: sums over rows, the columns in vectors. */

/* sum[c] = sum over rows of x[row*step + c], c < n; 4 vectors of columns at a time. */
static void sum_rows(float *sum, const float *x, int64_t rows, int64_t step, int64_t n)
{
    for (int64_t c = 0; c < n;) {
        V s[4] = { v_set(0), v_set(0), v_set(0), v_set(0) };
        if (n - c >= 4 * LANES) {
            for (int64_t r = 0; r < rows; r++)
                UNROLL for (int j = 0; j < 4; j++)
                    s[j] += v_load(x + r * step + c + j * LANES);
            UNROLL for (int j = 0; j < 4; j++)
                v_store(sum + c + j * LANES, s[j]);
            c += 4 * LANES;
        } else {
            int have = n - c < LANES ? (int)(n - c) : LANES;
            for (int64_t r = 0; r < rows; r++)
                s[0] += have == LANES ? v_load(x + r * step + c) : v_load_some(x + r * step + c, have);
            v_store_some(sum + c, s[0], have);
            c += have;
        }
    }
}

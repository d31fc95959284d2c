/* rows.inc.h: pooling and statistics, channels in vectors. */

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
                s[0] += v_part(x + r * step + c, have);
            v_store_part(sum + c, s[0], have);
            c += have;
        }
    }
}

/* ---- pooling: one output pixel, n channels; the taps ky0..ky1-1, kx0..kx1-1 of its window lie in the image ---- */

static void pool_max(float *y, uint8_t *argmax, const float *x, const cpu_taps *t, int64_t n)
{
    typedef uint8_t VB __attribute__((vector_size(LANES)));
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V most = v_set(-INFINITY);
        VI at = (VI){ 0 } + (t->ky0 * t->kw + t->kx0);
        for (int ky = t->ky0; ky < t->ky1; ky++)
            for (int kx = t->kx0; kx < t->kx1; kx++) {
                V v = v_part(x + ky * t->row + kx * t->column + c, have);
                VI better = (v > most) | ((v != v) & (most == most));
                most = v_select(better, v, most);
                at = (better & (ky * t->kw + kx)) | (~better & at);
            }
        v_store_part(y + c, most, have);
        VB small = __builtin_convertvector(at, VB);
        if (argmax)
            memcpy(argmax + c, &small, (size_t)have);
    }
}

static void pool_max_grad(float *dx, const float *dy, const uint8_t *argmax, const cpu_taps *t, int64_t n)
{
    typedef uint8_t VB __attribute__((vector_size(LANES)));
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        VB small = { 0 };
        memcpy(&small, argmax + c, (size_t)have);
        VI at = __builtin_convertvector(small, VI);
        V d = v_part(dy + c, have);
        for (int ky = t->ky0; ky < t->ky1; ky++)
            for (int kx = t->kx0; kx < t->kx1; kx++) {
                float *to = dx + ky * t->row + kx * t->column + c;
                v_store_part(to, v_part(to, have) + v_select(at == ky * t->kw + kx, d, v_set(0)), have);
            }
    }
}

static void pool_mean(float *y, const float *x, const cpu_taps *t, int64_t n)
{
    float share = 1.0f / (float)((t->ky1 - t->ky0) * (t->kx1 - t->kx0));
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V sum = v_set(0);
        for (int ky = t->ky0; ky < t->ky1; ky++)
            for (int kx = t->kx0; kx < t->kx1; kx++)
                sum += v_part(x + ky * t->row + kx * t->column + c, have);
        v_store_part(y + c, sum * share, have);
    }
}

static void pool_mean_grad(float *dx, const float *dy, const cpu_taps *t, int64_t n)
{
    float share = 1.0f / (float)((t->ky1 - t->ky0) * (t->kx1 - t->kx0));
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V d = v_part(dy + c, have) * share;
        for (int ky = t->ky0; ky < t->ky1; ky++)
            for (int kx = t->kx0; kx < t->kx1; kx++) {
                float *to = dx + ky * t->row + kx * t->column + c;
                v_store_part(to, v_part(to, have) + d, have);
            }
    }
}

/* ---- batch norm: rows of n statistics, coefficients per column ---- */

/* sum[c] = sum of (x - mean[c])^2 */
static void norm_squares(float *sum, const float *x, const float *mean, int64_t rows, int64_t n)
{
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V s = v_set(0), m = v_part(mean + c, have);
        for (int64_t r = 0; r < rows; r++) {
            V d = v_part(x + r * n + c, have) - m;
            s = v_fma(d, d, s);
        }
        v_store_part(sum + c, s, have);
    }
}

/* sum[c] = sum of dy*(x - mean[c]) */
static void norm_dots(float *sum, const float *dy, const float *x, const float *mean, int64_t rows, int64_t n)
{
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V s = v_set(0), m = v_part(mean + c, have);
        for (int64_t r = 0; r < rows; r++)
            s = v_fma(v_part(dy + r * n + c, have), v_part(x + r * n + c, have) - m, s);
        v_store_part(sum + c, s, have);
    }
}

/* y = (x - mean[c])*a[c] + b[c] + g[c]*d; g and d may be NULL. With d = dy this is the gradient. */
static void norm_apply(float *y, const float *x, const float *d, const cpu_affine *k, int64_t rows, int64_t n)
{
    for (int64_t c = 0; c < n; c += LANES) {
        int have = n - c < LANES ? (int)(n - c) : LANES;
        V mean = v_part(k->mean + c, have), a = v_part(k->a + c, have), b = v_part(k->b + c, have);
        V g = d ? v_part(k->g + c, have) : v_set(0);
        for (int64_t r = 0; r < rows; r++) {
            V v = v_fma(v_part(x + r * n + c, have) - mean, a, b);
            if (d)
                v = v_fma(v_part(d + r * n + c, have), g, v);
            v_store_part(y + r * n + c, v, have);
        }
    }
}

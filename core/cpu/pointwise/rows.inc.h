/* rows.inc.h: pooling and statistics over storage type S (stored.inc.h), channels in vectors. */

/* n vectors of columns from c on, side by side; of the last one `have` columns. */
INLINE void F(sum_some)(int64_t c, int have, const int n, float *sum, const S *x, int64_t rows, int64_t step)
{
    V s[4];
    UNROLL for (int j = 0; j < n; j++)
        s[j] = v_set(0);
    for (int64_t r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < n; j++)
            s[j] += s_part(x + r * step + c + j * LANES, j < n - 1 ? LANES : have);
    UNROLL for (int j = 0; j < n; j++)
        v_store_part(sum + c + j * LANES, s[j], j < n - 1 ? LANES : have);
}

/* sum[c] = sum over rows of x[row*step + c], c < n */
static void F(sum_rows)(float *sum, const void *x, int64_t rows, int64_t step, int64_t n)
{
    int64_t c = 0;
    for (; c + 4 * LANES <= n; c += 4 * LANES)
        F(sum_some)(c, LANES, 4, sum, x, rows, step);
    int have = (int)((n - c - 1) % LANES + 1);
    switch ((n - c + LANES - 1) / LANES) {
    case 4: F(sum_some)(c, have, 4, sum, x, rows, step); break;
    case 3: F(sum_some)(c, have, 3, sum, x, rows, step); break;
    case 2: F(sum_some)(c, have, 2, sum, x, rows, step); break;
    case 1: F(sum_some)(c, have, 1, sum, x, rows, step); break;
    default: break;
    }
}

/* ---- pooling: one output pixel, n channels; the taps ky0..ky1-1, kx0..kx1-1 of its window lie in the image ---- */

INLINE void F(pool_max_part)(int64_t c, int have, S *y, uint8_t *argmax, const S *x, const cpu_taps *t, const int ky1,
                             const int kx1)
{
    V most = v_set(-INFINITY);
    VI at = (VI){ 0 } + (t->ky0 * t->kw + t->kx0);
    for (int ky = t->ky0; ky < ky1; ky++)
        for (int kx = t->kx0; kx < kx1; kx++)
            v_take_most(&most, &at, s_part(x + ky * t->row + kx * t->column + c, have), ky * t->kw + kx);
    s_store_part(y + c, most, have);
    if (argmax)
        v_store_bytes(argmax + c, at, have);
}

/* Windows of 2x2, which most are, without loops. */
static void F(pool_max)(void *y, uint8_t *argmax, const void *x, const cpu_taps *t, int64_t n)
{
    cpu_taps own = *t;
    if (cpu_is_square(t)) {
        own = cpu_square_of(t);
        EACH_VECTOR(n, F(pool_max_part), y, argmax, x, &own, 2, 2);
    } else
        EACH_VECTOR(n, F(pool_max_part), y, argmax, x, &own, own.ky1, own.kx1);
}

INLINE void F(pool_max_grad_part)(int64_t c, int have, float *dx, const S *dy, const uint8_t *argmax, const cpu_taps *t)
{
    VI at = v_bytes(argmax + c, have);
    V d = s_part(dy + c, have);
    for (int ky = t->ky0; ky < t->ky1; ky++)
        for (int kx = t->kx0; kx < t->kx1; kx++) {
            float *to = dx + ky * t->row + kx * t->column + c;
            v_store_part(to, v_part(to, have) + v_select(at == ky * t->kw + kx, d, v_set(0)), have);
        }
}

static void F(pool_max_grad)(float *dx, const void *dy, const uint8_t *argmax, const cpu_taps *t, int64_t n)
{
    EACH_VECTOR(n, F(pool_max_grad_part), dx, dy, argmax, t);
}

/* Moves numbers as they are stored: nothing is widened or rounded. */
INLINE void F(pool_max_back_part)(int64_t c, int have, S *dx, const S *dy, const uint8_t *argmax, const cpu_taps *t,
                                  const int ky1, const int kx1)
{
    typedef S_INT VS __attribute__((vector_size(sizeof(S) * LANES)));
    size_t bytes = (size_t)have * sizeof(S);
    v_fetch(argmax + c);
    v_fetch(dy + c);
    VS at = (VS)s_bytes(argmax + c, have), d = { 0 };
    memcpy(&d, dy + c, have == LANES ? sizeof d : bytes);
    for (int ky = t->ky0; ky < ky1; ky++)
        for (int kx = t->kx0; kx < kx1; kx++) {
            S *to = dx + ky * t->row + kx * t->column + c;
            VS v = (VS)(at == (S_INT)(ky * t->kw + kx)) & d;
            v_fetch_written(to);
            memcpy(to, &v, have == LANES ? sizeof v : bytes);
        }
}

static void F(pool_max_back)(void *dx, const void *dy, const uint8_t *argmax, const cpu_taps *t, int64_t n)
{
    cpu_taps own = *t;            /* of which the compiler knows that no store changes it */
    if (cpu_is_square(t)) {
        own = cpu_square_of(t);
        EACH_VECTOR(n, F(pool_max_back_part), dx, dy, argmax, &own, 2, 2);
    } else
        EACH_VECTOR(n, F(pool_max_back_part), dx, dy, argmax, &own, own.ky1, own.kx1);
}

INLINE float F(share_of)(const cpu_taps *t)
{
    return 1.0f / (float)((int64_t)(t->ky1 - t->ky0) * (t->kx1 - t->kx0));
}

enum { F(MEANS) = 4 };

/* Of `vectors` vectors, whose sums do not wait for each other; of the last one `have` elements. */
INLINE void F(pool_mean_part)(S *y, const S *x, const cpu_taps *t, const int vectors, int have)
{
    V sum[F(MEANS)] = { { 0 } };
    for (int ky = t->ky0; ky < t->ky1; ky++)
        for (int kx = t->kx0; kx < t->kx1; kx++)
            UNROLL for (int i = 0; i < vectors; i++)
                sum[i] += s_part(x + ky * t->row + kx * t->column + i * LANES, i + 1 < vectors ? LANES : have);
    UNROLL for (int i = 0; i < vectors; i++)
        s_store_part(y + i * LANES, sum[i] * F(share_of)(t), i + 1 < vectors ? LANES : have);
}

static void F(pool_mean)(void *to, const void *from, const cpu_taps *t, int64_t n)
{
    S *y = to;
    const S *x = from;
    int64_t c = 0;
    for (; c + F(MEANS) * LANES <= n; c += F(MEANS) * LANES)
        F(pool_mean_part)(y + c, x + c, t, F(MEANS), LANES);
    for (; c < n; c += LANES)
        F(pool_mean_part)(y + c, x + c, t, 1, (int)(n - c < LANES ? n - c : LANES));
}

INLINE void F(pool_mean_grad_part)(int64_t c, int have, float *dx, const S *dy, const cpu_taps *t)
{
    V d = s_part(dy + c, have) * F(share_of)(t);
    for (int ky = t->ky0; ky < t->ky1; ky++)
        for (int kx = t->kx0; kx < t->kx1; kx++) {
            float *to = dx + ky * t->row + kx * t->column + c;
            v_store_part(to, v_part(to, have) + d, have);
        }
}

static void F(pool_mean_grad)(float *dx, const void *dy, const cpu_taps *t, int64_t n)
{
    EACH_VECTOR(n, F(pool_mean_grad_part), dx, dy, t);
}

/* ---- batch norm: n neighbours that share one statistic ---- */

enum { F(RUN_SUMS) = 4 };      /* chains of additions, so that one does not wait for the other */

/* Sums over vectors and over their lanes, pair by pair. */
INLINE float F(run_total)(const V s[F(RUN_SUMS)])
{
    float lane[LANES];
    v_store(lane, (s[0] + s[1]) + (s[2] + s[3]));
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* body(i, have, j): LANES elements from i on into chain j; of the last ones `have`, whose other lanes are 0. */
#define EACH_RUN(n, body) \
    do { \
        int64_t i_ = 0; \
        for (; i_ + F(RUN_SUMS) * LANES <= (n); i_ += F(RUN_SUMS) * LANES) \
            UNROLL for (int j = 0; j < F(RUN_SUMS); j++) \
                body(i_ + j * LANES, LANES, j); \
        for (; i_ < (n); i_ += LANES) \
            body(i_, (int)((n) - i_ < LANES ? (n) - i_ : LANES), 0); \
    } while (0)

/* out: the mean and the sum of squares about it, of n >= 1 numbers that stay in the first-level cache. */
static void F(run_moments)(const void *in, int64_t n, float out[2])
{
    const S *x = in;
    V s[F(RUN_SUMS)] = { { 0 } }, q[F(RUN_SUMS)] = { { 0 } };
#define SUM_UP(i, have, j) s[j] += s_part(x + (i), have)
    EACH_RUN(n, SUM_UP);
#undef SUM_UP
    out[0] = F(run_total)(s) / (float)n;
    V mean = v_set(out[0]);
#define SQUARE_UP(i, have, j) \
    do { \
        V d = s_part(x + (i), have) - mean; \
        if ((have) < LANES) \
            d = v_first_lanes(d, have); \
        q[j] = v_fma(d, d, q[j]); \
    } while (0)
    EACH_RUN(n, SQUARE_UP);
#undef SQUARE_UP
    out[1] = F(run_total)(q);
}

/* out: sums of dy*(x - mean) and of dy. */
static void F(run_dots)(const void *grad, const void *in, float middle, int64_t n, float out[2])
{
    const S *dy = grad, *x = in;
    V s[F(RUN_SUMS)] = { { 0 } }, q[F(RUN_SUMS)] = { { 0 } }, mean = v_set(middle);
#define DOT_UP(i, have, j) \
    do { \
        V d = s_part(dy + (i), have); \
        q[j] = v_fma(d, s_part(x + (i), have) - mean, q[j]); \
        s[j] += d; \
    } while (0)
    EACH_RUN(n, DOT_UP);
#undef DOT_UP
    out[0] = F(run_total)(q);
    out[1] = F(run_total)(s);
}

INLINE void F(run_apply_part)(int64_t i, int have, S *y, const S *x, const S *d, V mean, V a, V b, V g)
{
    V v = v_fma(s_part(x + i, have) - mean, a, b);
    if (d)
        v = v_fma(s_part(d + i, have), g, v);
    s_store_part(y + i, v, have);
}

/* y = (x - mean)*a + b + g*d; d may be NULL, then g is not looked at. */
static void F(run_apply)(void *y, const void *x, const void *d, const cpu_affine *k, int64_t n)
{
    V g = v_set(d ? *k->g : 0);
    if (d)
        EACH_VECTOR(n, F(run_apply_part), y, x, d, v_set(*k->mean), v_set(*k->a), v_set(*k->b), g);
    else
        EACH_VECTOR(n, F(run_apply_part), y, x, NULL, v_set(*k->mean), v_set(*k->a), v_set(*k->b), g);
}
#undef EACH_RUN

/* ---- batch norm: rows of n statistics, coefficients per column ---- */

INLINE void F(norm_squares_part)(int64_t c, int have, float *sum, const S *x, const float *mean, int64_t rows,
                                 int64_t n)
{
    V s = v_set(0), m = v_part(mean + c, have);
    for (int64_t r = 0; r < rows; r++) {
        V d = s_part(x + r * n + c, have) - m;
        s = v_fma(d, d, s);
    }
    v_store_part(sum + c, s, have);
}

/* sum[c] = sum of (x - mean[c])^2 */
static void F(norm_squares)(float *sum, const void *x, const float *mean, int64_t rows, int64_t n)
{
    EACH_VECTOR(n, F(norm_squares_part), sum, x, mean, rows, n);
}

/* n vectors of columns from c on, side by side, so that a row's lines are read whole. */
INLINE void F(norm_sums_some)(int64_t c, int have, const int n, float *dots, float *sums, const S *dy, const S *x,
                              const float *mean, int64_t rows, int64_t step)
{
    V dot[4], sum[4], m[4];
    UNROLL for (int j = 0; j < n; j++) {
        dot[j] = sum[j] = v_set(0);
        m[j] = v_part(mean + c + j * LANES, have);
    }
    for (int64_t r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < n; j++) {
            v_fetch(dy + r * step + c + j * LANES);
            v_fetch(x + r * step + c + j * LANES);
            V d = s_part(dy + r * step + c + j * LANES, have);
            dot[j] = v_fma(d, s_part(x + r * step + c + j * LANES, have) - m[j], dot[j]);
            sum[j] += d;
        }
    UNROLL for (int j = 0; j < n; j++) {
        v_store_part(dots + c + j * LANES, dot[j], have);
        v_store_part(sums + c + j * LANES, sum[j], have);
    }
}

/* dots[c] = sum of dy*(x - mean[c]), sums[c] of dy */
static void F(norm_sums)(float *dots, float *sums, const void *dy, const void *x, const float *mean, int64_t rows,
                         int64_t n)
{
    int64_t c = 0;
    for (; c + 4 * LANES <= n; c += 4 * LANES)
        F(norm_sums_some)(c, LANES, 4, dots, sums, dy, x, mean, rows, n);
    for (; c < n; c += LANES)
        F(norm_sums_some)(c, n - c < LANES ? (int)(n - c) : LANES, 1, dots, sums, dy, x, mean, rows, n);
}

INLINE V F(norm_at)(int64_t c, int have, const S *x, const cpu_affine *k)
{
    return v_fma(s_part(x + c, have) - v_part(k->mean + c, have), v_part(k->a + c, have), v_part(k->b + c, have));
}

INLINE V F(norm_apply_at)(int64_t c, int have, S *y, const S *x, const S *d, const cpu_affine *k)
{
    v_fetch(x + c);
    v_fetch_written(y + c);
    V v = F(norm_at)(c, have, x, k);
    if (d) {
        v_fetch(d + c);
        v = v_fma(s_part(d + c, have), v_part(k->g + c, have), v);
    }
    return v;
}

/* y = (x - mean[c])*a[c] + b[c] + g[c]*d; g and d may be NULL. With d = dy this is the gradient. */
static void F(norm_apply)(void *out, const void *in, const void *more, const cpu_affine *k, int64_t rows, int64_t n)
{
    S *y = out;
    const S *x = in, *d = more;
    for (int64_t r = 0; r < rows; r++, y += n, x += n)
        if (more) {
            s_each(n, y, F(norm_apply_at), y, x, d, k);
            d += n;
        } else
            s_each(n, y, F(norm_apply_at), y, x, NULL, k);
}

INLINE V F(norm_gelu_at)(int64_t c, int have, S *y, const S *x, const cpu_affine *k)
{
    v_fetch(x + c);
    v_fetch_written(y + c);
    return v_gelu(F(norm_at)(c, have, x, k));
}

/* y = gelu((x - mean[c])*a[c] + b[c]) */
static void F(norm_gelu)(void *out, const void *in, const cpu_affine *k, int64_t rows, int64_t n)
{
    S *y = out;
    const S *x = in;
    for (int64_t r = 0; r < rows; r++, y += n, x += n)
        s_each(n, y, F(norm_gelu_at), y, x, k);
}

INLINE V F(norm_gelu_grad_at)(int64_t c, int have, S *dy, const S *dz, const S *x, const cpu_affine *k)
{
    v_fetch(x + c);
    v_fetch(dz + c);
    v_fetch_written(dy + c);
    return s_part(dz + c, have) * v_gelu_slope(F(norm_at)(c, have, x, k));
}

/* dy = dz * gelu'((x - mean[c])*a[c] + b[c]) */
static void F(norm_gelu_grad)(void *out, const void *grad, const void *in, const cpu_affine *k, int64_t rows, int64_t n)
{
    S *dy = out;
    const S *dz = grad, *x = in;
    for (int64_t r = 0; r < rows; r++, dy += n, dz += n, x += n)
        s_each(n, dy, F(norm_gelu_grad_at), dy, dz, x, k);
}

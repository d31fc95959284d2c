/* poly_sum.inc.h: stride 2 (poly.inc.h), what the weights need: dy for their gradient, their transform, and the way back. */

/* The part's planes of a tile of dy; part 0 returns the sum of its pixels. */
INLINE V poly_grad_part(const float *const row[4], int64_t step, int to, float *d, int64_t plane, const int part)
{
    const int low = part == 1 ? POLY_LOW : 0, high = part == 0 ? POLY_LOW : 5;
    V b[5][4], s[4], t[5], sum = { 0 };
    UNROLL for (int j = 0; j < 4; j++) {
        poly_column(s, row, step, j, 0, to, 0, 1, 4);
        if (part == 0)
            sum += (s[0] + s[1]) + (s[2] + s[3]);
        if (part >= 3)
            UNROLL for (int i = 0; i < 4; i++) {
                b[i][j] = s[i];
                if (part == 4)
                    v_store(d + (i * 4 + j) * plane, s[i]);
            }
        if (part < 3) {
            poly_a_back(t, s);
            UNROLL for (int i = low; i < high; i++) {
                b[i][j] = t[i];
                if (part == 2)
                    v_store(d + (i * 4 + j) * plane, t[i]);
            }
        }
    }
    if (part < 2)
        UNROLL for (int i = low; i < high; i++) {
            poly_a_back(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                v_store(d + ((i - low) * 5 + j) * plane, t[j]);
        }
    if (part == 3)
        UNROLL for (int i = 0; i < 4; i++) {
            poly_a_back(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                v_store(d + (j * 4 + i) * plane, t[j]);
        }
    return sum;
}

static void poly_grad(const wino_image *g, const float *dy, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                      int64_t pitch, int part, float *bias)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        const float *row[4];
        int from, to;
        wino_rows(g, &s, dy, zero, 4, row, &from, &to);
        for (int64_t c = 0; c < g->c; c += LANES) {
            int64_t at = wino_chunk(c, g->c);
            const float *here[4];
            float *d = v + t * pitch + at;
            UNROLL for (int i = 0; i < 4; i++)
                here[i] = row[i] + at;
            switch (part) {
            case 0:  wino_add_fresh(bias + at, poly_grad_part(here, g->c, to, d, plane, 0), c - at); break;
            case 1:  poly_grad_part(here, g->c, to, d, plane, 1); break;
            case 2:  poly_grad_part(here, g->c, to, d, plane, 2); break;
            case 3:  poly_grad_part(here, g->c, to, d, plane, 3); break;
            default: poly_grad_part(here, g->c, to, d, plane, 4); break;
            }
        }
    }
}

/* ---- weights: 3x3 -> 25 + 5 + 5 + 1 ---- */

static void poly_taps(const float *g, int64_t step, int turned, float *u, int64_t plane)
{
    V w[3][3], first[5], second[5], t[5];
    UNROLL for (int k = 0; k < 9; k++)
        w[k / 3][k % 3] = v_load(g + (turned ? 8 - k : k) * step);
    poly_g(first, w[0][0], w[2][0]);
    poly_g(second, w[0][2], w[2][2]);
    for (int i = 0; i < 5; i++) {
        poly_g(t, first[i], second[i]);
        UNROLL for (int j = 0; j < 5; j++)
            v_store(u + (i * 5 + j) * plane, t[j]);
    }
    poly_g(first, w[0][1], w[2][1]);
    poly_g(second, w[1][0], w[1][2]);
    UNROLL for (int i = 0; i < 5; i++) {
        v_store(u + (25 + i) * plane, first[i]);
        v_store(u + (30 + i) * plane, second[i]);
    }
    v_store(u + 35 * plane, w[1][1]);
}

INLINE void poly_add(float *tap, V v) { v_store(tap, v_load(tap) + v); }

static void poly_fold(const float *d, int64_t plane, float *g, int64_t step, int part)
{
    V s[5], rows[2][5], t[2];
    if (part < 2) {
        UNROLL for (int j = 0; j < 5; j++) {
            UNROLL for (int i = 0; i < 5; i++) {
                s[i] = v_set(0);
                if (part == 0 && i < POLY_LOW)
                    s[i] = v_load(d + (i * 5 + j) * plane);
                if (part == 1 && i >= POLY_LOW)
                    s[i] = v_load(d + ((i - POLY_LOW) * 5 + j) * plane);
            }
            poly_g_back(t, s);
            rows[0][j] = t[0];
            rows[1][j] = t[1];
        }
        UNROLL for (int r = 0; r < 2; r++) {
            poly_g_back(t, rows[r]);
            poly_add(g + 6 * r * step, t[0]);
            poly_add(g + (6 * r + 2) * step, t[1]);
        }
    } else if (part < 4) {
        UNROLL for (int i = 0; i < 5; i++)
            s[i] = v_load(d + i * plane);
        poly_g_back(t, s);
        poly_add(g + (part == 2 ? 1 : 3) * step, t[0]);
        poly_add(g + (part == 2 ? 7 : 5) * step, t[1]);
    } else
        poly_add(g + 4 * step, v_load(d));
}

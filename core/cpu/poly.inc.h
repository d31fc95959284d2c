/* poly.inc.h: the transforms of stride 2 (wino.h), over V. Even positions go through F(4,2), odd ones stay as they are. Planes: 25
   (even rows, even columns) at 0, 20 (even, odd) at 25, 20 (odd, even) at 45, 16 (odd, odd) at 65; planes that are multiplied with
   the same weights lie side by side. Transforms work column by column, since a column is inside the image or outside as a whole. */

enum { POLY_EE = 0, POLY_EE2 = 15, POLY_EO = 25, POLY_OE = 45, POLY_OO = 65, POLY_LOW = 3 };    /* LOW: rows of the first part of EE */
static const uint8_t poly_matrix[WINO_PLANES] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 28, 28, 28, 28, 29, 29, 29, 29,
    30, 30, 30, 30, 31, 31, 31, 31, 32, 32, 32, 32, 33, 33, 33, 33, 34, 34, 34, 34,
    35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35,
};

/* B': 5 -> 5 */
INLINE void poly_b(V d[5], const V s[5])
{
    V a = s[3] - s[1];
    d[0] = 2.0f * (s[0] - s[2]) + a;
    d[1] = (s[3] - s[2]) - 2.0f * s[1];
    d[2] = (s[3] + 2.0f * s[1]) - 3.0f * s[2];
    d[3] = a;
    d[4] = (s[4] - s[2]) - 2.0f * a;
}

/* A': 5 -> 4 */
INLINE void poly_a(V d[4], const V s[5])
{
    V p = s[1] + s[2], u = s[1] - s[2];
    d[0] = s[0] + (p + s[3]);
    d[1] = u + 2.0f * s[3];
    d[2] = p + 4.0f * s[3];
    d[3] = (u + s[4]) + 8.0f * s[3];
}

/* A: 4 -> 5 */
INLINE void poly_a_back(V d[5], const V s[4])
{
    V p = s[0] + s[2], q = s[1] + s[3];
    d[0] = s[0];
    d[1] = p + q;
    d[2] = p - q;
    d[3] = (s[0] + 2.0f * s[1]) + (4.0f * s[2] + 8.0f * s[3]);
    d[4] = s[3];
}

/* G: 2 -> 5 */
INLINE void poly_g(V d[5], V a, V b)
{
    const float sixth = 1.0f / 6;
    d[0] = 0.5f * a;
    d[1] = -0.5f * (a + b);
    d[2] = sixth * (b - a);
    d[3] = sixth * (a + 2.0f * b);
    d[4] = b;
}

/* G': 5 -> 2 */
INLINE void poly_g_back(V d[2], const V s[5])
{
    const float sixth = 1.0f / 6;
    d[0] = 0.5f * (s[0] - s[1]) + sixth * (s[3] - s[2]);
    d[1] = (s[4] - 0.5f * s[1]) + sixth * (s[2] + 2.0f * s[3]);
}

/* n rows of column j from row `first` on, every `apart`th; zeros where the column is outside. */
INLINE void poly_column(V *s, const float *const *row, int64_t step, int j, int from, int to, const int first, const int apart, const int n)
{
    UNROLL for (int i = 0; i < n; i++)
        s[i] = v_set(0);
    if (j >= from && j < to)
        UNROLL for (int i = 0; i < n; i++)
            s[i] = v_load(row[first + i * apart] + j * step);
}

/* ---- x: 9x9 -> 81, in five parts ---- */

INLINE void poly_input_part(const float *const row[9], int64_t step, int from, int to, float *d, int64_t plane, const int part)
{
    if (part < 2) {
        const int low = part ? POLY_LOW : 0, high = part ? 5 : POLY_LOW;
        V b[5][5], s[5], t[5];
        UNROLL for (int j = 0; j < 5; j++) {
            poly_column(s, row, step, 2 * j, from, to, 0, 2, 5);
            poly_b(t, s);
            UNROLL for (int i = low; i < high; i++)
                b[i][j] = t[i];
        }
        UNROLL for (int i = low; i < high; i++) {
            poly_b(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                v_store(d + ((i - low) * 5 + j) * plane, t[j]);
        }
    } else if (part == 2) {
        UNROLL for (int j = 0; j < 4; j++) {
            V s[5], t[5];
            poly_column(s, row, step, 2 * j + 1, from, to, 0, 2, 5);
            poly_b(t, s);
            UNROLL for (int i = 0; i < 5; i++)
                v_store(d + (i * 4 + j) * plane, t[i]);
        }
    } else if (part == 3) {
        V b[4][5], s[4], t[5];
        UNROLL for (int j = 0; j < 5; j++) {
            poly_column(s, row, step, 2 * j, from, to, 1, 2, 4);
            UNROLL for (int i = 0; i < 4; i++)
                b[i][j] = s[i];
        }
        UNROLL for (int i = 0; i < 4; i++) {
            poly_b(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                v_store(d + (j * 4 + i) * plane, t[j]);
        }
    } else {
        UNROLL for (int j = 0; j < 4; j++) {
            V s[4];
            poly_column(s, row, step, 2 * j + 1, from, to, 1, 2, 4);
            UNROLL for (int i = 0; i < 4; i++)
                v_store(d + (i * 4 + j) * plane, s[i]);
        }
    }
}

/* part < 0: all of them, at their own planes. */
INLINE void poly_input_tiles(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                             int64_t pitch, const int part)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        const float *row[9];
        int from, to;
        wino_rows(g, &s, x, zero, 9, row, &from, &to);
        for (int64_t c = 0; c < g->c; c += LANES) {
            int64_t at = wino_chunk(c, g->c);
            const float *here[9];
            float *d = v + t * pitch + at;
            UNROLL for (int i = 0; i < 9; i++)
                here[i] = row[i] + at;
            if (part >= 0)
                poly_input_part(here, g->c, from, to, d, plane, part);
            else {
                poly_input_part(here, g->c, from, to, d, plane, 0);
                poly_input_part(here, g->c, from, to, d + POLY_EE2 * plane, plane, 1);
                poly_input_part(here, g->c, from, to, d + POLY_EO * plane, plane, 2);
                poly_input_part(here, g->c, from, to, d + POLY_OE * plane, plane, 3);
                poly_input_part(here, g->c, from, to, d + POLY_OO * plane, plane, 4);
            }
        }
    }
}

static void poly_input(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                       int64_t pitch)
{
    poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, -1);
}

static void poly_sum_input(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                           int64_t pitch, int part)
{
    switch (part) {
    case 0:  poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 0); break;
    case 1:  poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 1); break;
    case 2:  poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 2); break;
    case 3:  poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 3); break;
    default: poly_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 4); break;
    }
}

/* ---- 81 -> y: 4x4 ---- */

INLINE void poly_output_tile(const float *from, int64_t plane, V y[4][4])
{
    V r[5][4], s[5], t[4];
    UNROLL for (int i = 0; i < 5; i++) {
        UNROLL for (int j = 0; j < 5; j++)
            s[j] = v_load(from + (i * 5 + j) * plane);
        poly_a(t, s);
        UNROLL for (int j = 0; j < 4; j++)
            r[i][j] = t[j] + v_load(from + (POLY_EO + i * 4 + j) * plane);
    }
    UNROLL for (int j = 0; j < 4; j++) {
        UNROLL for (int i = 0; i < 5; i++)
            s[i] = r[i][j];
        poly_a(t, s);
        UNROLL for (int i = 0; i < 4; i++)
            y[i][j] = t[i];
    }
    UNROLL for (int i = 0; i < 4; i++) {
        UNROLL for (int j = 0; j < 5; j++)
            s[j] = v_load(from + (POLY_OE + j * 4 + i) * plane);
        poly_a(t, s);
        UNROLL for (int j = 0; j < 4; j++)
            y[i][j] += t[j] + v_load(from + (POLY_OO + i * 4 + j) * plane);
    }
}

static void poly_output(const wino_image *g, float *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t pitch,
                        int64_t channel, int64_t channels, const wino_end *end)
{
    wino_spot s = wino_at(g, first);
    V least = v_set(end->low);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * 4, left = s.x * 4;
        int rows = g->h - top < 4 ? (int)(g->h - top) : 4, columns = g->w - left < 4 ? (int)(g->w - left) : 4;
        int64_t corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t at = wino_chunk(c, channels);
            V out[4][4], start = end->bias ? v_load(end->bias + channel + at) : v_set(0);
            wino_soon(m + t * pitch + at, plane, 81);
            poly_output_tile(m + t * pitch + at, plane, out);
            UNROLL for (int i = 0; i < 4; i++)
                UNROLL for (int j = 0; j < 4; j++)
                    if (i < rows && j < columns)
                        wino_put(y, corner + (i * g->w + j) * g->c + at, v_max(least, out[i][j] + start), end->gate);
        }
    }
}

/* ---- dy: 5x5 -> 81, and 81 -> dx: 8x8 ---- */

static void poly_back_input(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                            int64_t pitch)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        const float *row[5];
        int from, to;
        wino_rows(g, &s, x, zero, 5, row, &from, &to);
        for (int64_t c = 0; c < g->c; c += LANES) {
            int64_t at = wino_chunk(c, g->c);
            const float *here[5];
            float *d = v + t * pitch + at;
            V b[5][5], raw[5], out[5];
            UNROLL for (int i = 0; i < 5; i++)
                here[i] = row[i] + at;
            UNROLL for (int j = 0; j < 5; j++) {
                poly_column(raw, here, g->c, j, from, to, 0, 1, 5);
                poly_b(out, raw);
                UNROLL for (int i = 0; i < 5; i++) {
                    b[i][j] = out[i];
                    if (j > 0)
                        v_store(d + (POLY_EO + i * 4 + j - 1) * plane, out[i]);
                }
            }
            UNROLL for (int i = 0; i < 5; i++) {
                poly_b(out, b[i]);
                UNROLL for (int j = 0; j < 5; j++)
                    v_store(d + (i * 5 + j) * plane, out[j]);
            }
            UNROLL for (int j = 0; j < 5; j++) {
                poly_column(raw, here, g->c, j, from, to, 1, 1, 4);
                UNROLL for (int i = 0; i < 4; i++) {
                    b[i][j] = raw[i];
                    if (j > 0)
                        v_store(d + (POLY_OO + i * 4 + j - 1) * plane, raw[i]);
                }
            }
            UNROLL for (int i = 0; i < 4; i++) {
                poly_b(out, b[i]);
                UNROLL for (int j = 0; j < 5; j++)
                    v_store(d + (POLY_OE + j * 4 + i) * plane, out[j]);
            }
        }
    }
}

/* Four positions, every second along a row (across) or a column of the tile, from (row,column) on. */
INLINE void poly_put(const wino_image *g, float *y, const float *gate, int64_t corner, int64_t top, int64_t left, int row, int column,
                     const int across, const V v[4])
{
    UNROLL for (int k = 0; k < 4; k++) {
        int64_t r = row + (across ? 0 : 2 * k), c = column + (across ? 2 * k : 0);
        if (top + r >= 0 && top + r < g->h && left + c >= 0 && left + c < g->w)
            wino_put(y, corner + (r * g->w + c) * g->c, v[k], gate);
    }
}

INLINE void poly_back_tile(const wino_image *g, float *y, const float *gate, int64_t corner, int64_t top, int64_t left, const float *from,
                           int64_t plane)
{
    V r[4][5], s[5], t[4];
    UNROLL for (int i = 0; i < 5; i++) {
        UNROLL for (int j = 0; j < 5; j++)
            s[j] = v_load(from + (i * 5 + j) * plane);
        poly_a(t, s);
        UNROLL for (int j = 0; j < 4; j++)
            r[j][i] = t[j];
    }
    UNROLL for (int j = 0; j < 4; j++) {
        poly_a(t, r[j]);
        poly_put(g, y, gate, corner, top, left, 0, 2 * j, 0, t);
        UNROLL for (int i = 0; i < 5; i++)
            s[i] = v_load(from + (POLY_EO + i * 4 + j) * plane);
        poly_a(t, s);
        poly_put(g, y, gate, corner, top, left, 0, 2 * j + 1, 0, t);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        UNROLL for (int j = 0; j < 5; j++)
            s[j] = v_load(from + (POLY_OE + j * 4 + i) * plane);
        poly_a(t, s);
        poly_put(g, y, gate, corner, top, left, 2 * i + 1, 0, 1, t);
        UNROLL for (int j = 0; j < 4; j++)
            t[j] = v_load(from + (POLY_OO + i * 4 + j) * plane);
        poly_put(g, y, gate, corner, top, left, 2 * i + 1, 1, 1, t);
    }
}

static void poly_back_output(const wino_image *g, float *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t pitch,
                             int64_t channel, int64_t channels, const wino_end *end)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * g->step - g->top, left = s.x * g->step - g->left;
        int64_t corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t at = wino_chunk(c, channels);
            wino_soon(m + t * pitch + at, plane, 81);
            poly_back_tile(g, y, end->gate, corner + at, top, left, m + t * pitch + at, plane);
        }
    }
}

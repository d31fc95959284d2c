/* poly.inc.h: the transforms of images for stride 2 (wino.h), like wino.inc.h. Even positions go through F(4,2), odd
   ones stay as they are. Planes: 25 (even rows, even columns) at 0, 20 (even, odd) at 25, 20 (odd, even) at 45, 16
   (odd, odd) at 65; planes that are multiplied with the same weights lie side by side. Even rows are one pass, odd
   ones the next: 24 tiles of a pass are no larger than 12 of all planes. Transforms work column by column, since
   a column is inside the image or outside as a whole. */

/* n rows of column j from row `first` on, every `apart`th; zeros where the column is outside. */
INLINE void I(poly_column)(V *s, const S *const *row, int64_t step, int j, int from, int to, const int first,
                           const int apart, const int n)
{
    UNROLL for (int i = 0; i < n; i++)
        s[i] = v_set(0);
    if (j >= from && j < to)
        UNROLL for (int i = 0; i < n; i++)
            s[i] = s_load(row[first + i * apart] + j * step);
}

/* ---- x: 9x9 -> 81, in five parts ---- */

INLINE void I(poly_input_part)(const S *const row[9], int64_t step, int from, int to, float *d, int64_t plane, int odd,
                               const int part)
{
    if (part < 2) {
        const int low = part ? POLY_LOW : 0, high = part ? 5 : POLY_LOW;
        V b[5][5], s[5], t[5];
        UNROLL for (int j = 0; j < 5; j++) {
            I(poly_column)(s, row, step, 2 * j, from, to, 0, 2, 5);
            poly_b(t, s);
            UNROLL for (int i = low; i < high; i++)
                b[i][j] = t[i];
        }
        UNROLL for (int i = low; i < high; i++) {
            poly_b(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                PUT(d + ((i - low) * 5 + j) * plane, t[j], odd);
        }
    } else if (part == 2) {
        UNROLL for (int j = 0; j < 4; j++) {
            V s[5], t[5];
            I(poly_column)(s, row, step, 2 * j + 1, from, to, 0, 2, 5);
            poly_b(t, s);
            UNROLL for (int i = 0; i < 5; i++)
                PUT(d + (i * 4 + j) * plane, t[i], odd);
        }
    } else if (part == 3) {
        V b[4][5], s[4], t[5];
        UNROLL for (int j = 0; j < 5; j++) {
            I(poly_column)(s, row, step, 2 * j, from, to, 1, 2, 4);
            UNROLL for (int i = 0; i < 4; i++)
                b[i][j] = s[i];
        }
        UNROLL for (int i = 0; i < 4; i++) {
            poly_b(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                PUT(d + (j * 4 + i) * plane, t[j], odd);
        }
    } else {
        UNROLL for (int j = 0; j < 4; j++) {
            V s[4];
            I(poly_column)(s, row, step, 2 * j + 1, from, to, 1, 2, 4);
            UNROLL for (int i = 0; i < 4; i++)
                PUT(d + (i * 4 + j) * plane, s[i], odd);
        }
    }
}

/* part < 0: all of them of pass 0 (-1) or 1 (-2), at their own planes. */
INLINE void I(poly_input_tiles)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles,
                                float *v, int64_t plane, int64_t pitch, const int part)
{
    EACH_TILE(x, 9, {
        float *d = part < 0 ? v + t * pitch + at / EACH : v + t / EACH * pitch + at;
        if (part >= 0)
            I(poly_input_part)(here, g->c, from, to, d, plane, (int)(t % EACH), part);
        else if (part == -1) {
            I(poly_input_part)(here, g->c, from, to, d, plane, -1, 0);
            I(poly_input_part)(here, g->c, from, to, d + POLY_EE2 * plane, plane, -1, 1);
            I(poly_input_part)(here, g->c, from, to, d + POLY_EO * plane, plane, -1, 2);
        } else {
            I(poly_input_part)(here, g->c, from, to, d, plane, -1, 3);
            I(poly_input_part)(here, g->c, from, to, d + (POLY_OO - POLY_OE) * plane, plane, -1, 4);
        }
    });
}

static void I(poly_input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles, float *v,
                          int64_t plane, int64_t pitch, int pass)
{
    if (pass == 0)
        I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, -1);
    else
        I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, -2);
}

static void I(poly_sum_input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles,
                              float *v, int64_t plane, int64_t pitch, int part)
{
    switch (part) {
    case 0:  I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 0); break;
    case 1:  I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 1); break;
    case 2:  I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 2); break;
    case 3:  I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 3); break;
    default: I(poly_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 4); break;
    }
}

/* ---- 81 -> y: 4x4 ---- */

/* What the even rows give. */
INLINE void I(poly_output_even)(const float *from, int64_t plane, V y[4][4])
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
}

/* Row i of what the odd rows add. */
INLINE void I(poly_output_odd)(const float *from, int64_t plane, V y[4], const int i)
{
    V s[5], t[4];
    UNROLL for (int j = 0; j < 5; j++)
        s[j] = v_load(from + (j * 4 + i) * plane);
    poly_a(t, s);
    UNROLL for (int j = 0; j < 4; j++)
        y[j] += t[j] + v_load(from + (POLY_OO - POLY_OE + i * 4 + j) * plane);
}

/* part: (tiles,16,pitch), sums of the even rows. */
INLINE void I(poly_output_by)(OUTPUT_ARGS, const int plain)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * 4, left = s.x * 4;
        int rows = g->h - top < 4 ? (int)(g->h - top) : 4, columns = g->w - left < 4 ? (int)(g->w - left) : 4;
        int64_t corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t at = wino_chunk(c, channels);
            float *sums = part + t * 16 * pitch + at;
            V out[4][4], start = end->bias ? v_load(end->bias + channel + at) : v_set(0);
            wino_soon(m + t * pitch + at, plane, pass == 0 ? POLY_OE : WINO_PLANES - POLY_OE);
            if (pass == 0) {
                I(poly_output_even)(m + t * pitch + at, plane, out);
                UNROLL for (int i = 0; i < 16; i++)
                    v_store(sums + i * pitch, out[i / 4][i % 4]);
                continue;
            }
            UNROLL for (int i = 0; i < 4; i++) {
                UNROLL for (int j = 0; j < 4; j++)
                    out[i][j] = v_load(sums + (i * 4 + j) * pitch);
                I(poly_output_odd)(m + t * pitch + at, plane, out[i], i);
                if (i < rows)
                    I(wino_put)(y, corner + i * g->w * g->c + at, g->c, (1 << columns) - 1, out[i], start, end,
                                plain);
            }
        }
    }
}

/* ---- dy: 5x5 -> 81, and 81 -> dx: 8x8 ---- */

/* One vector of channels of a tile: the planes of a pass. */
INLINE void I(poly_back_part)(const S *const row[5], int64_t step, int from, int to, float *d, int64_t plane,
                              const int pass)
{
    const int rows = pass ? 4 : 5;
    V b[5][5], raw[5], out[5];
    UNROLL for (int j = 0; j < 5; j++) {
        I(poly_column)(raw, row, step, j, from, to, pass, 1, rows);
        if (pass == 0)
            poly_b(out, raw);
        UNROLL for (int i = 0; i < rows; i++) {
            b[i][j] = pass ? raw[i] : out[i];
            if (j > 0)
                PUT(d + ((pass ? POLY_OO - POLY_OE : POLY_EO) + i * 4 + j - 1) * plane, b[i][j], -1);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        poly_b(out, b[i]);
        UNROLL for (int j = 0; j < 5; j++)
            PUT(d + (pass ? j * 4 + i : i * 5 + j) * plane, out[j], -1);
    }
}

static void I(poly_back_input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles,
                               float *v, int64_t plane, int64_t pitch, int pass)
{
    EACH_TILE(x, 5, {
        float *d = v + t * pitch + at / EACH;
        if (pass == 0)
            I(poly_back_part)(here, g->c, from, to, d, plane, 0);
        else
            I(poly_back_part)(here, g->c, from, to, d, plane, 1);
    });
}

/* Four positions, every second along a row (across) or a column of the tile, from (row,column) on. */
INLINE void I(poly_put)(const wino_image *g, S *y, const wino_end *end, int64_t corner, int64_t top, int64_t left,
                        int row, int column, const int across, V v[4], const int plain)
{
    int exist = 0;
    UNROLL for (int k = 0; k < 4; k++) {
        int64_t r = row + (across ? 0 : 2 * k), c = column + (across ? 2 * k : 0);
        exist |= (top + r >= 0 && top + r < g->h && left + c >= 0 && left + c < g->w) << k;
    }
    I(wino_put)(y, corner + (row * g->w + column) * g->c, 2 * (across ? 1 : g->w) * g->c, exist, v, v_set(0), end,
                plain);
}

/* Even rows of dx, then odd ones: pass by pass. */
INLINE void I(poly_back_even)(const wino_image *g, S *y, const wino_end *end, int64_t corner, int64_t top, int64_t left,
                              const float *from, int64_t plane, const int plain)
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
        I(poly_put)(g, y, end, corner, top, left, 0, 2 * j, 0, t, plain);
        UNROLL for (int i = 0; i < 5; i++)
            s[i] = v_load(from + (POLY_EO + i * 4 + j) * plane);
        poly_a(t, s);
        I(poly_put)(g, y, end, corner, top, left, 0, 2 * j + 1, 0, t, plain);
    }
}

INLINE void I(poly_back_odd)(const wino_image *g, S *y, const wino_end *end, int64_t corner, int64_t top, int64_t left,
                             const float *from, int64_t plane, const int plain)
{
    V s[5], t[4];
    UNROLL for (int i = 0; i < 4; i++) {
        UNROLL for (int j = 0; j < 5; j++)
            s[j] = v_load(from + (j * 4 + i) * plane);
        poly_a(t, s);
        I(poly_put)(g, y, end, corner, top, left, 2 * i + 1, 0, 1, t, plain);
        UNROLL for (int j = 0; j < 4; j++)
            t[j] = v_load(from + (POLY_OO - POLY_OE + i * 4 + j) * plane);
        I(poly_put)(g, y, end, corner, top, left, 2 * i + 1, 1, 1, t, plain);
    }
}

INLINE void I(poly_back_output_by)(OUTPUT_ARGS, const int plain)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * g->step - g->top, left = s.x * g->step - g->left;
        int64_t corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t at = wino_chunk(c, channels);
            wino_soon(m + t * pitch + at, plane, pass == 0 ? POLY_OE : WINO_PLANES - POLY_OE);
            if (pass == 0)
                I(poly_back_even)(g, y, end, corner + at, top, left, m + t * pitch + at, plane, plain);
            else
                I(poly_back_odd)(g, y, end, corner + at, top, left, m + t * pitch + at, plane, plain);
        }
    }
}

OUTPUT(poly_output)
OUTPUT(poly_back_output)

/* ---- dy for the gradient to the weights: 4x4 -> 81, in five parts ---- */

/* The part's planes of a tile of dy; part 0 returns the sum of its pixels. */
INLINE V I(poly_grad_part)(const S *const row[4], int64_t step, int to, float *d, int64_t plane, int odd,
                               const int part)
{
    const int low = part == 1 ? POLY_LOW : 0, high = part == 0 ? POLY_LOW : 5;
    V b[5][4], s[4], t[5], sum = { 0 };
    UNROLL for (int j = 0; j < 4; j++) {
        I(poly_column)(s, row, step, j, 0, to, 0, 1, 4);
        if (part == 0)
            sum += (s[0] + s[1]) + (s[2] + s[3]);
        if (part >= 3)
            UNROLL for (int i = 0; i < 4; i++) {
                b[i][j] = s[i];
                if (part == 4)
                    PUT(d + (i * 4 + j) * plane, s[i], odd);
            }
        if (part < 3) {
            poly_a_back(t, s);
            UNROLL for (int i = low; i < high; i++) {
                b[i][j] = t[i];
                if (part == 2)
                    PUT(d + (i * 4 + j) * plane, t[i], odd);
            }
        }
    }
    if (part < 2)
        UNROLL for (int i = low; i < high; i++) {
            poly_a_back(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                PUT(d + ((i - low) * 5 + j) * plane, t[j], odd);
        }
    if (part == 3)
        UNROLL for (int i = 0; i < 4; i++) {
            poly_a_back(t, b[i]);
            UNROLL for (int j = 0; j < 5; j++)
                PUT(d + (j * 4 + i) * plane, t[j], odd);
        }
    return sum;
}

static void I(poly_grad)(const wino_image *g, const void *dy, const void *zero, int64_t first, int64_t tiles, float *v,
                         int64_t plane, int64_t pitch, int part, float *bias)
{
    EACH_TILE(dy, 4, {
        float *d = v + t / EACH * pitch + at;
        int odd = (int)(t % EACH);
        switch (part) {
        case 0:  wino_add_fresh(bias + at, I(poly_grad_part)(here, g->c, to, d, plane, odd, 0), c - at); break;
        case 1:  I(poly_grad_part)(here, g->c, to, d, plane, odd, 1); break;
        case 2:  I(poly_grad_part)(here, g->c, to, d, plane, odd, 2); break;
        case 3:  I(poly_grad_part)(here, g->c, to, d, plane, odd, 3); break;
        default: I(poly_grad_part)(here, g->c, to, d, plane, odd, 4); break;
        }
    });
}

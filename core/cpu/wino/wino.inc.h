/* wino.inc.h: the transforms of images for stride 1 (wino.h), written once over V; table.inc.h includes it for each
   storage type. Channels must fill a vector at least; where they are no multiple of it, the last vector overlaps the
   one before (same inputs, same bits). Transforms are bound by the reading and writing of 36 planes, so they work
   on whole vectors of channels and keep a tile in registers (and on the stack) in between.
   Points a = 2/3, b = 3/2: a*b = 1 makes the constant terms of the polynomials 1. */

/* ---- transforms of images ---- */

/* Rows i of a tile of n x n pixels as pointers to its column 0 (zeros where the row is outside) and the
   columns that exist. */
INLINE void I(wino_rows)(const wino_image *g, const wino_spot *s, const S *x, const S *zero, const int n, const S **row,
                      int *from, int *to)
{
    int64_t y = s->y * g->step - g->top, left = s->x * g->step - g->left;
    *from = left < 0 ? (int)-left : 0;
    *to = g->w - left < n ? (int)(g->w - left) : n;
    UNROLL for (int i = 0; i < n; i++)
        row[i] = y + i >= 0 && y + i < g->h ? x + ((s->n * g->h + y + i) * g->w + left) * g->c : zero;
}

/* Each vector of channels, from `at` on, of each tile: the body finds n rows of pixels at here[row] + column*g->c,
   columns from .. to-1 of which exist. */
#define EACH_TILE(image, n, ...) \
    do { \
        wino_spot s = wino_at(g, first); \
        for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) { \
            const S *row[n]; \
            int from, to; \
            I(wino_rows)(g, &s, image, zero, n, row, &from, &to); \
            for (int64_t c = 0; c < g->c; c += LANES) { \
                int64_t at = wino_chunk(c, g->c); \
                const S *here[n]; \
                UNROLL for (int i = 0; i < n; i++) \
                    here[i] = row[i] + at; \
                __VA_ARGS__ \
            } \
        } \
    } while (0)

/* One vector of channels of a tile, one pair of rows of B' x B: 12 planes. */
INLINE void I(wino_input_pair)(const S *const row[6], int64_t step, int from, int to, float *d, int64_t plane, int odd,
                               const int pair)
{
    V b[2][6], out[6];
    UNROLL for (int j = 0; j < 6; j++) {
        V s[6] = { 0 };
        if (j >= from && j < to)
            UNROLL for (int i = 0; i < 6; i++)
                s[i] = s_load(row[i] + j * step);
        wino_b_pair(&b[0][j], &b[1][j], s[0], s[1], s[2], s[3], s[4], s[5], pair);
    }
    UNROLL for (int r = 0; r < 2; r++) {
        wino_b(out, b[r]);
        UNROLL for (int j = 0; j < 6; j++)
            PUT(d + (r * 6 + j) * plane, out[j], odd);
    }
}

/* pair < 0: all of them, at their own planes. */
INLINE void I(wino_input_tiles)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles,
                                float *v, int64_t plane, int64_t pitch, const int pair)
{
    EACH_TILE(x, 6, {
        float *d = pair < 0 ? v + t * pitch + at / EACH : v + t / EACH * pitch + at;
        if (pair >= 0)
            I(wino_input_pair)(here, g->c, from, to, d, plane, (int)(t % EACH), pair);
        else {
            I(wino_input_pair)(here, g->c, from, to, d, plane, -1, 0);
            I(wino_input_pair)(here, g->c, from, to, d + 12 * plane, plane, -1, 1);
            I(wino_input_pair)(here, g->c, from, to, d + 24 * plane, plane, -1, 2);
        }
    });
}

static void I(wino_input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles, float *v,
                          int64_t plane, int64_t pitch, int pass)
{
    I(wino_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, -1);
}

static void I(wino_sum_input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles,
                              float *v, int64_t plane, int64_t pitch, int pair)
{
    if (pair == 0)
        I(wino_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 0);
    else if (pair == 1)
        I(wino_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 1);
    else
        I(wino_input_tiles)(g, x, zero, first, tiles, v, plane, pitch, 2);
}

/* The same for A dy A', whose pixels' sum is returned for pair 0. */
INLINE V I(wino_grad_pair)(const S *const row[4], int64_t step, int to, float *d, int64_t plane, int odd,
                               const int pair)
{
    V b[2][4], out[6], sum = { 0 };
    UNROLL for (int j = 0; j < 4; j++) {
        V s[4] = { 0 };
        if (j < to)
            UNROLL for (int i = 0; i < 4; i++)
                s[i] = s_load(row[i] + j * step);
        if (pair == 0) {
            b[0][j] = s[0];
            b[1][j] = s[3];
            sum += (s[0] + s[1]) + (s[2] + s[3]);
        } else {
            float outer = pair == 1 ? WA : WB, inner = pair == 1 ? WA2 : WB2;
            V p = s[0] + inner * s[2], q = s[1] + inner * s[3];
            b[0][j] = p + outer * q;
            b[1][j] = p - outer * q;
        }
    }
    UNROLL for (int r = 0; r < 2; r++) {
        wino_a_back(out, b[r]);
        UNROLL for (int j = 0; j < 6; j++)
            PUT(d + (r * 6 + j) * plane, out[j], odd);
    }
    return sum;
}

static void I(wino_grad)(const wino_image *g, const void *dy, const void *zero, int64_t first, int64_t tiles, float *v,
                         int64_t plane, int64_t pitch, int pair, float *bias)
{
    EACH_TILE(dy, 4, {
        float *d = v + t / EACH * pitch + at;
        int odd = (int)(t % EACH);
        if (pair == 0)
            wino_add_fresh(bias + at, I(wino_grad_pair)(here, g->c, to, d, plane, odd, 0), c - at);
        else if (pair == 1)
            I(wino_grad_pair)(here, g->c, to, d, plane, odd, 1);
        else
            I(wino_grad_pair)(here, g->c, to, d, plane, odd, 2);
    });
}

/* 4 pixels, `step` elements apart from y on, of which bits of `exist` say which there are: their sums, v, through an
   activation that takes time, or times its slope at the gate. */
static __attribute__((noinline)) void I(wino_put_act)(S *y, const S *gate, int64_t step, int exist, V v[4], V start,
                                                      const wino_end *end)
{
    V of[4] = { 0 };
    for (int k = 0; k < 4; k++) {
        v[k] += start;
        if (gate && exist >> k & 1)
            of[k] = s_load(gate + k * step);
    }
    act_vectors(v, gate ? of : NULL, end->act, end->alpha);
    for (int k = 0; k < 4; k++)
        if (exist >> k & 1)
            s_store(y + k * step, v[k]);
}

/* The same; plain: there is no activation, or ReLU. */
INLINE void I(wino_put)(S *y, int64_t at, int64_t step, int exist, V v[4], V start, const wino_end *end,
                        const int plain)
{
    const S *gate = end->gate;
    if (!plain) {
        I(wino_put_act)(y + at, gate ? gate + at : NULL, step, exist, v, start, end);
        return;
    }
    V least = v_set(end->act == HZ_RELU && !gate ? 0 : -INFINITY);
    UNROLL for (int k = 0; k < 4; k++) {
        S *to = y + at + k * step;
        if (!(exist >> k & 1))
            continue;
        __asm__ volatile("prefetchw %0" : : "m"(*((char *)to + 64)));
        if (gate)
            __builtin_prefetch((const char *)(gate + at + k * step) + 64, 0, 3);
        v[k] += start;
        s_store(to, gate && end->act ? (V)((VI)v[k] & (s_load(gate + at + k * step) > 0.0f)) : v_max(least, v[k]));
    }
}

/* A transform's output (wino_way), once for what is plain and once for the rest, whose constants would cost the former
   its registers. */
#define OUTPUT_ARGS \
    const wino_image *g, void *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t pitch, \
        int64_t channel, int64_t channels, const wino_end *end, float *part, int pass
#define OUTPUT_OF(name, suffix, plain) \
    static __attribute__((noinline)) void I(name##suffix)(OUTPUT_ARGS) \
    { \
        I(name##_by)(g, y, first, tiles, m, plane, pitch, channel, channels, end, part, pass, plain); \
    }
#define OUTPUT(name) \
    OUTPUT_OF(name, _plain, 1) \
    OUTPUT_OF(name, _act, 0) \
    static void I(name)(OUTPUT_ARGS) \
    { \
        int plain = end->act == HZ_LINEAR || end->act == HZ_RELU; \
        (plain ? I(name##_plain) : I(name##_act))(g, y, first, tiles, m, plane, pitch, channel, channels, end, part, \
                                                  pass); \
    }

INLINE void I(wino_output_by)(OUTPUT_ARGS, const int plain)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * 4, left = s.x * 4;
        int rows = g->h - top < 4 ? (int)(g->h - top) : 4, columns = g->w - left < 4 ? (int)(g->w - left) : 4;
        int64_t corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t at = wino_chunk(c, channels);
            const float *from = m + t * pitch + at;
            wino_soon(from, plane, 36);
            V b[4][6], start = end->bias ? v_load(end->bias + channel + at) : v_set(0);
            UNROLL for (int j = 0; j < 6; j++) {
                V in[6], out[4];
                UNROLL for (int i = 0; i < 6; i++)
                    in[i] = v_load(from + (wino_line[i] * 6 + j) * plane);
                wino_a(out, in);
                UNROLL for (int i = 0; i < 4; i++)
                    b[i][j] = out[i];
            }
            UNROLL for (int i = 0; i < 4; i++) {
                V out[4];
                if (i >= rows)
                    break;
                wino_a(out, b[i]);
                I(wino_put)(y, corner + i * g->w * g->c + at, g->c, (1 << columns) - 1, out, start, end,
                            plain);
            }
        }
    }
}
OUTPUT(wino_output)

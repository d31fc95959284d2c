/* wino.inc.h: the micro-kernels of wino.h, written once over V. Channels must fill a vector at least; where they are no multiple
   of it, the last vector overlaps the one before (same inputs, same bits). Transforms are bound by the reading and writing of 36
   planes, so they work on whole vectors of channels and keep a tile in registers (and on the stack) in between.
   Points a = 2/3, b = 3/2: a*b = 1 makes the constant terms of the polynomials 1. */
#include "cpu/wino.h"
#include "cpu/wino_math.inc.h"

/* ---- transforms of images ---- */

/* Rows i of a tile of n x n pixels as pointers to its column 0 (zeros where the row is outside) and the columns that exist. */
INLINE void wino_rows(const wino_image *g, const wino_spot *s, const float *x, const float *zero, const int n, const float **row,
                      int *from, int *to)
{
    int64_t y = s->y * g->step - g->top, left = s->x * g->step - g->left;
    *from = left < 0 ? (int)-left : 0;
    *to = g->w - left < n ? (int)(g->w - left) : n;
    UNROLL for (int i = 0; i < n; i++)
        row[i] = y + i >= 0 && y + i < g->h ? x + ((s->n * g->h + y + i) * g->w + left) * g->c : zero;
}

/* The lines behind those at hand, one of each plane, into L1: planes lie too far apart for the machine to see the pattern, and a tile fills
   its window, so that each would wait for L2 anew. */
INLINE void wino_soon(const float *at, int64_t plane, const int planes)
{
    for (int i = 0; i < planes; i++)
        __builtin_prefetch(at + i * plane + 16, 0, 3);
}

INLINE int64_t wino_chunk(int64_t c, int64_t channels) { return c + LANES <= channels ? c : channels - LANES; }

/* One vector of channels of a tile, one pair of rows of B' x B: 12 planes. */
INLINE void wino_input_pair(const float *const row[6], int64_t step, int from, int to, float *d, int64_t plane, const int pair)
{
    V b[2][6], out[6];
    UNROLL for (int j = 0; j < 6; j++) {
        V s[6] = { 0 };
        if (j >= from && j < to)
            UNROLL for (int i = 0; i < 6; i++)
                s[i] = v_load(row[i] + j * step);
        wino_b_pair(&b[0][j], &b[1][j], s[0], s[1], s[2], s[3], s[4], s[5], pair);
    }
    UNROLL for (int r = 0; r < 2; r++) {
        wino_b(out, b[r]);
        UNROLL for (int j = 0; j < 6; j++)
            v_store(d + (r * 6 + j) * plane, out[j]);
    }
}

/* pair < 0: all of them, at their own planes. */
INLINE void wino_input_tiles(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                             int64_t pitch, const int pair)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        const float *row[6];
        int from, to;
        wino_rows(g, &s, x, zero, 6, row, &from, &to);
        for (int64_t c = 0; c < g->c; c += LANES) {
            int64_t at = wino_chunk(c, g->c);
            const float *here[6];
            float *d = v + t * pitch + at;
            UNROLL for (int i = 0; i < 6; i++)
                here[i] = row[i] + at;
            if (pair >= 0)
                wino_input_pair(here, g->c, from, to, d, plane, pair);
            else {
                wino_input_pair(here, g->c, from, to, d, plane, 0);
                wino_input_pair(here, g->c, from, to, d + 12 * plane, plane, 1);
                wino_input_pair(here, g->c, from, to, d + 24 * plane, plane, 2);
            }
        }
    }
}

static void wino_input(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                       int64_t pitch)
{
    wino_input_tiles(g, x, zero, first, tiles, v, plane, pitch, -1);
}

static void wino_sum_input(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                           int64_t pitch, int pair)
{
    if (pair == 0)
        wino_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 0);
    else if (pair == 1)
        wino_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 1);
    else
        wino_input_tiles(g, x, zero, first, tiles, v, plane, pitch, 2);
}

/* sum[l] += v[l] but for the first `stale` lanes, which were added with the vector before. */
INLINE void wino_add_fresh(float *sum, V v, int64_t stale)
{
    static const int32_t number[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    VI lane;
    memcpy(&lane, number, sizeof lane);
    v_store(sum, v_load(sum) + (V)((VI)v & (lane >= (int32_t)stale)));
}

/* The same for A dy A', whose pixels' sum is returned for pair 0. */
INLINE V wino_grad_pair(const float *const row[4], int64_t step, int to, float *d, int64_t plane, const int pair)
{
    V b[2][4], out[6], sum = { 0 };
    UNROLL for (int j = 0; j < 4; j++) {
        V s[4] = { 0 };
        if (j < to)
            UNROLL for (int i = 0; i < 4; i++)
                s[i] = v_load(row[i] + j * step);
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
            v_store(d + (r * 6 + j) * plane, out[j]);
    }
    return sum;
}

static void wino_grad(const wino_image *g, const float *dy, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                      int64_t pitch, int pair, float *bias)
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
            if (pair == 0)
                wino_add_fresh(bias + at, wino_grad_pair(here, g->c, to, d, plane, 0), c - at);
            else if (pair == 1)
                wino_grad_pair(here, g->c, to, d, plane, 1);
            else
                wino_grad_pair(here, g->c, to, d, plane, 2);
        }
    }
}

INLINE void wino_put(float *y, int64_t at, V v, const float *gate)
{
    __asm__ volatile("prefetchw %0" : : "m"(y[at + 16]));
    if (gate)
        __builtin_prefetch(gate + at + 16, 0, 3);
    v_store(y + at, gate ? (V)((VI)v & (v_load(gate + at) > 0.0f)) : v);
}

static void wino_output(const wino_image *g, float *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t pitch,
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
                UNROLL for (int j = 0; j < 4; j++)
                    if (j < columns)
                        wino_put(y, corner + (i * g->w + j) * g->c + at, v_max(least, out[j] + start), end->gate);
            }
        }
    }
}

/* ---- transforms of weights ---- */

INLINE void wino_taps_one(V u[6][6], const float *g, int64_t step, int turned)
{
    V b[6][3];
    UNROLL for (int x = 0; x < 3; x++) {
        V in[3], out[6];
        UNROLL for (int y = 0; y < 3; y++)
            in[y] = v_load(g + (turned ? 8 - (y * 3 + x) : y * 3 + x) * step);
        wino_g(out, in);
        UNROLL for (int i = 0; i < 6; i++)
            b[i][x] = out[i];
    }
    UNROLL for (int i = 0; i < 6; i++)
        wino_g(u[i], b[i]);
}

static void wino_taps(const float *g, int64_t step, int turned, float *u, int64_t plane)
{
    V t[6][6];
    wino_taps_one(t, g, step, turned);
    UNROLL for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            v_store(u + (wino_line[i] * 6 + j) * plane, t[i][j]);
}

/* Swaps the off-diagonal blocks of h x h lanes; with h = LANES/2 .. 1 that transposes LANES vectors. */
INLINE void wino_swap(V x[LANES], const int h)
{
    VI low, high;
    UNROLL for (int l = 0; l < LANES; l++) {
        low[l] = l & h ? LANES + l - h : l;
        high[l] = l & h ? LANES + l : l + h;
    }
    UNROLL for (int r = 0; r < LANES; r++)
        if (!(r & h)) {
            V a = x[r], b = x[r + h];
            x[r] = __builtin_shuffle(a, b, low);
            x[r + h] = __builtin_shuffle(a, b, high);
        }
}

static void wino_across(const wino_way *way, const float *g, int64_t step, int64_t apart, int filters, float *u, int64_t plane,
                        int64_t width)
{
    float block[WINO_MATRICES][LANES][LANES];    /* [matrix][filter][input channel] */
    memset(block, 0, sizeof block);
    for (int f = 0; f < filters; f++)
        way->taps(g + f * apart, step, 0, block[0][f], LANES * LANES);
    for (int p = 0; p < WINO_MATRICES; p++) {
        V x[LANES];
        UNROLL for (int f = 0; f < LANES; f++)
            x[f] = v_load(block[p][f]);
        if (LANES > 8)
            wino_swap(x, 8 % LANES);
        if (LANES > 4)
            wino_swap(x, 4 % LANES);
        wino_swap(x, 2);
        wino_swap(x, 1);
        UNROLL for (int i = 0; i < LANES; i++)
            v_store(u + p * plane + i * width, x[i]);
    }
}

/* What a pair of rows of d, 12 planes, contributes to G' d G. */
INLINE void wino_fold_pair(const float *d, int64_t plane, float *g, int64_t step, const int pair)
{
    V b[3][6], out[3];
    UNROLL for (int j = 0; j < 6; j++) {
        V s = v_load(d + j * plane), t = v_load(d + (6 + j) * plane);
        if (pair == 0) {
            b[0][j] = s;
            b[1][j] = v_set(0);
            b[2][j] = t;
        } else {
            float scale = pair == 1 ? WG[1] : WG[3], one = pair == 1 ? WA : WB, two = pair == 1 ? WA2 : WB2;
            V p = scale * (s + t), q = scale * (s - t);
            b[0][j] = p;
            b[1][j] = one * q;
            b[2][j] = two * p;
        }
    }
    UNROLL for (int y = 0; y < 3; y++) {
        wino_g_back(out, b[y]);
        UNROLL for (int x = 0; x < 3; x++) {
            float *to = g + (y * 3 + x) * step;
            v_store(to, v_load(to) + out[x]);
        }
    }
}

static void wino_fold(const float *d, int64_t plane, float *g, int64_t step, int pair)
{
    if (pair == 0)
        wino_fold_pair(d, plane, g, step, 0);
    else if (pair == 1)
        wino_fold_pair(d, plane, g, step, 1);
    else
        wino_fold_pair(d, plane, g, step, 2);
}

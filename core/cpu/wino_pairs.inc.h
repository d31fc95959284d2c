/* wino_pairs.inc.h: the transforms of F(4x4,3x3) (wino.h) between images in bf16 and planes in bf16 that products of pairs read
   (pairs.h); the arithmetic in between is f32. A vector is 16 channels, half of a run. */
#include "cpu/wino_math.inc.h"

INLINE V bf16_load(const uint16_t *p) { return v_widen(*(const VHU *)p); }
INLINE void bf16_store(uint16_t *p, V v) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh((__m512)v)); }

/* Where 16 channels from c on of a plane's tile lie, behind the tile. */
INLINE int64_t half_run(int64_t c, int64_t run) { return c / PAIRS * run + c % PAIRS; }

/* ---- images -> planes ---- */

INLINE void input_pair(const uint16_t *const row[6], int64_t step, int from, int to, uint16_t *d, int64_t plane, const int pair)
{
    V b[2][6], out[6];
    UNROLL for (int j = 0; j < 6; j++) {
        V s[6] = { 0 };
        if (j >= from && j < to)
            UNROLL for (int i = 0; i < 6; i++)
                s[i] = bf16_load(row[i] + j * step);
        wino_b_pair(&b[0][j], &b[1][j], s[0], s[1], s[2], s[3], s[4], s[5], pair);
    }
    UNROLL for (int r = 0; r < 2; r++) {
        wino_b(out, b[r]);
        UNROLL for (int j = 0; j < 6; j++)
            bf16_store(d + (r * 6 + j) * plane, out[j]);
    }
}

static void wino_pairs_input(const wino_image *g, const uint16_t *x, const uint16_t *zero, int64_t first, int64_t tiles, uint16_t *v,
                             int64_t plane, int64_t run)
{
    wino_spot s = wino_at(g, first);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        const uint16_t *row[6];
        int64_t y = s.y * g->step - g->top, left = s.x * g->step - g->left;
        int from = left < 0 ? (int)-left : 0, to = g->w - left < 6 ? (int)(g->w - left) : 6;
        UNROLL for (int i = 0; i < 6; i++)
            row[i] = y + i >= 0 && y + i < g->h ? x + ((s.n * g->h + y + i) * g->w + left) * g->c : zero;
        for (int64_t c = 0; c < g->c; c += LANES) {
            const uint16_t *here[6];
            uint16_t *d = v + t * PAIRS + half_run(c, run);
            UNROLL for (int i = 0; i < 6; i++)
                here[i] = row[i] + c;
            input_pair(here, g->c, from, to, d, plane, 0);
            input_pair(here, g->c, from, to, d + 12 * plane, plane, 1);
            input_pair(here, g->c, from, to, d + 24 * plane, plane, 2);
        }
    }
}

/* ---- planes -> images ---- */

static void wino_pairs_output(const wino_image *g, uint16_t *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t channel,
                              const pairs_finish *f)
{
    wino_spot s = wino_at(g, first);
    V least = v_set(f->low);
    for (int64_t t = 0; t < tiles; t++, wino_next(g, &s)) {
        int64_t top = s.y * 4, left = s.x * 4, corner = ((s.n * g->h + top) * g->w + left) * g->c + channel;
        int rows = g->h - top < 4 ? (int)(g->h - top) : 4, columns = g->w - left < 4 ? (int)(g->w - left) : 4;
        for (int c = 0; c < f->columns; c += LANES) {
            const float *from = m + t * PAIRS + c;
            V b[4][6], start = f->bias ? v_load(f->bias + c) : v_set(0);
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
                UNROLL for (int j = 0; j < 4; j++) {
                    int64_t at = corner + (i * g->w + j) * g->c + c;
                    if (j >= columns)
                        break;
                    V sum = v_max(least, out[j] + start);
                    if (f->gate)
                        sum = (V)((VI)sum & (bf16_load(f->gate + at) > v_set(0)));
                    bf16_store(y + at, sum);
                }
            }
        }
    }
}

/* ---- weights ---- */

/* 16 lanes of 9 taps, `step` floats apart -> 36 vectors */
INLINE void taps_of(V u[WINO_MATRICES], const float *g, int64_t step, int turned)
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
        wino_g(u + wino_line[i] * 6, b[i]);
}

/* w (..,3,3,step): 16 inputs of one filter, which is column `column` of u: (16,32,2) for each matrix, `plane` elements apart. */
static void wino_pairs_across(const float *w, int64_t step, int column, int k, uint16_t *u, int64_t plane)
{
    V all[WINO_MATRICES];
    taps_of(all, w, step, 0);
    for (int p = 0; p < WINO_MATRICES; p++) {
        uint16_t h[LANES];
        bf16_store(h, all[p]);
        for (int i = 0; i < LANES; i += 2)
            memcpy(u + p * plane + (k + i) * PAIRS + 2 * column, h + i, 2 * sizeof *h);
    }
}

/* The taps turned round: 16 inputs, which are columns from `column` on, of two filters, which are k and k + 1. */
static void wino_pairs_along(const float *w, int64_t step, const float *next, int column, int k, uint16_t *u, int64_t plane)
{
    V one[WINO_MATRICES], two[WINO_MATRICES];
    taps_of(one, w, step, 1);
    taps_of(two, next, step, 1);
    for (int p = 0; p < WINO_MATRICES; p++) {
        __m512i a = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)one[p]));
        __m512i b = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)two[p]));
        _mm512_storeu_si512(u + p * plane + k * PAIRS + 2 * column, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
    }
}

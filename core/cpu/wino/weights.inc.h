/* weights.inc.h: what Winograd's transforms (wino.h) do with weights, f32 in all storage types: taps to matrices,
   sums of matrices back to taps; and helpers that the transforms of images share. */
#include "cpu/wino/wino.h"
#include "cpu/wino/math.inc.h"

enum { WINO_RUN = 64 };

/* The lines behind those at hand, one of each plane, into L1: planes lie too far apart for the machine to see the
   pattern, and a tile fills its window, so that each would wait for L2 anew. */
INLINE void wino_soon(const float *at, int64_t plane, const int planes)
{
    for (int i = 0; i < planes; i++)
        __builtin_prefetch(at + i * plane + 16, 0, 3);
}

INLINE int64_t wino_chunk(int64_t c, int64_t channels) { return c + LANES <= channels ? c : channels - LANES; }

/* One line of each stream, for reading into the second-level cache or for writing. */
INLINE void wino_fetch(const char *at, const int write)
{
    if (write)
        __asm__ volatile("prefetchw %0" : : "m"(*at));
    else
        __builtin_prefetch(at, 0, 2);
}

/* How far a stream moves in each round of a call: not at all once it is at its end. A test in each round would take
   slots of the ports that multiply. */
INLINE int64_t wino_pace(const wino_stream *s, int64_t bytes) { return s->at < s->end ? bytes : 0; }

/* sum[l] += v[l] but for the first `stale` lanes, which were added with the vector before. */
INLINE void wino_add_fresh(float *sum, V v, int64_t stale)
{
    static const int32_t number[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    VI lane;
    memcpy(&lane, number, sizeof lane);
    v_store(sum, v_load(sum) + (V)((VI)v & (lane >= (int32_t)stale)));
}

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

/* What a pair of rows of d, 12 planes, contributes to G' d G; pair 0 is the first. */
INLINE void wino_fold_pair(const float *d, int64_t plane, float *g, int64_t step, const int pair)
{
    V b[3][6], out[3];
    wino_soon(d, plane, 12);
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
            wino_fetch((const char *)(to + 16), 1);
            if (pair > 0)
                out[x] += v_load(to);
            v_store(to, out[x]);
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

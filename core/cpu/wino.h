/* wino.h: Winograd's minimal filtering F(4x4,3x3) for convolutions of 3x3 taps and stride 1, after Lavin and Gray (2015).
   A tile of 4x4 outputs needs 6x6 inputs. Forward: y = A' [ sum over channels of (B' x B) * (G w G') ] A, which is 36 products
   of matrices in place of 144 multiplications per channel pair and tile. The gradient to the input is the same with the taps
   turned round and the channels exchanged; the gradient to the weights is G' [ sum over tiles of (A dy A') * (B' x B) ] G.
   Points 0, +-2/3, +-3/2 and infinity: as cheap as 0, +-1, +-2 and half their error.
   Here: what the micro-kernels of one level offer, and how an image is cut into tiles. */
#ifndef HZ_CPU_WINO_H
#define HZ_CPU_WINO_H
#include "cpu/micro.h"

enum { WINO_OUT = 4, WINO_IN = 6, WINO_PLANES = 36 };

/* An image in memory, (N,h,w,c), and the tiles that cover the outputs: down x across of them per image, numbered row by row,
   image by image. Tile (y,x) begins at row y*4 - top and column x*4 - left; what lies outside the image is zero. */
typedef struct wino_image {
    int64_t h, w, c, top, left, down, across;
} wino_image;

/* Lines to be fetched while products run: one of each stream every second step, which the memory keeps up with. A burst of
   them between the products would stall both. A stream stays at its end. */
typedef struct wino_stream { const char *at, *end; } wino_stream;
typedef struct wino_ahead {
    wino_stream read;         /* what the next block reads */
    wino_stream other;        /* product: the weights of the next plane; outer: what the next block reads of dy */
    wino_stream write;        /* product: what this block will write */
} wino_ahead;

/* Micro-kernels of one level. Planes lie `plane` floats apart, tiles `pitch` floats apart; a plane is (tiles, channels). The 6x6
   planes are numbered by pairs of rows that share their arithmetic: rows 0 and 5 are planes 0..11, then 1 and 2, then 3 and 4. */
typedef struct cpu_wino {
    int rows[MICRO_NV + 1];   /* tiles that product[nv] works on at a time */
    /* x -> B' x B of tiles first..first+tiles-1. zero: 6*c zeros. pairs: 7 for all 36 planes, 1, 2 or 4 for 12 of them */
    void (*input)(const wino_image *g, const float *x, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                  int64_t pitch, int pairs);
    /* dy -> 12 planes of A dy A' of the same tiles, pair 0, 1 or 2; for pair 0 their pixels are added to bias (c) */
    void (*grad)(const wino_image *g, const float *dy, const float *zero, int64_t first, int64_t tiles, float *v, int64_t plane,
                 int64_t pitch, int pair, float *bias);
    /* y = max(low, A' m A + bias) for `channels` channels of y from `channel` on, which are the first ones of m */
    void (*output)(const wino_image *g, float *y, int64_t first, int64_t tiles, const float *m, int64_t plane, int64_t pitch,
                   int64_t channel, int64_t channels, const float *bias, float low);
    /* m[t][j] = sum over k of v[t*pitch + k] * u[k*width + j], width = nv*lanes; whole groups of rows[nv] tiles are written */
    void (*product[MICRO_NV + 1])(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m, wino_ahead *ahead);
    /* d[r][j] (+)= sum over tiles of a[t*a_pitch + r] * b[t*b_pitch + j], r < rows of a, j < nv*lanes */
    void (*outer[MICRO_NV + 1])(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles,
                               float *d, int64_t d_pitch, int64_t rows, int add, wino_ahead *ahead);
    /* g (3,3,step): lanes of 9 taps -> 36 vectors, `plane` floats apart; turned: rotated by 180 degrees */
    void (*taps)(const float *g, int64_t step, int turned, float *u, int64_t plane);
    /* the same for lanes filters `filter` floats apart, transposed: u[p*plane + i*width + filter] for lanes of i */
    void (*taps_across)(const float *g, int64_t step, int64_t filter, int filters, float *u, int64_t plane, int64_t width);
    /* what 12 vectors, `plane` floats apart, contribute to G' d G: 9 vectors `step` floats apart, set by pair 0, added to by 1 and 2 */
    void (*fold)(const float *d, int64_t plane, float *g, int64_t step, int pair);
} cpu_wino;

/* The node has 3x3 taps, stride 1, f32, and channels that fill a vector. */
static inline int wino_fits(const hz_work *w, const cpu_micro *m)
{
    const hz_window *a = &w->attr.window;
    const hz_arg *other = w->op == OP_conv2d_dw ? &w->in[1] : &w->out[0];
    return a->kh == 3 && a->kw == 3 && a->sh <= 1 && a->sw <= 1 && cpu_all(w, HZ_F32) && w->in[0].shape[3] >= m->lanes &&
           other->shape[3] >= m->lanes;
}

/* Seconds on a nominal core of 118 GFLOP/s, on which the direct kernels reach 100: products at 72 % of it, 200 cycles for each vector
   that is transformed on the way in and 140 on the way out (memory included), 36 stores for each vector of weights. */
static inline double wino_cost(const cpu_micro *m, int64_t tiles, int64_t in, int64_t out)
{
    double a = (double)((in + m->lanes - 1) / m->lanes), b = (double)((out + m->lanes - 1) / m->lanes);
    double cycles = (double)tiles * (36 * (double)in * b / 2 / 0.72 + 200 * a + 140 * b) + 80 * (double)in * b;
    return 1e-6 + cycles * 4 * m->lanes / 118e9;
}

/* Where tile number `tile` lies; tiles are walked with wino_next. */
typedef struct wino_spot { int64_t n, y, x; } wino_spot;

static inline wino_spot wino_at(const wino_image *g, int64_t tile)
{
    int64_t each = g->down * g->across, in = tile % each;
    return (wino_spot){ .n = tile / each, .y = in / g->across, .x = in % g->across };
}

static inline void wino_next(const wino_image *g, wino_spot *s)
{
    if (++s->x == g->across) {
        s->x = 0;
        if (++s->y == g->down) {
            s->y = 0;
            s->n++;
        }
    }
}

#endif

/* wino.h: fast convolution of 3x3 taps, after Winograd; Lavin and Gray (2015).
   Stride 1, F(4x4,3x3): a tile of 4x4 outputs needs 6x6 inputs. Forward: y = A' [ sum over channels of
   (B' x B) * (G w G') ] A, 36 products of matrices in place of 144 multiplications per channel pair and tile.
   The gradient to the input is the same with the taps turned round and the channels exchanged; the gradient to the
   weights is G' [ sum over tiles of (A dy A') * (B' x B) ] G. Points 0, +-2/3, +-3/2 and infinity: as cheap as 0,
   +-1, +-2 and half their error.
   Stride 2, polyphase: along one axis y[i] = w0 x[2i] + w1 x[2i+1] + w2 x[2i+2]. The even inputs meet two
   taps, F(4,2) over the points 0, 1, -1, 2 and infinity with 5 products for 4 outputs; the odd ones meet
   one tap, 4 products. In two dimensions a tile of 4x4 outputs and 9x9 inputs takes 25 (even rows, even
   columns) + 20 + 20 + 16 = 81 products instead of 144. They share 36 matrices of weights: 25, 5, 5 and 1. Gradient
   to the input: the even positions of dx are a convolution of dy with two taps, the odd ones of one, so the same
   products serve, over 5x5 of dy for 8x8 of dx.
   Planes consist of words of 4 bytes: an f32, or a pair of bf16 that are neighbouring channels where products
   sum over channels, and neighbouring tiles where they sum over tiles. So both kinds share drivers, and a product
   differs in its one instruction.
   Here: what the micro-kernels of one level offer, and how an image is cut into tiles. */
#ifndef HZ_CPU_WINO_H
#define HZ_CPU_WINO_H
#include "cpu/micro.h"

enum { WINO_MATRICES = 36, WINO_PLANES = 81, WINO_REACH = 9 };      /* planes and rows of a tile at most */

/* An image in memory, (N,h,w,c), and its tiles: down x across per image, numbered row by row, image by image.
   Tile (y,x) begins at row y*step - top and column x*step - left; what lies outside the image reads as zero
   and is not written. */
typedef struct wino_image {
    int64_t h, w, c, step, top, left, down, across;
} wino_image;

/* Lines to be fetched while products run: one or two in a step, which the memory keeps up with. A burst of them
   between the products would stall both. A stream stays at its end. */
typedef struct wino_stream { const char *at, *end; } wino_stream;
typedef struct wino_ahead {
    wino_stream read;         /* what the next block reads */
    wino_stream other;        /* product: the weights of the next plane; outer: what the next block reads of dy */
    wino_stream write;        /* product: what this block will write */
    int64_t gate;             /* product: bytes from there to what it will read of the gate, 0 for none */
} wino_ahead;

/* What the way back does to a pixel: y = act(sum + bias), or where there is a gate, of y's shape, the activation's
   gradient, sum * act'(gate). bias, gate: NULL for none. */
typedef struct wino_end {
    const float *bias;        /* (c) */
    const void *gate;         /* (N,h,w,c) */
    int act;
    float alpha;
} wino_end;

/* Micro-kernels of one level and kind. Images have elements of `bytes` bytes, planes words of `each` numbers.
   Planes lie `plane` words apart, tiles (where words are pairs of tiles, words) `pitch` words apart; a plane is
   (tiles, channels). All sums are f32.
   A transform for the forward direction or the gradient to the input: */
enum { WINO_PASSES = 2, WINO_BLOCK = 24 };      /* passes over a block at most; tiles of a block */
typedef struct wino_way {
    int passes, planes[WINO_PASSES];      /* those of a pass are made, multiplied and turned back, then the next */
    const uint8_t *matrix;                /* (planes of all passes): of weights that each is multiplied with */
    /* tiles first..first+tiles-1 of x (N,h,w,c) -> planes of a pass, v (planes,tiles,c). zero: (WINO_REACH,c) zeros */
    void (*input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles, float *v,
                  int64_t plane, int64_t pitch, int pass);
    /* planes of a pass, m (planes,tiles,channels) -> `channels` channels of y (N,h,w,c) from `channel` on. part: what
       a pass leaves for the next, (tiles,16,channels) */
    void (*output)(const wino_image *g, void *y, int64_t first, int64_t tiles, const float *m, int64_t plane,
                   int64_t pitch, int64_t channel, int64_t channels, const wino_end *end, float *part, int pass);
    /* g (3,3,step): lanes of 9 taps -> 36 vectors, `plane` floats apart; turned: rotated by 180 degrees */
    void (*taps)(const float *g, int64_t step, int turned, float *u, int64_t plane);
} wino_way;

/* A transform for the gradient to the weights, in parts whose planes and sums are handled together. */
enum { WINO_PARTS = 5 };
typedef struct wino_sum {
    int parts;
    int planes[WINO_PARTS], matrices[WINO_PARTS];    /* of each part; planes/matrices neighbours add to the same sum */
    /* the part's planes (planes,tiles,c) of x, and of dy; part 0 also adds the pixels of dy to bias (c) */
    void (*input)(const wino_image *g, const void *x, const void *zero, int64_t first, int64_t tiles, float *v,
                  int64_t plane, int64_t pitch, int part);
    void (*grad)(const wino_image *g, const void *dy, const void *zero, int64_t first, int64_t tiles, float *v,
                 int64_t plane, int64_t pitch, int part, float *bias);
    /* vectors of the part's sums, `plane` floats apart -> 9 taps `step` floats apart: written by the first part that
       knows of a tap, added to by others */
    void (*fold)(const float *d, int64_t plane, float *g, int64_t step, int part);
} wino_sum;

typedef struct cpu_wino {
    int each, bytes;
    wino_way forward[2], back[2];         /* stride 1, stride 2 */
    wino_sum sum[2];
    int rows[MICRO_NV + 1];               /* tiles that product[nv] works on at a time, a divisor of 24 */
    /* m[t][j] = sum over words k of v[t*pitch + k] * u[k*width + j], width = nv*lanes; whole groups of rows[nv]
       tiles are written */
    void (*product[MICRO_NV + 1])(const float *v, int64_t pitch, const float *u, int64_t k, int64_t tiles, float *m,
                                  wino_ahead *ahead);
    /* d[r][j] (+)= sum over words t of a[t*a_pitch + r] * b[t*b_pitch + j], r < rows of a, j < nv*lanes */
    void (*outer[MICRO_NV + 1])(const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, int64_t tiles,
                                float *d, int64_t d_pitch, int64_t rows, int add, wino_ahead *ahead);
    /* `filters` filters of `lanes` filters, `apart` floats apart, by taps(), transposed:
       u[p*plane + i*width + filter] for lanes of i, i counted in words */
    void (*across)(const wino_way *way, const float *g, int64_t step, int64_t apart, int filters, float *u,
                   int64_t plane, int64_t width);
    /* one filter turned round, lanes of its inputs -> u[p*plane + input], as number `odd` of each word; 0 is written
       first. width: to the next word */
    void (*turned)(const wino_way *way, const float *g, int64_t step, int odd, float *u, int64_t plane, int64_t width);
} cpu_wino;

/* 0 for stride 1, 1 for stride 2; -1 unless the node has 3x3 taps and channels that fill a vector. */
static inline int wino_stride(const hz_work *w, const cpu_micro *m)
{
    const hz_window *a = &w->attr.window;
    const hz_arg *other = w->op == OP_conv2d_dw ? &w->in[1] : &w->out[0];
    int sh = a->sh ? a->sh : 1, sw = a->sw ? a->sw : 1;
    if (a->kh != 3 || a->kw != 3 || sh != sw || sh > 2)
        return -1;
    return w->in[0].shape[3] >= m->lanes && other->shape[3] >= m->lanes ? sh - 1 : -1;
}

/* The table by which kernel "wino" (planes in f32) or "winopairs" (in bf16) runs a node; NULL if it does not. */
static inline const cpu_wino *wino_plain(const hz_work *w, const cpu_micro *m)
{
    if (wino_stride(w, m) < 0)
        return NULL;
    return cpu_all(w, HZ_F32) ? m->wino : cpu_storage(w) == HZ_BF16 ? m->wino_bf16 : NULL;
}

static inline const cpu_wino *wino_pairs(const hz_work *w, const cpu_micro *m)
{
    int sums_channels = w->op != OP_conv2d_dw;
    if (wino_stride(w, m) < 0 || cpu_storage(w) != HZ_BF16 || (sums_channels && w->in[0].shape[3] % 2))
        return NULL;
    return m->winopairs;
}

/* Rounded planes are further from the truth, so they must be predicted a quarter faster. */
static inline double wino_caution(const cpu_wino *k) { return k->each > 1 ? 1.25 : 1; }

/* Products of numbers per second beside those of f32. */
static inline double wino_rate(const cpu_micro *m, const cpu_wino *k) { return k->each > 1 ? m->dot_rate : 1; }

/* The functions of a kernel list's row over the tables that `table` yields. */
#define WINO_ROW(table) \
    static double cost_##table(const hz_work *w, const cpu_micro *m) \
    { \
        return table(w, m) ? cost(w, m, table(w, m)) : -1; \
    } \
    static size_t memory_##table(const hz_work *w, const cpu_micro *m) \
    { \
        return table(w, m) ? memory(w, m, table(w, m)) : 0; \
    } \
    static size_t scratch_##table(const hz_work *w, const cpu_micro *m) \
    { \
        return table(w, m) ? scratch(w, m, table(w, m)) : 0; \
    } \
    static hz_status run_##table(const hz_work *w, const cpu_call *c) { return run(w, c, table(w, c->micro)); }

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

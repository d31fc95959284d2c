/* micro.h: the table of micro-kernels. One row per ISA level; each level begins as a copy of the one below and
   overwrites the slots it improves (isa/). Drivers take tile sizes from the same row, so they need no ISA names.
   Words: a panel is up to max_nv vectors of output channels whose packed weights lie together; a tile is
   tile_rows[nv] rows of outputs over one panel, all of whose sums stay in registers. */
#ifndef HZ_CPU_MICRO_H
#define HZ_CPU_MICRO_H
#include "cpu/cpu.h"

enum { MICRO_NV = 4, MICRO_ROWS = 12 };          /* at most, over all levels */

/* y[r][j] = max(low, start + sum over segments s and k of a[r][s*a_step + k] * b[s*b_step + k*width + j]),
   width = nv*lanes */
typedef struct cpu_tile {
    const float *const *a;    /* tile_rows[nv] rows of inputs */
    float *const *y;          /* as many rows of outputs; a row may be named twice */
    const float *b;           /* (segments,k,width): packed weights of the panel */
    const float *bias;        /* (width) start of the sums; NULL: 0 */
    int64_t segments, a_step, b_step, k;
    float low;                /* 0 for relu, -infinity for none */
    const float *const *gate; /* rows like y: where they are not > 0, 0 is written; NULL: none */
    /* fetch into L2 meanwhile: rows a[r] + ahead + i*a_step, ahead_width floats of each */
    int64_t ahead, ahead_rows, ahead_width;
    int stream;               /* rows of a follow on: fetched from a[0] + ahead on, a little with each step */
    int accumulate;           /* 1: start from y instead */
    int last;                 /* lanes of the last vector that exist, 1..lanes */
} cpu_tile;

/* c[r][j] (+)= sum over planes, rows and columns of a[.. + r] * b[.. + j]: the product of a transposed matrix with
   another, over pixels. Pixel (p,y,x) of a lies at p*a_plane + y*a_row + x*a_column, the same for b. */
typedef struct cpu_outer {
    const float *a, *b;       /* (planes,rows,columns) pixels of so many and `width` channels, width = nv*lanes */
    float *c;                 /* (rows of the call,width) */
    int64_t c_step;           /* floats between rows of c */
    int64_t planes, rows, columns;
    int64_t a_plane, a_row, a_column, b_plane, b_row, b_column;
    const float *ahead;       /* memory to fetch into L2 meanwhile, ahead_step floats per pixel; any address will do */
    int64_t ahead_step;
    int accumulate;
} cpu_outer;

/* A row of output pixels of a convolution, all of whose taps exist: y[p][j] = max(low, bias + sum over rows r and k of
   x[r*x_row + p*x_column + k] * w[(r*k_count + k)*width + j]), width = nv*lanes */
typedef struct cpu_few {
    const float *x;           /* (rows,pixels) runs of k, overlapping */
    const float *w;           /* (rows,k,width) */
    const float *bias;        /* (width); NULL: none */
    float *y;                 /* (pixels) of width numbers each */
    int64_t x_row, x_column, y_column;           /* floats from row of taps to row, from pixel to pixel */
    int64_t rows, k, pixels;
    float low;
    int last;                 /* lanes of the last vector that exist */
} cpu_few;

typedef struct cpu_dropout {
    float rate;
    uint64_t seed;
    uint32_t item, epoch, layer;
} cpu_dropout;

/* A parameter, its gradient and the optimiser's state (NULL where it has none), with the step's coefficients. */
typedef struct cpu_update {
    float *p, *m, *v;         /* (n) */
    const float *dp;          /* (n) */
    float rate, momentum, beta1, beta2, epsilon, decay, shrink, root, keep;
    int nesterov, back;
} cpu_update;

/* Taps of a pooling window that lie in the image; elements from row to row and column to column of the image. */
typedef struct cpu_taps {
    int ky0, ky1, kx0, kx1, kw;
    int64_t row, column;
} cpu_taps;

/* Whether they are all of a window of 2x2, as most are, and the same with constants that a compiler sees. */
static inline int cpu_is_square(const cpu_taps *t)
{
    return t->ky0 == 0 && t->kx0 == 0 && t->ky1 == 2 && t->kx1 == 2 && t->kw == 2;
}
static inline cpu_taps cpu_square_of(const cpu_taps *t)
{
    return (cpu_taps){ .ky1 = 2, .kx1 = 2, .kw = 2, .row = t->row, .column = t->column };
}

/* Coefficients per column of norm_apply. */
typedef struct cpu_affine {
    const float *mean, *a, *b, *g;               /* (n) */
} cpu_affine;

/* Loops over activations as they are stored; void stands for that type, everything else is f32. Arithmetic is f32,
   a result is rounded once. In and out may be the same where both are activations of one shape. */
typedef struct cpu_stored {
    void (*act)(void *y, const void *x, int64_t n, int act, float alpha);
    void (*act_grad)(void *dx, const void *dy, const void *y, int64_t n, int act, float alpha);
    void (*act_add)(void *y, const void *a, const void *b, int64_t n, int act, float alpha);         /* act(a + b) */
    /* first: of the item, 8*k */
    void (*dropout)(void *y, const void *x, uint8_t *mask, int64_t n, int64_t first, const cpu_dropout *d);
    /* x*scale where the mask has a bit, else 0 */
    void (*keep)(void *y, const void *x, const uint8_t *mask, int64_t n, float scale);
    /* y = x*a + b */
    void (*scale_bytes)(void *y, const uint8_t *x, const float *a, const float *b, int64_t n);
    void (*scale_floats)(void *y, const float *x, const float *a, const float *b, int64_t n);

    /* sum[c] = sum over rows of x[row*step + c], c < n */
    void (*sum_rows)(float *sum, const void *x, int64_t rows, int64_t step, int64_t n);

    /* one output pixel, n channels; x and dx point at tap (0,0) of its window. pool_*_grad add to dx, in f32.
       argmax may be NULL */
    void (*pool_max)(void *y, uint8_t *argmax, const void *x, const cpu_taps *t, int64_t n);
    void (*pool_max_grad)(float *dx, const void *dy, const uint8_t *argmax, const cpu_taps *t, int64_t n);
    /* the same where no other window meets this one: dx, stored, is written, not added to */
    void (*pool_max_back)(void *dx, const void *dy, const uint8_t *argmax, const cpu_taps *t, int64_t n);
    void (*pool_mean)(void *y, const void *x, const cpu_taps *t, int64_t n);
    void (*pool_mean_grad)(float *dx, const void *dy, const cpu_taps *t, int64_t n);

    /* batch norm over (rows,n), see rows.inc.h */
    void (*norm_squares)(float *sum, const void *x, const float *mean, int64_t rows, int64_t n);
    void (*norm_sums)(float *dots, float *sums, const void *dy, const void *x, const float *mean, int64_t rows,
                      int64_t n);
    void (*norm_apply)(void *y, const void *x, const void *d, const cpu_affine *k, int64_t rows, int64_t n);
    /* of what norm_apply yields, gelu, and the gradient at it */
    void (*norm_gelu)(void *y, const void *x, const cpu_affine *k, int64_t rows, int64_t n);
    void (*norm_gelu_grad)(void *dy, const void *dz, const void *x, const cpu_affine *k, int64_t rows, int64_t n);
    /* the same over n neighbours that share one statistic: coefficients of k are single numbers */
    void (*run_moments)(const void *x, int64_t n, float out[2]);
    void (*run_dots)(const void *dy, const void *x, float mean, int64_t n, float out[2]);
    void (*run_apply)(void *y, const void *x, const void *d, const cpu_affine *k, int64_t n);
} cpu_stored;

struct cpu_micro {
    const char *isa;
    const struct cpu_wino *wino, *wino_bf16;      /* fast convolution over images in f32 and in bf16: wino.h */
    const struct cpu_wino *winopairs; /* the same over bf16 with planes in bf16; NULL without instructions
                                         for their products */
    const struct cpu_pairs *pairs;    /* products of bf16: pairs.h; NULL without instructions for them */
    /* Products of bf16 per second beside those of f32 multiply-adds, by which kernels are chosen: of vdpbf16ps
       (known of the core's maker before the levels fill their rows), and of `pairs`. */
    double dot_rate, pairs_rate;
    int lanes;                /* f32 per vector */
    int max_nv;               /* widest panel, vectors */

    int tile_rows[MICRO_NV + 1];
    void (*tile[MICRO_NV + 1])(const cpu_tile *t);                        /* by nv */

    /* rows of c: 1, 2, 4 or outer_rows[nv] */
    int outer_rows[MICRO_NV + 1];
    void (*outer[MICRO_NV + 1])(const cpu_outer *t, int rows);            /* by nv */

    void (*few[MICRO_NV + 1])(const cpu_few *t);                          /* by nv */

    cpu_stored f32, bf16;     /* loops over activations of either storage type */

    /* bf16 <-> f32; to bf16 by rounding to nearest even, NaN stays NaN */
    void (*widen)(float *to, const uint16_t *from, int64_t n);
    void (*narrow)(uint16_t *to, const float *from, int64_t n);

    void (*sgd)(const cpu_update *u, int64_t from, int64_t to);
    void (*adam)(const cpu_update *u, int64_t from, int64_t to);
    void (*adadelta)(const cpu_update *u, int64_t from, int64_t to);
    void (*average)(const cpu_update *u, int64_t from, int64_t to);

    /* FMA peak: `steps` rounds of register-only multiply-adds; returns how many flops those were. bf16: NULL
       without instructions */
    double (*peak_f32)(long steps);
    double (*peak_bf16)(long steps);
};

/* Dropout of one row of the batch: its random numbers are those of the item. */
cpu_dropout cpu_dropout_of(const hz_dropout *a, const hz_arg *item, const hz_step *s, int64_t row);

/* The loops for a node that cpu_storage() takes. */
static inline const cpu_stored *cpu_stored_of(const hz_work *w, const cpu_micro *m)
{
    return cpu_storage(w) == HZ_BF16 ? &m->bf16 : &m->f32;
}

/* Gradient of max pooling by windows that do not meet, of part `of` of dy, whose rows lie `pitch` elements apart from
   `dy` on: writes the part of dx that it stands for, which is returned. v: from dx to dy. */
cpu_rect cpu_pool_back(const cpu_stored *s, const hz_arg *dx, const cpu_window *v, const uint8_t *argmax, cpu_rect of,
                       const void *dy, int64_t pitch);

void cpu_micro_portable(cpu_micro *m);
void cpu_micro_avx2(cpu_micro *m);
void cpu_micro_avx512(cpu_micro *m);
void cpu_micro_avx512bf16(cpu_micro *m);
void cpu_micro_amx(cpu_micro *m);
int cpu_amx_granted(void);        /* asks the system for the tiles' registers, on behalf of the whole process */

#endif

/* pairs.h: convolutions and dense layers over bf16 as plain matrix products, for machines whose instructions multiply
   pairs of bf16 into f32 sums (vdpbf16ps; AMX tiles). An image is first rewritten as a source: for each run of 32
   channels its pixels of 64 bytes with zeros around, one plane per phase of the stride, so that for each tap the
   inputs of consecutive outputs lie side by side. Then a product is 32 outputs by 32 channels over a list of taps,
   and a tap is an offset into the source. Everything a product reads is 64 bytes wide and follows on; what it works
   on is cut so that the weights stay in the first-level cache.
   In a source pixel (plane p, row r, image g, column x) is number p*plane + before + (r + above)*images*pitch
   + g*step_image + x*step_column. For the gradient to the weights the images of a group stand side by side
   (step_column 1): one column of zeros between two images serves both. Else they lie within each other (step_image 1),
   so that 16 consecutive pixels, a tile, may be a part of a row that has no zeros in it. An output has the number that
   the pixel of its row and column would have without what lies before and above. Tiles of outputs follow each other, or
   begin anew in each row if these are fewer; what lies beyond a row is computed and thrown away. */
#ifndef HZ_CPU_PAIRS_H
#define HZ_CPU_PAIRS_H
#include "cpu/micro.h"

/* Where channel i of 32 lies in an interleaved row: words are put together within 16 bytes, which takes one
   instruction, the first four pairs of each into the first half. */
#define PAIRS_COLUMN(i) ((i) % 8 / 4 * 16 + (i) / 8 * 4 + (i) % 4)

enum { PAIRS = 32, PAIRS_BLOCK = PAIRS * PAIRS, PAIRS_HALF = PAIRS_BLOCK / 2, PAIRS_TAPS = 64, PAIRS_GROUPS = 4,
       PAIRS_STRIDE = 4, PAIRS_TILE = 16, PAIRS_TERMS = 18, PAIRS_KINDS = 4 };

typedef struct pairs_copy { int32_t from, to; } pairs_copy;       /* pixels of 32 channels */

/* Pixels that are copied meanwhile, `each` of them with each term. */
typedef struct pairs_copying {
    const pairs_copy *at, *end;           /* moves on */
    const uint16_t *from;
    uint16_t *to;
    int each;
} pairs_copying;

/* Memory that will be needed soon, fetched a few lines with each term: products wait less for memory than the copies
   before and after them would. */
typedef struct pairs_ahead {
    const char *read, *end;   /* moves on, into the second-level cache */
    const char *then, *last;  /* read after that */
    /* moves on: numbers of pixels, whose lines at y are to be written and at gate (NULL: none) to be read */
    const int32_t *pixel, *pixels_end;
    const char *y, *gate;     /* of pixel 0 */
    int64_t step;             /* bytes from pixel to pixel of y and gate */
    int reads, writes;        /* lines and pixels with each term */
    pairs_copying *copying;   /* NULL: nothing is */
} pairs_ahead;

/* How the sums of 32 outputs become outputs: y = act(c + bias), or where there is a gate the activation's gradient,
   c * act'(gate). */
typedef struct pairs_finish {
    const float *bias;        /* (32); NULL: none */
    int act;
    float alpha;
    uint16_t *y;              /* (pixels,step), from the panel's first channel on */
    const uint16_t *gate;     /* like y; NULL: none */
    int64_t step;             /* elements from pixel to pixel of y and gate */
    int columns;              /* 1..32 */
    const int32_t *pixel;     /* (32) where each output lies; not stored where negative or from `limit` on */
    int64_t limit;
    pairs_ahead *ahead;       /* with every PAIRS_STRIDE outputs; NULL: not here */
} pairs_finish;

/* Terms of a block that has not those of all others: outputs at the edge have fewer. */
typedef struct pairs_term { int64_t offset, weight; } pairs_term;      /* elements of a and of b */
typedef struct pairs_terms {
    const pairs_term *at;     /* (terms) */
    int terms, rows;                      /* rows: outputs of the block before that are stored with each term */
} pairs_terms;

/* For each block of 32 outputs: c[r][j] (+)= sum over terms t and k < 32 of a[offset[t] + r'*32 + k] * b[t][k][j],
   r < 32, j < 32, where r' counts from the block's first tile on, and for r >= 16 from its second. b[t] lies as
   (16, 32, 2): pairs of k side by side; a block of c as (2, 32, 16): the first half of all rows, then the second. The
   blocks of c follow each other. Where `rows` <= 16 only 16 rows of a and c are touched in the last block. Sums that
   become outputs at once are needed no longer: of those two blocks are kept, in turn. With `shift` it is b that
   differs from block to block, not a, and where there are several blocks all have 32 rows; with `kind` too, which only
   levels with `lists` know. */
typedef struct pairs_product {
    const uint16_t *a;        /* pixels of 32 */
    const uint16_t *b;        /* (terms,16,32,2) */
    const int64_t *offset;    /* (terms), elements of a */
    const int32_t *tile;      /* (2*blocks), pixels of a; with shift (2), of all blocks */
    const int64_t *shift;     /* (blocks), elements of b, of sums alone; NULL: every block has the same b */
    const uint8_t *kind;      /* (blocks), which of `list` the block's terms are; NULL: all are as above */
    const pairs_terms *list;
    float *c;                 /* (blocks,2,32,16); (2,2,32,16) where sums neither are added to nor stay */
    int blocks, terms, rows, add;
    const pairs_finish *finish;   /* of the first block, the others' pixels follow; NULL: sums are all */
    const float *next;        /* sums that the next product adds to, fetched into the first-level cache; NULL: none */
    pairs_ahead *ahead;
} pairs_product;

/* Micro-kernels of one level. */
typedef struct cpu_pairs {
    void (*begin)(void);                  /* before the products of a task, and after them */
    void (*end)(void);
    void (*product)(const pairs_product *p);
    void (*finish)(const pairs_finish *f, const float *c, int from, int to);       /* outputs from..to-1 of a block */
    int lists;                            /* 1: product() knows `kind` */
    int overlaps;                         /* 1: copies beside products take no time of their own */
    int blocks, terms;                    /* of a product at most, as caches have room; terms <= PAIRS_TERMS */
    /* pixels of 32 channels, those of pixel[0..2*pairs-1] -> (pairs,32,2), channels as PAIRS_COLUMN says; odd, NULL:
       not wanted, the same from the second pixel on, of which pixel[2*pairs] is the last */
    void (*interleave)(const uint16_t *const *pixel, int pairs, uint16_t *even, uint16_t *odd);
    /* 16 channels of 32 pixels -> (16,32); sum[channel] += the sum of the pixels; NULL: not wanted */
    void (*transpose)(const uint16_t *const *pixel, uint16_t *out, float *sum);
    /* channels of pixels `step` elements apart -> 32 of pixels `out_step` elements apart, zeros behind the channels */
    void (*copy)(const uint16_t *x, int64_t step, int64_t pixels, int channels, uint16_t *out, int64_t out_step);
    /* out[p*out_step + k] = x[offset[j] + p*step + k] where bit k of mask[j] is set, j < rows, zero where of none;
       p < pixels, k < 32 */
    void (*lower)(const uint16_t *x, const int64_t *offset, const uint32_t *mask, int rows, int64_t step,
                  int64_t pixels, uint16_t *out, int64_t out_step);
    /* 32 columns of weights, w[column*column_step + k] for k < 32, as (16,32,2); columns and k beyond have zeros */
    void (*pack_across)(const float *w, int64_t column_step, int columns, int k, uint16_t *out);
    /* the same of w[k*k_step + column] */
    void (*pack_along)(const float *w, int64_t k_step, int columns, int k, uint16_t *out);
} cpu_pairs;

typedef struct pairs_source {
    int64_t h, w, c;                      /* of an image, (h,w,c) */
    int64_t step_y, step_x;               /* phases: plane (py,px) holds rows y*step_y + py, columns x*step_x + px */
    int64_t images, runs;                 /* of a group; runs of 32 channels, the last one filled up with zeros */
    int64_t pitch, rows, above, left, right, before, plane;
    int64_t step_image, step_column;
    int64_t pixels;                       /* of all planes, with what products read beyond; from run to run */
    int lowered;                          /* 1: a pixel holds all kh*kw*c inputs of one output; plane (oh,ow) */
    cpu_window window;                    /* lowered: where they come from */
} pairs_source;

/* Outputs that use the same taps: row y, column x of the group is pixel (y0 + y*dy, x0 + x*dx) of the output image. */
typedef struct pairs_group {
    int taps, tap[PAIRS_TAPS];            /* ky*kw + kx */
    int64_t offset[PAIRS_TAPS];           /* pixels */
    int64_t row[PAIRS_TAPS], rows[PAIRS_TAPS];   /* row y reads row y + row of so many; of others it reads zeros */
    int64_t oh, ow, y0, x0, dy, dx;
} pairs_group;

typedef struct pairs_shape {
    pairs_source source;
    pairs_group group[PAIRS_GROUPS];
    int groups, grad, sums;               /* grad: 1 for the gradient to the weights; sums: something is added up over
                                             groups of images, or by tails */
    int64_t taps;                         /* of the weights as they are read: 1 where lowered or flat */
    int64_t oh, ow, oc;                   /* output image */
    int blocked;                          /* 1: outputs are stored as hz_arg says */
    int64_t items;                        /* images of a full batch; flat: runs of `run` pixels */
    int64_t flat, run;                    /* one tap and no stride: pixels of all images are one row, cut into runs */
    int64_t used, last;                   /* by pairs_use: items in use; width of the last one, where flat */
} pairs_shape;

/* The node's geometry; 0 if it is none that is computed here. dw: that of the forward direction. */
int pairs_shape_of(const hz_work *w, const cpu_micro *m, pairs_shape *s);
/* Tiles of a group's outputs, whether they begin anew in each row, and where tile i begins. */
int pairs_by_rows(const pairs_source *s, const pairs_group *g);
int64_t pairs_tiles(const pairs_source *s, const pairs_group *g);
int64_t pairs_tile(const pairs_source *s, const pairs_group *g, int64_t i);
/* Sets `used` and `last` for a call. */
void pairs_use(pairs_shape *s, const hz_work *w, const cpu_call *c);
/* Rewrites items n0..n1-1 of x: all of them, or run i of a plane. */
void pairs_fill_plane(const cpu_pairs *k, const pairs_shape *s, const uint16_t *x, int64_t n0, int64_t n1,
                      int64_t plane, int64_t i, uint16_t *out);
void pairs_fill(const cpu_pairs *k, const pairs_shape *s, const uint16_t *x, int64_t n0, int64_t n1, uint16_t *out);

/* Lowered: run i of row y of the outputs' inputs, x (h,w,c) one image: `pitch` pixels, out_step elements apart. */
void pairs_lower_row(const cpu_pairs *k, const pairs_source *s, const uint16_t *image, int64_t y, int64_t i,
                     uint16_t *out, int64_t out_step);

/* Where pixel (y,x) of image n of a group lies in a run of the source. */
static inline int64_t pairs_pixel(const pairs_source *s, int64_t n, int64_t y, int64_t x)
{
    int64_t plane = y % s->step_y * s->step_x + x % s->step_x;
    return plane * s->plane + s->before + (y / s->step_y + s->above) * s->images * s->pitch + n * s->step_image
           + x / s->step_x * s->step_column;
}

/* Copies that make the source of a full group, but for its zeros, where they take no time beside products; else 0. */
int64_t pairs_copies(const cpu_pairs *k, const pairs_shape *s);
void pairs_list_copies(const pairs_shape *s, pairs_copy *list);

/* Panels of output channels; outputs that are computed for a group of images, and with what fills up the last 32. */
static inline int64_t pairs_panels(const pairs_shape *s) { return ceil_div(s->oc, PAIRS); }
static inline int64_t pairs_outputs(const pairs_shape *s, const pairs_group *g)
{
    return pairs_tiles(&s->source, g) * PAIRS_TILE;
}
static inline int64_t pairs_listed(const pairs_shape *s, const pairs_group *g)
{
    return round_up(pairs_outputs(s, g), PAIRS);
}

/* pack.c: what a node keeps. */
typedef struct pairs_memory {
    uint16_t *weights;        /* [group][panel][run][tap](16,32,2) */
    float *bias;              /* (32*panels), zeros behind the channels */
    int32_t *pixel, *tile;    /* [group][output], [group][tile]: where they lie in the images, -1 for none, and in the
                                 source */
    pairs_copy *copy;
    int64_t copies;
    /* Where the level has lists: of each group's blocks which terms they have, NULL: all have all; of each group
       [part][kind], parts as pairs_together says. */
    uint8_t *kind;
    pairs_terms *list;
    pairs_term *term;
} pairs_memory;
/* Terms of a product of group g: about as many as the first-level cache has room for their weights. */
int64_t pairs_together(const cpu_pairs *k, const pairs_shape *s, const pairs_group *g);
static inline int64_t pairs_parts(const cpu_pairs *k, const pairs_shape *s, const pairs_group *g)
{
    return ceil_div(g->taps * s->source.runs, pairs_together(k, s, g));
}
pairs_memory pairs_memory_at(const cpu_pairs *k, const pairs_shape *s, void *memory);
size_t pairs_memory_bytes(const cpu_pairs *k, const pairs_shape *s);
void pairs_pack(const hz_work *w, const cpu_call *c);
/* The weights and the bias alone. */
void pairs_pack_weights(const hz_work *w, const cpu_call *c, const pairs_shape *s, uint16_t *weights, float *bias);
size_t pairs_weight_elements(const pairs_shape *s);

/* How many of 32 outputs go with each of so many terms but one: at least PAIRS_STRIDE, and all where there is one. */
static inline int pairs_rows_with(int terms)
{
    int rows = terms > 1 ? (PAIRS - 1) / (terms - 1) + 1 : PAIRS;
    return rows < PAIRS_STRIDE ? PAIRS_STRIDE : rows;
}

/* Where block k finds its tiles and its weights. */
static inline const int32_t *pairs_tiles_of(const pairs_product *p, int k) { return p->tile + (p->shift ? 0 : 2 * k); }
static inline const uint16_t *pairs_weights(const pairs_product *p, int k)
{
    return p->b + (p->shift ? p->shift[k] : 0);
}

/* Where the sums of block k lie. */
static inline float *pairs_sums(const pairs_product *p, int k)
{
    return p->c + (p->finish && !p->add ? k % 2 : k) * PAIRS_BLOCK;
}

static inline void pairs_fetch(pairs_ahead *a)
{
    if (a->read >= a->end) {
        a->read = a->then;
        a->end = a->last;
        a->then = NULL;
        a->last = NULL;
    }
    for (int i = 0; i < a->reads && a->read < a->end; i++, a->read += 64)
        __builtin_prefetch(a->read, 0, 2);
    for (int i = 0; i < a->writes && a->pixel < a->pixels_end; i++, a->pixel++) {
        int64_t at = *a->pixel * a->step;
        __asm__ volatile("prefetchw %0" : : "m"(a->y[at]));
        if (a->gate)
            __builtin_prefetch(a->gate + at, 0, 2);
    }
}

#endif

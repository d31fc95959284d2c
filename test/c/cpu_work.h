/* cpu_work.h: builds a node by hand from a line of text, runs it, compares. Used by cpu_test.c and bf16_test.c.
   Values are words like "n8,16,16,32": a letter for kind and contents, then the shape. Small letters have the
   batch in dimension 0.
     n N  normal numbers      p P  uniform in [0.1,1.1)     u  bytes     f  normal numbers that stay f32 in an f64 node
     l  labels (classes: last extent of input 0)     i  item numbers     m  positions in a pooling window, of maxpool
     o O  float result        b  u8 result     j  i32 result     -  absent
   A node over bf16 has its floats of small letters in bf16, but for xent's probabilities. */
#ifndef CPU_WORK_H
#define CPU_WORK_H
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"     /* a row leaves out what is zero */
#include "hz/cpu.h"
#include "hz/philox.h"
#include "number.h"
#include "suite.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
    OP_COUNT
};

typedef struct wcase {
    int op;
    const char *in, *out;
    hz_attr attr;
    double tolerance;         /* relative L2 error of each f32 result against f64; 0 means 1e-6 */
} wcase;

typedef struct work {
    hz_work w;
    void *base[HZ_MAXIN + HZ_MAXOUT];
    size_t bytes[HZ_MAXIN + HZ_MAXOUT];
    char letter[HZ_MAXIN + HZ_MAXOUT];
} work;

static inline hz_arg *work_arg(work *k, int i) { return i < HZ_MAXIN ? &k->w.in[i] : &k->w.out[i - HZ_MAXIN]; }
static inline size_t arg_count(const hz_arg *a)
{
    size_t n = 1;
    for (int d = 0; d < a->ndim; d++)
        n *= (size_t)a->shape[d];
    return n;
}

/* Box-Muller on Philox: element e of stream s. */
static inline float normal(uint32_t stream, size_t e)
{
    uint32_t r[4];
    hz_random4(stream, (uint32_t)e, 7, 0, 0, HZ_FOR_INIT, r);
    return (float)(sqrt(-2 * log((r[0] + 1.0) / 4294967296.0)) * cos(6.283185307179586 * r[1] / 4294967296.0));
}

static inline int dtype_of(char letter, int real)
{
    if (real == HZ_BF16 && isupper((unsigned char)letter))
        real = HZ_F32;
    letter = (char)tolower(letter);
    if (letter == 'u' || letter == 'b' || letter == 'm')
        return HZ_U8;
    if (letter == 'l' || letter == 'i' || letter == 'j')
        return HZ_I32;
    return letter == 'f' ? HZ_F32 : real;
}

static inline void fill_arg(work *k, int at)
{
    hz_arg *a = work_arg(k, at);
    char letter = (char)tolower(k->letter[at]);
    size_t n = arg_count(a);
    for (size_t i = 0; i < n; i++) {
        float v = letter == 'n' || letter == 'f' ? normal((uint32_t)at + 1, i)
                                                 : 0.1f + hz_unit(hz_random(at + 1, i, 3, 0, 0, HZ_FOR_INIT));
        uint32_t word = hz_random(99 + (uint64_t)at, i, 3, 0, 0, HZ_FOR_INIT);
        if (letter == 'o')
            v = 12345;                        /* rows beyond count must keep this */
        if (a->dtype == HZ_F64)
            ((double *)a->data)[i] = v;
        else if (a->dtype == HZ_F32)
            ((float *)a->data)[i] = v;
        else if (a->dtype == HZ_BF16)
            ((uint16_t *)a->data)[i] = f32_to_bf16(v);
        else if (a->dtype == HZ_U8)
            ((uint8_t *)a->data)[i] = letter == 'u' ? (uint8_t)word : 0;
        else
            ((int32_t *)a->data)[i] = letter == 'l' ? (int32_t)(word % (uint32_t)k->w.in[0].shape[k->w.in[0].ndim - 1])
                                    : letter == 'i' ? (int32_t)(word % 50000) : 0;
    }
}

static inline void parse_values(work *k, const char *text, int from, int real, int *count)
{
    *count = 0;
    for (const char *p = text; *p;) {
        int at = from + (*count)++;
        hz_arg *a = work_arg(k, at);
        char letter = k->letter[at] = *p++;
        while (isdigit((unsigned char)*p) || *p == ',')
            a->shape[a->ndim++] = strtoll(*p == ',' ? p + 1 : p, (char **)&p, 10);
        while (*p == ' ')
            p++;
        if (letter == '-')
            continue;
        int probs = (k->w.op == OP_xent && at == HZ_MAXIN + 2) || (k->w.op == OP_xent_grad && at == 0);
        a->dtype = probs && real == HZ_BF16 ? HZ_F32 : dtype_of(letter, real);
        a->kind = islower((unsigned char)letter) ? HZ_ACTIVATION : HZ_BOUND;
        k->bytes[at] = arg_count(a) * hz_dtype_bytes(a->dtype);
        k->base[at] = a->data = malloc(k->bytes[at] + 1);    /* exact, so that the address sanitizer sees an overrun */
    }
}

static inline void work_make(work *k, const wcase *t, int real)
{
    memset(k, 0, sizeof *k);
    k->w.op = t->op;
    k->w.name = "test";
    k->w.attr = t->attr;
    parse_values(k, t->in, 0, real, &k->w.nin);
    parse_values(k, t->out, HZ_MAXIN, real, &k->w.nout);
    for (int i = 0; i < HZ_MAXIN + HZ_MAXOUT; i++)
        if (k->base[i])
            fill_arg(k, i);
}

/* Relative L2 errors of results over bf16, at most. Half a unit of the last place is 2^-8 of a number or less (1.7e-3
   in the mean square). Planes of fast convolution are products of two rounded numbers, and F(4x4,3x3) makes 4.76 of
   their error: the sum over points p of |A_p|^2 |B_p|^2 |G_p|^2 / 12, rows of its three matrices; 1.1e-2 in the mean
   square. F(4,2) of stride 2 makes 4.6. */
#define ROUNDED (1 / 256.0)
#define ROUNDED_PLANES (4.76 * sqrt(2) * ROUNDED)

static inline int is_affine(int op)
{
    return op == OP_conv2d || op == OP_conv2d_dx || op == OP_dense || op == OP_dense_dx;
}

/* A node over bf16, and over f64 with the same numbers. Weights are rounded to bf16 in both: some kernels
   multiply them so. */
static inline void work_make_bf16(work *fast, work *truth, const wcase *t)
{
    work_make(fast, t, HZ_BF16);
    work_make(truth, t, HZ_F64);
    for (int i = 0; i < HZ_MAXIN + HZ_MAXOUT; i++) {
        hz_arg *a = work_arg(fast, i), *b = work_arg(truth, i);
        int weights = i == 1 && is_affine(t->op);
        for (size_t e = 0; a->data && e < arg_count(a); e++) {
            char *p = (char *)a->data + e * hz_dtype_bytes(a->dtype);
            if (weights)
                *(float *)p = bf16_to_f32(f32_to_bf16(*(float *)p));
            if (b->dtype == HZ_F64)
                ((double *)b->data)[e] = number_get(p, a->dtype);
        }
    }
}

static inline void work_free(work *k)
{
    for (int i = 0; i < HZ_MAXIN + HZ_MAXOUT; i++)
        free(k->base[i]);
}

static inline hz_status work_run(work *k, const hz_step *s)
{
    const hz_backend *b = hz_backend_named("cpu");
    ck_assert_msg(b != NULL, "%s", hz_message());
    hz_program *p = b->program_new(&k->w, 1, 1);
    if (!p)
        return HZ_EDTYPE;
    hz_status status = b->run(p, 0, 1, s, 0);
    b->program_free(p);
    return status;
}

/* maxpool_grad needs positions that lie in the image: take those of maxpool over random numbers. */
static inline void fill_positions(work *k)
{
    for (int i = 0; i < k->w.nin; i++) {
        if (k->letter[i] != 'm')
            continue;
        hz_arg x = k->w.out[0], y = k->w.in[0], m = k->w.in[i];
        work f = { .w = { .op = OP_maxpool, .nin = 1, .nout = 2, .name = "test", .attr = k->w.attr } };
        x.dtype = y.dtype = HZ_F64;
        f.letter[0] = 'n';
        x.data = f.base[0] = malloc(arg_count(&x) * 8);
        y.data = f.base[HZ_MAXIN] = malloc(arg_count(&y) * 8);
        f.w.in[0] = x;
        f.w.out[0] = y;
        f.w.out[1] = m;
        fill_arg(&f, 0);
        ck_assert_msg(work_run(&f, &(hz_step){ .count = x.shape[0] }) == HZ_OK, "%s", hz_message());
        work_free(&f);
    }
}

static inline double at(const hz_arg *a, size_t i)
{
    return number_get((const char *)a->data + i * hz_dtype_bytes(a->dtype), a->dtype);
}

/* Elements of the rows in use: results of a small letter that have the batch as dimension 0. */
static inline size_t used(const hz_arg *a, int64_t count, int64_t batch)
{
    size_t n = arg_count(a);
    return a->kind == HZ_ACTIVATION && a->ndim && a->shape[0] == batch ? n / (size_t)batch * (size_t)count : n;
}

/* Largest over all values of: relative L2 error where floats, number of differences where integers; counts
   touched rows beyond. */
static inline double work_distance(work *a, work *b, int64_t count, int64_t batch)
{
    double worst = 0;
    for (int i = 0; i < HZ_MAXIN + HZ_MAXOUT; i++) {
        hz_arg *x = work_arg(a, i), *y = work_arg(b, i);
        if (!x->data)
            continue;
        double d2 = 0, n2 = 0;
        size_t n = used(x, count, batch), all = arg_count(x);
        for (size_t e = 0; e < n; e++) {
            double d = at(x, e) - at(y, e);
            d2 += d * d;
            n2 += at(y, e) * at(y, e);
        }
        for (size_t e = n; e < all && i >= HZ_MAXIN; e++)
            if (at(x, e) != at(y, e))
                d2 += 1e30;                  /* a row beyond count was written */
        double error = x->dtype == HZ_F32 || x->dtype == HZ_BF16 ? sqrt(d2 / (n2 > 0 ? n2 : 1)) : d2;
        if (!(error <= worst))
            worst = error;
    }
    return worst;
}

#endif

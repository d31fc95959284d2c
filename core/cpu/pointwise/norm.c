/* norm.c: kernel "vector" of norm and norm_grad with statistics along the last axis: x is seen as rows (outer, n), each
   column a statistic. Sums live in slots of rows and are added in slot order, in double.
   x and dy are gone through in blocks of rows that stay in the caches (moments.h), so memory is read once for all
   statistics; not even once for mean and variance where the node that makes x has added them up. */
#include "cpu/pointwise/norm.h"

enum { SLOTS = 16 };

typedef struct norm {
    const hz_work *w;
    const cpu_micro *m;
    const cpu_stored *s;
    cpu_axis v;
    const hz_arg *x, *dy, *out;       /* out: y or dx; absent: NULL */
    const float *mean, *a, *b, *g;    /* (n) of norm_apply */
    const float *given;               /* (2,n) that came with x or dy: moments or sums; NULL: none */
    float *slot;                      /* (slots,2,n): partial sums */
    int slots, pass, blocks;          /* blocks: all statistics from one pass */
} norm;

enum { SUM, SQUARES, BOTH, DOTS, APPLY };      /* BOTH: mean and squares about it */

/* The first and past-the-last outer index of a slot. */
static int64_t from_of(const norm *k, int s) { return k->v.outer * s / k->slots; }

/* ---- blocks of rows ---- */

/* BOTH: means (n) and squares about them (n). */
static void moments_of(const norm *k, int64_t at, int64_t rows, int64_t n, float *means, float *squares)
{
    double both[2 * MOMENTS_MOST + 1] = { 0 };
    moments_add(both, k->s, k->x->dtype, cpu_at(k->x, at), rows, n);
    for (int64_t i = 0; i < n; i++) {
        means[i] = (float)both[1 + i];
        squares[i] = (float)both[1 + n + i];
    }
}

/* DOTS: sums of dy*(x - mean) and of dy. */
static void dots_of(const norm *k, int64_t at, int64_t rows, int64_t n, float *dots, float *sums)
{
    double a[MOMENTS_MOST] = { 0 }, b[MOMENTS_MOST] = { 0 };
    float dot[MOMENTS_MOST], sum[MOMENTS_MOST];
    for (int64_t r = 0; r < rows; r += MOMENTS_NEAR) {
        int64_t some = min(rows - r, MOMENTS_NEAR), from = at + r * n;
        k->s->norm_sums(dot, sum, cpu_at(k->dy, from), cpu_at(k->x, from), k->mean, some, n);
        for (int64_t i = 0; i < n; i++) {
            a[i] += dot[i];
            b[i] += sum[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        dots[i] = (float)a[i];
        sums[i] = (float)b[i];
    }
}

/* One pass over (rows,n) numbers with coefficients per column; sums go to out[0..n-1] and, for DOTS, those
   of dy to out[n..]. */
static void pass_rows(const norm *k, int64_t at, int64_t rows, int64_t n, const cpu_affine *c, float *sum,
                      float *second)
{
    const void *x = cpu_at(k->x, at), *dy = k->dy ? cpu_at(k->dy, at) : NULL;
    switch (k->pass) {
    case SUM:     k->s->sum_rows(sum, x, rows, n, n); break;
    case SQUARES: k->s->norm_squares(sum, x, c->mean, rows, n); break;
    case DOTS:    k->s->norm_sums(sum, second, dy, x, c->mean, rows, n); break;
    default:
        for (int64_t r = 0; r < rows; r += MOMENTS_NEAR) {
            int64_t some = min(rows - r, MOMENTS_NEAR), from = at + r * n;
            const void *d = k->dy ? cpu_at(k->dy, from) : NULL;
            if (!d && k->w->attr.norm.epilogue.act == HZ_GELU) {
                k->s->norm_gelu(cpu_at(k->out, from), cpu_at(k->x, from), c, some, n);
                continue;
            }
            k->s->norm_apply(cpu_at(k->out, from), cpu_at(k->x, from), d, c, some, n);
            cpu_epilogue(k->w, k->m, from, some * n);
        }
        break;
    }
}

static void slot_task(void *arg, int s, int worker)
{
    const norm *k = arg;
    int64_t n = k->v.n, o0 = from_of(k, s), o1 = from_of(k, s + 1);
    float *slot = k->slot + (int64_t)s * 2 * n;
    cpu_affine c = { .mean = k->mean, .a = k->a, .b = k->b, .g = k->g };
    if (k->blocks && k->pass != APPLY)
        (k->pass == BOTH ? moments_of : dots_of)(k, o0 * n, o1 - o0, n, slot, slot + n);
    else
        pass_rows(k, o0 * n, o1 - o0, n, &c, slot, slot + n);
}

static void pass(norm *k, int which)
{
    k->pass = which;
    team_run(k->slots, slot_task, k);
}

/* Mean and variance of statistic i: as given, or over the slots. */
static void joined(const norm *k, int64_t i, double *mean, double *variance)
{
    double squares = k->given ? k->given[k->v.n + i] : 0;
    *mean = k->given ? k->given[i] : 0;
    for (int s = 0; s < k->slots && !k->given; s++) {
        const float *slot = k->slot + (int64_t)s * 2 * k->v.n + i;
        moments_join(mean, &squares, (double)from_of(k, s), slot[0], slot[k->v.n],
                     (double)(from_of(k, s + 1) - from_of(k, s)));
    }
    *variance = squares / (double)k->v.outer;
}

static double total(const norm *k, int second, int64_t i)
{
    double sum = 0;
    for (int s = 0; s < k->slots; s++)
        sum += k->slot[((int64_t)s * 2 + second) * k->v.n + i];
    return sum;
}

/* Slots, then four rows of coefficients. */
static size_t memory(const hz_work *w, const cpu_micro *m)
{
    return (size_t)norm_extent(w) * (2 * SLOTS + 4) * sizeof(float);
}

static norm norm_of(const hz_work *w, const cpu_call *c, int arg)
{
    norm k = { .w = w, .m = c->micro, .s = cpu_stored_of(w, c->micro), .v = cpu_axis_of(w, c, arg), .slot = c->memory,
               .x = &w->in[arg], .out = w->out[0].data ? &w->out[0] : NULL };
    k.slots = (int)min(k.v.outer, SLOTS);
    k.blocks = k.v.n <= MOMENTS_MOST;
    return k;
}

static hz_status forward(const hz_work *w, const cpu_call *c)
{
    const hz_norm *attr = &w->attr.norm;
    norm k = norm_of(w, c, 0);
    const float *running_mean = w->in[HZ_NORM_MEAN].data, *running_variance = w->in[HZ_NORM_VARIANCE].data;
    float *mean = k.slot + k.v.n * 2 * SLOTS, *variance = mean + k.v.n, *a = variance + k.v.n;
    double count = (double)k.v.outer;
    k.mean = mean;
    k.given = w->nin > HZ_NORM_MOMENTS && k.blocks && !attr->frozen ? w->in[HZ_NORM_MOMENTS].data : NULL;
    if (attr->frozen)
        memcpy(mean, running_mean, (size_t)k.v.n * sizeof(float));
    else if (k.blocks && !k.given)
        pass(&k, BOTH);
    else if (!k.blocks) {
        pass(&k, SUM);
        for (int64_t i = 0; i < k.v.n; i++)
            mean[i] = (float)(total(&k, 0, i) / count);
        pass(&k, SQUARES);
    }
    for (int64_t i = 0; i < k.v.n; i++) {
        double middle, squares;
        if (attr->frozen)
            variance[i] = running_variance[i];
        else if (k.blocks) {
            joined(&k, i, &middle, &squares);
            mean[i] = (float)middle;
            variance[i] = (float)squares;
        } else
            variance[i] = (float)(total(&k, 0, i) / count);
    }
    norm_factors(w, variance, k.v.n, a);
    k.a = a;
    k.b = w->in[2].data;
    pass(&k, APPLY);
    norm_tell(w, mean, variance, k.v.n);
    return HZ_OK;
}

static hz_status backward(const hz_work *w, const cpu_call *c)
{
    norm k = norm_of(w, c, 1);
    float *a = k.slot + k.v.n * 2 * SLOTS, *b = a + k.v.n, *g = b + k.v.n;
    k.dy = &w->in[0];
    k.mean = w->in[3].data;
    k.given = k.blocks && w->nin > HZ_NORM_SUMS && !w->attr.norm.frozen ? w->in[HZ_NORM_SUMS].data : NULL;
    if (!k.given)
        pass(&k, DOTS);
    for (int64_t i = 0; i < k.v.n; i++)
        norm_slope_of(w, i, k.given ? k.given[i] : total(&k, 0, i), k.given ? k.given[k.v.n + i] : total(&k, 1, i),
                      (double)k.v.outer, (norm_slope){ .a = a, .b = b, .g = g });
    k.a = a;
    k.b = b;
    k.g = g;
    if (k.out)
        pass(&k, APPLY);
    return HZ_OK;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_storage(w) >= 0 && norm_inner(w) == 1 ? 1e-6 : -1;
}

const cpu_kernel norm_vector = { .name = "vector", .cost = cost, .memory = memory, .run = forward };
const cpu_kernel norm_grad_vector = { .name = "vector", .cost = cost, .memory = memory, .run = backward };

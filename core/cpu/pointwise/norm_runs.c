/* norm_runs.c: kernel "runs" of norm and norm_grad with statistics along another axis than the last: x is seen as
   (outer, n, inner), and the `inner` numbers of a run share one statistic. A run is gone through in parts that stay in
   the first-level cache, so memory is read once for mean and variance, and once for both sums of the gradient; parts
   are joined in double (moments.h). A slot is a range of outer. Where the node that makes x or dy has added up their
   sums, they are not read for them at all. */
#include "cpu/pointwise/norm.h"

enum { SLOTS = 16, PART = 2048 };

typedef struct runs {
    const hz_work *w;
    const cpu_micro *m;
    const cpu_stored *s;
    cpu_axis v;
    const hz_arg *x, *dy, *out;       /* out: y or dx; dy of norm: NULL */
    const float *mean, *a, *b, *g;    /* (n) */
    double *slot;                     /* (slots,n,2): means and squares about them, or the gradient's two sums */
    int slots;
} runs;

static int64_t from_of(const runs *k, int s) { return k->v.outer * s / k->slots; }

/* Each part of each run of a slot: number i of its statistic, `count` elements from element `at` on, `before` elements
   of the same statistic before it in this slot. */
#define EACH_PART(...) \
    do { \
        int64_t o0 = from_of(k, s), o1 = from_of(k, s + 1), n = k->v.n, inner = k->v.inner; \
        for (int64_t o = o0; o < o1; o++) \
            for (int64_t i = 0; i < n; i++) \
                for (int64_t p = 0; p < inner; p += PART) { \
                    int64_t at = (o * n + i) * inner + p, count = min(inner - p, PART); \
                    int64_t before = (o - o0) * inner + p; \
                    __VA_ARGS__ \
                } \
    } while (0)

static void moments_task(void *arg, int s, int worker)
{
    const runs *k = arg;
    double *slot = k->slot + s * k->v.n * 2;
    float part[2];
    memset(slot, 0, (size_t)k->v.n * 2 * sizeof *slot);
    EACH_PART({
        k->s->run_moments(cpu_at(k->x, at), count, part);
        moments_join(&slot[2 * i], &slot[2 * i + 1], (double)before, part[0], part[1], (double)count);
    });
}

static void dots_task(void *arg, int s, int worker)
{
    const runs *k = arg;
    double *slot = k->slot + s * k->v.n * 2;
    float part[2];
    memset(slot, 0, (size_t)k->v.n * 2 * sizeof *slot);
    EACH_PART({
        (void)before;
        k->s->run_dots(cpu_at(k->dy, at), cpu_at(k->x, at), k->mean[i], count, part);
        slot[2 * i] += part[0];
        slot[2 * i + 1] += part[1];
    });
}

static void apply_task(void *arg, int s, int worker)
{
    const runs *k = arg;
    EACH_PART({
        cpu_affine c = { .mean = k->mean + i, .a = k->a + i, .b = k->b + i, .g = k->g ? k->g + i : NULL };
        (void)before;
        k->s->run_apply(cpu_at(k->out, at), cpu_at(k->x, at), k->dy ? cpu_at(k->dy, at) : NULL, &c, count);
        cpu_epilogue(k->w, k->m, at, count);
    });
}

/* Slots, then four rows of coefficients. */
static size_t memory(const hz_work *w, const cpu_micro *m)
{
    return (size_t)norm_extent(w) * (2 * SLOTS * sizeof(double) + 4 * sizeof(float));
}

static runs runs_of(const hz_work *w, const cpu_call *c, int arg)
{
    runs k = { .w = w, .m = c->micro, .s = cpu_stored_of(w, c->micro), .v = cpu_axis_of(w, c, arg), .slot = c->memory,
               .x = &w->in[arg], .out = w->out[0].data ? &w->out[0] : NULL };
    k.slots = (int)min(k.v.outer, SLOTS);
    return k;
}

/* Mean and variance of each statistic over all slots, or as they came with x. */
static void measure(runs *k, const float *given, float *mean, float *variance)
{
    double count = (double)(k->v.outer * k->v.inner);
    if (!given)
        team_run(k->slots, moments_task, k);
    for (int64_t i = 0; i < k->v.n; i++) {
        double middle = given ? given[i] : 0, squares = given ? given[k->v.n + i] : 0;
        for (int s = 0; s < k->slots && !given; s++) {
            const double *slot = k->slot + (s * k->v.n + i) * 2;
            moments_join(&middle, &squares, (double)(from_of(k, s) * k->v.inner), slot[0], slot[1],
                         (double)((from_of(k, s + 1) - from_of(k, s)) * k->v.inner));
        }
        mean[i] = (float)middle;
        variance[i] = (float)(squares / count);
    }
}

static hz_status forward(const hz_work *w, const cpu_call *c)
{
    runs k = runs_of(w, c, 0);
    int64_t n = k.v.n;
    float *mean = (float *)(k.slot + n * 2 * SLOTS), *variance = mean + n, *a = variance + n;
    if (w->attr.norm.frozen) {
        memcpy(mean, w->in[HZ_NORM_MEAN].data, (size_t)n * sizeof(float));
        memcpy(variance, w->in[HZ_NORM_VARIANCE].data, (size_t)n * sizeof(float));
    } else
        measure(&k, w->nin > HZ_NORM_MOMENTS ? w->in[HZ_NORM_MOMENTS].data : NULL, mean, variance);
    norm_factors(w, variance, n, a);
    k.mean = mean;
    k.a = a;
    k.b = w->in[2].data;
    team_run(k.slots, apply_task, &k);
    norm_tell(w, mean, variance, n);
    return HZ_OK;
}

static hz_status backward(const hz_work *w, const cpu_call *c)
{
    runs k = runs_of(w, c, 1);
    int64_t n = k.v.n;
    const float *given = w->nin > HZ_NORM_SUMS && !w->attr.norm.frozen ? w->in[HZ_NORM_SUMS].data : NULL;
    float *a = (float *)(k.slot + n * 2 * SLOTS), *b = a + n, *g = b + n;
    k.dy = &w->in[0];
    k.mean = w->in[3].data;
    if (!given)
        team_run(k.slots, dots_task, &k);
    for (int64_t i = 0; i < n; i++) {
        double dot = given ? given[i] : 0, sum = given ? given[n + i] : 0;
        for (int s = 0; s < k.slots && !given; s++) {
            dot += k.slot[(s * n + i) * 2];
            sum += k.slot[(s * n + i) * 2 + 1];
        }
        norm_slope_of(w, i, dot, sum, (double)(k.v.outer * k.v.inner), (norm_slope){ .a = a, .b = b, .g = g });
    }
    k.a = a;
    k.b = b;
    k.g = g;
    if (k.out)
        team_run(k.slots, apply_task, &k);
    return HZ_OK;
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_storage(w) >= 0 && norm_inner(w) > 1 ? 1e-6 : -1;
}

const cpu_kernel norm_runs = { .name = "runs", .cost = cost, .memory = memory, .run = forward };
const cpu_kernel norm_grad_runs = { .name = "runs", .cost = cost, .memory = memory, .run = backward };

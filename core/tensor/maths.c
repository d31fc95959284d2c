/* maths.c: element-wise work on strided tensors, for the prompt and for preparing data; the training path never comes
   here. Every value passes through a double, so one loop serves all dtypes. */
#include "number.h"
#include "tensor/walk.h"
#include <string.h>

/* ---- arithmetic ---- */

#define BINARY(ROW) ROW(add, a + b) ROW(sub, a - b) ROW(mul, a * b) ROW(div, a / b) ROW(pow, pow(a, b)) \
    ROW(max, a > b || a != a ? a : b) ROW(min, a < b || a != a ? a : b) ROW(eq, a == b) ROW(ne, a != b) \
    ROW(lt, a < b) ROW(le, a <= b) ROW(gt, a > b) ROW(ge, a >= b)
#define UNARY(ROW) \
    ROW(neg, -a) ROW(abs, fabs(a)) ROW(sqrt, sqrt(a)) ROW(exp, exp(a)) ROW(log, log(a)) ROW(sin, sin(a)) \
    ROW(cos, cos(a)) ROW(tanh, tanh(a)) ROW(relu, a > 0 || a != a ? a : 0) \
    ROW(sign, a != a ? a : (a > 0) - (a < 0)) ROW(floor, floor(a)) \
    ROW(round, nearbyint(a)) ROW(isfinite, isfinite(a) != 0)

#define FUNCTION2(name, formula) static double name##2(double a, double b) { return formula; }
#define FUNCTION1(name, formula) static double name##1(double a) { return formula; }
BINARY(FUNCTION2)
UNARY(FUNCTION1)

#define ENTRY2(name, formula) { #name, name##2 },
#define ENTRY1(name, formula) { #name, name##1 },
static const struct { const char *name; double (*f)(double, double); } binaries[] = { BINARY(ENTRY2) };
static const struct { const char *name; double (*f)(double); } unaries[] = { UNARY(ENTRY1) };

hz_status hz_tensor_binary(const char *name, hz_tensor *out, const hz_tensor *a, const hz_tensor *b)
{
    double (*f)(double, double) = NULL;
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
        if (!strcmp(binaries[i].name, name))
            f = binaries[i].f;
    if (!f)
        return hz_fail(HZ_EARG, "tensor: '%s' is not an operation of two tensors", name);
    hz_tensor *x = hz_tensor_expand(a, out->ndim, out->shape);
    hz_tensor *y = x ? hz_tensor_expand(b, out->ndim, out->shape) : NULL;
    hz_status status = x && y ? at_host(out, x, y) : hz_fail_in(HZ_ESHAPE, "%s: ", name);
    if (!status) {
        int64_t count = hz_tensor_count(out);
        walk w = walk_over(out, x, y);
        for (int64_t i = 0; i < count; i++, walk_next(&w))
            number_put(w.t[0].p, out->dtype, f(number_get(w.t[1].p, a->dtype), number_get(w.t[2].p, b->dtype)));
    }
    hz_tensor_free(x);
    hz_tensor_free(y);
    return status;
}

hz_status hz_tensor_unary(const char *name, hz_tensor *out, const hz_tensor *a)
{
    double (*f)(double) = NULL;
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
        if (!strcmp(unaries[i].name, name))
            f = unaries[i].f;
    if (!f)
        return hz_fail(HZ_EARG, "tensor: '%s' is not an operation of one tensor", name);
    if (!same_shape(out, a))
        return hz_fail(HZ_ESHAPE, "%s: the result's shape differs from the argument's", name);
    hz_status status = at_host(out, a, NULL);
    int64_t count = status ? 0 : hz_tensor_count(out);
    walk w = walk_over(out, a, NULL);
    for (int64_t i = 0; i < count; i++, walk_next(&w))
        number_put(w.t[0].p, out->dtype, f(number_get(w.t[1].p, a->dtype)));
    return status;
}

/* ---- reductions ---- */

typedef struct tally { double sum, squares, best; int64_t at, n; } tally;

static void take_sum(tally *t, double v) { t->sum += v; }
/* Welford, "Note on a method for calculating corrected sums of squares and products" (1962). */
static void take_var(tally *t, double v)
{
    double d = v - t->sum;
    t->sum += d / (double)(t->n + 1);
    t->squares += d * (v - t->sum);
}
/* The first of equals; the first NaN beats all numbers. */
static void take_best(tally *t, double v, int better)
{
    if (!t->n || better || (v != v && t->best == t->best))
        t->best = v, t->at = t->n;
}
static void take_max(tally *t, double v) { take_best(t, v, v > t->best); }
static void take_min(tally *t, double v) { take_best(t, v, v < t->best); }
static double give_sum(const tally *t) { return t->sum; }
static double give_mean(const tally *t) { return t->sum / (double)t->n; }
static double give_best(const tally *t) { return t->best; }
static double give_at(const tally *t) { return (double)t->at; }
static double give_var(const tally *t) { return t->squares / (double)t->n; }

static const struct { const char *name; void (*take)(tally *, double); double (*give)(const tally *); } reductions[] = {
    { "sum", take_sum, give_sum }, { "mean", take_sum, give_mean }, { "var", take_var, give_var },
    { "max", take_max, give_best }, { "min", take_min, give_best }, { "argmax", take_max, give_at },
    { "argmin", take_min, give_at },
};

/* Reduces `line` (a view) into one number. */
static double reduce_line(int r, const hz_tensor *line)
{
    tally t = { 0 };
    int64_t count = hz_tensor_count(line);
    walk w = walk_over(line, NULL, NULL);
    for (; t.n < count; t.n++, walk_next(&w))
        reductions[r].take(&t, number_get(w.t[0].p, line->dtype));
    return reductions[r].give(&t);
}

hz_status hz_tensor_reduce(const char *name, hz_tensor *out, const hz_tensor *a, int dim)
{
    int r = -1;
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (!strcmp(reductions[i].name, name))
            r = (int)i;
    if (r < 0)
        return hz_fail(HZ_EARG, "tensor: '%s' is not a reduction; have sum mean var max min argmax argmin", name);
    if (dim < -1 || dim >= a->ndim)
        return hz_fail(HZ_ESHAPE, "%s: dimension %d was given; the tensor has %d", name, dim + 1, a->ndim);
    if ((dim < 0 ? hz_tensor_count(a) : a->shape[dim]) == 0)
        return hz_fail(HZ_ESHAPE, "%s: there are no elements to reduce", name);
    if (dim < 0) {
        hz_status status = at_host(out, a, NULL);
        if (!status)
            number_put(out->data, out->dtype, reduce_line(r, a));
        return status;
    }
    hz_tensor line = { .data = a->data, .dtype = a->dtype, .ndim = 1, .shape = { a->shape[dim] },
                       .stride = { a->stride[dim] } };
    hz_tensor rest = *a;                    /* a without `dim`: walks the beginnings of the lines */
    rest.ndim--;
    for (int i = dim; i < rest.ndim; i++) {
        rest.shape[i] = a->shape[i + 1];
        rest.stride[i] = a->stride[i + 1];
    }
    if (!same_shape(out, &rest))
        return hz_fail(HZ_ESHAPE, "%s: the result's shape is not the argument's without dimension %d", name, dim + 1);
    hz_status status = at_host(out, a, NULL);
    int64_t count = status ? 0 : hz_tensor_count(out);
    walk w = walk_over(out, &rest, NULL);
    for (int64_t i = 0; i < count; i++, walk_next(&w)) {
        line.data = w.t[1].p;
        number_put(w.t[0].p, out->dtype, reduce_line(r, &line));
    }
    return status;
}

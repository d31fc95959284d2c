/* pairs_test.c: convolutions and dense layers over bf16 by products of pairs and by fast convolution, forced by name,
   against the plain loops in double over the same rounded numbers: the case table and random ones, part of a batch,
   the same bits for any number of threads. */
#define _GNU_SOURCE
#include "cpu_forced.h"

static const char *const levels[] = { "avx512bf16", "amx" };
static const int ops[] = { OP_conv2d, OP_conv2d_dx, OP_conv2d_dw, OP_dense, OP_dense_dx, OP_dense_dw };

static int is_grad(int op) { return op == OP_conv2d_dw || op == OP_dense_dw; }

/* Relative L2 error of one result; rows beyond count must be as they were. */
static double error_of(const hz_arg *x, const hz_arg *y, size_t n)
{
    double d2 = 0, n2 = 0;
    for (size_t e = 0; e < arg_count(x); e++) {
        double v = x->dtype == HZ_BF16 ? bf16_to_f32(((uint16_t *)x->data)[e]) : ((float *)x->data)[e];
        double r = ((double *)y->data)[e];
        if (e >= n)
            r = bf16_to_f32(f32_to_bf16(12345));
        d2 += (v - r) * (v - r);
        n2 += e < n ? r * r : 0;
    }
    return sqrt(d2 / (n2 > 0 ? n2 : 1));
}

/* Sums in f32 are within 3e-6. */
static double limit_of(int op, const char *kernel)
{
    if (!strcmp(kernel, "winopairs"))
        return ROUNDED_PLANES;
    return is_grad(op) ? 3e-6 : ROUNDED;
}

static void compare(const wcase *t, const char *kernel, const char *level, int64_t count, int64_t batch)
{
    work fast, truth;
    work_make_bf16(&fast, &truth, t);
    ck_assert_msg(run_by(&truth, "ref", count) == HZ_OK, "%s", hz_message());
    ck_assert_msg(run_by(&fast, kernel, count) == HZ_OK, "%s", hz_message());
    for (int i = HZ_MAXIN; i < HZ_MAXIN + HZ_MAXOUT; i++) {
        hz_arg *x = work_arg(&fast, i), *y = work_arg(&truth, i);
        if (!x->data)
            continue;
        double limit = limit_of(t->op, kernel);
        double error = error_of(x, y, is_grad(t->op) ? arg_count(x) : arg_count(x) / (size_t)batch * (size_t)count);
        ck_assert_msg(error <= limit, "%s | %s, %s, %s, %lld rows: error %g, at most %g", t->in, t->out, kernel, level,
                      (long long)count, error, limit);
    }
    work_free(&fast);
    work_free(&truth);
}

static int wanted(const wcase *t)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (t->op == ops[i])
            return t->attr.window.sh * t->attr.window.sw <= 4;
    return 0;
}

static int has_level(const char *name) { return hz_cpu_set_isa(name) == HZ_OK; }

START_TEST(cases_match_reference)
{
    if (!has_level(levels[_i]))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!wanted(&cases[i]))
            continue;
        work k;
        work_make(&k, &cases[i], HZ_F32);
        int64_t batch = k.w.in[0].shape[0];
        work_free(&k);
        compare(&cases[i], "pairs", levels[_i], batch, batch);
        if (batch > 1)
            compare(&cases[i], "pairs", levels[_i], batch - 1, batch);
    }
}
END_TEST

START_TEST(random_convolutions_match_reference)
{
    if (!has_level(levels[_i]))
        return;
    for (uint32_t n = 0; n < 40; n++) {
        uint32_t r[8];
        hz_random4(6, n, 0, 0, 0, HZ_FOR_INIT, r);
        hz_random4(6, n, 1, 0, 0, HZ_FOR_INIT, r + 4);
        int kh = 1 + (int)(r[0] % 5), kw = 1 + (int)(r[1] % 5);
        int sh = 1 + (int)(r[2] % 2), sw = 1 + (int)(r[3] % 2), pad = r[2] >> 31;
        int h = kh + (int)(r[4] % 12), w = kw + (int)(r[5] % 12);
        int ci = 1 + (int)(r[6] % 70), co = 1 + (int)(r[7] % 70), b = 1 + (int)(r[7] >> 27);
        int oh = pad == HZ_SAME ? (h + sh - 1) / sh : (h - kh) / sh + 1;
        int ow = pad == HZ_SAME ? (w + sw - 1) / sw : (w - kw) / sw + 1;
        char x[64], y[64], k[64], in[200], out[200];
        snprintf(x, sizeof x, "%d,%d,%d,%d", b, h, w, ci);
        snprintf(y, sizeof y, "%d,%d,%d,%d", b, oh, ow, co);
        snprintf(k, sizeof k, "%d,%d,%d,%d", co, kh, kw, ci);
        wcase t = { .in = in, .out = out, .attr.window = { .kh = kh, .kw = kw, .sh = sh, .sw = sw, .pad = pad } };
        t.op = OP_conv2d;
        snprintf(in, sizeof in, "n%s N%s N%d", x, k, co);
        snprintf(out, sizeof out, "o%s", y);
        compare(&t, "pairs", levels[_i], b, b);
        t.op = OP_conv2d_dx;
        snprintf(in, sizeof in, "n%s N%s", y, k);
        snprintf(out, sizeof out, "o%s", x);
        compare(&t, "pairs", levels[_i], b, b);
        t.op = OP_conv2d_dw;
        snprintf(in, sizeof in, "n%s n%s", x, y);
        snprintf(out, sizeof out, "O%s O%d", k, co);
        compare(&t, "pairs", levels[_i], b, b);
    }
}
END_TEST

static const wcase fast[] = {
    { OP_conv2d, "n3,8,8,64 N64,3,3,64 N64", "o3,8,8,64", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n2,7,5,16 N48,3,3,16 N48", "o2,7,5,48", CONV(3, 1, HZ_SAME) },
    { OP_conv2d, "n5,9,14,80 N16,3,3,80 -", "o5,7,12,16", CONV(3, 1, HZ_VALID, .act = HZ_RELU) },
    { OP_conv2d, "n1,1,1,32 N32,3,3,32 N32", "o1,1,1,32", CONV(3, 1, HZ_SAME) },
    { OP_conv2d, "n2,6,6,22 N33,3,3,22 N33", "o2,6,6,33", CONV(3, 1, HZ_SAME) },
    { OP_conv2d, "n3,9,13,34 N20,3,3,34 N20", "o3,5,7,20", CONV(3, 2, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n2,16,16,64 N128,3,3,64 N128", "o2,7,7,128", CONV(3, 2, HZ_VALID) },
    { OP_conv2d_dx, "n3,8,8,64 N64,3,3,64", "o3,8,8,64", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dx, "n5,7,12,48 N48,3,3,16 n5,9,14,16", "o5,9,14,16", CONV(3, 1, HZ_VALID, .act = HZ_RELU) },
    { OP_conv2d_dx, "n2,13,6,32 N32,3,3,112", "o2,13,6,112", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dx, "n2,5,6,26 N26,3,3,17", "o2,5,6,17", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dx, "n3,5,7,20 N20,3,3,35 n3,9,13,35", "o3,9,13,35", CONV(3, 2, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d_dw, "n3,8,8,64 n3,8,8,64", "O64,3,3,64 O64", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dw, "n5,7,5,17 n5,7,5,33", "O33,3,3,17 O33", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dw, "n1,1,1,32 n1,1,1,32", "O32,3,3,32 O32", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dw, "n40,16,16,128 n40,16,16,128", "O128,3,3,128 O128", CONV(3, 1, HZ_SAME) },
    { OP_conv2d_dw, "n7,9,14,20 n7,4,6,31", "O31,3,3,20 O31", CONV(3, 2, HZ_VALID) },
    { OP_conv2d_dw, "n9,16,16,64 n9,8,8,128", "O128,3,3,64 O128", CONV(3, 2, HZ_SAME) },
};

START_TEST(fast_convolutions_match_reference)
{
    if (!has_level(levels[_i]))
        return;
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++) {
        work k;
        work_make(&k, &fast[i], HZ_F32);
        int64_t batch = k.w.in[0].shape[0];
        work_free(&k);
        for (int plain = 0; plain < 2; plain++) {
            compare(&fast[i], plain ? "wino" : "winopairs", levels[_i], batch, batch);
            if (batch > 1)
                compare(&fast[i], plain ? "wino" : "winopairs", levels[_i], batch - 1, batch);
        }
    }
}
END_TEST

/* Many groups of images for each worker, of whole runs of 32 channels: sources follow each other in two places. */
static const wcase grouped[] = {
    { OP_conv2d, "n70,8,8,32 N64,3,3,32 N64", "o70,8,8,64", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n70,9,16,64 N48,3,3,64 N48", "o70,5,8,48", CONV(3, 2, HZ_SAME) },
    { OP_conv2d, "n67,6,4,96 N32,5,5,96 -", "o67,6,4,32", CONV(5, 1, HZ_SAME, .act = HZ_ELU) },
    { OP_conv2d_dx, "n70,8,8,32 N32,3,3,64 n70,8,8,64", "o70,8,8,64", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d_dx, "n70,5,8,64 N64,3,3,32", "o70,9,16,32", CONV(3, 2, HZ_SAME) },
};

START_TEST(groups_match_reference)
{
    if (!has_level(levels[_i]))
        return;
    for (size_t i = 0; i < sizeof grouped / sizeof *grouped; i++) {
        work k;
        work_make(&k, &grouped[i], HZ_F32);
        int64_t batch = k.w.in[0].shape[0];
        work_free(&k);
        for (int threads = 1; threads <= 3; threads++) {
            hz_cpu_set_threads(threads);
            compare(&grouped[i], "pairs", levels[_i], batch, batch);
            compare(&grouped[i], "pairs", levels[_i], batch / 2, batch);
            compare(&grouped[i], "pairs", levels[_i], 1, batch);
        }
    }
}
END_TEST

static void same_bits(const wcase *t, const char *kernel)
{
    work one, many, truth;
    work_make_bf16(&one, &truth, t);
    work_free(&truth);
    work_make_bf16(&many, &truth, t);
    int64_t batch = one.w.in[0].shape[0];
    hz_cpu_set_threads(1);
    ck_assert_msg(run_by(&one, kernel, batch) == HZ_OK, "%s", hz_message());
    hz_cpu_set_threads(3);
    ck_assert_msg(run_by(&many, kernel, batch) == HZ_OK, "%s", hz_message());
    for (int a = HZ_MAXIN; a < HZ_MAXIN + HZ_MAXOUT; a++)
        if (one.base[a])
            ck_assert_msg(!memcmp(work_arg(&one, a)->data, work_arg(&many, a)->data,
                                  arg_count(work_arg(&one, a)) * hz_dtype_bytes(work_arg(&one, a)->dtype)),
                          "%s | %s, %s: other bits with 3 threads than with 1", t->in, t->out, kernel);
    work_free(&one);
    work_free(&many);
    work_free(&truth);
}

START_TEST(threads_do_not_change_bits)
{
    if (!has_level(levels[_i]))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (wanted(&cases[i]))
            same_bits(&cases[i], "pairs");
    for (size_t i = 0; i < sizeof grouped / sizeof *grouped; i++)
        same_bits(&grouped[i], "pairs");
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++) {
        same_bits(&fast[i], "winopairs");
        same_bits(&fast[i], "wino");
    }
}
END_TEST

int main(void)
{
    return RUN_SUITE("pairs", EACH(cases_match_reference, levels), EACH(random_convolutions_match_reference, levels),
                     EACH(fast_convolutions_match_reference, levels), EACH(groups_match_reference, levels),
                     EACH(threads_do_not_change_bits, levels));
}

/* cpu_test.c: every kernel on every vector level against the plain loops in double; the same bits for any number
   of threads; gradients against finite differences; the pool; messages. */
#define _GNU_SOURCE
#include "cpu_cases.h"

static const char *const levels[] = { "portable", "avx2", "avx512", "avx512bf16", "amx" };
static const int threads[] = { 1, 2, 3, 5 };
static const int storage[] = { HZ_F32, HZ_BF16 };

static int has_level(const char *name)
{
    hz_status status = hz_cpu_set_isa(name);
    if (status)
        printf("skip  %s\n", hz_message());
    return !status;
}

static int64_t batch_of(const work *k)
{
    return k->w.op == OP_input ? k->w.attr.input.batch : k->w.in[0].kind == HZ_ACTIVATION ? k->w.in[0].shape[0] : 1;
}

static hz_step step_of(int64_t count)
{
    return (hz_step){ .seed = 11, .offset = 3, .count = count, .epoch = 2, .step = 4, .rate = 0.05f, .keep = 0.7f,
                      .version = 1 };
}

/* Whether this kernel is chosen for the node. */
static int chooses(const work *k, const char *kernel)
{
    const hz_backend *b = hz_backend_named("cpu");
    hz_program *p = b->program_new(&k->w, 1, 1);
    hz_node_stat stat = { 0 };
    int same = p && b->stat(p, 0, &stat) == HZ_OK && !strcmp(stat.kernel, kernel);
    if (p)
        b->program_free(p);
    return same;
}

static double limit_bf16(const work *k) { return chooses(k, "winopairs") ? ROUNDED_PLANES : ROUNDED; }

/* Runs the case in f64 and, at this level, with activations of this type; fails if they differ by more than the row
   allows, or in bf16 by more than its rounding. */
static void compare(const wcase *t, int row, const char *level, int64_t count, int dtype)
{
    work truth, fast;
    if (dtype == HZ_BF16)
        work_make_bf16(&fast, &truth, t);
    else {
        work_make(&truth, t, HZ_F64);
        work_make(&fast, t, dtype);
    }
    fill_positions(&truth);
    fill_positions(&fast);
    hz_step s = step_of(count);
    if (t->op == OP_input && s.offset + count > truth.w.in[0].shape[0])
        s.offset = 0;
    ck_assert_msg(work_run(&truth, &s) == HZ_OK, "case %d: %s", row, hz_message());
    ck_assert_msg(work_run(&fast, &s) == HZ_OK, "case %d: %s", row, hz_message());
    double limit = dtype == HZ_BF16 ? limit_bf16(&fast) : t->tolerance > 0 ? t->tolerance : 1e-6;
    double d = work_distance(&fast, &truth, count, batch_of(&fast));
    ck_assert_msg(d <= limit, "case %d (%s | %s), %s, %s, %lld rows: error %g, at most %g", row, t->in, t->out,
                  hz_dtype_name(dtype), level, (long long)count, d, limit);
    work_free(&truth);
    work_free(&fast);
}

START_TEST(cases_match_reference)
{
    const char *level = levels[_i];
    if (!has_level(level))
        return;
    for (int row = 0; row < CASES; row++) {
        work k;
        work_make(&k, &cases[row], HZ_F32);
        int64_t batch = batch_of(&k);
        work_free(&k);
        for (int i = 0; i < 2; i++) {
            compare(&cases[row], row, level, batch, storage[i]);
            if (batch > 1) {
                compare(&cases[row], row, level, batch - 1, storage[i]);
                compare(&cases[row], row, level, 1, storage[i]);
            }
        }
    }
}
END_TEST

/* Convolutions of random size: window, stride, padding, channels, extents. */
START_TEST(random_convolutions)
{
    const char *level = levels[_i];
    if (!has_level(level))
        return;
    for (uint64_t each = 0; each < 80; each++) {
        uint64_t n = each / 2;
        int type = storage[each % 2];
        uint32_t r[8];
        hz_random4(5, (uint32_t)n, 0, 0, 0, HZ_FOR_INIT, r);
        hz_random4(5, (uint32_t)n, 1, 0, 0, HZ_FOR_INIT, r + 4);
        int kh = 1 + (int)(r[0] % 5), kw = 1 + (int)(r[1] % 5);
        int sh = 1 + (int)(r[2] % 3), sw = 1 + (int)(r[3] % 3), pad = r[2] >> 31;
        int h = kh + (int)(r[4] % 12), w = kw + (int)(r[5] % 12);
        int ci = 1 + (int)(r[6] % 40), co = 1 + (int)(r[7] % 70), b = 1 + (int)(r[7] >> 30);
        int oh = pad == HZ_SAME ? (h + sh - 1) / sh : (h - kh) / sh + 1;
        int ow = pad == HZ_SAME ? (w + sw - 1) / sw : (w - kw) / sw + 1;
        char x[64], y[64], k[64], in[200], out[200];
        snprintf(x, sizeof x, "%d,%d,%d,%d", b, h, w, ci);
        snprintf(y, sizeof y, "%d,%d,%d,%d", b, oh, ow, co);
        snprintf(k, sizeof k, "%d,%d,%d,%d", co, kh, kw, ci);
        wcase t = { .in = in, .out = out, .attr.window = { .kh = kh, .kw = kw, .sh = sh, .sw = sw, .pad = pad },
                    .tolerance = 2e-6 };
        t.op = OP_conv2d;
        snprintf(in, sizeof in, "n%s N%s N%d", x, k, co);
        snprintf(out, sizeof out, "o%s", y);
        compare(&t, 1000 + (int)n, level, b, type);
        t.op = OP_conv2d_dx;
        snprintf(in, sizeof in, "n%s N%s", y, k);
        snprintf(out, sizeof out, "o%s", x);
        compare(&t, 2000 + (int)n, level, b, type);
        t.attr.window.alpha = 0.3f;
        t.attr.window.act = 1 + (int)(n % (HZ_NACT - 1));           /* with an activation's gradient as its epilogue */
        snprintf(in, sizeof in, "n%s N%s n%s", y, k, x);
        compare(&t, 4000 + (int)n, level, b, type);
        t.attr.window.act = HZ_LINEAR;
        t.op = OP_conv2d_dw;
        snprintf(in, sizeof in, "n%s n%s", x, y);
        snprintf(out, sizeof out, "O%s O%d", k, co);
        compare(&t, 3000 + (int)n, level, b, type);
    }
}
END_TEST

START_TEST(threads_do_not_change_bits)
{
    const char *level = levels[_i];
    if (!has_level(level))
        return;
    int before = hz_cpu_threads();
    for (int each = 0; each < 2 * CASES; each++) {
        int row = each / 2;
        work first, other;
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            work *k = i ? &other : &first;
            work_make(k, &cases[row], storage[each % 2]);
            fill_positions(k);
            hz_step s = step_of(batch_of(k));
            s.offset = 0;
            ck_assert(hz_cpu_set_threads(threads[i]) == HZ_OK);
            ck_assert_msg(work_run(k, &s) == HZ_OK, "case %d: %s", row, hz_message());
            if (i == 0)
                continue;
            for (int a = 0; a < HZ_MAXIN + HZ_MAXOUT; a++)
                ck_assert_msg(!k->base[a] || !memcmp(first.base[a], k->base[a], k->bytes[a]),
                              "case %d (%s | %s), %s: %d threads yield other bits", row, cases[row].in, cases[row].out,
                              level, threads[i]);
            work_free(k);
        }
        work_free(&first);
    }
    hz_cpu_set_threads(before);
}
END_TEST

/* ---- gradients against finite differences, in double ---- */

/* wiring: one character per input of the backward node: d = the seed, 0..5 = that input of the forward node,
   a..c = that output. wrt: one digit per output of the backward node: the forward input whose derivative it is. */
static const struct { wcase forward, backward; const char *wiring, *wrt; } slopes[] = {
    { { OP_conv2d, "n2,5,6,3 N4,3,3,3 N4", "o2,5,6,4", CONV(3, 1, HZ_SAME) },
      { OP_conv2d_dx, "n2,5,6,4 N4,3,3,3", "o2,5,6,3", CONV(3, 1, HZ_SAME) }, "d1", "0" },
    { { OP_conv2d, "n2,5,6,3 N4,3,3,3 N4", "o2,3,3,4", CONV(3, 2, HZ_SAME) },
      { OP_conv2d_dx, "n2,3,3,4 N4,3,3,3", "o2,5,6,3", CONV(3, 2, HZ_SAME) }, "d1", "0" },
    { { OP_conv2d, "n2,5,6,3 N4,3,3,3 N4", "o2,3,3,4", CONV(3, 2, HZ_SAME) },
      { OP_conv2d_dw, "n2,5,6,3 n2,3,3,4", "O4,3,3,3 O4", CONV(3, 2, HZ_SAME) }, "0d", "12" },
    { { OP_dense, "n3,7 N5,7 N5", "o3,5", ACT(0) }, { OP_dense_dx, "n3,5 N5,7", "o3,7", ACT(0) }, "d1", "0" },
    { { OP_dense, "n3,7 N5,7 N5", "o3,5", ACT(0) }, { OP_dense_dw, "n3,7 n3,5", "O5,7 O5", ACT(0) }, "0d", "12" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_ELU) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_ELU) }, "da", "0" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_GELU) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_GELU) }, "d0", "0" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_LEAKY) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_LEAKY) }, "da", "0" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_TANH) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_TANH) }, "da", "0" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_SIGMOID) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_SIGMOID) }, "da", "0" },
    { { OP_act, "n3,8", "o3,8", ACT(HZ_RELU) }, { OP_act_grad, "n3,8 n3,8", "o3,8", ACT(HZ_RELU) }, "da", "0" },
    { { OP_dropout, "n3,9 i3", "o3,9 b3,2", { .dropout = { .rate = 0.4f } } },
      { OP_dropout_grad, "n3,9 b3,2", "o3,9", { .dropout = { .rate = 0.4f } } }, "db", "0" },
    { { OP_maxpool, "n2,5,5,3", "o2,3,3,3 b2,3,3,3", CONV(3, 2, HZ_SAME) },
      { OP_maxpool_grad, "n2,3,3,3 b2,3,3,3", "o2,5,5,3", CONV(3, 2, HZ_SAME) }, "db", "0" },
    { { OP_avgpool, "n2,5,5,3", "o2,3,3,3", CONV(3, 2, HZ_SAME) },
      { OP_avgpool_grad, "n2,3,3,3", "o2,5,5,3", CONV(3, 2, HZ_SAME) }, "d", "0" },
    { { OP_meanpool, "n2,5,5,3", "o2,3", ACT(0) }, { OP_meanpool_grad, "n2,3", "o2,5,5,3", ACT(0) }, "d", "0" },
    { { OP_norm, "n4,3,2,5 N5 N5 P5 P5", "o4,3,2,5 O5 O5", NORM() },
      { OP_norm_grad, "n4,3,2,5 n4,3,2,5 N5 O5 O5", "o4,3,2,5 O5 O5", NORM() }, "d01bc", "012" },
    { { OP_norm, "n4,3,2,5 N3 N3 P3 P3", "o4,3,2,5 O3 O3", NORM(.axis = 1) },
      { OP_norm_grad, "n4,3,2,5 n4,3,2,5 N3 O3 O3", "o4,3,2,5 O3 O3", NORM(.axis = 1) }, "d01bc", "012" },
    { { OP_norm, "n4,5 N5 N5 P5 P5", "o4,5 O5 O5", NORM(.frozen = 1) },
      { OP_norm_grad, "n4,5 n4,5 N5 O5 O5", "o4,5 O5 O5", NORM(.frozen = 1) }, "d01bc", "012" },
    { { OP_softmax, "n3,6", "o3,6", ACT(0) }, { OP_softmax_grad, "n3,6 n3,6", "o3,6", ACT(0) }, "da", "0" },
    { { OP_xent, "n5,6 l5", "O1 j5 o5,6", { .xent = { .smoothing = 0.1f } } },
      { OP_xent_grad, "p5,6 l5", "o5,6", { .xent = { .smoothing = 0.1f } } }, "c1", "0" },
};

static double seed_number(size_t i) { return normal(77, i); }

/* sum(output 0 * seed); xent's loss is seeded with 1. */
static double objective(const wcase *t, const work *from, int input, size_t element, double nudge)
{
    work k;
    double sum = 0;
    work_make(&k, t, HZ_F64);
    for (int i = 0; i < k.w.nin; i++)
        if (k.base[i])
            memcpy(k.base[i], from->base[i], k.bytes[i]);
    ((double *)k.base[input])[element] += nudge;
    hz_step s = step_of(batch_of(&k));
    ck_assert(work_run(&k, &s) == HZ_OK);
    for (size_t i = 0; i < arg_count(&k.w.out[0]); i++)
        sum += ((double *)k.w.out[0].data)[i] * (t->op == OP_xent ? 1 : seed_number(i));
    work_free(&k);
    return sum;
}

START_TEST(gradients_match_differences)
{
    const wcase *f = &slopes[_i].forward, *b = &slopes[_i].backward;
    work start, run, back;
    work_make(&start, f, HZ_F64);
    work_make(&run, f, HZ_F64);
    work_make(&back, b, HZ_F64);
    hz_step s = step_of(batch_of(&run));
    ck_assert(work_run(&run, &s) == HZ_OK);
    for (int i = 0; i < back.w.nin; i++) {
        char from = slopes[_i].wiring[i];
        if (from == 'd')
            for (size_t e = 0; e < arg_count(&back.w.in[i]); e++)
                ((double *)back.base[i])[e] = seed_number(e);
        else
            memcpy(back.base[i], from >= 'a' ? run.base[HZ_MAXIN + from - 'a'] : start.base[from - '0'], back.bytes[i]);
    }
    ck_assert(work_run(&back, &s) == HZ_OK);
    for (int o = 0; o < back.w.nout; o++) {
        int input = slopes[_i].wrt[o] - '0';
        for (size_t e = 0; e < arg_count(&back.w.out[o]); e++) {
            double h = 1e-5, slope = (objective(f, &start, input, e, h) - objective(f, &start, input, e, -h)) / (2 * h);
            double got = ((double *)back.w.out[o].data)[e];
            ck_assert_msg(fabs(got - slope) <= 1e-7 * (1 + fabs(slope)),
                          "row %d, output %d, element %zu: gradient %.10g, difference %.10g", _i, o, e, got, slope);
        }
    }
    work_free(&start);
    work_free(&run);
    work_free(&back);
}
END_TEST

/* ---- bf16 ---- */

/* The input node with scale 1 and mean 0 stores its data as they are: any bits, rounded as number.h says. */
START_TEST(bf16_rounds_to_nearest_even)
{
    static const uint32_t special[] = {
        0, 0x80000000, 1, 0x8000, 0x8001, 0x17fff, 0x18000, 0x7fffff, 0x3f808000, 0x3f808001, 0x3f818000, 0x3f817fff,
        0xbf818000, 0x7f7fffff,
        0xff7f8000, 0x7f7f7fff, 0x7f800000, 0xff800000, 0x7f800001, 0xff800001, 0x7fc00000, 0xffffffff, 0x7fbfffff };
    enum { SPECIAL = sizeof special / sizeof *special };
    if (!has_level(levels[_i]))
        return;
    work k;
    wcase t = { OP_input, "f64,67 L64", "o64,67 j64 j64", { .input = { .batch = 64, .scale = 1 } } };
    work_make(&k, &t, HZ_BF16);
    size_t n = arg_count(&k.w.out[0]);
    uint32_t *x = k.base[0];
    for (size_t i = 0; i < n; i++)
        x[i] = i < SPECIAL ? special[i] : hz_random(3, i, 1, 0, 0, HZ_FOR_INIT);
    hz_step s = step_of(64);
    s.offset = 0;
    ck_assert_msg(work_run(&k, &s) == HZ_OK, "%s", hz_message());
    for (size_t i = 0; i < n; i++) {
        uint16_t got = ((uint16_t *)k.w.out[0].data)[i], wanted = f32_to_bf16(((float *)k.base[0])[i]);
        ck_assert_msg(got == wanted, "%s: %08x became %04x; needs %04x", levels[_i], x[i], got, wanted);
    }
    work_free(&k);
}
END_TEST

START_TEST(bf16_weights_are_refused)
{
    wcase t = { OP_dense, "n3,4 N2,4 N2", "o3,2", ACT(0) };
    hz_step s = step_of(3);
    work k;
    work_make(&k, &t, HZ_BF16);
    ck_assert(k.w.in[0].dtype == HZ_BF16 && k.w.in[1].dtype == HZ_F32);
    ck_assert(work_run(&k, &s) == HZ_OK);
    k.w.in[1].dtype = HZ_BF16;
    ck_assert(work_run(&k, &s) == HZ_EDTYPE);
    ck_assert_str_eq(hz_message(), "cpu: 'test' is a node over (bf16, bf16, f32) that no kernel runs; "
                     "its floating-point values must be all f32, all f64, or bf16 activations with f32 parameters");
    work_free(&k);
}
END_TEST

/* ---- messages, levels, peak ---- */

START_TEST(bad_input_is_a_message)
{
    ck_assert(hz_backend_named("gpu") == NULL);
    const char *known = "device: 'gpu' is not known; have cpu, null, far";      /* and what was built in objects */
    ck_assert_msg(!strncmp(hz_message(), known, strlen(known)), "%s", hz_message());
    ck_assert(hz_cpu_set_threads(0) == HZ_EARG);
    ck_assert(hz_cpu_set_threads(100000) == HZ_EARG);
    ck_assert(hz_cpu_set_isa("avx3") == HZ_EARG);
    ck_assert_str_eq(hz_message(), "isa: 'avx3' is not known; have portable, avx2, avx512, avx512bf16, amx");
    setenv("HZ_THREADS", "many", 1);
    ck_assert(hz_backend_named("cpu") == NULL);
    ck_assert_str_eq(hz_message(), "HZ_THREADS: 'many' was given; need a number from 1 to 256");
    unsetenv("HZ_THREADS");
    setenv("HZ_ISA", "sse9", 1);
    ck_assert(hz_backend_named("cpu") == NULL);
    unsetenv("HZ_ISA");
    setenv("HZ_CPU", "via", 1);
    ck_assert(hz_backend_named("cpu") == NULL);
    ck_assert_str_eq(hz_message(), "HZ_CPU: 'via' is not known; have intel, amd");
    unsetenv("HZ_CPU");
    ck_assert(hz_cpu_set_vendor("via") == HZ_EARG);
    ck_assert_str_eq(hz_message(), "vendor: 'via' is not known; have intel, amd");

    wcase t = { OP_xent, "n3,4 l3", "O1 j3 o3,4", { .xent = { 0 } } };
    work k;
    work_make(&k, &t, HZ_F32);
    ((int32_t *)k.base[1])[2] = 4;
    hz_step s = step_of(3);
    ck_assert(work_run(&k, &s) == HZ_EARG);
    ck_assert_str_eq(hz_message(), "test: label 4 in row 2 of the batch; there are 4 classes, need 0 to 3");
    s.count = 4;
    ck_assert(work_run(&k, &s) == HZ_EARG);
    work_free(&k);

    wcase mixed = { OP_add, "n3,4 f3,4", "o3,4", { .act = { 0 } } };
    work_make(&k, &mixed, HZ_F64);
    ck_assert(work_run(&k, &s) == HZ_EDTYPE);
    work_free(&k);
}
END_TEST

START_TEST(null_backend_runs_nothing)
{
    const hz_backend *b = hz_backend_named("null");
    work k;
    work_make(&k, &cases[1], HZ_F32);
    hz_step s = step_of(2);
    hz_node_stat stat;
    hz_program *p = b->program_new(&k.w, 1, 1);
    ck_assert(p && b->accepts(&k.w) && b->run(p, 0, 1, &s, 1) == HZ_OK && b->stat(p, 0, &stat) == HZ_OK);
    ck_assert_str_eq(stat.kernel, "null");
    ck_assert(((float *)k.w.out[0].data)[0] == 12345);
    ck_assert(b->run(p, 0, 2, &s, 0) == HZ_EARG);
    b->program_free(p);
    work_free(&k);
}
END_TEST

START_TEST(kernel_can_be_forced)
{
    work k;
    work_make(&k, &cases[1], HZ_F32);
    setenv("HZ_KERNEL", "re,none,ref", 1);
    const hz_backend *b = hz_backend_named("cpu");
    hz_program *p = b->program_new(&k.w, 1, 1);
    hz_node_stat stat;
    ck_assert(b->stat(p, 0, &stat) == HZ_OK);
    ck_assert_str_eq(stat.kernel, "ref");
    ck_assert(stat.flops == 2.0 * 2 * 16 * 16 * 64 * 9 * 32);
    b->program_free(p);
    work_free(&k);
    work_make(&k, &cases[1], HZ_BF16);
    static const char *const forced[] = { "ref", "gather", "wino" };
    static const char *const named[] = { "wide ref", "wide gather", "wino" };
    for (int i = 0; i < 3; i++) {
        setenv("HZ_KERNEL", forced[i], 1);
        p = b->program_new(&k.w, 1, 1);
        ck_assert(b->stat(p, 0, &stat) == HZ_OK);
        ck_assert_str_eq(stat.kernel, named[i]);
        b->program_free(p);
    }
    unsetenv("HZ_KERNEL");
    work_free(&k);
}
END_TEST

START_TEST(peak_is_a_speed)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (has_level(levels[i]))
            ck_assert(hz_cpu_peak(HZ_F32, 1, 0.01) > 0.5);
    ck_assert(hz_cpu_peak(HZ_BF16, 2, 0.01) > 0.5);
    hz_peak peak = { 0 };
    ck_assert(hz_cpu_peak_windows(HZ_F32, 2, 0.02, &peak) == HZ_OK);
    ck_assert(peak.windows >= 1 && peak.windows <= 10);
    ck_assert(peak.median > 0 && peak.best >= peak.median);
    ck_assert(hz_cpu_peak_windows(HZ_F32, 1, 0, &peak) == HZ_OK && peak.windows == 1);
}
END_TEST

int main(void)
{
    return RUN_SUITE("cpu", EACH(cases_match_reference, levels), EACH(random_convolutions, levels),
                     EACH(threads_do_not_change_bits, levels), EACH(gradients_match_differences, slopes),
                     EACH(bf16_rounds_to_nearest_even, levels), ONCE(bf16_weights_are_refused),
                     ONCE(bad_input_is_a_message), ONCE(null_backend_runs_nothing), ONCE(kernel_can_be_forced),
                     ONCE(peak_is_a_speed));
}

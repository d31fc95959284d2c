/* wino_test.c: the fast convolutions, forced by name, against the plain loops in double: odd sizes, tails
   of channels, both paddings, part of a batch; their promised accuracy on the layers of architecture A; the same
   bits for any number of threads. */
#define _GNU_SOURCE
#include "cpu_work.h"

static const char *const levels[] = { "portable", "avx2", "avx512" };

typedef struct shape {
    int batch, h, w, in, out, pad, act;
} shape;

static const shape shapes[] = {
    { 2, 16, 16, 32, 64, HZ_SAME, HZ_RELU },
    { 3, 8, 8, 64, 64, HZ_SAME, HZ_LINEAR },
    { 1, 4, 4, 16, 16, HZ_SAME, HZ_ELU },
    { 1, 1, 1, 16, 16, HZ_SAME, HZ_LINEAR },
    { 1, 3, 3, 16, 16, HZ_VALID, HZ_LINEAR },
    { 5, 7, 5, 17, 33, HZ_SAME, HZ_GELU },
    { 4, 9, 14, 20, 31, HZ_VALID, HZ_TANH },
    { 2, 6, 11, 40, 80, HZ_VALID, HZ_LEAKY },
    { 7, 5, 6, 130, 68, HZ_SAME, HZ_SIGMOID },
    { 2, 13, 3, 96, 49, HZ_SAME, HZ_RELU },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* conv2d, conv2d_dx or conv2d_dw of a shape as a row of a case table; texts live in the given buffers. */
static wcase node_of(const shape *s, int op, int stride, char in[200], char out[200])
{
    int oh = s->pad == HZ_SAME ? (s->h + stride - 1) / stride : (s->h - 3) / stride + 1;
    int ow = s->pad == HZ_SAME ? (s->w + stride - 1) / stride : (s->w - 3) / stride + 1;
    char x[64], y[64], k[64];
    snprintf(x, sizeof x, "%d,%d,%d,%d", s->batch, s->h, s->w, s->in);
    snprintf(y, sizeof y, "%d,%d,%d,%d", s->batch, oh, ow, s->out);
    snprintf(k, sizeof k, "%d,3,3,%d", s->out, s->in);
    wcase t = { .op = op, .in = in, .out = out,
                .attr.window = { .kh = 3, .kw = 3, .sh = stride, .sw = stride, .pad = s->pad } };
    if (op == OP_conv2d) {
        t.attr.window.act = s->act;
        t.attr.window.alpha = 0.3f;
        snprintf(in, 200, "n%s N%s N%d", x, k, s->out);
        snprintf(out, 200, "o%s", y);
    } else if (op == OP_conv2d_dx) {
        t.attr.window.act = s->act;
        t.attr.window.alpha = 0.3f;
        snprintf(in, 200, s->act == HZ_LINEAR ? "n%s N%s" : "n%s N%s n%s", y, k, x);
        snprintf(out, 200, "o%s", x);
    } else {
        snprintf(in, 200, "n%s n%s", x, y);
        snprintf(out, 200, "O%s O%d", k, s->out);
    }
    return t;
}

/* Runs a node by the kernel of this name; 0 if the kernel declines it. */
static int run_by(work *k, const char *kernel, const hz_step *s)
{
    hz_node_stat stat;
    setenv("HZ_KERNEL", kernel, 1);
    const hz_backend *b = hz_backend_named("cpu");
    hz_program *p = b->program_new(&k->w, 1, 1);
    unsetenv("HZ_KERNEL");
    ck_assert_msg(p && b->stat(p, 0, &stat) == HZ_OK, "%s", hz_message());
    int taken = !strcmp(stat.kernel, kernel);
    if (taken)
        ck_assert_msg(b->run(p, 0, 1, s, 0) == HZ_OK, "%s", hz_message());
    b->program_free(p);
    return taken;
}

/* Relative L2 error of `kernel` against the plain loops in double; -1 if it declines. */
static double error_of(const wcase *t, const char *kernel, int64_t count, int64_t batch, float weight_scale)
{
    work truth, fast;
    hz_step s = { .seed = 1, .count = count, .version = 1 };
    work_make(&truth, t, HZ_F64);
    work_make(&fast, t, HZ_F32);
    for (size_t i = 0; weight_scale > 0 && i < arg_count(&fast.w.in[1]); i++) {
        float g = (2 * hz_unit(hz_random(5, i, 1, 0, 0, HZ_FOR_INIT)) - 1) * weight_scale;
        ((float *)fast.base[1])[i] = g;
        ((double *)truth.base[1])[i] = g;
    }
    double error = -1;
    if (run_by(&fast, kernel, &s)) {
        ck_assert(run_by(&truth, "ref", &s));
        error = work_distance(&fast, &truth, count, batch);
    }
    work_free(&truth);
    work_free(&fast);
    return error;
}

static int is_convolution(int op) { return op == OP_conv2d || op == OP_conv2d_dx || op == OP_conv2d_dw; }

static void check_shapes(const char *level, int op, int stride)
{
    char in[200], out[200];
    int taken = 0;
    if (hz_cpu_set_isa(level)) {
        printf("skip  %s\n", hz_message());
        return;
    }
    for (int i = 0; i < SHAPES; i++)
        for (int64_t count = shapes[i].batch; count > 0; count = count == 1 ? 0 : 1) {
            wcase t = node_of(&shapes[i], op, stride, in, out);
            double error = error_of(&t, "wino", count, shapes[i].batch, 0);
            taken += error >= 0;
            ck_assert_msg(error <= 2e-6, "%s, stride %d, op %d, shape %d, %d rows: error %g", level, stride, op, i,
                          (int)count, error);
        }
    ck_assert_msg(taken >= SHAPES, "%s, stride %d, op %d: only %d nodes were taken", level, stride, op, taken);
}

START_TEST(stride_1_matches_reference)
{
    for (int op = OP_conv2d; op <= OP_conv2d_dw; op++)
        if (is_convolution(op))
            check_shapes(levels[_i], op, 1);
}
END_TEST

START_TEST(stride_2_matches_reference)
{
    for (int op = OP_conv2d; op <= OP_conv2d_dw; op++)
        if (is_convolution(op))
            check_shapes(levels[_i], op, 2);
}
END_TEST

/* Layers of architecture A: N(0,1) inputs, Glorot weights. */
START_TEST(accuracy_is_as_promised)
{
    static const shape layers[] = { { 2, 32, 32, 32, 64 }, { 3, 16, 16, 128, 128 }, { 8, 8, 8, 128, 128 },
                                    { 2, 32, 32, 64, 128 }, { 3, 16, 16, 128, 128 } };
    char in[200], out[200];
    if (hz_cpu_set_isa(levels[_i]))
        return;
    for (int i = 0; i < 5; i++) {
        const shape *s = &layers[i];
        float glorot = sqrtf(6.0f / (float)(9 * (s->in + s->out)));
        for (int op = OP_conv2d; op <= OP_conv2d_dw; op++) {
            if (!is_convolution(op))
                continue;
            wcase t = node_of(s, op, i < 3 ? 1 : 2, in, out);
            double error = error_of(&t, "wino", s->batch, s->batch, op == OP_conv2d_dw ? 0 : glorot);
            ck_assert_msg(error >= 0 && error <= (op == OP_conv2d_dw ? 3e-6 : 1.1e-6), "%s, layer %d, op %d: error %g",
                          levels[_i], i, op, error);
        }
    }
}
END_TEST

START_TEST(threads_do_not_change_bits)
{
    static const int threads[] = { 1, 2, 3, 5 };
    char in[200], out[200];
    int before = hz_cpu_threads();
    if (hz_cpu_set_isa(levels[_i]))
        return;
    for (int i = 0; i < SHAPES; i++)
        for (int op = OP_conv2d; op <= OP_conv2d_dw; op++) {
            if (!is_convolution(op))
                continue;
            wcase t = node_of(&shapes[i], op, 1 + i % 2, in, out);
            work first, other;
            hz_step s = { .seed = 1, .count = shapes[i].batch, .version = 1 };
            for (int n = 0; n < 4; n++) {
                work *k = n ? &other : &first;
                work_make(k, &t, HZ_F32);
                ck_assert(hz_cpu_set_threads(threads[n]) == HZ_OK);
                run_by(k, "wino", &s);
                for (int o = HZ_MAXIN; n && o < HZ_MAXIN + HZ_MAXOUT; o++)
                    ck_assert_msg(!k->base[o] || !memcmp(first.base[o], k->base[o], k->bytes[o]),
                                  "%s, op %d, shape %d: %d threads yield other bits", levels[_i], op, i, threads[n]);
                if (n)
                    work_free(k);
            }
            work_free(&first);
        }
    hz_cpu_set_threads(before);
}
END_TEST

/* Channels that do not fill a vector, other windows and strides, and double precision are left to other kernels. */
START_TEST(other_nodes_are_declined)
{
    char in[200], out[200];
    shape narrow = { 1, 8, 8, 3, 32 }, wide = { 1, 8, 8, 32, 32 };
    hz_step s = { .count = 1, .version = 1 };
    wcase rows[4] = { node_of(&narrow, OP_conv2d, 1, in, out) };
    ck_assert(error_of(&rows[0], "wino", 1, 1, 0) < 0);
    rows[1] = node_of(&wide, OP_conv2d, 3, in, out);
    ck_assert(error_of(&rows[1], "wino", 1, 1, 0) < 0);
    rows[2] = node_of(&wide, OP_conv2d, 1, in, out);
    work k;
    work_make(&k, &rows[2], HZ_F64);
    ck_assert(!run_by(&k, "wino", &s));
    work_free(&k);
    rows[3] = (wcase){ OP_conv2d, "n1,8,8,32 N32,5,5,32 N32", "o1,8,8,32", { .window = { .kh = 5, .kw = 5 } } };
    ck_assert(error_of(&rows[3], "wino", 1, 1, 0) < 0);
}
END_TEST

int main(void)
{
    return RUN_SUITE("wino", EACH(stride_1_matches_reference, levels), EACH(stride_2_matches_reference, levels),
                     EACH(accuracy_is_as_promised, levels), EACH(threads_do_not_change_bits, levels),
                     ONCE(other_nodes_are_declined));
}

/* blocked_test.c: convolutions whose values lie blocked (hz_arg) yield the bits that they yield image by image
   (pairs_test.c compares those with plain loops), for parts of a batch and any number of threads; and what the backend
   accepts. */
#define _GNU_SOURCE
#include "cpu_forced.h"

static const char *const levels[] = { "amx" };
static int has_level(const char *name) { return hz_cpu_set_isa(name) == HZ_OK; }

/* An element of (N,H,W,C), blocked. */
static size_t place(const hz_arg *a, int64_t n, int64_t y, int64_t x, int64_t c)
{
    int64_t block = n / HZ_BLOCK_N * (a->shape[3] / HZ_BLOCK_C) + c / HZ_BLOCK_C;
    int64_t pixel = (block * a->shape[1] + y) * a->shape[2] + x;
    return (size_t)((pixel * HZ_BLOCK_N + n % HZ_BLOCK_N) * HZ_BLOCK_C + c % HZ_BLOCK_C);
}

/* From image by image to blocked, or back. */
static void move(hz_arg *a, int back)
{
    uint16_t *from = a->data, *to = malloc(arg_count(a) * sizeof *to);
    size_t i = 0;
    for (int64_t n = 0; n < a->shape[0]; n++)
        for (int64_t y = 0; y < a->shape[1]; y++)
            for (int64_t x = 0; x < a->shape[2]; x++)
                for (int64_t c = 0; c < a->shape[3]; c++, i++)
                    to[back ? i : place(a, n, y, x, c)] = from[back ? place(a, n, y, x, c) : i];
    memcpy(from, to, arg_count(a) * sizeof *to);
    free(to);
}

/* Which ends of the node lie blocked. */
enum { IN = 1, OUT = 2 };

static void compare(const wcase *t, int ends, int64_t count)
{
    work plain, blocked;
    work_make(&plain, t, HZ_BF16);
    work_make(&blocked, t, HZ_BF16);
    blocked.w.in[0].blocked = (ends & IN) != 0;
    blocked.w.out[0].blocked = (ends & OUT) != 0;
    if (ends & IN)
        move(&blocked.w.in[0], 0);
    OK(run_by(&plain, "pairs", count));
    OK(run_by(&blocked, "pairs", count));
    if (ends & OUT)
        move(&blocked.w.out[0], 1);
    const hz_arg *y = &plain.w.out[0];
    size_t used = arg_count(y) / (size_t)y->shape[0] * (size_t)count;
    size_t same = ends & OUT ? used : arg_count(y);       /* rows beyond count stay as they were where they are apart */
    ck_assert_msg(!memcmp(y->data, blocked.w.out[0].data, same * sizeof(uint16_t)),
                  "%s | %s, ends %d, %lld rows, %d threads: other bits than image by image", t->in, t->out, ends,
                  (long long)count, hz_cpu_threads());
    work_free(&plain);
    work_free(&blocked);
}

static const wcase whole[] = {
    { OP_conv2d, "n32,14,14,64 N64,3,3,64 N64", "o32,14,14,64", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n48,8,8,128 N96,3,3,128 N96", "o48,8,8,96", CONV(3, 1, HZ_SAME) },
    { OP_conv2d, "n32,23,20,32 N64,3,3,32 -", "o32,12,10,64", CONV(3, 2, HZ_SAME, .act = HZ_LEAKY, .alpha = 0.25f) },
    { OP_conv2d, "n16,9,7,96 N32,3,3,96 N32", "o16,9,7,32", CONV(3, 1, HZ_SAME, .act = HZ_GELU) },
    { OP_conv2d, "n16,11,14,64 N32,3,3,64 N32", "o16,9,12,32", CONV(3, 1, HZ_VALID) },
    { OP_conv2d, "n16,13,13,32 N160,4,4,32 N160", "o16,7,7,160", CONV(4, 2, HZ_SAME, .act = HZ_TANH) },
    { OP_conv2d, "n32,6,6,352 N32,1,1,352 N32", "o32,6,6,32", CONV(1, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n16,12,12,64 N64,2,2,64 N64", "o16,6,6,64", CONV(2, 2, HZ_SAME) },
    { OP_conv2d, "n64,6,6,32 N32,3,3,32 N32", "o64,6,6,32", CONV(3, 1, HZ_SAME, .act = HZ_ELU, .alpha = 1) },
};

/* Output channels that fill no run: only the input may lie blocked. */
static const wcase odd[] = {
    { OP_conv2d, "n32,8,8,64 N10,1,1,64 N10", "o32,8,8,10", CONV(1, 1, HZ_SAME) },
    { OP_conv2d, "n16,9,16,32 N45,3,3,32 N45", "o16,5,8,45", CONV(3, 2, HZ_SAME, .act = HZ_RELU) },
};

/* Few input channels. */
static const wcase few[] = {
    { OP_conv2d, "n32,20,32,3 N32,3,3,3 N32", "o32,20,32,32", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
    { OP_conv2d, "n16,17,13,3 N64,5,5,3 -", "o16,9,7,64", CONV(5, 2, HZ_SAME) },
    { OP_conv2d, "n16,12,31,1 N32,2,2,1 N32", "o16,11,30,32", CONV(2, 1, HZ_VALID, .act = HZ_GELU) },
    { OP_conv2d, "n48,7,9,20 N96,3,3,20 N96", "o48,7,9,96", CONV(3, 1, HZ_SAME, .act = HZ_RELU) },
};

static void compare_all(const wcase *t, int ends)
{
    work k;
    work_make(&k, t, HZ_BF16);
    int64_t batch = k.w.in[0].shape[0];
    work_free(&k);
    for (int threads = 1; threads <= 3; threads += 2) {
        hz_cpu_set_threads(threads);
        compare(t, ends, batch);
        compare(t, ends, threads == 1 ? 1 : batch - 1);
    }
}

#define ALL(table, ends) \
    for (const wcase *t = table; t < table + sizeof table / sizeof *table; t++) \
        compare_all(t, ends);

START_TEST(blocked_inputs_yield_the_same_bits)
{
    if (!has_level(levels[_i]))
        return;
    ALL(whole, IN)
    ALL(whole, IN | OUT)
    ALL(odd, IN)
}
END_TEST

START_TEST(blocked_outputs_are_the_same_numbers)
{
    if (!has_level(levels[_i]))
        return;
    ALL(few, OUT)
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (whole[i].attr.window.kh > 1)              /* one tap: pixels of all images are one row there */
            compare_all(&whole[i], OUT);
}
END_TEST

/* Whether the backend takes the node with these ends blocked. */
static int accepted(const char *in, const char *out, hz_attr attr, int ends)
{
    wcase t = { .op = OP_conv2d, .in = in, .out = out, .attr = attr };
    work k;
    work_make(&k, &t, HZ_BF16);
    k.w.in[0].blocked = (ends & IN) != 0;
    k.w.out[0].blocked = (ends & OUT) != 0;
    int yes = hz_backend_named("cpu")->accepts(&k.w);
    work_free(&k);
    return yes;
}

START_TEST(only_what_kernels_run_is_accepted)
{
    hz_attr same = CONV(3, 1, HZ_SAME), large = CONV(5, 1, HZ_SAME);
    int here = has_level(levels[_i]);
    ck_assert_int_eq(accepted("n32,8,8,64 N64,3,3,64 N64", "o32,8,8,64", same, IN | OUT), here);
    ck_assert_int_eq(accepted("n32,32,32,3 N32,3,3,3 N32", "o32,32,32,32", same, OUT), here);
    ck_assert(!accepted("n32,8,8,64 N64,5,5,64 N64", "o32,8,8,64", large, IN));        /* too many taps of a run */
    ck_assert(!accepted("n32,3,3,64 N64,3,3,64 N64", "o32,3,3,64", same, IN));         /* too few outputs */
    setenv("HZ_KERNEL", "winopairs", 1);
    ck_assert(!accepted("n32,8,8,64 N64,3,3,64 N64", "o32,8,8,64", same, IN | OUT));   /* another one was asked for */
    unsetenv("HZ_KERNEL");
    hz_cpu_set_isa("avx2");
    ck_assert(!accepted("n32,8,8,64 N64,3,3,64 N64", "o32,8,8,64", same, IN | OUT));
}
END_TEST

int main(void)
{
    return RUN_SUITE("blocked", EACH(blocked_inputs_yield_the_same_bits, levels),
                     EACH(blocked_outputs_are_the_same_numbers, levels),
                     EACH(only_what_kernels_run_is_accepted, levels));
}

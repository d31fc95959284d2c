/* dnn_timer_test.c: the timer of plans, over the emulated card and what stands for cuDNN there: each plan runs as often
   as it says, over memory of its own that it gives back. */
#define _GNU_SOURCE
#include "cuda/dnn/dnn.h"
#include "cuda/runtime.h"
#include "suite.h"
#include <stdlib.h>

static const hz_core core = { .size = sizeof core, .fail = hz_fail };

static const struct { const char *key; int split; } timed[] = {
    { "conv-bf16-2x9x8x3-3x2x5-s2x3-p1.0.1.0", 0 }, { "dw-f32-2x9x8x3-3x2x5-s2x3-p1.0.1.0", 0 },
    { "conv+act-f32-2x9x8x3-3x2x5-s2x3-p1.0.1.0-bias+relu=0", 0 },
    { "conv+act-bf16-2x9x8x3-3x2x8-s2x3-p1.0.1.0-bias+gelu=0", 1 },
    { "dx+act+sums-bf16-2x9x8x3-3x2x5-s2x3-p1.0.1.0-relu=0", 0 },
    { "dx+act+sums-f32-2x9x8x3-3x2x5-s2x3-p1.0.1.0-leaky=0.5", 1 },
};

static size_t unused(void)
{
    size_t left, all;
    OK(runtime_room(&left, &all));
    return left;
}

START_TEST(a_plan_is_timed_and_nothing_stays)
{
    dnn_key k;
    dnn_timer timer;
    dnn_plan p = { .split = timed[_i].split, .workspace = 1000 };
    cuda_core = &core;
    OK(runtime_open(""));
    OK(dnn_key_read(timed[_i].key, &k));
    size_t before = unused();
    OK(dnn_clock_begin(&timer, &k));
    ck_assert_uint_eq(unused(), before);                 /* none is taken before it is asked */
    for (int i = 0; i < 2; i++) {
        double us = timer.time(timer.self, NULL, &k, &p, NULL);
        ck_assert_msg(us > 0 && us < 1e6, "%g us", us);
        ck_assert_uint_lt(unused(), before);
    }
    dnn_clock_end(&timer);
    OK(runtime_check("timer"));
    ck_assert_uint_eq(unused(), before);
}
END_TEST

START_TEST(a_plan_that_wants_too_much_does_not_run)
{
    dnn_key k;
    dnn_timer timer;
    dnn_plan huge = { .workspace = (int64_t)1 << 60 };
    cuda_core = &core;
    setenv("HZ_EMU_BYTES", "100000", 1);
    OK(runtime_open(""));
    OK(dnn_key_read(timed[0].key, &k));
    OK(dnn_clock_begin(&timer, &k));
    ck_assert_double_lt(timer.time(timer.self, NULL, &k, &huge, NULL), 0);
    dnn_clock_end(&timer);
    OK(dnn_key_read("dw-f32-2000x32x32x64-3x3x64-s1x1-p1.1.1.1", &k));
    OK(dnn_clock_begin(&timer, &k));
    ck_assert_double_eq(timer.time(timer.self, NULL, &k, &huge, NULL), 0);
    SAYS("emu: ");
    dnn_clock_end(&timer);
    ck_assert_uint_eq(unused(), 100000);
}
END_TEST

int main(void)
{
    return RUN_SUITE("the timer of plans", EACH(a_plan_is_timed_and_nothing_stays, timed),
                     ONCE(a_plan_that_wants_too_much_does_not_run));
}

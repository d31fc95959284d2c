/* rest_test.c: what a step leaves out while groups of parameters are at rest. */
#define _GNU_SOURCE
#include "planned.h"

/* One step of net(2), whose group 1 has rate 0. */
static hz_plan *stepped(uint32_t resting, hz_plan_options o)
{
    hz_plan *p = planned(net(2), o);
    hz_step s = step_of(BATCH);
    s.rates[1] = 0;
    s.resting = resting;
    OK(hz_plan_run(p, 0, -1, &s));
    return p;
}

static int is_zero(hz_plan *p, const char *name)
{
    const hz_graph *g = hz_plan_graph(p);
    hz_tensor *t = hz_plan_peek(p, hz_graph_gradient_of(g, hz_graph_find(g, name)), -1);
    const float *x = data(t);
    int zeros = 1;
    for (int64_t i = 0; i < hz_tensor_count(t); i++)
        zeros &= x[i] == 0;
    hz_tensor_free(t);
    return zeros;
}

START_TEST(what_only_parameters_at_rest_need_does_not_run)
{
    hz_plan_options o = { .train = 1, .keep = 1 };
    hz_plan *all = stepped(0, o), *some = stepped(2, o), *none = stepped(3, o);
    int one_by_one = !hz_backend_named(getenv("HZ_DEVICE") ? getenv("HZ_DEVICE") : "cpu")->together;
    ck_assert(!is_zero(all, "w") && !is_zero(all, "b") && !is_zero(all, "v"));
    if (one_by_one) {
        ck_assert(is_zero(some, "w") && is_zero(some, "b") && !is_zero(some, "v"));
        ck_assert(is_zero(none, "w") && is_zero(none, "b") && is_zero(none, "v"));
    }
    hz_tensor *start = noise(3, SHAPE(2, 3)), *v = value(all, "v", -1), *u = value(some, "v", -1);
    ck_assert(!memcmp(data(v), data(u), 24) && memcmp(data(v), data(start), 24));
    DROP(v, u);
    v = value(none, "v", -1);
    ck_assert(!one_by_one || !memcmp(data(v), data(start), 24));
    ck_assert(number(all, "loss.loss") == number(none, "loss.loss"));
    hz_step s = step_of(BATCH);                                /* awake again */
    OK(hz_plan_run(none, 0, -1, &s));
    ck_assert(!is_zero(none, "w") && memcmp(data(v), data(start), 24));
    DROP(v, start);
    hz_plan_free(all);
    hz_plan_free(some);
    hz_plan_free(none);
}
END_TEST

int main(void) { return RUN_SUITE("rest", ONCE(what_only_parameters_at_rest_need_does_not_run)); }

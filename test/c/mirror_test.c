/* mirror_test.c: tensors bound by plans on devices with memory of their own: what one side writes the others
   see, what did not change is not copied, and all of it is given back in any order. Beside "far" stands "tin"
   (test/devices), which counts. */
#define _GNU_SOURCE
#include "made.h"
#include <unistd.h>

enum { SLICES = 24, WIDE = 10, COUNT = SLICES * WIDE };

/* ---- plans that subtract from every second slice of a tensor of floats ---- */

typedef struct subtracting {
    hz_plan *plan;
    hz_tensor *by[SLICES];    /* what is subtracted, NULL from slices that are left alone */
} subtracting;

/* Slices first, first+2, first+4 ... */
static subtracting subtract(const char *device, const hz_tensor *t, int first)
{
    subtracting s = { 0 };
    hz_graph *g = hz_graph_new("net");
    for (int i = first; i < SLICES; i += 2) {
        char name[16];
        hz_tensor *slice = hz_tensor_slice(t, 0, i * WIDE, (i + 1) * WIDE, 1);
        s.by[i] = filled(HZ_F32, i, SHAPE(WIDE));
        snprintf(name, sizeof name, "p%d", i);
        int p = hz_graph_bind(g, name, slice, 0);
        name[0] = 'd';
        node(g, "sgd", "update", (hz_attr){ .optim = { 0 } }, p, hz_graph_bind(g, name, s.by[i], 0), -1);
        hz_tensor_free(slice);
    }
    s.plan = hz_plan_new(g, &(hz_plan_options){ .device = device });
    ck_assert_msg(s.plan != NULL, "%s", hz_message());
    return s;
}

static void run(subtracting *s, int from, int to)
{
    OK(hz_plan_run(s->plan, from, to, &(hz_step){ .count = 1, .rate = 1 }));
}

static void subtracting_free(subtracting *s)
{
    drop(SLICES, s->by);
    hz_plan_free(s->plan);
}

/* Through a view of the one element: what a view does not reach is not looked at. */
static double at(const hz_tensor *t, int i)
{
    hz_tensor *one = hz_tensor_select(t, 0, i);
    double v = hz_tensor_at(one, NULL);
    hz_tensor_free(one);
    return v;
}

static void put(const hz_tensor *t, int i, double v)
{
    hz_tensor *one = hz_tensor_select(t, 0, i);
    OK(hz_tensor_put(one, NULL, v));
    hz_tensor_free(one);
}

/* ---- cases ---- */

/* Anything may follow anything: the tensor is always what plain arithmetic says. */
START_TEST(all_sides_agree)
{
    static const char *const names[] = { "far", "tin", "cpu" };
    enum { DEVICES = 3 };
    uint64_t state = 1 + (uint64_t)_i;
    double truth[COUNT];
    hz_tensor *t = filled(HZ_F32, 1000, SHAPE(COUNT));
    subtracting s[DEVICES];
    for (int k = 0; k < DEVICES; k++)
        s[k] = subtract(names[k], t, (k + _i) % 2);
    for (int i = 0; i < COUNT; i++)
        truth[i] = 1000;
    for (int turn = 0; turn < 3000; turn++) {
        int what = pick(&state, 8), k = pick(&state, DEVICES), i = pick(&state, COUNT), first = (k + _i) % 2;
        int j = i + 1 + pick(&state, pick(&state, 4) ? WIDE : COUNT);
        j = j < COUNT ? j : COUNT;
        if (what < 3) {                                  /* some nodes of a plan run */
            int a = pick(&state, SLICES / 2), b = a + 1 + pick(&state, SLICES / 2 - a);
            run(&s[k], a, b);
            for (int n = a; n < b; n++)
                for (int e = 0; e < WIDE; e++)
                    truth[(first + 2 * n) * WIDE + e] -= first + 2 * n;
        } else if (what < 5) {
            ck_assert_msg(at(t, i) == truth[i], "turn %d: element %d is %g; needs %g", turn, i, at(t, i), truth[i]);
        } else if (what == 5) {
            put(t, i, turn);
            truth[i] = turn;
        } else {                                         /* a range, or every third element of it */
            hz_tensor *view = hz_tensor_slice(t, 0, i, j, what == 6 ? 1 : 3);
            OK(hz_tensor_fill(view, -turn));
            for (int e = i; e < j; e += what == 6 ? 1 : 3)
                truth[e] = -turn;
            hz_tensor_free(view);
        }
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_msg(at(t, i) == truth[i], "at the end element %d is %g; needs %g", i, at(t, i), truth[i]);
    for (int k = 0; k < DEVICES; k++)
        subtracting_free(&s[k]);
    hz_tensor_free(t);
}
END_TEST

static void need_copies(const char *text)
{
    ck_assert_str_eq(hz_backend_named("tin")->describe(), text);
}

START_TEST(only_what_changed_is_copied)
{
    hz_tensor *t = filled(HZ_F32, 7, SHAPE(COUNT));
    subtracting a = subtract("tin", t, 0), b = subtract("tin", t, 0);
    need_copies("tin: 0 in, 0 out");
    run(&a, 0, -1);
    need_copies("tin: 1440 in, 0 out");                  /* the tensor, and 12 of 10 floats to subtract */
    run(&a, 0, -1);
    need_copies("tin: 1440 in, 0 out");
    run(&b, 0, -1);                                      /* its own 12, not the tensor again */
    need_copies("tin: 1920 in, 0 out");
    ck_assert(at(t, 2 * WIDE) == 1 && at(t, 2 * WIDE) == 1);
    need_copies("tin: 1920 in, 4 out");                  /* an element, once */
    ck_assert(at(t, WIDE) == 7);                         /* no node writes that slice */
    need_copies("tin: 1920 in, 4 out");
    put(t, 5, 3);
    run(&a, 0, -1);
    need_copies("tin: 1924 in, 8 out");      /* what was there came out before it was written over in part */
    hz_tensor *all = filled(HZ_F32, 9, SHAPE(COUNT));
    OK(hz_tensor_copy(t, all));                          /* written over as a whole: nothing comes out */
    run(&a, 0, 1);
    need_copies("tin: 2884 in, 8 out");
    DROP(t, all);
    subtracting_free(&a);
    subtracting_free(&b);
}
END_TEST

START_TEST(frees_in_any_order)
{
    int64_t before = hz_live_bytes();
    for (int order = 0; order < 6; order++) {
        hz_tensor *t = filled(HZ_F32, 5, SHAPE(COUNT)), *view = hz_tensor_slice(t, 0, 3 * WIDE, 4 * WIDE, 1);
        int64_t alone = hz_live_bytes();
        subtracting a = subtract("far", t, 1), b = subtract("tin", t, 1);
        ck_assert_int_ge(hz_live_bytes(), alone + 2 * COUNT * 4);     /* mirrors count */
        run(&a, 0, -1);
        run(&b, 0, -1);
        run(&a, 0, -1);
        for (int k = 0; k < 3; k++)
            switch ((order + k * (order % 2 ? 1 : 2)) % 3) {
            case 0: subtracting_free(&a); break;
            case 1: subtracting_free(&b); break;
            default: hz_tensor_free(t);
            }
        ck_assert(at(view, 0) == 5 - 3 * 3);             /* the last that holds the storage sees what was computed */
        hz_tensor_free(view);
        ck_assert_int_eq(hz_live_bytes(), before);
    }
}
END_TEST

/* A peeked value outlives its plan, and what the host writes into an entry is there in the next run. */
START_TEST(views_of_the_arena)
{
    hz_graph *g = hz_graph_new("net");
    int x = hz_graph_entry(g, "x", HZ_F32, SHAPE(4, 3)), y = node(g, "act", "relu", ACT(HZ_RELU), x, -1, -1);
    OK(hz_graph_keep(g, y));
    hz_plan *p = hz_plan_new(g, &(hz_plan_options){ .device = "far" });
    ck_assert_msg(p != NULL, "%s", hz_message());
    hz_tensor *in = hz_plan_peek(p, x, -1), *out = hz_plan_peek(p, y, -1);
    ck_assert(hz_tensor_at(out, (int64_t[]){ 3, 2 }) == 0);           /* arenas start zeroed */
    hz_step s = { .count = 4 };
    for (int i = 1; i < 4; i++) {
        OK(hz_tensor_fill(in, i));
        OK(hz_tensor_put(in, (int64_t[]){ 1, 1 }, -i));
        OK(hz_plan_run(p, 0, -1, &s));
        ck_assert(hz_tensor_at(out, (int64_t[]){ 3, 2 }) == i && hz_tensor_at(out, (int64_t[]){ 1, 1 }) == 0);
    }
    hz_plan_free(p);
    ck_assert(hz_tensor_at(out, (int64_t[]){ 0, 0 }) == 3 && hz_tensor_at(in, (int64_t[]){ 1, 1 }) == -3);
    DROP(in, out);
}
END_TEST

int main(void)
{
    char devices[4096];
    ssize_t n = readlink("/proc/self/exe", devices, sizeof devices - 16);
    if (n < 0)
        return 1;
    devices[n] = 0;
    strcpy(strrchr(devices, '/'), "/devices");
    setenv("HZ_BACKEND_PATH", devices, 1);
    return RUN_SUITE("mirror", RANGE(all_sides_agree, 0, 8), ONCE(only_what_changed_is_copied),
                     ONCE(frees_in_any_order), ONCE(views_of_the_arena));
}

/* dnn_plans_test.c: every convolution of the networks is accepted by cuDNN for three cards that are described, some are
   built and read again, and what runs is chosen by a timer that is made up. Where cuDNN, or what it builds fused plans
   with, is not as it is known here, a case says so and passes. */
#define _GNU_SOURCE
#include "dnn_made.h"
#include <dlfcn.h>

enum { KNOWN = 91900 };                  /* the version for which all kinds of plans are known to build here */

/* ---- the library ---- */

START_TEST(a_library_that_does_not_serve_is_named)
{
    char old[4200];
    snprintf(old, sizeof old, "%s/old_cudnn.so", here);
    const char *file[] = { "/nowhere/libcudnn.so.9", "libm.so.6", old };
    const char *reason[] = { "cudnn: /nowhere/libcudnn.so.9: cannot open", "lacks cudnnGetVersion; needs cuDNN 9.8",
                             "old_cudnn.so' is version 90100; needs 90800 or later" };
    setenv("HZ_CUDNN", file[_i], 1);
    ck_assert_int_eq(dnn_load(), HZ_EDEVICE);
    SAYS(reason[_i]);
    ck_assert_msg(strstr(dnn_describe(), "no cuDNN ("), "%s", dnn_describe());
}
END_TEST

START_TEST(properties_that_are_none_are_refused)
{
    dnn_target t;
    if (!has_cudnn())
        return;
    ck_assert_int_eq(dnn_target_described(&t, "{\"deviceVer\":900}"), HZ_EFORMAT);
    SAYS("needs them all");
    ck_assert_int_eq(dnn_target_described(&t, "{\"deviceVer\":900,\"multiProcessorCount\":1,\"driverVer\":13000,"
                                              "\"reservedSharedMemoryPerBlock\":1024}"), HZ_EDEVICE);
    SAYS("cudnn: ");
    target_of("h200", &t);
    ck_assert_msg(!strncmp(t.name, "sm90-132-13000-1024-cudnn9", 26), "'%s'", t.name);
    dnn_target_end(&t);
}
END_TEST


/* cuDNN's libraries leave memory behind at the end: under a sanitizer leaks are looked for in dnn_files_test alone. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

/* ---- acceptance ---- */

/* For fused plans cuDNN asks for a driver: one that knows just enough. */
static void fake_driver(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/fake_libcuda/libcuda.so.1", here);
    ck_assert_msg(dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL, "%s", dlerror());
}

static const char *const cards[] = { "a100", "h200", "b200" };
static const char *const types[] = { "bf16", "f32", "tf32" };

typedef struct judge {
    dnn_target target;
    int type, seen, refused, fused;      /* type: of the keys that are looked at */
} judge;

static void propose(const char *line, void *self)
{
    judge *j = self;
    int whole = 0, alone = 0;
    dnn_plans none = { 0 };
    dnn_key k = key(line);
    if (k.type != (j->type == DNN_BF16 ? DNN_BF16 : DNN_F32))
        return;
    k.type = j->type;
    hz_status status = dnn_build(&j->target, &k, 0, 0, &none, &whole);
    if (dnn_key_fused(&k))
        status = dnn_build(&j->target, &k, 1, 0, &none, &alone);
    j->seen++;
    j->fused += dnn_key_fused(&k) && whole;
    if (status || !(whole + alone)) {
        printf("%s: %s: no plan%s%s\n", j->target.name, line, status ? ": " : "", status ? hz_message() : "");
        j->refused++;
    }
}

/* Row _i: card _i / 3, type _i % 3. */
START_TEST(every_convolution_is_accepted)
{
    judge j = { .type = _i % 3 == 0 ? DNN_BF16 : _i % 3 == 1 ? DNN_F32 : DNN_TF32 };
    if (!has_cudnn())
        return;
    fake_driver();
    target_of(cards[_i / 3], &j.target);
    each_key(propose, &j);
    printf("%s %s: %d convolutions, %d refused, %d as one plan with their activation\n", cards[_i / 3], types[_i % 3],
           j.seen, j.refused, j.fused);
    ck_assert_int_gt(j.seen, 40);
    ck_assert_int_eq(j.refused, 0);
    ck_assert(j.type != DNN_BF16 || j.fused > 20);
    dnn_target_end(&j.target);
}
END_TEST

/* What is fused, by function: which activations have plans of one piece, forward and backward. */
static const struct { const char *key; int whole; } fusions[] = {
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+relu=0", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+linear=0", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+elu=1", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+gelu=0", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+leaky=0.1", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-relu=0", 1 },
    { "conv+act-bf16-128x32x32x32-3x3x64-s1x1-p1.1.1.1-bias+scale=0.5", 0 },
    { "conv+act-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1-bias+relu=0", 1 },
    { "dx+act-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1-relu=0", 1 },
    { "dx+act-bf16-128x32x32x64-3x3x128-s1x1-p1.1.1.1-leaky=0.1", 1 },
    { "dx+act-bf16-128x32x32x64-3x3x128-s1x1-p1.1.1.1-elu=1", 0 },
    { "dx+act+sums-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1-relu=0", 1 },
    { "dx+act+sums-tf32-128x32x32x64-3x3x128-s1x1-p1.1.1.1-relu=0", 1 },
};

START_TEST(activations_are_fused)
{
    dnn_target t;
    dnn_plans none = { 0 };
    if (!has_cudnn())
        return;
    fake_driver();
    for (int c = 0; c < 3; c++) {
        int whole, alone;
        dnn_key k = key(fusions[_i].key);
        target_of(cards[c], &t);
        dnn_build(&t, &k, 0, 0, &none, &whole);
        OK(dnn_build(&t, &k, 1, 0, &none, &alone));
        ck_assert_msg(!whole == !fusions[_i].whole && alone > 0, "%s: %s: %d and %d", cards[c], fusions[_i].key, whole,
                      alone);
        dnn_target_end(&t);
    }
}
END_TEST

/* ---- building ---- */

static const char *const built[] = {
    "conv-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1", "dw-bf16-128x32x32x3-3x3x32-s1x1-p1.1.1.1",
    "dx-f32-128x16x16x128-3x3x128-s1x1-p1.1.1.1", "dw-f32-128x32x32x64-3x3x128-s2x2-p0.0.1.1",
    "conv+act-f32-128x32x32x3-3x3x32-s1x1-p1.1.1.1-bias+relu=0",
    "conv+act-bf16-128x32x32x3-3x3x32-s1x1-p1.1.1.1-bias+relu=0",
    "conv+act-bf16-50x96x173x1-3x3x32-s1x1-p0.0.0.0-bias+linear=0",
    "dx+act-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1-relu=0",
    "dx+act+sums-bf16-128x8x8x128-3x3x128-s1x1-p1.1.1.1-relu=0",
};

START_TEST(plans_are_built_written_and_read)
{
    dnn_target t;
    dnn_plans list = { 0 }, read;
    dnn_scope s = { 0 };
    int proposed;
    if (!has_cudnn())
        return;
    fake_driver();
    scratch_folder();
    target_of("h200", &t);
    dnn_key k = key(built[_i]);
    OK(dnn_build(&t, &k, 0, 1, &list, &proposed));
    if (!list.count && dnn.cudnnGetVersion() != KNOWN) {
        printf("skip  %s: cuDNN %zu builds it only on a card\n", built[_i], dnn.cudnnGetVersion());
        return;
    }
    ck_assert_msg(list.count == 1, "%d proposed: %s", proposed, hz_message());
    OK(dnn_cache_write(scratch, &t, &k, DNN_OFF, &list));
    OK(dnn_cache_read(scratch, &t, &k, DNN_OFF, &read));
    ck_assert_int_eq(read.plan[0].bytes, list.plan[0].bytes);
    dnn_descriptor plan;
    OK(dnn_plan_read(&s, &t, &read.plan[0], &plan));
    size_t bytes;
    char *again = dnn_text(&s, plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, &bytes);
    ck_assert_msg(again != NULL, "%s", hz_message());
    free(again);
    dnn_end(&s);
    dnn_plans_clear(&list);
    dnn_plans_clear(&read);
    dnn_target_end(&t);
}
END_TEST

/* A plan for one card is not read by another, whatever the file says. */
START_TEST(plans_are_for_one_card)
{
    dnn_target h200, a100;
    dnn_plans list = { 0 };
    dnn_scope s = { 0 };
    dnn_descriptor plan;
    int proposed;
    if (!has_cudnn())
        return;
    target_of("h200", &h200);
    target_of("a100", &a100);
    dnn_key k = key(built[0]);
    OK(dnn_build(&h200, &k, 0, 1, &list, &proposed));
    ck_assert_int_eq(dnn_plan_read(&s, &a100, &list.plan[0], &plan), HZ_EDEVICE);
    SAYS("cudnn: reading a plan: ");
    dnn_end(&s);
    dnn_plans_clear(&list);
    dnn_target_end(&h200);
    dnn_target_end(&a100);
}
END_TEST

/* ---- choosing ---- */

static const char SINGLE[] = "dw-bf16-128x32x32x64-3x3x128-s2x2-p0.0.1.1";
static const char PAIR[] = "conv+act-bf16-128x16x16x128-3x3x128-s1x1-p1.1.1.1-bias+scale=0.5";

/* Microseconds it will say, in order; below 0: does not run. */
typedef struct script {
    const double *us;
    int asked;
} script;

static double scripted(void *self, const dnn_target *t, const dnn_key *k, const dnn_plan *p, dnn_descriptor read)
{
    script *s = self;
    ck_assert(read != NULL);
    return s->us[s->asked++];
}

static dnn_plan choose(const dnn_target *t, const dnn_folders *f, int effort, const char *name, script *s)
{
    dnn_scope scope = { 0 };
    dnn_plan plan;
    dnn_descriptor read = NULL;
    dnn_timer timer = { .time = scripted, .self = s };
    dnn_key k = key(name);
    OK(dnn_choose(&scope, t, f, effort, &timer, &k, &plan, &read));
    ck_assert(read != NULL);
    dnn_end(&scope);
    free(plan.text);
    return plan;
}

/* What cuDNN proposes for the key, in its order. */
static dnn_plans proposals(const dnn_target *t, const char *name, int effort)
{
    dnn_plans list = { 0 };
    dnn_key k = key(name);
    OK(dnn_propose(t, &k, effort, &list));
    return list;
}

/* The one plan of a file is the i-th of list. */
static void keeps(const dnn_target *t, const char *folder, int effort, const char *name, const dnn_plans *list, int i)
{
    dnn_plans kept;
    dnn_key k = key(name);
    OK(dnn_cache_read(folder, t, &k, effort, &kept));
    ck_assert_int_eq(kept.count, 1);
    ck_assert_int_eq(kept.plan[0].split, list->plan[i].split);
    ck_assert_str_eq(kept.plan[0].text, list->plan[i].text);
    dnn_plans_clear(&kept);
}

/* A case over the H200's plans, in a folder of its own; 0: there is no cuDNN. */
static int begin(dnn_target *t, dnn_folders *f)
{
    static char packs[128];
    if (!has_cudnn())
        return 0;
    scratch_folder();
    target_of("h200", t);
    snprintf(packs, sizeof packs, "%s/packs", scratch);
    *f = (dnn_folders){ .own = scratch, .packs = packs };
    return 1;
}

START_TEST(the_quickest_is_chosen_and_kept)
{
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    dnn_plans list = proposals(&t, SINGLE, DNN_QUICK);
    ck_assert_int_eq(list.count, 3);
    script s = { .us = (const double[]){ 7, 5, 6 } };
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 5);
    ck_assert_int_eq(s.asked, 3);
    keeps(&t, scratch, DNN_QUICK, SINGLE, &list, 1);
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 5);      /* from its file: nothing is timed */
    ck_assert_double_eq(choose(&t, &f, DNN_OFF, SINGLE, &s).us, 5);
    ck_assert_int_eq(s.asked, 3);
    script more = { .us = (const double[]){ 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 4, 9, 9, 9, 9 } };
    ck_assert_double_eq(choose(&t, &f, DNN_FULL, SINGLE, &more).us, 4);    /* with more effort it begins anew */
    ck_assert_int_eq(more.asked, 16);
    dnn_plans_clear(&list);
}
END_TEST

START_TEST(what_does_not_run_is_not_chosen)
{
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    dnn_plans list = proposals(&t, SINGLE, DNN_QUICK);
    script s = { .us = (const double[]){ -1, 8, -1 } };
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 8);
    keeps(&t, scratch, DNN_QUICK, SINGLE, &list, 1);
    dnn_plans_clear(&list);

    dnn_scope scope = { 0 };
    dnn_plan plan;
    dnn_descriptor read;
    script none = { .us = (const double[]){ -1, -1, -1 } };
    dnn_timer timer = { .time = scripted, .self = &none };
    dnn_key k = key("dw-bf16-64x32x32x64-3x3x128-s2x2-p0.0.1.1");
    ck_assert_int_eq(dnn_choose(&scope, &t, &f, DNN_QUICK, &timer, &k, &plan, &read), HZ_ESTATE);
    SAYS("cudnn: no plan runs");
    ck_assert_int_eq(none.asked, 3);
}
END_TEST

START_TEST(without_effort_nothing_is_timed)
{
    dnn_target t;
    dnn_folders f;
    script s = { 0 };
    if (!begin(&t, &f))
        return;
    dnn_plans list = proposals(&t, SINGLE, DNN_OFF);
    ck_assert_int_eq(list.count, 1);
    ck_assert_double_eq(choose(&t, &f, DNN_OFF, SINGLE, &s).us, 0);
    ck_assert_int_eq(s.asked, 0);
    keeps(&t, scratch, DNN_OFF, SINGLE, &list, 0);
    dnn_plans_clear(&list);
}
END_TEST

/* scale has no plan of one piece: the product alone, and a kernel of our own. */
START_TEST(what_cudnn_cannot_fuse_is_split)
{
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    script s = { .us = (const double[]){ 3, 2, 1 } };
    dnn_plan p = choose(&t, &f, DNN_QUICK, PAIR, &s);
    ck_assert_int_eq(p.split, 1);
    ck_assert_int_eq(s.asked, 3);
    script off = { 0 };
    dnn_folders nowhere = { 0 };
    ck_assert_int_eq(choose(&t, &nowhere, DNN_OFF, PAIR, &off).split, 1);
}
END_TEST

/* Whole against split: the node is timed with all it runs, so the quicker way is kept. */
START_TEST(whole_and_split_plans_compete)
{
    static const char name[] = "conv+act-f32-128x16x16x128-3x3x128-s1x1-p1.1.1.1-bias+relu=0";
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    dnn_plans list = proposals(&t, name, DNN_QUICK);
    ck_assert_int_eq(list.count, 6);
    ck_assert(!list.plan[0].split && list.plan[3].split);
    script s = { .us = (const double[]){ 9, 8, 9, 7, 9, 9 } };
    ck_assert_int_eq(choose(&t, &f, DNN_QUICK, name, &s).split, 1);
    keeps(&t, scratch, DNN_QUICK, name, &list, 3);
    dnn_folders other = { .own = f.packs };
    script fused = { .us = (const double[]){ 9, 6, 9, 7, 9, 9 } };
    ck_assert_int_eq(choose(&t, &other, DNN_QUICK, name, &fused).split, 0);
    keeps(&t, f.packs, DNN_QUICK, name, &list, 1);
    dnn_plans_clear(&list);
}
END_TEST

START_TEST(packs_are_asked_before_cudnn)
{
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    dnn_key k = key(SINGLE);
    dnn_plans list = proposals(&t, SINGLE, DNN_FULL), pack = { .count = 2, .plan = { list.plan[9], list.plan[4] } };
    OK(dnn_cache_write(f.packs, &t, &k, DNN_QUICK, &pack));
    script s = { .us = (const double[]){ 6, 5 } };
    choose(&t, &f, DNN_QUICK, SINGLE, &s);
    ck_assert_int_eq(s.asked, 2);
    keeps(&t, scratch, DNN_QUICK, SINGLE, &list, 4);
    dnn_plans_clear(&list);
}
END_TEST

/* Files whose texts cuDNN does not take, and no file that can be written: plans are made anew each time. */
START_TEST(nothing_of_it_is_fatal)
{
    dnn_target t;
    dnn_folders f;
    if (!begin(&t, &f))
        return;
    dnn_key k = key(SINGLE);
    char text[] = "{\"no\": \"plan\"}";
    dnn_plans bad = { .count = 1, .plan = { { .text = text, .bytes = sizeof text - 1 } } };
    OK(dnn_cache_write(f.packs, &t, &k, DNN_QUICK, &bad));
    OK(dnn_cache_write(f.own, &t, &k, DNN_QUICK, &bad));
    script s = { .us = (const double[]){ 3, 2, 1, 3, 2, 1, 3, 2, 1 } };
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 1);
    ck_assert_int_eq(s.asked, 3);
    f.own = "/dev/null/plans";
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 1);
    f = (dnn_folders){ 0 };
    ck_assert_double_eq(choose(&t, &f, DNN_QUICK, SINGLE, &s).us, 1);
    ck_assert_int_eq(s.asked, 9);
}
END_TEST

int main(int argc, char **argv)
{
    made_begin(argv[0]);
    return RUN_SUITE("plans by cuDNN", RANGE(a_library_that_does_not_serve_is_named, 0, 3),
                     ONCE(properties_that_are_none_are_refused), RANGE(every_convolution_is_accepted, 0, 9),
                     EACH(activations_are_fused, fusions), EACH(plans_are_built_written_and_read, built),
                     ONCE(plans_are_for_one_card), ONCE(the_quickest_is_chosen_and_kept),
                     ONCE(what_does_not_run_is_not_chosen), ONCE(without_effort_nothing_is_timed),
                     ONCE(what_cudnn_cannot_fuse_is_split), ONCE(whole_and_split_plans_compete),
                     ONCE(packs_are_asked_before_cudnn), ONCE(nothing_of_it_is_fatal));
}

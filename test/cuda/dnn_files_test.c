/* dnn_files_test.c: keys of convolutions, and files of plans: cut, spoilt, in the wrong place, written by many. Nothing
   here needs cuDNN. */
#define _GNU_SOURCE
#include "dnn_made.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- keys ---- */

static void reads_back(const char *line, void *self)
{
    char text[DNN_KEYTEXT];
    dnn_key k = key(line);
    ck_assert_str_eq(dnn_key_text(&k, text), line);
}

START_TEST(keys_are_read_from_their_text)
{
    ck_assert_int_gt(each_key(reads_back, NULL), 100);
}
END_TEST

static const char *const no_keys[] = {
    "", "conv", "conv-bf16", "conv-f16-1x8x8x8-3x3x8-s1x1-p1.1.1.1", "pool-bf16-1x8x8x8-3x3x8-s1x1-p1.1.1.1",
    "conv-bf16-0x8x8x8-3x3x8-s1x1-p1.1.1.1", "conv-bf16-1x8x8x8-3x3x8-s0x1-p1.1.1.1",
    "conv-bf16-1x8x8x8-3x3x8-s1x1-p1.1.1", "conv-bf16-1x8x8x8-3x3x8-s1x1-p-1.1.1.1",
    "conv-bf16-1x2x2x8-3x3x8-s1x1-p0.0.0.0", "conv-bf16-1x8x8x8-3x3x8-s1x1-p1.1.1.1-bias+relu=0",
    "conv+act-bf16-1x8x8x8-3x3x8-s1x1-p1.1.1.1", "conv+act-bf16-1x8x8x8-3x3x8-s1x1-p1.1.1.1-bias+swish=0",
    "conv+act-bf16-99999999999x8x8x8-3x3x8-s1x1-p1.1.1.1-relu=0",
};

START_TEST(other_texts_are_no_keys)
{
    dnn_key k;
    ck_assert_msg(dnn_key_read(no_keys[_i], &k) == HZ_EFORMAT, "'%s'", no_keys[_i]);
    SAYS("cudnn: '");
}
END_TEST

static hz_arg image(int64_t n, int64_t h, int64_t w, int64_t c)
{
    static char some[64];
    return (hz_arg){ .data = some, .dtype = HZ_BF16, .ndim = 4, .shape = { n, h, w, c } };
}

static const struct { int op, act, tf32, dtype; float alpha; const char *key; int sums; } works[] = {
    { OP_conv2d, HZ_RELU, 0, HZ_BF16, 7, "conv+act-bf16-4x9x8x3-3x2x5-s2x3-p1.0.1.0-bias+relu=0", 0 },
    { OP_conv2d, HZ_ELU, 1, HZ_F32, 0.5f, "conv+act-tf32-4x9x8x3-3x2x5-s2x3-p1.0.1.0-bias+elu=0.5", 0 },
    { OP_conv2d_dx, HZ_LINEAR, 0, HZ_F32, 0, "dx-f32-4x9x8x3-3x2x5-s2x3-p1.0.1.0", 0 },
    { OP_conv2d_dx, HZ_LEAKY, 1, HZ_BF16, 0.25f, "dx+act-bf16-4x9x8x3-3x2x5-s2x3-p1.0.1.0-leaky=0.25", 0 },
    { OP_conv2d_dx, HZ_RELU, 0, HZ_BF16, 0, "dx+act+sums-bf16-4x9x8x3-3x2x5-s2x3-p1.0.1.0-relu=0", 1 },
    { OP_conv2d_dx, HZ_LINEAR, 0, HZ_BF16, 0, "dx-bf16-4x9x8x3-3x2x5-s2x3-p1.0.1.0", 1 },
    { OP_conv2d_dw, HZ_LINEAR, 0, HZ_BF16, 0, "dw-bf16-4x9x8x3-3x2x5-s2x3-p1.0.1.0", 0 },
};

START_TEST(a_node_has_the_key_of_what_it_computes)
{
    char text[DNN_KEYTEXT];
    hz_arg x = image(4, 9, 8, 3), y = image(4, 5, 3, 5), weights = image(5, 3, 2, 3), bias = image(5, 1, 1, 1);
    x.dtype = y.dtype = works[_i].dtype;
    hz_work w = { .op = works[_i].op, .tf32 = works[_i].tf32,
                  .attr.window = { .kh = 3, .kw = 2, .sh = 2, .sw = 3, .act = works[_i].act,
                                   .alpha = works[_i].alpha } };
    w.in[0] = w.op == OP_conv2d_dx ? y : x;
    w.in[1] = w.op == OP_conv2d_dw ? y : weights;
    w.in[2] = bias;
    w.out[0] = w.op == OP_conv2d ? y : w.op == OP_conv2d_dx ? x : weights;
    w.nin = w.op == OP_conv2d_dw ? 2 : 3;
    dnn_key k = dnn_key_of(&w, works[_i].sums);
    ck_assert_str_eq(dnn_key_text(&k, text), works[_i].key);
    ck_assert_int_eq(k.oh, 5);
    ck_assert_int_eq(k.ow, 3);
    dnn_key again = key(text);
    ck_assert_int_eq(again.oh, 5);
    ck_assert_int_eq(again.ow, 3);
}
END_TEST

/* ---- files ---- */

static const char SOME_KEY[] = "dw-bf16-128x16x16x128-3x3x128-s1x1-p1.1.1.1";

/* Two plans that cuDNN did not make. */
static dnn_plans made_up(const char *first, const char *second)
{
    dnn_plans list = { .count = second ? 2 : 1 };
    list.plan[0] = (dnn_plan){ .text = strdup(first), .bytes = strlen(first), .engine = 3, .split = 1, .us = 1.5 };
    if (second)
        list.plan[1] = (dnn_plan){ .text = strdup(second), .bytes = strlen(second), .engine = 4 };
    return list;
}

static const dnn_target somewhere = { .name = "sm90-132-13000-1024-cudnn91900" };

static const char *file_of(const dnn_target *t, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s/%s.plan", scratch, t->name, name);
    return path;
}

START_TEST(plans_are_kept)
{
    scratch_folder();
    dnn_key k = key(SOME_KEY), other = key("dw-bf16-64x16x16x128-3x3x128-s1x1-p1.1.1.1");
    dnn_target newer = { .name = "sm90-132-13000-1024-cudnn92000" };
    dnn_plans list = made_up("{\"a\": 1}\n}", "{}"), read;
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_QUICK, &list));
    OK(dnn_cache_read(scratch, &somewhere, &k, DNN_QUICK, &read));
    ck_assert_int_eq(read.count, 2);
    ck_assert_str_eq(read.plan[0].text, "{\"a\": 1}\n}");
    ck_assert_int_eq(read.plan[0].split, 1);
    ck_assert_int_eq(read.plan[1].engine, 4);
    ck_assert_double_eq(read.plan[0].us, 1.5);
    dnn_plans_clear(&read);
    OK(dnn_cache_read(scratch, &somewhere, &k, DNN_OFF, &read));
    dnn_plans_clear(&read);
    ck_assert_int_eq(dnn_cache_read(scratch, &somewhere, &k, DNN_FULL, &read), HZ_ESTATE);
    SAYS("were found with effort 'quick'; needs 'full'");
    ck_assert_int_eq(dnn_cache_read(scratch, &newer, &k, DNN_OFF, &read), HZ_ESTATE);
    ck_assert_int_eq(dnn_cache_read(scratch, &somewhere, &other, DNN_OFF, &read), HZ_ESTATE);
    ck_assert_int_eq(dnn_cache_read(NULL, &somewhere, &k, DNN_OFF, &read), HZ_ESTATE);
    ck_assert_int_eq(read.count, 0);
    dnn_plans_clear(&list);
}
END_TEST

/* A file that says of itself that it is for another target or key is not believed, wherever it lies. */
START_TEST(a_file_in_the_wrong_place_is_refused)
{
    scratch_folder();
    char from[512], to[512];
    dnn_key k = key(SOME_KEY), other = key("dw-bf16-64x16x16x128-3x3x128-s1x1-p1.1.1.1");
    dnn_target newer = { .name = "sm90-132-13000-1024-cudnn92000" };
    dnn_plans list = made_up("{}", NULL), read;
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_QUICK, &list));
    strcpy(from, file_of(&somewhere, SOME_KEY));
    OK(dnn_cache_write(scratch, &newer, &k, DNN_QUICK, &list));
    strcpy(to, file_of(&newer, SOME_KEY));
    ck_assert(!unlink(to) && !link(from, to));
    ck_assert_int_eq(dnn_cache_read(scratch, &newer, &k, DNN_OFF, &read), HZ_ESTATE);
    SAYS("are spoilt or of another target");
    strcpy(to, file_of(&somewhere, "dw-bf16-64x16x16x128-3x3x128-s1x1-p1.1.1.1"));
    ck_assert(!link(from, to));
    ck_assert_int_eq(dnn_cache_read(scratch, &somewhere, &other, DNN_OFF, &read), HZ_ESTATE);
    dnn_plans_clear(&list);
}
END_TEST

static size_t slurp(const char *path, char *to, size_t room)
{
    FILE *f = fopen(path, "rb");
    ck_assert(f != NULL);
    size_t n = fread(to, 1, room, f);
    fclose(f);
    return n;
}

static void spill(const char *path, const char *from, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(from, 1, n, f) == n && !fclose(f));
}

/* Cut anywhere, or with a byte changed, a file gives no plan, or (a blank, a time) those that were written. */
START_TEST(a_spoilt_file_gives_no_plan)
{
    static char good[1024], bad[1024];
    scratch_folder();
    dnn_key k = key(SOME_KEY);
    dnn_plans list = made_up("{\"first\": 12345}", "{\"second\": [1,2]}"), read;
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_FULL, &list));
    const char *path = file_of(&somewhere, SOME_KEY);
    size_t n = slurp(path, good, sizeof good);
    for (size_t i = 0; i < n; i++) {
        spill(path, good, i);
        ck_assert_msg(dnn_cache_read(scratch, &somewhere, &k, DNN_FULL, &read), "cut at %zu", i);
        memcpy(bad, good, n);
        bad[i] ^= 1;
        spill(path, bad, n);
        if (dnn_cache_read(scratch, &somewhere, &k, DNN_FULL, &read))
            continue;
        for (int p = 0; p < read.count; p++)
            ck_assert_msg(!strcmp(read.plan[p].text, list.plan[p].text) && read.plan[p].split == list.plan[p].split,
                          "byte %zu", i);
        dnn_plans_clear(&read);
    }
    dnn_plans_clear(&list);
}
END_TEST

START_TEST(a_folder_that_takes_nothing_is_no_failure_but_said)
{
    dnn_key k = key(SOME_KEY);
    dnn_plans list = made_up("{}", NULL);
    ck_assert_int_eq(dnn_cache_write("/dev/null/plans", &somewhere, &k, DNN_OFF, &list), HZ_EIO);
    SAYS("cannot be written: Not a directory");
    dnn_plans_clear(&list);
}
END_TEST

static int files_in(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    ck_assert(d != NULL);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Writes plans of its own again and again; each it reads meanwhile must be whole. */
static int one_of_many(int number)
{
    static char text[60000];
    memset(text, 'a' + number, sizeof text - 1);
    dnn_key k = key(SOME_KEY);
    for (int i = 0; i < 100; i++) {
        dnn_plans list = made_up(text, NULL), read;
        if (dnn_cache_write(scratch, &somewhere, &k, i % DNN_EFFORTS, &list) ||
            dnn_cache_read(scratch, &somewhere, &k, DNN_OFF, &read) || read.plan[0].bytes != sizeof text - 1)
            return 1;
        dnn_plans_clear(&list);
        dnn_plans_clear(&read);
    }
    return 0;
}

START_TEST(processes_write_at_once)
{
    enum { MANY = 6 };
    char folder[256];
    scratch_folder();
    for (int i = 0; i < MANY; i++) {
        pid_t child = fork();
        ck_assert(child >= 0);
        if (!child)
            _exit(one_of_many(i));
    }
    for (int i = 0; i < MANY; i++) {
        int status;
        ck_assert(wait(&status) > 0);
        ck_assert_int_eq(status, 0);
    }
    snprintf(folder, sizeof folder, "%s/%s", scratch, somewhere.name);
    ck_assert_int_eq(files_in(folder), 1);
}
END_TEST

START_TEST(who_was_first_stays_unless_with_less_effort)
{
    scratch_folder();
    dnn_key k = key(SOME_KEY);
    dnn_plans a = made_up("{\"a\":1}", NULL), b = made_up("{\"b\":1}", NULL), read;
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_QUICK, &a));
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_QUICK, &b));
    OK(dnn_cache_read(scratch, &somewhere, &k, DNN_OFF, &read));
    ck_assert_str_eq(read.plan[0].text, "{\"a\":1}");
    dnn_plans_clear(&read);
    OK(dnn_cache_write(scratch, &somewhere, &k, DNN_FULL, &b));
    OK(dnn_cache_read(scratch, &somewhere, &k, DNN_OFF, &read));
    ck_assert_str_eq(read.plan[0].text, "{\"b\":1}");
    dnn_plans_clear(&read);
    dnn_plans_clear(&a);
    dnn_plans_clear(&b);
}
END_TEST

START_TEST(the_environment_says_where_plans_lie)
{
    setenv("HZ_PLANS", "/a", 1);
    setenv("XDG_CACHE_HOME", "/b", 1);
    setenv("HOME", "/c", 1);
    ck_assert_str_eq(dnn_folders_usual().own, "/a");
    unsetenv("HZ_PLANS");
    ck_assert_str_eq(dnn_folders_usual().own, "/b/hz/plans");
    setenv("XDG_CACHE_HOME", "relative", 1);
    ck_assert_str_eq(dnn_folders_usual().own, "/c/.cache/hz/plans");
    unsetenv("HOME");
    ck_assert(!dnn_folders_usual().own);
    ck_assert(strstr(dnn_folders_usual().packs, "/packs"));
    unsetenv("HZ_CUDNN_TUNE");
    ck_assert_int_eq(dnn_effort_wanted(), DNN_QUICK);
    setenv("HZ_CUDNN_TUNE", "full", 1);
    ck_assert_int_eq(dnn_effort_wanted(), DNN_FULL);
    setenv("HZ_CUDNN_TUNE", "off", 1);
    ck_assert_int_eq(dnn_effort_wanted(), DNN_OFF);
}
END_TEST

int main(int argc, char **argv)
{
    made_begin(argv[0]);
    return RUN_SUITE("plans in files", ONCE(keys_are_read_from_their_text), EACH(other_texts_are_no_keys, no_keys),
                     EACH(a_node_has_the_key_of_what_it_computes, works), ONCE(plans_are_kept),
                     ONCE(a_file_in_the_wrong_place_is_refused), ONCE(a_spoilt_file_gives_no_plan),
                     ONCE(a_folder_that_takes_nothing_is_no_failure_but_said), ONCE(processes_write_at_once),
                     ONCE(who_was_first_stays_unless_with_less_effort), ONCE(the_environment_says_where_plans_lie));
}

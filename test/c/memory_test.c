/* memory_test.c: the n-th allocation fails, for n = 1, 2, 3 ... until the work succeeds (as Lua's own tests do). Each
   failure must be a message and a status, leave nothing behind, and work when tried again. This program's allocator
   stands before the system's, so the library calls it. Not under sanitizers: they have an allocator of their own. */
#define _GNU_SOURCE
#include "made.h"
#include <errno.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || !defined __GLIBC__
int main(void) { return puts("100%: Checks: 0, Failures: 0, Errors: 0") < 0; }
#else

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *p);

static _Thread_local long countdown;      /* 0: nothing fails; n: the n-th from now does, once */
static _Thread_local long living;         /* blocks, while counting */
static _Thread_local int counting;

static int fails(void) { return countdown && --countdown == 0; }
static void *counted(void *p)
{
    living += counting && p;
    if (!p)
        errno = ENOMEM;
    return p;
}
#pragma GCC visibility push(default)
void *malloc(size_t bytes) { return counted(fails() ? NULL : __libc_malloc(bytes)); }
void *calloc(size_t n, size_t bytes) { return counted(fails() ? NULL : __libc_calloc(n, bytes)); }
void *aligned_alloc(size_t align, size_t bytes) { return counted(fails() ? NULL : __libc_memalign(align, bytes)); }
void *realloc(void *p, size_t bytes)
{
    if (!p)
        return malloc(bytes);
    return fails() ? NULL : __libc_realloc(p, bytes);
}
void free(void *p)
{
    living -= counting && p;
    __libc_free(p);
}
#pragma GCC visibility pop

/* ---- pieces of work: 0 when they succeeded ---- */

#define TRY(call) do { if (!(call)) goto end; } while (0)

static int tensors(void)
{
    int done = 0;
    hz_tensor *a = NULL, *view = NULL, *flat = NULL, *wide = NULL, *out = NULL;
    TRY(a = hz_tensor_new(HZ_F32, SHAPE(4, 6)));
    TRY(view = hz_tensor_permute(a, (int32_t[]){ 1, 0 }));
    TRY(flat = hz_tensor_reshape(view, SHAPE(24)));
    TRY(wide = hz_tensor_expand(view, SHAPE(2, 6, 4)));
    TRY(out = hz_tensor_new(HZ_F64, SHAPE(2, 6, 4)));
    TRY(!hz_tensor_copy(out, view));
    TRY(!hz_tensor_binary("add", out, wide, a) || strstr(hz_message(), "extent"));    /* shapes that do not fit, too */
    TRY(!hz_tensor_binary("mul", out, wide, view));
    done = 1;
end:
    DROP(a, view, flat, wide, out);
    return !done;
}

static int a_node(hz_graph *g, const char *op, hz_attr attr, int a, int b, int c)
{
    int32_t in[] = { a, b, c };
    return a < 0 ? -1 : hz_graph_add(g, op, op, &attr, in, c >= 0 ? 3 : b >= 0 ? 2 : 1);
}

static int bind_new(hz_graph *g, const char *name, int dtype, int ndim, const int64_t *shape)
{
    hz_tensor *t = hz_tensor_new(dtype, ndim, shape);
    int v = t ? hz_graph_bind(g, name, t, 1) : -1;
    hz_tensor_free(t);
    return v;
}

/* Ends with the loss's value, -1 when an allocation failed. */
static int describe(hz_graph *g, int32_t *parameters)
{
    int x = hz_graph_entry(g, "x", HZ_F32, SHAPE(3, 8, 8, 16)), labels = hz_graph_entry(g, "labels", HZ_I32, SHAPE(3));
    int w = bind_new(g, "w", HZ_F32, SHAPE(32, 3, 3, 16));
    int b = bind_new(g, "b", HZ_F32, SHAPE(32)), v = bind_new(g, "v", HZ_F32, SHAPE(5, 512));
    parameters[0] = w, parameters[1] = b, parameters[2] = v;
    if (x < 0 || labels < 0 || w < 0 || b < 0 || v < 0)
        return -1;
    int y = a_node(g, "conv2d", WINDOW(3, 1, HZ_SAME), x, w, b);
    y = a_node(g, "act", ACT(HZ_RELU), y, -1, -1);
    y = a_node(g, "maxpool", WINDOW(2, 2, HZ_VALID), y, -1, -1);
    y = a_node(g, "flatten", NONE, y, -1, -1);
    y = a_node(g, "dense", NONE, y, v, -1);
    return a_node(g, "xent", NONE, y, labels, -1);
}

/* Every kernel of every node, tried and then taken. */
static int kernels(hz_plan *plan)
{
    hz_trial trial[HZ_TRIALS];
    for (int i = 0; i < hz_plan_nodes(plan); i++) {
        int n = hz_plan_trials(plan, i, 1, trial);
        if (n < 0)
            return 0;
        for (int k = 0; n > 1 && k < n; k++)
            if (hz_plan_use(plan, i, trial[k].kernel))
                return 0;
    }
    return 1;
}

static int training_step(void)
{
    int32_t p[3];
    hz_plan *plan = NULL;
    hz_step s = { .count = 3, .rate = 0.1f, .version = 1 };
    int done = 0;
    hz_graph *g = hz_graph_new("net");
    TRY(g);
    int loss = describe(g, p);
    TRY(loss >= 0 && !hz_graph_keep(g, loss) && !hz_graph_grad(g, loss, -1, 0));
    for (int i = 0; i < 3; i++)
        TRY(a_node(g, "sgd", NONE, p[i], hz_graph_gradient_of(g, p[i]), -1) >= 0);
    plan = hz_plan_new(g, &(hz_plan_options){ .train = 1 });
    g = NULL;                                   /* taken */
    TRY(plan && kernels(plan) && !hz_plan_run(plan, 0, -1, &s) && !hz_plan_run(plan, 0, -1, &s));
    done = 1;
end:
    hz_plan_free(plan);
    hz_graph_free(g);
    return !done;
}

/* ---- the question ---- */

static void ask(const char *who, int (*work)(void))
{
    /* threads and tables are made now */
    ck_assert_msg(!work(), "%s: fails without a failing allocation: %s", who, hz_message());
    int64_t before = hz_live_bytes();
    long n = 0;
    for (int failed = 1; failed; ) {
        n++;
        hz_fail(HZ_OK, "%s", "");
        living = 0;
        counting = 1;
        countdown = n;
        failed = work();
        long left = countdown;
        countdown = counting = 0;
        ck_assert_msg(failed || left > 0 || n > 1, "%s: allocation %ld failed and nobody noticed", who, n);
        ck_assert_msg(!failed || strstr(hz_message(), "memory"), "%s: allocation %ld failed: message '%s'", who, n,
                      hz_message());
        ck_assert_msg(hz_live_bytes() == before, "%s: allocation %ld: %lld bytes left behind", who, n,
                      (long long)(hz_live_bytes() - before));
        ck_assert_msg(living == 0, "%s: allocation %ld: %ld blocks left behind", who, n, living);
        ck_assert_msg(n < 2000, "%s never succeeds", who);
        if (!failed && left <= 0)
            failed = 1;                         /* survived (fusion may do without): the next one */
    }
    ck_assert_msg(n > 5, "%s: only %ld allocations were seen", who, n - 1);
}

START_TEST(tensors_survive) { ask("tensors", tensors); }
END_TEST
START_TEST(training_survives) { ask("training step", training_step); }
END_TEST

int main(void)
{
    return RUN_SUITE("memory", ONCE(tensors_survive), ONCE(training_survives));
}
#endif

/* plan_test.c: the life of a plan: made of a graph it takes, run in part and in whole, looked into, freed in any
   order. HZ_DEVICE names the device of plans that do not say theirs. */
#define _GNU_SOURCE
#include "planned.h"

START_TEST(a_run_in_parts_is_the_whole_run)
{
    hz_plan *a = planned(net(1), (hz_plan_options){ .train = 1 });
    hz_plan *b = planned(net(1), (hz_plan_options){ .train = 1 });
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(a, 0, -1, &s));
    for (int i = 0; i < hz_plan_nodes(b); i++)
        OK(hz_plan_run(b, i, i + 1, &s));
    ck_assert(number(a, "loss.loss") == number(b, "loss.loss") && number(a, "loss.loss") > 0);
    hz_tensor *v = value(a, "v", -1), *w = value(b, "v", -1), *start = noise(3, SHAPE(2, 3));
    ck_assert(!memcmp(data(v), data(w), 24) && memcmp(data(v), start->data, 24));
    ck_assert(hz_plan_run(a, 0, 999, &s) == HZ_EARG && hz_plan_run(a, 3, 2, &s) == HZ_EARG);
    ck_assert(hz_plan_run(a, -1, 2, &s) == HZ_EARG);
    s.count = 0;
    ck_assert(hz_plan_run(a, 0, -1, &s) == HZ_EARG);
    s.count = BATCH + 1;
    ck_assert(hz_plan_run(a, 0, -1, &s) == HZ_EARG);
    SAYS("5 rows were asked for; the plan's batch is 4");
    DROP(v, w, start);
    hz_plan_free(a);
    hz_plan_free(b);
}
END_TEST

START_TEST(peeking)
{
    hz_plan *p = planned(net(0), (hz_plan_options){ 0 }), *kept = planned(net(0), (hz_plan_options){ .keep = 1 });
    hz_step s = step_of(2);
    OK(hz_plan_run(p, 0, -1, &s));
    OK(hz_plan_run(kept, 0, -1, &s));
    hz_tensor *t = value(p, "two.y", 2);
    ck_assert(t->shape[0] == 2 && t->shape[1] == 2);
    hz_tensor_free(t);
    t = value(p, "w", -1);                              /* a bound value is the caller's own tensor */
    ck_assert(t->shape[0] == 3 && hz_plan_offset(p, hz_graph_find(hz_plan_graph(p), "w")) == -1);
    hz_tensor_free(t);
    int mid = hz_graph_find(hz_plan_graph(p), "one.y");
    ck_assert(!hz_plan_peek(p, mid, -1));
    SAYS("'one.y' was fused away");
    ck_assert(!hz_plan_peek(p, -1, -1) && !hz_plan_peek(p, 999, -1));
    hz_tensor *pre = value(kept, "one.y", 2), *post = value(kept, "relu.y", 2);
    for (int64_t i = 0; i < 6; i++) {
        double a = hz_tensor_at(pre, (int64_t[]){ i / 3, i % 3 }), b = hz_tensor_at(post, (int64_t[]){ i / 3, i % 3 });
        ck_assert(b == (a > 0 ? a : 0));
    }
    hz_plan_free(kept);
    ck_assert(hz_tensor_at(post, (int64_t[]){ 0, 0 }) >= 0);      /* a peeked tensor keeps the arena alive */
    DROP(pre, post);
    hz_plan_free(p);
}
END_TEST

START_TEST(everything_is_given_back)
{
    int64_t before = hz_live_bytes();
    hz_plan *p = planned(net(1), (hz_plan_options){ .train = 1 });
    ck_assert(hz_live_bytes() >= before + hz_plan_arena_bytes(p));
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(p, 0, -1, &s));
    int64_t during = hz_live_bytes();
    for (int i = 0; i < 10; i++)
        OK(hz_plan_run(p, 0, -1, &s));
    ck_assert(hz_live_bytes() == during);               /* a step allocates nothing */
    hz_plan_free(p);
    ck_assert(hz_live_bytes() == before);
    ck_assert(!hz_plan_new(net(1), &(hz_plan_options){ .device = "tpu" }));     /* the graph is taken on failure, too */
    SAYS("device: 'tpu' is not known");
    ck_assert(hz_live_bytes() == before);
    hz_plan_free(NULL);
}
END_TEST

START_TEST(statistics_name_kernels)
{
    hz_plan *p = planned(net(0), (hz_plan_options){ 0 });
    hz_step s = step_of(BATCH);
    hz_node_stat stat;
    hz_plan_timed(p, 1);
    OK(hz_plan_run(p, 0, -1, &s));
    OK(hz_plan_stat(p, 0, &stat));
    ck_assert(stat.kernel && stat.flops == 2.0 * BATCH * 3 * 5);
    OK(hz_plan_stat(p, 1, &stat));
    ck_assert_str_eq(stat.kernel, "fused");
    ck_assert(hz_plan_stat(p, 99, &stat) == HZ_EARG && hz_plan_stat(p, -1, &stat) == HZ_EARG);
    hz_plan_free(p);
}
END_TEST

static const hz_node *node_of(const hz_plan *p, const char *op)
{
    for (int i = 0; i < hz_plan_nodes(p); i++)
        if (hz_graph_node(hz_plan_graph(p), i)->op == hz_op_named(op))
            return hz_graph_node(hz_plan_graph(p), i);
    return NULL;
}

START_TEST(the_gradient_of_an_activation_joins_the_node_before)
{
    hz_plan *a = planned(net(1), (hz_plan_options){ .train = 1 });
    hz_plan *b = planned(net(1), (hz_plan_options){ .train = 1, .no_fuse = 1 });
    hz_step s = step_of(BATCH);
    const hz_node *dx = node_of(a, "dense_dx"), *grad = node_of(a, "act_grad");
    ck_assert(dx->nin == 3 && dx->attr.act.act == HZ_RELU && grad->dead);
    ck_assert_str_eq(hz_graph_value(hz_plan_graph(a), dx->in[2])->name, "relu.y");
    ck_assert(node_of(b, "dense_dx")->nin == 2 && !node_of(b, "act_grad")->dead);
    OK(hz_plan_run(a, 0, -1, &s));
    OK(hz_plan_run(b, 0, -1, &s));
    hz_tensor *v = value(a, "w", -1), *w = value(b, "w", -1);
    ck_assert(!memcmp(data(v), data(w), 3 * 5 * sizeof(float)));
    DROP(v, w);
    hz_plan_free(a);
    hz_plan_free(b);

    hz_graph *g = net(1);                               /* somebody else reads what lies between */
    OK(hz_graph_keep(g, hz_graph_gradient_of(g, hz_graph_find(g, "relu.y"))));
    a = planned(g, (hz_plan_options){ .train = 1 });
    ck_assert(node_of(a, "dense_dx")->nin == 2 && !node_of(a, "act_grad")->dead);
    hz_plan_free(a);
}
END_TEST

/* A 3x3 convolution of 16 channels whose one tail is this op; its inputs and outputs are of shapes that fit any. */
static hz_work with_tail(int op, hz_attr attr)
{
    static float memory;
    hz_arg image = { .data = &memory, .dtype = HZ_F32, .ndim = 4, .shape = { 2, 16, 16, 16 } };
    hz_arg other = { .data = &memory, .dtype = HZ_F32, .ndim = 4, .shape = { 2, 8, 8, 16 } };
    if (hz_tail_keeps(op))
        other.shape[1] = other.shape[2] = 32;
    hz_arg weights = { .data = &memory, .dtype = HZ_F32, .ndim = 4, .shape = { 16, 3, 3, 16 }, .kind = HZ_BOUND };
    hz_work w = { .op = hz_op_named("conv2d"), .nout = 3, .name = "c", .attr = WINDOW(3, 1, HZ_SAME), .tails = 1,
                  .in = { image, weights }, .out = { image, other, other } };
    w.tail[0] = (hz_tail){ .op = op, .in = 3, .out = 1, .attr = attr };
    for (w.nin = 3; w.nin < HZ_MAXIN; w.nin++)
        w.in[w.nin] = image;
    return w;
}

/* What op.def calls a tail the CPU runs as one, and nothing else; wino runs all tails. */
START_TEST(every_tail_of_the_table_runs_on_the_cpu)
{
    const hz_backend *cpu = hz_backend_named("cpu");
    setenv("HZ_KERNEL", "wino", 1);
    for (int op = 0; op < hz_op_count(); op++)
        for (int frozen = 0; frozen < 2; frozen++) {
            hz_attr attr = { .norm = { .frozen = frozen } };
            if (op == hz_op_named("norm_act_grad"))
                attr.norm.epilogue.act = HZ_GELU;
            hz_tail_kind kind = hz_tail_kind_of(op, &attr);
            hz_work w = with_tail(op, kind == HZ_TAIL_OWN ? WINDOW(2, 2, HZ_SAME) : attr);
            ck_assert_msg(cpu->accepts(&w) == (kind != HZ_TAIL_NONE), "%s, frozen %d", hz_op_name(op), frozen);
        }
    unsetenv("HZ_KERNEL");
}
END_TEST

/* x (BATCH,3) -> norm -> dense -> xent. */
static hz_graph *normed(hz_tensor *mean, hz_tensor *variance)
{
    hz_graph *g = hz_graph_new("normed");
    int x = hz_graph_entry(g, "x", HZ_F32, SHAPE(BATCH, 3)), labels = hz_graph_entry(g, "labels", HZ_I32, SHAPE(BATCH));
    int gamma = bound(g, "gamma", filled(HZ_F32, 1, SHAPE(3)), 1);
    int beta = bound(g, "beta", filled(HZ_F32, 0, SHAPE(3)), 1);
    int32_t in[] = { x, gamma, beta, hz_graph_bind(g, "mean", mean, 0), hz_graph_bind(g, "variance", variance, 0) };
    hz_attr attr = { .norm = { .epsilon = 1e-3f, .momentum = 0.75f } }, frozen = attr;
    frozen.norm.frozen = 1;
    int y = hz_graph_add(g, "norm", "norm", &attr, in, 5);
    ck_assert(hz_graph_add(g, "norm", "frozen", &frozen, in, 5) >= 0);
    int logits = node(g, "dense", "two", NONE, y, bound(g, "v", noise(3, SHAPE(2, 3)), 1), -1);
    int loss = node(g, "xent", "loss", NONE, logits, labels, -1);
    OK(hz_graph_keep(g, loss));
    OK(hz_graph_grad(g, loss, -1, 0));
    OK(hz_graph_statistics(g));
    return g;
}

/* The first column of x is 1, 2, 6, `last`. */
static void write_column(hz_plan *p, double last)
{
    const double column[BATCH] = { 1, 2, 6, last };
    hz_tensor *x = value(p, "x", -1);
    for (int64_t i = 0; i < BATCH; i++)
        hz_tensor_put(x, (int64_t[]){ i, 0 }, column[i]);
    hz_tensor_free(x);
}

/* Only updates move running statistics, so that a gate holds them back with the weights. */
START_TEST(running_statistics_move_behind_the_loss)
{
    hz_tensor *mean = filled(HZ_F32, 5, SHAPE(3)), *variance = filled(HZ_F32, 4, SHAPE(3));
    hz_plan *p = planned(normed(mean, variance), (hz_plan_options){ .train = 1 });
    const hz_graph *g = hz_plan_graph(p);
    int forward = hz_graph_value(g, hz_graph_find(g, "loss.loss"))->node + 1, updates = 0;
    for (int i = 0; i < hz_graph_nodes(g); i++)
        updates += hz_graph_node(g, i)->op == hz_op_named("norm_update");
    ck_assert_int_eq(updates, 1);
    OK(hz_plan_gate(p, hz_graph_find(g, "loss.loss"), forward));
    hz_step s = step_of(BATCH);
    write_column(p, NAN);
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert(isnan(number(p, "loss.loss")) && number(p, "mean") == 5 && number(p, "variance") == 4);
    write_column(p, 7);
    OK(hz_plan_gate(p, hz_graph_find(g, "loss.loss"), forward));
    OK(hz_plan_run(p, 0, forward, &s));
    ck_assert(number(p, "mean") == 5 && number(p, "variance") == 4);
    OK(hz_plan_run(p, forward, -1, &s));
    ck_assert(number(p, "mean") == 0.75 * 5 + 0.25 * 4 && number(p, "variance") == 0.75 * 4 + 0.25 * 6.5);
    hz_plan_free(p);
    DROP(mean, variance);
}
END_TEST

START_TEST(digests_tell_plans_apart)
{
    hz_plan *a = planned(net(1), (hz_plan_options){ .train = 1 });
    hz_plan *b = planned(net(1), (hz_plan_options){ .train = 1 });
    hz_plan *c = planned(net(0), (hz_plan_options){ 0 });
    hz_plan *d = planned(net(1), (hz_plan_options){ .train = 1, .no_fuse = 1 });
    ck_assert(hz_plan_digest(a) == hz_plan_digest(b));
    ck_assert(hz_plan_digest(a) != hz_plan_digest(c) && hz_plan_digest(a) != hz_plan_digest(d));
    hz_plan_free(a);
    hz_plan_free(b);
    hz_plan_free(c);
    hz_plan_free(d);
}
END_TEST

START_TEST(the_first_node_that_is_not_finite)
{
    hz_plan *p = planned(net(0), (hz_plan_options){ .keep = 1 });
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert_int_eq(hz_plan_not_finite(p, BATCH), -1);
    hz_tensor *v = value(p, "v", -1), *x = value(p, "x", -1);
    OK(hz_tensor_fill(v, INFINITY));
    s.version++;                                        /* kernels pack the weights anew */
    OK(hz_plan_run(p, 0, -1, &s));
    int bad = hz_plan_not_finite(p, BATCH);
    ck_assert_str_eq(hz_graph_node(hz_plan_graph(p), bad)->name, "two");
    hz_tensor_put(x, (int64_t[]){ 3, 0 }, NAN);         /* the last row: not seen where only three are in use */
    OK(hz_tensor_fill(v, 1));
    s.version++;
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert_str_eq(hz_graph_node(hz_plan_graph(p), hz_plan_not_finite(p, BATCH))->name, "one");
    s.count = 3;
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert_int_eq(hz_plan_not_finite(p, 3), -1);
    DROP(v, x);
    hz_plan_free(p);
}
END_TEST

START_TEST(the_null_device_plans_anything)
{
    hz_plan *p = planned(net(1), (hz_plan_options){ .train = 1, .device = "null" });
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert(number(p, "loss.loss") == 0);             /* arenas start zeroed */
    hz_plan_free(p);
}
END_TEST

START_TEST(answers_and_gates)
{
    hz_plan *p = planned(net(1), (hz_plan_options){ .train = 1 });
    const hz_graph *g = hz_plan_graph(p);
    int loss = hz_graph_find(g, "loss.loss"), logits = hz_graph_find(g, "two.y");
    int w = hz_graph_find(g, "w"), forward = 0;
    while (hz_graph_node(g, forward)->op != hz_op_named("xent"))
        forward++;
    forward++;
    OK(hz_plan_gate(p, loss, forward));
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(p, 0, forward, &s));
    OK(hz_plan_ask(p, 0, loss, -1));
    OK(hz_plan_ask(p, 7, logits, 2));
    float before = (float)number(p, "loss.loss"), logit = (float)number(p, "two.y");
    OK(hz_plan_run(p, forward, -1, &s));                /* updates */
    s.version++;
    OK(hz_plan_run(p, 0, forward, &s));                 /* another loss by now */
    const float *answer = hz_plan_answer(p, 0), *rows = hz_plan_answer(p, 7);
    ck_assert(answer && *answer == before && rows && rows[0] == logit);
    ck_assert((float)number(p, "loss.loss") < before);

    hz_tensor *t = value(p, "w", -1), *kept = hz_tensor_new(HZ_F32, SHAPE(3, 5));
    OK(hz_tensor_put(t, (int64_t[]){ 1, 1 }, NAN));
    OK(hz_tensor_copy(kept, t));
    s.version++;
    OK(hz_plan_run(p, 0, forward, &s));
    OK(hz_plan_ask(p, 0, loss, -1));
    OK(hz_plan_run(p, forward, -1, &s));
    answer = hz_plan_answer(p, 0);
    ck_assert(answer && isnan(*answer));
    ck_assert(!memcmp(data(t), kept->data, 15 * sizeof(float)));       /* nothing was updated */

    ck_assert(hz_plan_ask(p, HZ_ASKS, loss, -1) == HZ_EARG && hz_plan_ask(p, 0, w, -1) == HZ_EARG);
    SAYS("'w' is not in the plan's memory");
    ck_assert(hz_plan_gate(p, hz_graph_find(g, "loss.correct"), forward) == HZ_EARG
              && hz_plan_gate(p, -1, 0) == HZ_EARG);
    ck_assert(!hz_plan_answer(p, 3) && !hz_plan_answer(p, -1));
    SAYS("was not asked for");
    OK(hz_plan_ask(p, 1, loss, -1));                    /* freed with a question open */
    DROP(t, kept);
    hz_plan_free(p);
}
END_TEST

static const struct { const char *device; int stays; } gates[] = { { "cpu", 0 }, { "far", 1 } };

/* A loss that is no number, then one that is: whole runs, answers read behind both. */
START_TEST(a_gate_stays_shut_where_the_host_is_late)
{
    hz_plan *p = planned(net(1), (hz_plan_options){ .train = 1, .device = gates[_i].device });
    const hz_graph *g = hz_plan_graph(p);
    int loss = hz_graph_find(g, "loss.loss"), forward = 0;
    while (hz_graph_node(g, forward)->op != hz_op_named("xent"))
        forward++;
    OK(hz_plan_gate(p, loss, ++forward));
    hz_tensor *v = value(p, "v", -1), *w = value(p, "w", -1), *kept = hz_tensor_new(HZ_F32, SHAPE(2, 3));
    hz_step s = step_of(BATCH);
    double good = hz_tensor_at(w, (int64_t[]){ 1, 1 });
    OK(hz_tensor_put(w, (int64_t[]){ 1, 1 }, NAN));
    OK(hz_tensor_copy(kept, v));
    OK(hz_plan_run(p, 0, -1, &s));
    OK(hz_plan_ask(p, 0, loss, -1));
    ck_assert(!memcmp(data(v), kept->data, 24));
    OK(hz_tensor_put(w, (int64_t[]){ 1, 1 }, good));
    s.version++;
    OK(hz_plan_run(p, 0, -1, &s));
    OK(hz_plan_ask(p, 1, loss, -1));
    const float *first = hz_plan_answer(p, 0), *second = hz_plan_answer(p, 1);
    ck_assert(first && isnan(*first) && second && isfinite(*second));
    ck_assert((memcmp(data(v), kept->data, 24) == 0) == gates[_i].stays);
    OK(hz_tensor_copy(kept, v));
    OK(hz_plan_gate(p, loss, forward));
    s.version++;
    OK(hz_plan_run(p, 0, -1, &s));
    ck_assert(memcmp(data(v), kept->data, 24));
    DROP(v, w, kept);
    hz_plan_free(p);
}
END_TEST

START_TEST(what_a_device_lacks_is_said)
{
    setenv("HZ_FAR_BYTES", "8192", 1);
    ck_assert(!hz_plan_new(net(1), &(hz_plan_options){ .train = 1, .device = "far" }));
    SAYS(" bytes of memory were asked for; 8192 are in use and 0 free; a smaller batch= needs less: of this one the "
         "plan's values take 0.0 MB");
    unsetenv("HZ_FAR_BYTES");
    ck_assert(!hz_plan_new(net(0), &(hz_plan_options){ .tf32 = 1 }));
    SAYS("cpu: dtype is tf32, which cards alone multiply by; needs f32 or bf16 here");
}
END_TEST

START_TEST(hard_mode_spoils_and_guards)
{
    setenv("HZ_HARD", "1", 1);
    hz_plan *p = planned(net(0), (hz_plan_options){ .no_fuse = 1 });
    unsetenv("HZ_HARD");
    hz_step s = step_of(BATCH);
    OK(hz_plan_run(p, 0, 3, &s));
    ck_assert(isnan(number(p, "relu.y")));              /* nobody reads it any more */
    OK(hz_plan_run(p, 3, -1, &s));
    ck_assert(isfinite(number(p, "two.y")));            /* it is kept */
    OK(hz_plan_run(p, 0, 1, &s));
    hz_tensor *t = value(p, "one.y", -1);
    ck_assert(isfinite(number(p, "one.y")));
    if (!getenv("HZ_DEVICE")) {                         /* elsewhere the host cannot do what a kernel might */
        ((char *)t->data)[sizeof(float) * BATCH * 3] = 7;                       /* one byte too far */
        ck_assert(hz_plan_run(p, 1, 2, &s) == HZ_ESTATE);
        SAYS("wrote behind 'one.y'");
    }
    hz_tensor_free(t);
    hz_plan_free(p);
}
END_TEST

int main(void)
{
    return RUN_SUITE("plan", ONCE(a_run_in_parts_is_the_whole_run), ONCE(peeking), ONCE(everything_is_given_back),
                     ONCE(statistics_name_kernels), ONCE(the_gradient_of_an_activation_joins_the_node_before),
                     ONCE(every_tail_of_the_table_runs_on_the_cpu), ONCE(running_statistics_move_behind_the_loss),
                     ONCE(digests_tell_plans_apart), ONCE(hard_mode_spoils_and_guards),
                     ONCE(the_first_node_that_is_not_finite), ONCE(answers_and_gates),
                     EACH(a_gate_stays_shut_where_the_host_is_late, gates), ONCE(what_a_device_lacks_is_said),
                     ONCE(the_null_device_plans_anything));
}

/* graph_test.c: shapes that nodes infer, gradients that are appended, and what is refused with which message. */
#include "made.h"

static int entry(hz_graph *g, int ndim, const int64_t *shape)
{
    int v = hz_graph_entry(g, "x", HZ_F32, ndim, shape);
    ck_assert_msg(v >= 0, "%s", hz_message());
    return v;
}

static int param(hz_graph *g, const char *name, int ndim, const int64_t *shape)
{
    return bound(g, name, noise(1, ndim, shape), 1);
}

static void shape_is(const hz_graph *g, int v, int ndim, const int64_t *shape)
{
    const hz_value *value = hz_graph_value(g, v);
    ck_assert_msg(value->ndim == ndim && !memcmp(value->shape, shape, sizeof *shape * (size_t)ndim),
                  "'%s' has another shape", value->name);
}

/* in, kernel, stride, 'same' (0) or 'valid' (1), out; -1: refused. TensorFlow: ceil(in/stride),
   ceil((in-kernel+1)/stride). */
static const int windows[][5] = {
    { 32, 3, 1, 0, 32 }, { 32, 3, 2, 0, 16 }, { 33, 3, 2, 0, 17 }, { 32, 3, 1, 1, 30 }, { 32, 3, 2, 1, 15 },
    { 7, 7, 1, 1, 1 }, { 6, 7, 1, 1, -1 }, { 1, 5, 3, 0, 1 }, { 10, 1, 4, 1, 3 }, { 10, 2, 4, 1, 3 },
    { 13, 5, 4, 1, 3 },
};

START_TEST(windows_infer_their_extent)
{
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        const int *w = windows[i];
        hz_graph *g = hz_graph_new("g");
        int32_t in[] = { entry(g, SHAPE(2, w[0], w[0], 3)), param(g, "w", SHAPE(5, w[1], w[1], 3)) };
        hz_attr a = WINDOW(w[1], w[2], w[3]);
        int y = hz_graph_add(g, "conv2d", "c", &a, in, 2), p = hz_graph_add(g, "avgpool", "p", &a, in, 1);
        ck_assert((y < 0) == (w[4] < 0) && (p < 0) == (w[4] < 0));
        if (w[4] >= 0) {
            shape_is(g, y, SHAPE(2, w[4], w[4], 5));
            shape_is(g, p, SHAPE(2, w[4], w[4], 3));
        }
        hz_graph_free(g);
    }
}
END_TEST

START_TEST(the_op_table_is_whole)
{
    ck_assert(hz_op_named("nosuch") < 0 && hz_op_name(-1) == NULL && hz_op_name(hz_op_count()) == NULL);
    for (int i = 0; i < hz_op_count(); i++)
        ck_assert(hz_op_named(hz_op_name(i)) == i && strlen(hz_op_inputs(i)) > 0);
    for (int i = 0; i < HZ_NACT; i++)
        ck_assert(hz_act_named(hz_act_name(i)) == i);
    ck_assert(hz_act_named("swish") < 0);
}
END_TEST

/* Ops that may be tails; the others are none. */
static const struct { const char *op; int frozen; hz_tail_kind kind; } kinds[] = {
    { "act", 0, HZ_TAIL_IN_PLACE }, { "act_grad", 0, HZ_TAIL_IN_PLACE }, { "dropout", 0, HZ_TAIL_IN_PLACE },
    { "dropout_grad", 0, HZ_TAIL_IN_PLACE }, { "maxpool", 0, HZ_TAIL_OWN }, { "norm", 0, HZ_TAIL_SUMS },
    { "norm", 1, HZ_TAIL_IN_PLACE }, { "norm_grad", 0, HZ_TAIL_SUMS }, { "maxpool_grad", 0, HZ_TAIL_OWN },
    { "norm_act_grad", 0, HZ_TAIL_IN_PLACE },
};

START_TEST(what_an_op_is_as_a_tail)
{
    int tails = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        hz_attr a = { .norm = { .frozen = kinds[i].frozen } };
        ck_assert_msg(hz_tail_kind_of(hz_op_named(kinds[i].op), &a) == kinds[i].kind, "%s", kinds[i].op);
        tails += !kinds[i].frozen;
    }
    for (int op = 0; op < hz_op_count(); op++)
        tails -= hz_tail_kind_of(op, &NONE) != HZ_TAIL_NONE;
    ck_assert_int_eq(tails, 0);
}
END_TEST

/* The n-th word of a text. */
static const char *word_of(const char *text, int n)
{
    while (n-- > 0)
        text += strcspn(text, " ") + 1;
    return text;
}

/* Kernels know them by number, fusion by name. */
START_TEST(sums_have_their_place_among_the_inputs)
{
    ck_assert(!strncmp(word_of(hz_op_inputs(hz_op_named("norm")), HZ_NORM_MOMENTS), "[moments]", 9));
    ck_assert(!strncmp(word_of(hz_op_inputs(hz_op_named("norm_grad")), HZ_NORM_SUMS), "[sums]", 6));
}
END_TEST

/* A node of this op whose tails begin with output 1. */
static hz_node node_with(const char *op, hz_attr attr, int tails, const char *const *tail, const hz_attr *with)
{
    hz_node n = { .op = hz_op_named(op), .attr = attr, .nout = 2, .out = { 10, 11 }, .tails = tails };
    for (int i = 0; i < tails; i++)
        n.tail[i] = (hz_tail){ .op = hz_op_named(tail[i]), .in = -1, .out = 1, .attr = with[i] };
    return n;
}

typedef struct text_case {
    const char *text, *op;
    hz_attr attr;
    int tails;
    const char *tail[HZ_TAILS];
    hz_attr with[HZ_TAILS];
} text_case;
static const text_case texts[] = {
    { "conv2d", "conv2d", { .window = { .kh = 3 } }, 0, { 0 }, { { { 0 } } } },
    { "act relu", "act", { .act = { HZ_RELU, 0 } }, 0, { 0 }, { { { 0 } } } },
    { "act_grad tanh", "act_grad", { .act = { HZ_TANH, 0 } }, 0, { 0 }, { { { 0 } } } },
    { "add+relu", "add", { .act = { HZ_RELU, 0 } }, 0, { 0 }, { { { 0 } } } },
    { "xent", "xent", { .xent = { 0.5f } }, 0, { 0 }, { { { 0 } } } },
    { "conv2d+relu+maxpool+dropout", "conv2d", { .window = { .act = HZ_RELU } }, 2, { "maxpool", "dropout" },
      { { { 0 } } } },
    { "conv2d+moments", "conv2d", { .act = { 0 } }, 1, { "norm" }, { { { 0 } } } },
    { "conv2d+norm+elu", "conv2d", { .act = { 0 } }, 2, { "norm", "act" },
      { { .norm = { .frozen = 1 } }, { .act = { HZ_ELU, 0 } } } },
    { "conv2d_dx+dropout_grad+leaky+sums", "conv2d_dx", { .act = { 0 } }, 3,
      { "dropout_grad", "act_grad", "norm_grad" },
      { { .act = { 0 } }, { .act = { HZ_LEAKY, 0 } }, { .act = { 0 } } } },
};

START_TEST(nodes_as_text)
{
    char text[HZ_NODETEXT];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hz_node n = node_with(texts[i].op, texts[i].attr, texts[i].tails, texts[i].tail, texts[i].with);
        ck_assert_str_eq(hz_node_text(&n, text, sizeof text), texts[i].text);
        ck_assert_int_eq(hz_node_result(&n), strstr(texts[i].text, "maxpool") ? 11 : 10);
        hz_node_text(&n, text, 5);
        ck_assert(strlen(text) <= 4 && !strncmp(text, texts[i].text, 4));
    }
    size_t op = 0, act = 0;                             /* there is room for any node's */
    for (int i = 0; i < hz_op_count(); i++)
        op = strlen(hz_op_name(i)) > op ? strlen(hz_op_name(i)) : op;
    for (int i = 0; i < HZ_NACT; i++)
        act = strlen(hz_act_name(i)) > act ? strlen(hz_act_name(i)) : act;
    ck_assert(op + 1 + act + HZ_TAILS * (1 + op) < HZ_NODETEXT);
}
END_TEST

static int refused(hz_graph *g, const char *op, hz_attr a, int n, const int32_t *in)
{
    int values = hz_graph_values(g), nodes = hz_graph_nodes(g);
    int v = hz_graph_add(g, op, "l", &a, in, n);
    ck_assert(hz_graph_values(g) == values && hz_graph_nodes(g) == nodes);   /* a refused node leaves nothing behind */
    return v == -1;
}
#define REFUSED(text, g, op, attr, ...) \
    do { \
        ck_assert(refused(g, op, attr, (int)(sizeof((int32_t[]){ __VA_ARGS__ }) / 4), (int32_t[]){ __VA_ARGS__ })); \
        SAYS(text); \
    } while (0)

START_TEST(what_does_not_fit_is_refused)
{
    hz_graph *g = hz_graph_new("g");
    int x = entry(g, SHAPE(2, 8, 8, 3)), r = entry(g, SHAPE(2, 6)), d = hz_graph_entry(g, "d", HZ_F64, SHAPE(2, 6));
    int w = param(g, "w", SHAPE(5, 3, 3, 4)), v = param(g, "v", SHAPE(4, 7)), b = param(g, "b", SHAPE(3));
    int items = hz_graph_entry(g, "items", HZ_I32, SHAPE(3)), bytes = hz_graph_entry(g, "u", HZ_U8, SHAPE(2, 6));
    REFUSED("op 'convolve' is unknown", g, "convolve", NONE, x);
    REFUSED("made by the gradient only", g, "conv2d_dx", NONE, x, w);
    REFUSED("conv2d: 1 inputs were given; needs x w [b]", g, "conv2d", NONE, x);
    REFUSED("input 2 is value 99", g, "conv2d", NONE, x, 99);
    REFUSED("the input has 3 channels; the weights expect 4", g, "conv2d", WINDOW(3, 1, HZ_SAME), x, w);
    REFUSED("weights are (5,3,3,4); needs (filters,2,2,channels)", g, "conv2d", WINDOW(2, 1, HZ_SAME), x, w);
    REFUSED("the input is (2,6); needs an image", g, "conv2d", WINDOW(3, 1, HZ_SAME), r, w);
    REFUSED("padding 7", g, "avgpool", WINDOW(2, 1, 7), x);
    REFUSED("kernel 0x0", g, "avgpool", WINDOW(0, 1, HZ_SAME), x);
    REFUSED("needs at most 256 elements", g, "maxpool", WINDOW(17, 1, HZ_SAME), x);
    REFUSED("the input has 6 units; the weights are (4,7)", g, "dense", NONE, r, v);
    REFUSED("put flatten or meanpool before it", g, "dense", NONE, x, v);
    REFUSED("a is (2,6), b is (2,8,8,3); the shapes must agree", g, "add", NONE, r, x);
    REFUSED("a is f32, b is f64; needs one type", g, "add", NONE, r, d);
    REFUSED("the input is u8", g, "act", ACT(HZ_RELU), bytes);
    REFUSED("activation 99 is unknown", g, "act", ACT(99), r);
    REFUSED("rate is 1; needs 0 <= rate < 1", g, "dropout", ((hz_attr){ .dropout = { .rate = 1 } }), r, items);
    REFUSED("item numbers are i32 (3); needs i32 (2)", g, "dropout", NONE, r, items);
    REFUSED("needs (batch,classes)", g, "softmax", NONE, x);
    REFUSED("labels are i32 (3); needs i32 (2)", g, "xent", NONE, r, items);
    REFUSED("axis 7", g, "norm", ((hz_attr){ .norm = { .axis = 7 } }), x, b, b, b, b);
    REFUSED("v is (4,7); needs (3)", g, "norm", NONE, x, b, b, v, b);
    REFUSED("momentum 2 and epsilon 0", g, "norm", ((hz_attr){ .norm = { .momentum = 2 } }), x, b, b, b, b);
    REFUSED("momentum 0 and epsilon -1", g, "norm", ((hz_attr){ .norm = { .epsilon = -1 } }), x, b, b, b, b);
    REFUSED("'x' is not a bound tensor; needs running statistics", g, "norm_update", NONE, b, r, b, b);
    REFUSED("'v' is f32 (4,7); needs f32 (3)", g, "norm_update", NONE, b, b, v, b);
    REFUSED("is not a bound tensor; needs a parameter", g, "sgd", NONE, r, r);
    REFUSED("'b' is (3), 'x' is (2,6); the shapes must agree", g, "sgd", NONE, b, r);
    REFUSED("momentum 0.5 without a velocity", g, "sgd", ((hz_attr){ .optim = { .momentum = 0.5f } }), b, b);
    REFUSED("decay is inf; needs a number", g, "sgd", ((hz_attr){ .optim = { .decay = INFINITY } }), b, b);
    REFUSED("beta -0.5 and 0", g, "adam", ((hz_attr){ .optim = { .beta1 = -0.5f } }), b, b, b, b);
    ck_assert(hz_graph_entry(g, "bad", HZ_F32, SHAPE(-1)) == -1);
    hz_tensor *whole = noise(1, SHAPE(4, 4)), *gaps = hz_tensor_slice(whole, 1, 0, 2, 1);
    ck_assert(hz_graph_bind(g, "gaps", gaps, 0) == -1);
    SAYS("gaps: the tensor is a view with gaps");
    DROP(whole, gaps);
    ck_assert(hz_graph_keep(g, 999) == HZ_EARG && hz_graph_find(g, "nosuch") == -1);
    ck_assert(hz_graph_node(g, 0) == NULL && hz_graph_value(g, -1) == NULL);
    hz_graph_free(g);
    hz_graph_free(NULL);
}
END_TEST

START_TEST(slopes_that_are_no_numbers_are_refused)
{
    hz_graph *g = hz_graph_new("g");
    int r = entry(g, SHAPE(2, 6)), x = entry(g, SHAPE(2, 8, 8, 3)), b = param(g, "b", SHAPE(3));
    int v = param(g, "v", SHAPE(4, 6));
    const hz_act_attr elu = { HZ_ELU, NAN };
    REFUSED("alpha of elu is nan", g, "act", ((hz_attr){ .act = elu }), r);
    REFUSED("alpha of elu is inf", g, "act", ((hz_attr){ .act = { HZ_ELU, INFINITY } }), r);
    REFUSED("dense: alpha of elu is nan", g, "dense", ((hz_attr){ .act = elu }), r, v);
    REFUSED("norm: alpha of elu is nan", g, "norm", ((hz_attr){ .norm = { .epilogue = elu } }), x, b, b, b, b);
    node(g, "act", "l", (hz_attr){ .act = { HZ_LEAKY, 0 } }, r, -1, -1);
    node(g, "act", "l", (hz_attr){ .act = { HZ_TANH, -1 } }, r, -1, -1);
    hz_graph_free(g);
}
END_TEST

/* Kernels divide by extents and count some of them as int. */
START_TEST(extents_have_bounds)
{
    static const char *const ops[] = { "avgpool", "maxpool", "meanpool", "flatten", "act", "softmax", "norm" };
    hz_graph *g = hz_graph_new("g");
    int x = entry(g, SHAPE(2, 8, 8, 3)), empty = hz_graph_entry(g, "empty", HZ_F32, SHAPE(2, 8, 8, 0));
    int none = hz_graph_entry(g, "none", HZ_F32, SHAPE(0, 8, 8, 3));
    int far = hz_graph_entry(g, "far", HZ_F32, SHAPE(1, (int64_t)1 << 31, 1, 1));
    int wide = hz_graph_entry(g, "wide", HZ_F32, SHAPE(1, 1 << 20, 1 << 20, 1));
    int w = param(g, "w", SHAPE(300, 1, 1, 1)), b = param(g, "b", SHAPE(3));
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        int inputs = strcmp(ops[i], "norm") ? 1 : 5;
        ck_assert(refused(g, ops[i], WINDOW(1, 1, HZ_SAME), inputs, (int32_t[]){ empty, b, b, b, b }));
        SAYS("extent 4 of 'empty' is 0; needs 1 to 2147483647");
        ck_assert(refused(g, ops[i], WINDOW(1, 1, HZ_SAME), inputs, (int32_t[]){ none, b, b, b, b }));
        SAYS("extent 1 of 'none' is 0");
        ck_assert(refused(g, ops[i], WINDOW(1, 1, HZ_SAME), inputs, (int32_t[]){ far, b, b, b, b }));
        SAYS("extent 2 of 'far' is 2147483648");
    }
    REFUSED("extent 2 of 'l.y' is 1099511627776", g, "flatten", NONE, wide);
    REFUSED("conv2d: tensor: the shape has more elements than memory can address", g, "conv2d",
            WINDOW(1, 1, HZ_SAME), wide, w);
    REFUSED("a window of 65536x65536; needs at most 256 elements", g, "maxpool", WINDOW(65536, 1, HZ_SAME), x);
    REFUSED("a window of 65536x65536; needs at most 2147483647", g, "avgpool", WINDOW(65536, 1, HZ_SAME), x);
    node(g, "avgpool", "l", WINDOW(40000, 2147483647, HZ_SAME), x, -1, -1);
    hz_graph_free(g);
}
END_TEST

static int ops_named(const hz_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < hz_graph_nodes(g); i++)
        n += hz_graph_node(g, i)->op == hz_op_named(op);
    return n;
}

/* x -> dense a -> relu, read twice -> add -> dense b -> xent */
static hz_graph *two_paths(int a_is_parameter, int *loss, int *a, int *x)
{
    hz_graph *g = hz_graph_new("g");
    *x = entry(g, SHAPE(2, 6));
    *a = bound(g, "a", noise(1, SHAPE(6, 6)), a_is_parameter);
    int h = node(g, "act", "h", ACT(HZ_RELU), node(g, "dense", "a", NONE, *x, *a, -1), -1, -1);
    int s = node(g, "add", "s", NONE, h, node(g, "act", "t", ACT(HZ_TANH), h, -1, -1), -1);
    int logits = node(g, "dense", "b", NONE, s, param(g, "b", SHAPE(3, 6)), -1);
    *loss = node(g, "xent", "loss", NONE, logits, hz_graph_entry(g, "labels", HZ_I32, SHAPE(2)), -1);
    return g;
}

START_TEST(gradients_go_where_they_are_wanted)
{
    int loss, a, x;
    hz_graph *g = two_paths(1, &loss, &a, &x);
    int before = hz_graph_nodes(g);
    OK(hz_graph_grad(g, loss, -1, 0));
    ck_assert_int_eq(ops_named(g, "add"), 2);           /* what comes back to h from two readers is added */
    ck_assert_int_eq(ops_named(g, "dense_dx"), 1);      /* the entry's is not wanted */
    ck_assert(hz_graph_gradient_of(g, x) < 0 && hz_graph_nodes(g) > before);
    shape_is(g, hz_graph_gradient_of(g, a), SHAPE(6, 6));
    ck_assert(hz_graph_value(g, hz_graph_gradient_of(g, a))->kind == HZ_GRADIENT);
    hz_graph_free(g);

    g = two_paths(1, &loss, &a, &x);
    OK(hz_graph_grad(g, loss, -1, 1));
    ck_assert_int_eq(ops_named(g, "dense_dx"), 2);
    shape_is(g, hz_graph_gradient_of(g, x), SHAPE(2, 6));
    hz_graph_free(g);

    g = two_paths(0, &loss, &a, &x);                    /* nothing behind b wants one: the gradient ends there */
    OK(hz_graph_grad(g, loss, -1, 0));
    ck_assert(ops_named(g, "dense_dx") == 0 && ops_named(g, "dense_dw") == 1 && hz_graph_gradient_of(g, a) < 0);
    hz_graph_free(g);
}
END_TEST

START_TEST(gradients_need_a_loss_or_a_seed)
{
    int loss, a, x;
    hz_graph *g = two_paths(1, &loss, &a, &x);
    int h = hz_graph_find(g, "h.y");
    ck_assert(hz_graph_grad(g, h, -1, 0) == HZ_EARG);
    SAYS("'h.y' is not a loss; needs a seed of its shape");
    ck_assert(hz_graph_grad(g, 999, -1, 0) == HZ_EARG);
    int seed = hz_graph_entry(g, "seed", HZ_F32, SHAPE(2, 6));
    OK(hz_graph_grad(g, h, seed, 0));
    ck_assert(hz_graph_gradient_of(g, a) >= 0 && hz_graph_gradient_of(g, hz_graph_find(g, "b")) < 0);
    int own = node(g, "dense", "own", ACT(HZ_RELU), h, hz_graph_find(g, "b"), -1);
    ck_assert(hz_graph_grad(g, own, hz_graph_entry(g, "dy", HZ_F32, SHAPE(2, 3)), 1) == HZ_EARG);
    SAYS("gradient: dense 'own' has an activation of its own; needs it as a node");
    hz_graph_free(g);
}
END_TEST

START_TEST(graphs_hold_what_is_bound)
{
    int64_t before = hz_live_bytes();
    hz_tensor *t = noise(1, SHAPE(100));
    hz_graph *g = hz_graph_new("g");
    ck_assert(hz_graph_bind(g, "t", t, 0) == 0 && hz_tensor_uses(t) == 2);
    hz_tensor_free(t);
    ck_assert(hz_live_bytes() > before);
    hz_graph_free(g);
    ck_assert(hz_live_bytes() == before);
}
END_TEST

/* Names longer than a value's room are cut, not written past it. */
START_TEST(long_names_are_cut)
{
    char name[200];
    memset(name, 'n', sizeof name);
    name[199] = 0;
    hz_graph *g = hz_graph_new(name);
    int x = hz_graph_entry(g, name, HZ_F32, SHAPE(2, 6)), y = node(g, "softmax", name, NONE, x, -1, -1);
    ck_assert(strlen(hz_graph_value(g, x)->name) < HZ_NAMELEN && strlen(hz_graph_value(g, y)->name) < HZ_NAMELEN);
    hz_graph_free(g);
}
END_TEST

int main(void)
{
    return RUN_SUITE("graph", ONCE(windows_infer_their_extent), ONCE(the_op_table_is_whole),
                     ONCE(what_an_op_is_as_a_tail), ONCE(sums_have_their_place_among_the_inputs), ONCE(nodes_as_text),
                     ONCE(what_does_not_fit_is_refused), ONCE(slopes_that_are_no_numbers_are_refused),
                     ONCE(extents_have_bounds), ONCE(gradients_go_where_they_are_wanted),
                     ONCE(gradients_need_a_loss_or_a_seed), ONCE(graphs_hold_what_is_bound), ONCE(long_names_are_cut));
}

/* arena_test.c: values whose lives overlap never share memory. Asked of random graphs twice: by arithmetic
   over the plan's offsets, with lives worked out here anew, and by running the plan with memory reused and
   with all memory kept. */
#include "made.h"

enum { BATCH = 3, SIDE = 4, CLASSES = 5, MAXVALUES = 400 };

typedef struct made {
    hz_graph *graph;
    int image[40], images;        /* values (BATCH,SIDE,SIDE,4) */
    int row[40], rows;            /* values (BATCH,8) */
    int loss, stream;
} made;

static int weight(made *m, const char *name, int ndim, const int64_t *shape)
{
    return bound(m->graph, name, noise((uint32_t)++m->stream, ndim, shape), 1);
}

static int image_node(made *m, uint64_t *state, const char *name)
{
    int x = m->image[pick(state, m->images)], y = m->image[pick(state, m->images)];
    switch (pick(state, 5)) {
    case 0:  return node(m->graph, "act", name, ACT(HZ_RELU + pick(state, 6)), x, -1, -1);
    case 1:  return node(m->graph, "add", name, NONE, x, y, -1);
    case 2:  return node(m->graph, "maxpool", name, WINDOW(3, 1, HZ_SAME), x, -1, -1);
    case 3:  return node(m->graph, "avgpool", name, WINDOW(2, 1, HZ_SAME), x, -1, -1);
    default:
        return node(m->graph, "conv2d", name, WINDOW(3, 1, HZ_SAME), x, weight(m, name, SHAPE(4, 3, 3, 4)),
                    weight(m, name, SHAPE(4)));
    }
}

static int row_node(made *m, uint64_t *state, const char *name)
{
    int x = m->row[pick(state, m->rows)], y = m->row[pick(state, m->rows)], f;
    switch (pick(state, 5)) {
    case 0:  return node(m->graph, "act", name, ACT(HZ_RELU + pick(state, 6)), x, -1, -1);
    case 1:  return node(m->graph, "add", name, NONE, x, y, -1);
    case 2:  return node(m->graph, "softmax", name, NONE, x, -1, -1);
    case 3:
        f = node(m->graph, "flatten", name, NONE, m->image[pick(state, m->images)], -1, -1);
        return node(m->graph, "dense", name, NONE, f, weight(m, name, SHAPE(8, SIDE * SIDE * 4)), -1);
    default: return node(m->graph, "dense", name, NONE, x, weight(m, name, SHAPE(8, 8)), weight(m, name, SHAPE(8)));
    }
}

/* Two entries, then random nodes, then a loss with gradients and updates. The same seed makes the same graph. */
static made make(uint64_t seed)
{
    uint64_t state = seed * 977 + 1;
    made m = { .graph = hz_graph_new("random") };
    m.image[m.images++] = hz_graph_entry(m.graph, "image", HZ_F32, SHAPE(BATCH, SIDE, SIDE, 4));
    m.row[m.rows++] = hz_graph_entry(m.graph, "row", HZ_F32, SHAPE(BATCH, 8));
    int n = 2 + pick(&state, 24);
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        int image = pick(&state, 2), v = image ? image_node(&m, &state, name) : row_node(&m, &state, name);
        if (image)
            m.image[m.images++] = v;
        else
            m.row[m.rows++] = v;
        if (pick(&state, 8) == 0)
            OK(hz_graph_keep(m.graph, v));
    }
    int mean = node(m.graph, "meanpool", "mean", NONE, m.image[m.images - 1], -1, -1);
    int a = node(m.graph, "dense", "a", NONE, mean, weight(&m, "a.w", SHAPE(CLASSES, 4)), -1);
    int b = node(m.graph, "dense", "b", NONE, m.row[m.rows - 1], weight(&m, "b.w", SHAPE(CLASSES, 8)), -1);
    int logits = node(m.graph, "add", "logits", NONE, a, b, -1);
    int labels = hz_graph_entry(m.graph, "labels", HZ_I32, SHAPE(BATCH));
    m.loss = node(m.graph, "xent", "loss", NONE, logits, labels, -1);
    OK(hz_graph_keep(m.graph, m.loss));
    int values = hz_graph_values(m.graph);
    OK(hz_graph_grad(m.graph, m.loss, -1, pick(&state, 2)));
    for (int v = 0; v < values; v++) {
        int d = hz_graph_gradient_of(m.graph, v);
        if (hz_graph_value(m.graph, v)->kind == HZ_BOUND && d >= 0)
            node(m.graph, "sgd", "update", (hz_attr){ .optim = { 0 } }, v, d, -1);
    }
    return m;
}

static hz_plan *planned(made *m, int keep, int no_fuse)
{
    hz_plan_options o = { .train = 1, .keep = keep, .no_fuse = no_fuse };
    hz_plan *p = hz_plan_new(m->graph, &o);
    ck_assert_msg(p != NULL, "%s", hz_message());
    return p;
}

/* ---- by arithmetic ---- */

typedef struct life { int first, last; int64_t at, bytes; } life;

static int root(const hz_graph *g, int v)
{
    while (hz_graph_value(g, v)->view >= 0)
        v = hz_graph_value(g, v)->view;
    return v;
}

static int64_t bytes_of(const hz_value *v)
{
    int64_t n = (int64_t)hz_dtype_bytes(v->dtype);
    for (int i = 0; i < v->ndim; i++)
        n *= v->shape[i];
    return n;
}

/* From the first node that touches a value (as a view or itself) to the last; kept ones for ever, entries
   from before the start. */
static int lives_of(const hz_plan *p, life *lives)
{
    const hz_graph *g = hz_plan_graph(p);
    int n = hz_graph_values(g), nodes = hz_graph_nodes(g);
    ck_assert(n <= MAXVALUES);
    for (int v = 0; v < n; v++)
        lives[v] = (life){ .first = nodes, .last = -1, .at = hz_plan_offset(p, v),
                           .bytes = bytes_of(hz_graph_value(g, v)) };
    for (int i = 0; i < nodes; i++) {
        const hz_node *k = hz_graph_node(g, i);
        for (int j = 0; !k->dead && j < k->nin + k->nout; j++) {
            int v = j < k->nin ? k->in[j] : k->out[j - k->nin];
            if (v < 0)
                continue;
            life *l = &lives[root(g, v)];
            l->first = l->first < i ? l->first : i;
            l->last = i;
        }
    }
    for (int v = 0; v < n; v++) {
        const hz_value *value = hz_graph_value(g, v);
        if (value->keep && value->kind != HZ_BOUND) {
            lives[v].last = nodes;
            lives[v].first = value->node < 0 ? -1 : lives[v].first;
        }
    }
    return n;
}

/* b was computed in a's place: by the node that was the last to read a as its first input, of an op that may. */
static int inherits(const hz_graph *g, const life *lives, int a, int b)
{
    const hz_node *k = hz_graph_node(g, lives[b].first < 0 ? 0 : lives[b].first);
    return lives[a].last == lives[b].first && k->nin > 0 && k->nout > 0 && k->in[0] >= 0 && root(g, k->in[0]) == a
           && k->out[0] == b && lives[a].at == lives[b].at && lives[a].bytes == lives[b].bytes;
}

START_TEST(overlapping_lives_have_memory_of_their_own)
{
    int shared = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        made m = make(seed);
        hz_plan *p = planned(&m, 0, (int)(seed & 1));
        const hz_graph *g = hz_plan_graph(p);
        static life lives[MAXVALUES];
        int n = lives_of(p, lives);
        for (int a = 0; a < n; a++) {
            if (root(g, a) != a || hz_graph_value(g, a)->kind == HZ_BOUND || lives[a].last < lives[a].first)
                continue;
            ck_assert(lives[a].at >= 0 && lives[a].at % 64 == 0
                      && lives[a].at + lives[a].bytes <= hz_plan_arena_bytes(p));
            for (int b = 0; b < n; b++) {
                if (a == b || root(g, b) != b || hz_graph_value(g, b)->kind == HZ_BOUND
                    || lives[b].last < lives[b].first)
                    continue;
                if (lives[a].at >= lives[b].at + lives[b].bytes || lives[b].at >= lives[a].at + lives[a].bytes)
                    continue;
                shared++;
                int apart = lives[a].last < lives[b].first || lives[b].last < lives[a].first;
                ck_assert_msg(apart || inherits(g, lives, a, b) || inherits(g, lives, b, a),
                              "graph %d: '%s' (nodes %d..%d) and '%s' (%d..%d) share memory", (int)seed,
                              hz_graph_value(g, a)->name, lives[a].first, lives[a].last, hz_graph_value(g, b)->name,
                              lives[b].first, lives[b].last);
            }
        }
        hz_plan_free(p);
    }
    ck_assert(shared > 1000);               /* memory is reused at all */
}
END_TEST

/* ---- by running ---- */

static void write_entries(hz_plan *p)
{
    static const char *const names[] = { "image", "row", "labels" };
    for (int i = 0; i < 3; i++) {
        hz_tensor *t = hz_plan_peek(p, hz_graph_find(hz_plan_graph(p), names[i]), -1);
        ck_assert(t != NULL);
        if (i < 2)
            OK(hz_tensor_uniform(t, -1, 1, 2, (uint32_t)i));
        else
            for (int64_t r = 0; r < BATCH; r++)
                hz_tensor_put(t, &r, (double)(r * 2 % CLASSES));
        hz_tensor_free(t);
    }
}

static hz_plan *two_steps(uint64_t seed, int keep)
{
    made m = make(seed);
    hz_plan *p = planned(&m, keep, 1);
    write_entries(p);
    for (int i = 0; i < 2; i++) {
        hz_step s = { .count = BATCH, .step = i, .rate = 0.1f, .version = (uint32_t)i };
        OK(hz_plan_run(p, 0, -1, &s));
    }
    return p;
}

START_TEST(reused_memory_gives_the_same_bits)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        hz_plan *a = two_steps(seed, 0), *b = two_steps(seed, 1);
        const hz_graph *g = hz_plan_graph(a);
        for (int v = 0; v < hz_graph_values(g); v++) {
            const hz_value *value = hz_graph_value(g, v);
            if (value->kind != HZ_BOUND && !(value->keep && value->view < 0 && value->node >= 0))
                continue;
            hz_tensor *x = hz_plan_peek(a, v, -1), *y = hz_plan_peek(b, v, -1);
            ck_assert(x && y);
            ck_assert_msg(!memcmp(x->data, y->data, (size_t)bytes_of(value)), "graph %d: '%s' differs", (int)seed,
                          value->name);
            hz_tensor_free(x);
            hz_tensor_free(y);
        }
        ck_assert(hz_plan_arena_bytes(a) <= hz_plan_arena_bytes(b));
        hz_plan_free(a);
        hz_plan_free(b);
    }
    ck_assert_int_eq((int)hz_live_bytes(), 0);
}
END_TEST

int main(void)
{
    return RUN_SUITE("arena", ONCE(overlapping_lives_have_memory_of_their_own),
                     ONCE(reused_memory_gives_the_same_bits));
}

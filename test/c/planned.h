/* planned.h: a small net, its plans, and looks into them. HZ_DEVICE names the device of plans that do not say
   theirs. */
#ifndef PLANNED_H
#define PLANNED_H
#include "made.h"

enum { BATCH = 4 };

/* x (BATCH,5) -> dense 3 + relu -> dense 2 -> xent; with gradients and updates if asked, of one group of parameters or
   of two: v, and what lies before. */
static hz_graph *net(int train)
{
    hz_graph *g = hz_graph_new("net");
    int x = hz_graph_entry(g, "x", HZ_F32, SHAPE(BATCH, 5)), labels = hz_graph_entry(g, "labels", HZ_I32, SHAPE(BATCH));
    int w = bound(g, "w", noise(1, SHAPE(3, 5)), 1), b = bound(g, "b", noise(2, SHAPE(3)), 1);
    int v = bound(g, "v", noise(3, SHAPE(2, 3)), 1);
    int h = node(g, "act", "relu", ACT(HZ_RELU), node(g, "dense", "one", NONE, x, w, b), -1, -1);
    int logits = node(g, "dense", "two", NONE, h, v, -1), loss = node(g, "xent", "loss", NONE, logits, labels, -1);
    OK(hz_graph_keep(g, logits));
    OK(hz_graph_keep(g, loss));
    if (train) {
        OK(hz_graph_grad(g, loss, -1, 0));
        for (int p = w; p <= v; p++)
            node(g, "sgd", "update", (hz_attr){ .optim = { .group = train > 1 && p != v } }, p,
                 hz_graph_gradient_of(g, p), -1);
    }
    return g;
}

static hz_plan *planned(hz_graph *g, hz_plan_options o)
{
    o.device = o.device ? o.device : getenv("HZ_DEVICE");
    hz_plan *p = hz_plan_new(g, &o);
    ck_assert_msg(p != NULL, "%s", hz_message());
    hz_tensor *x = hz_plan_peek(p, hz_graph_find(hz_plan_graph(p), "x"), -1);
    OK(hz_tensor_uniform(x, -1, 1, 1, 9));
    hz_tensor_free(x);
    return p;
}

static hz_step step_of(int64_t count) { return (hz_step){ .count = count, .rate = 0.1f, .version = 1 }; }

static hz_tensor *value(hz_plan *p, const char *name, int64_t rows)
{
    hz_tensor *t = hz_plan_peek(p, hz_graph_find(hz_plan_graph(p), name), rows);
    ck_assert_msg(t != NULL, "%s: %s", name, hz_message());
    return t;
}

static const void *data(const hz_tensor *t)
{
    OK(hz_tensor_host(t, HZ_READ));
    return t->data;
}

static double number(hz_plan *p, const char *name)
{
    hz_tensor *t = value(p, name, -1);
    double v = hz_tensor_at(t, (int64_t[]){ 0, 0 });
    hz_tensor_free(t);
    return v;
}

#endif

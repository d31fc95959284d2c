/* made.h: short ways to make graphs and tensors in the C tests of the core. */
#ifndef MADE_H
#define MADE_H
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include "hz/plan.h"
#include "suite.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE(...) (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ }

/* n-th random word of a test's own sequence (xorshift64*, Vigna 2014). */
static inline uint32_t chance(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * 0x2545F4914F6CDD1Du >> 32);
}
static inline int pick(uint64_t *state, int n) { return (int)(chance(state) % (uint32_t)n); }

static inline hz_tensor *filled(int dtype, double value, int ndim, const int64_t *shape)
{
    hz_tensor *t = hz_tensor_new(dtype, ndim, shape);
    ck_assert_msg(t != NULL, "%s", hz_message());
    OK(hz_tensor_fill(t, value));
    return t;
}

static inline hz_tensor *noise(uint32_t stream, int ndim, const int64_t *shape)
{
    hz_tensor *t = hz_tensor_new(HZ_F32, ndim, shape);
    ck_assert_msg(t != NULL, "%s", hz_message());
    OK(hz_tensor_uniform(t, -1, 1, 1, stream));
    return t;
}

/* Binds a fresh tensor; the graph keeps the only count of it. */
static inline int bound(hz_graph *g, const char *name, hz_tensor *t, int parameter)
{
    int v = hz_graph_bind(g, name, t, parameter);
    hz_tensor_free(t);
    ck_assert_msg(v >= 0, "%s", hz_message());
    return v;
}

/* Adds a node with up to three inputs (-1: none). */
static inline int node(hz_graph *g, const char *op, const char *name, hz_attr attr, int a, int b, int c)
{
    int32_t in[] = { a, b, c };
    int v = hz_graph_add(g, op, name, &attr, in, c >= 0 ? 3 : b >= 0 ? 2 : 1);
    ck_assert_msg(v >= 0, "%s: %s", op, hz_message());
    return v;
}
#define ACT(which) ((hz_attr){ .act = { .act = which } })
#define WINDOW(k, s, p) ((hz_attr){ .window = { .kh = k, .kw = k, .sh = s, .sw = s, .pad = p } })
#define NONE ((hz_attr){ .act = { 0 } })

/* Frees a list of tensors. */
static inline void drop(int n, hz_tensor *const *t)
{
    for (int i = 0; i < n; i++)
        hz_tensor_free(t[i]);
}
#define DROP(...) \
    drop((int)(sizeof((hz_tensor *[]){ __VA_ARGS__ }) / sizeof(hz_tensor *)), (hz_tensor *[]){ __VA_ARGS__ })
#endif

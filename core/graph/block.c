/* block.c: values that lie as kernels want them. What one convolution makes and convolutions alone read need not lie
   image by image: blocked (hz_arg), 16 images within each other, it is made and read without a copy. Nobody else sees
   such a value: it has no keeper and no view, and the backend runs the nodes at both ends of it so. */
#include "graph/planner.h"

/* Whether it could lie so at all. */
static int fits(const hz_value *v)
{
    return v->kind == HZ_ACTIVATION && v->ndim == 4 && v->view < 0 && !v->keep && !v->unstored
           && v->shape[0] % HZ_BLOCK_N == 0 && v->shape[3] % HZ_BLOCK_C == 0;
}

static int runs(const hz_graph *g, const hz_backend *b, const hz_node *n)
{
    hz_work w = work_of(g, n);
    return b->accepts(&w);
}

/* Whether node n may read the value: as its first input, and not in another shape. */
static int reads_well(const hz_graph *g, const hz_backend *b, const hz_node *n, int value)
{
    for (int k = 1; k < n->nin; k++)
        if (n->in[k] == value)
            return 0;
    return !op_has(n->op, 'V') && runs(g, b, n);
}

static int all_read_well(const hz_graph *g, const hz_backend *b, int value)
{
    int readers = 0;
    for (const hz_node *n = g->nodes; n < g->nodes + g->nnodes; n++)
        for (int k = 0; k < n->nin && !n->dead; k++)
            if (n->in[k] == value) {
                readers++;
                if (!reads_well(g, b, n, value))
                    return 0;
            }
    return readers > 0;
}

void graph_block(hz_graph *g, const hz_backend *b)
{
    for (int i = 0; i < g->nnodes && b->blocks; i++) {
        const hz_node *n = &g->nodes[i];
        int value = n->dead || op_has(n->op, 'V') || n->nout < 1 ? -1 : hz_node_result(n);
        hz_value *v = value < 0 ? NULL : &g->values[value];
        if (!v || !fits(v))
            continue;
        v->blocked = 1;
        v->blocked = runs(g, b, n) && all_read_well(g, b, value);
    }
}

/* wide.c: bf16 activations through kernels that compute over f32. A node is widened: its bf16 values become f32
   copies in an area that all nodes of a program share, a kernel runs on the copies, and its results are rounded
   back (to nearest even). Every kernel serves bf16 plans that way; one that reads bf16 itself saves 6 bytes moved
   per element and the copies. Parameters and what belongs to them are f32 in such plans, so only activations are
   converted, and of them only the rows in use. */
#include "cpu/micro.h"

enum { CHUNK = 16384 };      /* elements of a task */

static int narrow(const hz_arg *a) { return a->dtype == HZ_BF16 && a->kind == HZ_ACTIVATION; }
static hz_arg *arg(hz_work *w, int i) { return i < w->nin ? &w->in[i] : &w->out[i - w->nin]; }
static size_t wide_size(const hz_arg *a) { return line_bytes((size_t)cpu_size(a, 0, a->ndim) * sizeof(float)); }

int wide_wanted(const hz_work *w)
{
    hz_work k = *w;
    for (int i = 0; i < k.nin + k.nout; i++)
        if (narrow(arg(&k, i)))
            return 1;
    return 0;
}

/* Index of an earlier value in the same memory, -1 if there is none: a result in place of its input stays there. */
static int same_memory(hz_work *w, int i)
{
    for (int j = 0; j < i; j++)
        if (narrow(arg(w, j)) && arg(w, j)->data == arg(w, i)->data)
            return j;
    return -1;
}

hz_work wide_work(const hz_work *w, char *area, size_t *bytes)
{
    hz_work given = *w, k = *w;
    *bytes = 0;
    for (int i = 0; i < k.nin + k.nout; i++) {
        hz_arg *a = arg(&k, i);
        if (!narrow(a))
            continue;
        a->dtype = HZ_F32;
        int before = a->data ? same_memory(&given, i) : -1;
        if (area && a->data)
            a->data = before < 0 ? area + *bytes : arg(&k, before)->data;
        *bytes += before < 0 ? wide_size(a) : 0;
    }
    return k;
}

/* 6 bytes per element at 10 GB/s. */
double wide_cost(const hz_work *w)
{
    size_t bytes;
    wide_work(w, NULL, &bytes);
    return 1e-6 + 1.5e-10 * (double)bytes;
}

typedef struct copying {
    const cpu_micro *m;
    float *wide;
    uint16_t *narrow;
    int64_t n;
    int back;                 /* f32 -> bf16 */
} copying;

static void copy_task(void *given, int task, int worker)
{
    const copying *k = given;
    int64_t from = (int64_t)task * CHUNK, n = k->n - from < CHUNK ? k->n - from : CHUNK;
    if (k->back)
        k->m->narrow(k->narrow + from, k->wide + from, n);
    else
        k->m->widen(k->wide + from, k->narrow + from, n);
}

static void copy(const hz_arg *as_bf16, const hz_arg *as_f32, const cpu_call *c, int back)
{
    copying k = { .m = c->micro, .wide = as_f32->data, .narrow = as_bf16->data, .n = cpu_count(as_bf16, c),
                  .back = back };
    if (narrow(as_bf16) && as_bf16->data)
        team_run((int)ceil_div(k.n, CHUNK), copy_task, &k);
}

hz_status wide_run(const cpu_kernel *kernel, const hz_work *w, const hz_work *wide, const cpu_call *c)
{
    for (int i = 0; i < w->nin; i++)
        copy(&w->in[i], &wide->in[i], c, 0);
    hz_status status = kernel->run(wide, c);
    for (int i = 0; i < w->nout && !status; i++)
        copy(&w->out[i], &wide->out[i], c, 1);
    return status;
}

/* optim.c: the input node and the optimisers as plain loops (ref.h). */
#include "cpu/ref/ref.h"
#include "hz/philox.h"

#define TEMPLATE "cpu/ref/optim.inc.h"
#include "cpu/ref/ref.inc.h"

REF_KERNEL(input)
REF_KERNEL(sgd)
REF_KERNEL(adam)
REF_KERNEL(adamw)
REF_KERNEL(adadelta)
REF_KERNEL(average)

/* The matrix, the next one, and two products of it with itself. */
static size_t muon_memory(const hz_work *w, const cpu_micro *m)
{
    int64_t all = cpu_size(&w->in[0], 0, w->in[0].ndim), rows = w->in[0].shape[0];
    int64_t least = min(rows, rows > 0 ? all / rows : 0);
    return line_bytes((size_t)(2 * all + 2 * least * least) * hz_dtype_bytes(w->in[0].dtype));
}

static hz_status muon_run(const hz_work *w, const cpu_call *c)
{
    return cpu_all(w, HZ_F64) ? muon_f64(w, c) : muon_f32(w, c);
}

const cpu_kernel ref_muon = { .name = "ref", .cost = ref_cost, .memory = muon_memory, .run = muon_run };

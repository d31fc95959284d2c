/* ref.h: reference kernels are plain loops over a type T, included once for float and once for double.
   They are the specification: they close every kernel list and judge every fast kernel. Never optimised.
   A file ref_x.c names its template TEMPLATE, includes ref.inc.h, and makes rows with REF_KERNEL. */
#ifndef HZ_CPU_REF_H
#define HZ_CPU_REF_H
#include "cpu/cpu.h"
#include <math.h>
#include <string.h>

double ref_cost(const hz_work *w, const cpu_micro *m);       /* dearest of all; all f32 or all f64, else negative */

#define REF_KERNEL(op) \
    static hz_status op##_run(const hz_work *w, const cpu_call *c) \
    { \
        return cpu_all(w, HZ_F64) ? op##_f64(w, c) : op##_f32(w, c); \
    } \
    const cpu_kernel ref_##op = { .name = "ref", .cost = ref_cost, .run = op##_run };

#endif

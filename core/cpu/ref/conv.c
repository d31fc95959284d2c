/* conv.c: convolution and dense layers as plain loops (ref.h). */
#include "cpu/ref/ref.h"

double ref_cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_all(w, HZ_F32) || cpu_all(w, HZ_F64) ? 1e6 : -1;
}

#define TEMPLATE "cpu/ref/conv.inc.h"
#include "cpu/ref/ref.inc.h"

REF_KERNEL(conv2d)
REF_KERNEL(conv2d_dx)
REF_KERNEL(conv2d_dw)
REF_KERNEL(dense)
REF_KERNEL(dense_dx)
REF_KERNEL(dense_dw)
REF_KERNEL(bias_grad)

/* step.cu: what is launched around the nodes: the step's numbers into the device's memory, and the gate. */
#include "cuda/lang.h"
#include "cuda/program.h"

static __global__ void step_kernel(hz_step *to, hz_step s) { *to = s; }

/* Once shut, it stays so. */
template <class T> static __global__ void gate_kernel(const T *number, int32_t *shut)
{
    T x = *number;
    if (!(x - x == 0))                                /* NaN, or an infinity */
        *shut = 1;
}

void launch_step(void *stream, hz_step *to, const hz_step *s)
{
    HZ_LAUNCH_FLAT(step_kernel, 1, 1, 0, stream, to, *s);
}

void launch_gate(void *stream, const hz_arg *number, int32_t *shut)
{
    if (number->dtype == HZ_F64)
        HZ_LAUNCH_FLAT(gate_kernel<double>, 1, 1, 0, stream, (const double *)number->data, shut);
    else
        HZ_LAUNCH_FLAT(gate_kernel<float>, 1, 1, 0, stream, (const float *)number->data, shut);
}

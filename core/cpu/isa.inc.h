/* isa.inc.h: everything an isa_*.c includes after it has set LANES and FILL: the vector type, the micro-kernels, the filler. */
#include "cpu/micro.h"
#include "cpu/vector.h"
#include "cpu/peak.inc.h"

void FILL(cpu_micro *m)
{
    m->lanes = LANES;
    m->peak_f32 = peak_f32;
}

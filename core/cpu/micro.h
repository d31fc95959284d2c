/* micro.h: the table of micro-kernels. One row per ISA level; each level begins as a copy of the one below and overwrites the
   slots it improves (isa_*.c). Drivers take tile sizes from the same row, so they need no ISA names. */
#ifndef HZ_CPU_MICRO_H
#define HZ_CPU_MICRO_H
#include "cpu/cpu.h"

struct cpu_micro {
    const char *isa;
    int lanes;                /* f32 per vector */

    /* FMA peak: `steps` rounds of register-only multiply-adds; returns how many flops those were. bf16: NULL without instructions */
    double (*peak_f32)(long steps);
    double (*peak_bf16)(long steps);
};

void cpu_micro_portable(cpu_micro *m);
void cpu_micro_avx2(cpu_micro *m);
void cpu_micro_avx512(cpu_micro *m);
void cpu_micro_avx512bf16(cpu_micro *m);

#endif

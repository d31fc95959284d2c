/* isa_avx512bf16.c: fills only the bf16 slots; the others stay as AVX-512 made them. */
#include "cpu/micro.h"
#include <immintrin.h>

/* 12 chains of vdpbf16ps: each does 32 multiply-adds of bf16 pairs into 16 f32 sums. */
static double peak_bf16(long steps)
{
    __m512 sum[12];
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f003f00), b = (__m512bh)_mm512_set1_epi32(0x3a803a80);
    for (int i = 0; i < 12; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (long s = 0; s < steps; s++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, b);
    }
    for (int i = 1; i < 12; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    volatile float keep;
    keep = _mm512_cvtss_f32(sum[0]);
    (void)keep;
    return 12.0 * 64 * (double)steps;
}

void cpu_micro_avx512bf16(cpu_micro *m) { m->peak_bf16 = peak_bf16; }

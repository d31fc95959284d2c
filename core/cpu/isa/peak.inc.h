/* peak.inc.h: register-only multiply-adds, 12 independent chains: enough to hide the latency of two units. The
   compiler must not know the numbers: a chain that begins at its fixed point (1 is 1*0.999 + 0.001) would be folded
   away and counted all the same. */
static double peak_f32(long steps)
{
    volatile float factor = 0.999f, term = 1e-3f, first = 0.5f;
    V sum[12], scale = v_set(factor), shift = v_set(term);
    for (int i = 0; i < 12; i++)
        sum[i] = v_set(first + 0.1f * (float)i);
    for (long s = 0; s < steps; s++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = v_fma(sum[i], scale, shift);
    }
    for (int i = 1; i < 12; i++)
        sum[0] = v_add(sum[0], sum[i]);
    volatile float keep;       /* the compiler must not drop the loop */
    keep = v_first(sum[0]);
    (void)keep;
    return 12.0 * 2 * LANES * (double)steps;
}

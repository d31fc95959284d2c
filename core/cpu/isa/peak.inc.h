/* peak.inc.h: register-only multiply-adds, 12 independent chains: enough to hide the latency of two units. */
static double peak_f32(long steps)
{
    V sum[12], scale = v_set(0.999f), shift = v_set(1e-3f);
    for (int i = 0; i < 12; i++)
        sum[i] = v_set((float)i);
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

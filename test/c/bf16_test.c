/* bf16_test.c: what loops over bf16 compute is the same to the bit on every vector level: rounding, and the larger of
   two. */
#include "cpu_work.h"

static const char *const levels[] = { "portable", "avx2", "avx512", "avx512bf16", "amx" };

static int has_level(const char *name) { return hz_cpu_set_isa(name) == HZ_OK; }

static void run(work *k, int64_t count)
{
    hz_step s = { .seed = 11, .count = count, .epoch = 2, .version = 1 };
    ck_assert_msg(work_run(k, &s) == HZ_OK, "%s", hz_message());
}

/* Products of every bf16 and a third: denormals, infinities and NaN too. 63*1041 is no multiple of any vector. */
START_TEST(results_round_alike)
{
    if (!has_level(levels[_i]))
        return;
    work k;
    const float third = 1.0f / 3;
    wcase t = { OP_act, "n63,1041", "o63,1041", { .act = { .act = HZ_SCALE, .alpha = third } } };
    work_make(&k, &t, HZ_BF16);
    size_t n = arg_count(&k.w.out[0]);
    uint16_t *x = k.w.in[0].data, *y = k.w.out[0].data;
    for (size_t i = 0; i < n; i++)
        x[i] = (uint16_t)i;
    run(&k, 63);
    for (size_t i = 0; i < n; i++) {
        uint16_t wanted = f32_to_bf16(bf16_to_f32(x[i]) * third);
        ck_assert_msg(y[i] == wanted, "%s: %04x / 3 became %04x; needs %04x", levels[_i], x[i], y[i], wanted);
    }
    work_free(&k);
}
END_TEST

/* The number of the first of four that no other is more than; NaN is more than any number. */
static int first_of_most(const uint16_t v[4])
{
    int most = 0;
    for (int i = 1; i < 4; i++) {
        float a = bf16_to_f32(v[i]), b = bf16_to_f32(v[most]);
        if (a > b || (isnan(a) && !isnan(b)))
            most = i;
    }
    return most;
}

/* Windows of 2x2 of zeros, denormals, infinities and NaN of both signs. */
START_TEST(maxima_are_exact)
{
    static const uint16_t special[16] = { 0, 0x8000, 1, 0x8001, 0x3f80, 0xbf80, 0x3f81, 0xbf81, 0x7f7f, 0xff7f, 0x7f80,
                                          0xff80, 0xff80, 0x7fc0, 0xffc1, 0x7f81 };
    enum { N = 64, H = 8, C = 67 };
    if (!has_level(levels[_i]))
        return;
    work k;
    wcase t = { OP_maxpool, "n64,8,8,67", "o64,4,4,67 b64,4,4,67",
                { .window = { .kh = 2, .kw = 2, .sh = 2, .sw = 2, .pad = HZ_VALID } } };
    work_make(&k, &t, HZ_BF16);
    uint16_t *x = k.w.in[0].data, *y = k.w.out[0].data;
    uint8_t *argmax = k.w.out[1].data;
    for (size_t i = 0; i < arg_count(&k.w.in[0]); i++)
        x[i] = special[hz_random(5, (uint32_t)i, 1, 0, 0, HZ_FOR_INIT) >> 28];
    run(&k, N);
    for (int i = 0; i < N * H / 2 * H / 2 * C; i++) {
        const uint16_t *at = x + (i / C / (H / 2) * 2 * H + i / C % (H / 2) * 2) * C + i % C;
        uint16_t v[4] = { at[0], at[C], at[H * C], at[H * C + C] };
        int most = first_of_most(v);
        ck_assert_msg(argmax[i] == most && y[i] == f32_to_bf16(bf16_to_f32(v[most])),
                      "%s: of %04x %04x %04x %04x number %d is most, not %d, which became %04x", levels[_i], v[0], v[1],
                      v[2], v[3], most, argmax[i], y[i]);
    }
    work_free(&k);
}
END_TEST

int main(void)
{
    return RUN_SUITE("bf16", EACH(results_round_alike, levels), EACH(maxima_are_exact, levels));
}

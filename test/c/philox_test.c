/* philox_test.c: the counter-based generator against published numbers, and the shuffled order against its promises. */
#include "hz/philox.h"
#include "suite.h"
#include <stdlib.h>
#include <string.h>

/* Known answers of philox4x32-10 from Random123's kat_vectors. */
static const struct { uint32_t counter[4], key[2], out[4]; } known[] = {
    { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
      { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
};

START_TEST(known_answers)
{
    uint32_t out[4];
    hz_philox4(known[_i].counter, known[_i].key, out);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(out[i], known[_i].out[i]);
}
END_TEST

START_TEST(convention)
{
    const uint32_t counter[4] = { 1234 / 4, 7, 3, 5u << 8 | HZ_FOR_DROPOUT }, key[2] = { 0x89abcdef, 0x01234567 };
    uint32_t out[4], block[4];
    hz_philox4(counter, key, out);
    hz_random4(0x0123456789abcdef, 1234 / 4, 7, 3, 5, HZ_FOR_DROPOUT, block);
    ck_assert_mem_eq(out, block, sizeof out);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(hz_random(0x0123456789abcdef, 1232 + i, 7, 3, 5, HZ_FOR_DROPOUT), out[i]);
    for (uint32_t i = 0; i < 8; i++)
        ck_assert_uint_eq(hz_random16(0x0123456789abcdef, 2464 + i, 7, 3, 5, HZ_FOR_DROPOUT),
                          i % 2 ? out[i / 2] >> 16 : out[i / 2] & 0xffff);
    ck_assert(hz_unit(0) == 0);
    ck_assert(hz_unit(0xffffffff) < 1);
    ck_assert(hz_unit(0x80000000) == 0.5f);
}
END_TEST

/* Sizes around powers of two, every small one, and odd ones. */
START_TEST(order_is_a_bijection)
{
    static const uint32_t large[] = { 1000, 1023, 1024, 1025, 50000, 65535, 65536, 65537, 100003, 1 << 18 };
    uint32_t n = _i < 70 ? (uint32_t)_i + 1 : large[_i - 70];
    unsigned char *seen = calloc(n, 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = hz_feistel(i, n, 99, 2);
        ck_assert_uint_lt(to, n);
        ck_assert_msg(!seen[to], "n = %u: %u comes twice", n, to);
        seen[to] = 1;
    }
    free(seen);
}
END_TEST

START_TEST(order_of_the_largest_sets)
{
    const uint32_t n[] = { 0x80000000u, 0x7fffffffu, 0x40000001u };
    for (int k = 0; k < 3; k++) {
        uint32_t last = n[k] - 1, a = hz_feistel(0, n[k], 1, 0), b = hz_feistel(last, n[k], 1, 0);
        ck_assert_uint_le(a, last);
        ck_assert_uint_le(b, last);
        ck_assert_uint_ne(a, b);
    }
}
END_TEST

START_TEST(order_depends_on_seed_and_epoch)
{
    int same_seed = 0, same_epoch = 0, fixed = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t to = hz_feistel(i, 10000, 5, 0);
        same_seed += to == hz_feistel(i, 10000, 5 + (UINT64_C(1) << 32), 0);
        same_epoch += to == hz_feistel(i, 10000, 5, 1);
        fixed += to == i;
    }
    ck_assert_int_lt(same_seed, 12);       /* Poisson with mean 1 */
    ck_assert_int_lt(same_epoch, 12);
    ck_assert_int_lt(fixed, 12);
}
END_TEST

/* Every order of n items should be equally frequent over seeds. Chi square against its mean plus five deviations. */
START_TEST(small_orders_are_even)
{
    const uint32_t n = (uint32_t)_i;
    int orders = 1, code_count = 1;
    for (uint32_t i = 2; i <= n; i++)
        orders *= (int)i;
    for (uint32_t i = 0; i < n; i++)
        code_count *= (int)n;
    int *count = calloc((size_t)code_count, sizeof *count), draws = orders * 200;
    for (int seed = 0; seed < draws; seed++) {
        int code = 0;
        for (uint32_t i = 0; i < n; i++)
            code = code * (int)n + (int)hz_feistel(i, n, (uint64_t)seed, 0);
        count[code]++;
    }
    double chi2 = 0;
    int used = 0;
    for (int c = 0; c < code_count; c++)
        if (count[c]) {
            chi2 += (count[c] - 200.0) * (count[c] - 200.0) / 200;
            used++;
        }
    free(count);
    ck_assert_int_eq(used, orders);
    double freedom = orders - 1, excess = chi2 - freedom;
    ck_assert_msg(excess < 0 || excess * excess < 25 * 2 * freedom, "n = %u: chi square %g for %g degrees", n,
                  chi2, freedom);
}
END_TEST

/* Where one item lands, over epochs: 64 places, mean 200 each. */
START_TEST(places_are_even)
{
    int count[64] = { 0 };
    for (uint32_t epoch = 0; epoch < 64 * 200; epoch++)
        count[hz_feistel(17, 1000, 3, epoch) * 64 / 1000]++;
    double chi2 = 0;
    for (int i = 0; i < 64; i++) {
        double expected = 64 * 200 * ((1000 * (i + 1) + 63) / 64 - (1000 * i + 63) / 64) / 1000.0;
        chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    }
    ck_assert_double_lt(chi2, 63 + 5 * 11.3);
    ck_assert_double_gt(chi2, 63 - 5 * 11.3);
}
END_TEST

int main(void)
{
    return RUN_SUITE("philox", EACH(known_answers, known), ONCE(convention), RANGE(order_is_a_bijection, 0, 80),
                     ONCE(order_of_the_largest_sets), ONCE(order_depends_on_seed_and_epoch),
                     RANGE(small_orders_are_even, 2, 7), ONCE(places_are_even));
}

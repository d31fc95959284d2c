/* blas_test.c: products by cuBLASLt, as far as they can be tried without a card: a library that computes on the host
   (fake_cublaslt.c), in processes of their own, as it is opened once. */
#define _GNU_SOURCE
#include "cuda/blas.h"
#include "suite.h"
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const hz_core *cuda_core;

static char said[256];
static hz_status say(hz_status code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(said, sizeof said, format, list);
    va_end(list);
    return code;
}

static const hz_core core = { .size = sizeof core, .fail = say };

static void use(const char *file, const char *how)
{
    cuda_core = &core;
    setenv("HZ_CUBLASLT", file, 1);
    setenv("FAKE_CUBLASLT", how, 1);
}

static float value(int64_t i) { return (float)(i * 7919 % 23 - 11) / 8; }

static void compare(const blas_shape *s, float by_sum, float by_was)
{
    float left[64], right[64], was[64], out[64];
    char room[512];
    for (int i = 0; i < 64; i++) {
        left[i] = value(i);
        right[i] = value(i + 5);
        was[i] = value(i + 9);
    }
    blas_product *p = blas_product_new(s);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(blas_workspace(p), sizeof room);
    ck_assert_int_eq(blas_multiply(p, by_sum, left, right, by_was, was, out, room, NULL), HZ_OK);
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t c = 0; c < s->columns; c++) {
            double sum = 0;
            for (int64_t k = 0; k < s->length; k++)
                sum += left[s->left_turned ? k * s->rows + r : r * s->length + k]
                       * right[s->right_turned ? c * s->length + k : k * s->columns + c];
            double wanted = by_sum * sum + by_was * was[r * s->columns + c];
            ck_assert_double_le(fabs(out[r * s->columns + c] - wanted), 1e-5);
        }
    blas_product_free(p);
}

START_TEST(products)
{
    use(FAKE_LIBRARY, "");
    ck_assert_msg(blas_here(), "%s", said);
    for (int turned = 0; turned < 4; turned++)
        for (int tf32 = 0; tf32 < 2; tf32++) {
            blas_shape s = { .rows = 3, .columns = 5, .length = 7, .left_turned = turned & 1,
                             .right_turned = turned >> 1, .tf32 = tf32 };
            compare(&s, 1, 0);
            compare(&s, 0.5f, -2);
        }
}
END_TEST

START_TEST(no_way)
{
    blas_shape s = { .rows = 3, .columns = 5, .length = 7 };
    use(FAKE_LIBRARY, "none");
    ck_assert_int_eq(blas_here(), 1);
    ck_assert_ptr_null(blas_product_new(&s));
    ck_assert_str_eq(said, "cublaslt: a product (3,5) of length 7 was asked for; it has no way to do it");
}
END_TEST

START_TEST(no_library)
{
    use("/nowhere/libcublasLt.so", "");
    ck_assert_int_eq(blas_here(), 0);
    ck_assert_ptr_nonnull(strstr(said, "/nowhere/libcublasLt.so"));
    ck_assert_ptr_nonnull(strstr(said, "large products run by plain kernels"));
}
END_TEST

START_TEST(not_the_library)
{
    use("libm.so.6", "");
    ck_assert_int_eq(blas_here(), 0);
    ck_assert_str_eq(said, "cublaslt: 'libm.so.6' lacks cublasLtCreate; needs cuBLASLt 12 or 13");
}
END_TEST

START_TEST(no_card)
{
    use(FAKE_LIBRARY, "closed");
    ck_assert_int_eq(blas_here(), 0);
    ck_assert_ptr_nonnull(strstr(said, "cannot begin: status 1"));
}
END_TEST

int main(void)
{
    return RUN_SUITE("products by cuBLASLt", ONCE(products), ONCE(no_way), ONCE(no_library), ONCE(not_the_library),
                     ONCE(no_card));
}

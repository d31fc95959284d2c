/* quality_test.c: squared error, PSNR and SSIM against the formula written out position by position. */
#include "hz/measure.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint8_t noise(void)
{
    static uint32_t state = 7;
    state = state * 1664525u + 1013904223u;
    return (uint8_t)(state >> 24);
}

/* Wang 2004, equations 13 to 16, for the window at (y,x) of one channel. */
static double window_ssim(const uint8_t *a, const uint8_t *b, int w, int c, int y, int x, int k, int rows, int columns)
{
    double g = 0, ma = 0, mb = 0, va = 0, vb = 0, vab = 0, c1 = 6.5025, c2 = 58.5225;
    for (int pass = 0; pass < 3; pass++)         /* weights; means; variances around the means */
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
                double dy = i - (rows - 1) / 2.0, dx = j - (columns - 1) / 2.0, weight = exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5));
                double p = a[((y + i) * w + x + j) * c + k], q = b[((y + i) * w + x + j) * c + k];
                if (pass == 0) {
                    g += weight;
                } else if (pass == 1) {
                    ma += weight / g * p;
                    mb += weight / g * q;
                } else {
                    va += weight / g * (p - ma) * (p - ma);
                    vb += weight / g * (q - mb) * (q - mb);
                    vab += weight / g * (p - ma) * (q - mb);
                }
            }
    return (2 * ma * mb + c1) * (2 * vab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
}

static double plain_ssim(const uint8_t *a, const uint8_t *b, int h, int w, int c)
{
    int rows = h < 11 ? h : 11, columns = w < 11 ? w : 11, n = 0;
    double sum = 0;
    for (int k = 0; k < c; k++)
        for (int y = 0; y + rows <= h; y++)
            for (int x = 0; x + columns <= w; x++, n++)
                sum += window_ssim(a, b, w, c, y, x, k, rows, columns);
    return sum / n;
}

static const int shapes[][3] = { { 32, 32, 3 }, { 11, 11, 1 }, { 13, 40, 3 }, { 12, 11, 3 }, { 5, 30, 1 }, { 8, 8, 3 }, { 1, 1, 3 }, { 1, 20, 1 } };

START_TEST(ssim_follows_the_formula)
{
    const int *s = shapes[_i], n = 3, bytes = s[0] * s[1] * s[2];
    uint8_t *a = malloc((size_t)(n * bytes)), *b = malloc((size_t)(n * bytes));
    double got[3], again[3];
    for (int i = 0; i < n * bytes; i++) {
        a[i] = noise();
        b[i] = i < bytes ? a[i] : i < 2 * bytes ? (uint8_t)((a[i] + noise()) / 2) : noise();
    }
    ck_assert_int_eq(hz_ssim(a, b, n, s[0], s[1], s[2], got, 1), HZ_OK);
    ck_assert_int_eq(hz_ssim(a, b, n, s[0], s[1], s[2], again, 2), HZ_OK);
    ck_assert_int_eq(memcmp(got, again, sizeof got), 0);
    ck_assert_double_eq(got[0], 1);
    for (int i = 1; i < n; i++)
        ck_assert_double_eq_tol(got[i], plain_ssim(a + i * bytes, b + i * bytes, s[0], s[1], s[2]), 1e-9);
    free(a);
    free(b);
}
END_TEST

START_TEST(ssim_refuses)
{
    double out;
    ck_assert_int_eq(hz_ssim(NULL, NULL, 1, 0, 4, 1, &out, 1), HZ_ESHAPE);
    ck_assert_int_eq(hz_ssim(NULL, NULL, 0, 4, 4, 1, &out, 1), HZ_OK);
}
END_TEST

START_TEST(squared_error_and_psnr)
{
    enum { COUNT = 40000 };
    static uint8_t a[COUNT], b[COUNT];
    memset(a, 255, sizeof a);
    ck_assert_int_eq(hz_squared_error(a, b, COUNT), (int64_t)COUNT * 255 * 255);
    ck_assert_int_eq(hz_squared_error(a, a, COUNT), 0);
    ck_assert_double_eq_tol(hz_psnr((double)COUNT * 255 * 255, COUNT), 0, 1e-12);
    ck_assert_double_eq_tol(hz_psnr(100, 100), 48.1308036086791, 1e-9);          /* a mean squared error of 1 */
    ck_assert(isinf(hz_psnr(0, 100)));
}
END_TEST

int main(void)
{
    return RUN_SUITE("quality", EACH(ssim_follows_the_formula, shapes), ONCE(ssim_refuses),
                     ONCE(squared_error_and_psnr));
}

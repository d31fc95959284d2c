/* moments.h: mean and sum of squares about it, of columns, in one reading: blocks of rows that
   stay in the caches are gone through twice, then joined after Chan, Golub and LeVeque (1979):
   M2 = M2a + M2b + (mean_b - mean_a)^2 * a*b/(a + b). */
#ifndef HZ_CPU_MOMENTS_H
#define HZ_CPU_MOMENTS_H
#include "cpu/micro.h"
#include <math.h>

enum { MOMENTS_MOST = 512, MOMENTS_NEAR = 64 };      /* columns at most; rows of a block */

/* `more` numbers joined to `count` before. */
static inline void moments_join(double *mean, double *squares, double count, double mean_more, double squares_more,
                                double more)
{
    double share = more / (count + more), apart = mean_more - *mean;
    *squares += squares_more + apart * apart * share * count;
    *mean += apart * share;
}

/* moments: count, n means, n sums of squares about them; all zero at first. Adds (rows,n) stored numbers of this
   type, n <= MOMENTS_MOST. */
static inline void moments_add(double *moments, const cpu_stored *s, int dtype, const void *x, int64_t rows, int64_t n)
{
    float mean[MOMENTS_MOST], squares[MOMENTS_MOST];
    for (int64_t r = 0; r < rows; r += MOMENTS_NEAR) {
        int64_t some = min(rows - r, MOMENTS_NEAR);
        const void *from = (const char *)x + r * n * (int64_t)hz_dtype_bytes(dtype);
        s->sum_rows(mean, from, some, n, n);
        for (int64_t i = 0; i < n; i++)
            mean[i] /= (float)some;
        s->norm_squares(squares, from, mean, some, n);
        double count = moments[0];        /* no store below changes it: one division serves all columns */
        for (int64_t i = 0; i < n; i++)
            moments_join(&moments[1 + i], &moments[1 + n + i], count, mean[i], squares[i], (double)some);
        moments[0] = count + (double)some;
    }
}
/* 1/sqrt(variance + epsilon) of batch norm */
static inline float norm_scale(const hz_norm *a, float variance)
{
    return 1 / sqrtf(variance + a->epsilon);
}
#endif

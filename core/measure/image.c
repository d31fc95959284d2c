/* image.c: squared error, PSNR, SSIM.
   SSIM runs the 11 taps down the rows first, then along them, on four sums: a, b, a^2 + b^2 and ab; the index needs no others. Rows are
   (width, channels) interleaved, so both passes are plain loops over contiguous doubles. */
#include "hz/measure.h"
#include "spread.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

int64_t hz_squared_error(const uint8_t *a, const uint8_t *b, int64_t count)
{
    int64_t sum = 0;
    while (count > 0) {
        int n = count < 16384 ? (int)count : 16384;         /* 16384 * 255^2 < 2^31 */
        int32_t part = 0;
        for (int i = 0; i < n; i++) {
            int d = (int)a[i] - (int)b[i];
            part += d * d;
        }
        sum += part;
        a += n;
        b += n;
        count -= n;
    }
    return sum;
}

double hz_psnr(double squared_error, double count)
{
    return squared_error > 0 ? 10 * log10(255.0 * 255.0 * count / squared_error) : INFINITY;
}

/* ---- SSIM ---- */

enum { TAPS = 11, SUMS = 4 };        /* a, b, a^2 + b^2, ab */
static const double SIGMA = 1.5, C1 = (0.01 * 255) * (0.01 * 255), C2 = (0.03 * 255) * (0.03 * 255);

typedef struct ssim_job {
    const uint8_t *a, *b;            /* (n,height,width,channels) */
    int64_t n, height, width;
    int channels, rows, columns;     /* window: TAPS, or a shorter side */
    double tall[TAPS], wide[TAPS];   /* its weights */
    double *out;                     /* (n) */
    atomic_llong next;
    atomic_int failed;
} ssim_job;

static void gaussian(double *w, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double x = i - 0.5 * (n - 1);
        sum += w[i] = exp(-x * x / (2 * SIGMA * SIGMA));
    }
    for (int i = 0; i < n; i++)
        w[i] /= sum;
}

/* The window's columns at row y: sum[k][x] over (width*channels). */
static void down(const ssim_job *j, const uint8_t *a, const uint8_t *b, int64_t row, double *sum)
{
    double *sa = sum, *sb = sa + row, *sq = sb + row, *sp = sq + row;
    for (int64_t x = 0; x < SUMS * row; x++)
        sum[x] = 0;
    for (int t = 0; t < j->rows; t++, a += row, b += row) {
        double w = j->tall[t];
        for (int64_t x = 0; x < row; x++) {
            double p = a[x], q = b[x];
            sa[x] += w * p;
            sb[x] += w * q;
            sq[x] += w * (p * p + q * q);
            sp[x] += w * (p * q);
        }
    }
}

/* Sum of the index over all positions of one row of windows. */
static double along(const ssim_job *j, const double *sum, int64_t row, double *line)
{
    int64_t n = (j->width - j->columns + 1) * j->channels;
    double total = 0;
    for (int k = 0; k < SUMS; k++) {
        double *to = line + k * n;
        for (int64_t x = 0; x < n; x++)
            to[x] = 0;
        for (int t = 0; t < j->columns; t++) {
            const double *from = sum + k * row + t * j->channels;
            double w = j->wide[t];
            for (int64_t x = 0; x < n; x++)
                to[x] += w * from[x];
        }
    }
    for (int64_t x = 0; x < n; x++) {
        double p = line[x], q = line[n + x], pq = p * q, squares = p * p + q * q;
        total += (2 * pq + C1) * (2 * (line[3 * n + x] - pq) + C2) / ((squares + C1) * (line[2 * n + x] - squares + C2));
    }
    return total;
}

/* Every channel has the same number of positions, so the mean over both is one mean. */
static double ssim_one(const ssim_job *j, const uint8_t *a, const uint8_t *b, double *room)
{
    int64_t row = j->width * j->channels, lines = j->height - j->rows + 1;
    double total = 0;
    for (int64_t y = 0; y < lines; y++) {
        down(j, a + y * row, b + y * row, row, room);
        total += along(j, room, row, room + SUMS * row);
    }
    return total / ((double)lines * (double)(j->width - j->columns + 1) * j->channels);
}

static void ssim_work(void *arg, int worker)
{
    ssim_job *j = arg;
    int64_t bytes = j->height * j->width * j->channels, i;
    double *room = malloc((size_t)(2 * SUMS * j->width * j->channels) * sizeof *room);
    if (!room) {
        atomic_store(&j->failed, 1);
        return;
    }
    while ((i = atomic_fetch_add(&j->next, 1)) < j->n)
        j->out[i] = ssim_one(j, j->a + i * bytes, j->b + i * bytes, room);
    free(room);
}

hz_status hz_ssim(const uint8_t *a, const uint8_t *b, int64_t n, int64_t height, int64_t width, int channels, double *out, int threads)
{
    if (n < 0 || height < 1 || width < 1 || channels < 1)
        return hz_fail(HZ_ESHAPE, "ssim: the images are [%lld,%lld,%lld,%d]; needs a height, width and channels of at least 1", (long long)n,
                       (long long)height, (long long)width, channels);
    ssim_job j = { .a = a, .b = b, .n = n, .height = height, .width = width, .channels = channels, .out = out };
    j.rows = height < TAPS ? (int)height : TAPS;
    j.columns = width < TAPS ? (int)width : TAPS;
    gaussian(j.tall, j.rows);
    gaussian(j.wide, j.columns);
    threads = spread_threads(threads);
    spread(n < threads ? (n > 0 ? (int)n : 1) : threads, ssim_work, &j);
    return atomic_load(&j.failed) ? hz_fail(HZ_EMEM, "ssim: no memory for a row of sums") : HZ_OK;
}

/* image.c: squared error, PSNR, SSIM.
   SSIM runs the 11 taps down the rows first, then along them, on four sums: a, b, a^2 + b^2 and ab; the index needs no
   others. Rows are (width, channels) interleaved, so both passes are plain loops over contiguous doubles. */
#include "measure/rows.h"
#include <math.h>

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

double image_error(const hz_media *a, const void *b, double *room)
{
    return (double)hz_squared_error(a->data, b, a->height * a->width * a->channels);
}

double hz_psnr(double squared_error, double count)
{
    return squared_error > 0 ? 10 * log10(255.0 * 255.0 * count / squared_error) : INFINITY;
}

/* ---- SSIM ---- */

enum { TAPS = 11, SUMS = 4 };        /* a, b, a^2 + b^2, ab */
static const double SIGMA = 1.5, C1 = (0.01 * 255) * (0.01 * 255), C2 = (0.03 * 255) * (0.03 * 255);

/* The window over one image. */
typedef struct window {
    int64_t height, width;
    int channels, rows, columns;     /* TAPS, or a shorter side */
    double tall[TAPS], wide[TAPS];   /* weights */
} window;

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
static void down(const window *j, const uint8_t *a, const uint8_t *b, int64_t row, double *sum)
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
static double along(const window *j, const double *sum, int64_t row, double *line)
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
        total += (2 * pq + C1) * (2 * (line[3 * n + x] - pq) + C2) /
                 ((squares + C1) * (line[2 * n + x] - squares + C2));
    }
    return total;
}

static window window_over(const hz_media *m)
{
    window j = { .height = m->height, .width = m->width, .channels = m->channels };
    j.rows = m->height < TAPS ? (int)m->height : TAPS;
    j.columns = m->width < TAPS ? (int)m->width : TAPS;
    gaussian(j.tall, j.rows);
    gaussian(j.wide, j.columns);
    return j;
}

/* A row of sums, and the line of windows along it. */
int64_t image_ssim_room(const hz_media *m) { return 2 * SUMS * m->width * m->channels; }

/* Every channel has the same number of positions, so the mean over both is one mean. */
double image_ssim(const hz_media *original, const void *decoded, double *room)
{
    window j = window_over(original);
    const uint8_t *a = original->data, *b = decoded;
    int64_t row = j.width * j.channels, lines = j.height - j.rows + 1;
    double total = 0;
    for (int64_t y = 0; y < lines; y++) {
        down(&j, a + y * row, b + y * row, row, room);
        total += along(&j, room, row, room + SUMS * row);
    }
    return total / ((double)lines * (double)(j.width - j.columns + 1) * j.channels);
}

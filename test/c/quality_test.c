/* quality_test.c: squared error, PSNR and SSIM of images against the formula written out position by position; squared
   error, energy, SNR and log-spectral distance of sounds; the table of measures. */
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
                double dy = i - (rows - 1) / 2.0, dx = j - (columns - 1) / 2.0;
                double weight = exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5));
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

static const int shapes[][3] = { { 32, 32, 3 }, { 11, 11, 1 }, { 13, 40, 3 }, { 12, 11, 3 },
                                 { 5, 30, 1 }, { 8, 8, 3 }, { 1, 1, 3 }, { 1, 20, 1 } };

static const hz_measure *measure(int kind, const char *name)
{
    const hz_measure *m;
    for (int i = 0; (m = hz_measure_at(kind, i)) && strcmp(m->name, name); i++) {}
    ck_assert_msg(m != NULL, "no measure '%s'", name);
    return m;
}

START_TEST(ssim_follows_the_formula)
{
    const int *s = shapes[_i], n = 3, bytes = s[0] * s[1] * s[2];
    uint8_t *a = malloc((size_t)(n * bytes)), *b = malloc((size_t)(n * bytes));
    double got[3], again[3], error[3];
    hz_media items[3];
    for (int i = 0; i < n * bytes; i++) {
        a[i] = noise();
        b[i] = i < bytes ? a[i] : i < 2 * bytes ? (uint8_t)((a[i] + noise()) / 2) : noise();
    }
    for (int i = 0; i < n; i++)
        items[i] = (hz_media){ .kind = HZ_IMAGE, .height = s[0], .width = s[1], .channels = s[2],
                               .data = a + i * bytes };
    OK(hz_measure_items(measure(HZ_IMAGE, "ssim"), items, n, b, bytes, got, 1));
    OK(hz_measure_items(measure(HZ_IMAGE, "ssim"), items, n, b, bytes, again, 2));
    OK(hz_measure_items(measure(HZ_IMAGE, "squared_error"), items, n, b, bytes, error, 2));
    for (int i = 0; i < n; i++)
        ck_assert_double_eq(error[i], (double)hz_squared_error(a + i * bytes, b + i * bytes, bytes));
    ck_assert_int_eq(memcmp(got, again, sizeof got), 0);
    ck_assert_double_eq(got[0], 1);
    for (int i = 1; i < n; i++)
        ck_assert_double_eq_tol(got[i], plain_ssim(a + i * bytes, b + i * bytes, s[0], s[1], s[2]), 1e-9);
    free(a);
    free(b);
}
END_TEST

START_TEST(measures_refuse)
{
    double out;
    uint8_t p[16] = { 0 };
    hz_media image = { .kind = HZ_IMAGE, .height = 0, .width = 4, .channels = 1, .data = p };
    const hz_measure *ssim = measure(HZ_IMAGE, "ssim");
    ck_assert_int_eq(hz_measure_items(ssim, &image, 1, p, 16, &out, 1), HZ_ESHAPE);
    SAYS("ssim: the image is [0,4,1]");
    ck_assert_int_eq(hz_measure_items(ssim, &image, 0, p, 16, &out, 1), HZ_OK);
    image.kind = HZ_AUDIO;
    ck_assert_int_eq(hz_measure_items(ssim, &image, 1, p, 16, &out, 1), HZ_EARG);
    SAYS("ssim: item 0 is no image");
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

/* Sounds of several lengths: float (frames,2), the decoded ones 50 samples apart. */
START_TEST(squared_error_energy_and_snr)
{
    enum { ITEMS = 3, ROOM = 50 };
    static float a[ITEMS][ROOM], b[ITEMS][ROOM];
    hz_media items[ITEMS];
    double error[ITEMS], energy[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (hz_media){ .kind = HZ_AUDIO, .frames = 1 + 7 * i, .channels = 2, .rate = 8000, .data = a[i] };
        for (int k = 0; k < ROOM; k++) {
            a[i][k] = (float)noise() / 128.0f - 1;
            b[i][k] = (float)noise() / 128.0f - 1;
        }
    }
    OK(hz_measure_items(measure(HZ_AUDIO, "squared_error"), items, ITEMS, b, sizeof b[0], error, 2));
    OK(hz_measure_items(measure(HZ_AUDIO, "energy"), items, ITEMS, b, sizeof b[0], energy, 1));
    for (int i = 0; i < ITEMS; i++) {
        double e = 0, s = 0;
        for (int k = 0; k < 2 * (1 + 7 * i); k++) {
            e += pow((double)a[i][k] - (double)b[i][k], 2);
            s += pow((double)a[i][k], 2);
        }
        ck_assert_double_eq_tol(error[i], e, 1e-12);
        ck_assert_double_eq_tol(energy[i], s, 1e-12);
    }
    ck_assert_double_eq_tol(hz_snr(1000, 1), 30, 1e-12);
    ck_assert(isinf(hz_snr(1, 0)) && hz_snr(1, 0) > 0);
}
END_TEST

/* What a row says of equal items is what it measures of them. */
START_TEST(equal_items_give_what_the_table_says)
{
    uint8_t pixels[12 * 12];
    float samples[40];
    double out;
    for (int i = 0; i < 144; i++)
        pixels[i] = noise();
    for (int i = 0; i < 40; i++)
        samples[i] = (float)noise() / 256.0f;
    hz_media of[] = { { .kind = HZ_IMAGE, .height = 12, .width = 12, .channels = 1, .data = pixels },
                      { .kind = HZ_AUDIO, .frames = 40, .channels = 1, .rate = 8000, .data = samples } };
    const hz_measure *m;
    for (int k = 0; k < 2; k++)
        for (int i = 0; (m = hz_measure_at(of[k].kind, i)); i++) {
            OK(hz_measure_items(m, &of[k], 1, of[k].data, 1, &out, 1));
            ck_assert_msg(isnan(m->equal) || out == m->equal, "%s of equal items is %g", m->name, out);
        }
    ck_assert(hz_measure_at(HZ_IMAGE, 2) == NULL && hz_measure_at(HZ_AUDIO, 3) == NULL);
}
END_TEST

/* ---- log-spectral distance ---- */

/* Level of bin k of the frame that begins at `from`, by the sum itself. */
static double plain_level(const float *x, int frames, int channels, int channel, int from, int n, int k)
{
    const double pi = 3.14159265358979323846;
    double re = 0, im = 0;
    for (int i = 0; i < n && from + i < frames; i++) {
        double w = 0.5 - 0.5 * cos(2 * pi * i / n), v = w * (double)x[(from + i) * channels + channel];
        re += v * cos(2 * pi * k * i / n);
        im -= v * sin(2 * pi * k * i / n);
    }
    return 10 * log10(fmax((re * re + im * im) * 16 / n / n, 1e-10));
}

static double plain_distance(const float *a, const float *b, int frames, int channels, int n)
{
    double sum = 0;
    int count = 0;
    for (int c = 0; c < channels; c++)
        for (int from = 0; from == 0 || from - n / 4 + n < frames; from += n / 4, count++) {
            double all = 0;
            for (int k = 0; k <= n / 2; k++) {
                double d = plain_level(a, frames, channels, c, from, n, k) -
                           plain_level(b, frames, channels, c, from, n, k);
                all += d * d;
            }
            sum += sqrt(all / (n / 2 + 1));
        }
    return sum / count;
}

/* frames, channels, rate, window */
static const int spectra[][4] = { { 1, 1, 8000, 256 }, { 256, 1, 8000, 256 }, { 257, 2, 8000, 256 },
                                  { 700, 1, 22050, 1024 }, { 2049, 1, 44100, 2048 }, { 200, 3, 1000, 64 } };

START_TEST(log_spectral_distance_follows_the_formula)
{
    const int *s = spectra[_i], n = s[0] * s[1];
    float *a = malloc(sizeof(float) * (size_t)n), *b = malloc(sizeof(float) * (size_t)n);
    double got;
    for (int i = 0; i < n; i++) {
        a[i] = (float)noise() / 256.0f - 0.5f;
        b[i] = i % 3 ? a[i] * 0.9f : a[i];
    }
    hz_media m = { .kind = HZ_AUDIO, .frames = s[0], .channels = s[1], .rate = s[2], .data = a };
    const hz_measure *of = measure(HZ_AUDIO, "log_spectral_distance");
    OK(hz_measure_items(of, &m, 1, b, (int64_t)sizeof(float) * n, &got, 1));
    ck_assert_double_eq_tol(got, plain_distance(a, b, s[0], s[1], s[3]), 1e-9);
    for (int i = 0; i < n; i++)
        b[i] = 0.5f * a[i];
    OK(hz_measure_items(of, &m, 1, b, (int64_t)sizeof(float) * n, &got, 1));
    if (s[0] > 1)
        ck_assert_double_eq_tol(got, 20 * log10(2), 0.05);
    memset(b, 0, sizeof(float) * (size_t)n);
    memcpy(a, b, sizeof(float) * (size_t)n);
    OK(hz_measure_items(of, &m, 1, b, (int64_t)sizeof(float) * n, &got, 1));
    ck_assert(got == 0);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    return RUN_SUITE("quality", EACH(ssim_follows_the_formula, shapes), ONCE(measures_refuse),
                     ONCE(squared_error_and_psnr), ONCE(squared_error_energy_and_snr),
                     ONCE(equal_items_give_what_the_table_says),
                     EACH(log_spectral_distance_follows_the_formula, spectra));
}

/* camera_test.c: the embedded data set: equal bytes always, entropy recorded for the right scene, knobs, and classes
   that cannot be told by colour. The parts are included as source: they are not exported. */
#include "camera/sensor.c"
#include "camera/scene.c"
#include "camera/shape.c"
#include "suite.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE = 32 * 32 * 3 };

static uint64_t fnv(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3;
    return h;
}

static hz_camera *camera_of(hz_camera_spec spec)
{
    hz_camera *camera = hz_camera_new(&spec);
    ck_assert_msg(camera != NULL, "%s", hz_message());
    return camera;
}

static void render(hz_camera_spec spec, int64_t first, int64_t count, uint8_t *pixels, float *entropy)
{
    hz_camera *camera = camera_of(spec);
    ck_assert_int_eq(hz_camera_render(camera, first, count, pixels, NULL, entropy), HZ_OK);
    hz_camera_free(camera);
}

/* ---- scene and noise ---- */

/* The recorded entropy is the mean over the samples of the entropy at the light that fell on each. */
START_TEST(recorded_entropy_is_that_of_the_scene)
{
    float recorded[3];
    render((hz_camera_spec){ .seed = 4 }, 500, 3, NULL, recorded);
    sensor *s = malloc(sizeof *s);
    ck_assert_int_eq(sensor_make(s, 4000, 6), HZ_OK);
    for (uint32_t i = 0; i < 3; i++) {
        scene view;
        scene_make(&view, 4, 500 + i, 0);
        double bits = 0, rgb[3];
        for (int p = 1023; p >= 0; p--) {
            scene_light(&view, (p % 32 - 15.5) / 16, (15.5 - p / 32) / 16, 1.0 / 16, rgb);
            for (int c = 0; c < 3; c++)
                bits += s->entropy[sensor_level(rgb[c])];
        }
        ck_assert_double_eq_tol(recorded[i], bits / IMAGE, 1e-6);
    }
    free(s);
}
END_TEST

/* Noise of neighbours and of the channels of a pixel must be uncorrelated. */
START_TEST(noise_is_independent_per_sample)
{
    enum { N = 60 };
    static uint8_t noisy[N * IMAGE], clean[N * IMAGE];
    render((hz_camera_spec){ 0 }, 0, N, noisy, NULL);
    render((hz_camera_spec){ .noise_free = 1 }, 0, N, clean, NULL);
    static const int lags[] = { 1, 2, 3, 4, 96, IMAGE };
    double mean = 0, power = 0;
    for (int i = 0; i < N * IMAGE; i++) {
        mean += noisy[i] - clean[i];
        power += (noisy[i] - clean[i]) * (noisy[i] - clean[i]);
    }
    ck_assert_double_eq_tol(mean / (N * IMAGE), 0, 0.1);
    for (size_t l = 0; l < sizeof lags / sizeof *lags; l++) {
        double sum = 0;
        for (int i = 0; i + lags[l] < N * IMAGE; i++)
            sum += (noisy[i] - clean[i]) * (noisy[i + lags[l]] - clean[i + lags[l]]);
        ck_assert_msg(fabs(sum / power) < 0.012, "lag %d: correlation %g", lags[l], sum / power);  /* five deviations */
    }
}
END_TEST

/* ---- reproducibility ---- */

static const struct { hz_camera_spec spec; uint64_t digest; } golden[] = {
    { { 0 }, 0x606be3269a917c5e },
    { { .noise_free = 1 }, 0x41077d5c1a5e4f4a },
    { { .seed = 123456789012345, .height = 24, .width = 40, .noise = 2.5, .texture = 1.5, .exposure = -0.7,
        .gain = 1.1 }, 0x95b391d3a241be6d },
    { { .fine = 1, .draw = 2 }, 0xaa880c3f571065af },
};

/* Recorded with gcc 12 on x86-64; any other compiler, option or machine must yield the same bytes. */
START_TEST(golden_bytes)
{
    enum { N = 20 };
    static uint8_t pixels[N * IMAGE];
    float entropy[N];
    memset(pixels, 0, sizeof pixels);
    render(golden[_i].spec, 12345, N, pixels, entropy);
    uint64_t digest = fnv(pixels, sizeof pixels) ^ fnv(entropy, sizeof entropy);
    ck_assert_msg(digest == golden[_i].digest, "case %d: digest 0x%016llx, not 0x%016llx", _i,
                  (unsigned long long)digest, (unsigned long long)golden[_i].digest);
}
END_TEST

typedef struct half {
    const hz_camera *camera;
    int64_t first, count;
    uint8_t *pixels;
    int32_t *labels;
    float *entropy;
} half;

static void *render_half(void *p)
{
    half *h = p;
    return (void *)(intptr_t)hz_camera_render(h->camera, h->first, h->count, h->pixels, h->labels, h->entropy);
}

START_TEST(parts_equal_the_whole)
{
    enum { N = 41, CUT = 17 };
    static uint8_t whole[N * IMAGE], parts[N * IMAGE];
    int32_t labels[2][N];
    float entropy[2][N];
    hz_camera *camera = camera_of((hz_camera_spec){ .seed = 9 });
    ck_assert_int_eq(hz_camera_render(camera, 3, N, whole, labels[0], entropy[0]), HZ_OK);
    half a = { camera, 3, CUT, parts, labels[1], entropy[1] };
    half b = { camera, 3 + CUT, N - CUT, parts + CUT * IMAGE, labels[1] + CUT, entropy[1] + CUT };
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, render_half, &b), 0);
    ck_assert_ptr_null(render_half(&a));
    void *status;
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    ck_assert_mem_eq(whole, parts, sizeof whole);
    ck_assert_mem_eq(labels[0], labels[1], sizeof labels[0]);
    ck_assert_mem_eq(entropy[0], entropy[1], sizeof entropy[0]);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(labels[0][i], (3 + i) % HZ_CAMERA_CLASSES);
    hz_camera_free(camera);
}
END_TEST

/* ---- knobs ---- */

static double distance(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    for (int i = 0; i < 10 * IMAGE; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (10 * IMAGE));
}

START_TEST(knobs_do_what_they_say)
{
    static uint8_t plain[10 * IMAGE], other[10 * IMAGE];
    float bits[10], more[10];
    render((hz_camera_spec){ .noise_free = 1 }, 0, 10, plain, bits);
    for (int i = 0; i < 10; i++)
        ck_assert(bits[i] == 0);
    render((hz_camera_spec){ 0 }, 0, 10, other, bits);
    double noise = distance(plain, other);
    ck_assert_double_gt(noise, 1.5);
    render((hz_camera_spec){ .noise = 2 }, 0, 10, other, more);
    ck_assert_double_eq_tol(distance(plain, other) / noise, 2, 0.1);
    for (int i = 0; i < 10; i++)
        ck_assert_double_eq_tol(more[i] - bits[i], 1, 0.1);          /* twice the deviation: one bit more */
    render((hz_camera_spec){ .draw = 1 }, 0, 10, other, more);
    ck_assert_double_eq_tol(distance(plain, other) / noise, 1, 0.05);
    for (int i = 0; i < 10; i++)
        ck_assert(more[i] == bits[i]);
    render((hz_camera_spec){ .noise = 0.1 }, 0, 10, other, more);
    ck_assert_double_lt(distance(plain, other), 0.5);
    render((hz_camera_spec){ .noise_free = 1, .exposure = -1, .gain = 1 }, 0, 10, other, NULL);
    ck_assert_double_lt(distance(plain, other), 0.1);                /* equal brightness, up to rounding of 2^0 */
    render((hz_camera_spec){ .noise_free = 1, .exposure = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 20);
    render((hz_camera_spec){ .noise_free = 1, .texture = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 4);
    render((hz_camera_spec){ .noise_free = 1, .seed = 1 }, 0, 10, other, NULL);
    ck_assert_double_gt(distance(plain, other), 20);
}
END_TEST

static const struct { hz_camera_spec spec; const char *word; } wrong[] = {
    { { .height = 7 }, "height is 7" },
    { { .width = 513 }, "width is 513" },
    { { .width = -1 }, "width is -1" },
    { { .noise = 0.05 }, "noise is 0.05" },
    { { .noise = -1 }, "noise is -1" },
    { { .noise = NAN }, "noise is" },
    { { .noise_free = 2 }, "noise_free is 2" },
    { { .texture = 4.5 }, "texture is 4.5" },
    { { .exposure = INFINITY }, "exposure is inf" },
    { { .gain = -5 }, "gain is -5" },
    { { .fine = 2 }, "fine is 2" },
    { { .draw = -1 }, "draw is -1" },
};

START_TEST(bad_knobs_are_named)
{
    ck_assert_ptr_null(hz_camera_new(&wrong[_i].spec));
    ck_assert_msg(strstr(hz_message(), wrong[_i].word) != NULL, "%s", hz_message());
}
END_TEST

START_TEST(ends_of_the_knobs_work)
{
    float bits[2];
    for (int corner = 0; corner < 16; corner++) {
        hz_camera_spec spec = { .height = 8, .width = 9, .noise = corner & 1 ? 10 : 0.1, .texture = corner & 2 ? 4 : 0,
                                .exposure = corner & 4 ? 4 : -4, .gain = corner & 8 ? 4 : -4 };
        render(spec, ((int64_t)1 << 32) - 2, 2, NULL, bits);
        ck_assert(bits[0] >= 0 && bits[0] < 8 && bits[1] >= 0 && bits[1] < 8);
    }
}
END_TEST

START_TEST(bad_ranges_are_errors)
{
    hz_camera *camera = hz_camera_new(NULL);
    ck_assert_int_eq(hz_camera_knobs(camera)->height, 32);
    ck_assert_int_eq(hz_camera_render(camera, -1, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, 0, -1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, (int64_t)1 << 32, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, 1, INT64_MAX, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(NULL, 0, 1, NULL, NULL, NULL), HZ_EARG);
    ck_assert_int_eq(hz_camera_render(camera, (int64_t)1 << 32, 0, NULL, NULL, NULL), HZ_OK);
    hz_camera_free(camera);
    hz_camera_free(NULL);
    ck_assert_str_eq(hz_camera_class(0, 0), "ball");
    ck_assert_str_eq(hz_camera_class(0, 1), "waves 4 at 0");
    ck_assert_ptr_null(hz_camera_class(-1, 0));
    ck_assert_ptr_null(hz_camera_class(HZ_CAMERA_CLASSES, 1));
    ck_assert_int_eq(hz_live_bytes(), 0);
}
END_TEST

/* ---- scenes ---- */

/* Fine scenes keep place, light and ground; the class is in waves, shapes are any. */
START_TEST(fine_scenes_have_any_shape)
{
    int same = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        scene coarse, fine;
        scene_make(&coarse, 3, i, 0);
        scene_make(&fine, 3, i, 0);
        scene_refine(&fine, 3, i);
        ck_assert(coarse.x == fine.x && coarse.scale == fine.scale && coarse.waves == 0 && fine.waves > 0);
        ck_assert(fine.shape >= 0 && fine.shape < HZ_CAMERA_CLASSES);
        ck_assert_double_eq_tol(m_length(fine.wave_x, fine.wave_y), i % 10 < 5 ? 4 : 6, 1e-9);
        same += coarse.shape == fine.shape;
    }
    ck_assert_int_gt(same, 60);         /* of 1,000: a tenth; the deviation is 9.5 */
    ck_assert_int_lt(same, 140);
}
END_TEST

START_TEST(deviation_at_mid_grey_is_as_asked)
{
    static const double sigmas[] = { 0.5, 1, 4, 8 };
    sensor *s = malloc(sizeof *s);
    for (int i = 0; i < 4; i++) {
        double noise = hz_camera_noise(sigmas[i]), sum = 0, square = 0;
        ck_assert_int_eq(sensor_make(s, 4000 / (noise * noise), 6 / noise), HZ_OK);
        const uint32_t *upto = s->upto[128 * LEVEL_STEP];
        for (int k = s->lo[128 * LEVEL_STEP]; k <= s->hi[128 * LEVEL_STEP]; k++) {
            double below = k > s->lo[128 * LEVEL_STEP] ? upto[k - 1] : 0;
            double p = ((k < s->hi[128 * LEVEL_STEP] ? upto[k] : 4294967296.0) - below) / 4294967296.0;
            sum += p * k;
            square += p * k * k;
        }
        ck_assert_double_eq_tol(sqrt(square - sum * sum - 1 / 12.0) / sigmas[i], 1, 0.02);
    }
    free(s);
}
END_TEST

START_TEST(outlines_fill_their_frame)
{
    for (int label = 0; label < HZ_CAMERA_CLASSES; label++)
        for (int form = 0; form <= 2; form++) {
            double reach = 0;
            int area = 0;
            for (int i = -60; i <= 60; i++)
                for (int j = -60; j <= 60; j++)
                    if (shape_distance(label, i / 40.0, j / 40.0, form / 2.0) < 0) {
                        area++;
                        reach = m_max(reach, m_max(m_abs(i), m_abs(j)) / 40.0);
                    }
            ck_assert_msg(reach > 0.6 && reach <= 1.1, "%s reaches to %g", shape_name(label), reach);
            ck_assert_int_gt(area, 500);
        }
}
END_TEST

static void mean_colour(const uint8_t *image, double rgb[3])
{
    rgb[0] = rgb[1] = rgb[2] = 0;
    for (int i = 0; i < IMAGE; i++)
        rgb[i % 3] += image[i] / (IMAGE / 3.0);
}

/* Who knows only an image's mean colour, and each class's mean over 1,000 images, should guess: 10 % right. */
START_TEST(colour_does_not_tell_the_class)
{
    enum { N = 2000 };
    static uint8_t pixels[N * IMAGE];
    double centre[HZ_CAMERA_CLASSES][3] = { { 0 } }, rgb[3];
    int right = 0;
    render((hz_camera_spec){ .seed = 1, .noise_free = 1 }, 0, N, pixels, NULL);
    for (int i = 0; i < N / 2; i++) {
        mean_colour(pixels + i * IMAGE, rgb);
        for (int c = 0; c < 3; c++)
            centre[i % 10][c] += rgb[c] / (N / 2 / 10);
    }
    for (int i = N / 2; i < N; i++) {
        int best = 0;
        double least = 1e30;
        mean_colour(pixels + i * IMAGE, rgb);
        for (int k = 0; k < HZ_CAMERA_CLASSES; k++) {
            double d = 0;
            for (int c = 0; c < 3; c++)
                d += (rgb[c] - centre[k][c]) * (rgb[c] - centre[k][c]);
            best = d < least ? k : best;
            least = m_min(d, least);
        }
        right += best == i % 10;
    }
    ck_assert_int_lt(right, 150);       /* of 1,000; the deviation of a guesser is 9.5 */
}
END_TEST

int main(void)
{
    return RUN_SUITE("camera", ONCE(recorded_entropy_is_that_of_the_scene), ONCE(noise_is_independent_per_sample),
                     EACH(golden_bytes, golden), ONCE(parts_equal_the_whole), ONCE(knobs_do_what_they_say),
                     EACH(bad_knobs_are_named, wrong), ONCE(ends_of_the_knobs_work), ONCE(bad_ranges_are_errors),
                     ONCE(fine_scenes_have_any_shape), ONCE(deviation_at_mid_grey_is_as_asked),
                     ONCE(outlines_fill_their_frame), ONCE(colour_does_not_tell_the_class));
}

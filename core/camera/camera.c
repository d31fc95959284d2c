/* camera.c: the embedded data set: knobs, and the loop that takes scenes (scene.c) through the sensor
   (sensor.c). Nothing is remembered from one image to the next. */
#include "camera/parts.h"
#include "exact.h"
#include "hz/philox.h"

static const double FULL_WELL = 4000, READ_NOISE = 6;      /* electrons, at noise 1 and gain 0 */

struct hz_camera {
    hz_camera_spec spec;
    double brightness;         /* light to share of full scale: exposure and gain */
    sensor sensor;
};

/* ---- knobs ---- */

static hz_status in_range(const char *knob, double value, double lo, double hi, const char *unit)
{
    if (value >= lo && value <= hi)
        return HZ_OK;
    return hz_fail(HZ_EARG, "camera: %s is %g; it must be %g to %g%s", knob, value, lo, hi, unit);
}

static hz_status check(hz_camera_spec *s)
{
    s->height = s->height ? s->height : 32;
    s->width = s->width ? s->width : 32;
    s->noise = s->noise != 0 ? s->noise : 1;
    const struct { const char *name; double value, lo, hi; const char *unit; } knobs[] = {
        { "height", s->height, 8, 512, " pixels" },
        { "width", s->width, 8, 512, " pixels" },
        { "noise_free", s->noise_free, 0, 1, "" },
        { "noise", s->noise, 0.1, 10, " (noise_free=1 switches it off)" },
        { "texture", s->texture, 0, 4, "" },
        { "exposure", s->exposure, -4, 4, " stops" },
        { "gain", s->gain, -4, 4, " stops" },
        { "fine", s->fine, 0, 1, "" },
        { "draw", s->draw, 0, INT32_MAX, "" },
    };
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++)
        if (in_range(knobs[i].name, knobs[i].value, knobs[i].lo, knobs[i].hi, knobs[i].unit))
            return HZ_EARG;
    return HZ_OK;
}

static double stops(double n) { return m_exp(n * 0.6931471805599453); }

hz_camera *hz_camera_new(const hz_camera_spec *spec)
{
    hz_camera_spec knobs = spec ? *spec : (hz_camera_spec){ 0 };
    if (check(&knobs))
        return NULL;
    hz_camera *camera = hz_alloc(sizeof *camera);
    if (!camera)
        return NULL;
    camera->spec = knobs;
    camera->brightness = stops(knobs.exposure + knobs.gain);
    double noise = knobs.noise;        /* fewer electrons for the same grey: shot noise and read noise grow alike */
    if (!knobs.noise_free
        && sensor_make(&camera->sensor, FULL_WELL * stops(-knobs.gain) / (noise * noise), READ_NOISE / noise)) {
        hz_camera_free(camera);
        return NULL;
    }
    return camera;
}

void hz_camera_free(hz_camera *camera) { hz_free(camera, sizeof *camera); }
const hz_camera_spec *hz_camera_knobs(const hz_camera *camera) { return &camera->spec; }

const char *hz_camera_class(int label, int fine)
{
    if (label < 0 || label >= HZ_CAMERA_CLASSES)
        return NULL;
    return fine ? scene_waves(label) : shape_name(label);
}

/* By the slope of the tone curve at mid grey; shot and read noise both grow with the knob. */
double hz_camera_noise(double sigma)
{
    double light = sensor_light(0.5), slope = (sensor_tone(light + 1e-4) - sensor_tone(light - 1e-4)) / 2e-4;
    double electrons = sqrt(FULL_WELL * light + READ_NOISE * READ_NOISE);
    return sigma / (255 * slope * electrons / FULL_WELL);
}

/* ---- rendering ---- */

/* One image into pixels (NULL: entropy alone); the mean noise entropy, bits per sample. Sample i of the image draws its
   noise from element i of the item. */
static double picture(const hz_camera *camera, uint32_t item, uint8_t *pixels)
{
    const hz_camera_spec *k = &camera->spec;
    scene s;
    scene_make(&s, k->seed, item, k->texture);
    if (k->fine)
        scene_refine(&s, k->seed, item);
    int shorter = k->height < k->width ? k->height : k->width;
    double footprint = 2.0 / shorter, bits = 0;
    uint32_t words[4] = { 0 }, element = 0;
    for (int row = 0; row < k->height; row++)
        for (int column = 0; column < k->width; column++) {
            double rgb[3];
            scene_light(&s, (column + 0.5 - 0.5 * k->width) * footprint, (0.5 * k->height - row - 0.5) * footprint,
                        footprint, rgb);
            for (int c = 0; c < HZ_CAMERA_CHANNELS; c++, element++) {
                int level = sensor_level(rgb[c] * camera->brightness), value;
                if (k->noise_free) {
                    value = (int)m_min((level + LEVEL_STEP / 2) / LEVEL_STEP, VALUES - 1);
                } else {
                    if (element % 4 == 0)
                        hz_random4(k->seed, element / 4, item, (uint32_t)k->draw, 0, HZ_FOR_SENSOR, words);
                    value = sensor_draw(&camera->sensor, level, words[element % 4]);
                    bits += camera->sensor.entropy[level];
                }
                if (pixels)
                    pixels[element] = (uint8_t)value;
            }
        }
    return bits / element;
}

hz_status hz_camera_render(const hz_camera *camera, int64_t first, int64_t count, uint8_t *pixels, int32_t *labels,
                           float *entropy)
{
    const int64_t end = (int64_t)1 << 32;
    if (!camera)
        return hz_fail(HZ_EARG, "camera: no camera was given; hz_camera_new makes one");
    if (first < 0 || count < 0 || first > end || count > end - first)
        return hz_fail(HZ_EARG, "camera: images %lld and %lld more were asked for; the set has 0 to 4294967295",
                       (long long)first, (long long)count);
    int64_t bytes = (int64_t)camera->spec.height * camera->spec.width * HZ_CAMERA_CHANNELS;
    for (int64_t i = 0; i < count; i++) {
        uint32_t item = (uint32_t)(first + i);
        if (labels)
            labels[i] = (int32_t)(item % HZ_CAMERA_CLASSES);
        if (pixels || entropy) {
            double bits = picture(camera, item, pixels ? pixels + i * bytes : NULL);
            if (entropy)
                entropy[i] = (float)bits;
        }
    }
    return HZ_OK;
}

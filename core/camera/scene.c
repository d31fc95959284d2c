/* scene.c: what is in a picture and how light comes off it.
   A scene is drawn from Philox counters of (seed, item) alone. All that says nothing of the class (colours, lamp,
   ground, clutter, pose) is drawn the same way for every class, so no class can be told by its mean colour.
   Light is linear; 1 is what the camera at exposure 0 maps to white. */
#include "camera/parts.h"
#include "draw.h"
#include "exact.h"

/* ---- drawing a scene ---- */

static void field_make(field *f, uint64_t seed, uint32_t item, uint32_t layer)
{
    for (uint32_t block = 0; block < FIELD_POINTS / 4; block++) {
        uint32_t word[4];
        hz_random4(seed, block, item, 0, layer, HZ_FOR_SCENE, word);
        for (int i = 0; i < 4; i++)
            f->value[4 * block + i] = 2 * hz_unit(word[i]) - 1;
    }
}

/* A reflectance: a grey with a tint of random hue and strength. */
static void colour(stream *r, double out[3])
{
    double grey = uniform(r, 0.2, 0.9), tint = uniform(r, 0.15, 0.8), hue = uniform(r, 0, 1);
    grey *= grey;
    tint *= tint;
    for (int c = 0; c < 3; c++)
        out[c] = grey * (1 + tint * m_sin(hue + c / 3.0));
}

static void cover_make(stream *r, cover *k, double slowest, double fastest)
{
    colour(r, k->colour[0]);
    colour(r, k->colour[1]);
    double angle = uniform(r, 0, 1), rate = uniform(r, slowest, fastest);
    k->dx = rate * m_cos(angle);
    k->dy = rate * m_sin(angle);
    k->phase = uniform(r, 0, 1);
    k->waves = chance(r, 0.3) ? uniform(r, 0.2, 1) : 0;
    k->patches = uniform(r, 0, 0.8);
    k->hard = chance(r, 0.25) ? uniform(r, 2, 6) : 1;
    k->mottle = uniform(r, 0.05, 0.35);
    double share = uniform(r, 0.1, 0.5);       /* the second colour stays related to the first */
    for (int c = 0; c < 3; c++)
        k->colour[1][c] = m_mix(k->colour[0][c], k->colour[1][c], share);
}

static void clutter_make(stream *r, clutter *k, double small, double large)
{
    double angle = uniform(r, 0, 1);
    k->x = uniform(r, -1, 1);
    k->y = uniform(r, -1, 1);
    k->c = m_cos(angle);
    k->s = m_sin(angle);
    k->rx = uniform(r, small, large);
    k->ry = uniform(r, small, large);
    k->round = uniform(r, 0, m_min(k->rx, k->ry));
    colour(r, k->colour);
}

static void pose(stream *r, scene *s)
{
    double angle = uniform(r, -0.1, 0.1);
    s->x = uniform(r, -0.2, 0.2);
    s->y = uniform(r, -0.2, 0.2);
    s->c = m_cos(angle);
    s->s = m_sin(angle);
    s->scale = uniform(r, 0.55, 0.9);
    s->squash = uniform(r, 0.72, 1);
    s->flip = chance(r, 0.5) ? -1 : 1;
    s->form = uniform(r, 0, 1);
}

static void lighting(stream *r, scene *s)
{
    double side = uniform(r, 0, 1), slope = uniform(r, 0.3, 0.85);
    s->light[0] = slope * m_cos(side);
    s->light[1] = slope * m_sin(side);
    s->light[2] = sqrt(1 - slope * slope);
    double power = uniform(r, 0.7, 1.5), warmth = uniform(r, -0.15, 0.15);
    s->lamp[0] = power * (1 + warmth);
    s->lamp[1] = power;
    s->lamp[2] = power * (1 - warmth);
    s->ambient = uniform(r, 0.25, 0.6);
    s->gloss = chance(r, 0.5) ? uniform(r, 0.05, 0.5) : 0;
    double fall = uniform(r, 0.05, 0.35);
    s->shadow_x = -fall * s->light[0];
    s->shadow_y = -fall * s->light[1];
    s->shadow = uniform(r, 0.2, 0.7);
    s->vignette = uniform(r, 0, 0.15);
}

void scene_make(scene *s, uint64_t seed, uint32_t item, double texture)
{
    stream r = { .seed = seed, .item = item, .purpose = HZ_FOR_SCENE };
    s->shape = (int)(item % HZ_CAMERA_CLASSES);
    pose(&r, s);
    lighting(&r, s);
    cover_make(&r, &s->ground, 0.15, 3.5);
    cover_make(&r, &s->subject, 0.5, 3);
    s->behind_count = chance(&r, 0.5) ? (int)uniform(&r, 1, CLUTTER + 1) : 0;
    for (int i = 0; i < CLUTTER; i++)
        clutter_make(&r, &s->behind[i], 0.08, 0.5);
    s->has_front = chance(&r, 0.2);
    clutter_make(&r, &s->front, 0.08, 0.35);
    s->texture = texture;
    s->waves = 0;
    field_make(&s->rough, seed, item, 1);
    field_make(&s->skin, seed, item, 2);
    if (texture > 0)
        field_make(&s->fine, seed, item, 3);
}

/* Two rates, at 32 pixels a side a fourth and three eighths of a turn per pixel, by five slopes; mirrored ones are of
   the same class, as pictures are that a training mirrors. */
enum { SLOPES = 5 };
static const double RATES[] = { 4, 6 }, WAVES = 0.3;

const char *scene_waves(int label)
{
    static const char *const names[] = { "waves 4 at 0", "waves 4 at 22", "waves 4 at 45", "waves 4 at 68",
                                         "waves 4 at 90", "waves 6 at 0", "waves 6 at 22", "waves 6 at 45",
                                         "waves 6 at 68", "waves 6 at 90" };
    return names[label];
}

void scene_refine(scene *s, uint64_t seed, uint32_t item)
{
    stream r = { .seed = seed, .item = item, .layer = 4, .purpose = HZ_FOR_SCENE };
    int label = (int)(item % HZ_CAMERA_CLASSES);
    double angle = (label % SLOPES) / 16.0, rate = RATES[label / SLOPES];
    s->shape = (int)uniform(&r, 0, HZ_CAMERA_CLASSES);
    s->wave_x = rate * m_cos(angle) * (chance(&r, 0.5) ? -1 : 1);
    s->wave_y = rate * m_sin(angle);
    s->wave_phase = uniform(&r, 0, 1);
    s->waves = WAVES;
}

/* ---- light at a point ---- */

/* One octave, smoothly interpolated; (u,v) in -1..1 spans 2^(2+octave) cells, beyond that it repeats. */
static double octave_at(const field *f, int octave, double u, double v)
{
    static const int start[FIELD_OCTAVES] = { 0, 16, 16 + 64, 16 + 64 + 256 };
    int cells = 1 << (FIELD_FIRST + octave), mask = cells - 1;
    double x = (u + 1) * 0.5 * cells, y = (v + 1) * 0.5 * cells, left = m_floor(x), top = m_floor(y);
    int i = (int)left & mask, j = (int)top & mask, i1 = (i + 1) & mask, j1 = (j + 1) & mask;
    double a = m_smooth(x - left), b = m_smooth(y - top);
    const float *p = f->value + start[octave];
    return m_mix(m_mix(p[j * cells + i], p[j * cells + i1], a), m_mix(p[j1 * cells + i], p[j1 * cells + i1], a), b);
}

/* Amplitude halves as frequency doubles: the 1/f amplitude spectrum of photographs (Field 1987). About -1..1. */
static double field_at(const field *f, double u, double v)
{
    double sum = 0, share = 0.55;
    for (int octave = 0; octave < FIELD_OCTAVES; octave++, share *= 0.5)
        sum += share * octave_at(f, octave, u, v);
    return sum;
}

/* The cover's reflectance; returns the field there, -1..1. */
static double cover_at(const cover *k, const field *f, double u, double v, double out[3])
{
    double noise = field_at(f, u, v);
    double t = k->patches * 1.5 * noise;
    if (k->waves > 0)
        t += k->waves * 0.6 * m_sin(u * k->dx + v * k->dy + k->phase + 0.15 * noise);
    t = m_clamp(0.5 + k->hard * t, 0, 1);
    for (int c = 0; c < 3; c++)
        out[c] = m_mix(k->colour[0][c], k->colour[1][c], t) * (1 + k->mottle * 1.5 * noise);
    return noise;
}

/* Share of a pixel that lies inside, from the distance at its centre: a lens a little softer than the pixel grid. */
static double inside(double distance, double footprint) { return m_smooth(0.5 - distance / (1.6 * footprint)); }

static double clutter_distance(const clutter *k, double u, double v)
{
    double x = u - k->x, y = v - k->y;
    double dx = m_abs(k->c * x + k->s * y) - k->rx + k->round, dy = m_abs(k->c * y - k->s * x) - k->ry + k->round;
    return m_length(m_max(dx, 0), m_max(dy, 0)) + m_min(m_max(dx, dy), 0) - k->round;
}

static void paint(double rgb[3], const double colour[3], double share)
{
    for (int c = 0; c < 3; c++)
        rgb[c] = m_mix(rgb[c], colour[c], share);
}

static void add_clutter(const clutter *k, double u, double v, double footprint, double shading, double rgb[3])
{
    double share = inside(clutter_distance(k, u, v), footprint);
    if (share > 0) {
        double own[3] = { k->colour[0] * shading, k->colour[1] * shading, k->colour[2] * shading };
        paint(rgb, own, share);
    }
}

/* From the image to the subject's own frame. */
static void to_subject(const scene *s, double u, double v, double *x, double *y)
{
    double a = (u - s->x) / s->scale, b = (v - s->y) / s->scale;
    *x = (s->c * a + s->s * b) * s->flip / s->squash;
    *y = s->c * b - s->s * a;
}

static double subject_distance(const scene *s, double u, double v)
{
    double x, y;
    to_subject(s, u, v, &x, &y);
    return shape_distance(s->shape, x, y, s->form) * s->scale * s->squash;
}

/* Diffuse and glossy light on the subject's rounded rim; d = distance at (u,v), < 0 inside. */
static void shade(const scene *s, double u, double v, double d, double footprint, double rgb[3])
{
    double step = 0.25 * footprint, rim = shape_bevel(s->shape) * s->scale;
    double gx = (subject_distance(s, u + step, v) - d) / step, gy = (subject_distance(s, u, v + step) - d) / step;
    double tilt = 1 - m_clamp(-d / rim, 0, 1);             /* 1 at the outline, 0 on the flat */
    double scale = tilt / m_max(m_length(gx, gy), 1);
    double nx = gx * scale, ny = gy * scale, nz = sqrt(m_max(1 - nx * nx - ny * ny, 0));
    double lit = m_max(nx * s->light[0] + ny * s->light[1] + nz * s->light[2], 0);
    double hx = s->light[0], hy = s->light[1], hz = s->light[2] + 1, h = sqrt(hx * hx + hy * hy + hz * hz);
    double shine = m_max((nx * hx + ny * hy + nz * hz) / h, 0);
    for (int i = 0; i < 4; i++)                            /* Blinn's exponent 16 */
        shine *= shine;
    for (int c = 0; c < 3; c++)
        rgb[c] = rgb[c] * (s->ambient + (1 - s->ambient) * lit) + s->gloss * shine;
}

static void brighten(double rgb[3], double factor)
{
    for (int c = 0; c < 3; c++)
        rgb[c] *= factor;
}

static void add_subject(const scene *s, double u, double v, double footprint, double rgb[3])
{
    double d = subject_distance(s, u, v), share = inside(d, footprint);
    if (share < 1) {
        double cast = subject_distance(s, u - s->shadow_x, v - s->shadow_y);
        double dark = 1 - s->shadow * m_smooth(0.5 - cast / 0.25);
        for (int c = 0; c < 3; c++)
            rgb[c] *= dark;
    }
    if (share > 0) {
        double own[3], x, y;
        to_subject(s, u, v, &x, &y);
        cover_at(&s->subject, &s->skin, x, y, own);
        if (s->waves > 0)
            brighten(own, 1 + s->waves * m_sin(u * s->wave_x + v * s->wave_y + s->wave_phase));
        shade(s, u, v, d, footprint, own);
        paint(rgb, own, share);
    }
}

void scene_light(const scene *s, double u, double v, double footprint, double rgb[3])
{
    double noise = cover_at(&s->ground, &s->rough, u, v, rgb), flat = s->ambient + (1 - s->ambient) * s->light[2];
    for (int i = 0; i < s->behind_count; i++)
        add_clutter(&s->behind[i], u, v, footprint, 1 + 0.4 * noise, rgb);
    for (int c = 0; c < 3; c++)
        rgb[c] *= flat;
    add_subject(s, u, v, footprint, rgb);
    if (s->has_front)
        add_clutter(&s->front, u, v, footprint, 1 - 0.4 * noise, rgb);
    double factor = 1 - s->vignette * (u * u + v * v);
    if (s->texture > 0)
        factor *= m_max(1 + s->texture * 0.3 * (octave_at(&s->fine, 2, u, v) + octave_at(&s->fine, 3, u, v)), 0);
    for (int c = 0; c < 3; c++)
        rgb[c] = m_max(rgb[c] * s->lamp[c] * factor, 0);
}

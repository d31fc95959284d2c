/* parts.h: the three parts of the embedded data set and what they hand to each other. Private to core/camera*.c.
   scene: (seed, item) -> light at a point; sensor: light -> level -> distribution of the pixel value; camera: both. */
#ifndef CAMERA_PARTS_H
#define CAMERA_PARTS_H
#include "hz/camera.h"

/* ---- scene ---- */

enum { FIELD_OCTAVES = 4, FIELD_FIRST = 2, FIELD_POINTS = 16 + 64 + 256 + 1024 };

/* Value noise with a 1/f spectrum: octave k holds 2^(2+k) x 2^(2+k) random values, repeated periodically. */
typedef struct field { float value[FIELD_POINTS]; /* -1..1 */ } field;

/* A pattern that mixes two colours: waves along (dx,dy), sharpened, plus patches of a field. */
typedef struct cover {
    double colour[2][3];        /* reflectance, 0..1 */
    double dx, dy, phase;       /* turns per unit length */
    double waves, patches;      /* how much of each, 0..1 */
    double hard;                /* sharpness of the change, >= 1 */
    double mottle;              /* brightness by the field, 0..1 */
} cover;

/* A rounded box or disc that is not the subject. */
typedef struct clutter { double x, y, c, s, rx, ry, round, colour[3]; } clutter;

enum { CLUTTER = 3 };

typedef struct scene {
    int shape;                                   /* the class, but of fine scenes */
    double x, y, c, s, scale, squash, flip;      /* the subject's place, rotation, size, foreshortening, mirror */
    double form;                                 /* variation of its shape, 0..1 */
    double light[3], lamp[3], ambient, gloss;    /* direction (unit), colour, shares */
    double shadow_x, shadow_y, shadow, vignette;
    cover subject, ground;
    clutter behind[CLUTTER];
    int behind_count;
    clutter front;
    int has_front;
    double wave_x, wave_y, wave_phase, waves;    /* fine waves on the subject: turns per unit, share of its light */
    double texture;
    field rough, skin, fine;                     /* ground, subject, added texture */
} scene;

void scene_make(scene *s, uint64_t seed, uint32_t item, double texture);
/* The same scene with the class in fine waves and any shape. */
void scene_refine(scene *s, uint64_t seed, uint32_t item);
const char *scene_waves(int label);  /* what they are called */
/* Linear light in R, G, B at (u,v), the shorter side of the image spanning -1..1; footprint = a pixel's side. */
void scene_light(const scene *s, double u, double v, double footprint, double rgb[3]);

/* Signed distance to the outline of class `label`, which fills about -1..1; form 0..1 varies the shape. */
double shape_distance(int label, double x, double y, double form);
double shape_bevel(int label);       /* width of the rounded rim, in the same units */
const char *shape_name(int label);

/* ---- sensor ---- */

/* Light is measured in levels: steps of 1/16 of a grey value on the tone curve, up to LEVEL_MAX beyond white. */
enum { LEVEL_STEP = 16, LEVEL_MAX = 288 * LEVEL_STEP, LEVELS = LEVEL_MAX + 1, VALUES = 256 };

typedef struct sensor {
    uint32_t upto[LEVELS][VALUES];        /* P(Y <= k) in units of 2^-32, for lo <= k < hi */
    uint8_t lo[LEVELS], hi[LEVELS];       /* the smallest and largest value that occur */
    double entropy[LEVELS];               /* H(Y | level), bits */
} sensor;

double sensor_tone(double light);         /* 0..1 to 0..1, monotone, continued above 1 */
double sensor_light(double tone);         /* its inverse */
/* The level of linear light, 1 = white. */
int sensor_level(double light);
/* Fills the table for `full` electrons at white and Gaussian read noise of `sigma` electrons. */
hz_status sensor_make(sensor *s, double full, double sigma);
/* The pixel value that the uniform word draws at this level. */
int sensor_draw(const sensor *s, int level, uint32_t word);

#endif

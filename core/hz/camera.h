/* camera.h: the embedded data set: rendered scenes seen by a simulated camera, with the true noise entropy beside each.
   An image is fixed by (seed, index) and the knobs alone: any range can be rendered in any order, by any number of
   threads, on any machine, with equal bytes. Image i shows class i mod HZ_CAMERA_CLASSES; channels are R, G, B.

   Camera model, per sample, independent of all others: the scene gives a mean of m photo-electrons; Y is
       Y = clip(round(255 * tone((Poisson(m) + Normal(0, read noise)) / full scale)), 0, 255)
   with a fixed monotone tone curve; rounding is the last step. So H(Y|S), the noise entropy of a sample given the
   scene, follows from the pixel's exact distribution (core/camera/sensor.c). */
#ifndef HZ_CAMERA_H
#define HZ_CAMERA_H
#include "hz/base.h"
#pragma GCC visibility push(default)

enum { HZ_CAMERA_CLASSES = 10, HZ_CAMERA_CHANNELS = 3 };

/* Knobs; a zeroed field means its default. Scenes depend on seed, texture and fine only: cameras that differ in noise,
   noise_free, draw, exposure or gain see the same scenes, sharper or coarser by height and width. Sample by sample the
   noise comes from the same uniform number, unless draw differs. */
typedef struct hz_camera_spec {
    uint64_t seed;
    int32_t height, width;     /* pixels, 8..512; default 32 */
    int32_t noise_free;        /* 1: the mean signal, rounded; entropy 0 */
    double noise;              /* standard deviation of the noise at equal brightness, times this; 0.1..10, default 1 */
    double texture;            /* strength of added fine texture that says nothing of the class; 0..4,
                                  default 0: none */
    double exposure;           /* light on the sensor, stops (+1: twice the electrons, brighter); -4..4, default 0 */
    double gain;               /* amplification, stops (+1: brighter from the same electrons); -4..4, default 0 */
    int32_t fine;              /* 1: shapes say nothing of the class, fine waves on the subject do (scene.c); they need
                                  32 pixels a side */
    int32_t draw;              /* another draw of the noise, >= 0 */
} hz_camera_spec;

typedef struct hz_camera hz_camera;

/* A camera for these knobs (NULL: all defaults); it holds the table of noise distributions (about 5 MB, some 50 ms to
   make). new: free with hz_camera_free. NULL if a knob is out of range or memory is short. [any] */
hz_camera *hz_camera_new(const hz_camera_spec *spec);
void hz_camera_free(hz_camera *camera);

/* The knobs with defaults filled in; lent until the camera is freed. [any] */
const hz_camera_spec *hz_camera_knobs(const hz_camera *camera);
/* "ball" for 0 and so on, of fine ones "waves 4 at 0"; lent for ever; NULL outside 0..HZ_CAMERA_CLASSES-1. [any] */
const char *hz_camera_class(int label, int fine);
/* The knob `noise` whose standard deviation at mid grey is `sigma` grey values, before rounding and at gain 0. [any] */
double hz_camera_noise(double sigma);

/* Renders images first .. first+count-1; one camera may serve many threads at once. 0 <= first, first+count <= 2^32.
   Any of the three outputs may be NULL. [any] */
hz_status hz_camera_render(const hz_camera *camera, int64_t first, int64_t count,
                           uint8_t *pixels,      /* (count,height,width,3) */
                           int32_t *labels,      /* (count), 0..9 */
                           float *entropy);      /* (count), mean H(Y|S) over the image's samples, bits per sample */

#pragma GCC visibility pop
#endif

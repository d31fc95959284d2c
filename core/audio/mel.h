/* mel.h: what the files of this room share: the tables of a form, and the kernel that turns a group of frames into
   decibels, one per level of vectors. */
#ifndef AUDIO_MEL_H
#define AUDIO_MEL_H
#include "hz/mel.h"

enum { MOST_FACTORS = 20, MOST_LANES = 8 };

typedef struct cpx {
    double re, im;
} cpx;

/* A band: its bins first .. first + count - 1, and where their weights begin. */
typedef struct band {
    int32_t first, count, weights;
} band;

/* Of an even n the transform is one of n/2 complex numbers, samples in pairs; of an odd n one of n. */
/* A sample of a window as the transform takes it: what it is weighted with, and where it is (mel_rows). */
typedef struct tap {
    double weight;
    int32_t row, block;              /* its number is block * hop + row */
} tap;

/* A channel with its edges by hops: sample i of frame f is data[(i % hop) * stride + i / hop + f], so that the i-th
   samples of neighbouring frames are neighbours. */
typedef struct mel_rows {
    const float *data;               /* (hop,stride) */
    int64_t stride;
} mel_rows;

typedef struct hz_mel {
    hz_mel_form form;
    int32_t n, points, bins;         /* samples of a window; complex numbers; n/2 + 1 */
    int32_t factors[MOST_FACTORS];   /* of points, outermost first; fours last */
    int32_t widest;                  /* the largest factor */
    tap *taps;                       /* (n): in the order in which the transform takes its input */
    cpx *twiddle;                    /* (points): exp(-2 pi i k / points) */
    cpx *halves;                     /* (points/2 + 1): -i exp(-2 pi i k / n), of an even n */
    band *bands;                     /* (mels) */
    float *weights;                  /* of all bands, one after the other */
} hz_mel;

typedef struct mel_kernel {
    const char *level;               /* hz_cpu_isa() from which on it runs */
    int lanes;                       /* frames of a group */
    /* Decibels of the frames from `frame` on: db (mels,lanes), and the largest: loudest (lanes).
       work: mel_work_floats of them, 64-byte aligned. */
    void (*group)(const hz_mel *m, const mel_rows *rows, int64_t frame, float *work, float *db, float *loudest);
} mel_kernel;

extern const mel_kernel mel_portable, mel_avx2, mel_avx512;

static inline size_t mel_work_floats(const hz_mel *m, int lanes)
{
    return (size_t)lanes * (4 * ((size_t)m->points + (size_t)m->widest) + (size_t)m->bins);
}

/* The tables of m->form at this rate. */
hz_status mel_tables(hz_mel *m, double rate);
#endif

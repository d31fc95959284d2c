/* mel.h: log-mel spectrograms of sounds, as librosa computes them: centred frames, a periodic Hann window, the power of
   a real Fourier transform, Slaney's mel scale with filters of equal area, decibels. */
#ifndef HZ_MEL_H
#define HZ_MEL_H
#include "hz/base.h"
#pragma GCC visibility push(default)

/* What is heard beyond the ends, half a window on either side. REFLECT: the sound backwards, without its last sample;
   SILENCE: zeros. */
typedef enum hz_mel_edge { HZ_EDGE_REFLECT, HZ_EDGE_SILENCE } hz_mel_edge;

typedef struct hz_mel_form {
    int32_t n_fft;                   /* samples of a window, 2 .. 65536, no prime factor above 4096 */
    int32_t hop;                     /* samples from one frame to the next, > 0 */
    int32_t mels;                    /* bands, 1 .. 4096 */
    int32_t edge;                    /* hz_mel_edge */
    double fmin, fmax;               /* Hz, 0 <= fmin < fmax; fmax 0: half the rate */
    double power;                    /* of the magnitude, > 0 */
    double top_db;                   /* dB below the loudest value that are kept, >= 0; INFINITY: all */
} hz_mel_form;

/* 2048, 512, 96 bands from 0 Hz to half the rate, power 2, 80 dB, reflected edges. */
void hz_mel_standard(hz_mel_form *form);

/* Frames of a sound of so many samples per channel. */
int64_t hz_mel_frames(const hz_mel_form *form, int64_t samples);

/* A form at one rate, with its tables; read-only, for all threads. */
typedef struct hz_mel hz_mel;
/* new: hz_mel_free; NULL, message set. [any] */
hz_mel *hz_mel_new(const hz_mel_form *form, double rate);
void hz_mel_free(hz_mel *m);                                 /* taken; NULL is fine */

/* out[mel,frame,channel] = max(20 log10(max(1e-5, s)), loudest of all - top_db), s the band's sum of power.
   samples   float (samples,channels)
   out       float (mels,frames,channels)
   room      hz_mel_room bytes, 64-byte aligned; NULL: it takes memory of its own
   A sample that is not finite is named (HZ_ENUMERIC). Levels of vectors differ
   by rounding: 1e-5 dB. [any] */
hz_status hz_mel_run(const hz_mel *m, const float *samples, int64_t count, int channels, float *out,
                     void *room);
size_t hz_mel_room(const hz_mel *m, int64_t count);

#pragma GCC visibility pop
#endif

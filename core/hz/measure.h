/* measure.h: how far decoded items are from their originals: figures by kind of media, and ratios of their sums. */
#ifndef HZ_MEASURE_H
#define HZ_MEASURE_H
#include "hz/codec.h"
#pragma GCC visibility push(default)

/* A figure of one decoded item beside its original: a column of accounts. Those of the items of a set add up. */
typedef struct hz_measure {
    int kind;                        /* hz_media_kind */
    const char *name;                /* one for each kind */
    double equal;                    /* of an item beside itself; NaN: that depends on the item */
    int64_t (*room)(const hz_media *m);          /* doubles of scratch memory that `of` needs; NULL: none */
    double (*of)(const hz_media *original, const void *decoded, double *room);       /* both of the same shape [any] */
} hz_measure;

/* image  squared_error   squared differences summed over the samples (8 bit)
          ssim            Wang, Bovik, Sheikh, Simoncelli 2004: Gaussian window 11x11, sigma 1.5, its centre wherever
                          the window lies inside the image; K1 = 0.01, K2 = 0.03, L = 255; mean over positions, then
                          over channels. A side shorter than 11 samples gets a window of just that length along it
                          (the same Gaussian around the middle, weights again adding up to 1), hence one position
   sound  squared_error   squared differences summed over the samples (full scale +-1)
          energy          squares of the original's samples, summed
          log_spectral_distance   Gray, Markel 1976, in dB: the root mean square, over the bins of a spectrum, of the
                          difference between levels; mean over frames, then over channels. Frames of the largest power
                          of two within 50 ms, a quarter apart, under a periodic Hann window; what is behind the sound
                          in its last frame is silent. Levels below -100 dB of full scale count as that */

/* The i-th measure of this kind, i from 0; NULL: there are no more. Lent for ever. [any] */
const hz_measure *hz_measure_at(int kind, int i);
/* out[i] for each of n items; the decoded one begins at decoded + i * stride bytes. Threads as in hz_codec_recode.
   [main] */
hz_status hz_measure_items(const hz_measure *m, const hz_media *items, int64_t n, const void *decoded, int64_t stride,
                           double *out, int threads);

/* Squared differences summed over `count` samples of 8 bit. [any] */
int64_t hz_squared_error(const uint8_t *a, const uint8_t *b, int64_t count);
/* 10 log10(255^2 / (squared_error / count)) in dB; infinity if the error is 0. [any] */
double hz_psnr(double squared_error, double count);
/* 10 log10(energy / squared_error) in dB: the signal-to-noise ratio of a sound; infinity if the error is 0. [any] */
double hz_snr(double energy, double squared_error);

#pragma GCC visibility pop
#endif

/* measure.h: how far a decoded image is from the original. Samples are 8 bit. */
#ifndef HZ_MEASURE_H
#define HZ_MEASURE_H
#include "hz/base.h"
#pragma GCC visibility push(default)

/* Squared differences summed over `count` samples. [any] */
int64_t hz_squared_error(const uint8_t *a, const uint8_t *b, int64_t count);
/* 10 log10(255^2 / (squared_error / count)) in dB; infinity if the error is 0. [any] */
double hz_psnr(double squared_error, double count);

/* SSIM of n pairs of images (Wang, Bovik, Sheikh, Simoncelli 2004): Gaussian window 11x11, sigma 1.5, its centre wherever the window
   lies inside the image; K1 = 0.01, K2 = 0.03, L = 255; mean over positions, then over channels. A side shorter than 11 samples gets
   a window of just that length along it (the same Gaussian around the middle, weights again adding up to 1), hence one position.
   a, b uint8_t (n,height,width,channels); out (n), 1 for equal images; threads as in hz_codec_recode. [main] */
hz_status hz_ssim(const uint8_t *a, const uint8_t *b, int64_t n, int64_t height, int64_t width, int channels, double *out,
                  int threads);

#pragma GCC visibility pop
#endif

/* rows.h: the functions behind the table of measures (measure.c), as hz_measure has them. */
#ifndef HZ_CORE_MEASURE_ROWS_H
#define HZ_CORE_MEASURE_ROWS_H
#include "hz/measure.h"

double image_error(const hz_media *original, const void *decoded, double *room);
double image_ssim(const hz_media *original, const void *decoded, double *room);
int64_t image_ssim_room(const hz_media *m);
double sound_error(const hz_media *original, const void *decoded, double *room);
double sound_energy(const hz_media *original, const void *decoded, double *room);
double sound_spectra(const hz_media *original, const void *decoded, double *room);
int64_t sound_spectra_room(const hz_media *m);

#endif

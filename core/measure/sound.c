/* sound.c: squared error and energy of sounds, float (frames,channels), and the ratio of both. */
#include "measure/rows.h"
#include <math.h>

double sound_error(const hz_media *original, const void *decoded, double *room)
{
    const float *a = original->data, *b = decoded;
    double sum = 0;
    for (int64_t i = 0; i < original->frames * original->channels; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum;
}

double sound_energy(const hz_media *original, const void *decoded, double *room)
{
    const float *a = original->data;
    double sum = 0;
    for (int64_t i = 0; i < original->frames * original->channels; i++)
        sum += (double)a[i] * (double)a[i];
    return sum;
}

double hz_snr(double energy, double squared_error)
{
    return squared_error > 0 ? 10 * log10(energy / squared_error) : INFINITY;
}

/* strings.h: the embedded set of sounds: plucked strings, each played through one of twelve effects and recorded by a
   microphone whose noise is known, with the true entropy of that noise beside each clip.
   A clip is fixed by (seed, index) and the knobs alone: any clips can be played in any order, by any number of threads,
   on any machine, with equal bits. Clip i has effect i mod HZ_STRINGS_CLASSES; it is mono.

   Microphone model, per sample, independent of all others: the string gives s in steps of 16 bits, to 1/16 of a step;
       y = round(s + Normal(0, noise)) / 32768
   and s stays so far below full scale that nothing is clipped. So H(Y|S), the noise entropy of a sample given the
   string's sound, follows from the sample's exact distribution (core/strings/mic.c). */
#ifndef HZ_STRINGS_H
#define HZ_STRINGS_H
#include "hz/base.h"
#pragma GCC visibility push(default)

enum { HZ_STRINGS_CLASSES = 12 };

/* Knobs; a zeroed field means its default. What is played depends on the seed alone: other rates hear less of the same
   highs, shorter clips end earlier, other noise lies over the same sound. */
typedef struct hz_strings_spec {
    uint64_t seed;
    int32_t rate;              /* frames per second: 44100 (default), 22050 or 11025 */
    int32_t noise_free;        /* 1: the string's sound, rounded; entropy 0 */
    double seconds;            /* 0.25..10; default 2 */
    double noise;              /* standard deviation in units of 16 steps: -66.2 dB of full scale;
                                  0.1..10, default 1 */
} hz_strings_spec;

typedef struct hz_strings hz_strings;

/* A player for these knobs (NULL: all defaults). new: free with hz_strings_free. NULL if a knob is out of range or
   memory is short. [any] */
hz_strings *hz_strings_new(const hz_strings_spec *spec);
void hz_strings_free(hz_strings *strings);

/* The knobs with defaults filled in; lent until the player is freed. [any] */
const hz_strings_spec *hz_strings_knobs(const hz_strings *strings);
/* Samples per clip. [any] */
int64_t hz_strings_frames(const hz_strings *strings);
/* "chorus" for 0 and so on; lent for ever; NULL outside 0..HZ_STRINGS_CLASSES-1. [any] */
const char *hz_strings_class(int label);

/* Plays `count` clips, whose indices stand in `clips`; one player may serve many threads at once. threads: 1 .. 256; 0:
   one per core that this process may use; each takes 24 bytes per sample at 44.1 kHz while it lasts. Any of the three
   outputs may be NULL. [any] */
hz_status hz_strings_play(const hz_strings *strings, const uint32_t *clips, int64_t count, int threads,
                          float *samples,       /* (count,frames,1): multiples of 2^-15 below 1 */
                          int32_t *labels,      /* (count), 0..11 */
                          float *entropy);      /* (count), mean H(Y|S) over the clip's samples, bits per sample */

#pragma GCC visibility pop
#endif

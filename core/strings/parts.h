/* parts.h: the parts of the embedded set of sounds and what they hand to each other. Private to core/strings.
   draw: (seed, item) -> what is played; note: -> a dry string; effect: -> what the listener hears; mic: -> samples.
   Sounds are double[n] at RATE; what stands before their first sample is silence. */
#ifndef STRINGS_PARTS_H
#define STRINGS_PARTS_H
#include "hz/strings.h"

/* Everything is played at this rate and brought down to the one asked for at the end. */
enum { RATE = 44100 };

/* ---- what is played ---- */

typedef struct clip {
    int label;
    double onset;                 /* seconds of silence before the pluck */
    double pitch;                 /* Hz */
    double pick;                  /* where the string is plucked, as a share of its length */
    double soft;                  /* Hz: the pluck has little above it */
    double decay;                 /* seconds in which the fundamental falls by 60 dB */
    double damping;               /* of high partials: 0 none .. 0.25 */
    /* The effect; effect.c's table says what they mean to each. */
    double time, rate, depth, amount;
    double spot[3];               /* 0..1: where modulations begin, which bands */
    /* What all classes go through behind it, so that the mean spectrum says little. */
    double tilt, corner;          /* dB from lows to highs, around this many Hz */
    double level;                 /* peak, share of full scale */
} clip;

void clip_draw(clip *c, uint64_t seed, uint32_t item);

/* ---- sound ---- */

/* The dry string, peak 1. */
void note_play(const clip *c, uint64_t seed, uint32_t item, double *x, int64_t n);
/* The effect of the clip's class upon x; room: 2n, contents lost. */
void effect_apply(const clip *c, double *x, double *room, int64_t n);
const char *effect_name(int label);
/* The tilt, and nothing below what a microphone hears. */
void tone_apply(const clip *c, double *x, int64_t n);

/* From delay.c and shape.c, for the table: as effect_apply. */
typedef void effect(const clip *c, double *x, double *room, int64_t n);
effect delay_chorus, delay_flanger, delay_vibrato, delay_echoes, delay_slapback, delay_reverb;
effect shape_drive, shape_equalise, shape_phase, shape_tremolo;

/* A sine that is turned on from sample to sample, without a sine for each. */
typedef struct lfo { double c, s, turn_c, turn_s; } lfo;
lfo lfo_make(double turns, double hz);
static inline double lfo_next(lfo *o)
{
    double now = o->s, c = o->c * o->turn_c - o->s * o->turn_s;
    o->s = o->s * o->turn_c + o->c * o->turn_s;
    o->c = c;
    return now;
}
double decibels(double db);        /* as a factor */

/* ---- microphone ---- */

/* Sound is measured in 1/16 of a step of 16 bits; a sample differs from it by less than REACH steps. */
enum { PHASES = 16, REACH = 1200, DEVIATIONS = 7 };

typedef struct mic {
    int reach;                               /* y - floor(s) lies in -reach .. reach+1 */
    uint32_t upto[PHASES][2 * REACH + 2];    /* P(y - floor(s) <= k - reach) in units of 2^-32; the last one is 1 */
    double entropy[PHASES];                  /* H(Y | phase), bits */
} mic;

void mic_make(mic *m, double sigma);         /* steps; 1..REACH/DEVIATIONS */
/* What the uniform word draws at this level (sixteenths of a step), in steps. */
int mic_draw(const mic *m, int level, uint32_t word);

#endif

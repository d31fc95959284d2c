/* effect.c: the twelve classes, one row each, and what is drawn for a clip. All but the effect is drawn alike for every
   class: pitch, plucking, decay, tone, level say nothing of it. */
#include "strings/parts.h"
#include "draw.h"
#include "exact.h"

typedef struct range { double lo, hi; } range;

/* What time (s), rate (Hz), depth and amount mean stands at the function. */
static const struct {
    const char *name;
    effect *apply;
    range time, rate, depth, amount;
} effects[HZ_STRINGS_CLASSES] = {
    { "chorus",         delay_chorus,   { .012, .020 }, { 1.5, 3.0 }, { .0015, .0025 }, { .6, .9 } },
    { "distortion",     shape_drive,    { 0, 0 },          { 0, 0 },        { 0, .05 },       { 34, 44 } },
    { "EQ",             shape_equalise, { 0, 0 },          { 0, 0 },        { 1.0, 2.0 },     { 15, 21 } },
    { "feedback delay", delay_echoes,   { .100, .220 }, { 0, 0 },        { 0, 0 },            { .5, .7 } },
    { "flanger",        delay_flanger,  { .0015, .004 }, { .6, 1.6 }, { .6, .85 },      { .5, .75 } },
    { "none",           NULL,           { 0, 0 },          { 0, 0 },        { 0, 0 },            { 0, 0 } },
    { "overdrive",      shape_drive,    { 0, 0 },          { 0, 0 },        { .5, .8 },       { 16, 22 } },
    { "phaser",         shape_phase,    { 0, 0 },          { .8, 2.0 },  { 3.0, 4.0 },     { .2, .5 } },
    { "reverb",         delay_reverb,   { .8, 2.0 },    { 0, 0 },        { .8, 1.2 },      { .08, .16 } },
    { "slapback",       delay_slapback, { .070, .160 }, { 0, 0 },        { 0, 0 },            { .5, .8 } },
    { "tremolo",        shape_tremolo,  { 0, 0 },          { 4, 9 },     { .6, .95 },      { 0, 0 } },
    { "vibrato",        delay_vibrato,  { 0, 0 },          { 4, 7.5 },   { 35, 80 },       { 0, 0 } },
};

const char *effect_name(int label) { return effects[label].name; }

void effect_apply(const clip *c, double *x, double *room, int64_t n)
{
    if (effects[c->label].apply)
        effects[c->label].apply(c, x, room, n);
}

static double within(stream *r, range a) { return uniform(r, a.lo, a.hi); }
/* Uniform in the logarithm. */
static double ratio(stream *r, double lo, double hi)
{
    return lo * m_exp(uniform(r, 0, m_log2(hi / lo)) * 0.6931471805599453);
}

void clip_draw(clip *c, uint64_t seed, uint32_t item)
{
    stream r = { .seed = seed, .item = item, .purpose = HZ_FOR_NOTE };
    c->label = (int)(item % HZ_STRINGS_CLASSES);
    c->onset = uniform(&r, 0.01, 0.12);
    c->pitch = ratio(&r, 82.4, 660);                  /* E2 to E5 */
    c->pick = uniform(&r, 0.06, 0.45);
    c->soft = ratio(&r, 2000, 10000);
    c->decay = ratio(&r, 0.8, 5);
    c->damping = ratio(&r, 0.005, 0.12);
    c->time = within(&r, effects[c->label].time);
    c->rate = within(&r, effects[c->label].rate);
    c->depth = within(&r, effects[c->label].depth);
    c->amount = within(&r, effects[c->label].amount);
    for (int i = 0; i < 3; i++)
        c->spot[i] = uniform(&r, 0, 1);
    c->tilt = uniform(&r, -12, 12);
    c->corner = ratio(&r, 300, 2500);
    c->level = decibels(uniform(&r, -20, -2));
}

/* chain.h: composed codecs: chain.c makes them of their names, stages.c runs them. */
#ifndef CODEC_CHAIN_H
#define CODEC_CHAIN_H
#include "codec/door.h"

enum { CHAIN_MAX = 8 };

/* Stages, first to last; the last one makes the stream. */
typedef struct chain {
    int count;                           /* 2 .. CHAIN_MAX */
    const codec_row *stage[CHAIN_MAX];   /* none is a chain itself */
    int at[CHAIN_MAX];                   /* place of its first value among the chain's */
    int undoes;                          /* 1: a stage has something to undo, so that streams begin with shapes */
} chain;

/* What a chain cannot say of itself, since these get no instance: create and fingerprint. */
void *chain_create(const chain *c, const double *values);
void chain_describe(FILE *f, const chain *c);
/* Has a stage something to undo after what comes behind it was decoded? */
int chain_undoes(const codec_row *stage);
/* The functions of a chain; name, kind, channels and what else comes of its stages are the caller's. */
void chain_functions(const chain *c, hz_codec_api *api);
extern const hz_codec_note chain_note;

#endif

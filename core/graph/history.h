/* history.h: what the runs of a plan have left of each value; core only. */
#ifndef HISTORY_H
#define HISTORY_H
#include "graph/planner.h"

typedef struct history {
    int64_t *ran;             /* (nodes): number of the run in which a node ran last, from 1 on; 0: none */
    int64_t runs;
    int end;                  /* where the last run ended */
} history;

hz_status history_make(history *h, int nodes);         /* new: history_clear */
void history_clear(history *h);
/* Nodes from..to-1 have run, but for the idle. */
void history_note(history *h, int from, int to, const unsigned char *idle);
/* The node that wrote over a value since it was made; -1: none did, or no run has made it. */
int history_overwritten(const history *h, const hz_graph *g, const arena_map *m, int value);
/* Whether what nodes from..to-1 read of earlier nodes is there. HZ_ESTATE: it is not, message set. */
hz_status history_check(const history *h, const hz_graph *g, const arena_map *m, int from, int to);
#endif

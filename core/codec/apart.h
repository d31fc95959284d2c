/* apart.h: what a process that recodes for us shows of its work. It may have been ruined: whatever is read here is
   checked before it is used. */
#ifndef HZ_CORE_APART_H
#define HZ_CORE_APART_H
#include "codec/job.h"

enum { WORKERS = 256, NOBODY = -1 };

typedef struct board {
    job job;                         /* its `failed`, `code` and `message` are looked at */
    atomic_llong at[WORKERS];        /* job.h */
    atomic_int ender;                /* worker whose thread got a fatal signal or called exit */
    atomic_int done;                 /* 1: all workers have ended, the tables are written */
    hz_recoded rows[];               /* (n) */
} board;

/* Descriptors of the child: where to whatever is printed goes, where to tables go. */
typedef struct outlets { int words, tables; } outlets;

/* In the child of `parent`: does the board's job and ends. */
_Noreturn void apart_child(board *b, int parent, outlets to);

#endif

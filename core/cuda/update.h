/* update.h: updates of parameters and of running statistics as items: a launch makes one, or all of a list. C11 and
   C++17. */
#ifndef CUDA_UPDATE_H
#define CUDA_UPDATE_H
#include "cuda/parts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n elements each, on the device, all f32 or all f64. Of norm_update p is a running statistic, dp the batch's, and
   optim.momentum the norm's. */
typedef struct update {
    int32_t op, f64;
    int64_t n;
    void *p, *s, *t;          /* changed; NULL: the op has no such state */
    const void *dp;
    void *mean;               /* average of p that moves afterwards; NULL: none */
    int32_t back;             /* of that: hz_average */
    hz_optim optim;
} update;

enum { UPDATE_PART = 1024, UPDATE_ITEMS = 2 };        /* elements that a block takes; items of a node at most */
int updates_of(const hz_work *w, update out[UPDATE_ITEMS]);       /* how many items a node is */

/* Updates of several nodes that one launch makes, where the first of them stands. */
typedef struct update_list update_list;
/* new: begins with works[from], which fits; holds what may be made with it of the updates behind it, up to the first
   node that is none. lead[i]: the first of the list that works[i] is in, -1 if there is none yet; set for what it
   holds. NULL, message set. */
update_list *update_list_new(const hz_work *works, int from, int count, int *lead);
int update_list_last(const update_list *l);                       /* the last of its works */
hz_status update_list_run(const update_list *l, const cuda_call *c);
void update_list_free(update_list *l);                            /* NULL is fine */
/* Whether a list may hold it: all updates but muon, which is no sum over elements. */
int update_fits(const hz_work *w);
int update_moves(const hz_work *w, const void *p);                /* 1: an update that writes what begins at p */

/* kern/update.cu. list: of updates. */
void launch_updates(const parts *list, int f64, const cuda_call *c);
void check_update(const update *u);                               /* that it leads to the device's memory */

#ifdef __cplusplus
}
#endif
#endif

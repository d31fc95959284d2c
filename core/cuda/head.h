/* head.h: the end of a network in one launch: mean over the image, a small dense layer, cross entropy and their
   gradients, which apart are seven launches over next to nothing. C11 and C++17. */
#ifndef CUDA_HEAD_H
#define CUDA_HEAD_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which node does what; all but the loss may be absent. Those from HEAD_LOSS_GRAD on are backward. */
enum {
    HEAD_MEAN, HEAD_DENSE, HEAD_LOSS, HEAD_LOSS_GRAD, HEAD_ACT_GRAD, HEAD_DENSE_GRAD, HEAD_MEAN_GRAD, HEAD_ROLES
};
enum { HEAD_FORWARD = 1, HEAD_BACKWARD = 2 };
/* Units of the dense layer or channels of the mean, classes, and elements of the dense layer's weights at most: each
   row reads them anew. */
enum { HEAD_UNITS = 2048, HEAD_CLASSES = 1024, HEAD_WEIGHTS = 8192 };

/* Last of the works that come in one launch with works[first], with which a head begins; `first`: none does. Data
   pointers tell values apart and may lead nowhere. */
int head_last(const hz_work *works, int count, int first);

typedef struct head head;
/* new: of the head that begins with works[first], as head_last said; lead[i] of its works becomes `first`. NULL,
   message set */
head *head_new(const hz_work *works, int count, int first, int *lead);
void head_free(head *h);                              /* NULL is fine */
/* Where a run over works from..to-1 comes to work i of the head: 1 if the head launches it, now or where the first of
   it stands in this run; 0 if the run has but some of those forward, or backward, and i is to run by itself. */
int head_run(const head *h, int from, int to, int i, const cuda_call *c);

/* kern/head.cu. role[i]: NULL if absent. of_row: a double for each row; done: 0 before and afterwards. */
void launch_head(const hz_work *const role[HEAD_ROLES], int parts, double *of_row, unsigned *done, const cuda_call *c);

#ifdef __cplusplus
}
#endif
#endif

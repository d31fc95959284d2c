/* casts.h: between f32 and the bf16 that libraries multiply: copies of weights before nodes that read them, gradients
   behind nodes that make them, and sums of biases that were made on the way. Node by node each would be a launch over
   next to nothing; a run that has them all makes two launches of them. C11 and C++17. */
#ifndef CUDA_CASTS_H
#define CUDA_CASTS_H
#include "cuda/parts.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cast_kind { CAST_NARROW, CAST_WIDEN, CAST_COPY } cast_kind;    /* f32 to bf16, bf16 to f32, f32 to f32 */

/* n elements on the device. */
typedef struct cast {
    const void *from;
    void *to;
    int64_t n;
    int32_t kind;             /* cast_kind */
} cast;

enum { CAST_PART = 2048 };                            /* elements that a block takes */

typedef struct casts casts;
/* new. wants, sums: by work, what its kernel says that it casts (cuda_cast), and cuda_call.sums of those that do not
   make them. NULL, message set */
casts *casts_new(const hz_work *works, int count, const int *wants, float *const *sums);
void casts_free(casts *c);                            /* NULL is fine */
void *casts_narrow(const casts *c, int i);            /* cuda_call.narrow of work i */
/* What is to be cast in a run over works from..to-1: before the first of them, before work i, and behind it. */
void casts_begin(const casts *c, int from, int to, void *stream);
void casts_before(const casts *c, int i, void *stream);
void casts_behind(const casts *c, int from, int to, int i, void *stream);

/* kern/casts.cu. list: of casts. */
void launch_casts(const parts *list, void *stream);
void check_cast(const cast *c);                       /* that it leads to the device's memory */

#ifdef __cplusplus
}
#endif
#endif

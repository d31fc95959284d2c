/* axis.h: a convolution along one axis as runs of outputs that use the same taps, so that no padded copy of an
   image is needed: the taps that fall outside are left out of the sums. Serves the forward pass and, by phases,
   the gradient to the input. */
#ifndef HZ_CPU_AXIS_H
#define HZ_CPU_AXIS_H
#include "cpu/cpu.h"

enum { AXIS_TAPS = 15, AXIS_PHASES = 8, AXIS_RUNS = 2 * AXIS_TAPS + 1 };

/* Outputs out, out + out_step, ... (count of them) start at inputs in, in + in_step, ... and use `taps`
   taps from `tap` on. */
typedef struct axis_run {
    int64_t out, out_step, count, in, in_step, tap, taps;
} axis_run;

typedef struct axis_phase {
    int64_t taps;             /* in the packed weights of this phase; may be 0 */
    int64_t first, step;      /* packed tap t is tap first + t*step of the weights */
    int runs;
    axis_run run[AXIS_RUNS];
} axis_phase;

typedef struct axis_plan {
    int phases;
    axis_phase phase[AXIS_PHASES];
} axis_plan;

/* image -> output: one phase. */
void axis_forward(axis_plan *p, int64_t image, int64_t output, int64_t taps, int64_t stride, int64_t before);
/* gradient of the output -> gradient of the image: a phase for each remainder modulo the stride. */
void axis_backward(axis_plan *p, int64_t image, int64_t output, int64_t taps, int64_t stride, int64_t before);
/* The part of a run with outputs in from..to-1; count 0 if none. */
axis_run axis_cut(const axis_run *r, int64_t from, int64_t to);

#endif

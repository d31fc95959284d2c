/* muon.h: Muon with the iterates by somebody else's products. */
#ifndef CUDA_MUON_H
#define CUDA_MUON_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* square = x x^T; polynomial = MUON_B square + MUON_C square square; next = MUON_A x + polynomial x. x, next (m,n), the
   others (m,m), 256-byte aligned; room: workspace behind muon_bytes. */
typedef hz_status (*muon_iterate)(const void *state, const float *x, float *square, float *polynomial, float *next,
                                  void *room, void *stream);

void muon_extent(const hz_work *w, int64_t *m, int64_t *n);
size_t muon_bytes(const hz_work *w);      /* of the workspace, a multiple of 256 */
hz_status muon_run_by(const hz_work *w, const cuda_call *c, muon_iterate iterate);   /* all f32 */

#ifdef __cplusplus
}
#endif
#endif

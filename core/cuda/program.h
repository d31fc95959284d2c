/* program.h: nodes with the kernel chosen for each, run in order on the device's stream; core/cuda only. */
#ifndef CUDA_PROGRAM_H
#define CUDA_PROGRAM_H
#include "cuda/kernel.h"
#include "cuda/runtime.h"
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

int program_accepts(const hz_work *w);
hz_program *program_new(const hz_work *works, int count, int train);
void program_free(hz_program *p);
hz_status program_run(hz_program *p, int from, int to, const hz_step *s, int timed);
void program_gate(hz_program *p, int from, const hz_arg *number);
hz_status program_stat(const hz_program *p, int i, hz_node_stat *out);

/* kern/step.cu: small launches around the nodes. */
void launch_step(void *stream, hz_step *to, const hz_step *s);
void launch_gate(void *stream, const hz_arg *number, int32_t *shut);

#ifdef __cplusplus
}
#endif
#endif

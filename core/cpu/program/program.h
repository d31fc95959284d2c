/* program.h: what a program of the CPU backend is made of; shared by backend.c, which makes and runs it, and
   trial.c, which tries kernels. */
#ifndef CPU_PROGRAM_H
#define CPU_PROGRAM_H
#include "cpu/micro.h"

enum { KERNEL_LABEL = 32 };   /* bytes of "gather", "wide gather" */

/* A kernel, and whether it sees the node widened. */
typedef struct choice {
    const cpu_kernel *kernel;
    int wide;
} choice;

typedef struct node {
    hz_work work;             /* as the plan has it */
    hz_work seen;             /* as the kernel sees it: the same, or widened */
    choice use;
    char label[KERNEL_LABEL];
    void *memory;
    size_t bytes;
    uint32_t version;         /* of the parameters in `memory`; meaningful once `packed` */
    int packed;
    double ms;
} node;

struct hz_program {
    const cpu_micro *micro;
    int count, train;
    node *nodes;
    char *scratch;
    size_t stride;            /* bytes per worker, a multiple of 4096 */
    size_t scratch_bytes;
    int workers;              /* that scratch was made for */
    char *wide;               /* f32 copies of one node's bf16 values */
    size_t wide_bytes, wide_needed;
    hz_arg gate;              /* data is NULL where there is none */
    int gated;                /* works from here on wait for it */
};

void choice_label(choice c, char label[KERNEL_LABEL]);
/* Choices worth a trial: those that accept, the plain loops only where nothing else does. Returns how many, -1
   where HZ_KERNEL forces out[0]. */
int choice_list(const hz_work *w, const cpu_micro *m, choice out[HZ_TRIALS]);

/* Gives a node its kernel and the kernel's memory, and says how much scratch and room for copies the program
   needs for it. */
hz_status program_prepare(hz_program *p, node *n, choice use);
hz_status program_reserve(hz_program *p);              /* the scratch, for the threads there are now */
hz_status program_place_copies(hz_program *p);         /* the area for copies; where the widened nodes see it */
hz_status program_run_node(hz_program *p, node *n, const hz_step *s);

int program_trials(const hz_program *p, int i, const hz_step *s, int repeats, hz_trial out[HZ_TRIALS]);
hz_status program_use(hz_program *p, int i, const char *kernel);
#endif

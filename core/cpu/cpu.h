/* cpu.h: what the CPU backend's files share. Kernels are rows of a list per op; the cheapest that accepts a node runs it.
   Work is cut into tasks by shape alone, partial sums live in slots and are added in slot order: any number of threads
   yields the same bits. */
#ifndef HZ_CPU_H
#define HZ_CPU_H
#include "hz/backend.h"

/* --- pool: persistent threads; the caller is worker 0 --- */
typedef void pool_task(void *arg, int task, int worker);      /* worker: 0 .. pool_threads()-1 */
void pool_run(int tasks, pool_task *fn, void *arg);           /* returns when all tasks are done; tasks are taken dynamically */
int pool_threads(void);
enum { POOL_MAX = 256 };

/* --- kernels --- */
typedef struct cpu_call {
    const hz_step *step;
    void *memory;             /* the node's own: packed weights, slots; as many bytes as memory() said, lives with the program */
    char *scratch;            /* worker i's part starts at scratch + i*scratch_stride; shared by all nodes, contents do not last */
    size_t scratch_stride;
} cpu_call;

typedef struct cpu_kernel {
    const char *name;                               /* "direct", "gemm", "ref" */
    double (*cost)(const hz_work *w);               /* predicted seconds; negative: does not run this node */
    size_t (*memory)(const hz_work *w);             /* NULL: none */
    size_t (*scratch)(const hz_work *w);            /* bytes per worker; NULL: none */
    void (*pack)(const hz_work *w, void *memory);   /* NULL: none; called when the parameters' version changed */
    void (*run)(const hz_work *w, const cpu_call *c);
} cpu_kernel;

#endif

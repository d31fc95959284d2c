/* cpu.h: what the CPU backend's files share. Kernels are rows of a list per op; the cheapest that accepts a node
   runs it. Work is cut into tasks by shape alone, partial sums live in slots and are added in slot order: any number
   of threads yields the same bits. */
#ifndef CPU_H
#define CPU_H
#include "batch.h"
#include "bounds.h"
#include "hz/cpu.h"

/* Row numbers of op.def. */
enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
    OP_COUNT
};

/* --- team: persistent threads; the caller is worker 0 --- */
typedef void team_task(void *arg, int task, int worker);      /* worker: 0 .. team_threads()-1 */
void team_run(int tasks, team_task *fn, void *arg);           /* returns when all tasks are done; tasks are
                                                                 taken dynamically */
int team_threads(void);
hz_status team_check(void);                                   /* HZ_THREADS makes sense, else message set */
enum { TEAM_MAX = 256 };

/* --- instruction sets --- */
typedef struct cpu_micro cpu_micro;                           /* micro.h: micro-kernels and tile sizes of one level */
const cpu_micro *cpu_micro_now(void);                         /* of the current level; lent for ever */
hz_status cpu_isa_check(void);                                /* HZ_ISA names a level, HZ_CPU a vendor,
                                                                 else message set */

/* --- kernels --- */
typedef struct cpu_call {
    const hz_step *step;
    const cpu_micro *micro;   /* level the program was made for */
    void *memory;             /* the node's own: packed weights, slots; as many bytes as memory() said, lives
                                 with the program */
    char *scratch;            /* worker i's part starts at scratch + i*scratch_stride; shared by all nodes,
                                 contents do not last */
    size_t scratch_stride;
} cpu_call;

typedef struct cpu_kernel {
    const char *name;                                                 /* "direct", "gemm", "ref" */
    /* predicted seconds; negative: does not run this node */
    double (*cost)(const hz_work *w, const cpu_micro *m);
    size_t (*memory)(const hz_work *w, const cpu_micro *m);           /* bytes, 64-byte aligned; NULL: none */
    size_t (*scratch)(const hz_work *w, const cpu_micro *m);          /* bytes per worker; NULL: none */
    /* NULL: none; called when the parameters' version changed */
    void (*pack)(const hz_work *w, const cpu_call *c);
    hz_status (*run)(const hz_work *w, const cpu_call *c);
    int (*tails)(const hz_work *w, const cpu_micro *m);  /* 1: runs the node's tails; NULL: runs no node that has any */
    int heads;                /* 1: runs nodes with a head */
    int blocked;              /* of hz_arg: 1: its result may be; 2: its first input is, its result may be; 0: none */
    int rounds;               /* 1: rounds in between; not for nodes that are exact (hz_work) */
} cpu_kernel;

enum { CPU_KERNELS = 10 };                                            /* rows of a list, with its end, at most */
const cpu_kernel *const *cpu_kernels(int op);                         /* fastest first, ends with NULL */

/* --- wide.c: bf16 activations through kernels that compute over f32 --- */
int wide_wanted(const hz_work *w);                                    /* some activation is bf16 */
/* The node with f32 in place of bf16; with an area of `bytes` bytes (64-byte aligned) those values lie in it. [any] */
hz_work wide_work(const hz_work *w, char *area, size_t *bytes);
double wide_cost(const hz_work *w);                                   /* predicted seconds of the conversions */
hz_status wide_run(const cpu_kernel *kernel, const hz_work *w, const hz_work *wide, const cpu_call *c);

/* --- small questions every kernel asks --- */
/* Rows of the batch in use: count, at most what input 0 has. */
int64_t cpu_rows(const hz_work *w, const cpu_call *c);
/* Elements in use: count rows of an activation, else all. */
int64_t cpu_count(const hz_arg *a, const cpu_call *c);
int64_t cpu_size(const hz_arg *a, int from, int to);                  /* product of dimensions from .. to-1 */
float cpu_rate(const hz_work *w, const cpu_call *c);                  /* of an update: this step's, its group's */
int cpu_all(const hz_work *w, int dtype);                             /* every present float argument has this dtype */
/* How the node stores its activations, HZ_F32 or HZ_BF16, where all other floats are f32; else -1. */
int cpu_storage(const hz_work *w);
static inline void *cpu_at(const hz_arg *a, int64_t i)
{
    return (char *)a->data + i * (int64_t)hz_dtype_bytes(a->dtype);
}

/* The activation that fusion put behind an element-wise node, over elements from .. from+n-1 of its output 0,
   just written and still near. */
void cpu_epilogue(const hz_work *w, const cpu_micro *m, int64_t from, int64_t n);

/* --- tail.c: what fusion put behind a node, over parts of its result --- */
/* Part of image n of the result: all channels of rows y0..y1-1, columns x0..x1-1. */
typedef struct cpu_rect { int64_t n, y0, y1, x0, x1; } cpu_rect;
/* Whether the node's tails can run over parts that begin at multiples of `rows` and `columns` and end there or at the
   image's edge. 0: parts reach over the whole image that way. */
int cpu_tail_fits(const hz_work *w, int64_t rows, int64_t columns);
/* Parts must begin at multiples of so many rows; at least 1. */
int64_t cpu_tail_rows(const hz_work *w);
/* 0: the result itself is not stored, out[0] has no memory. */
int cpu_tail_stored(const hz_work *w);
/* Bytes of slots for so many tasks, a multiple of 64: what a task adds up. 0 where there is nothing to add up. */
size_t cpu_tail_bytes(const hz_work *w, int64_t tasks);
void cpu_tail_begin(const hz_work *w, void *slots, int task);
/* A part has been computed and lies at `near`, rows `pitch` elements apart: in out[0] itself where that is stored. */
void cpu_tail_run(const hz_work *w, const cpu_call *c, void *slots, int task, cpu_rect r, void *near, int64_t pitch);
void cpu_tail_end(const hz_work *w, void *slots, int tasks);          /* when all tasks have run */

/* --- head.c: what fusion put before a node --- */
int cpu_head_fits(const hz_work *w);
/* Makes rows from..to-1 of in[of], counted over all images, at `out`, which need not be zero. Returns where row 0 would
   lie, as if all of it were stored. */
void *cpu_head_run(const hz_work *w, const cpu_call *c, int64_t from, int64_t to, void *out);

typedef slide cpu_window;
static inline cpu_window cpu_window_of(const hz_window *a, const hz_arg *image, const hz_arg *output)
{
    return slide_of(a, image, output);
}

/* Neither do windows meet each other nor the edge before the first row and column. */
static inline int cpu_windows_apart(const cpu_window *v)
{
    return v->kh == v->sh && v->kw == v->sw && v->top == 0 && v->left == 0;
}

/* Batch norm's view of in[arg] as (outer, n, inner), the axis with statistics in the middle; outer counts
   rows in use. */
typedef struct cpu_axis { int64_t outer, n, inner; } cpu_axis;
cpu_axis cpu_axis_of(const hz_work *w, const cpu_call *c, int arg);

/* The batch of this step; HZ_EARG, message set, where the data do not hold it. */
hz_status cpu_batch_of(const hz_work *w, const cpu_call *c, batch *out);
/* HZ_EARG, message set, if a label of the rows in use is no class. */
hz_status cpu_check_labels(const hz_work *w, const int32_t *label, int64_t rows, int64_t classes);

#endif

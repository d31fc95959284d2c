/* op.h: what a node of a graph can compute. One row per op in op.def; attributes are plain structs. They hold what is
   meant: a zero is a value, but where one is said to stand for another because it could be none. */
#ifndef HZ_OP_H
#define HZ_OP_H
#include "hz/tensor.h"
#pragma GCC visibility push(default)

typedef enum hz_act { HZ_LINEAR, HZ_RELU, HZ_ELU, HZ_GELU, HZ_LEAKY, HZ_TANH, HZ_SIGMOID, HZ_SCALE,
                       HZ_NACT } hz_act;
/* same as TensorFlow: out = ceil(in/stride), odd padding at the bottom and right */
typedef enum hz_pad { HZ_SAME, HZ_VALID } hz_pad;

typedef struct hz_act_attr {
    int32_t act;          /* hz_act */
    float alpha;          /* elu: scale (commonly 1), leaky: slope (commonly 0.01); >= 0, as derivatives are told by the
                             sign of the output. scale: the factor, any */
} hz_act_attr;

/* Sliding window of conv2d, maxpool, avgpool. */
typedef struct hz_window {
    int32_t kh, kw;       /* kernel, >= 1 */
    int32_t sh, sw;       /* stride, 0 means 1 */
    int32_t pad;          /* hz_pad */
    union {               /* see hz_epilogue */
        struct { int32_t act; float alpha; };
        hz_act_attr epilogue;
    };
} hz_window;

/* The mask has a bit per element of an item, bit e % 8 of byte e / 8: 1 where it was kept. */
typedef struct hz_dropout {
    float rate;           /* share of elements set to zero, 0 <= rate < 1, up to the next multiple of 2^-16; the
                             others are divided by 1 - rate */
    int32_t layer;        /* number of the layer, part of the random counter */
    hz_act_attr epilogue; /* see hz_epilogue */
} hz_dropout;

typedef struct hz_norm {
    int32_t axis;         /* axis that keeps its own statistics; 0 means the last (channels) */
    float epsilon;        /* added to the variance (commonly 1e-3), >= 0 */
    float momentum;       /* running = momentum*running + (1-momentum)*batch (commonly 0.99), 0..1 */
    int32_t frozen;       /* 1: use the running statistics (evaluation) */
    hz_act_attr epilogue; /* see hz_epilogue */
} hz_norm;
/* A norm that is not frozen measures the batch; its running statistics are moved by norm_update
   (hz_graph_statistics). */
enum { HZ_NORM_MEAN = 3, HZ_NORM_VARIANCE = 4 };           /* running statistics among the inputs of norm */
enum { HZ_NORM_BATCHMEAN = 1, HZ_NORM_BATCHVARIANCE = 2 };      /* what it has used, among its outputs */
/* norm_act_grad is the gradient of an activation behind a norm that needs what the activation was given, and makes it
   anew from x: dy = dz * act'(y), y = (x - batchmean)/sqrt(batchvariance + epsilon)*gamma + beta; the activation is
   its epilogue. */
/* Inputs that save a reading of x; absent: the node finds them itself. Of norm (2,n): means, then sums of squares about
   them; of norm_grad (2,n): sums of dy*(x - mean), then of dy. */
enum { HZ_NORM_MOMENTS = 5, HZ_NORM_SUMS = 5 };

/* Mirrored left to right: with probability one half, drawn anew in each epoch; or drawn for epoch 0, and in odd epochs
   the other side. */
typedef enum hz_flip { HZ_FLIP_NONE, HZ_FLIP_RANDOM, HZ_FLIP_ALTERNATING } hz_flip;
/* Beyond the edge: the pixel of the edge again, or what lies as far inside (the edge is not repeated). */
typedef enum hz_fill { HZ_NEAREST, HZ_REFLECT } hz_fill;

typedef struct hz_input {
    int32_t batch;        /* rows of the output, >= 1 */
    int32_t shift_y, shift_x;   /* whole pixels, uniform in -shift..shift */
    int32_t flip;         /* hz_flip */
    int32_t shuffle;      /* 1: epoch's permutation of the items; 0: in order */
    float mean[4];        /* output = (item*scale - mean) / deviation, per channel (modulo 4 if there are more) */
    float deviation[4];   /* > 0; 0 means 1 */
    float scale;          /* 0, by which nothing would be left of the data, means 1/255 for u8, 1 for f32 */
    int32_t dtype;        /* of the output: f32 (0), bf16, f64 */
    int32_t fill;         /* hz_fill, where a shift reaches beyond the edge */
} hz_input;

typedef struct hz_xent {
    float smoothing;      /* label smoothing: target = (1-s)*onehot + s/classes */
} hz_xent;

enum { HZ_GROUPS = 16 };  /* groups of parameters, each with a rate of its own, at most */
typedef struct hz_optim {
    float momentum;       /* sgd, muon */
    int32_t nesterov;     /* sgd, muon */
    float beta1, beta2;   /* commonly 0.9, 0.999; of adadelta beta1 is rho, commonly 0.95 */
    float epsilon;        /* commonly 1e-8, of adadelta and muon 1e-7 */
    float decay;          /* weight decay: added to the gradient (sgd, adam, adadelta) or decoupled (adamw, muon) */
    int32_t group;        /* whose rate it goes by: 0 .. HZ_GROUPS-1 */
    int32_t decoupled;    /* sgd: 1: p -= rate*decay*p, the gradient stays as it is */
    int32_t iterations;   /* muon: of Newton-Schulz, commonly 3 or 5 */
    int32_t renormalise;  /* muon: 1: the weights are scaled to the norm sqrt(filters) before each step */
} hz_optim;

/* Muon (Jordan et al. 2024): a step of Newton-Schulz makes a singular value x a*x + b*x^3 + c*x^5. */
#define MUON_A 3.4445
#define MUON_B -4.7750
#define MUON_C 2.0315

/* mean = keep*mean + (1-keep)*p, keep that of the step (hz_step) */
typedef struct hz_average {
    int32_t back;         /* 1: then p = mean (Lookahead) */
} hz_average;

typedef union hz_attr {
    hz_window window;
    hz_act_attr act;
    hz_dropout dropout;
    hz_norm norm;
    hz_input input;
    hz_xent xent;
    hz_optim optim;
    hz_average average;
} hz_attr;

/* What an op is as a tail of a node: op.def's column. */
typedef enum hz_tail_kind {
    HZ_TAIL_NONE,
    HZ_TAIL_IN_PLACE,     /* changes what the node yields */
    HZ_TAIL_OWN,          /* yields out[out], and its further outputs behind that; what it reads need not be stored,
                             unless hz_tail_keeps */
    HZ_TAIL_SUMS,         /* only adds up, into out[out], what the op reads that runs after the node */
    HZ_TAIL_KINDS
} hz_tail_kind;

/* An op that runs over parts of a node's result while they are near; fusion puts it there. Its first input is what the
   node yields so far; its other inputs and outputs are among the node's. */
enum { HZ_TAILS = 3 };
typedef struct hz_tail {
    int32_t op;
    int32_t in, out;      /* where its further inputs and its outputs begin in the node's; -1 for none */
    hz_attr attr;
} hz_tail;

/* What a kernel makes of a smaller value, part by part, in place of one of its inputs that is then never stored:
   in[of], whose shape it has, is op(in[in], in[in + 1]). */
typedef struct hz_head {
    int32_t op;           /* 0: none; maxpool_grad by windows that do not meet */
    int32_t of, in;
    hz_window window;
} hz_head;

int hz_op_count(void);
const char *hz_op_name(int op);            /* lent for ever; NULL when out of range */
int hz_op_named(const char *name);         /* -1 if unknown */
const char *hz_op_inputs(int op);          /* "x w [b]"; lent for ever */
/* Where an op keeps the activation that fusion put there, else HZ_LINEAR: a forward op then yields act(y), a gradient
   act_grad(dx, y) with y, of dx's shape, as its last input. For the ops act, act_grad and add it is their own. Inside
   *attr; NULL if the op cannot have one. */
const hz_act_attr *hz_epilogue(int op, const hz_attr *attr);
hz_tail_kind hz_tail_kind_of(int op, const hz_attr *attr);
int hz_tail_keeps(int op);
const char *hz_act_name(int act);
int hz_act_named(const char *name);        /* -1 if unknown */

#pragma GCC visibility pop
#endif

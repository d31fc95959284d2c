/* key.h: what a convolution computes, which is all that its plans depend on but the card. */
#ifndef CUDA_DNN_KEY_H
#define CUDA_DNN_KEY_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x (n,h,w,ci), w (co,kh,kw,ci), y (n,oh,ow,co), or their gradients; bias and sums f32. */
typedef enum dnn_pattern {
    DNN_CONV,             /* y = x * w */
    DNN_CONV_ACT,         /* y = act(x * w [+ bias]) */
    DNN_DX,               /* x = gradient of x by that of y */
    DNN_DX_ACT,           /* ... times the derivative of the activation that yielded `stored`, which is x's value */
    DNN_DX_ACT_SUMS,      /* ... and its sums over all but channels: the gradient of the bias before the activation */
    DNN_DW,               /* w = gradient of w by that of y */
    DNN_PATTERNS
} dnn_pattern;
typedef enum dnn_type { DNN_F32, DNN_TF32, DNN_BF16, DNN_TYPES } dnn_type;
typedef enum dnn_slot { DNN_X, DNN_W, DNN_Y, DNN_BIAS, DNN_STORED, DNN_SUMS, DNN_SLOTS } dnn_slot;

typedef struct dnn_key {
    int pattern, type;
    int64_t n, h, w, ci, oh, ow, co;
    int64_t kh, kw, sh, sw;
    int64_t before[2], after[2];         /* padding: rows, columns; 'same' may have one more after than before */
    int bias;                            /* CONV_ACT: 1: there is one */
    hz_act_attr act;                     /* CONV_ACT, DX_ACT*: linear is none */
} dnn_key;

const char *dnn_pattern_name(int pattern);
int dnn_pattern_alone(int pattern);      /* the product it begins with */
const char *dnn_type_name(int type);
/* What conv2d, conv2d_dx and conv2d_dw compute over f32 or bf16. sums: 1: of an activation's gradient also its sums. */
dnn_key dnn_key_of(const hz_work *w, int sums);
/* Names the key wholly, as a file: "conv+act-bf16-128x32x32x64-..."; returns `text`. */
enum { DNN_KEYTEXT = 192 };
char *dnn_key_text(const dnn_key *k, char text[DNN_KEYTEXT]);
/* The way back. HZ_EFORMAT: no such text */
hz_status dnn_key_read(const char *text, dnn_key *out);
int dnn_key_fused(const dnn_key *k);     /* 1: its pattern is more than a product */
/* 1: the pattern of the key, or the product alone (split), uses this operand. */
int dnn_key_uses(const dnn_key *k, int split, int slot);
size_t dnn_key_bytes(const dnn_key *k, int slot);

#ifdef __cplusplus
}
#endif
#endif

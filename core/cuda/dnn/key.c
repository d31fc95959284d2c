/* key.c: what a convolution's node computes, as a key that plans are found by; it has a text from which it can be made
   again, so a list of file names of plans says what they are for. Nothing here calls cuDNN. */
#include "bounds.h"
#include "cuda/dnn/key.h"
#include "slide.h"
#include <stdio.h>
#include <string.h>

enum { X = 1 << DNN_X, W = 1 << DNN_W, Y = 1 << DNN_Y, BIAS = 1 << DNN_BIAS, STORED = 1 << DNN_STORED,
       SUMS = 1 << DNN_SUMS };

static const struct { const char *name; int slots, alone; } patterns[DNN_PATTERNS] = {
    [DNN_CONV]        = { "conv",        X | W | Y, DNN_CONV },
    [DNN_CONV_ACT]    = { "conv+act",    X | W | Y | BIAS, DNN_CONV },
    [DNN_DX]          = { "dx",          X | W | Y, DNN_DX },
    [DNN_DX_ACT]      = { "dx+act",      X | W | Y | STORED, DNN_DX },
    [DNN_DX_ACT_SUMS] = { "dx+act+sums", X | W | Y | STORED | SUMS, DNN_DX },
    [DNN_DW]          = { "dw",          X | W | Y, DNN_DW },
};
static const struct { const char *name; size_t bytes; } types[DNN_TYPES] = {
    [DNN_F32] = { "f32", 4 }, [DNN_TF32] = { "tf32", 4 }, [DNN_BF16] = { "bf16", 2 },
};
static const struct { const char *name; int alpha; } acts[HZ_NACT] = {
    [HZ_LINEAR] = { "linear", 0 }, [HZ_RELU] = { "relu", 0 }, [HZ_ELU] = { "elu", 1 }, [HZ_GELU] = { "gelu", 0 },
    [HZ_LEAKY] = { "leaky", 1 }, [HZ_TANH] = { "tanh", 0 }, [HZ_SIGMOID] = { "sigmoid", 0 },
    [HZ_SCALE] = { "scale", 1 },
};

const char *dnn_pattern_name(int pattern) { return patterns[pattern].name; }
int dnn_pattern_alone(int pattern) { return patterns[pattern].alone; }
const char *dnn_type_name(int type) { return types[type].name; }

/* ---- of a node ---- */

/* Where a node's x, w and y are among its inputs (0 and on) and outputs (-1: the first). */
static const struct { int op, x, w, y, bare, dressed; } nodes[] = {
    { OP_conv2d,     0, 1, -1, DNN_CONV, DNN_CONV_ACT },
    { OP_conv2d_dx, -1, 1,  0, DNN_DX, DNN_DX_ACT },
    { OP_conv2d_dw,  0, -1, 1, DNN_DW, DNN_DW },
};

static const hz_arg *operand(const hz_work *w, int at) { return at < 0 ? &w->out[0] : &w->in[at]; }

static void set_window(dnn_key *k, const hz_window *a, const hz_arg *x, const hz_arg *y)
{
    slide v = slide_of(a, x, y);
    k->h = v.h;
    k->w = v.w;
    k->oh = v.oh;
    k->ow = v.ow;
    k->kh = v.kh;
    k->kw = v.kw;
    k->sh = v.sh;
    k->sw = v.sw;
    k->before[0] = v.top;
    k->before[1] = v.left;
    k->after[0] = max((v.oh - 1) * v.sh + v.kh - v.h - v.top, 0);
    k->after[1] = max((v.ow - 1) * v.sw + v.kw - v.w - v.left, 0);
}

dnn_key dnn_key_of(const hz_work *w, int sums)
{
    int i = w->op == OP_conv2d ? 0 : w->op == OP_conv2d_dx ? 1 : 2;
    const hz_arg *x = operand(w, nodes[i].x), *y = operand(w, nodes[i].y);
    const hz_window *a = &w->attr.window;
    dnn_key k = { .n = x->shape[0], .ci = x->shape[3], .co = y->shape[3],
                  .type = x->dtype == HZ_BF16 ? DNN_BF16 : w->tf32 ? DNN_TF32 : DNN_F32 };
    set_window(&k, a, x, y);
    k.bias = w->op == OP_conv2d && w->nin > 2 && w->in[2].data;
    k.pattern = k.bias || a->act != HZ_LINEAR ? nodes[i].dressed : nodes[i].bare;
    if (sums && k.pattern == DNN_DX_ACT)
        k.pattern = DNN_DX_ACT_SUMS;
    if (k.pattern != DNN_DW)
        k.act = (hz_act_attr){ .act = a->act, .alpha = acts[a->act].alpha ? a->alpha : 0 };
    return k;
}

/* ---- as text ---- */

char *dnn_key_text(const dnn_key *k, char text[DNN_KEYTEXT])
{
    int at = snprintf(text, DNN_KEYTEXT, "%s-%s-%lldx%lldx%lldx%lld-%lldx%lldx%lld-s%lldx%lld-p%lld.%lld.%lld.%lld",
                      patterns[k->pattern].name, types[k->type].name, (long long)k->n, (long long)k->h,
                      (long long)k->w, (long long)k->ci, (long long)k->kh, (long long)k->kw, (long long)k->co,
                      (long long)k->sh, (long long)k->sw, (long long)k->before[0], (long long)k->before[1],
                      (long long)k->after[0], (long long)k->after[1]);
    if (dnn_key_fused(k))
        snprintf(text + at, DNN_KEYTEXT - (size_t)at, "-%s%s=%.9g", k->bias ? "bias+" : "", acts[k->act.act].name,
                 (double)k->act.alpha);
    return text;
}

/* Index of a word in rows that begin with a name; -1: none */
#define NAMED(rows, count, word) named(&(rows)[0].name, sizeof *(rows), count, word)
static int named(const char *const *first, size_t step, int count, const char *word)
{
    for (int i = 0; i < count; i++) {
        if (!strcmp(*(const char *const *)((const char *)first + (size_t)i * step), word))
            return i;
    }
    return -1;
}

static int read_act(const char *text, dnn_key *k)
{
    char word[16];
    k->bias = !strncmp(text, "bias+", 5);
    if (sscanf(text + 5 * k->bias, "%15[a-z]=%f", word, &k->act.alpha) != 2)
        return 0;
    k->act.act = NAMED(acts, HZ_NACT, word);
    return k->act.act >= 0;
}

hz_status dnn_key_read(const char *text, dnn_key *out)
{
    char pattern[16], type[8], act[40] = "";
    long long v[13];
    int n = sscanf(text, "%15[a-z+]-%7[a-z0-9]-%lldx%lldx%lldx%lld-%lldx%lldx%lld-s%lldx%lld-p%lld.%lld.%lld.%lld-%39s",
                   pattern, type, v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10, v + 11,
                   v + 12, act);
    dnn_key k = { .pattern = n < 15 ? -1 : NAMED(patterns, DNN_PATTERNS, pattern) };
    k.type = k.pattern < 0 ? -1 : NAMED(types, DNN_TYPES, type);
    int good = k.type >= 0 && v[7] > 0 && v[8] > 0 && n == 15 + dnn_key_fused(&k) && (n == 15 || read_act(act, &k));
    for (int i = 0; good && i < 13; i++)
        good = v[i] >= (i < 9) && v[i] < INT32_MAX;
    if (!good)
        return cuda_core->fail(HZ_EFORMAT, "cudnn: '%.160s' names no convolution; needs such as "
                               "'conv+act-bf16-128x32x32x3-3x3x32-s1x1-p1.1.1.1-bias+relu=0'", text);
    *out = (dnn_key){ .pattern = k.pattern, .type = k.type, .n = v[0], .h = v[1], .w = v[2], .ci = v[3], .kh = v[4],
                      .kw = v[5], .co = v[6], .sh = v[7], .sw = v[8], .before = { v[9], v[10] },
                      .after = { v[11], v[12] }, .bias = k.bias, .act = k.act };
    out->oh = (out->h + v[9] + v[11] - out->kh) / out->sh + 1;
    out->ow = (out->w + v[10] + v[12] - out->kw) / out->sw + 1;
    return out->oh > 0 && out->ow > 0 ? HZ_OK : cuda_core->fail(HZ_EFORMAT, "cudnn: '%.160s': the window is larger "
                                                                "than the image", text);
}

/* ---- operands ---- */

int dnn_key_fused(const dnn_key *k) { return patterns[k->pattern].alone != k->pattern; }

int dnn_key_uses(const dnn_key *k, int split, int slot)
{
    int pattern = split ? patterns[k->pattern].alone : k->pattern;
    return (patterns[pattern].slots >> slot & 1) && (slot != DNN_BIAS || k->bias);
}

size_t dnn_key_bytes(const dnn_key *k, int slot)
{
    size_t each = types[k->type].bytes;
    size_t count[DNN_SLOTS] = {
        [DNN_X] = (size_t)(k->n * k->h * k->w * k->ci) * each, [DNN_Y] = (size_t)(k->n * k->oh * k->ow * k->co) * each,
        [DNN_W] = (size_t)(k->co * k->kh * k->kw * k->ci) * each, [DNN_BIAS] = (size_t)k->co * 4,
        [DNN_SUMS] = (size_t)k->ci * 4,
    };
    count[DNN_STORED] = count[DNN_X];
    return count[slot];
}

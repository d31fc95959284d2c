/* patterns.c: a key as a graph of cuDNN's operations. Activations are channels last, weights (co,kh,kw,ci); cuDNN
   names dimensions in the order n,c,h,w and takes any strides. What lies between operations is virtual and f32, so
   fused bf16 plans round once, at the end. 'same' padding may be one more after than before: cuDNN takes it as such,
   for all three products. Few channels (1 or 3 of a first layer, 10 of a last one) are left as they are: fused plans on
   tensor cores take them unpadded, and single products have plans that pad in their workspace. */
#include "cuda/dnn/dnn.h"
#include <stdbool.h>

static const cudnnDataType_t types[DNN_TYPES] = {
    [DNN_F32] = CUDNN_DATA_FLOAT, [DNN_TF32] = CUDNN_DATA_FLOAT, [DNN_BF16] = CUDNN_DATA_BFLOAT16,
};

/* What cuDNN has of an activation: forward, and backward from the stored output where its sign tells all. alpha: the
   attributes that take hz_act_attr's, 0 for none. */
static const struct {
    cudnnPointwiseMode_t forward, backward;              /* 0: none */
    cudnnBackendAttributeName_t alpha;
} acts[HZ_NACT] = {
    [HZ_RELU]    = { CUDNN_POINTWISE_RELU_FWD, CUDNN_POINTWISE_RELU_BWD, 0 },
    [HZ_ELU]     = { CUDNN_POINTWISE_ELU_FWD, 0, CUDNN_ATTR_POINTWISE_ELU_ALPHA },
    [HZ_GELU]    = { CUDNN_POINTWISE_GELU_FWD, 0, 0 },
    [HZ_LEAKY]   = { CUDNN_POINTWISE_RELU_FWD, CUDNN_POINTWISE_RELU_BWD, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE },
    [HZ_TANH]    = { CUDNN_POINTWISE_TANH_FWD, 0, 0 },
    [HZ_SIGMOID] = { CUDNN_POINTWISE_SIGMOID_FWD, 0, 0 },
};

/* ---- tensors ---- */

enum { MANY = 8, VIRTUAL = 100 };        /* operations of a graph, at most; names of tensors that lie nowhere */

/* A graph in the making. */
typedef struct draft {
    dnn_scope *s;
    const dnn_key *k;
    cudnnDataType_t data;
    int count, virtuals;
    dnn_descriptor op[MANY];
} draft;

/* shape: n,c,h,w of a tensor that is channels last. */
static dnn_descriptor tensor(draft *g, int64_t id, cudnnDataType_t type, const int64_t shape[4])
{
    int64_t stride[4] = { shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3], shape[1] }, alignment = 16;
    bool is_virtual = id >= VIRTUAL;
    dnn_descriptor d = dnn_make(g->s, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    dnn_set_int(g->s, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
    dnn_set(g->s, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    dnn_set(g->s, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, shape);
    dnn_set(g->s, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
    dnn_set_int(g->s, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
    dnn_set(g->s, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    dnn_finish(g->s, d, "describing a tensor");
    return d;
}

/* The tensor of a slot, which is its name, or one of the same shape between operations. */
static dnn_descriptor slot(draft *g, int which, int between)
{
    const dnn_key *k = g->k;
    const int64_t shapes[DNN_SLOTS][4] = {
        [DNN_X] = { k->n, k->ci, k->h, k->w }, [DNN_W] = { k->co, k->ci, k->kh, k->kw },
        [DNN_Y] = { k->n, k->co, k->oh, k->ow }, [DNN_BIAS] = { 1, k->co, 1, 1 },
        [DNN_STORED] = { k->n, k->ci, k->h, k->w }, [DNN_SUMS] = { 1, k->ci, 1, 1 },
    };
    int f32 = between || which == DNN_BIAS || which == DNN_SUMS;
    return tensor(g, between ? VIRTUAL + g->virtuals++ : which, f32 ? CUDNN_DATA_FLOAT : g->data, shapes[which]);
}

static void add(draft *g, dnn_descriptor op)
{
    dnn_finish(g->s, op, "describing an operation");
    g->op[g->count++] = op;
}

/* ---- operations ---- */

static dnn_descriptor window(draft *g)
{
    const dnn_key *k = g->k;
    int64_t stride[2] = { k->sh, k->sw }, dilation[2] = { 1, 1 };
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    dnn_descriptor d = dnn_make(g->s, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    dnn_set_int(g->s, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, k->before);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, k->after);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    dnn_set(g->s, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    dnn_finish(g->s, d, "describing a window");
    return d;
}

/* The three products by the names of their attributes; `yields` is what is made. */
static const struct {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t x, w, y, window, alpha, beta;
    dnn_slot yields;
} products[DNN_PATTERNS] = {
#define PRODUCT(NAME, P, DX, DW, Y) \
    { CUDNN_BACKEND_OPERATION_CONVOLUTION_##NAME##_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_##DX, \
      CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_##DW, CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_##Y, \
      CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_ALPHA, \
      CUDNN_ATTR_OPERATION_CONVOLUTION_##P##_BETA,
    [DNN_CONV] = PRODUCT(FORWARD, FORWARD, X, W, Y) DNN_Y },
    [DNN_DX] = PRODUCT(BACKWARD_DATA, BWD_DATA, DX, W, DY) DNN_X },
    [DNN_DW] = PRODUCT(BACKWARD_FILTER, BWD_FILTER, X, DW, DY) DNN_W },
#undef PRODUCT
};

/* Returns the tensor that the product yields: the last one, or one between operations. */
static dnn_descriptor product(draft *g, int between)
{
    int p = dnn_pattern_alone(g->k->pattern);
    float one = 1, zero = 0;
    dnn_descriptor x = slot(g, DNN_X, between && products[p].yields == DNN_X);
    dnn_descriptor y = slot(g, DNN_Y, between && products[p].yields == DNN_Y);
    dnn_descriptor w = slot(g, DNN_W, 0), d = window(g), op = dnn_make(g->s, products[p].type);
    dnn_set_descriptor(g->s, op, products[p].x, x);
    dnn_set_descriptor(g->s, op, products[p].w, w);
    dnn_set_descriptor(g->s, op, products[p].y, y);
    dnn_set_descriptor(g->s, op, products[p].window, d);
    dnn_set(g->s, op, products[p].alpha, CUDNN_TYPE_FLOAT, 1, &one);
    dnn_set(g->s, op, products[p].beta, CUDNN_TYPE_FLOAT, 1, &zero);
    add(g, op);
    return products[p].yields == DNN_X ? x : y;
}

static dnn_descriptor pointwise(draft *g, cudnnPointwiseMode_t mode)
{
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const hz_act_attr *act = &g->k->act;
    cudnnBackendAttributeName_t alpha = mode == CUDNN_POINTWISE_ADD ? 0 : acts[act->act].alpha;
    double elu = act->alpha;
    dnn_descriptor p = dnn_make(g->s, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    dnn_set(g->s, p, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    dnn_set(g->s, p, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    if (alpha)
        dnn_set(g->s, p, alpha, CUDNN_TYPE_DOUBLE, 1, &elu);
    dnn_finish(g->s, p, "describing a function");
    dnn_descriptor op = dnn_make(g->s, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, p);
    return op;
}

static dnn_descriptor plus_bias(draft *g, dnn_descriptor x, int last)
{
    dnn_descriptor b = slot(g, DNN_BIAS, 0), y = slot(g, DNN_Y, !last), op = pointwise(g, CUDNN_POINTWISE_ADD);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add(g, op);
    return y;
}

static void activate(draft *g, dnn_descriptor x)
{
    dnn_descriptor y = slot(g, DNN_Y, 0), op = pointwise(g, acts[g->k->act.act].forward);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add(g, op);
}

static dnn_descriptor activate_back(draft *g, dnn_descriptor dy)
{
    dnn_descriptor stored = slot(g, DNN_STORED, 0), dx = slot(g, DNN_X, 0);
    dnn_descriptor op = pointwise(g, acts[g->k->act.act].backward);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, dy);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, stored);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, dx);
    add(g, op);
    return dx;
}

static void sum_up(draft *g, dnn_descriptor x)
{
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnReduceTensorOp_t how = CUDNN_REDUCE_TENSOR_ADD;
    bool deterministic = true;
    dnn_descriptor r = dnn_make(g->s, CUDNN_BACKEND_REDUCTION_DESCRIPTOR), to = slot(g, DNN_SUMS, 0);
    dnn_set(g->s, r, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    dnn_set(g->s, r, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &how);
    dnn_set(g->s, r, CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC, CUDNN_TYPE_BOOLEAN, 1, &deterministic);
    dnn_finish(g->s, r, "describing a sum");
    dnn_descriptor op = dnn_make(g->s, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, r);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    dnn_set_descriptor(g->s, op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, to);
    add(g, op);
}

/* What follows the product; 0 where cuDNN has no such function. */
static int finish(draft *g, const dnn_key *k, int split)
{
    int linear = k->act.act == HZ_LINEAR;
    if (split || !dnn_key_fused(k)) {
        product(g, 0);
    } else if (k->pattern == DNN_CONV_ACT) {
        if (!linear && !acts[k->act.act].forward)
            return 0;
        dnn_descriptor y = product(g, k->bias || !linear);
        y = k->bias ? plus_bias(g, y, linear) : y;
        if (!linear)
            activate(g, y);
    } else {
        if (!acts[k->act.act].backward)
            return 0;
        dnn_descriptor dx = activate_back(g, product(g, 1));
        if (k->pattern == DNN_DX_ACT_SUMS)
            sum_up(g, dx);
    }
    return 1;
}

dnn_descriptor dnn_graph(dnn_scope *s, const dnn_target *t, const dnn_key *k, int split)
{
    draft g = { .s = s, .k = k, .data = types[k->type] };
    if (!finish(&g, k, split))
        return NULL;
    dnn_descriptor d = dnn_make(s, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    dnn_set(s, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g.count, g.op);
    if (t->handle)
        dnn_set(s, d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &t->handle);
    dnn_finish(s, d, dnn_pattern_name(k->pattern));
    return s->status ? NULL : d;
}

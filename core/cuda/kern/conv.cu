/* conv.cu: conv2d x (B,H,W,I), w (O,KH,KW,I) -> y (B,OH,OW,O), dense x (B,K), w (O,K) -> y (B,O), their gradients,
   and sums of gradients over pixels, for biases. Where an output pixel sees one input pixel, as in a dense layer, where
   rows are pixels, all are products of matrices. */
#include "cuda/kern/product.h"
#include "slide.h"

typedef struct geometry {
    int h, w, oh, ow, kh, kw, sh, sw, top, left;
    int inputs, outputs;                       /* channels */
    int64_t images, image_pixels, pixels;      /* image_pixels: rows of x as a matrix; pixels: of y */
    int one;                                   /* output pixels see one of the image each, in order */
} geometry;

static geometry geometry_of(const hz_work *w, const hz_arg *image, const hz_arg *output)
{
    geometry g = { 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, (int)image->shape[image->ndim - 1],
                   (int)output->shape[output->ndim - 1], image->shape[0], image->shape[0], output->shape[0], 1 };
    if (image->ndim == 4) {
        slide v = slide_of(&w->attr.window, image, output);
        g.h = (int)v.h, g.w = (int)v.w, g.oh = (int)v.oh, g.ow = (int)v.ow;
        g.kh = (int)v.kh, g.kw = (int)v.kw, g.sh = (int)v.sh, g.sw = (int)v.sw;
        g.top = (int)v.top, g.left = (int)v.left;
        g.image_pixels = g.images * v.h * v.w;
        g.pixels = g.images * v.oh * v.ow;
        g.one = g.kh * g.kw == 1 && g.sh * g.sw == 1;
    }
    return g;
}

static int is_backward(const hz_work *w) { return w->op == OP_conv2d_dx || w->op == OP_dense_dx; }
static int is_weights(const hz_work *w) { return w->op == OP_conv2d_dw || w->op == OP_dense_dw; }

static geometry geometry_of(const hz_work *w)
{
    return is_backward(w) ? geometry_of(w, &w->out[0], &w->in[0])
           : geometry_of(w, &w->in[0], is_weights(w) ? &w->in[1] : &w->out[0]);
}

/* Of the product: y (pixels, outputs), dx (image pixels, inputs) or dw (outputs, window and inputs). */
static extent extent_of(const hz_work *w, const geometry &g)
{
    int64_t taps = g.kh * g.kw;
    if (is_weights(w))
        return g.one ? extent_of(g.outputs, g.inputs, g.pixels)
               : extent_of(g.outputs, taps * g.inputs, g.images * g.oh, g.ow);
    if (is_backward(w))
        return g.one ? extent_of(g.image_pixels, g.inputs, g.outputs)
               : extent_of(g.image_pixels, g.inputs, taps, g.outputs);
    return g.one ? extent_of(g.pixels, g.outputs, g.inputs) : extent_of(g.pixels, g.outputs, taps, g.inputs);
}

/* ---- sides ---- */

struct pixel { int64_t image; int y, x; };

/* x under the window of output pixel `index`: a tap is a pixel of the window, k a channel. */
struct window_side {
    geometry g;
    typedef pixel place;
    __device__ __forceinline__ int along_k() const { return 1; }
    __device__ __forceinline__ place find(int64_t index) const
    {
        int64_t line = index / g.ow, image = line / g.oh;
        return pixel{ image, (int)(line - image * g.oh) * g.sh - g.top, (int)(index - line * g.ow) * g.sw - g.left };
    }
    __device__ __forceinline__ stretch at(place p, int tap) const
    {
        int ky = tap / g.kw, y = p.y + ky, x = p.x + tap - ky * g.kw;
        int inside = y >= 0 && y < g.h && x >= 0 && x < g.w;
        return stretch{ ((p.image * g.h + y) * g.w + x) * g.inputs, 1, 0, inside ? g.inputs : 0 };
    }
};

/* dy at the output pixel that sees input pixel `index` by that pixel of its window; k is its channel. */
struct seen_side {
    geometry g;
    typedef pixel place;
    __device__ __forceinline__ int along_k() const { return 1; }
    __device__ __forceinline__ place find(int64_t index) const
    {
        int64_t line = index / g.w, image = line / g.h;
        return pixel{ image, (int)(line - image * g.h) + g.top, (int)(index - line * g.w) + g.left };
    }
    __device__ __forceinline__ stretch at(place p, int tap) const
    {
        int ky = tap / g.kw, y = p.y - ky, x = p.x - (tap - ky * g.kw), oy = y / g.sh, ox = x / g.sw;
        int seen = y >= 0 && x >= 0 && oy * g.sh == y && ox * g.sw == x && oy < g.oh && ox < g.ow;
        return stretch{ ((p.image * g.oh + oy) * g.ow + ox) * g.outputs, 1, 0, seen ? g.outputs : 0 };
    }
};

struct tap_channel { int y, x, channel; };

/* x, as dy's lines see it by one pixel of the window and one channel: a tap is a line of the output, k a pixel. */
struct line_side {
    geometry g;
    typedef tap_channel place;
    __device__ __forceinline__ int along_k() const { return 0; }
    __device__ __forceinline__ place find(int64_t index) const
    {
        int tap = (int)(index / g.inputs), y = tap / g.kw;
        return tap_channel{ y - g.top, tap - y * g.kw - g.left, (int)(index - (int64_t)tap * g.inputs) };
    }
    __device__ __forceinline__ stretch at(place p, int line) const
    {
        int image = line / g.oh, y = (line - image * g.oh) * g.sh + p.y;
        if (y < 0 || y >= g.h)
            return stretch{ 0, 0, 0, 0 };
        int lo = p.x < 0 ? (g.sw - 1 - p.x) / g.sw : 0, hi = p.x < g.w ? (g.w - 1 - p.x) / g.sw + 1 : 0;
        return stretch{ (((int64_t)image * g.h + y) * g.w + p.x) * g.inputs + p.channel, g.sw * g.inputs, lo,
                        hi < g.ow ? hi : g.ow };
    }
};

/* ---- ends ---- */

/* y = act(sum + bias) */
struct bias_end {
    hz_act_attr act;
    template <class W, class DC>
    __device__ __forceinline__ void put(const W *bias, DC *y, int64_t i, int64_t column, W sum) const
    {
        store(y, i, activate(bias ? sum + bias[column] : sum, act));
    }
};

/* dx = sum * slope(y) */
struct slope_end {
    hz_act_attr act;
    template <class W, class T>
    __device__ __forceinline__ void put(const T *y, T *dx, int64_t i, int64_t column, W sum) const
    {
        store(dx, i, y ? sum * slope((W)load(y, i), act) : sum);
    }
};

/* ---- forward and the gradient of the image ---- */

template <class T> static hz_status forward(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    geometry g = geometry_of(w);
    extent e = extent_of(w, g);
    int64_t filter = (int64_t)g.kh * g.kw * g.inputs;
    const T *x = (const T *)w->in[0].data;
    const W *filters = (const W *)w->in[1].data, *bias = (const W *)(w->nin > 2 ? w->in[2].data : 0);
    T *y = (T *)w->out[0].data;
    W *sums = (W *)c->workspace;
    bias_end end = { epilogue_of(w) };
    if (g.one)
        launch_product(c->stream, e, rows_side(filter), rows_side(filter), end, x, filters, sums, bias, y);
    else
        launch_product(c->stream, e, window_side{ g }, even_side{ filter, g.inputs, 1, filter, g.inputs }, end, x,
                       filters, sums, bias, y);
    return HZ_OK;
}

template <class T> static hz_status backward(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    geometry g = geometry_of(w);
    extent e = extent_of(w, g);
    int filter = g.kh * g.kw * g.inputs;
    const T *dy = (const T *)w->in[0].data, *y = (const T *)(w->nin > 2 ? w->in[2].data : 0);
    const W *filters = (const W *)w->in[1].data;
    T *dx = (T *)w->out[0].data;
    W *sums = (W *)c->workspace;
    slope_end end = { epilogue_of(w) };
    if (g.one)
        launch_product(c->stream, e, rows_side(g.outputs), columns_side(g.outputs, g.inputs), end, dy, filters, sums, y,
                       dx);
    else
        launch_product(c->stream, e, seen_side{ g },
                       even_side{ 1, g.inputs, filter, (int64_t)g.kh * g.kw * g.outputs, g.outputs }, end, dy, filters,
                       sums, y, dx);
    return HZ_OK;
}

static size_t sum_bytes(const hz_work *w) { return cuda_storage(w) == HZ_F64 ? sizeof(double) : sizeof(float); }

static size_t product_workspace(const hz_work *w, const void *state)
{
    return (size_t)sums_of(extent_of(w, geometry_of(w))) * sum_bytes(w);
}

/* ---- sums over rows ---- */

/* sums[slice][column] of dy (rows, columns). */
template <class T>
static __global__ void column_sums(const T *dy, wide<T> *sums, int64_t rows, int64_t columns, int slices)
{
    int64_t i = thread_number(), slice = i / columns, column = i % columns;
    if (slice >= slices)
        return;
    wide<T> sum = 0;
    for (int64_t from = rows * slice / slices, last = rows * (slice + 1) / slices; from < last; from += PART) {
        int64_t to = from + PART < last ? from + PART : last;
        wide<T> part = 0;
        for (int64_t r = from; r < to; r++)
            part += load(dy, r * columns + column);
        sum += part;
    }
    sums[i] = sum;
}

template <class T> static void sum_rows(const hz_arg *dy, const hz_arg *db, const cuda_call *c)
{
    int64_t columns = db->shape[0], rows = cuda_elements(dy) / columns;
    int slices = slices_of(rows, columns);
    wide<T> *sums = (wide<T> *)c->workspace;
    HZ_LAUNCH_FLAT(column_sums<T>, blocks_of(columns * slices), BLOCK, 0, c->stream, (const T *)dy->data, sums, rows,
                   columns, slices);
    HZ_LAUNCH_FLAT((add_slices<wide<T>, sum_end, wide<T>, wide<T>>), blocks_of(columns), BLOCK, 0, c->stream,
                   (const wide<T> *)sums, columns, columns, slices, sum_end{}, (const wide<T> *)0, (wide<T> *)db->data);
}

static size_t sum_rows_bytes(const hz_work *w, const hz_arg *dy, const hz_arg *db)
{
    int64_t columns = db->shape[0];
    return (size_t)(columns * slices_of(cuda_elements(dy) / columns, columns)) * sum_bytes(w);
}

template <class T> static hz_status bias_grad(const hz_work *w, const cuda_call *c)
{
    sum_rows<T>(&w->in[0], &w->out[0], c);
    return HZ_OK;
}

static size_t bias_grad_workspace(const hz_work *w, const void *state)
{
    return sum_rows_bytes(w, &w->in[0], &w->out[0]);
}

/* ---- the gradient of the weights ---- */

template <class T> static hz_status weights(const hz_work *w, const cuda_call *c)
{
    typedef wide<T> W;
    geometry g = geometry_of(w);
    extent e = extent_of(w, g);
    const T *x = (const T *)w->in[0].data, *dy = (const T *)w->in[1].data;
    W *sums = (W *)c->workspace, *dw = (W *)w->out[0].data;
    const W *none = 0;
    if (dw && g.one)
        launch_product(c->stream, e, columns_side(g.pixels, g.outputs), columns_side(g.pixels, g.inputs), sum_end{}, dy,
                       x, sums, none, dw);
    else if (dw)
        launch_product(c->stream, e, even_side{ 1, (int64_t)g.ow * g.outputs, g.outputs, g.pixels, g.ow },
                       line_side{ g }, sum_end{}, dy, x, sums, none, dw);
    if (w->nout > 1 && w->out[1].data && !c->sums)
        sum_rows<T>(&w->in[1], &w->out[1], c);
    return HZ_OK;
}

static size_t weights_workspace(const hz_work *w, const void *state)
{
    size_t dw = product_workspace(w, state), db = w->nout > 1 ? sum_rows_bytes(w, &w->in[1], &w->out[1]) : 0;
    return dw > db ? dw : db;
}

PLAIN_RUN(forward)
PLAIN_RUN(backward)
PLAIN_RUN(weights)
PLAIN_RUN(bias_grad)
#define ROW(op, workspace, run) \
    const cuda_kernel plain_##op = { "plain", cuda_plain_accepts, workspace, 0, 0, 0, 0, run##_run };
ROW(conv2d, product_workspace, forward)
ROW(conv2d_dx, product_workspace, backward)
ROW(conv2d_dw, weights_workspace, weights)
ROW(dense, product_workspace, forward)
ROW(dense_dx, product_workspace, backward)
ROW(dense_dw, weights_workspace, weights)
ROW(bias_grad, bias_grad_workspace, bias_grad)

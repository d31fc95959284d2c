/* pool.cu: maxpool, avgpool, meanpool over images (B,H,W,C) and their gradients. A thread makes an element of the
   result; gradients ask which windows cover their pixel, in the order of the outputs, so nothing is added into. */
#include "cuda/kern/act.h"
#include "slide.h"

/* Element i of the larger or smaller image: image n, row y, column x, channel. */
struct place {
    int64_t n;
    int y, x, channel;
};

static __device__ __forceinline__ place place_of(int64_t i, int64_t h, int64_t w, int64_t channels)
{
    place p;
    p.channel = (int)(i % channels);
    i /= channels;
    p.x = (int)(i % w);
    i /= w;
    p.y = (int)(i % h);
    p.n = i / h;
    return p;
}

struct range { int from, to; };                       /* to: the last one + 1 */

/* Rows (or columns) of an image of n that window `o` covers. */
static __device__ __forceinline__ range covered(int64_t o, int64_t stride, int64_t before, int64_t k, int64_t n)
{
    int64_t at = o * stride - before;
    return range{ (int)max(at, (int64_t)0), (int)min(at + k, n) };
}

/* Windows of n that cover row (or column) i. */
static __device__ __forceinline__ range covering(int64_t i, int64_t stride, int64_t before, int64_t k, int64_t n)
{
    int64_t at = i + before, first = at - k + 1;
    return range{ first > 0 ? (int)((first + stride - 1) / stride) : 0, (int)min(at / stride + 1, n) };
}

template <class T>
static __global__ void maxpool_kernel(const T *x, T *y, uint8_t *argmax, slide v, int64_t channels, int64_t n)
{
    typedef wide<T> W;
    int64_t i = thread_number();
    if (i >= n)
        return;
    place p = place_of(i, v.oh, v.ow, channels);
    range ys = covered(p.y, v.sh, v.top, v.kh, v.h), xs = covered(p.x, v.sw, v.left, v.kw, v.w);
    W most = (W)-INFINITY;
    int64_t at = -1;
    for (int64_t iy = ys.from; iy < ys.to; iy++)
    for (int64_t ix = xs.from; ix < xs.to; ix++) {
        W value = load(x, ((p.n * v.h + iy) * v.w + ix) * channels + p.channel);
        if (at < 0 || value > most || (value != value && most == most)) {
            most = value;
            at = (iy - p.y * v.sh + v.top) * v.kw + ix - p.x * v.sw + v.left;
        }
    }
    store(y, i, most);
    if (argmax)
        argmax[i] = (uint8_t)at;
}

/* What the gradients of pooling share: dx (B,H,W,C) of dy (B,OH,OW,C), and the epilogue. */
template <class T> struct pooled {
    const T *dy, *gate;
    T *dx;
    slide v;
    int64_t channels, n;
    hz_act_attr act;
};

template <class T> static __device__ __forceinline__ void finish(const pooled<T> &g, int64_t i, wide<T> d)
{
    store(g.dx, i, g.act.act == HZ_LINEAR ? d : d * slope(load(g.gate, i), g.act));
}

template <class T> static __global__ void maxpool_grad_kernel(pooled<T> g, const uint8_t *argmax)
{
    const slide &v = g.v;
    int64_t i = thread_number();
    if (i >= g.n)
        return;
    place p = place_of(i, v.h, v.w, g.channels);
    range ys = covering(p.y, v.sh, v.top, v.kh, v.oh), xs = covering(p.x, v.sw, v.left, v.kw, v.ow);
    wide<T> d = 0;
    for (int64_t oy = ys.from; oy < ys.to; oy++)
    for (int64_t ox = xs.from; ox < xs.to; ox++) {
        int64_t at = ((p.n * v.oh + oy) * v.ow + ox) * g.channels + p.channel;
        if (argmax[at] == (p.y + v.top - oy * v.sh) * v.kw + p.x + v.left - ox * v.sw)
            d += load(g.dy, at);
    }
    finish(g, i, d);
}

/* Mean over the positions inside the image only. */
template <class T>
static __global__ void avgpool_kernel(const T *x, T *y, slide v, int64_t channels, int64_t n)
{
    int64_t i = thread_number();
    if (i >= n)
        return;
    place p = place_of(i, v.oh, v.ow, channels);
    range ys = covered(p.y, v.sh, v.top, v.kh, v.h), xs = covered(p.x, v.sw, v.left, v.kw, v.w);
    wide<T> sum = 0;
    for (int64_t iy = ys.from; iy < ys.to; iy++)
    for (int64_t ix = xs.from; ix < xs.to; ix++)
        sum += load(x, ((p.n * v.h + iy) * v.w + ix) * channels + p.channel);
    store(y, i, sum / (wide<T>)((ys.to - ys.from) * (xs.to - xs.from)));
}

template <class T> static __global__ void avgpool_grad_kernel(pooled<T> g)
{
    const slide &v = g.v;
    int64_t i = thread_number();
    if (i >= g.n)
        return;
    place p = place_of(i, v.h, v.w, g.channels);
    range ys = covering(p.y, v.sh, v.top, v.kh, v.oh), xs = covering(p.x, v.sw, v.left, v.kw, v.ow);
    wide<T> d = 0;
    for (int64_t oy = ys.from; oy < ys.to; oy++)
    for (int64_t ox = xs.from; ox < xs.to; ox++) {
        range of_y = covered(oy, v.sh, v.top, v.kh, v.h), of_x = covered(ox, v.sw, v.left, v.kw, v.w);
        d += load(g.dy, ((p.n * v.oh + oy) * v.ow + ox) * g.channels + p.channel)
             / (wide<T>)((of_y.to - of_y.from) * (of_x.to - of_x.from));
    }
    finish(g, i, d);
}

/* y (B,C) of n elements. */
template <class T>
static __global__ void meanpool_kernel(const T *x, T *y, int64_t pixels, int64_t channels, int64_t n)
{
    int64_t i = thread_number();
    if (i >= n)
        return;
    const T *first = x + i / channels * pixels * channels + i % channels;
    wide<T> sum = 0;
    for (int64_t p = 0; p < pixels; p++)
        sum += load(first, p * channels);
    store(y, i, sum / (wide<T>)pixels);
}

template <class T> static __global__ void meanpool_grad_kernel(pooled<T> g)
{
    int64_t i = thread_number(), pixels = g.v.h * g.v.w;
    if (i < g.n)
        finish(g, i, load(g.dy, i / (pixels * g.channels) * g.channels + i % g.channels) / (wide<T>)pixels);
}

/* ---- launches ---- */

template <class T> static pooled<T> pooled_of(const hz_work *w)
{
    pooled<T> g = { (const T *)w->in[0].data, (const T *)w->in[w->nin - 1].data, (T *)w->out[0].data };
    g.channels = w->out[0].shape[3];
    g.n = cuda_elements(&w->out[0]);
    g.act = epilogue_of(w);
    return g;
}

template <class T> static pooled<T> windows_of(const hz_work *w)
{
    pooled<T> g = pooled_of<T>(w);
    g.v = slide_of(&w->attr.window, &w->out[0], &w->in[0]);
    return g;
}

template <class T> static hz_status maxpool(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(maxpool_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data, (T *)w->out[0].data,
                   (uint8_t *)(w->nout > 1 ? w->out[1].data : NULL),
                   slide_of(&w->attr.window, &w->in[0], &w->out[0]), w->in[0].shape[3], n);
    return HZ_OK;
}

template <class T> static hz_status maxpool_grad(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = windows_of<T>(w);
    HZ_LAUNCH_FLAT(maxpool_grad_kernel<T>, blocks_of(g.n), BLOCK, 0, c->stream, g, (const uint8_t *)w->in[1].data);
    return HZ_OK;
}

template <class T> static hz_status avgpool(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(avgpool_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data, (T *)w->out[0].data,
                   slide_of(&w->attr.window, &w->in[0], &w->out[0]), w->in[0].shape[3], n);
    return HZ_OK;
}

template <class T> static hz_status avgpool_grad(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = windows_of<T>(w);
    HZ_LAUNCH_FLAT(avgpool_grad_kernel<T>, blocks_of(g.n), BLOCK, 0, c->stream, g);
    return HZ_OK;
}

template <class T> static hz_status meanpool(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(meanpool_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, cuda_size(&w->in[0], 1, 3), w->in[0].shape[3], n);
    return HZ_OK;
}

template <class T> static hz_status meanpool_grad(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = pooled_of<T>(w);
    g.v.h = w->out[0].shape[1];
    g.v.w = w->out[0].shape[2];
    HZ_LAUNCH_FLAT(meanpool_grad_kernel<T>, blocks_of(g.n), BLOCK, 0, c->stream, g);
    return HZ_OK;
}

PLAIN_KERNEL(maxpool)
PLAIN_KERNEL(maxpool_grad)
PLAIN_KERNEL(avgpool)
PLAIN_KERNEL(avgpool_grad)
PLAIN_KERNEL(meanpool)
PLAIN_KERNEL(meanpool_grad)

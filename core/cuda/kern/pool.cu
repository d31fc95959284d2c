/* pool.cu: maxpool, avgpool, meanpool over images (B,H,W,C) and their gradients. A thread makes N channels of a pixel
   of the result (pack.h); gradients ask which windows cover their pixel, in the order of the outputs, so nothing is
   added into. */
#include "cuda/kern/act.h"
#include "cuda/kern/pack.h"
#include "slide.h"

/* Pixel of an image n, and the first of a thread's channels. */
struct place {
    int64_t n;
    int y, x, channel;
};

/* Of pack i; h, w: of the image that the result is. */
template <int N> static __device__ __forceinline__ place place_of(int64_t i, int64_t h, int64_t w, int64_t channels)
{
    place p;
    int64_t pixel = quotient(i, channels / N), row = quotient(pixel, w);
    p.channel = (int)(i - pixel * (channels / N)) * N;
    p.x = (int)(pixel - row * w);
    p.n = quotient(row, h);
    p.y = (int)(row - p.n * h);
    return p;
}

struct range { int from, to; };                       /* to: the last one + 1 */

/* Rows (or columns) of an image of n that window `o` covers. */
static __device__ __forceinline__ range covered(int o, int64_t stride, int64_t before, int64_t k, int64_t n)
{
    int at = o * (int)stride - (int)before;
    return range{ max(at, 0), min(at + (int)k, (int)n) };
}

/* Windows of n that cover row (or column) i. */
static __device__ __forceinline__ range covering(int i, int64_t stride, int64_t before, int64_t k, int64_t n)
{
    int at = i + (int)before, first = at - (int)k + 1, s = (int)stride;
    return range{ first > 0 ? (first + s - 1) / s : 0, min(at / s + 1, (int)n) };
}

/* Values that pooling reads or makes: images of h*w pixels. */
static __device__ __forceinline__ int64_t offset(place p, int y, int x, int64_t h, int64_t w, int64_t channels)
{
    return ((p.n * h + y) * w + x) * channels + p.channel;
}

template <class T, int N>
static __global__ void maxpool_kernel(const T *x, T *y, uint8_t *argmax, slide v, int64_t channels, int64_t packs)
{
    if (thread_number() >= packs)
        return;
    place p = place_of<N>(thread_number(), v.oh, v.ow, channels);
    range ys = covered(p.y, v.sh, v.top, v.kh, v.h), xs = covered(p.x, v.sw, v.left, v.kw, v.w);
    values<T, N> most;
    bytes<N> at = {};
    for (int k = 0; k < N; k++)
        most.at[k] = (wide<T>)-INFINITY;
    for (int iy = ys.from; iy < ys.to; iy++)
    for (int ix = xs.from; ix < xs.to; ix++) {
        values<T, N> here = load_values<N>(x, offset(p, iy, ix, v.h, v.w, channels));
        int first = iy == ys.from && ix == xs.from;
        int position = (iy - p.y * (int)v.sh + (int)v.top) * (int)v.kw + ix - p.x * (int)v.sw + (int)v.left;
        for (int k = 0; k < N; k++) {
            wide<T> h = here.at[k], m = most.at[k];
            int wins = first || h > m || (h != h && m == m);
            most.at[k] = wins ? h : m;
            at.at[k] = wins ? (uint8_t)position : at.at[k];
        }
    }
    store_values<N>(y, thread_number() * N, most);
    if (argmax)
        *(bytes<N> *)(argmax + thread_number() * N) = at;
}

/* What the gradients of pooling share: dx (B,H,W,C) of dy (B,OH,OW,C), and the epilogue. */
template <class T> struct pooled {
    const T *dy, *gate;
    T *dx;
    slide v;
    int64_t channels, n;
    hz_act_attr act;
};

template <class T, int N> static __device__ __forceinline__ void finish(const pooled<T> &g, values<T, N> d)
{
    int64_t i = thread_number() * N;
    if (g.act.act != HZ_LINEAR) {
        values<T, N> of = load_values<N>(g.gate, i);
        for (int k = 0; k < N; k++)
            d.at[k] *= slope(of.at[k], g.act);
    }
    store_values<N>(g.dx, i, d);
}

/* Adds up what f(sum, oy, ox, where in dy) adds, over the windows that cover this thread's pixel. */
template <int N, class T, class F> static __device__ __forceinline__ void gather(const pooled<T> &g, F f)
{
    const slide &v = g.v;
    if (thread_number() >= g.n / N)
        return;
    place p = place_of<N>(thread_number(), v.h, v.w, g.channels);
    range ys = covering(p.y, v.sh, v.top, v.kh, v.oh), xs = covering(p.x, v.sw, v.left, v.kw, v.ow);
    values<T, N> d = {};
    for (int oy = ys.from; oy < ys.to; oy++)
    for (int ox = xs.from; ox < xs.to; ox++)
        f.template add<N>(&d, g, p, oy, ox, offset(p, oy, ox, v.oh, v.ow, g.channels));
    finish<T, N>(g, d);
}

struct to_largest {
    const uint8_t *argmax;
    template <int N, class T>
    __device__ __forceinline__ void add(values<T, N> *d, const pooled<T> &g, place p, int oy, int ox, int64_t at) const
    {
        const slide &v = g.v;
        values<T, N> dy = load_values<N>(g.dy, at);
        bytes<N> which = *(const bytes<N> *)(argmax + at);
        int own = (p.y + (int)v.top - oy * (int)v.sh) * (int)v.kw + p.x + (int)v.left - ox * (int)v.sw;
        for (int k = 0; k < N; k++)
            d->at[k] += which.at[k] == own ? dy.at[k] : 0;
    }
};

static __device__ __forceinline__ int pixels_of(const slide &v, int oy, int ox)
{
    range ys = covered(oy, v.sh, v.top, v.kh, v.h), xs = covered(ox, v.sw, v.left, v.kw, v.w);
    return (ys.to - ys.from) * (xs.to - xs.from);
}

struct to_all {
    template <int N, class T>
    __device__ __forceinline__ void add(values<T, N> *d, const pooled<T> &g, place p, int oy, int ox, int64_t at) const
    {
        values<T, N> dy = load_values<N>(g.dy, at);
        wide<T> n = (wide<T>)pixels_of(g.v, oy, ox);
        for (int k = 0; k < N; k++)
            d->at[k] += dy.at[k] / n;
    }
};

template <class T, int N, class F> static __global__ void gather_kernel(pooled<T> g, F f) { gather<N>(g, f); }

/* Mean over the positions inside the image only. */
template <class T, int N>
static __global__ void avgpool_kernel(const T *x, T *y, slide v, int64_t channels, int64_t packs)
{
    if (thread_number() >= packs)
        return;
    place p = place_of<N>(thread_number(), v.oh, v.ow, channels);
    range ys = covered(p.y, v.sh, v.top, v.kh, v.h), xs = covered(p.x, v.sw, v.left, v.kw, v.w);
    values<T, N> sum = {};
    for (int iy = ys.from; iy < ys.to; iy++)
    for (int ix = xs.from; ix < xs.to; ix++) {
        values<T, N> here = load_values<N>(x, offset(p, iy, ix, v.h, v.w, channels));
        for (int k = 0; k < N; k++)
            sum.at[k] += here.at[k];
    }
    for (int k = 0; k < N; k++)
        sum.at[k] /= (wide<T>)pixels_of(v, p.y, p.x);
    store_values<N>(y, thread_number() * N, sum);
}

enum { RUN = 16 };

/* y (B,C) of n elements; few, so that a thread makes one. */
template <class T>
static __global__ void meanpool_kernel(const T *x, T *y, int64_t pixels, int64_t channels, int64_t n)
{
    int64_t i = thread_number(), image = quotient(i, channels);
    if (i >= n)
        return;
    const T *first = x + image * pixels * channels + (i - image * channels);
    wide<T> sum = 0, some[RUN];
    for (int64_t p = 0; p < pixels; p += RUN) {       /* loads that need not wait for each other */
        for (int k = 0; k < RUN; k++)
            some[k] = p + k < pixels ? load(first, (p + k) * channels) : 0;
        for (int k = 0; k < RUN; k++)
            sum += some[k];
    }
    store(y, i, sum / (wide<T>)pixels);
}

template <class T, int N> static __global__ void meanpool_grad_kernel(pooled<T> g)
{
    int64_t pixels = g.v.h * g.v.w;
    if (thread_number() >= g.n / N)
        return;
    place p = place_of<N>(thread_number(), g.v.h, g.v.w, g.channels);
    values<T, N> d = load_values<N>(g.dy, p.n * g.channels + p.channel);
    for (int k = 0; k < N; k++)
        d.at[k] /= (wide<T>)pixels;
    finish<T, N>(g, d);
}

/* ---- launches ---- */

template <class T> static pooled<T> pooled_of(const hz_work *w)
{
    pooled<T> g = { (const T *)w->in[0].data, (const T *)w->in[w->nin - 1].data, (T *)w->out[0].data };
    g.channels = w->out[0].shape[3];
    g.n = cuda_elements(&w->out[0]);
    g.act = epilogue_of(w);
    if (w->in[0].ndim == 4)                           /* else (B,C) of all pixels */
        g.v = slide_of(&w->attr.window, &w->out[0], &w->in[0]);
    g.v.h = w->out[0].shape[1];
    g.v.w = w->out[0].shape[2];
    return g;
}

template <class T, int N> static hz_status maxpool_by(const hz_work *w, const cuda_call *c)
{
    int64_t packs = cuda_elements(&w->out[0]) / N;
    HZ_LAUNCH_FLAT((maxpool_kernel<T, N>), blocks_of(packs), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, (uint8_t *)(w->nout > 1 ? w->out[1].data : NULL),
                   slide_of(&w->attr.window, &w->in[0], &w->out[0]), w->in[0].shape[3], packs);
    return HZ_OK;
}

template <class T, int N> static hz_status maxpool_grad_by(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = pooled_of<T>(w);
    HZ_LAUNCH_FLAT((gather_kernel<T, N, to_largest>), blocks_of(g.n / N), BLOCK, 0, c->stream, g,
                   to_largest{ (const uint8_t *)w->in[1].data });
    return HZ_OK;
}

template <class T, int N> static hz_status avgpool_by(const hz_work *w, const cuda_call *c)
{
    int64_t packs = cuda_elements(&w->out[0]) / N;
    HZ_LAUNCH_FLAT((avgpool_kernel<T, N>), blocks_of(packs), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, slide_of(&w->attr.window, &w->in[0], &w->out[0]), w->in[0].shape[3], packs);
    return HZ_OK;
}

template <class T, int N> static hz_status avgpool_grad_by(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = pooled_of<T>(w);
    HZ_LAUNCH_FLAT((gather_kernel<T, N, to_all>), blocks_of(g.n / N), BLOCK, 0, c->stream, g, to_all{});
    return HZ_OK;
}

template <class T> static hz_status meanpool(const hz_work *w, const cuda_call *c)
{
    int64_t n = cuda_elements(&w->out[0]);
    HZ_LAUNCH_FLAT(meanpool_kernel<T>, blocks_of(n), BLOCK, 0, c->stream, (const T *)w->in[0].data,
                   (T *)w->out[0].data, cuda_size(&w->in[0], 1, 3), w->in[0].shape[3], n);
    return HZ_OK;
}

template <class T, int N> static hz_status meanpool_grad_by(const hz_work *w, const cuda_call *c)
{
    pooled<T> g = pooled_of<T>(w);
    HZ_LAUNCH_FLAT((meanpool_grad_kernel<T, N>), blocks_of(g.n / N), BLOCK, 0, c->stream, g);
    return HZ_OK;
}

BY_PACKS(maxpool, w->in[0].shape[3])
BY_PACKS(maxpool_grad, w->out[0].shape[3])
BY_PACKS(avgpool, w->in[0].shape[3])
BY_PACKS(avgpool_grad, w->out[0].shape[3])
BY_PACKS(meanpool_grad, w->out[0].shape[3])
PLAIN_KERNEL(maxpool)
PLAIN_KERNEL(maxpool_grad)
PLAIN_KERNEL(avgpool)
PLAIN_KERNEL(avgpool_grad)
PLAIN_KERNEL(meanpool)
PLAIN_KERNEL(meanpool_grad)

/* dnn.cu: what stands for cuDNN in the emulation, so that its rows are tried on the CPU: products as plain sums over
   the very operands that cuDNN would be given. HZ_CUDNN says what there is: whole (plans with bias and activation in
   one), split (products alone), none (no plan for any key); else there is no cuDNN. Results are rounded once, as
   cuDNN's are. A plan has a workspace, which it spoils. */
#include "cuda/dnn/ready.h"
#include "cuda/kern/act.h"
#include <stdlib.h>

enum { ROOM = 1000 };                    /* bytes of workspace: no multiple of anything */

static int means(const char *word)
{
    const char *given = getenv("HZ_CUDNN");
    return given && !strcmp(given, word);
}

const char *dnn_describe(void) { return ""; }
int dnn_here(void) { return means("whole") || means("split") || means("none"); }
int dnn_wanted(void) { return 1; }

dnn_ready *dnn_ready_new(const dnn_key *k)
{
    dnn_ready *r = means("none") ? NULL : (dnn_ready *)calloc(1, sizeof *r);
    if (r) {
        r->key = *k;
        r->split = means("split") && dnn_key_fused(k);
        r->workspace = ROOM;
    }
    return r;
}

void dnn_ready_free(dnn_ready *r) { free(r); }

/* ---- products: element i of what is made ---- */

/* y (n,oh,ow,co) */
template <class T> static double forward(const dnn_key &k, const T *x, const T *w, int64_t i)
{
    int64_t o = i % k.co, ox = i / k.co % k.ow, oy = i / (k.co * k.ow) % k.oh, n = i / (k.co * k.ow * k.oh);
    double sum = 0;
    for (int64_t r = 0; r < k.kh; r++)
        for (int64_t s = 0; s < k.kw; s++) {
            int64_t y = oy * k.sh - k.before[0] + r, at = ox * k.sw - k.before[1] + s;
            if (y < 0 || y >= k.h || at < 0 || at >= k.w)
                continue;
            for (int64_t c = 0; c < k.ci; c++)
                sum += (double)load(x, ((n * k.h + y) * k.w + at) * k.ci + c)
                       * load(w, ((o * k.kh + r) * k.kw + s) * k.ci + c);
        }
    return sum;
}

/* dx (n,h,w,ci) */
template <class T> static double backward(const dnn_key &k, const T *dy, const T *w, int64_t i)
{
    int64_t c = i % k.ci, at = i / k.ci % k.w, y = i / (k.ci * k.w) % k.h, n = i / (k.ci * k.w * k.h);
    double sum = 0;
    for (int64_t r = 0; r < k.kh; r++)
        for (int64_t s = 0; s < k.kw; s++) {
            int64_t down = y + k.before[0] - r, right = at + k.before[1] - s, oy = down / k.sh, ox = right / k.sw;
            if (down < 0 || right < 0 || down % k.sh || right % k.sw || oy >= k.oh || ox >= k.ow)
                continue;
            for (int64_t o = 0; o < k.co; o++)
                sum += (double)load(dy, ((n * k.oh + oy) * k.ow + ox) * k.co + o)
                       * load(w, ((o * k.kh + r) * k.kw + s) * k.ci + c);
        }
    return sum;
}

/* dw (co,kh,kw,ci) */
template <class T> static double weights(const dnn_key &k, const T *x, const T *dy, int64_t i)
{
    int64_t c = i % k.ci, s = i / k.ci % k.kw, r = i / (k.ci * k.kw) % k.kh, o = i / (k.ci * k.kw * k.kh);
    double sum = 0;
    for (int64_t p = 0; p < k.n * k.oh * k.ow; p++) {
        int64_t n = p / (k.oh * k.ow), y = p / k.ow % k.oh * k.sh - k.before[0] + r;
        int64_t at = p % k.ow * k.sw - k.before[1] + s;
        if (y >= 0 && y < k.h && at >= 0 && at < k.w)
            sum += (double)load(x, ((n * k.h + y) * k.w + at) * k.ci + c) * load(dy, p * k.co + o);
    }
    return sum;
}

/* ---- plans ---- */

/* product: a pattern without more. extra: bias, or what was stored; NULL: none */
template <class T> static __global__ void plan_kernel(dnn_key k, int product, const T *a, const T *b,
                                                      const float *bias, const T *stored, T *to, int64_t n)
{
    int64_t i = thread_number();
    if (i >= n)
        return;
    float v = (float)(product == DNN_CONV ? forward(k, a, b, i) : product == DNN_DX ? backward(k, a, b, i)
                      : weights(k, a, b, i));
    if (product == DNN_CONV && k.pattern == DNN_CONV_ACT)
        v = activate(v + (bias ? bias[i % k.co] : 0), k.act);
    else if (stored)
        v *= slope(load(stored, i), k.act);
    store(to, i, v);
}

template <class T> static __global__ void sums_kernel(const T *x, float *sums, int64_t rows, int64_t channels)
{
    double sum = 0;
    int64_t c = thread_number();
    for (int64_t i = 0; i < rows && c < channels; i++)
        sum += load(x, i * channels + c);
    if (c < channels)
        sums[c] = (float)sum;
}

static __global__ void spoil_kernel(unsigned char *p, int64_t n)
{
    int64_t i = thread_number();
    if (i < n)
        p[i] = 0xff;
}

template <class T> static void run(dnn_key k, int split, void *const data[DNN_SLOTS], void *stream)
{
    int product = dnn_pattern_alone(k.pattern), made = product == DNN_CONV ? DNN_Y : product == DNN_DX ? DNN_X : DNN_W;
    int left = product == DNN_DX ? DNN_Y : DNN_X, right = product == DNN_DW ? DNN_Y : DNN_W;
    int64_t n = (int64_t)(dnn_key_bytes(&k, made) / sizeof(T));
    const float *bias = !split && dnn_key_uses(&k, 0, DNN_BIAS) ? (const float *)data[DNN_BIAS] : nullptr;
    const T *stored = !split && dnn_key_uses(&k, 0, DNN_STORED) ? (const T *)data[DNN_STORED] : nullptr;
    dnn_key alone = k;
    alone.pattern = split ? product : k.pattern;
    HZ_LAUNCH_FLAT(plan_kernel<T>, blocks_of(n), BLOCK, 0, stream, alone, product, (const T *)data[left],
                   (const T *)data[right], bias, stored, (T *)data[made], n);
    if (dnn_key_uses(&alone, 0, DNN_SUMS))
        HZ_LAUNCH_FLAT(sums_kernel<T>, blocks_of(k.ci), BLOCK, 0, stream, (const T *)data[DNN_X],
                       (float *)data[DNN_SUMS], k.n * k.h * k.w, k.ci);
}

hz_status dnn_launch(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    HZ_LAUNCH_FLAT(spoil_kernel, blocks_of(ROOM), BLOCK, 0, stream, (unsigned char *)workspace, (int64_t)ROOM);
    if (r->key.type == DNN_BF16)
        run<bf16>(r->key, r->split, data, stream);
    else
        run<float>(r->key, r->split, data, stream);
    return HZ_OK;
}

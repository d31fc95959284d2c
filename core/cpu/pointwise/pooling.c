/* pooling.c: kernel "vector" of maxpool, avgpool, meanpool and their gradients: channels in vectors, a task
   is one image. meanpool's window is the whole image. Gradients add up in f32: in dx itself, or in scratch
   where dx is bf16. */
#include "cpu/micro.h"
#include <string.h>

typedef struct pooling {
    const hz_work *w;
    const cpu_call *c;
    const cpu_stored *s;
    const hz_arg *image, *output;     /* the larger side and the smaller one, whichever is read */
    uint8_t *argmax;
    cpu_window v;
    int64_t channels;
} pooling;

static int is_back(const hz_work *w)
{
    return w->op == OP_maxpool_grad || w->op == OP_avgpool_grad || w->op == OP_meanpool_grad;
}
static int is_whole(const hz_work *w) { return w->op == OP_meanpool || w->op == OP_meanpool_grad; }
static const hz_arg *image_of(const hz_work *w) { return is_back(w) ? &w->out[0] : &w->in[0]; }

static cpu_taps taps_of(const cpu_window *v, int64_t oy, int64_t ox, int64_t channels)
{
    int64_t y = oy * v->sh - v->top, x = ox * v->sw - v->left;
    cpu_taps t = { .ky0 = (int)max(-y, 0), .ky1 = (int)min(v->h - y, v->kh),
                   .kx0 = (int)max(-x, 0), .kx1 = (int)min(v->w - x, v->kw), .kw = (int)v->kw,
                   .row = v->w * channels, .column = channels };
    return t;
}

/* Rows or columns from..to-1 of what part begin..end-1 of the smaller image, of `out`, stands for: what no window
   reaches, `size` - out*k at the end, comes with the last. */
static void reach_of(int64_t begin, int64_t end, int64_t out, int64_t k, int64_t size, int64_t *from, int64_t *to)
{
    *from = min(begin * k, size);
    *to = end == out ? size : min(end * k, size);
}

/* What no window reaches of part r of dx. */
static void clear_rest(const hz_arg *dx, const cpu_window *v, const cpu_rect *r)
{
    int64_t c = dx->shape[3], below = min(v->oh * v->kh, v->h), right = max(min(v->ow * v->kw, v->w), r->x0);
    size_t bytes = hz_dtype_bytes(dx->dtype) * (size_t)c;
    for (int64_t y = r->y0; y < r->y1 && right < r->x1; y++)
        memset(cpu_at(dx, ((r->n * v->h + y) * v->w + right) * c), 0, bytes * (size_t)(r->x1 - right));
    for (int64_t y = max(below, r->y0); y < r->y1 && r->x1 > r->x0; y++)
        memset(cpu_at(dx, ((r->n * v->h + y) * v->w + r->x0) * c), 0, bytes * (size_t)(r->x1 - r->x0));
}

cpu_rect cpu_pool_back(const cpu_stored *s, const hz_arg *dx, const cpu_window *v, const uint8_t *argmax, cpu_rect of,
                       const void *dy, int64_t pitch)
{
    int64_t c = dx->shape[3], row = v->w * c, bytes = (int64_t)hz_dtype_bytes(dx->dtype);
    cpu_rect r = { .n = of.n };
    reach_of(of.y0, of.y1, v->oh, v->kh, v->h, &r.y0, &r.y1);
    reach_of(of.x0, of.x1, v->ow, v->kw, v->w, &r.x0, &r.x1);
    for (int64_t y = of.y0; y < of.y1; y++)
        for (int64_t x = of.x0; x < of.x1; x++) {
            cpu_taps taps = { .ky1 = (int)min(v->kh, v->h - y * v->kh), .kx1 = (int)min(v->kw, v->w - x * v->kw),
                              .kw = (int)v->kw, .row = row, .column = c };
            s->pool_max_back(cpu_at(dx, ((r.n * v->h + y * v->kh) * v->w + x * v->kw) * c),
                             (const char *)dy + ((y - of.y0) * pitch + (x - of.x0) * c) * bytes,
                             argmax + ((r.n * v->oh + y) * v->ow + x) * c, &taps, c);
        }
    clear_rest(dx, v, &r);
    return r;
}

/* One output pixel: number `out` of all elements of the output; its window begins at element `at` of the image. */
static void pixel(const pooling *p, const cpu_taps *t, int64_t out, int64_t first, int64_t at, float *sum)
{
    void *y = cpu_at(p->output, out), *x = cpu_at(p->image, first + at);
    uint8_t *argmax = p->argmax ? p->argmax + out : NULL;
    switch (p->w->op) {
    case OP_maxpool:      p->s->pool_max(y, argmax, x, t, p->channels); break;
    case OP_maxpool_grad: p->s->pool_max_grad(sum + at, y, argmax, t, p->channels); break;
    case OP_avgpool:
    case OP_meanpool:     p->s->pool_mean(y, x, t, p->channels); break;
    default:              p->s->pool_mean_grad(sum + at, y, t, p->channels); break;
    }
}

/* Rows from..to-1 of dx of one image are summed up: rounded where dx is bf16, then what fusion put behind them. */
static void finish(const pooling *p, int64_t first, const float *sum, int64_t from, int64_t to)
{
    int64_t row = p->v.w * p->channels, at = first + from * row, n = (to - from) * row;
    if (n <= 0)
        return;
    if (p->image->dtype == HZ_BF16)
        p->c->micro->narrow(cpu_at(p->image, at), sum + from * row, n);
    cpu_epilogue(p->w, p->c->micro, at, n);
}

/* An image of maxpool_grad by windows that do not meet: written at once. */
static void spread(void *arg, int n, int worker)
{
    const pooling *p = arg;
    const cpu_window *v = &p->v;
    int64_t out = n * v->oh * v->ow * p->channels, size = v->h * v->w * p->channels;
    cpu_pool_back(p->s, p->image, v, p->argmax, (cpu_rect){ .n = n, .y1 = v->oh, .x1 = v->ow }, cpu_at(p->output, out),
                  v->ow * p->channels);
    cpu_epilogue(p->w, p->c->micro, n * size, size);
}

/* An image of meanpool_grad: all pixels are the same. */
static void share(void *arg, int n, int worker)
{
    const pooling *p = arg;
    int64_t c = p->channels, pixels = p->v.h * p->v.w;
    float *one = (float *)(p->c->scratch + p->c->scratch_stride * (size_t)worker), part = 1 / (float)pixels;
    const void *dy = cpu_at(p->output, n * c);
    char *dx = cpu_at(p->image, n * pixels * c);
    if (p->image->dtype == HZ_BF16)
        p->c->micro->widen(one, dy, c);
    else
        memcpy(one, dy, (size_t)c * sizeof *one);
    for (int64_t i = 0; i < c; i++)
        one[i] = 0 + one[i] * part;                  /* as added up: no -0 */
    if (p->image->dtype == HZ_BF16)
        p->c->micro->narrow((uint16_t *)dx, one, c);
    else
        memcpy(dx, one, (size_t)c * sizeof *one);
    size_t bytes = hz_dtype_bytes(p->image->dtype) * (size_t)c;
    for (int64_t i = 1; i < pixels; i++)
        memcpy(dx + (size_t)i * bytes, dx, bytes);
    cpu_epilogue(p->w, p->c->micro, n * pixels * c, pixels * c);
}

/* Gradients: rows of dx are cleared just before the first window touches them and finished after the last,
   while they are near. */
static void task(void *arg, int n, int worker)
{
    const pooling *p = arg;
    const cpu_window *v = &p->v;
    int64_t c = p->channels, row = v->w * c, size = v->h * row, out = n * v->oh * v->ow * c, clear = 0, done = 0;
    int back = is_back(p->w);
    float *sum = p->image->dtype == HZ_BF16 ? (float *)(p->c->scratch + p->c->scratch_stride * (size_t)worker)
                                            : cpu_at(p->image, n * size);
    for (int64_t oy = 0; oy < v->oh; oy++) {
        int64_t reach = oy + 1 < v->oh ? min(v->h, oy * v->sh - v->top + v->kh) : v->h;
        int64_t final = oy + 1 < v->oh ? min(reach, (oy + 1) * v->sh - v->top) : v->h;
        if (back && reach > clear) {
            memset(sum + clear * row, 0, (size_t)((reach - clear) * row) * sizeof(float));
            clear = reach;
        }
        for (int64_t ox = 0; ox < v->ow; ox++, out += c) {
            cpu_taps t = taps_of(v, oy, ox, c);
            pixel(p, &t, out, n * size, ((oy * v->sh - v->top) * v->w + ox * v->sw - v->left) * c, sum);
        }
        if (back && final > done) {
            finish(p, n * size, sum, done, final);
            done = final;
        }
    }
}

static double cost(const hz_work *w, const cpu_micro *m)
{
    return cpu_storage(w) >= 0 && (is_whole(w) || w->attr.window.kh * w->attr.window.kw <= 256) ? 1e-6 : -1;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    const hz_arg *image = image_of(w);
    if (w->op == OP_meanpool_grad)
        return (size_t)image->shape[3] * sizeof(float);
    return is_back(w) && image->dtype == HZ_BF16 ? (size_t)cpu_size(image, 1, 4) * sizeof(float) : 0;
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    const hz_arg *image = image_of(w), *output = is_back(w) ? &w->in[0] : &w->out[0];
    pooling p = { .w = w, .c = c, .s = cpu_stored_of(w, c->micro), .image = image, .output = output,
                  .channels = image->shape[3] };
    if (is_whole(w))
        p.v = (cpu_window){ .h = image->shape[1], .w = image->shape[2], .oh = 1, .ow = 1, .kh = image->shape[1],
                            .kw = image->shape[2], .sh = 1, .sw = 1 };
    else
        p.v = cpu_window_of(&w->attr.window, image, output);
    if (w->op == OP_maxpool && w->nout > 1)
        p.argmax = w->out[1].data;
    if (w->op == OP_maxpool_grad)
        p.argmax = w->in[1].data;
    int apart = w->op == OP_maxpool_grad && cpu_windows_apart(&p.v);
    team_run((int)cpu_rows(w, c), apart ? spread : w->op == OP_meanpool_grad ? share : task, &p);
    return HZ_OK;
}

const cpu_kernel maxpool_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel maxpool_grad_vector = { .name = "vector", .cost = cost, .scratch = scratch, .run = run };
const cpu_kernel avgpool_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel avgpool_grad_vector = { .name = "vector", .cost = cost, .scratch = scratch, .run = run };
const cpu_kernel meanpool_vector = { .name = "vector", .cost = cost, .run = run };
const cpu_kernel meanpool_grad_vector = { .name = "vector", .cost = cost, .scratch = scratch, .run = run };

/* few.c: kernel "few", conv2d and conv2d_dw of few input channels (the first layer's 3, say), any window, stride and
   padding; conv2d_dw also where input channels fill no whole vectors.
   A band of an image is copied with zeros around it, which costs little where channels are few. Then every output
   pixel has all its taps, a row of taps is kw*I contiguous floats, and neighbouring pixels lie sw*I floats apart:
   no pointers, no edges.
   Forward: strips of a row of outputs, weights [panel][ky][kw*I][nv*lanes] in L1. Work: a task is a band of an image.
   To the weights: slot[ky][kw*I][o] += x[..] * dy[..], dy in vectors, x broadcast, by the micro-kernel of outer.c; a
   band's dy stays in L1 while all its taps pass. A call takes whole groups of rows of the slot: those beyond kw*I are
   never read. Work: a task is a slot, some bands of the batch; slots are cut by shape and count, and added in order.
   Best seen: 0.7 of the FMA peak forward, 0.6 to the weights (3 to 32 channels). */
#include "cpu/panel.h"
#include <math.h>
#include <string.h>

/* PIXELS of dy, COPY floats of the image: of a band. */
enum { CHANNELS = 8, TASKS = 32, SLOTS = 16, PIXELS = 128, COPY = 4096 };

typedef struct conv {
    const hz_work *w;
    const cpu_call *call;
    cpu_window v;
    panels p;                 /* of the outputs */
    const float *x, *dy;      /* (N,h,w,I), (N,oh,ow,O) */
    float *y;                 /* (N,oh,ow,O) */
    float *dw, *db;           /* (O,kh,kw,I), (O) */
    const float *packed;      /* [panel](kh,kw*I,nv*lanes) */
    const float *bias;        /* (O), padded; NULL: none */
    int64_t I, O, k, width;   /* k = kw*I; width: of a row of the copy, floats */
    int64_t bands, band;      /* bands of an image; rows of outputs in one */
    int64_t units;            /* bands of the rows in use */
    int act, stored;
    float alpha;
    void *tail_slots;         /* of the tails, a band is a task */
    float *slot;              /* per slot: (kh, k_room, O padded), then the bias */
    int64_t slots, slot_floats, k_room, pitch;      /* pitch = O padded to whole vectors */
} conv;

/* ---- the copy ---- */

static int64_t copy_rows(const conv *c) { return (c->band - 1) * c->v.sh + c->v.kh; }
/* A group of rows may reach beyond the last. */
static int64_t copy_floats(const conv *c) { return copy_rows(c) * c->width + MICRO_ROWS; }

/* What outputs y0..y1-1 of image n see, zeros outside. */
static void copy(const conv *c, int64_t n, int64_t y0, int64_t y1, float *to)
{
    const cpu_window *v = &c->v;
    int64_t before = v->left * c->I, have = min(v->w * c->I, c->width - before);
    for (int64_t i = 0; i < (y1 - y0 - 1) * v->sh + v->kh; i++, to += c->width) {
        int64_t row = y0 * v->sh - v->top + i;
        if (row < 0 || row >= v->h) {
            memset(to, 0, (size_t)c->width * sizeof(float));
            continue;
        }
        memset(to, 0, (size_t)before * sizeof(float));
        memcpy(to + before, c->x + (n * v->h + row) * v->w * c->I, (size_t)have * sizeof(float));
        memset(to + before + have, 0, (size_t)(c->width - before - have) * sizeof(float));
    }
}

/* ---- forward ---- */

static void strip(const conv *c, const float *x, float *y, int panel)
{
    const cpu_micro *m = c->call->micro;
    int nv = panel_nv(&c->p, panel);
    int64_t first = (int64_t)panel_first(&c->p, panel) * c->p.lanes;
    cpu_few t = { .x = x, .x_row = c->width, .x_column = c->v.sw * c->I, .w = c->packed + c->v.kh * c->k * first,
                  .y = y + first, .bias = c->bias ? c->bias + first : NULL, .y_column = c->O,
                  .rows = c->v.kh, .k = c->k, .pixels = c->v.ow, .low = c->act == HZ_RELU ? 0 : -INFINITY,
                  .last = panel_last(&c->p, panel) };
    m->few[nv](&t);
}

static void forward_task(void *arg, int number, int worker)
{
    const conv *c = arg;
    int64_t n = number / c->bands, y0 = number % c->bands * c->band, y1 = min(y0 + c->band, c->v.oh);
    int64_t row = c->v.ow * c->O;
    float *x = (float *)(c->call->scratch + (size_t)worker * c->call->scratch_stride);
    float *near = c->stored ? c->y + (n * c->v.oh + y0) * row : x + copy_floats(c);
    copy(c, n, y0, y1, x);
    for (int64_t i = y0; i < y1; i++) {
        float *y = near + (i - y0) * row;
        for (int panel = 0; panel < c->p.count; panel++)
            strip(c, x + (i - y0) * c->v.sh * c->width, y, panel);
        if (c->act != HZ_LINEAR && c->act != HZ_RELU)
            c->call->micro->f32.act(y, y, row, c->act, c->alpha);
    }
    cpu_tail_begin(c->w, c->tail_slots, number);
    cpu_tail_run(c->w, c->call, c->tail_slots, number, (cpu_rect){ .n = n, .y0 = y0, .y1 = y1, .x1 = c->v.ow },
                 near, row);
}

/* ---- to the weights ---- */

/* Products of a band: `rows` rows of outputs, x copied, dy with `pitch` floats per pixel. first: nothing
   is in the slot yet. */
static void multiply(const conv *c, const float *x, const float *dy, int64_t rows, int first, float *slot,
                     const float *ahead)
{
    static const float one = 1;
    const cpu_micro *m = c->call->micro;
    for (int panel = 0; panel < c->p.count; panel++) {
        int nv = panel_nv(&c->p, panel), group = m->outer_rows[nv];
        int64_t first_channel = (int64_t)panel_first(&c->p, panel) * c->p.lanes;
        cpu_outer t = { .b = dy + first_channel, .c_step = c->pitch, .planes = 1, .rows = rows, .columns = c->v.ow,
                        .a_row = c->v.sh * c->width, .a_column = c->v.sw * c->I, .b_row = c->v.ow * c->pitch,
                        .b_column = c->pitch, .ahead = ahead, .ahead_step = ahead && !panel ? c->O : 0,
                        .accumulate = !first };
        if (!ahead)
            t.ahead = dy;
        for (int64_t ky = 0; ky < c->v.kh; ky++)
            for (int64_t k = 0; k < c->k;) {
                int64_t left = c->k - k;
                int take = left > 4 ? group : left > 2 ? 4 : (int)left;
                t.a = x + ky * c->width + k;
                t.c = slot + (ky * c->k_room + k) * c->pitch + first_channel;
                m->outer[nv](&t, take);
                t.ahead_step = 0;
                k += take;
            }
        t.a = &one;                                  /* the bias is the weight of a tap that is always 1 */
        t.a_row = t.a_column = 0;
        t.c = slot + c->v.kh * c->k_room * c->pitch + first_channel;
        m->outer[nv](&t, 1);
    }
}

/* dy with every pixel padded to whole vectors. */
static const float *pad(const conv *c, const float *dy, int64_t pixels, float *to)
{
    if (c->pitch == c->O)
        return dy;
    for (int64_t i = 0; i < pixels; i++)
        memcpy(to + i * c->pitch, dy + i * c->O, (size_t)c->O * sizeof(float));
    return to;
}

static void slot_task(void *arg, int number, int worker)
{
    const conv *c = arg;
    float *x = (float *)(c->call->scratch + (size_t)worker * c->call->scratch_stride), *padded = x + copy_floats(c);
    int64_t from = c->units * number / c->slots, to = c->units * (number + 1) / c->slots;
    memset(x, 0, (size_t)copy_floats(c) * sizeof(float));
    if (c->pitch > c->O)
        memset(padded, 0, (size_t)(c->band * c->v.ow * c->pitch) * sizeof(float));
    for (int64_t u = from; u < to; u++) {
        int64_t n = u / c->bands, y0 = u % c->bands * c->band, y1 = min(y0 + c->band, c->v.oh);
        const float *dy = c->dy + (n * c->v.oh + y0) * c->v.ow * c->O, *next = dy + (y1 - y0) * c->v.ow * c->O;
        copy(c, n, y0, y1, x);
        multiply(c, x, pad(c, dy, (y1 - y0) * c->v.ow, padded), y1 - y0, u == from, c->slot + number * c->slot_floats,
                 u + 1 < to ? next : NULL);
    }
}

/* Sum of the slots, all output channels of one tap and input channel; the last task: of the bias. */
static void add_slots(void *arg, int i, int worker)
{
    const conv *c = arg;
    int64_t columns = c->v.kh * c->k, row = i == columns ? c->v.kh * c->k_room : i / c->k * c->k_room + i % c->k;
    float *sum = c->slot + row * c->pitch;
    c->call->micro->f32.sum_rows(sum, sum, c->slots, c->slot_floats, c->O);
    for (int64_t o = 0; o < c->O && i < columns && c->dw; o++)
        c->dw[o * columns + i] = sum[o];
    if (i == columns && c->db)
        memcpy(c->db, sum, (size_t)c->O * sizeof(float));
}

/* ---- rows of the kernel lists ---- */

/* Everything but what depends on the call. */
static conv conv_of(const hz_work *w, const cpu_micro *m)
{
    int forward = w->op == OP_conv2d;
    const hz_arg *x = &w->in[0], *y = forward ? &w->out[0] : &w->in[1];
    conv c = { .w = w, .stored = cpu_tail_stored(w), .v = cpu_window_of(&w->attr.window, x, y),
               .p = panels_of(y->shape[3], m), .x = x->data, .I = x->shape[3], .O = y->shape[3] };
    c.k = c.v.kw * c.I;
    c.width = ((c.v.ow - 1) * c.v.sw + c.v.kw) * c.I;
    c.band = forward ? max(1, (COPY / c.width - c.v.kh) / c.v.sh + 1) : max(1, PIXELS / c.v.ow);
    c.band = min(c.band, forward ? max(4, c.v.oh * x->shape[0] / TASKS) : c.v.oh);
    c.band = min(round_up(c.band, cpu_tail_rows(w)), c.v.oh);
    c.bands = ceil_div(c.v.oh, c.band);
    c.pitch = (int64_t)c.p.vectors * m->lanes;
    c.k_room = c.k + MICRO_ROWS;
    c.slot_floats = (c.v.kh * c.k_room + 1) * c.pitch;
    return c;
}

/* Forward few channels; to the weights also those that do not fill vectors, which outer.c copies pixel by pixel.
   One tap needs no copy. Seconds as in wino.c: 55 % of the nominal core, lanes that are no channels counted. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    const hz_window *a = &w->attr.window;
    int64_t inputs = w->in[0].shape[3];
    if (!cpu_all(w, HZ_F32) || a->kh * a->kw == 1
        || (inputs > CHANNELS && (w->op == OP_conv2d || inputs % m->lanes == 0)))
        return -1;
    conv c = conv_of(w, m);
    return 1e-6 + hz_work_flops(w) * (double)c.pitch / (double)c.O / (0.55 * 118e9);
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    conv c = conv_of(w, m);
    return sizeof(float) * (size_t)(copy_floats(&c) + (w->op == OP_conv2d && c.stored ? 0 : c.band * c.v.ow * c.pitch));
}

static size_t packed_floats(const conv *c) { return (size_t)(c->v.kh * c->k * c->pitch); }

static size_t packed_bytes(const hz_work *w, const cpu_micro *m)
{
    conv c = conv_of(w, m);
    return (packed_floats(&c) + (size_t)c.pitch) * sizeof(float);
}

static size_t forward_bytes(const hz_work *w, const cpu_micro *m)
{
    return line_bytes(packed_bytes(w, m)) + cpu_tail_bytes(w, w->in[0].shape[0] * conv_of(w, m).bands);
}

static void pack(const hz_work *w, const cpu_call *call)
{
    conv c = conv_of(w, call->micro);
    const float *from = w->in[1].data;
    float *to = call->memory, *bias = to + packed_floats(&c);
    memset(to, 0, packed_bytes(w, call->micro));
    for (int panel = 0; panel < c.p.count; panel++) {
        int64_t first = (int64_t)panel_first(&c.p, panel) * c.p.lanes;
        int64_t width = (int64_t)panel_nv(&c.p, panel) * c.p.lanes;
        for (int64_t o = first; o < min(first + width, c.O); o++)
            for (int64_t i = 0; i < c.v.kh * c.k; i++)
                to[c.v.kh * c.k * first + i * width + o - first] = from[o * c.v.kh * c.k + i];
    }
    if (w->nin > 2 && w->in[2].data)
        memcpy(bias, w->in[2].data, (size_t)c.O * sizeof(float));
}

static hz_status forward_run(const hz_work *w, const cpu_call *call)
{
    conv c = conv_of(w, call->micro);
    c.call = call;
    c.packed = call->memory;
    c.bias = w->nin > 2 && w->in[2].data ? c.packed + packed_floats(&c) : NULL;
    c.y = w->out[0].data;
    c.act = w->attr.window.act;
    c.alpha = w->attr.window.alpha;
    c.tail_slots = (char *)call->memory + line_bytes(packed_bytes(w, call->micro));
    c.units = cpu_rows(w, call) * c.bands;
    team_run((int)c.units, forward_task, &c);
    cpu_tail_end(w, c.tail_slots, (int)c.units);
    return HZ_OK;
}

static int tails(const hz_work *w, const cpu_micro *m) { return cpu_tail_fits(w, 0, 0); }

static size_t slot_bytes(const hz_work *w, const cpu_micro *m)
{
    return SLOTS * sizeof(float) * (size_t)conv_of(w, m).slot_floats;
}

static hz_status dw_run(const hz_work *w, const cpu_call *call)
{
    conv c = conv_of(w, call->micro);
    c.call = call;
    c.dy = w->in[1].data;
    c.dw = w->out[0].data;
    c.db = w->nout > 1 ? w->out[1].data : NULL;
    c.slot = call->memory;
    c.units = cpu_rows(w, call) * c.bands;
    c.slots = min(SLOTS, c.units);
    team_run((int)c.slots, slot_task, &c);
    team_run((int)(c.v.kh * c.k) + 1, add_slots, &c);
    return HZ_OK;
}

const cpu_kernel conv2d_few = { .name = "few", .cost = cost, .memory = forward_bytes, .scratch = scratch, .pack = pack,
                                .run = forward_run, .tails = tails };
const cpu_kernel conv2d_dw_few = { .name = "few", .cost = cost, .memory = slot_bytes, .scratch = scratch,
                                   .run = dw_run };

/* pairs.c: the geometry of pairs.h: which planes, rows and zeros a node's source has, and where its taps lie in it. */
#include "cpu/pairs/pairs.h"
#include <string.h>

enum { FEW_CHANNELS = 24, RUN = 512 };        /* lowered below; pixels of a flat item */
/* Source and outputs of a group of images, and groups wanted, at most. */
enum { GROUP_BYTES = 320 << 10, WANTED = 16, PART = 9 * PAIRS };

/* ---- taps along one axis ---- */

typedef struct axis { int64_t phase, shift; } axis;

static int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }

/* Output i reads input i*stride + tap - before: which phase, and how far from i. */
static axis forward_axis(int64_t tap, int64_t before, int64_t stride)
{
    int64_t t = tap - before, shift = floor_div(t, stride);
    return (axis){ .phase = t - shift * stride, .shift = shift };
}

/* Input stride*i + phase is read by output i + shift through this tap; phase -1 if through none. */
static axis back_axis(int64_t tap, int64_t before, int64_t stride, int64_t phase)
{
    int64_t t = phase + before - tap, shift = floor_div(t, stride);
    return (axis){ .phase = t == shift * stride ? 0 : -1, .shift = shift };
}

/* ---- groups ---- */

/* Taps with their shifts; offsets follow when the source is laid out. */
typedef struct reach { int64_t y0, y1, x0, x1; } reach;
typedef struct tap_at { int64_t plane, y, x; } tap_at;        /* x, y: from the output on */

static void extend(reach *r, int64_t y, int64_t x)
{
    r->y0 = min(r->y0, y);
    r->y1 = max(r->y1, y);
    r->x0 = min(r->x0, x);
    r->x1 = max(r->x1, x);
}

static void add_tap(pairs_group *g, reach *r, tap_at *at, int tap, tap_at where)
{
    at[g->taps] = where;
    g->tap[g->taps++] = tap;
    extend(r, where.y, where.x);
}

/* Room for all shifts: rows above and below, columns that are zero after each row. oh, ow: the largest
   outputs of a group. */
static void lay_out(pairs_source *s, const reach *r, int64_t oh, int64_t ow)
{
    int64_t high = ceil_div(s->h, s->step_y), wide = ceil_div(s->w, s->step_x);
    s->left = max(0, -r->x0);
    s->right = max(0, r->x1);
    s->above = max(0, -r->y0);
    s->rows = s->above + max(high, oh + max(0, r->y1));
    s->pitch = max(wide + max(s->left, ow + r->x1 - wide), ow);
}

static int64_t row_tiles(const pairs_source *s, const pairs_group *g)
{
    return ceil_div(g->ow * s->images, PAIRS_TILE);
}

int pairs_by_rows(const pairs_source *s, const pairs_group *g)
{
    return s->step_image == 1 && g->oh * row_tiles(s, g) < ceil_div(g->oh * s->images * s->pitch, PAIRS_TILE);
}

int64_t pairs_tiles(const pairs_source *s, const pairs_group *g)
{
    return pairs_by_rows(s, g) ? g->oh * row_tiles(s, g) : ceil_div(g->oh * s->images * s->pitch, PAIRS_TILE);
}

int64_t pairs_tile(const pairs_source *s, const pairs_group *g, int64_t i)
{
    int64_t each = row_tiles(s, g);
    return pairs_by_rows(s, g) ? i / each * s->images * s->pitch + i % each * PAIRS_TILE : i * PAIRS_TILE;
}

static void put_images(pairs_shape *s, int64_t images)
{
    pairs_source *p = &s->source;
    p->images = images;
    p->step_image = s->grad || p->lowered || s->flat ? p->pitch : 1;
    p->step_column = p->step_image == 1 ? images : 1;
    p->before = p->left * p->step_column;
    p->plane = round_up(p->before + p->rows * images * p->pitch, 2);
    p->pixels = round_up(p->step_y * p->step_x * p->plane + p->before + p->right * p->step_column + 2 * PAIRS, PAIRS);
}

static int64_t all_tiles(const pairs_shape *s)
{
    int64_t n = 0;
    for (int i = 0; i < s->groups; i++)
        n += pairs_tiles(&s->source, &s->group[i]);
    return n;
}

/* As many images as fit, but enough groups for the threads; somewhat fewer if that saves tiles, unless something is
   added up by groups: then the order of sums stays. For the gradient to the weights about PART outputs, so that rows of
   taps lie near each other. oh: rows of outputs. */
static void choose_images(pairs_shape *s, int64_t oh)
{
    pairs_source *p = &s->source;
    int64_t each = (p->step_y * p->step_x * p->rows * p->pitch * p->runs * PAIRS + s->oh * s->ow * s->oc)
                   * (int64_t)sizeof(uint16_t);
    int64_t fit = s->grad ? PART / max(oh * p->pitch, 1) : GROUP_BYTES / max(each, 1), best = 0, least = 0;
    fit = s->flat ? 1 : max(1, min(fit, s->items / WANTED));
    fit = s->blocked ? min(fit, HZ_BLOCK_N) : fit;
    for (int64_t n = fit; n > (s->sums ? fit - 1 : fit / 2); n--) {
        if (s->blocked && HZ_BLOCK_N % n)
            continue;
        put_images(s, n);
        int64_t tiles = s->sums ? 0 : all_tiles(s);
        if (!best || tiles * best < least * n) {
            best = n;
            least = tiles;
        }
    }
    put_images(s, best);
}

static void set_offsets(pairs_group *g, const pairs_source *s, const tap_at *at)
{
    for (int t = 0; t < g->taps; t++) {
        g->row[t] = at[t].y;
        g->rows[t] = ceil_div(s->h - at[t].plane / s->step_x, s->step_y);
        g->offset[t] = at[t].plane * s->plane + s->before + (at[t].y + s->above) * s->images * s->pitch
                       + at[t].x * s->step_column;
    }
}

static void forward_shape(pairs_shape *s, const cpu_window *v)
{
    tap_at at[PAIRS_TAPS];
    pairs_group *g = &s->group[0];
    reach r = { .y0 = INT64_MAX, .y1 = INT64_MIN, .x0 = INT64_MAX, .x1 = INT64_MIN };
    *g = (pairs_group){ .oh = v->oh, .ow = v->ow, .dy = 1, .dx = 1 };
    s->groups = 1;
    s->source.step_y = v->sh;
    s->source.step_x = v->sw;
    for (int64_t ky = 0; ky < v->kh; ky++)
        for (int64_t kx = 0; kx < v->kw; kx++) {
            axis y = forward_axis(ky, v->top, v->sh), x = forward_axis(kx, v->left, v->sw);
            add_tap(g, &r, at, (int)(ky * v->kw + kx), (tap_at){ y.phase * v->sw + x.phase, y.shift, x.shift });
        }
    lay_out(&s->source, &r, v->oh, v->ow);
    choose_images(s, v->oh);
    set_offsets(g, &s->source, at);
}

/* Gradient to the input: one group for each phase of the stride; dy is the source. */
static void back_shape(pairs_shape *s, const cpu_window *v)
{
    tap_at at[PAIRS_GROUPS][PAIRS_TAPS];
    reach r = { .y0 = 0, .y1 = 0, .x0 = 0, .x1 = 0 };
    for (int64_t py = 0; py < v->sh; py++)
        for (int64_t px = 0; px < v->sw; px++) {
            pairs_group *g = &s->group[s->groups];
            *g = (pairs_group){ .oh = ceil_div(v->h - py, v->sh), .ow = ceil_div(v->w - px, v->sw), .y0 = py,
                                .x0 = px, .dy = v->sh, .dx = v->sw };
            for (int64_t ky = 0; ky < v->kh; ky++)
                for (int64_t kx = 0; kx < v->kw; kx++) {
                    axis y = back_axis(ky, v->top, v->sh, py), x = back_axis(kx, v->left, v->sw, px);
                    if (y.phase == 0 && x.phase == 0)
                        add_tap(g, &r, at[s->groups], (int)(ky * v->kw + kx), (tap_at){ 0, y.shift, x.shift });
                }
            s->groups++;
        }
    s->source.step_y = s->source.step_x = 1;
    lay_out(&s->source, &r, s->group[0].oh, s->group[0].ow);
    choose_images(s, s->group[0].oh);
    for (int i = 0; i < s->groups; i++)
        set_offsets(&s->group[i], &s->source, at[i]);
}

/* One tap, outputs and pixels of the source are the same. */
static void plain_shape(pairs_shape *s, int64_t oh, int64_t ow)
{
    s->groups = 1;
    s->taps = 1;
    s->group[0] = (pairs_group){ .taps = 1, .oh = oh, .ow = ow, .dy = 1, .dx = 1 };
    s->source.step_y = s->source.step_x = 1;
    s->source.rows = oh;
    s->source.pitch = ow;
    choose_images(s, oh);
}

/* ---- a node ---- */

static int is_bf16(const hz_arg *a) { return !a->data || a->dtype == HZ_BF16; }
static int is_f32(const hz_arg *a) { return !a->data || a->dtype == HZ_F32; }

/* Storage bf16, weights and what adds up over the batch f32. */
static int dtypes(const hz_work *w)
{
    int grad = w->op == OP_conv2d_dw || w->op == OP_dense_dw;
    if (w->in[0].dtype != HZ_BF16)
        return 0;
    return grad ? is_bf16(&w->in[1]) && is_f32(&w->out[0]) && is_f32(&w->out[1])
                : is_f32(&w->in[1]) && is_bf16(&w->out[0]);
}

int pairs_shape_of(const hz_work *w, const cpu_micro *m, pairs_shape *s)
{
    int conv = w->op == OP_conv2d || w->op == OP_conv2d_dx || w->op == OP_conv2d_dw;
    int back = w->op == OP_conv2d_dx || w->op == OP_dense_dx;
    int grad = w->op == OP_conv2d_dw || w->op == OP_dense_dw;
    const hz_arg *in = &w->in[0], *out = grad ? &w->in[1] : &w->out[0];
    cpu_window v = { .h = 1, .w = 1, .oh = 1, .ow = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1 };
    if (!m->pairs || !dtypes(w))
        return 0;
    if (conv)
        v = back ? cpu_window_of(&w->attr.window, out, in) : cpu_window_of(&w->attr.window, in, out);
    memset(s, 0, sizeof *s);
    s->grad = grad;
    s->sums = grad || cpu_tail_bytes(w, 1) > 0;
    s->taps = v.kh * v.kw;
    s->flat = v.kh * v.kw * v.sh * v.sw == 1;
    s->blocked = !grad && out->blocked;
    if (s->blocked && (s->flat || w->tails))
        return 0;
    s->items = in->shape[0];
    s->oc = out->shape[out->ndim - 1];
    s->source = (pairs_source){ .h = in->ndim == 4 ? in->shape[1] : 1, .w = in->ndim == 4 ? in->shape[2] : 1,
                                .c = in->shape[in->ndim - 1] };
    if (s->flat) {
        int64_t pixels = s->items * s->source.h * s->source.w;
        s->run = min(RUN, round_up(max(1, pixels / WANTED), PAIRS));
        s->items = ceil_div(pixels, s->run);
        s->source.h = s->oh = 1;
        s->source.w = s->ow = s->run;
        s->source.runs = ceil_div(s->source.c, PAIRS);
        plain_shape(s, 1, s->run);
        return 1;
    }
    s->oh = out->shape[1];
    s->ow = out->shape[2];
    if (v.kh * v.kw > PAIRS_TAPS || v.sh * v.sw > PAIRS_GROUPS || s->items * s->oh * s->ow > INT32_MAX)
        return 0;
    s->source.runs = ceil_div(s->source.c, PAIRS);
    if (!back && s->source.c < FEW_CHANNELS) {
        if (s->blocked)
            return 0;                                 /* lowered.c */
        s->source.lowered = 1;
        s->source.window = v;
        s->source.runs = ceil_div(v.kh * v.kw * s->source.c, PAIRS);
        plain_shape(s, v.oh, v.ow);
    } else
        (back ? back_shape : forward_shape)(s, &v);
    return 1;
}

void pairs_use(pairs_shape *s, const hz_work *w, const cpu_call *c)
{
    s->used = cpu_rows(w, c);
    if (s->flat) {
        int64_t pixels = s->used * cpu_size(&w->in[0], 1, w->in[0].ndim - 1);
        s->used = ceil_div(pixels, s->run);
        s->last = pixels - (s->used - 1) * s->run;
    }
}

/* ---- sources ---- */

static void zero_pixels(uint16_t *out, int64_t pixels) { memset(out, 0, (size_t)(pixels * PAIRS) * sizeof *out); }

/* Row of a plane: run i of the columns x*step_x + px of image row `row`, NULL for a row of zeros; `pitch`
   pixels are written. */
static void fill_row(const cpu_pairs *k, const pairs_source *s, const uint16_t *row, int64_t px, int64_t i,
                     uint16_t *out)
{
    int64_t wide = row ? ceil_div(s->w - px, s->step_x) : 0;
    if (wide)
        k->copy(row + px * s->c + i * PAIRS, s->step_x * s->c, wide, (int)min(PAIRS, s->c - i * PAIRS), out,
                s->step_column * PAIRS);
    if (s->step_column == 1)
        zero_pixels(out + wide * PAIRS, s->pitch - wide);
    else
        for (int64_t x = wide; x < s->pitch; x++)
            zero_pixels(out + x * s->step_column * PAIRS, 1);
}

/* Run i of a plane. */
static void fill_plane(const cpu_pairs *k, const pairs_source *s, const uint16_t *x, int64_t n0, int64_t n1,
                       int64_t plane, int64_t i, uint16_t *out)
{
    const uint16_t *end = out + s->plane * PAIRS;
    zero_pixels(out, s->before);
    out += s->before * PAIRS;
    for (int64_t r = 0; r < s->rows; r++, out += s->images * s->pitch * PAIRS) {
        int64_t y = (r - s->above) * s->step_y + plane / s->step_x;
        for (int64_t n = 0; n < s->images; n++)
            fill_row(k, s, n0 + n < n1 && r >= s->above && y < s->h ? x + ((n0 + n) * s->h + y) * s->w * s->c : NULL,
                     plane % s->step_x, i, out + n * s->step_image * PAIRS);
    }
    zero_pixels(out, (end - out) / PAIRS);
}

/* Bits from..to-1 of a word, as far as it has them. */
static uint32_t bits(int64_t from, int64_t to)
{
    uint64_t below = (1ull << max(0, min(PAIRS, from))) - 1;
    uint64_t up_to = (1ull << max(0, min(PAIRS, to))) - 1;
    return (uint32_t)(up_to & ~below);
}

/* Run i of the outputs x..to-1 of row y, whose taps lie in the same columns: all inputs of an output, row
   of taps by row. */
static void lower(const cpu_pairs *k, const pairs_source *s, const uint16_t *image, int64_t y, int64_t x, int64_t to,
                  int64_t i, uint16_t *out, int64_t out_step)
{
    const cpu_window *v = &s->window;
    int64_t offset[PAIRS_TAPS], ix = x * v->sw - v->left, row = v->kw * s->c;
    int64_t left = max(0, -ix) * s->c, right = min(v->kw, s->w - ix) * s->c;
    uint32_t mask[PAIRS_TAPS];
    int rows = 0;
    for (int64_t ky = 0; ky < v->kh; ky++) {
        int64_t iy = y * v->sh - v->top + ky, at = ky * row - i * PAIRS;        /* at: of the row of taps in the run */
        offset[rows] = (iy * s->w + ix) * s->c - at;
        mask[rows] = iy >= 0 && iy < s->h ? bits(at + left, at + right) : 0;
        rows += mask[rows] != 0;
    }
    k->lower(image, offset, mask, rows, v->sw * s->c, to - x, out + x * out_step, out_step);
}

void pairs_lower_row(const cpu_pairs *k, const pairs_source *s, const uint16_t *image, int64_t y, int64_t i,
                     uint16_t *out, int64_t out_step)
{
    const cpu_window *v = &s->window;
    for (int64_t x = 0, to; x < s->pitch; x = to) {
        int64_t ix = x * v->sw - v->left, room = s->w - v->kw + v->left, inside = room < 0 ? 0 : room / v->sw + 1;
        to = ix >= 0 && x < inside ? min(inside, s->pitch) : x + 1;
        lower(k, s, image, y, x, to, i, out, out_step);
    }
}

static void fill_lowered(const cpu_pairs *k, const pairs_source *s, const uint16_t *x, int64_t n0, int64_t n1,
                         int64_t i, uint16_t *out)
{
    for (int64_t y = 0; y < s->rows; y++)
        for (int64_t n = n0; n < n0 + s->images; n++, out += s->pitch * PAIRS)
            if (n < n1)
                pairs_lower_row(k, s, x + n * s->h * s->w * s->c, y, i, out, PAIRS);
            else
                zero_pixels(out, s->pitch);
    zero_pixels(out, s->plane - s->rows * s->images * s->pitch);
}

/* The last run of a flat node may be shorter: what lies behind it is not read. */
void pairs_fill_plane(const cpu_pairs *k, const pairs_shape *s, const uint16_t *x, int64_t n0, int64_t n1,
                      int64_t plane, int64_t i, uint16_t *out)
{
    pairs_source source = s->source;
    if (source.lowered)
        fill_lowered(k, &source, x, n0, n1, i, out);
    else if (!s->flat)
        fill_plane(k, &source, x, n0, n1, plane, i, out);
    else {
        source.w = n1 == s->used ? s->last : source.w;
        fill_plane(k, &source, x + n0 * s->run * source.c, 0, 1, plane, i, out);
    }
}

void pairs_fill(const cpu_pairs *k, const pairs_shape *s, const uint16_t *x, int64_t n0, int64_t n1, uint16_t *out)
{
    const pairs_source *to = &s->source;
    int64_t planes = to->step_y * to->step_x;
    for (int64_t i = 0; i < to->runs; i++, out += to->pixels * PAIRS) {
        for (int64_t p = 0; p < planes; p++)
            pairs_fill_plane(k, s, x, n0, n1, p, i, out + p * to->plane * PAIRS);
        zero_pixels(out + planes * to->plane * PAIRS, to->pixels - planes * to->plane);
    }
}

/* ---- the same as a list ---- */

int64_t pairs_copies(const cpu_pairs *k, const pairs_shape *s)
{
    const pairs_source *p = &s->source;
    return !k->overlaps || s->flat || p->lowered || p->c % PAIRS ? 0 : p->images * p->h * p->w * p->runs;
}

void pairs_list_copies(const pairs_shape *s, pairs_copy *list)
{
    const pairs_source *p = &s->source;
    for (int64_t n = 0; n < p->images; n++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++) {
                int64_t to = pairs_pixel(p, n, y, x);
                for (int64_t i = 0; i < p->runs; i++)
                    *list++ = (pairs_copy){ .from = (int32_t)(((n * p->h + y) * p->w + x) * p->runs + i),
                                            .to = (int32_t)(i * p->pixels + to) };
            }
}

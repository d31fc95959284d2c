/* lowered.c: kernel "pairs", conv2d over bf16 of so few channels that all inputs of an output become a pixel or few
   (pairs.h), where the result lies blocked (hz_arg). A row of outputs of 16 images is made at a time: their inputs, put
   within each other, stay near, and a tile is one pixel of the 16 images. The bits are those of conv.c. */
#include "cpu/pairs/pairs.h"

enum { ROWS = 8 };            /* of a task */

typedef struct lowered {
    const hz_work *w;
    const cpu_call *call;
    const cpu_pairs *k;
    pairs_shape s;
    uint16_t *weights;        /* what the node keeps */
    float *bias;
    int32_t *tile, *pixel;    /* of a row: (2*blocks), (32*blocks) */
} lowered;

static int shape_of(const hz_work *w, const cpu_micro *m, pairs_shape *s)
{
    hz_work plain = *w;
    plain.out[0].blocked = 0;
    return w->out[0].blocked && !w->tails && m->pairs && m->pairs->lists && pairs_shape_of(&plain, m, s)
           && s->source.lowered && s->source.runs <= PAIRS_TERMS && s->oh * s->ow <= INT32_MAX / HZ_BLOCK_N;
}

static int64_t blocks_of(const pairs_shape *s) { return ceil_div(s->ow, 2); }

static size_t own_bytes(const pairs_shape *s)
{
    return line_bytes(pairs_weight_elements(s) * sizeof(uint16_t) + (size_t)(pairs_panels(s) * PAIRS) * sizeof(float)
                      + (size_t)(blocks_of(s) * (PAIRS + 2)) * sizeof(int32_t));
}

static void own_at(lowered *l, void *memory)
{
    l->weights = memory;
    l->bias = (float *)(l->weights + pairs_weight_elements(&l->s));
    l->tile = (int32_t *)(l->bias + pairs_panels(&l->s) * PAIRS);
    l->pixel = l->tile + 2 * blocks_of(&l->s);
}

static void pack(const hz_work *w, const cpu_call *c)
{
    lowered l;
    if (!shape_of(w, c->micro, &l.s))
        return;
    own_at(&l, c->memory);
    pairs_pack_weights(w, c, &l.s, l.weights, l.bias);
    for (int32_t i = 0; i < 2 * blocks_of(&l.s); i++)
        l.tile[i] = i * HZ_BLOCK_N;
    for (int32_t i = 0; i < PAIRS * blocks_of(&l.s); i++)
        l.pixel[i] = i < HZ_BLOCK_N * l.s.ow ? i : -1;
}

/* Of 16 images from n on, row y of the outputs. row: (runs,ow,16,32) */
static void compute(const lowered *l, int64_t n, int64_t y, uint16_t *row, float *sum)
{
    const pairs_source *from = &l->s.source;
    int64_t image = from->h * from->w * from->c, run = l->s.ow * HZ_BLOCK_N * PAIRS, offset[PAIRS_TERMS];
    uint16_t *out = (uint16_t *)l->w->out[0].data + n * l->s.oh * l->s.ow * l->s.oc;
    for (int64_t i = 0; i < from->runs; i++) {
        offset[i] = i * run;
        for (int64_t j = 0; j < HZ_BLOCK_N; j++)
            pairs_lower_row(l->k, from, (const uint16_t *)l->w->in[0].data + (n + j) * image, y, i,
                            row + i * run + j * PAIRS, HZ_BLOCK_N * PAIRS);
    }
    for (int64_t panel = 0; panel < pairs_panels(&l->s); panel++) {
        pairs_ahead ahead = { .read = NULL };
        pairs_finish last = { .bias = l->w->nin > 2 && l->w->in[2].data ? l->bias + panel * PAIRS : NULL,
                              .act = l->w->attr.window.act, .alpha = l->w->attr.window.alpha,
                              .y = out + (panel * l->s.oh + y) * run, .step = PAIRS, .columns = PAIRS,
                              .pixel = l->pixel, .limit = HZ_BLOCK_N * l->s.ow };
        pairs_product p = { .a = row, .tile = l->tile, .b = l->weights + panel * from->runs * PAIRS_BLOCK,
                            .offset = offset, .c = sum, .blocks = (int)blocks_of(&l->s), .terms = (int)from->runs,
                            .rows = l->s.ow % 2 ? HZ_BLOCK_N : PAIRS, .finish = &last, .ahead = &ahead };
        l->k->product(&p);
    }
}

static int64_t tasks_of(const pairs_shape *s) { return ceil_div(s->oh, ROWS); }

static void work(void *arg, int task, int worker)
{
    const lowered *l = arg;
    int64_t tasks = tasks_of(&l->s), n = task / tasks * HZ_BLOCK_N, y = task % tasks * ROWS;
    float *sum = (float *)(l->call->scratch + (size_t)worker * l->call->scratch_stride);
    l->k->begin();
    for (int64_t to = min(y + ROWS, l->s.oh); y < to; y++)
        compute(l, n, y, (uint16_t *)(sum + 2 * PAIRS_BLOCK), sum);
    l->k->end();
}

static hz_status run(const hz_work *w, const cpu_call *call)
{
    lowered l = { .w = w, .call = call, .k = call->micro->pairs };
    if (!shape_of(w, call->micro, &l.s))
        return hz_fail(HZ_EARG, "%s: kernel pairs was chosen for a node it does not take", w->name);
    own_at(&l, call->memory);
    team_run((int)(ceil_div(cpu_rows(w, call), HZ_BLOCK_N) * tasks_of(&l.s)), work, &l);
    return HZ_OK;
}

/* Seconds on the nominal core of wino.c: products, and the rows of inputs. */
static double cost(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!shape_of(w, m, &s))
        return -1;
    double pixels = (double)(w->in[0].shape[0] * s.oh * s.ow), runs = (double)(s.source.runs * PAIRS);
    return 1e-6 + 2 * pixels * runs * (double)(pairs_panels(&s) * PAIRS) / (m->pairs_rate * 100e9)
           + pixels * runs * 1e-10;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    return shape_of(w, m, &s) ? own_bytes(&s) : 0;
}

static size_t scratch(const hz_work *w, const cpu_micro *m)
{
    pairs_shape s;
    if (!shape_of(w, m, &s))
        return 0;
    return 2 * PAIRS_BLOCK * sizeof(float) + (size_t)(s.source.runs * s.ow * HZ_BLOCK_N * PAIRS) * sizeof(uint16_t);
}

const cpu_kernel conv2d_lowered = { .name = "pairs", .cost = cost, .memory = memory, .scratch = scratch,
                                    .pack = pack, .run = run, .blocked = 1 };

/* timer.c: how long a plan takes on the card. Its operands are memory of the timer's own, taken when it is first asked
   and full of random numbers: what is multiplied decides how fast a card may clock. */
#include "cuda/dnn/dnn.h"
#include "cuda/runtime.h"
#include <stdlib.h>
#include <string.h>

enum { RUNS = 20, TIMES = 5, WARM = 3, LINE = 256, NOISE = 1 << 20 };

typedef struct stage {
    dnn_key key;
    int ready, empty;                    /* empty: there is no memory for it */
    char *memory;
    size_t bytes;
    void *data[DNN_SLOTS];
    runtime_clock *clock;
} stage;

static size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

/* Pairs of bytes that are numbers of either sign up to 1, as bf16 and as halves of f32. */
static hz_status fill(const stage *s)
{
    uint16_t *noise = malloc(NOISE);
    uint32_t state = 1;
    hz_status status = noise ? HZ_OK : cuda_core->fail(HZ_EMEM, "cudnn: no memory for %d bytes of noise", NOISE);
    for (int i = 0; !status && i < NOISE / 2; i++) {
        state = state * 1664525 + 1013904223;
        noise[i] = (uint16_t)((state >> 16 & 0x807f) | (0x3c00 + (state >> 8 & 0x380)));
    }
    for (size_t at = 0; !status && at < s->bytes; at += NOISE)
        status = runtime_copy_in(s->memory + at, noise, s->bytes - at < NOISE ? s->bytes - at : NOISE);
    free(noise);
    return status;
}

static hz_status record(const dnn_ready *r, const stage *s, void *workspace, runtime_graph **out)
{
    hz_status status = HZ_OK;
    for (int i = 0; i < WARM && !status; i++)
        status = dnn_run(r, s->data, workspace, runtime_stream());
    status = status ? status : runtime_synchronise(0);
    if (status || (status = runtime_record()))
        return status;
    for (int i = 0; i < RUNS && !status; i++)
        status = dnn_run(r, s->data, workspace, runtime_stream());
    hz_status ended = runtime_recorded(out);
    return status ? status : ended;
}

static double best(runtime_graph *g, runtime_clock *clock)
{
    double least = -1;
    hz_status status = runtime_replay(g);
    for (int i = 0; i < TIMES && !status; i++) {
        double ms;
        status = runtime_clock_read(clock, 0);
        status = status ? status : runtime_replay(g);
        status = status ? status : runtime_clock_read(clock, 1);
        status = status ? status : runtime_clock_ms(clock, 0, 1, &ms);
        if (!status && (least < 0 || ms < least))
            least = ms;
    }
    return status ? -1 : least * 1000 / RUNS;
}

static hz_status set_up(stage *s)
{
    const dnn_key *k = &s->key;
    for (int i = 0; i < DNN_SLOTS; i++)
        s->bytes += dnn_key_uses(k, 0, i) ? lines(dnn_key_bytes(k, i)) : 0;
    s->memory = runtime_alloc(s->bytes);
    s->clock = s->memory ? runtime_clock_new(2) : NULL;
    hz_status status = s->clock ? fill(s) : HZ_EMEM;
    char *at = s->memory;
    for (int i = 0; i < DNN_SLOTS && !status; i++) {
        if (dnn_key_uses(k, 0, i)) {
            s->data[i] = at;
            at += lines(dnn_key_bytes(k, i));
        }
    }
    return status;
}

static double time_plan(void *self, const dnn_target *t, const dnn_key *k, const dnn_plan *p, dnn_descriptor read)
{
    stage *s = self;
    if (!s->ready)
        s->empty = set_up(s) != HZ_OK;
    s->ready = 1;
    if (s->empty)
        return 0;
    dnn_held held = { .target = t, .read = read };
    dnn_ready r = { .key = *k, .split = p->split, .workspace = (size_t)p->workspace, .held = &held };
    size_t bytes = dnn_run_workspace(&r);
    void *workspace = bytes ? runtime_alloc(bytes) : NULL;
    runtime_graph *g = NULL;
    hz_status status = bytes && !workspace ? HZ_EMEM : record(&r, s, workspace, &g);
    double us = status ? -1 : best(g, s->clock);
    if (us < 0)
        runtime_check("a plan");             /* what went wrong is this plan's and nobody's behind it */
    runtime_graph_free(g);
    runtime_synchronise(0);
    runtime_free(workspace, bytes);
    return us;
}

hz_status dnn_clock_begin(dnn_timer *t, const dnn_key *k)
{
    stage *s = calloc(1, sizeof *s);
    *t = (dnn_timer){ .time = time_plan, .self = s };
    if (!s)
        return cuda_core->fail(HZ_EMEM, "cudnn: no memory for timing");
    s->key = *k;
    return HZ_OK;
}

void dnn_clock_end(dnn_timer *t)
{
    stage *s = t->self;
    if (!s)
        return;
    runtime_synchronise(0);
    if (s->memory)
        runtime_free(s->memory, s->bytes);
    runtime_clock_free(s->clock);
    free(s);
    t->self = NULL;
}

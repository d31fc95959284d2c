/* here.c: cuDNN on the card that this process works on. */
#include "cuda/dnn/dnn.h"
#include <stdlib.h>

static const dnn_target *target(void)
{
    static dnn_target card;
    if (!card.handle && dnn_target_here(&card))
        card.handle = NULL;
    return card.handle ? &card : NULL;
}

int dnn_here(void) { return target() != NULL; }
int dnn_wanted(void) { return dnn_here(); }

/* Chooses the plan of r->key; timed where there is memory for that. */
static hz_status choose(dnn_ready *r, dnn_held *held)
{
    dnn_folders folders = dnn_folders_usual();
    int effort = dnn_effort_wanted();
    dnn_timer timer;
    dnn_plan plan;
    int timed = effort != DNN_OFF && !dnn_clock_begin(&timer, &r->key);
    hz_status status = dnn_choose(&held->scope, held->target, &folders, effort, timed ? &timer : NULL, &r->key, &plan,
                                  &held->read);
    if (timed)
        dnn_clock_end(&timer);
    r->split = plan.split;
    r->workspace = (size_t)plan.workspace;
    free(plan.text);
    return status;
}

dnn_ready *dnn_ready_new(const dnn_key *k)
{
    dnn_ready *r = calloc(1, sizeof *r);
    dnn_held *held = calloc(1, sizeof *held);
    if (r && held) {
        r->key = *k;
        r->held = held;
        held->target = target();
        if (held->target && !choose(r, held))
            return r;
        dnn_end(&held->scope);
    }
    free(held);
    free(r);
    return NULL;
}

void dnn_ready_free(dnn_ready *r)
{
    if (!r)
        return;
    dnn_held *held = r->held;
    dnn_end(&held->scope);
    free(held);
    free(r);
}

hz_status dnn_launch(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    const dnn_held *held = r->held;
    return dnn_execute(held->target, &r->key, r->split, held->read, data, workspace, stream);
}

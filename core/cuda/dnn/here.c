/* here.c: cuDNN on the card that this process works on: opened when a convolution first asks for it. */
#include "cuda/dnn/here.h"
#include <stdlib.h>

const dnn_target *dnn_here(void)
{
    static dnn_target target;
    static int asked;
    if (!asked && dnn_target_here(&target))
        target.handle = NULL;
    asked = 1;
    return target.handle ? &target : NULL;
}

/* Chooses the plan of r->key; timed where there is memory for that. */
static hz_status choose(dnn_ready *r)
{
    dnn_folders folders = dnn_folders_usual();
    int effort = dnn_effort_wanted();
    dnn_timer timer;
    int timed = effort != DNN_OFF && !dnn_clock_begin(&timer, &r->key);
    hz_status status = dnn_choose(&r->scope, r->target, &folders, effort, timed ? &timer : NULL, &r->key, &r->plan,
                                  &r->read);
    if (timed)
        dnn_clock_end(&timer);
    free(r->plan.text);
    r->plan.text = NULL;
    return status;
}

dnn_ready *dnn_ready_new(const dnn_key *k)
{
    dnn_ready *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->target = dnn_here();
    r->key = *k;
    if (r->target && !choose(r))
        return r;
    dnn_ready_free(r);
    return NULL;
}

void dnn_ready_free(dnn_ready *r)
{
    if (r)
        dnn_end(&r->scope);
    free(r);
}

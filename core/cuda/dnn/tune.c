/* tune.c: which plan of a key runs. In order: the one that was found before, those of a pack, those that cuDNN
   proposes; of several the quickest. What is found is kept; where two processes look at once, both run what the first
   of them wrote, so the bits of a run do not depend on which of them it was. */
#include "cuda/dnn/dnn.h"
#include <stdlib.h>

/* Plans of a key that are tried: with all that belongs to it in one, and the product alone with kernels of our own
   behind it. The former are compiled, seconds each. */
static const struct { int whole, single; } tried[DNN_EFFORTS] = {
    [DNN_OFF] = { 1, 1 }, [DNN_QUICK] = { 3, 3 }, [DNN_FULL] = { 8, 16 },
};

hz_status dnn_propose(const dnn_target *t, const dnn_key *k, int effort, dnn_plans *out)
{
    int n, fused = dnn_key_fused(k);
    out->count = 0;
    hz_status status = dnn_build(t, k, 0, fused ? tried[effort].whole : tried[effort].single, out, &n);
    if (fused && (effort != DNN_OFF || !out->count))
        status = dnn_build(t, k, 1, tried[effort].single, out, &n);
    return out->count ? HZ_OK : status ? status : cuda_core->fail(HZ_ESTATE, "cudnn: no plan");
}

/* Index of the quickest that runs, its time noted; without a timer the first that can be read. -1: none */
static int pick(const dnn_target *t, const dnn_timer *timer, const dnn_key *k, dnn_plans *list)
{
    int best = -1;
    for (int i = 0; i < list->count; i++) {
        dnn_scope s = { 0 };
        dnn_descriptor read;
        dnn_plan *p = &list->plan[i];
        int runs = !dnn_plan_read(&s, t, p, &read);
        if (runs && timer && list->count > 1) {
            double us = timer->time(timer->self, t, k, p, read);
            runs = us >= 0;
            p->us = runs ? us : 0;
        }
        dnn_end(&s);
        if (runs && (best < 0 || p->us < list->plan[best].us))
            best = i;
        if (runs && !timer)
            break;
    }
    return best;
}

/* The plan of list that wins moves to *out. */
static int take(const dnn_target *t, const dnn_timer *timer, const dnn_key *k, dnn_plans *list, dnn_plan *out)
{
    int best = pick(t, timer, k, list);
    if (best >= 0) {
        *out = list->plan[best];
        list->plan[best].text = NULL;
    }
    dnn_plans_clear(list);
    return best >= 0;
}

/* From a file, then made anew. *kept: it comes from the user's own file. */
static hz_status find(const dnn_target *t, const dnn_folders *f, int effort, const dnn_timer *timer, const dnn_key *k,
                      dnn_plan *out, int *kept)
{
    dnn_plans list = { 0 };
    int there = !dnn_cache_read(f->own, t, k, effort, &list);
    *kept = there && take(t, timer, k, &list, out);
    if (there && !*kept)                 /* whole, but cuDNN does not take it: what is found now goes there */
        dnn_cache_drop(f->own, t, k);
    if (*kept || (!dnn_cache_read(f->packs, t, k, effort, &list) && take(t, timer, k, &list, out)))
        return HZ_OK;
    hz_status status = dnn_propose(t, k, effort, &list);
    if (!status && !take(t, timer, k, &list, out))
        status = cuda_core->fail(HZ_ESTATE, "cudnn: no plan runs");
    return status;
}

/* Writes what was found; what another process wrote in the meantime takes its place. */
static void keep(const dnn_target *t, const dnn_folders *f, int effort, const dnn_key *k, dnn_plan *p)
{
    dnn_plans list = { .count = 1, .plan = { *p } };
    if (dnn_cache_write(f->own, t, k, effort, &list) || dnn_cache_read(f->own, t, k, effort, &list))
        return;
    free(p->text);
    *p = list.plan[0];
    list.plan[0].text = NULL;
    dnn_plans_clear(&list);
}

hz_status dnn_choose(dnn_scope *s, const dnn_target *t, const dnn_folders *f, int effort, const dnn_timer *timer,
                     const dnn_key *k, dnn_plan *out, dnn_descriptor *read)
{
    int kept;
    *out = (dnn_plan){ 0 };
    hz_status status = find(t, f, effort, effort == DNN_OFF ? NULL : timer, k, out, &kept);
    if (status)
        return status;
    if (!kept)
        keep(t, f, effort, k, out);
    status = dnn_plan_read(s, t, out, read);
    if (status) {
        free(out->text);
        out->text = NULL;
    }
    return status;
}

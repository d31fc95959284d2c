/* trial.c: times the kernels that run a node, over the node's own memory, and gives a node another kernel. A trial
   is a program of one node with memory of its own, so that kernels see it as they would in a step. */
#include "cpu/program/program.h"
#include <stdlib.h>
#include <string.h>

static void trial_end(hz_program *one)
{
    hz_free(one->nodes[0].memory, one->nodes[0].bytes);
    hz_free(one->scratch, one->scratch_bytes);
    hz_free(one->wide, one->wide_bytes);
}

/* `one` and `n` are the caller's; to be ended also on failure. */
static hz_status trial_begin(const hz_program *p, int i, choice use, hz_program *one, node *n)
{
    *n = (node){ .work = p->nodes[i].work };
    *one = (hz_program){ .micro = p->micro, .count = 1, .train = p->train, .nodes = n };
    hz_status status = program_prepare(one, n, use);
    status = status ? status : program_place_copies(one);
    return status ? status : program_reserve(one);
}

/* In training, weights are packed in every step. */
static hz_status trial_run(hz_program *one, const hz_step *s, double *ms)
{
    double begin = hz_seconds();
    one->nodes[0].packed &= !one->train;
    hz_status status = program_run_node(one, &one->nodes[0], s);
    *ms = 1e3 * (hz_seconds() - begin);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All take turns, so that none has the quieter moments; the first round warms up. The median counts. */
static hz_status race(hz_program *one, int n, const hz_step *s, int repeats, hz_trial *out)
{
    double ms[HZ_TRIALS][HZ_REPEATS], cold;
    hz_status status = HZ_OK;
    for (int k = 0; k < n && !status; k++)
        status = trial_run(&one[k], s, &cold);
    for (int r = 0; r < repeats && !status; r++)
        for (int k = 0; k < n && !status; k++)
            status = trial_run(&one[k], s, &ms[k][r]);
    for (int k = 0; k < n && !status; k++) {
        qsort(ms[k], (size_t)repeats, sizeof ms[k][0], ascending);
        out[k].ms = ms[k][repeats / 2];
    }
    return status;
}

static hz_status try(const hz_program *p, int i, const choice *use, int n, const hz_step *s, int repeats, hz_trial *out)
{
    hz_program one[HZ_TRIALS];
    node of[HZ_TRIALS];
    hz_status status = HZ_OK;
    int begun = 0;
    while (begun < n && !status) {
        status = trial_begin(p, i, use[begun], &one[begun], &of[begun]);
        begun++;
    }
    if (!status)
        status = race(one, n, s, repeats < HZ_REPEATS ? repeats : HZ_REPEATS, out);
    while (begun > 0)
        trial_end(&one[--begun]);
    return status;
}

int program_trials(const hz_program *p, int i, const hz_step *s, int repeats, hz_trial out[HZ_TRIALS])
{
    choice use[HZ_TRIALS];
    int n = choice_list(&p->nodes[i].work, p->micro, use);
    n = n < 0 ? 1 : n;
    for (int k = 0; k < n; k++) {
        choice_label(use[k], out[k].kernel);
        out[k].ms = 0;
    }
    return repeats < 1 || n < 2 || !try(p, i, use, n, s, repeats, out) ? n : -1;
}

/* Where memory fails the node keeps the kernel that it had. */
static hz_status change(hz_program *p, node *n, choice use)
{
    node fresh = { .work = n->work }, old = *n;
    hz_status status = program_prepare(p, &fresh, use);
    if (status)
        return status;
    *n = fresh;
    status = program_place_copies(p);
    status = status ? status : program_reserve(p);
    if (status) {
        *n = old;
        program_place_copies(p);         /* what there is; it may have moved */
        old = fresh;
    }
    hz_free(old.memory, old.bytes);
    return status;
}

hz_status program_use(hz_program *p, int i, const char *kernel)
{
    choice use[HZ_TRIALS];
    node *n = &p->nodes[i];
    int found = choice_list(&n->work, p->micro, use);
    for (int k = 0; k < found; k++) {
        char label[KERNEL_LABEL];
        choice_label(use[k], label);
        if (!strcmp(label, kernel))
            return change(p, n, use[k]);
    }
    if (found < 0)
        return HZ_OK;                    /* HZ_KERNEL stands above it */
    return hz_fail(HZ_EARG, "cpu: kernel '%s' does not run '%s' here (%s); it runs by '%s'", kernel,
                   n->work.name ? n->work.name : "?", p->micro->isa, n->label);
}

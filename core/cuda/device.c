/* device.c: the one symbol of libhz_cuda.so and libhz_emu.so, and the backend it offers. */
#include "cuda/dnn/ready.h"
#include "cuda/head.h"
#include "cuda/program.h"
#include <stdio.h>
#include <stdlib.h>

const hz_core *cuda_core;

/* The type of its floats where all are one, or those of activations beside parameters of f32. */
static int fits(const hz_arg *a, int activations, int others)
{
    int dtype = a->dtype;
    if (!a->data || (dtype != HZ_F32 && dtype != HZ_F64 && dtype != HZ_BF16))
        return 1;
    return dtype == (a->kind == HZ_ACTIVATION ? activations : others);
}

static int all_fit(const hz_work *w, int activations, int others)
{
    int first = w->op == OP_input ? 1 : 0, ok = 1;    /* data may have a type of their own */
    for (int i = first; i < w->nin; i++)
        ok &= fits(&w->in[i], activations, others);
    for (int i = 0; i < w->nout; i++)
        ok &= fits(&w->out[i], activations, others);
    return ok;
}

int cuda_storage(const hz_work *w)
{
    return all_fit(w, HZ_F32, HZ_F32) ? HZ_F32 : all_fit(w, HZ_BF16, HZ_F32) ? HZ_BF16
           : all_fit(w, HZ_F64, HZ_F64) ? HZ_F64 : -1;
}

int cuda_plain_accepts(const hz_work *w) { return !w->tails && !w->head.op && cuda_storage(w) >= 0; }

static const hz_memory memory = {
    .size = sizeof memory, .name = "card", .alloc = runtime_alloc, .free = runtime_free, .copy_in = runtime_copy_in,
    .copy_out = runtime_copy_out, .fill = runtime_fill, .synchronise = runtime_synchronise,
};

static const char *describe(void)
{
    static char text[800];
    const char *dnn = dnn_describe();
    snprintf(text, sizeof text, "%s: %s%s%s", runtime_name, runtime_describe(), *dnn ? ", " : "", dnn);
    return text;
}

static hz_backend backend = {
    .size = sizeof backend, .memory = &memory, .describe = describe, .accepts = program_accepts,
    .program_new = program_new, .program_free = program_free, .run = program_run, .gate = program_gate,
    .stat = program_stat, .room = runtime_room, .together = head_last,
};

/* Without cuDNN a card is slow enough that who did not ask for that is better told. */
static int wants_cudnn(void)
{
    const char *file = getenv("HZ_CUDNN");
    return !file || strcmp(file, "none");
}

static const hz_backend *open(const char *id, const hz_core *core, const char *which)
{
    static char opened[16];
    cuda_core = core;
    which = *which ? which : "0";
    if (core->size != sizeof *core || strcmp(id, "hz.backend/0")) {
        core->fail(HZ_EDEVICE, "%s: '%s' was asked for; has hz.backend/0", runtime_name, id);
        return NULL;
    }
    if (backend.name && strcmp(opened, which)) {
        core->fail(HZ_EDEVICE, "%s: number %s was asked for; this process is at work on number %s, and has one device",
                   runtime_name, which, opened);
        return NULL;
    }
    if (!backend.name && (runtime_open(which) || (wants_cudnn() && !dnn_wanted())))
        return NULL;
    snprintf(opened, sizeof opened, "%s", which);
    backend.name = runtime_name;
    return &backend;
}

#pragma GCC visibility push(default)
extern const hz_device hz_device_main;
#pragma GCC visibility pop
const hz_device hz_device_main = {
    .size = sizeof(hz_device), .open = open, .draft = HZ_BACKEND_DRAFT, .build =
#include "commit.inc"
};

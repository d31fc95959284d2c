/* device.c: devices in shared objects for the tests, compiled once per DEVICE_name into libhz_name.so: one that
   opens, and one for each way to be refused. What opens accepts every node, runs sgd over f32 and nothing else, and
   describes itself by the bytes that were copied so far: "tin: 40 in, 8 out". */
#include "hz/backend.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
#define OP(name, ...) OP_##name,
#include "hz/op.def"
#undef OP
};

struct hz_program {
    hz_work *works;
};

static char text[64], name[32] = "tin";
static size_t bytes_in, bytes_out;
static hz_status (*fail)(hz_status, const char *, ...);

static const char *describe(void)
{
    snprintf(text, sizeof text, "%s: %zu in, %zu out", name, bytes_in, bytes_out);
    return text;
}

static void *get(size_t bytes) { return malloc(bytes ? bytes : 1); }
static void give_back(void *p, size_t bytes) { free(p); }
static hz_status synchronise(uint64_t mark) { return HZ_OK; }

static hz_status copy_in(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    bytes_in += bytes;
    return HZ_OK;
}

static hz_status copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    *mark = 0;
    memcpy(to, from, bytes);
    bytes_out += bytes;
    return HZ_OK;
}

static hz_status fill(void *to, int byte, size_t bytes)
{
    memset(to, byte, bytes);
    return HZ_OK;
}

static const hz_memory memory = {
    .size = sizeof memory, .name = "tin", .alloc = get, .free = give_back, .copy_in = copy_in, .copy_out = copy_out,
    .fill = fill, .synchronise = synchronise,
};

static int accepts(const hz_work *w) { return 1; }

static hz_program *program_new(const hz_work *works, int count, int train)
{
    hz_program *p = malloc(sizeof *p);
    if (!p || !(p->works = malloc((size_t)(count + 1) * sizeof *works))) {
        free(p);
        fail(HZ_EMEM, "tin: no memory for a program");
        return NULL;
    }
    memcpy(p->works, works, (size_t)count * sizeof *works);
    return p;
}

static void program_free(hz_program *p)
{
    free(p->works);
    free(p);
}

static hz_status run(hz_program *p, int from, int to, const hz_step *s, int timed)
{
    for (int i = from; i < to; i++) {
        const hz_work *w = &p->works[i];
        for (int64_t e = 0; w->op == OP_sgd && e < w->in[0].shape[0]; e++)
            ((float *)w->in[0].data)[e] -= s->rate * ((const float *)w->in[1].data)[e];
    }
    return HZ_OK;
}

static void gate(hz_program *p, int from, const hz_arg *number) {}

static hz_status stat(const hz_program *p, int i, hz_node_stat *out)
{
    *out = (hz_node_stat){ .kernel = "tin" };
    return HZ_OK;
}

static const hz_backend backend = {
#ifdef DEVICE_short
    .size = sizeof backend - 8,
#else
    .size = sizeof backend,
#endif
    .name = "tin", .memory = &memory, .describe = describe, .accepts = accepts, .program_new = program_new,
    .program_free = program_free, .run = run, .gate = gate, .stat = stat,
};

static const hz_backend *open(const char *id, const hz_core *core, const char *which)
{
    fail = core->fail;
#ifdef DEVICE_refuses
    fail(HZ_EDEVICE, "refuses: there is no such card; needs one");
    return NULL;
#endif
    if (strcmp(id, "hz.backend/0")) {
        fail(HZ_EDEVICE, "tin: '%s' was asked for; has hz.backend/0", id);
        return NULL;
    }
    snprintf(name, sizeof name, "tin%s%s", *which ? " number " : "", which);
    return &backend;
}

#ifndef DEVICE_bare
#pragma GCC visibility push(default)
extern const hz_device hz_device_main;
#pragma GCC visibility pop
const hz_device hz_device_main = {
    .size = sizeof(hz_device), .open = open,
#ifdef DEVICE_draft
    .draft = HZ_BACKEND_DRAFT + 7,
#else
    .draft = HZ_BACKEND_DRAFT,
#endif
#ifdef DEVICE_other
    .build = "0123456789ab",
#else
    .build =
#include "commit.inc"
#endif
};
#else
const void *nothing = open;
#endif

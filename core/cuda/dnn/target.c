/* target.c: the card that plans are made for. cuDNN gives and takes its properties as JSON; a plan as text is refused
   by a card with another compute capability, number of multiprocessors, driver or reserved shared memory, and by
   another cuDNN, so these make the name; clocks, caches and the size of memory do not matter to it. */
#include "cuda/dnn/dnn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The integer of a member of a flat JSON object; -1 if it has none. */
static long member(const char *json, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(json, quoted);
    return at ? strtol(at + strlen(quoted), NULL, 10) : -1;
}

static hz_status name_target(dnn_target *t, const char *json)
{
    long cc = member(json, "deviceVer"), count = member(json, "multiProcessorCount");
    long driver = member(json, "driverVer"), reserved = member(json, "reservedSharedMemoryPerBlock");
    if (cc < 0 || count < 0 || driver < 0 || reserved < 0)
        return cuda_core->fail(HZ_EFORMAT, "cudnn: properties of a card without deviceVer, multiProcessorCount, "
                               "driverVer or reservedSharedMemoryPerBlock; needs them all");
    snprintf(t->name, sizeof t->name, "sm%ld-%ld-%ld-%ld-cudnn%zu", cc / 10, count, driver, reserved,
             dnn.cudnnGetVersion());
    return HZ_OK;
}

/* What cuDNN says of the handle's card. */
static hz_status ask(dnn_target *t)
{
    size_t bytes;
    dnn_scope s = { 0 };
    dnn_descriptor d = dnn_make(&s, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    dnn_set(&s, d, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1, &t->handle);
    dnn_finish(&s, d, "asking for the card's properties");
    char *json = dnn_text(&s, d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, &bytes);
    hz_status status = json ? name_target(t, json) : s.status;
    free(json);
    dnn_end(&s);
    return status;
}

hz_status dnn_target_here(dnn_target *t)
{
    memset(t, 0, sizeof *t);
    hz_status status = dnn_load();
    if (!status)
        status = dnn_check(dnn.cudnnCreate(&t->handle), "beginning");
    if (!status)
        status = ask(t);
    if (status)
        dnn_target_end(t);
    return status;
}

hz_status dnn_target_described(dnn_target *t, const char *properties)
{
    memset(t, 0, sizeof *t);
    size_t bytes = strlen(properties);
    while (bytes > 0 && properties[bytes - 1] == '\n')
        bytes--;
    hz_status status = dnn_load();
    if (!status)
        status = name_target(t, properties);
    if (status)
        return status;
    dnn_scope *s = &t->scope;
    t->properties = dnn_make(s, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    dnn_set(s, t->properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)bytes, properties);
    dnn_finish(s, t->properties, "reading a card's properties");
    status = s->status;
    if (status)
        dnn_target_end(t);
    return status;
}

void dnn_target_end(dnn_target *t)
{
    if (t->handle)
        dnn.cudnnDestroy(t->handle);
    if (t->properties)
        dnn_end(&t->scope);
    memset(t, 0, sizeof *t);
}

/* graph.c: descriptors of cuDNN's graph API. A scope remembers the first failure, so what is built of many descriptors
   is written without a check at each. */
#include "cuda/dnn/dnn.h"
#include <stdlib.h>

static void note(dnn_scope *s, cudnnStatus_t answer, const char *doing)
{
    if (!s->status)
        s->status = dnn_check(answer, doing);
}

dnn_descriptor dnn_make(dnn_scope *s, cudnnBackendDescriptorType_t type)
{
    dnn_descriptor d = NULL;
    if (s->status)
        return NULL;
    if (s->count == DNN_MADE) {
        s->status = cuda_core->fail(HZ_EDEVICE, "cudnn: more than %d descriptors at once", DNN_MADE);
        return NULL;
    }
    note(s, dnn.cudnnBackendCreateDescriptor(type, &d), "making a descriptor");
    if (d)
        s->made[s->count++] = d;
    return d;
}

void dnn_set(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
             int64_t count, const void *values)
{
    if (!s->status)
        note(s, dnn.cudnnBackendSetAttribute(d, name, type, count, values), "setting an attribute");
}

void dnn_set_int(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, int64_t value)
{
    dnn_set(s, d, name, CUDNN_TYPE_INT64, 1, &value);
}

void dnn_set_descriptor(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, dnn_descriptor value)
{
    dnn_set(s, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

void dnn_finish(dnn_scope *s, dnn_descriptor d, const char *what)
{
    if (!s->status)
        note(s, dnn.cudnnBackendFinalize(d), what);
}

void dnn_end(dnn_scope *s)
{
    while (s->count > 0)
        dnn.cudnnBackendDestroyDescriptor(s->made[--s->count]);
    s->status = HZ_OK;
}

char *dnn_text(dnn_scope *s, dnn_descriptor d, cudnnBackendAttributeName_t name, size_t *bytes)
{
    int64_t room = 0, got = 0;
    if (s->status)
        return NULL;
    note(s, dnn.cudnnBackendGetAttribute(d, name, CUDNN_TYPE_CHAR, 0, &room, NULL), "asking for a text");
    char *text = s->status ? NULL : calloc(1, (size_t)room + 1);
    if (!s->status && !text)
        s->status = cuda_core->fail(HZ_EMEM, "cudnn: no memory for a text of %lld bytes", (long long)room);
    if (s->status)
        return NULL;
    note(s, dnn.cudnnBackendGetAttribute(d, name, CUDNN_TYPE_CHAR, room, &got, text), "asking for a text");
    if (s->status) {
        free(text);
        return NULL;
    }
    while (got > 0 && !text[got - 1])
        got--;
    *bytes = (size_t)got;
    return text;
}

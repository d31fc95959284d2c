/* load.c: cuDNN, opened by name at run time, so that nothing of hz needs it. Functions are checked against cuDNN's
   own declarations by the compiler. */
#define _GNU_SOURCE
#include "cuda/dnn/dnn.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

dnn_library dnn;

static const struct { const char *name; void **at; } functions[] = {
#define X(f) { #f, (void **)&dnn.f },
    DNN_FUNCTIONS(X)
#undef X
};

static const char *file_name(void)
{
    const char *given = getenv("HZ_CUDNN");
    return given && *given ? given : "libcudnn.so.9";
}

/* What is wrong with an opened library, into `why`; 0: nothing. */
static int find_fault(void *library, char *why, size_t room)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        *functions[i].at = dlsym(library, functions[i].name);
        if (!*functions[i].at)
            return snprintf(why, room, "'%s' lacks %s; needs cuDNN 9.8 or later", file_name(), functions[i].name);
    }
    size_t version = dnn.cudnnGetVersion();
    return version < DNN_OLDEST ? snprintf(why, room, "'%s' is version %zu; needs %d or later", file_name(), version,
                                           DNN_OLDEST) : 0;
}

static char why[512];                    /* there is no library */

hz_status dnn_load(void)
{
    static void *library;
    if (library)
        return HZ_OK;
    void *opened = dlopen(file_name(), RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        snprintf(why, sizeof why, "%s", dlerror());
    else if (find_fault(opened, why, sizeof why))
        dlclose(opened);
    else
        library = opened;
    return library ? HZ_OK : cuda_core->fail(HZ_EDEVICE, "cudnn: %s", why);
}

const char *dnn_describe(void)
{
    static char text[600];
    if (dnn_load())
        snprintf(text, sizeof text, "no cuDNN (%s), so its convolutions are slow", why);
    else
        snprintf(text, sizeof text, "cuDNN %zu", dnn.cudnnGetVersion());
    return text;
}

hz_status dnn_check(cudnnStatus_t answer, const char *doing)
{
    char reason[512] = "";
    if (answer == CUDNN_STATUS_SUCCESS)
        return HZ_OK;
    dnn.cudnnGetLastErrorString(reason, sizeof reason);
    return cuda_core->fail(HZ_EDEVICE, "cudnn: %s: %s (%s)", doing, dnn.cudnnGetErrorString(answer), reason);
}

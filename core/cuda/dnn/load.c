/* load.c: cuDNN, opened by name at run time, so that nothing of hz needs it. Functions are checked against cuDNN's
   own declarations by the compiler. */
#define _GNU_SOURCE
#include "cuda/dnn/dnn.h"
#include <dlfcn.h>
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

static hz_status find_functions(void *library)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        *functions[i].at = dlsym(library, functions[i].name);
        if (!*functions[i].at)
            return cuda_core->fail(HZ_EDEVICE, "cudnn: '%s' lacks %s; needs cuDNN 9.8 or later", file_name(),
                                   functions[i].name);
    }
    size_t version = dnn.cudnnGetVersion();
    if (version < DNN_OLDEST)
        return cuda_core->fail(HZ_EDEVICE, "cudnn: '%s' is version %zu; needs %d or later", file_name(), version,
                               DNN_OLDEST);
    return HZ_OK;
}

hz_status dnn_load(void)
{
    static void *library;
    if (library)
        return HZ_OK;
    void *opened = dlopen(file_name(), RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        return cuda_core->fail(HZ_EDEVICE, "cudnn: %s; convolutions run by plain kernels", dlerror());
    hz_status status = find_functions(opened);
    if (status)
        dlclose(opened);
    else
        library = opened;
    return status;
}

hz_status dnn_check(cudnnStatus_t answer, const char *doing)
{
    char reason[512] = "";
    if (answer == CUDNN_STATUS_SUCCESS)
        return HZ_OK;
    dnn.cudnnGetLastErrorString(reason, sizeof reason);
    return cuda_core->fail(HZ_EDEVICE, "cudnn: %s: %s (%s)", doing, dnn.cudnnGetErrorString(answer), reason);
}

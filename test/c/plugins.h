/* plugins.h: the plugins that were built beside a C test: the real ones and those of the tests. */
#ifndef PLUGINS_H
#define PLUGINS_H
#include "hz/codec.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder BUILD of the running program BUILD/test/NAME. */
static inline const char *build_folder(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    for (int i = 0; i < 2; i++)
        if (strrchr(path, '/'))
            *strrchr(path, '/') = 0;
    return path;
}

/* Loads BUILD/plugins, BUILD/test/plugins and then the folders of `more` ("" or ":folder:folder"). */
static inline hz_status load_plugins(const char *more)
{
    char folders[16000];
    snprintf(folders, sizeof folders, "%s/plugins:%s/test/plugins%s", build_folder(), build_folder(), more);
    return hz_plugin_load(folders);
}
#endif

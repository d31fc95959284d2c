/* plugins.h: the plugins that were built beside a C test: the real ones and those of the tests. */
#ifndef PLUGINS_H
#define PLUGINS_H
#include "hz/codec.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
    return hz_plugin_load(folders, 0);
}
/* Debian's libjxl 0.7 prints what it thinks of a broken stream, by itself: a case that feeds it some is a process
   of its own, which may be mute. Sanitizers stay heard. */
static inline void mute_jxl(const char *codec)
{
    int nothing = !strcmp(codec, "jxl") && !getenv("HZ_SANITIZER") ? open("/dev/null", O_WRONLY) : -1;
    if (nothing >= 0)
        dup2(nothing, STDERR_FILENO);
}
#endif

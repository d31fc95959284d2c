/* backend.c: the registry of devices. Those of every build are rows; others are shared objects, libhz_NAME.so, each of
   one build of hz, opened when first asked for. What is opened stays, under the name by which it was asked for. */
#define _GNU_SOURCE
#include "device/device.h"
#include "hz/cpu.h"
#include "shared.h"
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* counted: "NAME:WHICH" is known, too, and the same */
static const struct { const char *name; const hz_backend *(*open)(void); int counted; } rows[] = {
    { "cpu", hz_cpu_backend, 0 },
    { "null", null_backend, 0 },
    { "far", far_backend, 1 },
};
enum { ROWS = sizeof rows / sizeof *rows, OPENED = 32, FOUND = 32, NAME = 32, PATHS = 2 * PATH_MAX };

static struct { char name[NAME]; const hz_backend *backend; } opened[OPENED];
static int nopened;
static const hz_core core = {
    .size = sizeof core, .fail = hz_fail, .message = hz_message, .epilogue = hz_epilogue,
    .op_name = hz_op_name, .flops = hz_work_flops,
};

/* ---- where shared objects lie ---- */

/* HZ_BACKEND_PATH, then the folder of libhz.so, separated by ':'. */
static void list_folders(char out[PATHS])
{
    const char *path = getenv("HZ_BACKEND_PATH");
    char own[PATH_MAX] = "";
    Dl_info info;
    if (dladdr(&core, &info) && realpath(info.dli_fname, own) && strrchr(own, '/'))
        *strrchr(own, '/') = 0;
    snprintf(out, PATHS, "%s:%s", path ? path : "", own);
}

static int is_name(const char *s, size_t n)
{
    return n > 0 && n < NAME && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* "NAME" of a file libhz_NAME.so. 0 if it is none. */
static int name_of(const char *file, char name[NAME])
{
    char end[4] = "";
    return sscanf(file, "libhz_%31[a-z0-9_]%3s", name, end) == 2 && !strcmp(end, ".so") && is_name(name, strlen(name));
}

static void add_found(char found[FOUND][NAME], int *n, const char *name)
{
    for (int i = 0; i < *n; i++)
        if (!strcmp(found[i], name))
            return;
    if (*n < FOUND)
        strcpy(found[(*n)++], name);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* Names of the shared objects there are, sorted. */
static int find(char found[FOUND][NAME])
{
    char folders[PATHS], name[NAME], *rest = folders, *folder;
    int n = 0;
    list_folders(folders);
    while ((folder = strsep(&rest, ":"))) {
        DIR *d = *folder ? opendir(folder) : NULL;
        for (struct dirent *e; d && (e = readdir(d)); )
            if (name_of(e->d_name, name))
                add_found(found, &n, name);
        if (d)
            closedir(d);
    }
    qsort(found, (size_t)n, NAME, by_name);
    return n;
}

const char *hz_backend_name(int i)
{
    static char found[FOUND][NAME];
    if (i < ROWS)
        return i < 0 ? NULL : rows[i].name;
    return i - ROWS < find(found) ? found[i - ROWS] : NULL;
}

/* ---- opening them ---- */

#define REBUILD "build both from the same sources"

static hz_status check_device(const char *path, const hz_device *d)
{
    if (!d)
        return hz_fail(HZ_EDEVICE, "device: '%s' exports no hz_device_main; it is no device of hz", path);
    if (d->size != sizeof *d || d->draft != HZ_BACKEND_DRAFT)
        return hz_fail(HZ_EDEVICE, "device: '%s' speaks draft %u with %u bytes; this hz speaks draft %d with %zu: %s",
                       path, d->draft, d->size, HZ_BACKEND_DRAFT, sizeof *d, REBUILD);
    if (!d->build || strcmp(d->build, hz_commit()))
        return hz_fail(HZ_EDEVICE, "device: '%s' was built from %s; this hz from %s: %s", path,
                       d->build ? d->build : "nothing it names", hz_commit(), REBUILD);
    return HZ_OK;
}

static const hz_backend *open_object(const char *path, const char *which)
{
    void *so = shared_open(path);
    if (!so) {
        hz_fail_in(HZ_EDEVICE, "device: '%s' ", path);
        return NULL;
    }
    const hz_device *d = dlsym(so, "hz_device_main");
    const hz_backend *b = check_device(path, d) ? NULL : d->open("hz.backend/0", &core, which);
    if (b && b->size != sizeof *b) {
        hz_fail(HZ_EDEVICE, "device: '%s' offers a backend of %u bytes; needs %zu: %s", path, b->size,
                sizeof *b, REBUILD);
        b = NULL;
    }
    if (!b)
        dlclose(so);
    return b;
}

/* Whether the shared object of device NAME exists: its path. */
static int locate(const char *name, size_t n, char path[PATH_MAX])
{
    char folders[PATHS], *rest = folders, *folder;
    FILE *f = NULL;
    list_folders(folders);
    while (!f && is_name(name, n) && (folder = strsep(&rest, ":")))
        if (*folder && snprintf(path, PATH_MAX, "%s/libhz_%.*s.so", folder, (int)n, name) < PATH_MAX)
            f = fopen(path, "rb");
    return f && !fclose(f);
}

static void refuse(const char *name)
{
    char have[512] = "";
    const char *other;
    for (int i = 0; (other = hz_backend_name(i)); i++) {
        size_t n = strlen(have);
        snprintf(have + n, sizeof have - n, "%s%s", i ? ", " : "", other);
    }
    hz_fail(HZ_EDEVICE, "device: '%s' is not known; have %s", name, have);
}

static const hz_backend *open_named(const char *name)
{
    char path[PATH_MAX];
    size_t n = strcspn(name, ":");
    if (strlen(name) >= NAME || !locate(name, n, path)) {
        refuse(name);
        return NULL;
    }
    if (nopened == OPENED) {
        hz_fail(HZ_EDEVICE, "device: '%s' is one too many; %d are open", name, OPENED);
        return NULL;
    }
    return open_object(path, name[n] ? name + n + 1 : "");
}

const hz_backend *hz_backend_named(const char *name)
{
    size_t n = strcspn(name, ":");
    for (int i = 0; i < ROWS; i++)
        if (!strncmp(rows[i].name, name, n) && !rows[i].name[n] && (!name[n] || rows[i].counted))
            return rows[i].open();
    for (int i = 0; i < nopened; i++)
        if (!strcmp(opened[i].name, name))
            return opened[i].backend;
    const hz_backend *b = open_named(name);
    if (b) {
        strcpy(opened[nopened].name, name);
        opened[nopened++].backend = b;
    }
    return b;
}

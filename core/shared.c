/* shared.c: opens shared objects. The loader of the system maps what a file's headers promise: one cut short would
   end in SIGBUS, so its length is checked first. */
#define _GNU_SOURCE
#include "shared.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static hz_status check_elf(const char *path)
{
    Elf64_Ehdr h;
    struct stat st;
    errno = 0;
    FILE *f = stat(path, &st) || S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;      /* a pipe may never open */
    if (!f && !errno)
        return hz_fail(HZ_EFORMAT, "is no shared object (ELF)");
    if (!f)
        return hz_fail(HZ_EIO, "cannot be read: %s", strerror(errno));
    size_t n = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) ? fread(&h, 1, sizeof h, f) : 0;
    fclose(f);
    if (n != sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG))
        return hz_fail(HZ_EFORMAT, "is no shared object (ELF)");
    uint64_t promised = h.e_shoff + (uint64_t)h.e_shnum * h.e_shentsize;
    if (h.e_ident[EI_CLASS] == ELFCLASS64 && promised > (uint64_t)st.st_size)
        return hz_fail(HZ_EFORMAT, "is cut short: it has %lld bytes, its headers promise %llu", (long long)st.st_size,
                       (unsigned long long)promised);
    return HZ_OK;
}

void *shared_open(const char *path)
{
    if (check_elf(path))
        return NULL;
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        hz_fail(HZ_EFORMAT, "%s", dlerror());
    return so;
}

/* origin.c: what the code of a plugin is, for its fingerprint: built anew under an old version it may make other
   streams. A plugin of this tree names a digest of its sources in a symbol of its own, the same on every machine, empty
   where plugins/sources.txt says that its version tells all (plugins.mk); of any other the file counts. */
#include "codec/door.h"
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file. new: free; NULL with the message set. */
static uint8_t *read_file(const char *path, int64_t *bytes)
{
    FILE *f = fopen(path, "rb");
    long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    uint8_t *data = size > 0 ? malloc((size_t)size) : NULL;
    *bytes = size;
    if (data && !fseek(f, 0, SEEK_SET) && fread(data, 1, (size_t)size, f) == (size_t)size) {
        fclose(f);
        return data;
    }
    hz_fail(HZ_EIO, "its file cannot be read for its digest: %s", errno ? strerror(errno) : "it has changed meanwhile");
    free(data);
    if (f)
        fclose(f);
    return NULL;
}

hz_status origin_of(void *so, const char *path, char origin[ORIGIN])
{
    const char *sources = dlsym(so, "hz_plugin_sources");
    if (sources) {
        snprintf(origin, ORIGIN, "%s%s", *sources ? ", sources " : "", sources);
        return HZ_OK;
    }
    int64_t bytes;
    uint64_t lanes[2];
    uint8_t *data = read_file(path, &bytes);
    if (!data)
        return HZ_EIO;
    bytes_digest(data, bytes, lanes);
    free(data);
    snprintf(origin, ORIGIN, ", file %016" PRIx64 "%016" PRIx64, lanes[0], lanes[1]);
    return HZ_OK;
}

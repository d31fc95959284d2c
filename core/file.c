/* file.c: whole files in memory that grows. */
#include "file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hz_status bytes_reserve(hz_bytes *b, size_t room)
{
    if (room <= b->room)
        return HZ_OK;
    uint8_t *p = realloc(b->data, room);
    if (!p)
        return hz_fail(HZ_EMEM, "%zu bytes were asked for; the system has no more", room);
    b->data = p;
    b->room = room;
    return HZ_OK;
}

static hz_status read_all(FILE *f, hz_bytes *out)
{
    hz_status status = HZ_OK;
    for (out->size = 0; !status && !feof(f);) {
        status = out->size == out->room ? bytes_reserve(out, out->room ? 2 * out->room : 1 << 16) : HZ_OK;
        if (!status)
            out->size += fread(out->data + out->size, 1, out->room - out->size, f);
        if (ferror(f))
            return hz_fail(HZ_EIO, "reading: %s", strerror(errno));
    }
    return status;
}

hz_status file_read(const char *path, hz_bytes *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return hz_fail(HZ_EIO, "opening: %s", strerror(errno));
    setvbuf(f, NULL, _IONBF, 0);
    hz_status status = read_all(f, out);
    fclose(f);
    return status;
}

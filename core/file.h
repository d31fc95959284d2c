/* file.h: whole files in memory that grows; core only. */
#ifndef HZ_CORE_FILE_H
#define HZ_CORE_FILE_H
#include "hz/plugin.h"
#include "hz/base.h"

/* Makes room for so many bytes; Free b->data with free. [any] */
hz_status bytes_reserve(hz_bytes *b, size_t room);
/* All bytes of a file; the message does not name it. [any] */
hz_status file_read(const char *path, hz_bytes *out);
#endif

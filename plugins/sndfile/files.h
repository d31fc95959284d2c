/* files.h: what the files of this plugin share. The library is asked for a few formats only: what else it reads it
   recognises by little, and no data set has it. */
#ifndef SNDFILE_FILES_H
#define SNDFILE_FILES_H
#include "hz/plugin.h"
#include <sndfile.h>

extern const hz_host *sndfile_host;

/* Memory as the file that the library reads or writes. */
typedef struct memory_file {
    const uint8_t *bytes;            /* lent: read from; NULL: written to `out` */
    hz_bytes *out;
    sf_count_t size, at;             /* bytes there are, where the next one is */
    int failed;                      /* no memory for more; the message is set */
} memory_file;

extern SF_VIRTUAL_IO memory_calls;

/* Does a file with these bytes hold all that its own structure promises? Non-zero after host->fail. */
int structure_check(const uint8_t *bytes, size_t count);

int sndfile_write(const hz_media *in, const char *kind, int bits, hz_bytes *out);
#endif

/* flac.h: what the files of the FLAC plugin share. */
#ifndef HZ_PLUGIN_FLAC_H
#define HZ_PLUGIN_FLAC_H
#include "hz/plugin.h"

extern const hz_host *flac_host;

enum { MOST_CHANNELS = 8 };

int flac_encode(int level, const hz_media *in, hz_bytes *out);

int flac_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);
/* Names the parts of a stream; what follows the last frame is container. */
int flac_account(const uint8_t *bytes, size_t count, hz_account *account);

#endif

/* opus.h: what the files of the Opus plugin share. Positions in a stream count frames of 48 kHz whatever the sound's
   rate. */
#ifndef HZ_PLUGIN_OPUS_H
#define HZ_PLUGIN_OPUS_H
#include "ogg.h"

/* Values in the order of the declaration. */
enum { BITRATE, EFFORT, OPTIONS };

/* HEAD: bytes of the first header; HEADERS: packets before the sound. */
enum { HEAD = 19, HEADERS = 2, CLOCK = 48000, MOST_CHANNELS = 2 };

extern const int opus_rates[];       /* rising, ended by 0 */

int opus_codec_encode(const double *options, const hz_media *in, hz_bytes *out);
/* What libopus makes of a sound like this one, beside what the options say: "" if nothing. */
int opus_codec_note(const double *options, const hz_media *like, char *text, size_t room);
int opus_codec_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);

#endif

/* mp3.h: what the files of the MP3 plugin share. */
#ifndef HZ_PLUGIN_MP3_H
#define HZ_PLUGIN_MP3_H
#include "hz/plugin.h"

extern const hz_host *mp3_host;

/* Values in the order of the declaration. */
enum { BITRATE, QUALITY, EFFORT, OPTIONS };

/* Frames at the stream's rate: of LAME's encoder, of every decoder of layer III, and what the encoder puts at least
   behind the last frame, less what the decoder takes of it. */
enum { ENCODER_DELAY = 576, DECODER_DELAY = 529, LEAST_TAIL = 576 - DECODER_DELAY };

/* Fails for a bitrate that the standard does not have. */
int mp3_check(const double *options);
int mp3_encode(const double *options, const hz_media *in, hz_bytes *out);
/* What LAME makes of the options for a sound like this one, beside what they say: "" if nothing. */
int mp3_note(const double *options, const hz_media *like, char *text, size_t room);

/* Names the parts of a stream, which is frames between tags; of a foreign one, what belongs to neither is container.
   NULL for `account`: only looks whether that is so. */
int mp3_account(const uint8_t *p, size_t bytes, hz_account *account, int foreign);

int mp3_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);

#endif

/* avif.h: what the files of the AVIF plugin share. */
#ifndef HZ_PLUGIN_AVIF_H
#define HZ_PLUGIN_AVIF_H
#include "hz/plugin.h"
#include <avif/avif.h>

extern const hz_host *avif_host;

enum { AVIF_MOST_PIXELS = 1 << 26 };             /* of a stream that is decoded */

/* Pixels of the largest frame that a sequence header allows. */
uint64_t avif_frame_pixels(const uint8_t *p, size_t bytes);

/* Names the parts of a stream; with account NULL it only looks whether the stream is whole. Fails for one that is not
   built of whole boxes, holds no coded image, or frames of more pixels. */
int avif_account(const uint8_t *p, size_t bytes, hz_account *account);

/* What the options make of libavif, for the codec and for its plain loop: new, NULL for want of memory, or after a
   failure. */
avifImage *avif_picture(const double *options, const hz_media *in);
avifEncoder *avif_encoder(const double *options);

extern const hz_codec_bench avif_bench;

#endif

/* scale.h: scale.c for resize.c. */
#ifndef SCALE_H
#define SCALE_H
#include <stddef.h>
#include <stdint.h>

enum { SCALE_BOX, SCALE_LANCZOS };   /* as in the declaration of `filter` */

/* Bytes that scale_lines works in. */
size_t scale_room(int filter, int64_t from, int64_t to);
/* Scales `lines` lines of `from` pixels, each behind the other, to `to` pixels each. A pixel is `step` bytes. An image
   is its rows with step = channels; for its columns it is one line, of pixels of width * channels bytes. */
void scale_lines(int filter, const uint8_t *in, int64_t from, int64_t to, int64_t step, int64_t lines, uint8_t *out,
                 void *room);

#endif

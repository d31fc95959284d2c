/* jpeg2000.h: what the files of the JPEG 2000 plugin share. */
#ifndef HZ_PLUGIN_JPEG2000_H
#define HZ_PLUGIN_JPEG2000_H
#include "hz/plugin.h"
#include <openjpeg.h>

extern const hz_host *jpeg2000_host;

enum { MOST_PIXELS = 1 << 26 };

/* Names the parts of a codestream or of a JP2 file; with account NULL it only looks whether it is whole and asks for no
   more pixels, components or tiles than a decoder here takes. */
int jpeg2000_account(const uint8_t *p, size_t bytes, hz_account *account);

/* 1: the stream is a JP2 file, else it may be a codestream. */
int jpeg2000_is_file(const uint8_t *p, size_t bytes);

/* What the options make of OpenJPEG, for the codec and for its plain loop. */
void jpeg2000_set_up(const double *options, const hz_media *in, opj_cparameters_t *p);
opj_image_t *jpeg2000_picture(const hz_media *in);           /* new: opj_image_destroy; NULL for want of memory */

extern const hz_codec_bench jpeg2000_bench;

/* ---- memory as OpenJPEG's streams; new: opj_stream_destroy ---- */

typedef struct sink {
    hz_bytes *out;                   /* lent */
    size_t at;
    int said;                        /* the host's message is set already */
} sink;

typedef struct source {
    const uint8_t *p;                /* lent */
    size_t at, bytes;
} source;

opj_stream_t *stream_to(sink *to);
opj_stream_t *stream_from(source *from);

#endif

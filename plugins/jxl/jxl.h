/* jxl.h: what the files of the JPEG XL plugin share. */
#ifndef HZ_PLUGIN_JXL_H
#define HZ_PLUGIN_JXL_H
#include "hz/plugin.h"
#include <jxl/encode.h>

extern const hz_host *jxl_host;

/* ---- headers of a codestream (ISO/IEC 18181-1), which are made of bits ---- */

typedef struct bits {
    const uint8_t *p;                /* lent */
    size_t at, count;                /* in bits; behind the end are zeros, and at > count */
} bits;

/* What the headers of frames need to know of the picture. */
typedef struct picture {
    uint64_t width, height;
    int xyb, animated, extra;        /* samples are XYB; frames have a duration; channels besides colour */
    int known;                       /* 0: it has what header.c does not read (a profile, a preview, extensions) */
} picture;

typedef struct frame {
    uint64_t sections;               /* entries of the table of contents */
    uint64_t width, height;
    int last, known;                 /* no frame comes after it; as above */
} frame;

uint64_t take(bits *b, int n);                               /* at most 32 bits, the lowest first */
/* One of four numbers: offset[i] and more[i] bits, by 2 bits that say i. */
uint64_t take_choice(bits *b, const uint32_t offset[4], const int more[4]);
uint64_t take_long(bits *b);                                 /* of up to 64 bits, coded as a U64 */
void align(bits *b);                                         /* to the next whole byte */

picture read_picture(bits *b);                               /* from the codestream's signature on */
frame read_frame(bits *b, const picture *of);                /* ends before the table of contents */

enum { JXL_MOST_PIXELS = 1 << 26 };                          /* of a stream that is decoded */

/* Names the parts of a stream, with or without boxes; with account NULL it only looks whether it is whole, and
   asks for no more pixels. */
int jxl_account(const uint8_t *p, size_t bytes, hz_account *account);

/* Tells the encoder, which was reset, all about one picture, by the options; non-zero: it gave up. */
int jxl_begin(JxlEncoder *enc, const double *options, const hz_media *in);

void jxl_quiet(void);                                        /* libjxl prints nothing from now on, if that can be */

extern const hz_codec_bench jxl_bench;

#endif

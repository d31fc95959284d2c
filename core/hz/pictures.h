/* pictures.h: files of pictures as the items of a set: read, decoded, turned, made one size, by many threads. */
#ifndef HZ_PICTURES_H
#define HZ_PICTURES_H
#include "hz/codec.h"
#pragma GCC visibility push(default)

/* How a picture of another shape becomes height x width: scaled so that it covers them and cut at the edges, alike on
   opposite ones; scaled so that it fits into them, with black beside it; scaled each way by itself. NONE: it has to
   have that shape. */
typedef enum hz_fit { HZ_FIT_NONE, HZ_FIT_CROP, HZ_FIT_PAD, HZ_FIT_STRETCH } hz_fit;

enum { HZ_PICTURE_TABLES = 16 };

/* A table segment of a file: its digest against accidents, its length. */
typedef struct hz_picture_table {
    uint64_t digest[2];
    int64_t bytes;
} hz_picture_table;

/* One file, and what came of it. */
typedef struct hz_picture {
    const char *path;                /* lent for the call */
    const char *codec;               /* what reads it: "jpeg"; lent for the call */
    int orientation;                 /* 1 .. 8, how EXIF says that it is turned; 0: as 1 */
    int status;                      /* out: hz_status; with a message unless HZ_OK */
    char message[256];               /* out: without the file's name */
    uint64_t digest[2];              /* out: of the file's bytes, against accidents */
    hz_recoded bytes;                /* out: where they go */
    int tables;                      /* out: table segments; a last one stands for all that there is no room for */
    hz_picture_table table[HZ_PICTURE_TABLES];
} hz_picture;

/* What all of them become: uint8_t (height,width,channels). */
typedef struct hz_picture_form {
    int64_t height, width;
    int channels;                    /* 1, or 3: grey is repeated */
    int fit;                         /* hz_fit */
    int convert;                     /* 1: 16 bits become 8, CMYK becomes RGB (hz_codec_file) */
} hz_picture_form;

/* What scales pictures, "zimg 3.0.4"; NULL with the message set if no such plugin is loaded. Lent for ever. [main] */
const char *hz_resampler(void);

/* Reads n files into items, uint8_t (n,height,width,channels). A file that fails leaves its item undefined and says
   why; the call itself fails for want of memory, for a form that is none, and by a pending signal (HZ_ESTATE). Each
   thread holds one file with its decoded picture. threads: 1 .. 256; 0: one per core that this process may use. The
   result is the same for any thread count. [main] */
hz_status hz_pictures_read(hz_picture *pictures, int64_t n, const hz_picture_form *form, uint8_t *items, int threads);

#pragma GCC visibility pop
#endif

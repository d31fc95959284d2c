/* coder.h: what the files of the PNG plugin share. */
#ifndef HZ_PLUGIN_PNG_H
#define HZ_PLUGIN_PNG_H
#include "hz/plugin.h"
#include <png.h>

extern const hz_host *png_host;

enum { LEVEL, FILTER, STRATEGY, OPTIONS };                   /* values, as declared */
enum { SMALLEST = 6 };                                       /* the choice of `filter` that tries the six others */

/* Tells libpng all that the options decide of a picture, but for where its bytes go. */
void png_set_up(png_structp png, png_infop info, const double *options, const hz_media *in, int filter);

/* Blocks that libpng gave back, for it to take again (pool.c); zeros to begin with. */
enum { POOL = 32 };
typedef struct pool {
    void *block[POOL];
    int count;
} pool;

/* For png_create_write_struct_2 and png_create_read_struct_2, with the pool. */
png_voidp pool_take(png_structp png, png_alloc_size_t size);
void pool_give(png_structp png, png_voidp block);
void pool_empty(pool *p);

extern const hz_codec_bench png_bench;

#endif

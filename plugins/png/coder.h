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

extern const hz_codec_bench png_bench;

#endif

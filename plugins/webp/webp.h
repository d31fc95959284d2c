/* webp.h: what the files of the WebP plugin share. */
#ifndef HZ_PLUGIN_WEBP_H
#define HZ_PLUGIN_WEBP_H
#include "hz/plugin.h"

extern const hz_host *webp_host;

/* Values in the order of the declaration. */
enum { QUALITY, LOSSLESS, METHOD };

/* Names the parts of a stream; with account NULL it only looks whether the stream is whole. Fails for one that is not
   built of whole chunks, or holds none with a picture. */
int webp_account(const uint8_t *p, size_t bytes, hz_account *account);

/* Sets everything that the options decide, once for all pictures; fails where libwebp refuses. */
struct WebPConfig;
int webp_configure(struct WebPConfig *config, const double *options);

extern const hz_codec_bench webp_bench;

#endif

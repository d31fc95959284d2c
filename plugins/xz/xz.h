/* xz.h: what the files of the xz plugin share. */
#ifndef HZ_PLUGIN_XZ_H
#define HZ_PLUGIN_XZ_H
#include "hz/plugin.h"
#include <lzma.h>

extern const hz_host *xz_host;

enum { LEVEL };                      /* values, as declared */

/* One chain of filters for so many bytes: that of the preset, with a dictionary no larger than needed, which saves time
   and memory and no bytes. `options` is what the chain points to. Fails where liblzma has no such preset. */
int xz_chain(lzma_filter chain[2], lzma_options_lzma *options, const double *values, size_t bytes);

/* Codes n bytes to `to`; *size: bytes there are, before and after. */
int xz_code(const double *values, const uint8_t *from, size_t n, uint8_t *to, size_t room, size_t *size);

/* Decodes a stream that must be n bytes in the end. */
int xz_decode(const uint8_t *bytes, size_t count, uint8_t *to, size_t n);

/* Names the parts of one stream of xz; with account NULL it only looks whether it is whole and alone. */
int xz_account(const uint8_t *p, size_t bytes, hz_account *account);

extern const hz_codec_bench xz_bench;

#endif

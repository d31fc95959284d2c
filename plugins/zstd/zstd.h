/* zstd.h: what the files of the zstd plugin share. */
#ifndef HZ_PLUGIN_ZSTD_H
#define HZ_PLUGIN_ZSTD_H
#include "hz/plugin.h"

extern const hz_host *zstd_host;

enum { LEVEL };                      /* values, as declared */

/* Names the parts of one frame of zstd; with account NULL it only looks whether it is whole and alone. */
int zstd_account(const uint8_t *p, size_t bytes, hz_account *account);

extern const hz_codec_bench zstd_bench;

#endif

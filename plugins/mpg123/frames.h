/* frames.h: MPEG audio as a row of frames, without decoding them. */
#ifndef MPG123_FRAMES_H
#define MPG123_FRAMES_H
#include "hz/plugin.h"

extern const hz_host *mpg123_host;

/* Bytes of the ID3v2 tags in front; at most count. */
size_t frames_skip_tags(const uint8_t *bytes, size_t count);
/* 1: at least one frame stands here, and where it ends another, a tag, or the end. */
int frames_begin(const uint8_t *bytes, size_t count);
/* 1: the first frame says how many there are. */
int frames_counted(const uint8_t *bytes, size_t count);
/* Frames up to the end or the tags behind them, without a gap. Non-zero after host->fail: where something else is. */
int frames_check(const uint8_t *bytes, size_t count);
#endif

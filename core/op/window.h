/* window.h: what convolution and pooling share. */
#ifndef OP_WINDOW_H
#define OP_WINDOW_H
#include "graph/graph.h"

/* Refuses what is not an image (N,H,W,C). */
hz_status window_image(const hz_value *x);
/* Shape of what a window sees of x, with `channels` channels. */
hz_status window_slide(const hz_value *x, const hz_window *a, int64_t channels, out_spec *y);
#endif

/* slide.h: a sliding window over an image, shared as source by backends: strides filled in, TensorFlow's padding before
   the first row and column. */
#ifndef SLIDE_H
#define SLIDE_H
#include "hz/backend.h"

typedef struct slide {
    int64_t h, w, oh, ow;     /* of the image and of the output */
    int64_t kh, kw, sh, sw, top, left;
} slide;

static inline slide slide_of(const hz_window *a, const hz_arg *image, const hz_arg *output)
{
    slide v;
    v.h = image->shape[1];
    v.w = image->shape[2];
    v.oh = output->shape[1];
    v.ow = output->shape[2];
    v.kh = a->kh;
    v.kw = a->kw;
    v.sh = a->sh ? a->sh : 1;
    v.sw = a->sw ? a->sw : 1;
    v.top = v.left = 0;
    if (a->pad == HZ_SAME) {
        int64_t high = (v.oh - 1) * v.sh + v.kh - v.h, wide = (v.ow - 1) * v.sw + v.kw - v.w;
        v.top = high > 0 ? high / 2 : 0;         /* an odd row or column more goes to the bottom and right */
        v.left = wide > 0 ? wide / 2 : 0;
    }
    return v;
}
#endif

/* draw.h: numbers for what an embedded data set makes up, one after the other from the counters of one item
   (hz/philox.h); core only. */
#ifndef HZ_CORE_DRAW_H
#define HZ_CORE_DRAW_H
#include "hz/philox.h"

/* Words of one layer of the convention's counters, taken in order. */
typedef struct stream {
    uint64_t seed;
    uint32_t item, layer, block, word[4];
    enum hz_purpose purpose;
    int left;
} stream;

static inline double uniform(stream *r, double lo, double hi)
{
    if (r->left == 0) {
        hz_random4(r->seed, r->block++, r->item, 0, r->layer, r->purpose, r->word);
        r->left = 4;
    }
    return lo + (hi - lo) * (r->word[4 - r->left--] * (1.0 / 4294967296.0));
}

static inline int chance(stream *r, double p) { return uniform(r, 0, 1) < p; }
#endif

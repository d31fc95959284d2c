/* sequence.c: how large the frames of AV1 may be, by a sequence header (AV1 specification, 5.5): a few bytes can ask a
   decoder for gigabytes. */
#include "avif.h"

typedef struct bits { const uint8_t *p; size_t at, count; } bits;    /* in bits; behind the end are zeros */

static unsigned long long take(bits *b, int n)
{
    unsigned long long v = 0;
    for (; n > 0; n--, b->at++)
        v = v << 1 | (b->at < b->count ? b->p[b->at / 8] >> (7 - b->at % 8) & 1u : 0);
    return v;
}

/* A number whose leading zeros say its length (4.10.3); only its bits matter here. */
static void skip_long_number(bits *b)
{
    int zeros = 0;
    while (b->at < b->count && !take(b, 1))
        zeros++;
    if (zeros < 32)
        take(b, zeros);
}

/* Returns the bits of each delay in an operating point, 0: none are told. */
static int skip_timing(bits *b)
{
    int delay = 0;
    if (!take(b, 1))
        return 0;
    take(b, 32);
    take(b, 32);
    if (take(b, 1))
        skip_long_number(b);
    if (take(b, 1)) {
        delay = (int)take(b, 5) + 1;
        take(b, 32);
        take(b, 5 + 5);
    }
    return delay;
}

static void skip_operating_points(bits *b, int delay)
{
    int display = (int)take(b, 1), points = (int)take(b, 5) + 1;
    while (points-- > 0) {
        take(b, 12);
        if (take(b, 5) > 7)
            take(b, 1);
        if (delay && take(b, 1)) {
            take(b, delay);
            take(b, delay);
            take(b, 1);
        }
        if (display && take(b, 1))
            take(b, 4);
    }
}

uint64_t avif_frame_pixels(const uint8_t *p, size_t bytes)
{
    bits b = { .p = p, .count = bytes * 8 };
    take(&b, 3 + 1);                                             /* profile, still picture */
    if (take(&b, 1)) {                                           /* reduced header */
        take(&b, 5);
    } else {
        int delay = skip_timing(&b);
        skip_operating_points(&b, delay);
    }
    int across = (int)take(&b, 4) + 1, down = (int)take(&b, 4) + 1;
    uint64_t width = take(&b, across) + 1;
    return width * (take(&b, down) + 1);
}

/* raw.h: images as raw samples, for coders of bytes: each has this file in its folder. A stream is a PNM file (netpbm's
   P5 and P6) whose samples are coded: its head as it is, "P6\n32 32\n255\n", then what the coder makes of the rest. */
#ifndef HZ_PLUGIN_RAW_H
#define HZ_PLUGIN_RAW_H
#include "hz/plugin.h"
#include <inttypes.h>
#include <stdio.h>

enum { RAW_HEAD = 64, RAW_MOST = 1 << 28 };                  /* bytes a head has at most; samples of an image */

static inline size_t raw_samples(const hz_media *m)
{
    return (size_t)m->height * (size_t)m->width * (size_t)m->channels;
}

/* Its head, with the final 0; gives its bytes. */
static inline size_t raw_head(const hz_media *m, char text[RAW_HEAD])
{
    return (size_t)snprintf(text, RAW_HEAD, "P%d\n%" PRId64 " %" PRId64 "\n255\n", m->channels == 1 ? 5 : 6, m->width,
                            m->height);
}

/* A number of digits that ends with this byte, 0 where there is none; moves *at behind it. */
static inline int64_t raw_number(const uint8_t *p, size_t count, size_t *at, char end)
{
    int64_t v = 0;
    for (; *at < count && p[*at] >= '0' && p[*at] <= '9' && v <= RAW_MOST; ++*at)
        v = 10 * v + p[*at] - '0';
    return *at < count && p[(*at)++] == end ? v : 0;
}

/* Reads a head as raw_head writes it; gives its bytes, 0 where there is none, or none of a size that is taken. */
static inline size_t raw_read_head(const uint8_t *p, size_t count, hz_media *m)
{
    size_t at = 3;
    if (count < 3 || p[0] != 'P' || (p[1] != '5' && p[1] != '6') || p[2] != '\n')
        return 0;
    m->kind = HZ_IMAGE;
    m->channels = p[1] == '5' ? 1 : 3;
    m->width = raw_number(p, count, &at, ' ');
    m->height = raw_number(p, count, &at, '\n');
    if (m->width < 1 || m->height < 1 || raw_number(p, count, &at, '\n') != 255)
        return 0;
    return m->height <= RAW_MOST / m->channels / m->width ? at : 0;
}

#endif

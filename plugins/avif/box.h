/* box.h: boxes of the ISO base media file format (ISO/IEC 14496-12, 4.2), in which AVIF, and files of JPEG XL and
   JPEG 2000, keep their parts: the folder of each has this file. Nothing is read beyond `bytes`. */
#ifndef HZ_PLUGIN_BOX_H
#define HZ_PLUGIN_BOX_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A number of n bytes, the highest first. */
static inline uint64_t box_number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

/* A box with what stands before its content: size, type, and a long size. */
typedef struct box {
    const uint8_t *type;             /* 4 bytes */
    const uint8_t *data;             /* the content, within what was asked */
    size_t head, bytes;              /* before the content, of it */
} box;

/* 1: a whole box begins at p. */
static inline int box_at(const uint8_t *p, size_t bytes, box *b)
{
    if (bytes < 8)
        return 0;
    uint64_t size = box_number(p, 4);
    b->type = p + 4;
    b->head = size == 1 ? 16 : 8;
    if (bytes < b->head)
        return 0;
    if (size < 2)
        size = size ? box_number(p + 8, 8) : bytes;          /* 0: up to the end */
    if (size < b->head || size > bytes)
        return 0;
    b->data = p + b->head;
    b->bytes = (size_t)size - b->head;
    return 1;
}

static inline int box_is(const box *b, const char *type) { return !memcmp(b->type, type, 4); }

/* The first box of this type among those that fill p. */
static inline int box_find(const uint8_t *p, size_t bytes, const char *type, box *b)
{
    for (size_t at = 0; at < bytes && box_at(p + at, bytes - at, b); at += b->head + b->bytes)
        if (box_is(b, type))
            return 1;
    return 0;
}

#endif

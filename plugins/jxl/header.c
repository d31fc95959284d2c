/* header.c: reads the headers of pictures and frames of JPEG XL (ISO/IEC 18181-1, annexes C and F) as far as it takes
   to know where they end, and how many sections follow. Where they have what is not read here, it says so: known is
   0. */
#include "jxl.h"

/* Names that stand in the standard for pairs of offset and bits. */
#define CHOICE(a, an, b, bn, c, cn, d, dn) (const uint32_t[]){ a, b, c, d }, (const int[]){ an, bn, cn, dn }
#define ENUM CHOICE(0, 0, 1, 0, 2, 4, 18, 6)
#define SIDE CHOICE(1, 9, 1, 13, 1, 18, 1, 30)
#define CROP CHOICE(0, 8, 256, 11, 2304, 14, 18688, 30)
#define NAME CHOICE(0, 0, 0, 4, 16, 5, 48, 10)
enum { HALF = 16 };                  /* bits of a number with a fraction */

static void skip(bits *b, int n)
{
    while (n-- > 0)
        take(b, 1);
}

static void skip_name(bits *b) { skip(b, 8 * (int)take_choice(b, NAME)); }

/* ---- the picture ---- */

static void read_size(bits *b, picture *p)
{
    static const int across[] = { 0, 1, 12, 4, 3, 16, 5, 2 }, down[] = { 1, 1, 10, 3, 2, 9, 4, 1 };
    int small = (int)take(b, 1);
    p->height = small ? 8 * (take(b, 5) + 1) : take_choice(b, SIDE);
    int ratio = (int)take(b, 3);
    p->width = ratio ? p->height * (uint64_t)across[ratio] / (uint64_t)down[ratio]
               : small ? 8 * (take(b, 5) + 1) : take_choice(b, SIDE);
}

static void skip_depth(bits *b)
{
    if (take(b, 1)) {
        take_choice(b, CHOICE(32, 0, 16, 0, 24, 0, 1, 6));
        take(b, 4);
    } else {
        take_choice(b, CHOICE(8, 0, 10, 0, 12, 0, 1, 6));
    }
}

static void read_extra_fields(bits *b, picture *p)
{
    picture other;
    take(b, 3);                                                  /* orientation */
    if (take(b, 1))
        read_size(b, &other);
    if (take(b, 1))
        p->known = 0;                                            /* a preview */
    if (take(b, 1))
        p->animated = 1;
}

static void skip_extra_channel(bits *b, picture *p)
{
    enum { ALPHA = 0, SPOT = 2, CFA = 5 };
    if (take(b, 1))
        return;
    int type = (int)take_choice(b, ENUM);
    skip_depth(b);
    take_choice(b, CHOICE(0, 0, 3, 0, 4, 0, 1, 3));
    skip_name(b);
    if (type == ALPHA)
        take(b, 1);
    else if (type == SPOT)
        skip(b, 4 * HALF);
    else if (type == CFA)
        p->known = 0;
}

static void read_colours(bits *b, picture *p)
{
    enum { GREY = 1, XYB = 2, CUSTOM = 2 };
    if (take(b, 1))
        return;
    int profile = (int)take(b, 1), space = (int)take_choice(b, ENUM);
    if (profile) {
        p->known = 0;
        return;
    }
    if (space != XYB && take_choice(b, ENUM) == CUSTOM)
        p->known = 0;
    if (space != XYB && space != GREY && take_choice(b, ENUM) == CUSTOM)
        p->known = 0;
    if (space != XYB) {
        if (take(b, 1))
            take(b, 24);
        else
            take_choice(b, ENUM);
    }
    take_choice(b, ENUM);                                        /* rendering intent */
}

static void read_metadata(bits *b, picture *p)
{
    int more = (int)take(b, 1);
    if (more)
        read_extra_fields(b, p);
    if (!p->known || p->animated)
        return;
    skip_depth(b);
    take(b, 1);
    p->extra = (int)take_choice(b, CHOICE(0, 0, 1, 0, 2, 4, 1, 12));
    for (int i = 0; i < p->extra && b->at <= b->count; i++)
        skip_extra_channel(b, p);
    p->xyb = (int)take(b, 1);
    read_colours(b, p);
    if (more && !take(b, 1))
        skip(b, 3 * HALF + 1);                                   /* tone mapping */
    if (take_long(b))
        p->known = 0;                                            /* extensions */
}

picture read_picture(bits *b)
{
    picture p = { .known = 1, .xyb = 1 };
    take(b, 16);
    read_size(b, &p);
    if (!take(b, 1))
        read_metadata(b, &p);
    if (!p.known || p.animated || !take(b, 1) || b->at > b->count)
        p.known = 0;                                             /* or colour matrices of its own */
    align(b);
    return p;
}

/* ---- a frame ---- */

enum { REGULAR, LF, REFERENCE_ONLY, SKIP_PROGRESSIVE };          /* types of frames */
enum { REPLACE = 0, BLEND = 2, ALPHA_ADD = 3, MULTIPLY = 4, USES_LF_FRAME = 32 };

typedef struct layout {
    uint64_t width, height;
    int type, modular, upsampling, shift, passes, level, partial, blending, last, known;
} layout;

static void read_passes(bits *b, layout *l)
{
    l->passes = (int)take_choice(b, CHOICE(1, 0, 2, 0, 3, 0, 4, 3));
    if (l->passes == 1)
        return;
    int down = (int)take_choice(b, CHOICE(0, 0, 1, 0, 2, 0, 3, 1));
    skip(b, 2 * (l->passes - 1));
    skip(b, 2 * down);
    for (int i = 0; i < down; i++)
        take_choice(b, CHOICE(0, 0, 1, 0, 2, 0, 0, 3));
}

static void read_crop(bits *b, layout *l)
{
    uint64_t x = 0, y = 0, width = l->width, height = l->height;
    if (l->type != REFERENCE_ONLY) {
        x = take_choice(b, CROP);
        y = take_choice(b, CROP);
    }
    l->width = take_choice(b, CROP);
    l->height = take_choice(b, CROP);
    /* offsets are zigzag: even ones are not negative, 2n says n */
    int64_t left = x & 1 ? -(int64_t)((x + 1) / 2) : (int64_t)(x / 2);
    int64_t top = y & 1 ? -(int64_t)((y + 1) / 2) : (int64_t)(y / 2);
    l->partial = left > 0 || top > 0 || left + (int64_t)l->width < (int64_t)width
                 || top + (int64_t)l->height < (int64_t)height;
}

/* Returns the mode. */
static int read_blending(bits *b, const layout *l, int extra)
{
    int mode = (int)take_choice(b, CHOICE(0, 0, 1, 0, 2, 0, 3, 2)), by_alpha = mode == BLEND || mode == ALPHA_ADD;
    if (extra && by_alpha)
        take_choice(b, CHOICE(0, 0, 1, 0, 2, 0, 3, 3));
    if ((extra && by_alpha) || mode == MULTIPLY)
        take(b, 1);
    if (mode != REPLACE || l->partial)
        take(b, 2);
    return mode;
}

static void read_filter(bits *b, layout *l)
{
    if (take(b, 1))
        return;
    if (take(b, 1) && take(b, 1))
        skip(b, 6 * HALF);
    if (take(b, 2)) {
        if (!l->modular && take(b, 1))
            skip(b, 8 * HALF);
        if (take(b, 1))
            skip(b, 3 * HALF + 32);
        if (take(b, 1))
            skip(b, (l->modular ? 3 : 4) * HALF);
        if (l->modular)
            skip(b, HALF);
    }
    if (take_long(b))
        l->known = 0;
}

/* Whether it is the last, and where it is kept. */
static void read_place(bits *b, const picture *of, layout *l)
{
    int shown = l->type == REGULAR || l->type == SKIP_PROGRESSIVE;
    if (l->type != LF && take(b, 1))
        read_crop(b, l);
    if (shown) {
        l->blending = read_blending(b, l, of->extra);
        for (int i = 0; i < of->extra && b->at <= b->count; i++)
            read_blending(b, l, of->extra);
        l->last = (int)take(b, 1);
    }
    if (l->type != LF && !l->last)
        take(b, 2);
    if (l->type == REFERENCE_ONLY || (shown && !l->last && l->blending == REPLACE && !l->partial))
        take(b, 1);
}

static void read_layout(bits *b, const picture *of, layout *l)
{
    l->type = (int)take(b, 2);
    l->modular = (int)take(b, 1);
    int uses_lf = (take_long(b) & USES_LF_FRAME) != 0, ycbcr = !of->xyb && take(b, 1);
    if (ycbcr && !uses_lf)
        take(b, 6);
    if (!uses_lf) {
        l->upsampling = 1 << take(b, 2);
        skip(b, 2 * of->extra);
    }
    if (l->modular)
        l->shift = (int)take(b, 2);
    else if (of->xyb)
        take(b, 6);
    if (l->type != REFERENCE_ONLY)
        read_passes(b, l);
    if (l->type == LF)
        l->level = 1 + (int)take(b, 2);
    l->last = 0;
    read_place(b, of, l);
    skip_name(b);
    read_filter(b, l);
    if (take_long(b))
        l->known = 0;
}

static uint64_t parts(uint64_t n, uint64_t size) { return (n + size - 1) / size; }

/* One section where there is one group and one pass; else one, one for each group of low frequencies, one, and for each
   pass one for each group. */
static uint64_t count_sections(const layout *l)
{
    uint64_t by = (uint64_t)l->upsampling << 3 * l->level, group = 128u << l->shift;
    uint64_t width = parts(l->width, by), height = parts(l->height, by);
    uint64_t groups = parts(width, group) * parts(height, group);
    uint64_t low = parts(width, 8 * group) * parts(height, 8 * group);
    return groups == 1 && l->passes == 1 ? 1 : 2 + low + groups * (uint64_t)l->passes;
}

frame read_frame(bits *b, const picture *of)
{
    layout l = { .width = of->width, .height = of->height, .upsampling = 1, .shift = 1, .passes = 1, .last = 1,
                 .known = 1 };
    if (!take(b, 1))
        read_layout(b, of, &l);
    return (frame){ .sections = count_sections(&l), .width = l.width, .height = l.height, .last = l.last,
                    .known = l.known && b->at <= b->count };
}

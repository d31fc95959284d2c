/* frames.c: the heads of MPEG audio frames (ISO 11172-3, 2.4.1.3; ISO 13818-3), which say where the next one is. The
   library searches for the next head wherever it loses the thread, so it plays damaged and cut files without a word. */
#include "frames.h"
#include <string.h>

#define host mpg123_host

/* kbit/s by [lower sampling rates][layer - 1][index]; 0: free format. */
static const short rates[2][3][15] = {
    { { 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448 },
      { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
      { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 } },
    { { 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256 },
      { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
      { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 } },
};
static const int hertz[3] = { 44100, 48000, 32000 };

typedef struct frame {
    size_t bytes;                    /* 0: free format, which only decoding tells */
    int version, layer, index;       /* 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5; 1 .. 3; of the sampling rate */
} frame;

static int head_of(const uint8_t *p, size_t count, frame *f)
{
    if (count < 4 || p[0] != 0xff || (p[1] & 0xe0) != 0xe0)
        return 0;
    int rate = p[2] >> 4, padding = p[2] >> 1 & 1;
    *f = (frame){ .version = p[1] >> 3 & 3, .layer = 4 - (p[1] >> 1 & 3), .index = p[2] >> 2 & 3 };
    if (f->version == 1 || f->layer == 4 || f->index == 3 || rate == 15)
        return 0;
    int low = f->version != 3, hz = hertz[f->index] >> (f->version == 3 ? 0 : f->version == 2 ? 1 : 2);
    int bits = rates[low][f->layer - 1][rate] * 1000;
    if (f->layer == 1)
        f->bytes = (size_t)(12 * bits / hz + padding) * 4;
    else
        f->bytes = (size_t)((f->layer == 3 && low ? 72 : 144) * bits / hz + padding);
    if (!bits)
        f->bytes = 0;
    return 1;
}

static int alike(const frame *a, const frame *b)
{
    return a->version == b->version && a->layer == b->layer && a->index == b->index;
}

size_t frames_skip_tags(const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    while (count - at >= 10 && !memcmp(bytes + at, "ID3", 3)) {
        const uint8_t *p = bytes + at;
        size_t tag = 10 + ((size_t)(p[6] & 127) << 21 | (size_t)(p[7] & 127) << 14 | (size_t)(p[8] & 127) << 7 |
                           (p[9] & 127));
        tag += p[5] & 16 ? 10 : 0;   /* a foot */
        if (tag > count - at)
            return count;
        at += tag;
    }
    while (at && at < count && !bytes[at])
        at++;                        /* padding that the tag does not count */
    return at;
}

/* What may stand behind the last frame: tags (ID3v1, APE, Lyrics3, ID3v2) or zeros. */
static int is_foot(const uint8_t *p, size_t count)
{
    static const char *const tags[] = { "TAG", "APETAGEX", "LYRICSBEGIN", "ID3" };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (count >= strlen(tags[i]) && !memcmp(p, tags[i], strlen(tags[i])))
            return 1;
    while (count && !*p)
        p++, count--;
    return !count;
}

int frames_begin(const uint8_t *bytes, size_t count)
{
    frame first, next;
    if (!head_of(bytes, count, &first))
        return 0;
    if (!first.bytes || first.bytes >= count)
        return 1;
    bytes += first.bytes;
    count -= first.bytes;
    return (head_of(bytes, count, &next) && alike(&first, &next)) || is_foot(bytes, count);
}

/* Behind head and side information, whose length depends on version and channels, "Xing" or "Info" and flags. */
int frames_counted(const uint8_t *bytes, size_t count)
{
    for (size_t at = 4; at + 8 <= count && at <= 40; at++)
        if (!memcmp(bytes + at, "Xing", 4) || !memcmp(bytes + at, "Info", 4))
            return bytes[at + 7] & 1;
    return 0;
}

int frames_check(const uint8_t *bytes, size_t count)
{
    frame first = { 0 }, f;
    for (size_t at = 0; at < count; at += f.bytes) {
        int is = head_of(bytes + at, count - at, &f);
        if (!is && is_foot(bytes + at, count - at))
            return 0;
        if (!is)
            return host->fail("it is damaged: no frame begins at byte %zu of its %zu", at, count);
        first = at ? first : f;
        if (!alike(&first, &f))
            return host->fail("it is damaged or two files: at byte %zu of its %zu rate or layer change", at, count);
        if (!f.bytes)
            return 0;
        if (f.bytes > count - at)
            return host->fail("it is cut off: its last frame takes %zu bytes, of which %zu are there", f.bytes,
                              count - at);
    }
    return 0;
}

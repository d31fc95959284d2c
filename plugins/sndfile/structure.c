/* structure.c: chunks and pages of files of sound, walked from front to back before the library sees them: it plays
   what is left of a file that was cut, and the first of several streams, without a word. */
#include "files.h"
#include <string.h>

#define host sndfile_host

/* A container of chunks: where the first one stands, the bytes of the id and of the length before each. */
typedef struct layout {
    const char *mark, *samples;      /* first bytes of the file; id of the chunk that holds the samples */
    int big;                         /* lengths are big-endian */
} layout;

static const layout layouts[] = {
    { "RIFF", "data", 0 }, { "RIFX", "data", 1 }, { "RF64", "data", 0 }, { "FORM", "SSND", 1 },
};

static uint32_t number(const uint8_t *p, int big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Programs that write to a pipe leave 0 or the largest number: then the samples go on to the end. */
static int is_known(uint32_t bytes) { return bytes > 0 && bytes < 0x7ffff000u; }

/* RF64 has the true length in its first chunk, ds64: of the file, then of the samples. */
static uint64_t rf64_length(const uint8_t *bytes, size_t count)
{
    return count >= 36 && !memcmp(bytes + 12, "ds64", 4)
               ? number(bytes + 28, 0) | (uint64_t)number(bytes + 32, 0) << 32 : 0;
}

static int check_chunks(const layout *l, const uint8_t *bytes, size_t count)
{
    for (size_t at = 12; at + 8 <= count;) {
        uint32_t length = number(bytes + at + 4, l->big);
        size_t left = count - at - 8;
        if (!memcmp(bytes + at, l->samples, 4)) {
            uint64_t promised = is_known(length) ? length : length == UINT32_MAX ? rf64_length(bytes, count) : 0;
            if (promised > left)
                return host->fail("it is cut off: its samples take %llu bytes, of which %zu are there",
                                  (unsigned long long)promised, left);
            return 0;
        }
        if (length > left)
            break;
        at += 8 + (size_t)length + (length & 1);
    }
    return 0;                        /* no samples: the library says so */
}

/* Sun's and NeXT's: where the samples begin, and their bytes. */
static int check_au(const uint8_t *bytes, size_t count)
{
    uint32_t from = number(bytes + 4, 1), length = number(bytes + 8, 1);
    if (!is_known(length) || (from <= count && length <= count - from))
        return 0;
    return host->fail("it is cut off: its samples take %u bytes from byte %u on, of its %zu", length, from, count);
}

enum { PAGE_HEAD = 27, FIRST = 2, LAST = 4 };      /* bytes; flags */

/* The page's bytes with head and table of lengths; 0 if they are not all there. */
static size_t page_bytes(const uint8_t *p, size_t left)
{
    size_t bytes = PAGE_HEAD;
    if (left < PAGE_HEAD || memcmp(p, "OggS", 4) || left < PAGE_HEAD + (size_t)p[26])
        return 0;
    bytes += p[26];
    for (int i = 0; i < p[26]; i++)
        bytes += p[PAGE_HEAD + i];
    return bytes <= left ? bytes : 0;
}

/* RFC 3533: pages without gaps; of one stream, whose last page says that it is. */
static int check_pages(const uint8_t *bytes, size_t count)
{
    int last = 0;
    for (size_t at = 0, n; at < count; at += n) {
        if (!(n = page_bytes(bytes + at, count - at)))
            return host->fail("it is cut off or damaged: there is no whole Ogg page at byte %zu of %zu", at, count);
        if (memcmp(bytes + at + 14, bytes + 14, 4) || (at && bytes[at + 5] & FIRST))
            return host->fail("it holds two streams, the second from byte %zu on; needs one", at);
        last = bytes[at + 5] & LAST;
    }
    return last ? 0 : host->fail("it is cut off: its last Ogg page is missing");
}

int structure_check(const uint8_t *bytes, size_t count)
{
    if (count >= 4 && !memcmp(bytes, "OggS", 4))
        return check_pages(bytes, count);
    if (count >= 24 && !memcmp(bytes, ".snd", 4))
        return check_au(bytes, count);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (count >= 12 && !memcmp(bytes, layouts[i].mark, 4))
            return check_chunks(&layouts[i], bytes, count);
    return 0;
}

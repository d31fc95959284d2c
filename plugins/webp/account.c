/* account.c: where the bytes of a WebP stream went (RFC 9649): RIFF header and chunk headers, the fixed headers of VP8
   (frame tag, start code, size; sizes of partitions) and of VP8L (signature, size), padding, and chunks without samples
   are container; all other bytes of VP8, VP8L and ALPH are payload. Quantisers, probabilities and code lengths share
   their bits with the samples, a set cannot share them: there are no tables. Believes nothing of what it reads. */
#include "webp.h"
#include <string.h>

enum { RIFF = 12, CHUNK = 8, LOSSY = 10, LOSSLESS_HEAD = 5, ALPHA = 1 };

static size_t le(const uint8_t *p, int bytes)
{
    size_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (size_t)p[i] << 8 * i;
    return v;
}

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? webp_host->part(account, kind, bytes) : 0;
}

/* A chunk's head is container, the rest of it payload. */
static int samples(size_t head, size_t bytes, hz_account *account)
{
    if (bytes < head)
        return webp_host->fail("a chunk of samples has %zu bytes; needs at least %zu", bytes, head);
    return part(account, HZ_CONTAINER, head) || part(account, HZ_PAYLOAD, bytes - head);
}

/* Reads bits as VP8 codes them (RFC 6386, section 7), all of them even: no probability is needed but 1/2. */
typedef struct bools { const uint8_t *at, *end; unsigned value, range; int have; } bools;

static int bit(bools *b)
{
    unsigned split = 1 + (((b->range - 1) * 128) >> 8), wide = split << 8;
    int one = b->value >= wide;
    b->value -= one ? wide : 0;
    b->range = one ? b->range - split : split;
    for (; b->range < 128; b->range <<= 1) {
        b->value <<= 1;
        if (++b->have == 8) {
            b->have = 0;
            b->value |= b->at < b->end ? *b->at++ : 0;
        }
    }
    return one;
}

static void skip(bools *b, int bits)
{
    while (bits-- > 0)
        bit(b);
}

static void skip_if(bools *b, int bits)
{
    if (bit(b))
        skip(b, bits);
}

/* Partitions of tokens that the head of the first partition announces (RFC 6386, section 9.3 to 9.5). */
static int partitions(const uint8_t *p, size_t bytes)
{
    bools b = { .at = p + 2, .end = p + bytes, .range = 255 };
    if (bytes < 2)
        return 1;
    b.value = (unsigned)p[0] << 8 | p[1];
    skip(&b, 2);                                                 /* colour space, clamping */
    if (bit(&b)) {                                               /* segments */
        int map = bit(&b);
        if (bit(&b)) {
            skip(&b, 1);
            for (int i = 0; i < 4; i++)
                skip_if(&b, 8);                                  /* quantisers */
            for (int i = 0; i < 4; i++)
                skip_if(&b, 7);                                  /* filters */
        }
        for (int i = 0; map && i < 3; i++)
            skip_if(&b, 8);
    }
    skip(&b, 1 + 6 + 3);                                         /* the loop filter */
    if (bit(&b) && bit(&b))
        for (int i = 0; i < 8; i++)
            skip_if(&b, 7);
    int log2 = bit(&b) << 1;
    return 1 << (log2 | bit(&b));
}

/* Head, first partition, sizes of all token partitions but the last, these. */
static int lossy(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t first = bytes < LOSSY ? 0 : le(p, 3) >> 5;
    if (bytes < LOSSY || first > bytes - LOSSY)
        return webp_host->fail("the chunk of VP8 has %zu bytes; needs %zu for its first partition", bytes,
                               LOSSY + first);
    size_t left = bytes - LOSSY - first, sizes = 3 * (size_t)(partitions(p + LOSSY, first) - 1);
    if (sizes > left)
        return webp_host->fail("the chunk of VP8 ends within the sizes of its partitions");
    return part(account, HZ_CONTAINER, LOSSY) || part(account, HZ_PAYLOAD, first)
           || part(account, HZ_CONTAINER, sizes) || part(account, HZ_PAYLOAD, left - sizes);
}

/* p: the chunk's head, with `bytes` after it. pictures: how many there were. */
static int name_chunk(const uint8_t *p, size_t bytes, hz_account *account, int *pictures)
{
    int is_lossy = !memcmp(p, "VP8 ", 4), is_lossless = !memcmp(p, "VP8L", 4);
    *pictures += is_lossy + is_lossless;
    if (part(account, HZ_CONTAINER, CHUNK))
        return -1;
    if (is_lossy)
        return lossy(p + CHUNK, bytes, account);
    if (is_lossless || !memcmp(p, "ALPH", 4))
        return samples(is_lossless ? LOSSLESS_HEAD : ALPHA, bytes, account);
    return part(account, HZ_CONTAINER, bytes);
}

int webp_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = RIFF, end = bytes < RIFF ? 0 : CHUNK + le(p + 4, 4);
    int pictures = 0;
    if (bytes < RIFF || memcmp(p, "RIFF", 4) || memcmp(p + 8, "WEBP", 4))
        return webp_host->fail("the stream does not begin as WebP does");
    if (end > bytes)
        return webp_host->fail("the stream has %zu bytes; it says that it needs %zu", bytes, end);
    if (part(account, HZ_CONTAINER, RIFF))
        return -1;
    while (at + CHUNK <= end) {
        size_t size = le(p + at + 4, 4);
        if (size > end - at - CHUNK)
            return webp_host->fail("byte %zu of %zu of the stream begins a chunk of %zu bytes; too many", at, bytes,
                                   size);
        if (name_chunk(p + at, size, account, &pictures))
            return -1;
        at += CHUNK + size;
        size_t padding = size % 2 && at < end;
        if (part(account, HZ_CONTAINER, padding))
            return -1;
        at += padding;
    }
    if (pictures != 1)
        return webp_host->fail("the stream holds %d pictures; needs 1", pictures);
    return part(account, HZ_CONTAINER, bytes - at);
}

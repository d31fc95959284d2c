/* account.c: where the bytes of a stream of xz went (the .xz file format 1.1.0; chunks of LZMA2 as liblzma reads them):
   what is in the chunks of its blocks is payload; heads of stream, blocks and chunks, padding, checks, the index and
   the foot are container. Probabilities adapt: there are no tables. Believes nothing of what it reads. */
#include "xz.h"
#include <string.h>

enum { STREAM = 12, WORD = 4, PLAIN = 3, CODED = 5, PROPERTIES = 0xc0 };

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? xz_host->part(account, kind, bytes) : 0;
}

static int ends_early(size_t at, size_t bytes)
{
    return xz_host->fail("byte %zu of %zu of the stream of xz begins nothing whole; it is damaged or ends early", at,
                         bytes);
}

/* Bytes of a chunk's head and of what it holds: of samples as they are, or coded ones. */
static size_t chunk_at(const uint8_t *p, size_t bytes, size_t *held)
{
    size_t head = p[0] < 0x80 ? PLAIN : CODED + (p[0] >= PROPERTIES);
    if ((p[0] > 2 && p[0] < 0x80) || bytes < head)
        return 0;
    const uint8_t *size = p + (p[0] < 0x80 ? 1 : 3);
    *held = ((size_t)size[0] << 8 | size[1]) + 1;
    return *held <= bytes - head ? head : 0;
}

/* The chunks of a block, up to the byte 0 that ends them; moves `at` there. */
static int name_chunks(const uint8_t *p, size_t bytes, size_t *at, hz_account *account)
{
    size_t held = 0, head;
    while (*at < bytes && p[*at]) {
        if (!(head = chunk_at(p + *at, bytes - *at, &held)))
            return ends_early(*at, bytes);
        if (part(account, HZ_CONTAINER, head) || part(account, HZ_PAYLOAD, held))
            return -1;
        *at += head + held;
    }
    return *at < bytes ? 0 : ends_early(*at, bytes);
}

/* One block with its padding and check; `check`: bytes of it. */
static int name_block(const uint8_t *p, size_t bytes, size_t *at, size_t check, hz_account *account)
{
    size_t head = ((size_t)p[*at] + 1) * WORD, begin = *at;
    if (head > bytes - *at)
        return ends_early(*at, bytes);
    *at += head;
    if (part(account, HZ_CONTAINER, head) || name_chunks(p, bytes, at, account))
        return -1;
    size_t end = 1 + (WORD - (*at + 1 - begin) % WORD) % WORD + check;
    if (end > bytes - *at)
        return ends_early(*at, bytes);
    *at += end;
    return part(account, HZ_CONTAINER, end);
}

int xz_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = STREAM;
    lzma_stream_flags flags;
    if (bytes < 2 * STREAM || lzma_stream_header_decode(&flags, p) != LZMA_OK)
        return xz_host->fail("the stream holds no stream of xz behind its head");
    if (part(account, HZ_CONTAINER, STREAM))
        return -1;
    while (at < bytes && p[at])
        if (name_block(p, bytes, &at, lzma_check_size(flags.check), account))
            return -1;
    if (bytes - at < STREAM + WORD || lzma_stream_footer_decode(&flags, p + bytes - STREAM) != LZMA_OK ||
        flags.backward_size != bytes - STREAM - at)
        return ends_early(at, bytes);
    return part(account, HZ_CONTAINER, bytes - at);
}

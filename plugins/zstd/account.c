/* account.c: where the bytes of a frame of zstd went (RFC 8878, 3.1.1): what is in its blocks is payload; its head, the
   heads of blocks and the checksum are container. Code tables share their bits with the samples, a set cannot share
   them: there are no tables. Believes nothing of what it reads. */
#include "zstd.h"
#include <string.h>

enum { MAGIC = 4, BLOCK = 3, RLE = 1, RESERVED = 3 };

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? zstd_host->part(account, kind, bytes) : 0;
}

/* Bytes of the head of a frame up to its first block (3.1.1.1), 0 where none begins. */
static size_t head_of(const uint8_t *p, size_t bytes)
{
    static const size_t dictionary[] = { 0, 1, 2, 4 }, content[] = { 0, 2, 4, 8 };
    if (bytes <= MAGIC || memcmp(p, "\x28\xb5\x2f\xfd", MAGIC))
        return 0;
    int single = p[MAGIC] >> 5 & 1, size = p[MAGIC] >> 6;
    size_t head = MAGIC + 1 + !single + dictionary[p[MAGIC] & 3] + (size == 0 ? (size_t)single : content[size]);
    return head <= bytes ? head : 0;
}

int zstd_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = head_of(p, bytes);
    int last = 0;
    if (!at)
        return zstd_host->fail("the stream holds no frame of zstd behind its head");
    size_t checksum = p[MAGIC] & 4;
    if (part(account, HZ_CONTAINER, at))
        return -1;
    while (!last) {
        uint32_t head = bytes - at < BLOCK ? RESERVED << 1
                        : p[at] | (uint32_t)p[at + 1] << 8 | (uint32_t)p[at + 2] << 16;
        int kind = head >> 1 & 3;
        size_t size = kind == RLE ? 1 : head >> 3;
        if (kind == RESERVED || size > bytes - at - BLOCK)
            return zstd_host->fail("byte %zu of %zu of the frame begins no whole block", at, bytes);
        if (part(account, HZ_CONTAINER, BLOCK) || part(account, HZ_PAYLOAD, size))
            return -1;
        at += BLOCK + size;
        last = head & 1;
    }
    if (bytes - at != checksum)
        return zstd_host->fail("the frame ends at byte %zu of %zu; needs one frame, whole", at + checksum, bytes);
    return part(account, HZ_CONTAINER, checksum);
}

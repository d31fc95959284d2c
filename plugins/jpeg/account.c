/* account.c: where the bytes of a JPEG stream went (ITU-T T.81, annex B): entropy-coded data is payload; DQT, DHT and
   DAC segments are tables; every other marker and segment is container. */
#include "jpeg.h"
#include <string.h>

enum { TEM = 0x01, DHT = 0xC4, DAC = 0xCC, RST0 = 0xD0, RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DQT = 0xDB };

static int stands_alone(int marker)
{
    return marker == TEM || (marker >= RST0 && marker <= EOI);
}

/* Bytes from p to the next marker; within entropy-coded data FF is followed by 00. */
static size_t entropy_coded(const uint8_t *p, size_t bytes)
{
    const uint8_t *at = p, *end = p + bytes;
    while ((at = memchr(at, 0xFF, (size_t)(end - at)))) {
        if (at + 1 < end && at[1] != 0)
            return (size_t)(at - p);
        at += 2;
        if (at >= end)
            break;
    }
    return bytes;
}

int jpeg_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = 0;
    int scan = 0;                    /* an SOS came: what follows a segment or a restart is entropy-coded */
    while (at + 2 <= bytes && p[at] == 0xFF) {
        int marker = p[at + 1];
        size_t size = 2;
        if (!stands_alone(marker)) {
            size += at + 4 <= bytes ? (size_t)p[at + 2] << 8 | p[at + 3] : 0;
            scan = marker == SOS;
        }
        if (size > bytes - at)
            break;
        if (jpeg_host->part(account, marker == DQT || marker == DHT || marker == DAC ? HZ_TABLES : HZ_CONTAINER, size))
            return -1;
        at += size;
        size = scan ? entropy_coded(p + at, bytes - at) : 0;
        if (jpeg_host->part(account, HZ_PAYLOAD, size))
            return -1;
        at += size;
    }
    return at == bytes ? 0 : jpeg_host->fail("byte %zu of %zu of the stream begins no marker", at, bytes);
}

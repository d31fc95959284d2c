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

/* Bytes at p that begin no marker: up to the next FF that stands before a marker's code. */
static size_t stray(const uint8_t *p, size_t bytes)
{
    const uint8_t *at = p, *end = p + bytes;
    while ((at = memchr(at, 0xFF, (size_t)(end - at)))) {
        if (at + 1 < end && at[1] != 0 && at[1] != 0xFF)
            return (size_t)(at - p);
        at++;
    }
    return bytes;
}

/* The bytes of the marker at p with its segment; 0 where none begins, or one that the stream cuts. */
static size_t segment(const uint8_t *p, size_t bytes)
{
    if (bytes < 2 || p[0] != 0xFF)
        return 0;
    size_t size = stands_alone(p[1]) ? 2 : bytes >= 4 ? 2 + ((size_t)p[2] << 8 | p[3]) : 0;
    return size <= bytes ? size : 0;
}

static int part_of(int marker)
{
    return marker == DQT || marker == DHT || marker == DAC ? HZ_TABLES : HZ_CONTAINER;
}

int jpeg_account(const uint8_t *p, size_t bytes, hz_account *account, int foreign)
{
    size_t at = 0, size;
    int scan = 0, marker = 0;        /* scan: an SOS came: what follows a segment or a restart is entropy-coded */
    while (marker != EOI || !foreign) {
        size_t lost = foreign ? stray(p + at, bytes - at) : 0;
        if (jpeg_host->part(account, HZ_CONTAINER, lost))
            return -1;
        at += lost;
        if (!(size = segment(p + at, bytes - at)))
            break;
        marker = p[at + 1];
        scan = stands_alone(marker) ? scan : marker == SOS;
        if (jpeg_host->part(account, part_of(marker), size))
            return -1;
        at += size;
        size = scan ? entropy_coded(p + at, bytes - at) : 0;
        if (jpeg_host->part(account, HZ_PAYLOAD, size))
            return -1;
        at += size;
    }
    if (foreign)
        return jpeg_host->part(account, HZ_CONTAINER, bytes - at);
    return at == bytes ? 0 : jpeg_host->fail("byte %zu of %zu of the stream begins no marker", at, bytes);
}

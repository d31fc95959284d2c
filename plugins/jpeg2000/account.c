/* account.c: where the bytes of a JPEG 2000 stream went (ITU-T T.800, annexes A and I): what follows SOD in a tile-part
   is payload, and so are packed packet headers (PPM, PPT); coding styles and quantisers (COD, COC, QCD, QCC, RGN, POC)
   are tables; every other marker and segment, and the boxes of a JP2 file, are container. Believes nothing of what it
   reads. */
#include "jpeg2000.h"
#include "box.h"

enum { SOC = 0xFF4F, SIZ = 0xFF51, COD = 0xFF52, COC = 0xFF53, QCD = 0xFF5C, QCC = 0xFF5D, RGN = 0xFF5E, POC = 0xFF5F,
       PPM = 0xFF60, PPT = 0xFF61, SOT = 0xFF90, SOD = 0xFF93, EOC = 0xFFD9 };
enum { MARKER = 2, SIZ_LEAST = 40, SOT_BYTES = 12, MOST_COMPONENTS = 4, MOST_TILES = 4096 };

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? jpeg2000_host->part(account, kind, bytes) : 0;
}

static hz_part part_of(int marker)
{
    return marker == COD || marker == COC || marker == QCD || marker == QCC || marker == RGN || marker == POC
               ? HZ_TABLES : marker == PPM || marker == PPT ? HZ_PAYLOAD : HZ_CONTAINER;
}

static int ends_early(size_t at, size_t bytes)
{
    return jpeg2000_host->fail("byte %zu of %zu of the codestream begins no whole marker segment; it is damaged or "
                               "ends early", at, bytes);
}

static int marker_at(const uint8_t *p, size_t at, size_t bytes)
{
    return bytes - at >= MARKER ? (int)box_number(p + at, 2) : 0;
}

/* Bytes of the marker and its segment; 0 where none begins, or one that is cut. */
static size_t segment(const uint8_t *p, size_t at, size_t bytes)
{
    if (bytes - at < 4 || p[at] != 0xFF || p[at + 1] < 0x4F)
        return 0;
    size_t size = (size_t)box_number(p + at + 2, 2);
    return size >= 2 && size + MARKER <= bytes - at ? size + MARKER : 0;
}

/* The size of the picture, its tiles, its components (A.5.1). */
static int check_size(const uint8_t *p, size_t bytes)
{
    if (bytes < SIZ_LEAST)
        return jpeg2000_host->fail("the segment SIZ has %zu bytes; needs at least %d", bytes, SIZ_LEAST);
    uint64_t right = box_number(p + 6, 4), bottom = box_number(p + 10, 4), left = box_number(p + 14, 4);
    uint64_t top = box_number(p + 18, 4), across = box_number(p + 22, 4), down = box_number(p + 26, 4);
    int components = (int)box_number(p + 38, 2);
    if (right <= left || bottom <= top || (right - left) * (bottom - top) > MOST_PIXELS)
        return jpeg2000_host->fail("the stream says %lld x %lld; needs at most %d pixels", (long long)(bottom - top),
                                   (long long)(right - left), MOST_PIXELS);
    if (!across || !down || (right / across + 1) * (bottom / down + 1) > MOST_TILES)
        return jpeg2000_host->fail("the stream has more than %d tiles", MOST_TILES);
    if (components < 1 || components > MOST_COMPONENTS)
        return jpeg2000_host->fail("the stream has %d components; needs 1 (grey) or 3 (colour)", components);
    return 0;
}

/* Segments up to a marker that is none of them; moves `at` there. */
static int name_header(const uint8_t *p, size_t *at, size_t bytes, int until, hz_account *account)
{
    int marker;
    while ((marker = marker_at(p, *at, bytes)) != until) {
        size_t size = segment(p, *at, bytes);
        if (!size || marker == SOT || marker == SOD || marker == EOC)
            return ends_early(*at, bytes);
        if ((marker == SIZ && check_size(p + *at, size)) || part(account, part_of(marker), size))
            return -1;
        *at += size;
    }
    return 0;
}

/* One tile-part, from its SOT on. */
static int name_tile_part(const uint8_t *p, size_t *at, size_t bytes, hz_account *account)
{
    if (segment(p, *at, bytes) != SOT_BYTES)
        return ends_early(*at, bytes);
    uint64_t size = box_number(p + *at + 6, 4);
    size_t end = size ? *at + (size_t)size : bytes - MARKER, from = *at;
    if (end > bytes || end < from + SOT_BYTES + MARKER)
        return jpeg2000_host->fail("a tile-part at byte %zu of %zu says that it has %llu bytes", from, bytes,
                                   (unsigned long long)size);
    *at += SOT_BYTES;
    if (part(account, HZ_CONTAINER, SOT_BYTES) || name_header(p, at, end, SOD, account)
        || part(account, HZ_CONTAINER, MARKER) || part(account, HZ_PAYLOAD, end - *at - MARKER))
        return -1;
    *at = end;
    return 0;
}

static int name_codestream(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = MARKER;
    if (marker_at(p, 0, bytes) != SOC || marker_at(p, at, bytes) != SIZ)
        return jpeg2000_host->fail("the stream does not begin as JPEG 2000 does");
    if (part(account, HZ_CONTAINER, MARKER) || name_header(p, &at, bytes, SOT, account))
        return -1;
    while (marker_at(p, at, bytes) == SOT)
        if (name_tile_part(p, &at, bytes, account))
            return -1;
    if (marker_at(p, at, bytes) != EOC)
        return ends_early(at, bytes);
    return part(account, HZ_CONTAINER, bytes - at);
}

int jpeg2000_is_file(const uint8_t *p, size_t bytes)
{
    box b;
    return box_at(p, bytes, &b) && box_is(&b, "jP  ");
}

int jpeg2000_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    int pictures = 0;
    box b;
    if (!jpeg2000_is_file(p, bytes))
        return name_codestream(p, bytes, account);
    for (size_t at = 0; at < bytes; at += b.head + b.bytes) {
        if (!box_at(p + at, bytes - at, &b))
            return jpeg2000_host->fail("byte %zu of %zu of the stream begins no whole box", at, bytes);
        int coded = box_is(&b, "jp2c");
        pictures += coded;
        if (part(account, HZ_CONTAINER, b.head)
            || (coded ? name_codestream(b.data, b.bytes, account) : part(account, HZ_CONTAINER, b.bytes)))
            return -1;
    }
    return pictures == 1 ? 0 : jpeg2000_host->fail("the stream holds %d pictures; needs 1", pictures);
}

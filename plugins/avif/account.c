/* account.c: where the bytes of an AVIF stream went (ISO/IEC 23008-12; AV1 in HEIF). The items of type av01, where the
   box iloc says that they lie, are AV1's units: what is in frames and tiles is payload; heads of units, sequence
   headers and metadata are container, and so is every box. Quantisers and probabilities share their bits with the
   samples: there are no tables. Believes nothing of what it reads. */
#include "avif.h"
#include "box.h"

enum { MOST_PIECES = 256, MOST_ITEMS = 256 };

typedef struct piece { uint64_t offset, bytes; } piece;

/* What the box meta says. */
typedef struct map {
    uint64_t coded[MOST_ITEMS];      /* numbers of the items that are AV1 */
    piece pieces[MOST_PIECES];       /* of them, by rising offset */
    int items, count;
} map;

/* ---- reading numbers of a box one after the other ---- */

typedef struct cursor { const uint8_t *at, *end; int ended; } cursor;

static uint64_t take(cursor *c, int n)
{
    if (n > c->end - c->at) {
        c->ended = 1;
        return 0;
    }
    uint64_t v = box_number(c->at, n);
    c->at += n;
    return v;
}

static cursor open_box(const box *b) { return (cursor){ .at = b->data, .end = b->data + b->bytes }; }

/* ---- which items are AV1 ---- */

static int read_entry(const box *b, map *m)
{
    cursor c = open_box(b);
    int version = (int)take(&c, 1);
    take(&c, 3);
    uint64_t id = take(&c, version == 2 ? 2 : 4);
    take(&c, 2);
    if (version < 2 || version > 3 || c.end - c.at < 4 || memcmp(c.at, "av01", 4))
        return 0;
    if (m->items == MOST_ITEMS)
        return avif_host->fail("the stream has more than %d coded items", MOST_ITEMS);
    m->coded[m->items++] = id;
    return 0;
}

static int read_entries(const box *iinf, map *m)
{
    box b;
    cursor c = open_box(iinf);
    int version = (int)take(&c, 1);
    take(&c, 3);
    take(&c, version ? 4 : 2);
    for (; c.at < c.end && box_at(c.at, (size_t)(c.end - c.at), &b); c.at += b.head + b.bytes)
        if (box_is(&b, "infe") && read_entry(&b, m))
            return -1;
    return 0;
}

/* ---- where they lie ---- */

static int is_coded(const map *m, uint64_t id)
{
    for (int i = 0; i < m->items; i++)
        if (m->coded[i] == id)
            return 1;
    return 0;
}

static int add_piece(map *m, uint64_t offset, uint64_t bytes)
{
    int i = m->count;
    if (i == MOST_PIECES)
        return avif_host->fail("the coded items lie in more than %d pieces", MOST_PIECES);
    for (; i > 0 && m->pieces[i - 1].offset > offset; i--)
        m->pieces[i] = m->pieces[i - 1];
    m->pieces[i] = (piece){ .offset = offset, .bytes = bytes };
    m->count++;
    return 0;
}

/* Bytes of the numbers that iloc is made of. */
typedef struct widths { int offset, length, base, index, version; } widths;

static int read_item(cursor *c, const widths *w, map *m)
{
    uint64_t id = take(c, w->version < 2 ? 2 : 4);
    int method = w->version ? (int)take(c, 2) & 15 : 0;
    take(c, 2);
    uint64_t base = take(c, w->base), pieces = take(c, 2);
    for (uint64_t i = 0; i < pieces && !c->ended; i++) {
        take(c, w->index);
        uint64_t offset = base + take(c, w->offset), bytes = take(c, w->length);
        if (!c->ended && method == 0 && is_coded(m, id) && add_piece(m, offset, bytes))
            return -1;
    }
    return 0;
}

static int read_places(const box *iloc, map *m)
{
    cursor c = open_box(iloc);
    widths w = { .version = (int)take(&c, 1) };
    take(&c, 3);
    int a = (int)take(&c, 1), b = (int)take(&c, 1);
    w.offset = a >> 4;
    w.length = a & 15;
    w.base = b >> 4;
    w.index = w.version ? b & 15 : 0;
    if (w.version > 2 || w.offset > 8 || w.length > 8 || w.base > 8 || w.index > 8)
        return avif_host->fail("the box iloc is of version %d; needs at most 2, with numbers of at most 8 bytes",
                               w.version);
    uint64_t items = take(&c, w.version < 2 ? 2 : 4);
    for (uint64_t i = 0; i < items && !c.ended; i++)
        if (read_item(&c, &w, m))
            return -1;
    return c.ended ? avif_host->fail("the box iloc ends within a number") : 0;
}

static int read_map(const uint8_t *p, size_t bytes, map *m)
{
    box meta, iinf, iloc;
    const int flags = 4;             /* version and flags, before the boxes of meta */
    if (!box_find(p, bytes, "meta", &meta) || meta.bytes < 4
        || !box_find(meta.data + flags, meta.bytes - 4, "iinf", &iinf)
        || !box_find(meta.data + flags, meta.bytes - 4, "iloc", &iloc))
        return avif_host->fail("the stream has no whole box meta with items and their places");
    return read_entries(&iinf, m) || read_places(&iloc, m);
}

/* ---- the units of AV1 in an item (AV1 specification, 5.3) ---- */

enum { SEQUENCE = 1, FRAME_HEADER = 3, TILE_GROUP = 4, FRAME = 6, REDUNDANT_FRAME_HEADER = 7, TILE_LIST = 8 };
enum { LONGEST_SIZE = 8 };           /* bytes of a unit's size */

static int part(hz_account *account, hz_part kind, size_t bytes)
{
    return account ? avif_host->part(account, kind, bytes) : 0;
}

/* Bytes of a unit's head, which says how many follow; 0 where no whole unit begins. */
static size_t unit_at(const uint8_t *p, size_t bytes, size_t *size)
{
    size_t head = 1 + (p[0] >> 2 & 1);
    if (!(p[0] & 2)) {               /* no size: up to the end */
        *size = bytes > head ? bytes - head : 0;
        return bytes >= head ? head : 0;
    }
    uint64_t v = 0;
    for (int i = 0; i < LONGEST_SIZE && head < bytes; i++) {
        uint8_t low = p[head++];
        v |= (uint64_t)(low & 127) << 7 * i;
        if (low < 128) {
            *size = (size_t)v;
            return v <= bytes - head ? head : 0;
        }
    }
    return 0;
}

static int holds_samples(int type)
{
    return type == FRAME_HEADER || type == TILE_GROUP || type == FRAME || type == REDUNDANT_FRAME_HEADER ||
           type == TILE_LIST;
}

static int name_units(const uint8_t *p, size_t bytes, hz_account *account)
{
    for (size_t at = 0; at < bytes;) {
        size_t size, head = unit_at(p + at, bytes - at, &size);
        if (!head)
            return avif_host->fail("byte %zu of %zu of a coded item begins no unit of AV1", at, bytes);
        int type = p[at] >> 3 & 15;
        if (type == SEQUENCE && avif_frame_pixels(p + at + head, size) > AVIF_MOST_PIXELS)
            return avif_host->fail("the stream may have frames of more than %d pixels", AVIF_MOST_PIXELS);
        if (part(account, HZ_CONTAINER, head)
            || part(account, holds_samples(type) ? HZ_PAYLOAD : HZ_CONTAINER, size))
            return -1;
        at += head + size;
    }
    return 0;
}

/* ---- the whole ---- */

static int check_boxes(const uint8_t *p, size_t bytes)
{
    box b;
    for (size_t at = 0; at < bytes; at += b.head + b.bytes) {
        if (!box_at(p + at, bytes - at, &b))
            return avif_host->fail("byte %zu of %zu of the stream begins no whole box", at, bytes);
        if (at == 0 && !box_is(&b, "ftyp"))
            return avif_host->fail("the stream does not begin as AVIF does");
    }
    return 0;
}

int avif_account(const uint8_t *p, size_t bytes, hz_account *account)
{
    map m = { .count = 0 };
    uint64_t at = 0;
    if (check_boxes(p, bytes) || read_map(p, bytes, &m))
        return -1;
    if (!m.count)
        return avif_host->fail("the stream holds no coded item");
    for (int i = 0; i < m.count; i++) {
        const piece *x = &m.pieces[i];
        if (x->offset < at || x->offset > bytes || x->bytes > bytes - x->offset)
            return avif_host->fail("a coded item lies at byte %llu; needs one of its own within %zu",
                                   (unsigned long long)x->offset, bytes);
        if (part(account, HZ_CONTAINER, (size_t)(x->offset - at))
            || name_units(p + x->offset, (size_t)x->bytes, account))
            return -1;
        at = x->offset + x->bytes;
    }
    return part(account, HZ_CONTAINER, bytes - (size_t)at);
}

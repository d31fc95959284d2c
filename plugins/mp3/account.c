/* account.c: where the bytes of an MP3 stream went (ISO 11172-3 and 13818-3, layer III). A frame is a header, perhaps
   its checksum, side information, and room for main data. The rooms of all frames are one long shelf: a frame's main
   data begin main_data_begin bytes before its own room (the bit reservoir) and take the part2_3_length bits of its
   granules. Those bytes are payload. Headers, checksums and side information are container, and so is what of the shelf
   no frame uses: padding, and reservoir that was saved in vain. */
#include "mp3.h"
#include <string.h>

enum { HEADER = 4, CHECKSUM = 2, TAG_HEAD = 10, TAG_END = 128, LAYER_3 = 1, NO_VERSION = 1, VERSION_1 = 3, MONO = 3 };

/* kbit/s by [version is 1][index in the header]; 0: a size of its own, or none. */
static const int bitrates[2][16] = {
    { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
    { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
};
static const int rates[4] = { 44100, 48000, 32000, 0 };      /* of version 1; half in 2, a quarter in 2.5 */

typedef struct frame {
    size_t at, main, end;            /* in the stream: header, room for main data, what follows */
} frame;

typedef struct walk {
    const uint8_t *p;
    size_t bytes;
    frame *frames;                   /* (count) new */
    size_t count, room;
    uint8_t *used;                   /* (bytes) new: 1 for payload */
} walk;

/* ---- frames ---- */

static unsigned bits(const uint8_t *p, unsigned at, unsigned n)
{
    unsigned v = 0;
    for (; n; n--, at++)
        v = v << 1 | (p[at >> 3] >> (7 - (at & 7)) & 1u);
    return v;
}

static size_t side_bytes(const uint8_t *p)
{
    int mono = p[3] >> 6 == MONO;
    return (p[1] >> 3 & 3) == VERSION_1 ? (mono ? 17 : 32) : (mono ? 9 : 17);
}

/* Is there a frame of layer III at `at`, complete? */
static int frame_at(const walk *w, size_t at, frame *f)
{
    const uint8_t *p = w->p + at;
    if (w->bytes - at < HEADER || p[0] != 0xFF || p[1] >> 5 != 7)
        return 0;
    int version = p[1] >> 3 & 3, one = version == VERSION_1;
    int bitrate = bitrates[one][p[2] >> 4], rate = rates[p[2] >> 2 & 3] >> (one ? 0 : version ? 1 : 2);
    if (version == NO_VERSION || (p[1] >> 1 & 3) != LAYER_3 || !bitrate || !rate)
        return 0;
    size_t size = (size_t)((one ? 144000 : 72000) * bitrate / rate) + (p[2] >> 1 & 1);
    size_t main = HEADER + (p[1] & 1 ? 0 : CHECKSUM) + side_bytes(p);
    *f = (frame){ .at = at, .main = at + main, .end = at + size };
    return main <= size && size <= w->bytes - at;
}

static int keep(walk *w, frame f)
{
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        frame *more = mp3_host->alloc(room * sizeof *more);
        if (!more)
            return -1;
        if (w->count)
            memcpy(more, w->frames, w->count * sizeof *more);
        mp3_host->free(w->frames);
        w->frames = more;
        w->room = room;
    }
    w->frames[w->count++] = f;
    return 0;
}

/* Where frames may begin behind an ID3v2 tag, whose size has 7 bits to the byte. */
static size_t behind_tag(const uint8_t *p, size_t bytes)
{
    if (bytes < TAG_HEAD || memcmp(p, "ID3", 3))
        return 0;
    size_t size = TAG_HEAD + ((size_t)(p[6] & 127) << 21 | (p[7] & 127) << 14 | (p[8] & 127) << 7 | (p[9] & 127));
    return size < bytes ? size : bytes;
}

/* Where frames end: before an ID3v1 tag, if there is one. */
static size_t before_tag(const uint8_t *p, size_t bytes)
{
    return bytes >= TAG_END && !memcmp(p + bytes - TAG_END, "TAG", 3) ? bytes - TAG_END : bytes;
}

/* In a foreign stream a frame is one only if another, or the end, follows: any byte may look like a header. */
static int find_frames(walk *w, int foreign)
{
    frame f, next;
    size_t at = behind_tag(w->p, w->bytes), end = before_tag(w->p, w->bytes);
    while (at < end) {
        int found = frame_at(w, at, &f);
        if (foreign && found && w->count == 0)
            found = f.end == w->bytes || frame_at(w, f.end, &next);
        if (found && keep(w, f))
            return -1;
        if (!found && !foreign)
            return mp3_host->fail("byte %zu of %zu of the stream begins no whole frame of layer III", at, w->bytes);
        at = found ? f.end : at + 1;
    }
    return 0;
}

/* ---- main data ---- */

/* Bits of main data that a frame's side information promises, and the bytes of reservoir before its room. */
static unsigned promised(const uint8_t *header, const uint8_t *side, unsigned *back)
{
    int one = (header[1] >> 3 & 3) == VERSION_1, channels = header[3] >> 6 == MONO ? 1 : 2;
    unsigned at = one ? (channels == 1 ? 9 + 5 + 4 : 9 + 3 + 8) : (unsigned)(8 + channels), sum = 0;
    *back = bits(side, 0, one ? 9 : 8);
    for (int i = 0; i < (one ? 2 : 1) * channels; i++, at += one ? 59 : 63)
        sum += bits(side, at, 12);
    return sum;
}

/* Marks `n` bytes that begin `back` bytes before frame k's room; reservoir that the stream lacks is passed over. */
static void mark(walk *w, size_t k, size_t back, size_t n)
{
    size_t j = k, skip = 0;
    while (back > 0 && j > 0) {
        j--;
        size_t room = w->frames[j].end - w->frames[j].main;
        skip = room > back ? room - back : 0;
        back -= room > back ? back : room;
    }
    n -= back < n ? back : n;
    for (; n > 0 && j <= k; j++, skip = 0) {
        size_t room = w->frames[j].end - w->frames[j].main - skip, take = n < room ? n : room;
        memset(w->used + w->frames[j].main + skip, 1, take);
        n -= take;
    }
}

static int name_parts(walk *w, hz_account *account)
{
    if (!(w->used = mp3_host->alloc(w->bytes)))
        return -1;
    for (size_t k = 0; k < w->count; k++) {
        const uint8_t *header = w->p + w->frames[k].at;
        unsigned back, promise = promised(header, w->p + w->frames[k].main - side_bytes(header), &back);
        mark(w, k, back, (promise + 7) / 8);
    }
    for (size_t at = 0, run; at < w->bytes; at += run) {
        const uint8_t *end = memchr(w->used + at, !w->used[at], w->bytes - at);
        run = end ? (size_t)(end - w->used) - at : w->bytes - at;
        if (mp3_host->part(account, w->used[at] ? HZ_PAYLOAD : HZ_CONTAINER, run))
            return -1;
    }
    return 0;
}

int mp3_account(const uint8_t *p, size_t bytes, hz_account *account, int foreign)
{
    walk w = { .p = p, .bytes = bytes };
    int status = find_frames(&w, foreign);
    if (!status && account)
        status = name_parts(&w, account);
    mp3_host->free(w.frames);
    mp3_host->free(w.used);
    return status;
}

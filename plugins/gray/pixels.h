/* pixels.h: what codecs share that lose something of images and code nothing: the stream of bare samples. Two letters
   that say whose it is, the shape of the samples and that of the original, each height, width and channels as numbers
   of 7 bits, lowest first, bit 7 set where more follow (LEB128); then the samples, a byte each. */
#ifndef PIXELS_H
#define PIXELS_H
#include "hz/plugin.h"
#include <string.h>

enum { PIXELS_MOST = 1 << 27, PIXELS_HEADER = 2 + 2 * 3 * 5 };

/* What an instance begins with. */
typedef struct pixels {
    hz_bytes room;                   /* for what goes into the stream, or came out of it */
} pixels;

/* What a codec is here: as hz_codec_stage has it; back NULL: nothing is undone. */
typedef struct pixels_kind {
    const char *letters;             /* two */
    int (*forward)(void *instance, const hz_media *in, hz_media *format, hz_bytes *out);
    int (*back)(void *instance, const hz_media *in, const hz_media *original, hz_media *format, hz_bytes *out);
} pixels_kind;

static int64_t pixels_count(const hz_media *m) { return m->height * m->width * m->channels; }

/* Room for an image of this shape, which `format` gets; 0, or what the host returned. */
static int pixels_room(const hz_host *host, int64_t height, int64_t width, int channels, hz_media *format,
                       hz_bytes *out)
{
    if (height > PIXELS_MOST / width / channels)
        return host->fail("the image is [%lld,%lld,%d]; needs at most %d samples", (long long)height, (long long)width,
                          channels, PIXELS_MOST);
    format->height = height;
    format->width = width;
    format->channels = channels;
    out->size = (size_t)pixels_count(format);
    return host->grow(out, out->size);
}

static uint8_t *pixels_put(uint8_t *p, int64_t v)
{
    for (; v > 127; v >>= 7)
        *p++ = (uint8_t)(v & 127) | 128;
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *pixels_put_shape(uint8_t *p, const hz_media *m)
{
    return pixels_put(pixels_put(pixels_put(p, m->height), m->width), m->channels);
}

static int64_t pixels_get(const uint8_t **p, const uint8_t *end)
{
    int64_t v = 0;
    for (int shift = 0; *p < end && shift < 35; shift += 7) {
        uint8_t byte = *(*p)++;
        v |= (int64_t)(byte & 127) << shift;
        if (byte < 128)
            return v;
    }
    return -1;
}

static int pixels_get_shape(const hz_host *host, const uint8_t **p, const uint8_t *end, hz_media *m)
{
    m->kind = HZ_IMAGE;
    m->height = pixels_get(p, end);
    m->width = pixels_get(p, end);
    int64_t channels = pixels_get(p, end);
    if (m->height < 1 || m->width < 1 || (channels != 1 && channels != 3) ||
        m->height > PIXELS_MOST / m->width / channels)
        return host->fail("the stream says [%lld,%lld,%lld]; needs 1 or 3 channels and 1 to %d samples",
                          (long long)m->height, (long long)m->width, (long long)channels, PIXELS_MOST);
    m->channels = (int)channels;
    return 0;
}

static int pixels_encode(const hz_host *host, const pixels_kind *kind, void *instance, const hz_media *in,
                         hz_bytes *out, hz_account *account)
{
    hz_bytes *room = &((pixels *)instance)->room;
    hz_media m = { .kind = HZ_IMAGE };
    room->size = 0;
    int failed = kind->forward(instance, in, &m, room);
    if (failed || (failed = host->grow(out, PIXELS_HEADER + room->size)))
        return failed;
    memcpy(out->data, kind->letters, 2);
    uint8_t *p = pixels_put_shape(pixels_put_shape(out->data + 2, &m), in);
    memcpy(p, room->data, room->size);
    size_t header = (size_t)(p - out->data);
    out->size = header + room->size;
    failed = host->part(account, HZ_CONTAINER, header);
    return failed ? failed : host->part(account, HZ_PAYLOAD, room->size);
}

static int pixels_decode(const hz_host *host, const pixels_kind *kind, void *instance, const uint8_t *bytes,
                         size_t count, hz_media *format, hz_bytes *out)
{
    const uint8_t *p = bytes + 2, *end = bytes + count;
    hz_media m = { .kind = 0 }, original = { .kind = 0 };
    if (count < 2 || memcmp(bytes, kind->letters, 2))
        return host->fail("the stream does not begin as one of this codec");
    int failed = pixels_get_shape(host, &p, end, &m);
    if (failed || (failed = pixels_get_shape(host, &p, end, &original)))
        return failed;
    if (end - p != pixels_count(&m))
        return host->fail("the stream has %lld bytes of samples; its header promises %lld", (long long)(end - p),
                          (long long)pixels_count(&m));
    m.data = p;
    if (kind->back)
        return kind->back(instance, &m, &original, format, out);
    if (m.height != original.height || m.width != original.width || m.channels != original.channels)
        return host->fail("the stream says that its samples have another shape than the original; needs the same");
    failed = pixels_room(host, m.height, m.width, m.channels, format, out);
    if (!failed)
        memcpy(out->data, p, out->size);
    return failed;
}

#endif

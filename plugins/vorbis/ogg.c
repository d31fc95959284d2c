/* ogg.c: packets into Ogg pages and out of them by libogg, and the account of a stream of pages. */
#include "ogg.h"
#include <string.h>

const hz_host *ogg_host;

enum { PAGE_HEAD = 27, LACING = 255, MOST_BYTES = 1 << 30 };

/* ---- writing ---- */

/* The number of a stream need only be unlike those beside it: alone it is 1, and equal sounds are equal streams. */
int writer_open(ogg_writer *w, hz_bytes *out)
{
    w->out = out;
    return ogg_stream_init(&w->stream, 1) ? ogg_host->fail("libogg could not begin; memory may be short") : 0;
}

void writer_close(ogg_writer *w) { ogg_stream_clear(&w->stream); }

static int append(hz_bytes *out, const unsigned char *p, long n)
{
    if (ogg_host->grow(out, out->size + (size_t)n))
        return -1;
    memcpy(out->data + out->size, p, (size_t)n);
    out->size += (size_t)n;
    return 0;
}

int writer_put(ogg_writer *w, ogg_packet *packet, int flush)
{
    ogg_page page;
    if (ogg_stream_packetin(&w->stream, packet))
        return ogg_host->fail("libogg does not take a packet of %ld bytes; memory may be short", packet->bytes);
    while (flush ? ogg_stream_flush(&w->stream, &page) : ogg_stream_pageout(&w->stream, &page))
        if (append(w->out, page.header, page.header_len) || append(w->out, page.body, page.body_len))
            return -1;
    return 0;
}

/* ---- reading ---- */

typedef struct reader {
    ogg_sync_state sync;
    ogg_stream_state stream;
    int begun, ended;                /* the first page came; the last one */
    int (*take)(void *self, ogg_packet *packet);
    void *self;
} reader;

static int read_page(reader *r, ogg_page *page)
{
    ogg_packet packet;
    int found;
    if (!r->begun && ogg_stream_init(&r->stream, ogg_page_serialno(page)))
        return ogg_host->fail("libogg could not begin; memory may be short");
    if (r->begun == (ogg_page_bos(page) != 0) || r->ended || ogg_page_serialno(page) != r->stream.serialno)
        return ogg_host->fail("the stream is not one logical stream of Ogg pages; needs one");
    r->begun = 1;
    r->ended = ogg_page_eos(page) != 0;
    if (ogg_stream_pagein(&r->stream, page))
        return ogg_host->fail("a page of the stream does not belong there");
    while ((found = ogg_stream_packetout(&r->stream, &packet)) > 0)
        if (r->take(r->self, &packet))
            return -1;
    return found ? ogg_host->fail("a page of the stream is missing") : 0;
}

static int read_pages(reader *r, const uint8_t *bytes, size_t count)
{
    ogg_page page;
    int found;
    char *room = count <= MOST_BYTES ? ogg_sync_buffer(&r->sync, (long)count) : NULL;
    if (!room)
        return ogg_host->fail("the stream has %zu bytes; needs at most %d, and the memory for them", count, MOST_BYTES);
    memcpy(room, bytes, count);
    ogg_sync_wrote(&r->sync, (long)count);
    while ((found = ogg_sync_pageout(&r->sync, &page)) > 0)
        if (read_page(r, &page))
            return -1;
    if (found || r->sync.fill != r->sync.returned || !r->ended)
        return ogg_host->fail("the stream is damaged or ends early; needs whole Ogg pages up to a last one");
    return 0;
}

int packets_read(const uint8_t *bytes, size_t count, int (*take)(void *self, ogg_packet *packet), void *self)
{
    reader r = { .take = take, .self = self };
    ogg_sync_init(&r.sync);
    int status = read_pages(&r, bytes, count);
    ogg_stream_clear(&r.stream);
    ogg_sync_clear(&r.sync);
    return status;
}

/* ---- the account ---- */

/* Bytes of the page's head and body; 0 where no whole page begins. */
static size_t page_at(const uint8_t *p, size_t bytes, size_t *body)
{
    if (bytes < PAGE_HEAD || memcmp(p, "OggS", 4) || bytes < PAGE_HEAD + (size_t)p[PAGE_HEAD - 1])
        return 0;
    size_t head = PAGE_HEAD + (size_t)p[PAGE_HEAD - 1];
    *body = 0;
    for (size_t i = PAGE_HEAD; i < head; i++)
        *body += p[i];
    return head + *body <= bytes ? head : 0;
}

/* The body of a page, of which `packet` is the first packet that ends there; moves it on. */
static int name_body(const uint8_t *lacing, int segments, const hz_part *headers, int count, int64_t *packet,
                     hz_account *account)
{
    size_t run = 0;
    for (int i = 0; i < segments; i++) {
        run += lacing[i];
        if (lacing[i] == LACING && i + 1 < segments)
            continue;
        if (ogg_host->part(account, *packet < count ? headers[*packet] : HZ_PAYLOAD, run))
            return -1;
        *packet += lacing[i] < LACING;
        run = 0;
    }
    return 0;
}

int pages_account(const uint8_t *p, size_t bytes, const hz_part *headers, int count, hz_account *account, int foreign)
{
    size_t at = 0, head, body;
    int64_t packet = 0;
    while (at < bytes) {
        if (!(head = page_at(p + at, bytes - at, &body)) && !foreign)
            return ogg_host->fail("byte %zu of %zu of the stream begins no Ogg page", at, bytes);
        if (ogg_host->part(account, HZ_CONTAINER, head ? head : 1))
            return -1;
        if (head && name_body(p + at + PAGE_HEAD, p[at + PAGE_HEAD - 1], headers, count, &packet, account))
            return -1;
        at += head ? head + body : 1;
    }
    return 0;
}

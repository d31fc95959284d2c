/* ogg.h: streams in Ogg pages (RFC 3533), for the codecs that live in them: each has this file and ogg.c in its folder.
   A stream here is one logical stream, complete. */
#ifndef HZ_PLUGIN_OGG_H
#define HZ_PLUGIN_OGG_H
#include "hz/plugin.h"
#include <ogg/ogg.h>

extern const hz_host *ogg_host;

/* ---- writing ---- */

typedef struct ogg_writer {
    ogg_stream_state stream;
    hz_bytes *out;                   /* lent */
} ogg_writer;

int writer_open(ogg_writer *w, hz_bytes *out);
void writer_close(ogg_writer *w);
/* Adds a packet. flush: the page ends with it, else when it is full; the last packet (e_o_s) ends its page anyway. */
int writer_put(ogg_writer *w, ogg_packet *packet, int flush);

/* ---- reading ---- */

/* Hands over the packets in order; take returns non-zero, after host->fail, to give up. Fails for damaged pages, for
   streams that lack their end, and where there is more than one. */
int packets_read(const uint8_t *bytes, size_t count, int (*take)(void *self, ogg_packet *packet), void *self);

/* Names the parts: pages' heads are container, packets what `headers` says of the first `count` ones, payload after
   them. foreign: what is no page is container, too. */
int pages_account(const uint8_t *p, size_t bytes, const hz_part *headers, int count, hz_account *account, int foreign);

#endif

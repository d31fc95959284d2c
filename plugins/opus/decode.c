/* decode.c: Opus streams to sounds by libopus, without what they skip before and after. */
#include "opus.h"
#include <opus/opus.h>
#include <string.h>

enum { LONGEST = CLOCK / 1000 * 120, MOST_BYTES = 1 << 30 };         /* frames of 48 kHz in a packet: 120 ms */

typedef struct decoder {
    OpusDecoder *opus;
    int channels, rate, clock;
    int64_t skip, end;               /* frames of 48 kHz: before the sound, up to its end; end 0: not known yet */
    int64_t packets;
    hz_bytes *out;
} decoder;

static unsigned number(const uint8_t *p, int bytes)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (unsigned)p[i] << 8 * i;
    return v;
}

/* A sound that was at a rate of Opus comes back at it, any other at 48 kHz. */
static int take_head(decoder *d, const ogg_packet *p)
{
    int error, rate = CLOCK;
    if (p->bytes < HEAD || memcmp(p->packet, "OpusHead", 8) || p->packet[8] > 15)
        return ogg_host->fail("the stream has no head of Opus");
    d->channels = p->packet[9];
    if (p->packet[18] || d->channels < 1 || d->channels > MOST_CHANNELS)
        return ogg_host->fail("the stream has %d channels of mapping %d; needs 1 or 2 of mapping 0", d->channels,
                              p->packet[18]);
    for (const int *r = opus_rates; *r; r++)
        if (number(p->packet + 12, 4) == (unsigned)*r)
            rate = *r;
    d->skip = number(p->packet + 10, 2);
    d->rate = rate;
    d->clock = CLOCK / rate;
    d->opus = opus_decoder_create(rate, d->channels, &error);
    if (!error)
        error = opus_decoder_ctl(d->opus, OPUS_SET_GAIN((int16_t)number(p->packet + 16, 2)));
    return error ? ogg_host->fail("libopus says: %s", opus_strerror(error)) : 0;
}

static int take_sound(decoder *d, const ogg_packet *p)
{
    size_t frame = (size_t)d->channels * sizeof(float), most = (size_t)(LONGEST / d->clock) * frame;
    if (d->out->size + most > MOST_BYTES)
        return ogg_host->fail("the sound takes more than %d bytes", MOST_BYTES);
    if (ogg_host->grow(d->out, d->out->size + most))
        return -1;
    int n = opus_decode_float(d->opus, p->packet, (int)p->bytes, (float *)(void *)(d->out->data + d->out->size),
                              LONGEST / d->clock, 0);
    if (n < 0)
        return ogg_host->fail("packet %lld: libopus says: %s", (long long)d->packets, opus_strerror(n));
    d->out->size += (size_t)n * frame;
    if (p->e_o_s)
        d->end = p->granulepos;
    return 0;
}

static int take(void *self, ogg_packet *packet)
{
    decoder *d = self;
    int status = 0;
    if (d->packets == 0)
        status = take_head(d, packet);
    else if (d->packets == 1 && (packet->bytes < 8 || memcmp(packet->packet, "OpusTags", 8)))
        status = ogg_host->fail("the stream has no tags of Opus");
    else if (d->packets > 1)
        status = take_sound(d, packet);
    d->packets++;
    return status;
}

/* Leaves what lies between skip and end. */
static int cut(decoder *d, hz_media *format)
{
    size_t frame = (size_t)d->channels * sizeof(float);
    int64_t there = d->packets > HEADERS ? (int64_t)(d->out->size / frame) : 0, from = d->skip / d->clock;
    int64_t until = (d->end + d->clock - 1) / d->clock;
    if (until > there || d->end < 0)
        until = there;
    if (until <= from)
        return ogg_host->fail("the stream holds %lld frames, of which it skips %lld; needs more", (long long)until,
                              (long long)from);
    format->channels = d->channels;
    format->rate = d->rate;
    format->frames = until - from;
    d->out->size = (size_t)(until - from) * frame;
    memmove(d->out->data, d->out->data + (size_t)from * frame, d->out->size);
    return 0;
}

int opus_codec_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    decoder d = { .channels = 1, .clock = 1, .out = out };
    int status = packets_read(bytes, count, take, &d) || cut(&d, format);
    if (d.opus)
        opus_decoder_destroy(d.opus);
    return status;
}

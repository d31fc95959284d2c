/* encode.c: sounds to Opus by libopus in Ogg pages (RFC 7845). The head says how much of what is decoded comes before
   the sound (pre-skip), the last page where the sound ends. */
#include "opus.h"
#include <math.h>
#include <opus/opus.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PACKET = 1275 * 3, MOST_VENDOR = 64 };

/* How a packet codes the lower frequencies: by SILK at 8 or 16 kHz, or by CELT. */
enum { SILK_8, SILK_16, CELT, MODES };

static int mode_of(const uint8_t *packet)
{
    int configuration = packet[0] >> 3;
    return configuration < 4 ? SILK_8 : configuration < 16 ? SILK_16 : CELT;
}

/* Frames by which SILK's resamplers, at these rates of sounds, are later than libopus says: by correlation, 1.3.1. */
static const struct { int rate, late[MODES]; } shifts[] = {
    { 12000, { 1, 0, 0 } }, { 24000, { 1, -1, 0 } }, { 48000, { 3, -2, 0 } },
};

/* Frames at the sound's rate: of a packet (20 ms), and those that the encoder delays. */
typedef struct encoder {
    OpusEncoder *opus;
    ogg_writer pages;
    const hz_media *in;
    int frame, delay, clock;         /* clock: frames of 48 kHz to one of the sound */
    float *room;                     /* (frame,channels) new */
    int64_t packets, spoken[MODES];  /* packets there are, and of each mode */
    hz_bytes coded;                  /* new: packets, each behind its length in two bytes */
} encoder;

static OpusEncoder *begin(const double *options, const hz_media *like)
{
    int error = OPUS_OK;
    OpusEncoder *opus = opus_encoder_create((int)like->rate, like->channels, OPUS_APPLICATION_AUDIO, &error);
    if (!error)
        error = opus_encoder_ctl(opus, OPUS_SET_BITRATE((int)(options[BITRATE] * 1000)));
    if (!error)
        error = opus_encoder_ctl(opus, OPUS_SET_COMPLEXITY((int)options[EFFORT]));
    if (!error)
        return opus;
    ogg_host->fail("libopus says: %s", opus_strerror(error));
    if (opus)
        opus_encoder_destroy(opus);
    return NULL;
}

static void store(uint8_t *p, unsigned v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static int put_headers(encoder *e)
{
    uint8_t head[HEAD] = "OpusHead\1", tags[8 + 4 + MOST_VENDOR + 4] = "OpusTags";
    const char *vendor = opus_get_version_string();
    size_t n = strlen(vendor) < MOST_VENDOR ? strlen(vendor) : MOST_VENDOR;
    head[9] = (uint8_t)e->in->channels;
    store(head + 10, (unsigned)(e->delay * e->clock), 2);
    store(head + 12, (unsigned)e->in->rate, 4);
    store(tags + 8, (unsigned)n, 4);
    memcpy(tags + 12, vendor, n);
    ogg_packet first = { .packet = head, .bytes = HEAD, .b_o_s = 1 };
    ogg_packet second = { .packet = tags, .bytes = (long)(12 + n + 4), .packetno = 1 };
    return writer_put(&e->pages, &first, 1) || writer_put(&e->pages, &second, 1);
}

/* The samples of packet i, with silence behind the sound. */
static int load(encoder *e, int64_t i)
{
    int channels = e->in->channels;
    int64_t from = i * e->frame, left = e->in->frames - from, n = left < e->frame ? left : e->frame;
    const float *x = (const float *)e->in->data + from * channels;
    memset(e->room, 0, (size_t)(e->frame * channels) * sizeof *e->room);
    for (int64_t k = 0; k < n * channels; k++) {
        if (!isfinite(x[k]))
            return ogg_host->fail("frame %lld of the sound has a sample that is no finite number",
                                  (long long)(from + k / channels));
        e->room[k] = x[k];
    }
    return 0;
}

/* Codes packets until there are so many. */
static int code_until(encoder *e, int64_t packets)
{
    uint8_t data[MOST_PACKET];
    for (; e->packets < packets; e->packets++) {
        if (load(e, e->packets))
            return -1;
        int n = opus_encode_float(e->opus, e->room, e->frame, data, MOST_PACKET);
        if (n < 1)
            return ogg_host->fail("libopus says: %s", opus_strerror(n));
        if (ogg_host->grow(&e->coded, e->coded.size + 2 + (size_t)n))
            return -1;
        store(e->coded.data + e->coded.size, (unsigned)n, 2);
        memcpy(e->coded.data + e->coded.size + 2, data, (size_t)n);
        e->coded.size += 2 + (size_t)n;
        e->spoken[mode_of(data)]++;
    }
    return 0;
}

/* The delay of the mode in which most packets speak. */
static void find_delay(encoder *e)
{
    int most = 0;
    opus_encoder_ctl(e->opus, OPUS_GET_LOOKAHEAD(&e->delay));
    for (int i = 1; i < MODES; i++)
        most = e->spoken[i] > e->spoken[most] ? i : most;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++)
        if (shifts[i].rate == e->in->rate)
            e->delay += shifts[i].late[most];
}

/* Packets that the sound and the delay fill. */
static int64_t filled(const encoder *e) { return (e->in->frames + e->delay + e->frame - 1) / e->frame; }

static int put_packets(encoder *e)
{
    const uint8_t *at = e->coded.data;
    for (int64_t i = 1, packets = filled(e); i <= packets; i++) {
        int last = i == packets, n = at[0] | at[1] << 8;
        int64_t until = last ? e->in->frames + e->delay : i * e->frame;
        ogg_packet packet = { .packet = (uint8_t *)at + 2, .bytes = n, .e_o_s = last,
                              .granulepos = until * e->clock, .packetno = i + HEADERS - 1 };
        if (writer_put(&e->pages, &packet, last))
            return -1;
        at += 2 + n;
    }
    return 0;
}

static int run(encoder *e, hz_bytes *out)
{
    if (!(e->room = ogg_host->alloc((size_t)(e->frame * e->in->channels) * sizeof *e->room)))
        return -1;
    find_delay(e);
    if (code_until(e, filled(e)))
        return -1;
    find_delay(e);
    return code_until(e, filled(e)) || writer_open(&e->pages, out) || put_headers(e) || put_packets(e) ? -1 : 0;
}

int opus_codec_encode(const double *options, const hz_media *in, hz_bytes *out)
{
    int rate = (int)in->rate;
    encoder e = { .opus = begin(options, in), .in = in, .clock = CLOCK / rate, .frame = rate / 50 };
    int status = e.opus ? run(&e, out) : -1;
    writer_close(&e.pages);
    ogg_host->free(e.coded.data);
    ogg_host->free(e.room);
    if (e.opus)
        opus_encoder_destroy(e.opus);
    return status;
}

/* ---- what a bitrate forces ---- */

/* libopus decides as it goes: what it has come to after half a second of noise. */
int opus_codec_note(const double *options, const hz_media *like, char *text, size_t room)
{
    static const int hertz[] = { 4000, 6000, 8000, 12000, 20000 };
    float x[CLOCK / 50 * MOST_CHANNELS];
    uint8_t data[MOST_PACKET];
    unsigned state = 1;
    int band = 0, error = 0;
    OpusEncoder *opus = begin(options, like);
    if (!opus)
        return -1;
    for (int i = 0; i < 25 && error >= 0; i++) {
        for (int k = 0; k < CLOCK / 50 * MOST_CHANNELS; k++)
            x[k] = (float)((state = state * 1664525u + 1013904223u) >> 8) / (1 << 25) - 0.25f;
        error = opus_encode_float(opus, x, (int)like->rate / 50, data, MOST_PACKET);
    }
    opus_encoder_ctl(opus, OPUS_GET_BANDWIDTH(&band));
    opus_encoder_destroy(opus);
    band -= OPUS_BANDWIDTH_NARROWBAND;
    if (band >= 0 && band < 5 && 2 * hertz[band] < like->rate)
        snprintf(text, room, "lowpass %d Hz", hertz[band]);
    return 0;
}

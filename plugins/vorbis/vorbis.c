/* vorbis.c: the Vorbis codec by libvorbis and libvorbisenc in Ogg pages. The stream says its length and has no delay.
   Identification and codebooks are tables, comments are container, audio packets payload. */
#include "ogg.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <vorbis/codec.h>
#include <vorbis/vorbisenc.h>

enum { CHUNK = 1024, HEADERS = 3, MOST_CHANNELS = 8, MOST_BYTES = 1 << 30 };

static const hz_part headers[HEADERS] = { HZ_TABLES, HZ_CONTAINER, HZ_TABLES };

typedef struct coder {
    double quality;
} coder;

/* ---- encode ---- */

typedef struct encoder {
    vorbis_info info;
    vorbis_comment comment;
    vorbis_dsp_state dsp;
    vorbis_block block;
    ogg_writer pages;
} encoder;

/* info: vorbis_info_clear, also after a failure. */
static int choose(vorbis_info *info, double quality, const hz_media *like)
{
    vorbis_info_init(info);
    if (like->rate == floor(like->rate) && like->rate <= INT32_MAX
        && !vorbis_encode_init_vbr(info, like->channels, (long)like->rate, (float)(quality / 10)))
        return 0;
    return ogg_host->fail("libvorbisenc takes no sound of %d channels at %g Hz for quality %g", like->channels,
                          like->rate, quality);
}

static int put_headers(encoder *e)
{
    ogg_packet packet[HEADERS];
    if (vorbis_analysis_headerout(&e->dsp, &e->comment, &packet[0], &packet[1], &packet[2]))
        return ogg_host->fail("libvorbis makes no headers");
    return writer_put(&e->pages, &packet[0], 1) || writer_put(&e->pages, &packet[1], 0)
           || writer_put(&e->pages, &packet[2], 1);
}

static int put_blocks(encoder *e)
{
    ogg_packet packet;
    while (vorbis_analysis_blockout(&e->dsp, &e->block) == 1) {
        if (vorbis_analysis(&e->block, NULL) || vorbis_bitrate_addblock(&e->block))
            return ogg_host->fail("libvorbis could not encode a block");
        while (vorbis_bitrate_flushpacket(&e->dsp, &packet))
            if (writer_put(&e->pages, &packet, 0))
                return -1;
    }
    return 0;
}

/* n frames of the sound from frame `at` on; none ends the stream. */
static int put(encoder *e, const hz_media *in, int64_t at, int64_t n)
{
    float **to = n ? vorbis_analysis_buffer(&e->dsp, CHUNK) : NULL;
    const float *x = (const float *)in->data + at * in->channels;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < in->channels; k++, x++) {
            if (!isfinite(*x))
                return ogg_host->fail("frame %lld of the sound has a sample that is no finite number",
                                      (long long)(at + i));
            to[k][i] = *x;
        }
    if (vorbis_analysis_wrote(&e->dsp, (int)n))
        return ogg_host->fail("libvorbis takes no more frames");
    return put_blocks(e);
}

static int run(encoder *e, const hz_media *in)
{
    int status = put_headers(e);
    for (int64_t at = 0; !status && at < in->frames; at += CHUNK)
        status = put(e, in, at, in->frames - at < CHUNK ? in->frames - at : CHUNK);
    return status ? status : put(e, in, in->frames, 0);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    const coder *c = instance;
    encoder e;
    memset(&e, 0, sizeof e);
    vorbis_comment_init(&e.comment);
    int status = choose(&e.info, c->quality, in);
    if (!status && (vorbis_analysis_init(&e.dsp, &e.info) || vorbis_block_init(&e.dsp, &e.block)))
        status = ogg_host->fail("libvorbis could not begin; memory may be short");
    if (!status)
        status = writer_open(&e.pages, out) || run(&e, in);
    writer_close(&e.pages);
    vorbis_block_clear(&e.block);
    vorbis_dsp_clear(&e.dsp);
    vorbis_comment_clear(&e.comment);
    vorbis_info_clear(&e.info);
    return status ? status : pages_account(out->data, out->size, headers, HEADERS, account, 0);
}

/* ---- decode ---- */

typedef struct decoder {
    vorbis_info info;
    vorbis_comment comment;
    vorbis_dsp_state dsp;
    vorbis_block block;
    int64_t packets;
    hz_bytes *out;
} decoder;

static int take_header(decoder *d, ogg_packet *packet)
{
    if (vorbis_synthesis_headerin(&d->info, &d->comment, packet))
        return ogg_host->fail("packet %lld is no header of Vorbis", (long long)d->packets);
    if (d->info.channels > MOST_CHANNELS)
        return ogg_host->fail("the stream has %d channels; needs at most %d", d->info.channels, MOST_CHANNELS);
    if (d->packets == HEADERS - 1
        && (vorbis_synthesis_init(&d->dsp, &d->info) || vorbis_block_init(&d->dsp, &d->block)))
        return ogg_host->fail("libvorbis does not take the headers of the stream");
    return 0;
}

static int take_frames(decoder *d)
{
    float **pcm;
    int n, channels = d->info.channels;
    while ((n = vorbis_synthesis_pcmout(&d->dsp, &pcm)) > 0) {
        size_t bytes = (size_t)n * (size_t)channels * sizeof(float);
        if (d->out->size + bytes > MOST_BYTES)
            return ogg_host->fail("the sound takes more than %d bytes", MOST_BYTES);
        if (ogg_host->grow(d->out, d->out->size + bytes))
            return -1;
        float *to = (float *)(void *)(d->out->data + d->out->size);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < channels; k++)
                *to++ = pcm[k][i];
        d->out->size += bytes;
        vorbis_synthesis_read(&d->dsp, n);
    }
    return 0;
}

static int take(void *self, ogg_packet *packet)
{
    decoder *d = self;
    int status;
    if (d->packets < HEADERS)
        status = take_header(d, packet);
    else if (vorbis_synthesis(&d->block, packet) || vorbis_synthesis_blockin(&d->dsp, &d->block))
        status = ogg_host->fail("packet %lld of the stream is damaged", (long long)d->packets);
    else
        status = take_frames(d);
    d->packets++;
    return status;
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    decoder d = { .out = out };
    vorbis_info_init(&d.info);
    vorbis_comment_init(&d.comment);
    int status = packets_read(bytes, count, take, &d);
    if (!status && out->size == 0)
        status = ogg_host->fail("the stream holds no sound");
    if (!status) {
        format->channels = d.info.channels;
        format->rate = (double)d.info.rate;
        format->frames = (int64_t)(out->size / sizeof(float)) / d.info.channels;
    }
    vorbis_block_clear(&d.block);
    vorbis_dsp_clear(&d.dsp);
    vorbis_comment_clear(&d.comment);
    vorbis_info_clear(&d.info);
    return status;
}

static int account_file(const uint8_t *bytes, size_t count, hz_account *account)
{
    return pages_account(bytes, count, headers, HEADERS, account, 1);
}

/* ---- what a quality forces ---- */

static int note(void *instance, const hz_media *like, char *text, size_t room)
{
    const coder *c = instance;
    vorbis_info info;
    double lowpass = 0;              /* kHz */
    int status = choose(&info, c->quality, like);
    if (!status && !vorbis_encode_ctl(&info, OV_ECTL_LOWPASS_GET, &lowpass) && lowpass > 0
        && lowpass * 2000 < like->rate)
        snprintf(text, room, "lowpass %.0f Hz", lowpass * 1000);
    vorbis_info_clear(&info);
    return status;
}

/* ---- the tables ---- */

static void *create(const double *values)
{
    coder *c = ogg_host->alloc(sizeof *c);
    if (c)
        c->quality = *values;
    return c;
}

static void destroy(void *instance) { ogg_host->free(instance); }

static const char *library(void) { return vorbis_version_string(); }

static const hz_codec_api codec = {
    .size = sizeof codec,
    .kind = HZ_AUDIO,
    .channels = (2 << MOST_CHANNELS) - 2,
    .name = "vorbis",
    .params = "quality:float=3[-1..10]+ 'of a variable bitrate, as in oggenc -q'",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static const hz_codec_file files = {
    .size = sizeof files, .decode = decode, .account = account_file,
};

static const hz_codec_note notes = { .size = sizeof notes, .note = note };

static int open_plugin(const hz_host *lent)
{
    ogg_host = lent;
    return 0;
}

static const void *interface(const char *id)
{
    return !strcmp(id, "hz.codec/1") ? (const void *)&codec
           : !strcmp(id, "hz.codec.file/1") ? (const void *)&files
           : !strcmp(id, "hz.codec.note/1") ? (const void *)&notes : NULL;
}

const hz_plugin hz_plugin_main = {
    .size = sizeof(hz_plugin),
    .name = "vorbis",
    .version = "1",
    .about = "Vorbis in Ogg, up to 8 channels",
    .open = open_plugin,
    .interface = interface,
};

/* decode.c: FLAC streams to sounds by libFLAC, and their account: STREAMINFO is a table; signature, other metadata,
   frames' heads and checksums are container; what stands in frames is payload. */
#include "flac.h"
#include <FLAC/stream_decoder.h>
#include <math.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30, SIGNATURE = 4, BLOCK_HEAD = 4, CHECKSUM = 2, STREAMINFO = 0, LAST = 0x80 };

typedef struct source {
    const uint8_t *data;
    size_t bytes, at;
    hz_media *format;
    hz_bytes *out;                   /* lent; NULL: samples are left out */
    int64_t frames, promised;        /* decoded; what the head says, 0: nothing */
    int said;                        /* the host's message is set */
} source;

/* ---- what libFLAC asks for, and says ---- */

static FLAC__StreamDecoderReadStatus get(const FLAC__StreamDecoder *d, FLAC__byte *to, size_t *n, void *self)
{
    source *s = self;
    *n = *n < s->bytes - s->at ? *n : s->bytes - s->at;
    memcpy(to, s->data + s->at, *n);
    s->at += *n;
    return *n ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE : FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
}

static FLAC__StreamDecoderTellStatus tell(const FLAC__StreamDecoder *d, FLAC__uint64 *at, void *self)
{
    *at = ((source *)self)->at;
    return FLAC__STREAM_DECODER_TELL_STATUS_OK;
}

static void hear_metadata(const FLAC__StreamDecoder *d, const FLAC__StreamMetadata *m, void *self)
{
    source *s = self;
    if (m->type == FLAC__METADATA_TYPE_STREAMINFO)
        s->promised = (int64_t)m->data.stream_info.total_samples;
}

static void hear_error(const FLAC__StreamDecoder *d, FLAC__StreamDecoderErrorStatus status, void *self)
{
    source *s = self;
    if (!s->said)
        flac_host->fail("libFLAC says: %s", FLAC__StreamDecoderErrorStatusString[status]);
    s->said = 1;
}

static int fits(source *s, const FLAC__FrameHeader *h)
{
    size_t more = (size_t)h->blocksize * h->channels * sizeof(float);
    if (s->frames == 0) {
        s->format->channels = (int)h->channels;
        s->format->rate = h->sample_rate;
    }
    if (s->format->channels != (int)h->channels || s->format->rate != h->sample_rate)
        return flac_host->fail("the stream goes from %d channels at %g Hz to %u at %u Hz; needs one format",
                               s->format->channels, s->format->rate, h->channels, h->sample_rate);
    if (s->out && s->out->size + more > MOST_BYTES)
        return flac_host->fail("the sound takes more than %d bytes", MOST_BYTES);
    return s->out ? flac_host->grow(s->out, s->out->size + more) : 0;
}

static FLAC__StreamDecoderWriteStatus take(const FLAC__StreamDecoder *d, const FLAC__Frame *frame,
                                           const FLAC__int32 *const x[], void *self)
{
    source *s = self;
    const FLAC__FrameHeader *h = &frame->header;
    if (fits(s, h)) {
        s->said = 1;
        return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    }
    s->frames += h->blocksize;
    if (!s->out)
        return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
    float *to = (float *)(void *)(s->out->data + s->out->size), unit = ldexpf(1, 1 - (int)h->bits_per_sample);
    for (uint32_t i = 0; i < h->blocksize; i++)
        for (uint32_t k = 0; k < h->channels; k++)
            *to++ = (float)x[k][i] * unit;
    s->out->size += (size_t)h->blocksize * h->channels * sizeof(float);
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static FLAC__StreamDecoder *begin(source *s)
{
    FLAC__StreamDecoder *d = FLAC__stream_decoder_new();
    if (!d) {
        flac_host->fail("libFLAC could not begin; memory may be short");
        return NULL;
    }
    FLAC__stream_decoder_set_md5_checking(d, s->out != NULL);
    if (!FLAC__stream_decoder_init_stream(d, get, NULL, tell, NULL, NULL, take, hear_metadata, hear_error, s))
        return d;
    flac_host->fail("libFLAC could not begin; memory may be short");
    FLAC__stream_decoder_delete(d);
    return NULL;
}

/* ---- decoding ---- */

static int end(FLAC__StreamDecoder *d, source *s)
{
    int whole = FLAC__stream_decoder_finish(d);
    if (s->said)
        return -1;
    if (s->frames == 0 || s->frames < s->promised)
        return flac_host->fail("the stream ends after %lld frames of %lld", (long long)s->frames,
                               (long long)s->promised);
    return whole ? 0 : flac_host->fail("the samples of the stream do not have its checksum");
}

int flac_decode(const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    source s = { .data = bytes, .bytes = count, .format = format, .out = out };
    FLAC__StreamDecoder *d = begin(&s);
    if (!d)
        return -1;
    if (!FLAC__stream_decoder_process_until_end_of_stream(d) && !s.said) {
        flac_host->fail("libFLAC says: %s", FLAC__stream_decoder_get_resolved_state_string(d));
        s.said = 1;
    }
    int status = end(d, &s);
    FLAC__stream_decoder_delete(d);
    format->frames = s.frames;
    return status;
}

/* ---- the account ---- */

/* Names what stands before the first frame; where that begins, 0 after host->fail. */
static size_t name_metadata(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t at = SIGNATURE;
    int last = bytes < SIGNATURE || memcmp(p, "fLaC", SIGNATURE);
    if (last || flac_host->part(account, HZ_CONTAINER, SIGNATURE))
        return last ? (flac_host->fail("the stream does not begin as FLAC"), 0) : 0;
    while (!last && at + BLOCK_HEAD <= bytes) {
        size_t size = BLOCK_HEAD + ((size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3]);
        last = p[at] & LAST;
        size = size < bytes - at ? size : bytes - at;
        if (flac_host->part(account, (p[at] & ~LAST) == STREAMINFO ? HZ_TABLES : HZ_CONTAINER, size))
            return 0;
        at += size;
    }
    return at;
}

/* Bytes of a frame's head: codes, its number (as UTF-8), a size and a rate that have no code, a checksum. */
static size_t head_of(const uint8_t *p)
{
    int first = p[4], size = p[2] >> 4, rate = p[2] & 15;
    size_t n = 5;
    for (int bit = 0x40; first & 0x80 && first & bit; bit >>= 1)
        n++;
    n += size == 6 ? 1 : size == 7 ? 2 : 0;
    n += rate == 12 ? 1 : rate == 13 || rate == 14 ? 2 : 0;
    return n + 1;
}

static int name_frame(const uint8_t *p, size_t bytes, hz_account *account)
{
    size_t head = bytes > 5 ? head_of(p) : bytes;
    if (head + CHECKSUM > bytes)
        return flac_host->part(account, HZ_CONTAINER, bytes);
    return flac_host->part(account, HZ_CONTAINER, head) || flac_host->part(account, HZ_PAYLOAD, bytes - head - CHECKSUM)
           || flac_host->part(account, HZ_CONTAINER, CHECKSUM);
}

/* libFLAC says where each frame ends; what is behind the last one is container. */
int flac_account(const uint8_t *bytes, size_t count, hz_account *account)
{
    hz_media format = { .kind = HZ_AUDIO };
    source s = { .data = bytes, .bytes = count, .format = &format };
    size_t at = name_metadata(bytes, count, account);
    FLAC__StreamDecoder *d = at ? begin(&s) : NULL;
    FLAC__uint64 until;
    if (!d)
        return -1;
    int status = FLAC__stream_decoder_process_until_end_of_metadata(d) ? 0 : -1;
    while (!status && FLAC__stream_decoder_process_single(d) && !s.said
           && FLAC__stream_decoder_get_decode_position(d, &until) && until > at && until <= count) {
        status = name_frame(bytes + at, (size_t)until - at, account);
        at = (size_t)until;
    }
    FLAC__stream_decoder_delete(d);
    return status || flac_host->part(account, HZ_CONTAINER, count - at) ? -1 : 0;
}

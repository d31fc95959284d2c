/* encode.c: sounds to FLAC by libFLAC, exactly: as whole numbers of 16, 24 or 32 bits, whichever is the first to hold
   every sample. */
#include "flac.h"
#include <FLAC/stream_encoder.h>
#include <math.h>
#include <string.h>

enum { CHUNK = 4096 };

typedef struct sink {
    hz_bytes *out;                   /* lent */
    size_t at;                       /* where the next bytes go: libFLAC comes back to the head in the end */
    int said;                        /* the host's message is set */
} sink;

static FLAC__StreamEncoderWriteStatus put(const FLAC__StreamEncoder *e, const FLAC__byte *p, size_t n, uint32_t samples,
                                          uint32_t frame, void *self)
{
    sink *s = self;
    if (flac_host->grow(s->out, s->at + n)) {
        s->said = 1;
        return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
    }
    memcpy(s->out->data + s->at, p, n);
    s->at += n;
    s->out->size = s->at > s->out->size ? s->at : s->out->size;
    return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static FLAC__StreamEncoderSeekStatus seek(const FLAC__StreamEncoder *e, FLAC__uint64 to, void *self)
{
    sink *s = self;
    if (to > s->out->size)
        return FLAC__STREAM_ENCODER_SEEK_STATUS_ERROR;
    s->at = (size_t)to;
    return FLAC__STREAM_ENCODER_SEEK_STATUS_OK;
}

static FLAC__StreamEncoderTellStatus tell(const FLAC__StreamEncoder *e, FLAC__uint64 *at, void *self)
{
    *at = ((sink *)self)->at;
    return FLAC__STREAM_ENCODER_TELL_STATUS_OK;
}

/* ---- how many bits ---- */

static int holds(int bits, float x)
{
    double v = ldexp((double)x, bits - 1), most = ldexp(1, bits - 1);
    return v == floor(v) && v >= -most && v < most;
}

/* 0 after host->fail. */
static int bits_of(const hz_media *in)
{
    static const int depths[] = { 16, 24, 32 };
    const float *x = in->data;
    int depth = 0;
    for (int64_t i = 0; i < in->frames * in->channels; i++)
        while (!holds(depths[depth], x[i]))
            if (++depth == 3) {
                flac_host->fail("frame %lld of the sound has the sample %.9g; needs whole numbers of at most 32 bits "
                                "over 2^31, -1 to below 1: round sounds to 16 or 24 bits",
                                (long long)(i / in->channels), (double)x[i]);
                return 0;
            }
    return depths[depth];
}

/* ---- encoding ---- */

static int refuse(const FLAC__StreamEncoder *e, const sink *s)
{
    return s->said ? -1 : flac_host->fail("libFLAC says: %s", FLAC__stream_encoder_get_resolved_state_string(e));
}

static int begin(FLAC__StreamEncoder *e, int level, int bits, const hz_media *in, sink *s)
{
    FLAC__stream_encoder_set_channels(e, (uint32_t)in->channels);
    FLAC__stream_encoder_set_bits_per_sample(e, (uint32_t)bits);
    FLAC__stream_encoder_set_sample_rate(e, (uint32_t)in->rate);
    FLAC__stream_encoder_set_compression_level(e, (uint32_t)level);
    FLAC__stream_encoder_set_streamable_subset(e, 0);
    FLAC__stream_encoder_set_total_samples_estimate(e, (FLAC__uint64)in->frames);
    FLAC__StreamEncoderInitStatus status = FLAC__stream_encoder_init_stream(e, put, seek, tell, NULL, s);
    if (!status)
        return 0;
    return s->said ? -1 : flac_host->fail("libFLAC says of %d channels of %d bits at %g Hz: %s", in->channels, bits,
                                          in->rate, FLAC__StreamEncoderInitStatusString[status]);
}

static int run(FLAC__StreamEncoder *e, int bits, const hz_media *in, const sink *s)
{
    FLAC__int32 part[CHUNK * MOST_CHANNELS];
    const float *x = in->data;
    for (int64_t at = 0; at < in->frames; at += CHUNK) {
        int64_t n = in->frames - at < CHUNK ? in->frames - at : CHUNK;
        for (int64_t i = 0; i < n * in->channels; i++)
            part[i] = (FLAC__int32)ldexp((double)*x++, bits - 1);
        if (!FLAC__stream_encoder_process_interleaved(e, part, (uint32_t)n))
            return refuse(e, s);
    }
    return FLAC__stream_encoder_finish(e) ? 0 : refuse(e, s);
}

int flac_encode(int level, const hz_media *in, hz_bytes *out)
{
    sink s = { .out = out };
    int bits = bits_of(in), status = -1;
    if (in->rate != floor(in->rate) || in->rate > FLAC__MAX_SAMPLE_RATE)
        return flac_host->fail("the sound has %g frames per second; needs a whole number of at most %u", in->rate,
                               FLAC__MAX_SAMPLE_RATE);
    FLAC__StreamEncoder *e = bits ? FLAC__stream_encoder_new() : NULL;
    if (e)
        status = begin(e, level, bits, in, &s) || run(e, bits, in, &s) ? -1 : 0;
    else if (bits)
        status = flac_host->fail("libFLAC could not begin; memory may be short");
    if (e)
        FLAC__stream_encoder_delete(e);
    return status;
}

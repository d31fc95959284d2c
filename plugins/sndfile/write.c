/* write.c: sounds as files without loss: WAV and AIFF of 16 or 24 bits or of floats, FLAC of 16 or 24 bits. A sample x
   of b bits is the whole number x * 2^(b-1), as in reading; the library's own conversion of floats uses one less. */
#include "files.h"
#include <math.h>
#include <string.h>

#define host sndfile_host

enum { PORTION = 4096 };             /* samples that are converted at once */

static const struct { const char *kind; int format, floats; } kinds[] = {
    { "wav", SF_FORMAT_WAV, 1 }, { "aiff", SF_FORMAT_AIFF, 1 }, { "flac", SF_FORMAT_FLAC, 0 },
};

/* Are all samples whole numbers of so many bits? */
static int holds(const float *x, int64_t count, int bits)
{
    const double scale = ldexp(1, bits - 1);
    for (int64_t i = 0; i < count; i++) {
        double v = (double)x[i] * scale;
        if (v < -scale || v > scale - 1 || v != rint(v))
            return 0;
    }
    return 1;
}

static int fewest(const float *x, int64_t count, int floats)
{
    if (holds(x, count, 16))
        return 16;
    return floats && !holds(x, count, 24) ? 32 : 24;
}

static int format_of(int bits)
{
    return bits == 16 ? SF_FORMAT_PCM_16 : bits == 24 ? SF_FORMAT_PCM_24 : SF_FORMAT_FLOAT;
}

/* The largest positive number of b bits is 1 - 2^(1-b): 1 itself becomes that. What is louder is refused. */
static int round_to(const float *x, int count, int bits, int *out)
{
    const double scale = ldexp(1, bits - 1);
    for (int i = 0; i < count; i++) {
        double v = rint((double)x[i] * scale);
        if (!(fabs((double)x[i]) <= 1))
            return host->fail("a sample is %g; needs -1 to 1 in %d bits", (double)x[i], bits);
        out[i] = (int)(v > scale - 1 ? scale - 1 : v) * (1 << (32 - bits));
    }
    return 0;
}

static int push_rounded(SNDFILE *f, const float *x, int64_t count, int bits)
{
    int portion[PORTION];
    for (int64_t at = 0; at < count; at += PORTION) {
        int n = (int)(count - at < PORTION ? count - at : PORTION);
        if (round_to(x + at, n, bits, portion))
            return -1;
        if (sf_write_int(f, portion, n) != n)
            return host->fail("libsndfile says: %s", sf_strerror(f));
    }
    return 0;
}

static int push_all(SNDFILE *f, const hz_media *in, int bits)
{
    int64_t count = in->frames * in->channels;
    if (bits < 32)
        return push_rounded(f, in->data, count, bits);
    return sf_write_float(f, in->data, count) == count ? 0 : host->fail("libsndfile says: %s", sf_strerror(f));
}

static int write_as(const hz_media *in, int format, int bits, hz_bytes *out)
{
    memory_file memory = { .out = out };
    SF_INFO info = { .format = format | format_of(bits), .channels = in->channels, .samplerate = (int)in->rate };
    SNDFILE *f = sf_open_virtual(&memory_calls, SFM_WRITE, &info, &memory);
    if (!f)
        return host->fail("%d channels of %d bits at %g Hz: libsndfile says: %s", in->channels, bits, in->rate,
                          sf_strerror(NULL));
    int status = push_all(f, in, bits);
    int closed = sf_close(f);
    if (!status && !memory.failed && closed)
        return host->fail("libsndfile says: %s", sf_error_number(closed));
    return status || memory.failed ? -1 : 0;
}

int sndfile_write(const hz_media *in, const char *kind, int bits, hz_bytes *out)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].kind, kind)) {
            if (!bits)
                bits = fewest(in->data, in->frames * in->channels, kinds[i].floats);
            if (bits == 32 && !kinds[i].floats)
                return host->fail("%s has no samples of 32 bits; needs 16 or 24", kind);
            return write_as(in, kinds[i].format, bits, out);
        }
    return host->fail("'%s' is no kind of file that is written; have wav, aiff, flac", kind);
}

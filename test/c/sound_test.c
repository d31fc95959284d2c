/* sound_test.c: sounds through the door for codecs: what a codec takes, delay and tail that are cut off, whole sets
   whose sounds differ in length. The codec is test/plugins/pcm.c. */
#define _GNU_SOURCE
#include "hz/measure.h"
#include "plugins.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>

enum { MOST = 700 };                  /* frames of the longest sound here */
static const int lengths[] = { 1, 2, 3, 99, 256, 257, 512, MOST };

/* A tone with overtones, the same for the same number: float (frames,channels). */
static void tone(float *x, int64_t frames, int channels, int number)
{
    for (int64_t i = 0; i < frames; i++)
        for (int k = 0; k < channels; k++)
            x[i * channels + k] = 0.6f * sinf(0.03f * (float)(i * (number + 1)) + (float)k) +
                                  0.3f * sinf(0.2f * (float)i);
}

static hz_media sound_of(const float *x, int64_t frames, int channels, double rate)
{
    return (hz_media){ .kind = HZ_AUDIO, .frames = frames, .channels = channels, .rate = rate, .data = x };
}

/* The samples, rounded to 16 bit: what pcm leaves of them. */
static void check_rounded(const float *got, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == (float)lrintf(x[i] * 32767.0f) / 32767.0f, "sample %lld of %lld is %g; was %g",
                      (long long)i, (long long)count, (double)got[i], (double)x[i]);
}

static const char *const timings[] = { "", "delay=0;tail=0", "delay=1;tail=0", "delay=0;tail=7",
                                       "delay=1105;tail=1152" };

START_TEST(one_sound_comes_back_aligned)
{
    hz_codec *c = hz_codec_new("pcm", timings[_i]);
    float x[2 * MOST];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int channels = 1; channels <= 2; channels++) {
            tone(x, lengths[i], channels, 1);
            hz_media in = sound_of(x, lengths[i], channels, 44100), out;
            hz_stream s;
            OK(hz_codec_encode(c, &in, &s));
            ck_assert_int_eq(s.account.bytes[HZ_PAYLOAD], 2 * channels * lengths[i]);
            OK(hz_codec_decode(c, s.data, s.bytes, &out));
            ck_assert(out.kind == HZ_AUDIO && out.frames == lengths[i]);
            ck_assert(out.channels == channels && out.rate == 44100);
            check_rounded(out.data, x, lengths[i] * channels);
        }
    hz_codec_free(c);
}
END_TEST

/* With blocks the tail depends on the length: alone a stream keeps what the declared tail does not cover. */
START_TEST(the_tail_may_be_longer)
{
    hz_codec *c = hz_codec_new("pcm", "delay=100;tail=10;block=64");
    float x[300], back[300];
    tone(x, 300, 1, 1);
    hz_media in = sound_of(x, 300, 1, 8000), out;
    hz_stream s;
    OK(hz_codec_encode(c, &in, &s));
    OK(hz_codec_decode(c, s.data, s.bytes, &out));
    ck_assert_int_eq(out.frames, 448 - 100 - 10);
    check_rounded(out.data, x, 300);
    OK(hz_codec_recode(c, &in, 1, back, sizeof back, NULL, NULL, 1));
    check_rounded(back, x, 300);
    hz_codec_free(c);
}
END_TEST

/* ---- sets ---- */

enum { SOUNDS = 60 };

typedef struct collection {
    float *samples, *decoded;         /* SOUNDS places of 2 * MOST */
    hz_media items[SOUNDS];
} collection;

static collection collect(int channels)
{
    collection set = { .samples = calloc(SOUNDS * 2 * MOST, sizeof(float)) };
    set.decoded = calloc(SOUNDS * 2 * MOST, sizeof(float));
    for (int i = 0; i < SOUNDS; i++) {
        float *x = set.samples + i * 2 * MOST;
        int frames = lengths[i * 7 % 8];
        tone(x, frames, channels, i);
        set.items[i] = sound_of(x, frames, channels, 8000);
    }
    return set;
}

static void discard(collection *set)
{
    free(set->samples);
    free(set->decoded);
}

enum { STRIDE = 2 * MOST * sizeof(float) };

START_TEST(sets_equal_one_by_one)
{
    for (int channels = 1; channels <= 2; channels++) {
        collection set = collect(channels);
        hz_codec *c = hz_codec_new("pcm", timings[_i]);
        for (int threads = 1; threads <= 4; threads += 3) {
            hz_recoded out[SOUNDS];
            hz_tables *tables = hz_tables_new();
            memset(set.decoded, 0, SOUNDS * STRIDE);
            OK(hz_codec_recode(c, set.items, SOUNDS, set.decoded, STRIDE, out, tables, threads));
            for (int i = 0; i < SOUNDS; i++) {
                const float *got = set.decoded + i * 2 * MOST;
                int64_t count = set.items[i].frames * channels;
                check_rounded(got, set.items[i].data, count);
                for (int64_t k = count; k < 2 * MOST; k++)
                    ck_assert(got[k] == 0);             /* the rest of a place is not touched */
                ck_assert(out[i].payload == 2 * count && out[i].tables == 9 && out[i].container == 4);
            }
            ck_assert_int_eq(hz_tables_count(tables), 8);               /* one header for each length */
            hz_tables_free(tables);
        }
        hz_codec_free(c);
        discard(&set);
    }
}
END_TEST

/* 16 bits leave the error of rounding: uniform within half a step. */
START_TEST(a_set_is_measured)
{
    collection set = collect(2);
    hz_codec *c = hz_codec_new("pcm", "");
    double sum[2] = { 0, 0 }, each[SOUNDS], samples = 0;
    OK(hz_codec_recode(c, set.items, SOUNDS, set.decoded, STRIDE, NULL, NULL, 0));
    for (int k = 0; k < 2; k++) {
        OK(hz_measure_items(hz_measure_at(HZ_AUDIO, k), set.items, SOUNDS, set.decoded, STRIDE, each, 0));
        for (int i = 0; i < SOUNDS; i++)
            sum[k] += each[i];
    }
    for (int i = 0; i < SOUNDS; i++)
        samples += (double)(set.items[i].frames * 2);
    ck_assert_double_eq_tol(sum[0] / samples * 32767 * 32767, 1.0 / 12, 0.003);
    ck_assert_double_eq_tol(hz_snr(sum[1], sum[0]), 10 * log10(sum[1] / sum[0]), 1e-12);
    ck_assert(hz_snr(sum[1], sum[0]) > 90);
    hz_codec_free(c);
    discard(&set);
}
END_TEST

/* ---- rates that a codec does not take ---- */

/* pcm has 8000 and 44100 Hz: what comes at another rate is resampled to the next above, else below, and back. */
static const struct { double rate; const char *note; } others[] = {
    { 6000, "6000 Hz become 8000 Hz (" }, { 8000, "" }, { 22050, "22050 Hz become 44100 Hz (" }, { 44100, "" },
    { 96000, "96000 Hz become 44100 Hz (" },
};

START_TEST(sounds_at_any_rate)
{
    enum { FRAMES = 6000 };
    if (!hz_sound_resampler_name())
        return;
    static float x[FRAMES], back[FRAMES];
    double rate = others[_i].rate, error = 0;
    hz_codec *c = hz_codec_new("pcm", "");
    for (int i = 0; i < FRAMES; i++)
        x[i] = 0.5f * sinf((float)(2 * M_PI * 440 / rate) * (float)i) * sinf((float)M_PI / FRAMES * (float)i);
    hz_media in = sound_of(x, FRAMES, 1, rate), out;
    hz_stream s;
    const char *note;
    OK(hz_codec_encode(c, &in, &s));
    OK(hz_codec_decode_as(c, s.data, s.bytes, &in, &out));
    ck_assert(out.frames == FRAMES && out.rate == rate && out.channels == 1);
    OK(hz_codec_recode(c, &in, 1, back, sizeof back, NULL, NULL, 1));
    ck_assert(!memcmp(back, out.data, sizeof back));
    for (int i = 0; i < FRAMES; i++)
        error = fmax(error, fabs((double)back[i] - (double)x[i]));
    ck_assert_double_lt(error, 1e-3);
    OK(hz_codec_note_of(c, &in, &note));
    ck_assert_msg(!strncmp(note, others[_i].note, strlen(others[_i].note)) && !*note == !*others[_i].note, "%s", note);
    hz_codec_free(c);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(sounds_that_are_refused)
{
    hz_codec *c = hz_codec_new("pcm", "");
    float x[8] = { 0 };
    hz_stream s;
    hz_media in = sound_of(x, 2, 3, 8000);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    ck_assert_str_eq(hz_message(), "pcm: the item has 3 channels; needs 1 or 2");
    in = sound_of(x, 0, 1, 8000);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    SAYS("pcm: the sound has 0 frames of 1 channels at 8000 Hz; needs at least 1 of each");
    for (int i = 0; i < 3; i++) {
        in = sound_of(x, 2, 1, i == 0 ? 0 : i == 1 ? NAN : INFINITY);
        ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    }
    in = sound_of(x, INT64_MAX, 2, 8000);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    in = (hz_media){ .kind = HZ_IMAGE, .height = 1, .width = 1, .channels = 1, .data = x };
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_EARG);
    ck_assert_str_eq(hz_message(), "pcm: the item is an image; needs a sound");
    hz_codec_free(c);
}
END_TEST

START_TEST(the_lowest_failing_sound_is_named)
{
    collection set = collect(1);
    hz_codec *c = hz_codec_new("pcm", "");
    for (int i = 37; i < SOUNDS; i++)
        ((float *)set.items[i].data)[0] = NAN;
    for (int threads = 1; threads <= 4; threads++) {
        ck_assert_int_eq(hz_codec_recode(c, set.items, SOUNDS, set.decoded, STRIDE, NULL, NULL, threads), HZ_EARG);
        SAYS("recode: sound 37 of 60: pcm: sample 0 is nan; needs -1..1");
    }
    ((float *)set.items[5].data)[0] = 2;
    ck_assert_int_eq(hz_codec_recode(c, set.items, SOUNDS, set.decoded, STRIDE, NULL, NULL, 2), HZ_EARG);
    SAYS("recode: sound 5 of 60: pcm: sample 0 is 2; needs -1..1");
    hz_codec_free(c);
    discard(&set);
}
END_TEST

/* A declared delay that is not true: past the end of the stream, or negative. */
static const struct { const char *values, *message; } lies[] = {
    { "delay=5;tail=0;lie=6", "pcm: decoded to 15 frames of 1 channels at 8000 Hz, of which 11 are delay and 0 tail" },
    { "delay=5;tail=0;lie=90000", "of which 90005 are delay and 0 tail; needs at least" },
    { "delay=5;tail=0;lie=-6", "pcm: declares a delay of -1 frames and a tail of 0; needs 0 or more" },
};

START_TEST(delays_that_lie)
{
    hz_codec *c = hz_codec_new("pcm", lies[_i].values);
    float x[10] = { 0 }, back[10];
    hz_media in = sound_of(x, 10, 1, 8000), out;
    hz_stream s;
    ck_assert_int_ne(hz_codec_recode(c, &in, 1, back, sizeof back, NULL, NULL, 1), HZ_OK);
    SAYS(lies[_i].message);
    OK(hz_codec_encode(c, &in, &s));
    if (_i > 0) {
        ck_assert_int_ne(hz_codec_decode(c, s.data, s.bytes, &out), HZ_OK);
        SAYS(lies[_i].message);
    }
    hz_codec_free(c);
}
END_TEST

int main(void)
{
    if (load_plugins(""))
        return 1;
    return RUN_SUITE("sound", EACH(one_sound_comes_back_aligned, timings), ONCE(the_tail_may_be_longer),
                     EACH(sets_equal_one_by_one, timings), ONCE(a_set_is_measured), ONCE(sounds_that_are_refused),
                     EACH(sounds_at_any_rate, others),
                     ONCE(the_lowest_failing_sound_is_named), EACH(delays_that_lie, lies));
}

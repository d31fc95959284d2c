/* sound_codec_test.c: what codecs do with sounds: accounts that tile the stream, sounds of their originals' length at
   any rate, sets against one by one, streams that are damaged. Codecs whose library is missing are left out. */
#define _GNU_SOURCE
#include "hz/codec.h"
#include "plugins.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>

static const struct { const char *name, *values; } specs[] = {
    { "mp3", "" }, { "mp3", "bitrate=8" }, { "mp3", "bitrate=32;effort=9" }, { "mp3", "bitrate=320" },
    { "mp3", "quality=2" }, { "mp3", "quality=9.5" }, { "vorbis", "" }, { "vorbis", "quality=-1" },
    { "vorbis", "quality=10" }, { "opus", "" }, { "opus", "bitrate=6;effort=0" }, { "opus", "bitrate=510" },
    { "flac", "" }, { "flac", "level=0" }, { "flac", "level=8" }, { "flac|mp3", "" }, { "mp3:32|opus", "" },
    { "halver|pcm", "" }, { "halver|mp3", "bitrate=32" }, { "opus|halver|halver:rest=3|vorbis", "" }, { "mp3|pcm", "" },
    { "depth_audio", "bits=1" }, { "depth_audio", "" }, { "depth_audio", "bits=16" }, { "mp3|depth_audio:13|flac", "" },
};
static const int lengths[] = { 1, 2, 575, 576, 1105, 1152, 1153, 5000 };
static const double rates[] = { 8000, 11025, 22050, 44100, 48000, 96000 };

static hz_codec *codec_or_null(const char *name, const char *values)
{
    if (!hz_codec_find(name))
        return NULL;
    hz_codec *c = hz_codec_new(name, values);
    ck_assert_msg(c != NULL, "%s", hz_message());
    return c;
}

/* Two tones and some noise, whole steps of 16 bits: new. */
static float *sound(int64_t frames, int channels, unsigned number)
{
    float *x = malloc((size_t)(frames * channels) * sizeof *x);
    unsigned state = number + 1;
    for (int64_t i = 0; i < frames * channels; i++) {
        double at = (double)(i / channels);
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(floor(9000 * sin(0.05 * at * (1 + (double)(i % channels))) + 3000 * sin(0.31 * at)
                             + (double)(state >> 20)) / 32768);
    }
    return x;
}

static hz_media sound_of(const float *x, int64_t frames, int channels, double rate)
{
    return (hz_media){ .kind = HZ_AUDIO, .frames = frames, .channels = channels, .rate = rate, .data = x };
}

/* ---- every byte of every stream has one name, and all of a sound comes back ---- */

static void check_account(const hz_stream *s)
{
    int64_t sum[HZ_PARTS] = { 0 }, at = 0;
    for (int64_t i = 0; i < s->account.count; i++) {
        const hz_segment *g = &s->account.segments[i];
        ck_assert_int_eq(g->offset, at);
        ck_assert_int_gt(g->bytes, 0);
        sum[g->part] += g->bytes;
        at += g->bytes;
    }
    ck_assert_int_eq(at, s->bytes);
    for (int i = 0; i < HZ_PARTS; i++)
        ck_assert_int_eq(sum[i], s->account.bytes[i]);
    ck_assert_int_gt(sum[HZ_CONTAINER], 0);
}

static void check_round_trip(hz_codec *c, int64_t frames, int channels, double rate)
{
    float *x = sound(frames, channels, 3);
    hz_media in = sound_of(x, frames, channels, rate), out;
    hz_stream s;
    OK(hz_codec_encode(c, &in, &s));
    check_account(&s);
    OK(hz_codec_decode(c, s.data, s.bytes, &out));
    ck_assert(out.kind == HZ_AUDIO && out.channels == channels && out.frames >= 1);
    if (out.rate == rate)
        ck_assert_int_ge(out.frames, frames);
    OK(hz_codec_decode_as(c, s.data, s.bytes, &in, &out));
    ck_assert(out.kind == HZ_AUDIO && out.channels == channels && out.frames == frames && out.rate == rate);
    for (int64_t i = 0; i < frames * channels; i++)
        ck_assert(isfinite(((const float *)out.data)[i]));
    if (hz_codec_find(hz_codec_name(c))->lossless)
        ck_assert(!memcmp(x, out.data, (size_t)(frames * channels) * sizeof *x));
    free(x);
}

START_TEST(accounts_add_up)
{
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values);
    for (size_t r = 0; c && hz_sound_resampler_name() && r < sizeof rates / sizeof *rates; r++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int channels = 1; channels <= 2; channels++)
                check_round_trip(c, lengths[i], channels, rates[r]);
    hz_codec_free(c);
}
END_TEST

/* ---- sets ---- */

enum { SOUNDS = 12, MOST = 5000, STRIDE = MOST * 2 * sizeof(float) };

START_TEST(recode_equals_one_by_one)
{
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values);
    float *one = calloc(SOUNDS, STRIDE), *bulk = calloc(SOUNDS, STRIDE);
    hz_media items[SOUNDS], out;
    hz_recoded got[SOUNDS];
    for (int i = 0; i < SOUNDS; i++) {
        int64_t frames = lengths[i % 8];
        items[i] = sound_of(sound(frames, 2, (unsigned)i), frames, 2, rates[i % 6]);
    }
    for (int threads = 1; c && hz_sound_resampler_name() && threads <= 3; threads++) {
        OK(hz_codec_recode(c, items, SOUNDS, bulk, STRIDE, got, NULL, threads));
        for (int i = 0; i < SOUNDS; i++) {
            hz_stream s;
            OK(hz_codec_encode(c, &items[i], &s));
            ck_assert(got[i].payload == s.account.bytes[HZ_PAYLOAD] && got[i].tables == s.account.bytes[HZ_TABLES]
                      && got[i].container == s.account.bytes[HZ_CONTAINER]);
            OK(hz_codec_decode_as(c, s.data, s.bytes, &items[i], &out));
            memcpy(one + i * 2 * MOST, out.data, (size_t)out.frames * 2 * sizeof(float));
        }
        ck_assert(!memcmp(one, bulk, (size_t)SOUNDS * STRIDE));
    }
    for (int i = 0; i < SOUNDS; i++)
        free((void *)items[i].data);
    free(one);
    free(bulk);
    hz_codec_free(c);
}
END_TEST

/* ---- damaged streams: a message or some sound, never a crash, and the instance still works ---- */

static void damage(hz_codec *c, const uint8_t *good, size_t n, int i)
{
    static unsigned state = 1;
    uint8_t *bad = malloc(n);
    hz_media out;
    size_t length = i < 200 ? n * (size_t)i / 200 : n;
    memcpy(bad, good, n);
    for (int flips = i < 200 ? 0 : 1 + i % 5; flips; flips--) {
        state = state * 1664525u + 1013904223u;
        bad[(state >> 4) % n] ^= (uint8_t)(1u << (state >> 28) % 8);
    }
    if (hz_codec_decode(c, bad, (int64_t)length, &out))
        SAYS(hz_codec_name(c));
    free(bad);
}

START_TEST(damaged_streams)
{
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values);
    float *x = sound(MOST, 2, 2), *decoded = malloc(STRIDE);
    hz_media in = sound_of(x, MOST, 2, 8000), out;
    hz_stream s;
    if (c) {
        OK(hz_codec_encode(c, &in, &s));
        OK(hz_codec_decode_as(c, s.data, s.bytes, &in, &out));
        memcpy(decoded, out.data, STRIDE);
        for (int i = 0; i < 1000; i++)
            damage(c, s.data, (size_t)s.bytes, i);
        OK(hz_codec_decode_as(c, s.data, s.bytes, &in, &out));
        ck_assert(!memcmp(decoded, out.data, STRIDE));
    }
    free(x);
    free(decoded);
    hz_codec_free(c);
}
END_TEST

/* ---- what is refused ---- */

static const struct { const char *name, *values; int channels; double rate; float first; const char *says; } bad[] = {
    { "mp3", "", 1, 8000, NAN, "mp3: frame 0 of the sound has a sample that is no finite number" },
    { "mp3", "", 1, 8000, INFINITY, "mp3: frame 0 of the sound has a sample that is no finite number" },
    { "mp3", "", 7, 8000, 0, "mp3: the item has 7 channels; needs 1 or 2" },
    { "mp3", "", 1, 8000.5, 0, "mp3: the sound has 8000.5 frames per second; needs a whole number of 1000..768000" },
    { "vorbis", "", 1, 8000, NAN, "vorbis: frame 0 of the sound has a sample that is no finite number" },
    { "vorbis", "", 2, 1e7, 0, "vorbis: libvorbisenc takes no sound of 2 channels at 1e+07 Hz for quality 3" },
    { "vorbis", "", 1, 8000.5, 0, "vorbis: libvorbisenc takes no sound of 1 channels at 8000.5 Hz for quality 3" },
    { "opus", "", 2, 8000, -INFINITY, "opus: frame 0 of the sound has a sample that is no finite number" },
    { "opus", "", 7, 8000, 0, "opus: the item has 7 channels; needs 1 or 2" },
    { "flac", "", 1, 8000, 1, "flac: frame 0 of the sound has the sample 1; needs whole numbers of at most 32 bits "
                              "over 2^31, -1 to below 1: round sounds to 16 or 24 bits" },
    { "flac", "", 1, 8000, NAN, "flac: frame 0 of the sound has the sample nan; needs whole numbers of at most 32 "
                                "bits over 2^31, -1 to below 1: round sounds to 16 or 24 bits" },
    { "flac", "", 1, 1e7, 0, "flac: the sound has 1e+07 frames per second; needs a whole number of at most 1048575" },
    { "mp3", "", 1, 1e7, 0, "mp3: the sound has 1e+07 frames per second; needs a whole number of 1000..768000" },
};

START_TEST(sounds_that_are_refused)
{
    hz_codec *c = codec_or_null(bad[_i].name, bad[_i].values);
    float x[2 * 7] = { bad[_i].first };
    hz_media in = sound_of(x, 2, bad[_i].channels, bad[_i].rate);
    hz_stream s;
    if (c) {
        ck_assert_int_ne(hz_codec_encode(c, &in, &s), HZ_OK);
        ck_assert_str_eq(hz_message(), bad[_i].says);
    }
    hz_codec_free(c);
}
END_TEST

int main(void)
{
    if (load_plugins(""))
        return 1;
    return RUN_SUITE("sound_codec", EACH(accounts_add_up, specs), EACH(recode_equals_one_by_one, specs),
                     EACH(damaged_streams, specs), EACH(sounds_that_are_refused, bad));
}

/* mel_test.c: log-mel spectrograms and clips by the C interface: forms that are none, memory lent and not, clips of any
   origin, what a set takes of memory. Values: test/lua/mel_test.lua; files: test/lua/clips_test.lua. */
#define _GNU_SOURCE
#include "hz/sound.h"
#include "plugins.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { FRAMES = 5000, BANDS = 20 };

static void tone(float *x, int64_t frames, int channels)
{
    for (int64_t i = 0; i < frames * channels; i++)
        x[i] = 0.5f * sinf(0.05f * (float)i) + 0.001f * (float)(i % 17);
}

static hz_mel_form form_of(int n_fft, int hop)
{
    hz_mel_form f;
    hz_mel_standard(&f);
    f.n_fft = n_fft;
    f.hop = hop;
    f.mels = BANDS;
    return f;
}

START_TEST(the_standard_is_librosas)
{
    hz_mel_form f;
    hz_mel_standard(&f);
    ck_assert(f.n_fft == 2048 && f.hop == 512 && f.mels == 96 && f.fmin == 0 && f.fmax == 0 && f.power == 2);
    ck_assert(f.top_db == 80 && f.edge == HZ_EDGE_REFLECT);
    ck_assert_int_eq(hz_mel_frames(&f, 88200), 173);
}
END_TEST

static const struct { double rate; hz_mel_form form; const char *says; } wrong[] = {
    { 0, { 64, 32, 4, 0, 0, 0, 2, 80 }, "the rate is 0 Hz; needs more than 0" },
    { NAN, { 64, 32, 4, 0, 0, 0, 2, 80 }, "the rate is nan Hz" },
    { 8000, { 1, 32, 4, 0, 0, 0, 2, 80 }, "n_fft is 1; needs 2 to 65536" },
    { 8000, { 64, 0, 4, 0, 0, 0, 2, 80 }, "hop is 0; needs at least 1" },
    { 8000, { 64, 32, 0, 0, 0, 0, 2, 80 }, "mels is 0; needs 1 to 4096" },
    { 8000, { 64, 32, 4, 2, 0, 0, 2, 80 }, "edge is 2; needs 0 or 1" },
    { 8000, { 64, 32, 4, 0, NAN, 0, 2, 80 }, "fmin is nan" },
    { 8000, { 64, 32, 4, 0, 0, 4001, 2, 80 }, "fmax is 4001 Hz; needs 0 <= fmin < fmax <= 4000, half the rate" },
    { 8000, { 64, 32, 4, 0, 0, 0, 0, 80 }, "power is 0 and top_db is 80" },
    { 8000, { 64, 32, 4, 0, 0, 0, 2, NAN }, "power is 2 and top_db is nan" },
};

START_TEST(forms_that_are_none)
{
    ck_assert(hz_mel_new(&wrong[_i].form, wrong[_i].rate) == NULL);
    SAYS(wrong[_i].says);
}
END_TEST

/* By lent memory and by its own, alone and among others: the same bits. */
START_TEST(memory_and_clips)
{
    static float x[2 * FRAMES], own[2 * BANDS * 200], lent[2 * BANDS * 200], many[3][2 * BANDS * 200];
    hz_mel_form f = form_of(256, 64);
    hz_mel *m = hz_mel_new(&f, 8000);
    tone(x, FRAMES, 2);
    size_t bytes = (size_t)(2 * BANDS * hz_mel_frames(&f, FRAMES)) * sizeof(float);
    OK(hz_mel_run(m, x, FRAMES, 2, own, NULL));
    void *room = aligned_alloc(64, hz_mel_room(m, FRAMES));
    OK(hz_mel_run(m, x, FRAMES, 2, lent, room));
    ck_assert(!memcmp(own, lent, bytes));
    hz_clip clips[3];
    for (int i = 0; i < 3; i++)
        clips[i] = (hz_clip){ .sound = { .kind = HZ_AUDIO, .channels = 2, .frames = FRAMES, .rate = 8000, .data = x } };
    hz_clip_form as = { .rate = 8000, .frames = FRAMES, .channels = 2 };
    float *out = malloc(3 * bytes);
    OK(hz_clips_mel(clips, 3, &as, &f, out, 2));
    for (int i = 0; i < 3; i++) {
        memcpy(many[i], (char *)out + (size_t)i * bytes, bytes);
        ck_assert_msg(clips[i].status == HZ_OK && clips[i].sound.data == x, "%s", clips[i].message);
        ck_assert(!memcmp(own, many[i], bytes));
    }
    free(out);
    free(room);
    hz_mel_free(m);
}
END_TEST

START_TEST(samples_that_are_none)
{
    float x[300], out[BANDS * 10];
    hz_mel_form f = form_of(64, 64);
    hz_mel *m = hz_mel_new(&f, 8000);
    tone(x, 300, 1);
    ck_assert_int_eq(hz_mel_run(m, x, 0, 1, out, NULL), HZ_ESHAPE);
    SAYS("the sound has 0 frames of 1 channels");
    x[299] = NAN;
    ck_assert_int_eq(hz_mel_run(m, x, 150, 2, out, NULL), HZ_ENUMERIC);
    SAYS("frame 150 of channel 2 is nan; needs finite samples");
    hz_mel_free(m);
}
END_TEST

START_TEST(clips_that_are_none)
{
    float x[8] = { 0 }, out[8];
    hz_clip clip = { .sound = { .kind = HZ_AUDIO, .channels = 1, .frames = 8, .rate = 8000, .data = x } };
    hz_clip_form as = { .rate = 8000, .frames = 8, .channels = 1 };
    ck_assert_int_eq(hz_clips_read(&clip, 0, &as, out, 1), HZ_EARG);
    SAYS("0 clips, 1 threads");
    ck_assert_int_eq(hz_clips_read(&clip, 1, &as, out, 257), HZ_EARG);
    as.codec = "none_such";
    ck_assert_int_eq(hz_clips_read(&clip, 1, &as, out, 1), HZ_EARG);
    SAYS("'none_such' is not loaded");
    as.codec = NULL;
    as.frames = INT64_MAX / 2;
    ck_assert_int_eq(hz_clips_read(&clip, 1, &as, out, 1), HZ_ESHAPE);
    as.frames = 8;
    clip.sound.rate = 8000.5;
    OK(hz_clips_read(&clip, 1, &as, out, 1));
    ck_assert_int_eq(clip.status, HZ_EFORMAT);
    ck_assert_str_eq(clip.message, "its rate is 8000.5 Hz; needs a whole number of 1 to 1000000");
    clip = (hz_clip){ .path = "/none/such" };
    OK(hz_clips_scan(&clip, 1, 1));
    ck_assert_str_eq(clip.message, "opening: No such file or directory");
}
END_TEST

/* What a codec made, decoded by it: its delay and tail are gone. */
START_TEST(streams_of_a_codec)
{
    static float x[FRAMES], out[2][FRAMES];
    hz_codec *c = hz_codec_new("pcm", "");
    tone(x, FRAMES, 1);
    hz_media in = { .kind = HZ_AUDIO, .channels = 1, .frames = FRAMES, .rate = 8000, .data = x };
    hz_stream s;
    OK(hz_codec_encode(c, &in, &s));
    hz_clip clips[2] = { { .stream = s.data, .bytes = s.bytes }, { .stream = s.data, .bytes = 3 } };
    hz_clip_form as = { .rate = 8000, .frames = FRAMES, .channels = 1, .codec = "pcm" };
    OK(hz_clips_read(clips, 2, &as, out[0], 2));
    ck_assert_msg(clips[0].status == HZ_OK, "%s", clips[0].message);
    ck_assert_str_eq(clips[0].kind, "pcm");
    ck_assert(clips[1].status != HZ_OK && clips[1].message[0]);
    for (int i = 0; i < FRAMES; i++)
        ck_assert(fabsf(out[0][i] - x[i]) < 1e-4f);
    hz_codec_free(c);
}
END_TEST

/* A set needs what it becomes, and for each thread one file with its samples. */
START_TEST(memory_is_that_of_one_clip_per_thread)
{
    enum { CLIPS = 400, LONG = 100000, BYTES = LONG * 4 };
    static float x[LONG];
    hz_mel_form f = form_of(2048, 2048);
    uint8_t *file;
    int64_t bytes;
    tone(x, LONG, 1);
    hz_media in = { .kind = HZ_AUDIO, .channels = 1, .frames = LONG, .rate = 44100, .data = x };
    if (getenv("HZ_SANITIZER") || hz_sound_write(&in, "wav", 32, &file, &bytes))
        return;                      /* it keeps what is freed; libsndfile is not installed */
    hz_clip *clips = calloc(CLIPS, sizeof *clips);
    hz_clip_form as = { .rate = 44100, .frames = LONG, .channels = 1 };
    float *out = malloc((size_t)(CLIPS * BANDS * hz_mel_frames(&f, LONG)) * sizeof *out);
    for (int i = 0; i < CLIPS; i++)
        clips[i] = (hz_clip){ .stream = file, .bytes = bytes };
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    OK(hz_clips_mel(clips, CLIPS, &as, &f, out, 2));
    getrusage(RUSAGE_SELF, &after);
    for (int i = 0; i < CLIPS; i++)
        ck_assert_msg(clips[i].status == HZ_OK, "%s", clips[i].message);
    long grown = (after.ru_maxrss - before.ru_maxrss) * 1024;
    ck_assert_msg(grown < 40L * BYTES, "%ld bytes more for clips of %d", grown, BYTES);
    free(out);
    free(clips);
    hz_sound_release(file);
}
END_TEST

int main(void)
{
    if (load_plugins(""))
        return 1;
    return RUN_SUITE("mel", ONCE(the_standard_is_librosas), EACH(forms_that_are_none, wrong), ONCE(memory_and_clips),
                     ONCE(samples_that_are_none), ONCE(clips_that_are_none), ONCE(streams_of_a_codec),
                     ONCE(memory_is_that_of_one_clip_per_thread));
}

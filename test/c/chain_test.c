/* chain_test.c: composed codecs: names, parameters, what stages make of items, streams that tell their own shapes, and
   what is said of names that mean nothing. */
#define _GNU_SOURCE
#include "hz/codec.h"
#include "plugins.h"
#include "suite.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static uint8_t *picture(int64_t h, int64_t w, int c)
{
    uint8_t *p = malloc((size_t)(h * w * c));
    for (int64_t i = 0; i < h * w * c; i++)
        p[i] = (uint8_t)((i / c % w) * 7 + (i / c / w) * 5 + i % c * 40 + i * i % 23);
    return p;
}

static hz_media image_of(const uint8_t *p, int64_t h, int64_t w, int c)
{
    return (hz_media){ .kind = HZ_IMAGE, .height = h, .width = w, .channels = c, .data = p };
}

/* ---- names and parameters ---- */

/* A name, values, and all values of the codec, of which the text begins so. */
static const struct { const char *name, *values, *called, *text; } named[] = {
    { "skeleton:3", "", "skeleton:3", "bits=3" },
    { " skeleton : bits = 3 ", "bits=3", "skeleton:bits=3", "bits=3" },
    { "depth:3|skeleton", "", "depth:3|skeleton", "depth.bits=3;skeleton.bits=4" },
    { "depth|skeleton", "depth.bits=2;skeleton.bits=1", "depth|skeleton", "depth.bits=2;skeleton.bits=1" },
    { "resize|skeleton", "size=8;bits=2", "resize|skeleton",
      "resize.size=8;resize.filter=box;resize.sides=smaller;skeleton.bits=2" },
    { "resize:16:filter=lanczos | skeleton:8", "sides=both", "resize:16:filter=lanczos|skeleton:8",
      "resize.size=16;resize.filter=lanczos;resize.sides=both;skeleton.bits=8" },
    { "resize:filter=lanczos|skeleton", "size=9", "resize:filter=lanczos|skeleton",
      "resize.size=9;resize.filter=lanczos;resize.sides=smaller;skeleton.bits=4" },
    { "depth|depth:3|depth", "depth2.bits=3;depth3.bits=1", "depth|depth:3|depth",
      "depth.bits=4;depth2.bits=3;depth3.bits=1" },
    { "odd_vector:weights=1:2:3:on=false|skeleton", "", "odd_vector:weights=1:2:3:on=false|skeleton",
      "odd_vector.level=-1;odd_vector.on=false;odd_vector.weights=1,2,3;" },
    { "odd_vector:7", "", "odd_vector:7", "level=7;on=true;" },
    { "halver|pcm", "rest=2;delay=5", "halver|pcm", "halver.rest=2;pcm.delay=5;" },
};

START_TEST(names)
{
    hz_codec *c = hz_codec_new(named[_i].name, named[_i].values);
    ck_assert_msg(c != NULL, "%s", hz_message());
    ck_assert_str_eq(hz_codec_name(c), named[_i].called);
    ck_assert_msg(!strncmp(hz_codec_text(c), named[_i].text, strlen(named[_i].text)), "%s", hz_codec_text(c));
    const hz_codec_api *api = hz_codec_find(named[_i].name);
    ck_assert_ptr_eq(api, hz_codec_find(named[_i].called));
    ck_assert_str_eq(api->name, named[_i].called);
    ck_assert_ptr_nonnull(hz_codec_params(api));
    for (int i = 0; i < hz_codec_count(); i++)
        ck_assert_ptr_ne(hz_codec_at(i), api);
    hz_codec_free(c);
}
END_TEST

/* A name, values, and what is said. */
static const struct { const char *name, *values, *message; } refused[] = {
    { "resize|", "", "codec: 'resize|' has no codec at stage 2; needs NAME, NAME:VALUE or NAME:parameter=value" },
    { "|skeleton", "", "codec: '|skeleton' has no codec at stage 1; needs" },
    { "resize:16||skeleton", "", "has no codec at stage 2; needs" },
    { "|", "", "has no codec at stage 1; needs" },
    { ":", "", "has no codec at stage 1; needs" },
    { " : 3", "", "codec: ':3' has no codec at stage 1; needs" },
    { "resize|:3", "", "codec: 'resize|:3' has no codec at stage 2; needs" },
    { "resiz|skeleton", "", "codec: 'resiz' of 'resiz|skeleton' is not loaded; have " },
    { "skeleton|resiz:3", "", "codec: 'resiz' of 'resiz:3' is not loaded; have " },
    { "skeleton:", "", "codec: 'skeleton:': a value is empty; needs NAME, NAME:VALUE" },
    { "skeleton:9", "", "codec: 'skeleton:9': bits is 9; needs 1..8" },
    { "resize:0|skeleton", "", "codec: 'resize:0': size is 0; needs 1..65536" },
    { "resize:16:filter=bx|skeleton", "", "codec: 'resize:16:filter=bx': filter is 'bx'; needs box, lanczos" },
    { "skeleton:bit=3", "", "codec: 'skeleton:bit=3': 'bit' is no parameter; has bits" },
    { "skeleton:3:4", "", "codec: 'skeleton:3:4': the value '4' has no name; needs parameter=value" },
    { "skeleton:3:bits=4", "", "codec: 'skeleton:3:bits=4': bits is given twice; needs one value" },
    { "odd_vector:weights=1:2", "", "weights has 2 numbers; needs 3" },
    { "raw|skeleton", "", "codec: stage 1 of 'raw|skeleton' is raw, which encodes nothing; needs a codec" },
    { "skeleton|raw", "", "codec: stage 2 of 'skeleton|raw' is raw" },
    { "raw:3", "", "codec: stage 1 of 'raw:3' is raw" },
    { "resize|pcm", "", "codec: 'resize|pcm': resize takes images, pcm takes sounds; needs stages of one kind" },
    { "depth|depth|depth|depth|depth|depth|depth|depth|depth", "", "has more than 8 stages; needs at most 8" },
    { "resize;skeleton|skeleton", "", "has ';' in it; needs NAME" },
    { "resize,16|skeleton", "", "has ',' in it; needs NAME" },
    { "resize\n|skeleton", "", "in it; needs NAME" },
    { "resize|skeleton", "resize.size=0", "resize|skeleton: resize.size is 0; needs 1..65536" },
    { "resize|skeleton", "quality=3", "resize|skeleton: 'quality' is no parameter; has resize.size, resize.filter" },
    { "depth|skeleton", "bits=3", "depth|skeleton: several stages have 'bits'; needs depth.bits or skeleton.bits" },
    { "resize:16|skeleton", "size=8", "resize:16|skeleton: resize.size is '8'; needs the value that stands in the" },
    { "resize|skeleton", "size=8;resize.size=8", "resize|skeleton: resize.size is given twice; needs one value" },
    { "skeleton:3", "bits=4", "skeleton:3: bits is '4'; needs the value that stands in the codec's name" },
};

START_TEST(refused_names)
{
    hz_codec *c = hz_codec_new(refused[_i].name, refused[_i].values);
    ck_assert_msg(c == NULL, "%s", refused[_i].name);
    SAYS(refused[_i].message);
}
END_TEST

START_TEST(long_name)
{
    char name[2000] = "";
    for (int i = 0; i < 150; i++)
        strcat(name, "skeleton|");
    ck_assert_ptr_null(hz_codec_find(name));
    SAYS("letters; needs at most 255");
}
END_TEST

/* What it is follows from its stages. */
START_TEST(properties)
{
    const hz_codec_api *grey = hz_codec_find("gray|skeleton"), *deep = hz_codec_find("depth|odd_vector");
    ck_assert(grey->kind == HZ_IMAGE && !grey->lossless && grey->channels == (1 << 1 | 1 << 3));
    ck_assert(deep->channels == (hz_codec_find("depth")->channels & hz_codec_find("odd_vector")->channels));
    ck_assert(hz_codec_find("halver|pcm")->kind == HZ_AUDIO);
    ck_assert_str_eq(hz_codec_library(grey), "none | none");
    hz_codec *c = hz_codec_new("resize:3|skeleton", NULL), *d = hz_codec_new("resize|skeleton", "size=3");
    ck_assert_str_eq(hz_codec_fingerprint(c), hz_codec_fingerprint(d));
    ck_assert_str_eq(hz_codec_text(c), hz_codec_text(d));
    ck_assert(strstr(hz_codec_fingerprint(c), "chain 1: resize 1 (") == hz_codec_fingerprint(c));
    ck_assert(strstr(hz_codec_fingerprint(c), ") | skeleton 1 (") != NULL);
    hz_codec_free(d);
    d = hz_codec_new("skeleton:4", NULL);
    ck_assert(strstr(hz_codec_fingerprint(d), "skeleton 1 (") == hz_codec_fingerprint(d));
    hz_codec_free(c);
    hz_codec_free(d);
}
END_TEST

/* ---- what stages make of items ---- */

static const char *const composed[] = { "resize:5|skeleton:8", "gray|skeleton:8", "depth:2|skeleton:8", "blur|depth:8",
                                        "noise|skeleton:8", "gray|resize:4:filter=lanczos" };

/* A codec with a stage's interface leaves of an item what the same stage does before a last one that loses nothing. */
START_TEST(stage_is_its_codec)
{
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(composed[_i], "|"), composed[_i]);
    hz_codec *one = hz_codec_new(first, ""), *both = hz_codec_new(composed[_i], "");
    uint8_t *p = picture(21, 33, 3);
    hz_media in = image_of(p, 21, 33, 3), a, b;
    hz_stream s;
    ck_assert_msg(one && both, "%s", hz_message());
    if (strstr(composed[_i], "gray|resize"))
        hz_codec_free(one), one = hz_codec_new("resize:4:filter=lanczos|gray", "");
    OK(hz_codec_encode(one, &in, &s));
    OK(hz_codec_decode(one, s.data, s.bytes, &a));
    OK(hz_codec_encode(both, &in, &s));
    OK(hz_codec_decode(both, s.data, s.bytes, &b));
    ck_assert(b.height == 21 && b.width == 33 && b.channels == 3);
    int most = 0;
    for (int i = 0; i < 21 * 33 * 3; i++)
        most = abs(((const uint8_t *)a.data)[i] - ((const uint8_t *)b.data)[i]) > most
             ? abs(((const uint8_t *)a.data)[i] - ((const uint8_t *)b.data)[i]) : most;
    ck_assert_int_le(most, strstr(composed[_i], "gray|resize") ? 2 : 0);       /* luma and scaling change places */
    free(p);
    hz_codec_free(one);
    hz_codec_free(both);
}
END_TEST

/* Height, width and channels before the last stage's own stream, where something is to be undone, else nothing. */
START_TEST(shapes_are_container)
{
    uint8_t *p = picture(300, 20, 3);
    hz_media in = image_of(p, 300, 20, 3), out;
    hz_stream s;
    hz_codec *plain = hz_codec_new("skeleton:8", ""), *undone = hz_codec_new("gray|skeleton:8", "");
    hz_codec *kept = hz_codec_new("depth:8|skeleton:8", "");
    static const uint8_t shape[] = { 0xac, 0x02, 20, 3, 'Q', 'B' };
    OK(hz_codec_encode(plain, &in, &s));
    int64_t bytes = s.bytes, container = s.account.bytes[HZ_CONTAINER];
    OK(hz_codec_encode(kept, &in, &s));
    ck_assert(s.bytes == bytes && s.account.bytes[HZ_CONTAINER] == container);
    OK(hz_codec_encode(undone, &in, &s));
    ck_assert_int_eq(s.account.bytes[HZ_CONTAINER], container + 4);
    ck_assert_int_eq(s.account.bytes[HZ_PAYLOAD], 300 * 20);
    ck_assert_int_eq(memcmp(s.data, shape, sizeof shape), 0);
    for (int64_t n = 0; n < 20; n++)
        ck_assert_int_ne(hz_codec_decode(undone, s.data, n, &out), HZ_OK);
    free(p);
    hz_codec_free(plain);
    hz_codec_free(undone);
    hz_codec_free(kept);
}
END_TEST

static const struct { uint8_t bytes[12]; size_t n; const char *message; } streams[] = {
    { { 0 }, 1, "does not begin with the shapes" },
    { { 0x80, 0x80, 0x80 }, 3, "does not begin with the shapes" },
    { { 5, 5, 0, 1, 2, 3 }, 6, "does not begin with the shapes" },
    { { 0, 5, 3, 1, 2, 3 }, 6, "what went forward: the image is [0,5,3]; needs" },
    { { 0xff, 0xff, 0xff, 0xff, 0x0f, 5, 3, 1 }, 8, "needs at most 134217728 to be undone" },
    { { 5, 5, 2, 'Q', 'B' }, 5, "gray: the item has 2 channels; needs 1 or 3" },
    { { 5, 5, 3 }, 3, "skeleton: the stream has 0 bytes" },
    { { 5, 5, 3, 'Q' }, 4, "skeleton: the stream does not begin as one of this codec" },
};

START_TEST(bad_streams)
{
    hz_codec *c = hz_codec_new("gray|skeleton", "");
    hz_media out;
    ck_assert_int_eq(hz_codec_decode(c, streams[_i].bytes, (int64_t)streams[_i].n, &out), HZ_EFORMAT);
    SAYS(streams[_i].message);
    hz_codec_free(c);
}
END_TEST

/* The message names the chain and the stage. */
START_TEST(stage_refuses)
{
    uint8_t *p = picture(4, 4, 3);
    float x[16] = { 0 };
    hz_media in = image_of(p, 4, 4, 3);
    hz_media sound = { .kind = HZ_AUDIO, .channels = 1, .frames = 16, .rate = 8000, .data = x };
    hz_stream s;
    hz_codec *c = hz_codec_new("gray|odd_fails", "");
    memset(p, 255, 3);
    ck_assert_int_ne(hz_codec_encode(c, &in, &s), HZ_OK);
    ck_assert_str_eq(hz_message(), "gray|odd_fails: odd_fails: the first sample is 255; needs less");
    hz_codec_free(c);
    c = hz_codec_new("gray|skeleton", "");
    ck_assert_int_eq(hz_codec_encode(c, &sound, &s), HZ_EARG);
    ck_assert_str_eq(hz_message(), "gray|skeleton: the item is a sound; needs an image");
    hz_codec_free(c);
    free(p);
}
END_TEST

/* pcm puts delay and tail around; halver takes every second frame, so that the even ones come back twice. */
START_TEST(sounds_go_back)
{
    float x[2 * 1001];
    for (int i = 0; i < 2002; i++)
        x[i] = (float)(i % 300 - 150) / 32767;
    hz_media in = { .kind = HZ_AUDIO, .channels = 2, .frames = 1001, .rate = 16000, .data = x }, out;
    hz_stream s;
    hz_codec *c = hz_codec_new("halver:rest=2|pcm", "delay=70;tail=9");
    OK(hz_codec_encode(c, &in, &s));
    OK(hz_codec_decode(c, s.data, s.bytes, &out));
    ck_assert(out.frames == 1001 && out.channels == 2 && out.rate == 16000);
    for (int i = 0; i < 2002; i++)
        ck_assert_float_eq_tol(((const float *)out.data)[i], x[i / 4 * 4 + i % 2], 1e-6);
    hz_codec_free(c);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 8 };

static void *ask(void *arg)
{
    char name[64];
    const void **found = arg;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "depth:%d|resize:%d|skeleton", 1 + i % 8, 1000 + i);
        found[i] = hz_codec_find(name);
    }
    return NULL;
}

START_TEST(one_row_a_name)
{
    static const void *found[THREADS][200];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, ask, found[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 200; i++) {
        ck_assert_ptr_nonnull(found[0][i]);
        for (int k = 1; k < THREADS; k++)
            ck_assert_ptr_eq(found[k][i], found[0][i]);
    }
}
END_TEST

int main(void)
{
    if (load_plugins(""))
        return 1;
    return RUN_SUITE("chain", EACH(names, named), EACH(refused_names, refused), ONCE(long_name), ONCE(properties),
                     EACH(stage_is_its_codec, composed), ONCE(shapes_are_container), EACH(bad_streams, streams),
                     ONCE(stage_refuses), ONCE(sounds_go_back), ONCE(one_row_a_name));
}

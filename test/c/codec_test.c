/* codec_test.c: what codecs do with images: accounts that add up, lossless round trips, bulk recoding against one by
   one, streams that are damaged. Codecs whose library is missing are left out; plugin_test.c has the door itself. */
#define _GNU_SOURCE
#include "hz/codec.h"
#include "plugins.h"
#include "suite.h"
#include <stdlib.h>
#include <string.h>

static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* A smooth picture with some noise, as a codec likes it. */
static uint8_t *picture(int64_t h, int64_t w, int c, int number)
{
    uint8_t *p = malloc((size_t)(h * w * c));
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                p[(y * w + x) * c + k] = (uint8_t)(128 + 40 * ((x + number) % 13 > 6) + (y * (3 + k) + 5 * number) % 60
                                                   + draw() % 24);
    return p;
}

static hz_codec *codec_or_null(const char *name, const char *values)
{
    if (!hz_codec_find(name))
        return NULL;
    hz_codec *c = hz_codec_new(name, values);
    ck_assert_msg(c != NULL, "%s", hz_message());
    return c;
}

static hz_media image_of(const uint8_t *p, int64_t h, int64_t w, int c)
{
    return (hz_media){ .kind = HZ_IMAGE, .height = h, .width = w, .channels = c, .data = p };
}

/* ---- every byte of every stream has one name ---- */

static const struct { const char *name, *values; } specs[] = {
    { "jpeg", "" }, { "jpeg", "quality=1" }, { "jpeg", "quality=100;subsampling=444" },
    { "jpeg", "subsampling=422;optimize=true" },
    { "jpeg", "progressive=true;quality=90" }, { "jpeg", "restart=1" }, { "jpeg", "arithmetic=true" },
    { "jpeg", "dct=float;quality=30" },
    { "jpeg", "arithmetic=true;progressive=true;restart=2" }, { "png", "" }, { "png", "level=0;filter=none" },
    { "png", "filter=smallest" }, { "png", "strategy=rle;filter=paeth" }, { "skeleton", "bits=1" },
    { "skeleton", "bits=3" },
    { "skeleton", "bits=8" }, { "blur", "" }, { "blur", "sd=32" }, { "depth", "bits=1" }, { "depth", "bits=7" },
    { "depth", "bits=8" }, { "gray", "" }, { "gray", "channels=3" }, { "noise", "" }, { "noise", "sd=128;seed=9" },
    { "resize", "size=1" }, { "resize", "size=5;filter=lanczos" }, { "resize", "size=9;sides=both" },
    { "resize:7|jpeg", "" }, { "gray|png", "" }, { "png|resize:3:filter=lanczos|gray|depth", "depth.bits=5" },
    { "gray:3|webp", "quality=3" }, { "jpeg:5|jpeg", "jpeg2.quality=90" }, { "noise|blur|gray|skeleton:7", "" },
    { "avif", "speed=9" }, { "avif", "quality=0;subsampling=444;speed=10" }, { "avif", "lossless=true;speed=10" },
    { "jpeg2000", "" }, { "jpeg2000", "quality=1" }, { "jpeg2000", "lossless=true" },
    { "jxl", "" }, { "jxl", "quality=1;effort=3" }, { "jxl", "lossless=true" },
    { "webp", "" }, { "webp", "quality=0" }, { "webp", "quality=100;method=6" }, { "webp", "lossless=true" },
};
static const int sizes[][2] = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 8, 8 }, { 9, 17 }, { 16, 16 }, { 31, 33 }, { 32, 32 },
                                { 64, 48 },
                                { 130, 257 } };

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
    ck_assert_int_gt(sum[HZ_PAYLOAD], 0);
}

static void check_round_trip(hz_codec *c, int64_t h, int64_t w, int channels)
{
    uint8_t *p = picture(h, w, channels, 3);
    hz_media in = image_of(p, h, w, channels), out;
    hz_stream s;
    ck_assert_msg(hz_codec_encode(c, &in, &s) == HZ_OK, "%s", hz_message());
    check_account(&s);
    ck_assert_msg(hz_codec_decode(c, s.data, s.bytes, &out) == HZ_OK, "%s %s: %s", hz_codec_name(c), hz_codec_text(c),
                  hz_message());
    ck_assert(out.kind == HZ_IMAGE && out.height == h && out.width == w && out.channels == channels);
    if (hz_codec_find(hz_codec_name(c))->lossless || strstr(hz_codec_text(c), "bits=8"))
        ck_assert_int_eq(memcmp(p, out.data, (size_t)(h * w * channels)), 0);
    free(p);
}

START_TEST(accounts_add_up)
{
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values);
    for (size_t i = 0; c && i < sizeof sizes / sizeof *sizes; i++)
        for (int channels = 1; channels <= 3; channels += 2)
            if (hz_codec_find(specs[_i].name)->channels >> channels & 1)
                check_round_trip(c, sizes[i][0], sizes[i][1], channels);
    hz_codec_free(c);
}
END_TEST

/* Baseline JPEG with standard tables: DQT segments of 69 bytes, DHT of 33 (DC) and 183 (AC), one of each for grey,
   two for colour; SOI 2, JFIF 18, SOF 11 + 2 a component more than 8, SOS 8 and 2 a component more, EOI 2. */
START_TEST(jpeg_account_by_the_standard)
{
    hz_codec *c = codec_or_null("jpeg", "quality=10");
    for (int channels = 1; c && channels <= 3; channels += 2) {
        uint8_t *p = picture(32, 32, channels, 1);
        hz_media in = image_of(p, 32, 32, channels);
        hz_stream s;
        ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_OK);
        ck_assert_int_eq(s.account.bytes[HZ_TABLES], (channels == 3 ? 2 : 1) * (69 + 33 + 183));
        ck_assert_int_eq(s.account.bytes[HZ_CONTAINER], 2 + 18 + (10 + 3 * channels) + (8 + 2 * channels) + 2);
        free(p);
    }
    hz_codec_free(c);
}
END_TEST

/* Signature 8, IHDR 25, the frame of one IDAT 12, IEND 12. */
START_TEST(png_account_by_the_standard)
{
    hz_codec *c = codec_or_null("png", "");
    uint8_t *p = picture(300, 400, 3, 1);
    hz_media in = image_of(p, 300, 400, 3);
    hz_stream s;
    if (c) {
        ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_OK);
        ck_assert_int_eq(s.account.bytes[HZ_TABLES], 0);
        ck_assert_int_eq(s.account.bytes[HZ_CONTAINER], 8 + 25 + 12 + 12);
    }
    free(p);
    hz_codec_free(c);
}
END_TEST

/* ---- refused input, and plugins that misbehave ---- */

START_TEST(images_that_are_refused)
{
    hz_codec *c = codec_or_null("skeleton", "");
    uint8_t p[16] = { 0 };
    hz_stream s;
    hz_media in = image_of(p, 2, 2, 2);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    ck_assert_str_eq(hz_message(), "skeleton: the item has 2 channels; needs 1 or 3");
    in = image_of(p, 0, 2, 1);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    in = image_of(p, INT64_MAX, INT64_MAX, 3);
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESHAPE);
    in = (hz_media){ .kind = HZ_AUDIO, .frames = 2, .channels = 1, .rate = 44100, .data = p };
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_EARG);
    ck_assert_str_eq(hz_message(), "skeleton: the item is a sound; needs an image");
    hz_media out;
    ck_assert_int_eq(hz_codec_decode(c, p, 0, &out), HZ_EFORMAT);
    ck_assert_int_eq(hz_codec_decode(c, NULL, 5, &out), HZ_EFORMAT);
    ck_assert_int_eq(hz_codec_decode(c, p, -5, &out), HZ_EFORMAT);
    hz_codec_free(c);
}
END_TEST

/* Recodes n images that lie one behind the other. */
static hz_status recode(hz_codec *c, const uint8_t *p, int64_t n, int64_t h, int64_t w, int channels, uint8_t *decoded,
                        hz_recoded *out, hz_tables *tables, int threads)
{
    hz_media *items = malloc((size_t)n * sizeof *items);
    for (int64_t i = 0; i < n; i++)
        items[i] = image_of(p + i * h * w * channels, h, w, channels);
    hz_status status = hz_codec_recode(c, items, n, decoded, h * w * channels, out, tables, threads);
    free(items);
    return status;
}

static hz_status recode_odd(const char *name, uint8_t *p, int64_t n)
{
    hz_codec *c = hz_codec_new(name, "");
    uint8_t *d = malloc((size_t)n * 12);
    hz_status status = recode(c, p, n, 2, 2, 3, d, NULL, NULL, 1);
    free(d);
    hz_codec_free(c);
    return status;
}

START_TEST(misbehaving_plugins)
{
    uint8_t p[24] = { 0 };
    hz_codec *c = hz_codec_new("odd_account", "");
    hz_media in = image_of(p, 2, 2, 3);
    hz_stream s;
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_ESTATE);
    ck_assert_str_eq(hz_message(),
                     "odd_account: its account names 19 bytes, the stream has 20; the plugin must name each byte once");
    hz_codec_free(c);
    ck_assert_int_ne(recode_odd("odd_silent", p, 2), HZ_OK);
    SAYS("recode: image 0 of 2: odd_silent: failed without a reason");
    ck_assert_int_ne(recode_odd("odd_overrun", p, 2), HZ_OK);
    SAYS("recode: image 0 of 2: odd_overrun: decoding needs 13 bytes; the original took 12");
    ck_assert_int_ne(recode_odd("odd_shrinks", p, 2), HZ_OK);
    SAYS("recode: image 0 of 2: odd_shrinks: decoded to [1,2,3]; needs the original's [2,2,3]");
}
END_TEST

/* ---- bulk ---- */

enum { N = 150, H = 19, W = 21, C = 3, BYTES = H * W * C };

static uint8_t *set_of_pictures(void)
{
    uint8_t *all = malloc((size_t)N * BYTES);
    for (int i = 0; i < N; i++) {
        uint8_t *p = picture(H, W, C, i);
        memcpy(all + i * BYTES, p, BYTES);
        free(p);
    }
    return all;
}

/* Distinct table segments by comparing each with each. */
static void count_distinct(hz_stream *s, uint8_t (*seen)[512], int64_t *lengths, int *n, int64_t *bytes)
{
    for (int64_t i = 0; i < s->account.count; i++) {
        const hz_segment *g = &s->account.segments[i];
        int k = 0;
        if (g->part != HZ_TABLES)
            continue;
        while (k < *n && (lengths[k] != g->bytes || memcmp(seen[k], s->data + g->offset, (size_t)g->bytes)))
            k++;
        if (k < *n)
            continue;
        memcpy(seen[k], s->data + g->offset, (size_t)g->bytes);
        lengths[(*n)++] = g->bytes;
        *bytes += g->bytes;
    }
}

START_TEST(recode_equals_one_by_one)
{
    static uint8_t seen[N * 16][512];
    static int64_t lengths[N * 16];
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values);
    if (!c)
        return;
    uint8_t *p = set_of_pictures(), *one = malloc((size_t)N * BYTES), *bulk = malloc((size_t)N * BYTES);
    hz_recoded want[N], got[N];
    int distinct = 0;
    int64_t distinct_bytes = 0;
    for (int i = 0; i < N; i++) {
        hz_media in = image_of(p + i * BYTES, H, W, C), out;
        hz_stream s;
        ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_OK);
        want[i] = (hz_recoded){ s.account.bytes[HZ_PAYLOAD], s.account.bytes[HZ_TABLES],
                                s.account.bytes[HZ_CONTAINER] };
        count_distinct(&s, seen, lengths, &distinct, &distinct_bytes);
        ck_assert_int_eq(hz_codec_decode(c, s.data, s.bytes, &out), HZ_OK);
        memcpy(one + i * BYTES, out.data, BYTES);
    }
    for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
        hz_tables *t = hz_tables_new();
        memset(bulk, 0, (size_t)N * BYTES);
        memset(got, 0, sizeof got);
        ck_assert_msg(recode(c, p, N, H, W, C, bulk, got, t, threads) == HZ_OK, "%s", hz_message());
        ck_assert_int_eq(memcmp(one, bulk, (size_t)N * BYTES), 0);
        ck_assert_int_eq(memcmp(want, got, sizeof got), 0);
        ck_assert_int_eq(hz_tables_count(t), distinct);
        ck_assert_int_eq(hz_tables_bytes(t), distinct_bytes);
        ck_assert_int_eq(recode(c, p, N, H, W, C, bulk, NULL, t, threads), HZ_OK);    /* the same set again adds none */
        ck_assert_int_eq(hz_tables_count(t), distinct);
        hz_tables_free(t);
    }
    free(p);
    free(one);
    free(bulk);
    hz_codec_free(c);
}
END_TEST

START_TEST(lowest_failing_image_is_named)
{
    uint8_t *p = set_of_pictures(), *d = malloc((size_t)N * BYTES);
    hz_codec *c = hz_codec_new("odd_fails", "");
    for (int i = 0; i < N; i++)
        p[i * BYTES] = i >= 97 ? 255 : 0;
    for (int threads = 1; threads <= 8; threads++) {
        ck_assert_int_eq(recode(c, p, N, H, W, C, d, NULL, NULL, threads), HZ_EARG);
        ck_assert_str_eq(hz_message(), "recode: image 97 of 150: odd_fails: the first sample is 255; needs less");
    }
    ck_assert_int_eq(recode(c, p, 97, H, W, C, d, NULL, NULL, 2), HZ_OK);
    hz_codec_free(c);
    free(p);
    free(d);
}
END_TEST

START_TEST(recode_refuses)
{
    uint8_t p[100];
    hz_codec *c = hz_codec_new("skeleton", "");
    hz_media two[2] = { image_of(p, 2, 2, 3), image_of(p + 12, 2, 2, 3) };
    ck_assert_int_eq(hz_codec_recode(c, two, 0, p + 50, 12, NULL, NULL, 1), HZ_ESHAPE);
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 50, 0, NULL, NULL, 1), HZ_ESHAPE);
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 50, INT64_MAX, NULL, NULL, 1), HZ_ESHAPE);
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 50, 11, NULL, NULL, 1), HZ_ESHAPE);
    SAYS("item 0 takes 12 bytes; the places for decoded ones have 11");
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 20, 12, NULL, NULL, 1), HZ_EARG);
    SAYS("would overwrite");
    ck_assert_int_eq(hz_codec_recode(c, two, 2, NULL, 12, NULL, NULL, 1), HZ_EARG);
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 50, 12, NULL, NULL, 257), HZ_EARG);
    two[1].width = 0;
    ck_assert_int_eq(hz_codec_recode(c, two, 2, p + 50, 12, NULL, NULL, 1), HZ_ESHAPE);
    SAYS("recode: item 1 of 2: skeleton: the image is [2,0,3]");
    ck_assert_int_eq(recode(c, p, 2, 2, 2, 2, p + 50, NULL, NULL, 1), HZ_ESHAPE);
    SAYS("recode: image 0 of 2: skeleton: the item has 2 channels");
    double a, b;
    ck_assert_int_eq(hz_codec_race(c, p, 2, 2, 2, 3, p + 50, 1, &a, &b), HZ_EARG);
    SAYS("no plain loop");
    hz_codec_free(c);
}
END_TEST

/* Images of one call may differ in shape. */
START_TEST(recode_takes_images_of_any_shape)
{
    enum { SHAPES = sizeof sizes / sizeof *sizes, MOST = 130 * 257 };
    hz_codec *c = hz_codec_new("skeleton", "bits=8");
    uint8_t *decoded = calloc(SHAPES, MOST);
    hz_media items[SHAPES];
    for (int i = 0; i < SHAPES; i++)
        items[i] = image_of(picture(sizes[i][0], sizes[i][1], 1, i), sizes[i][0], sizes[i][1], 1);
    OK(hz_codec_recode(c, items, SHAPES, decoded, MOST, NULL, NULL, 2));
    for (int i = 0; i < SHAPES; i++) {
        ck_assert(!memcmp(items[i].data, decoded + i * MOST, (size_t)(items[i].height * items[i].width)));
        free((void *)items[i].data);
    }
    free(decoded);
    hz_codec_free(c);
}
END_TEST

static const struct { const char *name, *values; } loops[] = {
    { "avif", "speed=10" }, { "jpeg", "quality=40" }, { "jpeg2000", "" }, { "jxl", "effort=3" }, { "png", "" },
    { "png", "filter=smallest;level=1" }, { "webp", "" }, { "webp", "lossless=true" }, { "xz", "" }, { "zstd", "" },
};

START_TEST(plain_loop_makes_the_same_pixels)
{
    hz_codec *c = codec_or_null(loops[_i].name, loops[_i].values);
    uint8_t *p = set_of_pictures(), *plain = calloc(N, BYTES), *bulk = calloc(N, BYTES);
    double a = 0, b = 0;
    if (c) {
        ck_assert_msg(hz_codec_race(c, p, N, H, W, C, plain, 2, &a, &b) == HZ_OK, "%s", hz_message());
        ck_assert(a > 0 && b > 0);
        ck_assert_int_eq(recode(c, p, N, H, W, C, bulk, NULL, NULL, 2), HZ_OK);
        ck_assert_int_eq(memcmp(plain, bulk, (size_t)N * BYTES), 0);
    }
    hz_codec_free(c);
    free(p);
    free(plain);
    free(bulk);
}
END_TEST

/* ---- damaged streams: a message or some picture, never a crash, and the instance still works ---- */

static void damage(hz_codec *c, const hz_stream *good, const uint8_t *pixels)
{
    size_t n = (size_t)good->bytes;
    uint8_t *bad = malloc(n);
    hz_media out;
    for (int i = 0; i < 600; i++) {
        memcpy(bad, good->data, n);
        size_t length = i < 200 ? n * (size_t)i / 200 : n;
        for (int flips = i < 200 ? 0 : 1 + (int)(draw() % 4); flips; flips--)
            bad[draw() % n] ^= (uint8_t)(1u << draw() % 8);
        hz_status status = hz_codec_decode(c, bad, (int64_t)length, &out);
        if (status)
            SAYS(hz_codec_name(c));
        else
            ck_assert_int_eq(i < 200, 0);                    /* a stream that was cut is an error for all codecs here */
    }
    free(bad);
    ck_assert_msg(hz_codec_decode(c, good->data, good->bytes, &out) == HZ_OK, "%s", hz_message());
    ck_assert_int_eq(memcmp(out.data, pixels, BYTES), 0);
}

START_TEST(damaged_streams)
{
    mute_jxl(specs[_i].name);
    hz_codec *c = codec_or_null(specs[_i].name, specs[_i].values), *d = codec_or_null(specs[_i].name, specs[_i].values);
    if (!c)
        return;
    uint8_t *p = picture(H, W, C, 2), *decoded = malloc(BYTES);
    hz_media in = image_of(p, H, W, C), out;
    hz_stream s;
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_OK);
    ck_assert_int_eq(hz_codec_decode(c, s.data, s.bytes, &out), HZ_OK);
    memcpy(decoded, out.data, BYTES);
    damage(d, &s, decoded);
    free(p);
    free(decoded);
    hz_codec_free(c);
    hz_codec_free(d);
}
END_TEST

START_TEST(truncated_jpeg_says_what_libjpeg_says)
{
    hz_codec *c = codec_or_null("jpeg", "");
    if (!c)
        return;
    uint8_t *p = picture(H, W, C, 2);
    hz_media in = image_of(p, H, W, C), out;
    hz_stream s;
    ck_assert_int_eq(hz_codec_encode(c, &in, &s), HZ_OK);
    ck_assert_int_eq(hz_codec_decode(c, s.data, s.bytes - 2, &out), HZ_EFORMAT);
    ck_assert_str_eq(hz_message(), "jpeg: libjpeg says: Premature end of JPEG file");
    free(p);
    hz_codec_free(c);
}
END_TEST

int main(void)
{
    if (load_plugins(""))
        return 1;
    return RUN_SUITE("codec", EACH(accounts_add_up, specs), ONCE(jpeg_account_by_the_standard),
                     ONCE(png_account_by_the_standard), ONCE(images_that_are_refused), ONCE(misbehaving_plugins),
                     EACH(recode_equals_one_by_one, specs), ONCE(lowest_failing_image_is_named), ONCE(recode_refuses),
                     ONCE(recode_takes_images_of_any_shape), EACH(plain_loop_makes_the_same_pixels, loops),
                     EACH(damaged_streams, specs), ONCE(truncated_jpeg_says_what_libjpeg_says));
}

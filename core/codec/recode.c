/* recode.c: encodes and decodes whole sets, one codec instance per thread.
   Images go out in chunks taken in rising order, so when image i fails every lower one is with some thread already and is finished:
   the lowest failing image is the same for any number of threads. Decoders write straight into the result. */
#include "codec/door.h"
#include "hz/measure.h"
#include "spread.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32 };

typedef struct job {
    const codec_row *row;
    const double *values;
    const uint8_t *pixels;           /* (n,height,width,channels) */
    uint8_t *decoded;                /* the same */
    hz_media shape;
    int64_t n, bytes;                /* images; bytes of one */
    hz_recoded *items;               /* (n) or NULL */
    hz_tables *tables;               /* or NULL; guarded by lock */
    int threads;
    atomic_llong next, failed;       /* first image not yet handed out; lowest that failed, n: none */
    pthread_mutex_t lock;
    hz_status code;                  /* of `failed`, with its message; guarded by lock */
    char message[1024];
} job;

/* What one thread works with. */
typedef struct station {
    void *instance;
    hz_bytes stream;
    hz_account account;
    hz_tables *tables;
} station;

/* Notes the calling thread's failure at image i, -1 for one that concerns none. */
static void note(job *j, int64_t i, hz_status code)
{
    pthread_mutex_lock(&j->lock);
    if (i < atomic_load(&j->failed)) {
        atomic_store(&j->failed, i);
        j->code = code;
        snprintf(j->message, sizeof j->message, "%s", hz_message());
    }
    pthread_mutex_unlock(&j->lock);
}

static hz_status count_tables(station *b)
{
    for (int64_t i = 0; i < b->account.count; i++) {
        const hz_segment *s = &b->account.segments[i];
        if (s->part == HZ_TABLES && tables_add(b->tables, b->stream.data + s->offset, s->bytes))
            return HZ_EMEM;
    }
    return HZ_OK;
}

static hz_status check_shape(const job *j, const hz_media *got)
{
    const hz_media *want = &j->shape;
    if (got->height == want->height && got->width == want->width && got->channels == want->channels)
        return HZ_OK;
    return hz_fail(HZ_ESTATE, "%s: decoded to [%lld,%lld,%d]; needs the original's [%lld,%lld,%d]", j->row->api->name, (long long)got->height,
                   (long long)got->width, got->channels, (long long)want->height, (long long)want->width, want->channels);
}

static hz_status recode_one(job *j, station *b, int64_t i)
{
    hz_media in = j->shape, out;
    hz_bytes target = { .data = j->decoded + i * j->bytes, .room = (size_t)j->bytes, .fixed = 1 };
    in.data = j->pixels + i * j->bytes;
    hz_status e = codec_encode(j->row, b->instance, &in, &b->stream, &b->account);
    if (!e)
        e = codec_decode(j->row, b->instance, b->stream.data, b->stream.size, &out, &target);
    if (!e)
        e = check_shape(j, &out);
    if (!e && b->tables)
        e = count_tables(b);
    if (!e && j->items)
        j->items[i] = (hz_recoded){ .payload = b->account.bytes[HZ_PAYLOAD],
                                    .tables = b->account.bytes[HZ_TABLES],
                                    .container = b->account.bytes[HZ_CONTAINER],
                                    .squared_error = hz_squared_error(in.data, target.data, j->bytes) };
    return e;
}

static void recode_chunks(job *j, station *b)
{
    int64_t from;
    while ((from = atomic_fetch_add(&j->next, CHUNK)) < j->n) {
        int64_t to = from + CHUNK < j->n ? from + CHUNK : j->n;
        if (hz_signal_pending()) {
            note(j, -1, hz_fail(HZ_ESTATE, "recode: stopped by signal %d", hz_signal_pending()));
            return;
        }
        for (int64_t i = from; i < to && i < atomic_load(&j->failed); i++) {
            hz_status e = recode_one(j, b, i);
            if (e) {
                note(j, i, e);
                return;
            }
        }
    }
}

static hz_status station_open(job *j, station *b)
{
    if (j->tables && !(b->tables = hz_tables_new()))
        return HZ_EMEM;
    host_listen();
    b->instance = j->row->api->create(j->values);
    return b->instance ? HZ_OK : host_blame(j->row->api->name, HZ_EARG);
}

static void recode_work(void *arg, int worker)
{
    job *j = arg;
    station b = { .instance = NULL };
    hz_status e = station_open(j, &b);
    if (e)
        note(j, -1, e);
    else
        recode_chunks(j, &b);
    pthread_mutex_lock(&j->lock);
    e = !e && j->tables ? tables_merge(j->tables, b.tables) : HZ_OK;
    pthread_mutex_unlock(&j->lock);
    if (e)
        note(j, -1, e);
    j->row->api->destroy(b.instance);
    free(b.stream.data);
    free(b.account.segments);
    hz_tables_free(b.tables);
}

static hz_status set_up(job *j, hz_codec *c, const uint8_t *pixels, int64_t n, const hz_media *shape, uint8_t *decoded, int threads)
{
    const codec_row *row = codec_row_of(c);
    const char *name = row->api->name;
    int64_t bytes, all;
    if (row->api->kind != HZ_IMAGE)
        return hz_fail(HZ_EARG, "%s: encodes sounds; recoding needs a codec of images", name);
    if (n < 1 || shape->height < 1 || shape->width < 1 || shape->channels < 1 ||
        __builtin_mul_overflow(shape->height, shape->width, &bytes) || __builtin_mul_overflow(bytes, (int64_t)shape->channels, &bytes) ||
        __builtin_mul_overflow(bytes, n, &all))
        return hz_fail(HZ_ESHAPE, "%s: the set is [%lld,%lld,%lld,%d]; needs at least 1 everywhere", name, (long long)n,
                       (long long)shape->height, (long long)shape->width, shape->channels);
    if (!pixels || !decoded || (pixels < decoded + all && decoded < pixels + all))
        return hz_fail(HZ_EARG, "%s: the decoded images would overwrite the originals; needs memory of their own", name);
    if (threads < 0 || threads > 256)
        return hz_fail(HZ_EARG, "%s: threads is %d; needs 0 (all cores) .. 256", name, threads);
    *j = (job){ .row = row, .values = hz_codec_values(c), .pixels = pixels, .decoded = decoded, .shape = *shape, .n = n, .bytes = bytes };
    j->threads = spread_threads(threads);
    if (j->threads > (n + CHUNK - 1) / CHUNK)
        j->threads = (int)((n + CHUNK - 1) / CHUNK);
    atomic_init(&j->failed, n);
    pthread_mutex_init(&j->lock, NULL);
    return HZ_OK;
}

static hz_status finish(job *j)
{
    int64_t at = atomic_load(&j->failed);
    pthread_mutex_destroy(&j->lock);
    if (at == j->n)
        return HZ_OK;
    if (at < 0)
        return hz_fail(j->code, "%s", j->message);
    return hz_fail(j->code, "recode: image %lld of %lld: %s", (long long)at, (long long)j->n, j->message);
}

hz_status hz_codec_recode(hz_codec *c, const uint8_t *pixels, int64_t n, int64_t height, int64_t width, int channels,
                          uint8_t *decoded, hz_recoded *items, hz_tables *tables, int threads)
{
    job j;
    hz_media shape = { .kind = HZ_IMAGE, .height = height, .width = width, .channels = channels };
    hz_status e = set_up(&j, c, pixels, n, &shape, decoded, threads);
    if (e)
        return e;
    j.items = items;
    j.tables = tables;
    spread(j.threads, recode_work, &j);
    return finish(&j);
}

/* ---- the library's plain loop, for comparison ---- */

static void plain_work(void *arg, int worker)
{
    job *j = arg;
    int64_t from = j->n * worker / j->threads, to = j->n * (worker + 1) / j->threads;
    host_listen();
    if (j->row->bench->roundtrips(j->values, j->pixels + from * j->bytes, to - from, j->shape.height, j->shape.width, j->shape.channels,
                                  j->decoded + from * j->bytes))
        note(j, -1, host_blame(j->row->api->name, HZ_EARG));
}

hz_status hz_codec_race(hz_codec *c, const uint8_t *pixels, int64_t n, int64_t height, int64_t width, int channels,
                        uint8_t *decoded, int threads, double *recode_seconds, double *plain_seconds)
{
    job j;
    hz_media shape = { .kind = HZ_IMAGE, .height = height, .width = width, .channels = channels };
    if (!codec_row_of(c)->bench)
        return hz_fail(HZ_EARG, "%s: its plugin offers no plain loop to compare with (hz.codec.bench/0)", hz_codec_name(c));
    hz_status e = set_up(&j, c, pixels, n, &shape, decoded, threads);
    if (e)
        return e;
    double start = hz_seconds();
    spread(j.threads, plain_work, &j);
    *plain_seconds = hz_seconds() - start;
    if ((e = finish(&j)))
        return e;
    hz_recoded *items = malloc((size_t)n * sizeof *items);
    hz_tables *tables = hz_tables_new();
    e = items && tables ? HZ_OK : hz_fail(HZ_EMEM, "%s: no memory for the account of %lld images", hz_codec_name(c), (long long)n);
    start = hz_seconds();
    if (!e)
        e = hz_codec_recode(c, pixels, n, height, width, channels, decoded, items, tables, threads);
    *recode_seconds = hz_seconds() - start;
    hz_tables_free(tables);
    free(items);
    return e;
}

/* recode.c: encodes and decodes whole sets, one codec instance per thread.
   Items go out in chunks taken in rising order, so when item i fails every lower one is with some thread already and is
   finished: the lowest failing item is the same for any number of threads. Decoders of images write straight into the
   result; sounds are cut to their original's length on the way there. */
#include "codec/job.h"
#include "bounds.h"
#include "spread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By kind: what an item is called, how many a thread takes at a time: a small image is done in microseconds. */
static const struct { const char *name; int chunk; } kinds[] = {
    [HZ_IMAGE] = { "image", 32 },
    [HZ_AUDIO] = { "sound", 1 },
};

const char *job_item(const job *j) { return kinds[j->row->api->kind].name; }

/* What one thread works with. */
typedef struct station {
    void *instance;
    hz_bytes stream, samples, resampled;
    hz_account account;
    hz_tables *tables;
    atomic_llong *at;                /* what it is at work on (job.h), NULL if nobody looks */
} station;

static void say_at(const station *b, int64_t i)
{
    if (b->at)
        atomic_store(b->at, i);
}

/* Notes the calling thread's failure at item i, -1 for one that concerns none. */
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

/* Decodes the station's stream into the item's place. */
static hz_status decode_into(const job *j, station *b, const hz_media *original, uint8_t *place, int64_t bytes)
{
    hz_media got;
    hz_bytes target = { .data = place, .room = (size_t)bytes, .fixed = 1 };
    hz_bytes *samples = original->kind == HZ_IMAGE ? &target : &b->samples;
    hz_status status = codec_decode(j->row, b->instance, b->stream.data, b->stream.size, &got, samples);
    if (!status)
        status = rate_restore(j->row, b->instance, &got, original, &b->resampled);
    if (!status)
        status = media_alike(j->row->api->name, &got, original);
    if (!status && samples != &target)
        memcpy(place, got.data, (size_t)bytes);
    return status;
}

static hz_status recode_one(job *j, station *b, int64_t i)
{
    const hz_media *in = &j->items[i];
    int64_t bytes = hz_media_bytes(j->row->api->name, in);
    hz_status status = codec_encode(j->row, b->instance, in, &b->resampled, &b->stream, &b->account);
    if (!status)
        status = decode_into(j, b, in, j->decoded + i * j->stride, bytes);
    if (!status && b->tables)
        status = count_tables(b);
    if (!status && j->out)
        j->out[i] = (hz_recoded){ .payload = b->account.bytes[HZ_PAYLOAD],
                                  .tables = b->account.bytes[HZ_TABLES],
                                  .container = b->account.bytes[HZ_CONTAINER] };
    return status;
}

static void recode_chunks(job *j, station *b)
{
    int64_t from;
    while ((from = atomic_fetch_add(&j->next, j->chunk)) < j->end) {
        int64_t to = from + j->chunk < j->end ? from + j->chunk : j->end;
        if (hz_signal_pending()) {
            note(j, -1, hz_fail(HZ_ESTATE, "recode: stopped by signal %d", hz_signal_pending()));
            return;
        }
        for (int64_t i = from; i < to && i < atomic_load(&j->failed); i++) {
            say_at(b, i);
            hz_status status = recode_one(j, b, i);
            if (status) {
                note(j, i, status);
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
    b->instance = codec_create(j->row, j->values);
    return b->instance ? HZ_OK : host_blame(j->row->api->name, HZ_EARG);
}

void job_work(void *arg, int worker)
{
    job *j = arg;
    station b = { .at = j->at ? &j->at[worker] : NULL };
    hz_status status = station_open(j, &b);
    if (status)
        note(j, -1, status);
    else
        recode_chunks(j, &b);
    say_at(&b, AT_END);
    pthread_mutex_lock(&j->lock);
    status = !status && j->tables ? tables_merge(j->tables, b.tables) : HZ_OK;
    pthread_mutex_unlock(&j->lock);
    if (status)
        note(j, -1, status);
    guard_destroy(j->row->api, b.instance);
    free(b.stream.data);
    free(b.samples.data);
    free(b.resampled.data);
    free(b.account.segments);
    hz_tables_free(b.tables);
}

/* ---- beginning and end ---- */

/* Every item fits into its place, and no original lies where decoded ones go. */
static hz_status check_places(const job *j)
{
    const char *name = j->row->api->name;
    const uint8_t *end = j->decoded ? j->decoded + j->n * j->stride : NULL;
    for (int64_t i = 0; i < j->n; i++) {
        const uint8_t *data = j->items[i].data;
        int64_t bytes = hz_media_bytes(name, &j->items[i]);
        if (bytes < 0)
            return hz_fail_in(HZ_ESHAPE, "recode: item %lld of %lld: ", (long long)i, (long long)j->n);
        if (bytes > j->stride)
            return hz_fail(HZ_ESHAPE, "%s: item %lld takes %lld bytes; the places for decoded ones have %lld", name,
                           (long long)i, (long long)bytes, (long long)j->stride);
        if (!data || !j->decoded || (data < end && j->decoded < data + bytes))
            return hz_fail(HZ_EARG, "%s: the decoded items would overwrite the originals; needs memory of their own",
                           name);
    }
    return HZ_OK;
}

hz_status job_set_up(job *j, hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride, int threads)
{
    const codec_row *row = codec_row_of(c);
    const char *name = row->api->name;
    int64_t all;
    if (n < 1 || stride < 1 || __builtin_mul_overflow(n, stride, &all))
        return hz_fail(HZ_ESHAPE, "%s: the set has %lld items, at most %lld bytes each; needs at least 1 of each", name,
                       (long long)n, (long long)stride);
    if (threads < 0 || threads > 256)
        return hz_fail(HZ_EARG, "%s: threads is %d; needs 0 (all cores) .. 256", name, threads);
    *j = (job){ .row = row, .values = hz_codec_values(c), .items = items, .decoded = decoded, .n = n,
                .end = n };
    j->stride = stride;
    j->chunk = kinds[row->api->kind].chunk;
    j->threads = row->serial ? 1 : (int)min(spread_threads(threads), ceil_div(n, j->chunk));
    hz_status status = check_places(j);
    if (status)
        return status;
    atomic_init(&j->failed, n);
    pthread_mutex_init(&j->lock, NULL);
    return HZ_OK;
}

hz_status job_finish(job *j)
{
    int64_t at = atomic_load(&j->failed);
    pthread_mutex_destroy(&j->lock);
    if (at == j->n)
        return HZ_OK;
    if (at < 0)
        return hz_fail(j->code, "%s", j->message);
    return hz_fail(j->code, "recode: %s %lld of %lld: %s", job_item(j), (long long)at,
                   (long long)j->n, j->message);
}

hz_status hz_codec_recode(hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride, hz_recoded *out,
                          hz_tables *tables, int threads)
{
    job j;
    hz_status status = job_set_up(&j, c, items, n, decoded, stride, threads);
    if (status)
        return status;
    j.out = out;
    j.tables = tables;
    spread(j.threads, job_work, &j);
    return job_finish(&j);
}

/* ---- the library's plain loop over images, for comparison ---- */

static void plain_work(void *arg, int worker)
{
    job *j = arg;
    const hz_media *shape = j->items;
    int64_t from = j->n * worker / j->threads, to = j->n * (worker + 1) / j->threads;
    host_listen();
    if (j->row->bench->roundtrips(j->values, j->items[from].data, to - from, shape->height, shape->width,
                                  shape->channels, j->decoded + from * j->stride))
        note(j, -1, host_blame(j->row->api->name, HZ_EARG));
}

/* What the race needs beside the pixels. */
typedef struct field {
    hz_media *items;                 /* (n) */
    hz_recoded *out;                 /* (n) */
    hz_tables *tables;
} field;

static hz_status field_make(field *f, const char *who, const hz_media *shape, int64_t bytes, int64_t n)
{
    *f = (field){ .items = calloc((size_t)n, sizeof *f->items), .out = calloc((size_t)n, sizeof *f->out) };
    f->tables = hz_tables_new();
    if (!f->items || !f->out || !f->tables)
        return hz_fail(HZ_EMEM, "%s: no memory for the account of %lld images", who, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        f->items[i] = *shape;
        f->items[i].data = (const uint8_t *)shape->data + i * bytes;
    }
    return HZ_OK;
}

static void field_free(field *f)
{
    free(f->items);
    free(f->out);
    hz_tables_free(f->tables);
}

static hz_status race(hz_codec *c, const field *f, int64_t n, uint8_t *decoded, int64_t bytes, int threads,
                      double *recode, double *plain)
{
    job j;
    hz_status status = job_set_up(&j, c, f->items, n, decoded, bytes, threads);
    if (status)
        return status;
    double start = hz_seconds();
    spread(j.threads, plain_work, &j);
    *plain = hz_seconds() - start;
    if ((status = job_finish(&j)))
        return status;
    start = hz_seconds();
    status = hz_codec_recode(c, f->items, n, decoded, bytes, f->out, f->tables, threads);
    *recode = hz_seconds() - start;
    return status;
}

hz_status hz_codec_race(hz_codec *c, const uint8_t *pixels, int64_t n, int64_t height, int64_t width, int channels,
                        uint8_t *decoded, int threads, double *recode_seconds, double *plain_seconds)
{
    field f;
    const char *name = hz_codec_name(c);
    hz_media shape = { .kind = HZ_IMAGE, .height = height, .width = width, .channels = channels, .data = pixels };
    if (!codec_row_of(c)->bench)
        return hz_fail(HZ_EARG, "%s: its plugin offers no plain loop to compare with (hz.codec.bench/1)", name);
    int64_t bytes = hz_media_bytes(name, &shape);
    if (bytes < 0 || n < 1)
        return bytes < 0 ? HZ_ESHAPE : hz_fail(HZ_ESHAPE, "%s: the set has no images; needs at least 1", name);
    hz_status status = field_make(&f, name, &shape, bytes, n);
    if (!status)
        status = race(c, &f, n, decoded, bytes, threads, recode_seconds, plain_seconds);
    field_free(&f);
    return status;
}

/* pictures.c: files of pictures become the items of a set. Each thread takes the next file, has one instance of every
   codec it met, and holds one file with its decoded picture; nothing else grows with pictures.
   A picture is scaled as it lies in its file and turned afterwards, when it is small: what part of it is seen, and
   where it goes, is decided as it is seen. */
#include "codec/door.h"
#include "bounds.h"
#include "file.h"
#include "hz/pictures.h"
#include "spread.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CODECS = 8 };

typedef struct job {
    hz_picture *pictures;            /* (n) */
    const hz_picture_form *form;
    uint8_t *items;                  /* (n,height,width,channels) */
    int64_t n, stride;
    atomic_llong next;
    atomic_int stop;                 /* hz_status that ends the call, HZ_OK: none */
} job;

/* What one thread works with. */
typedef struct station {
    const codec_row *rows[MOST_CODECS];
    void *instances[MOST_CODECS];    /* of rows; new */
    int codecs;
    hz_bytes file, samples, small;   /* the file, its picture, the scaled one */
    hz_account account;              /* of the file */
} station;

/* A picture in its place: `part` of it (left, top, width, height) becomes height x width at y, x; all as it is seen. */
typedef struct placing {
    double part[4];
    int64_t height, width, y, x;
} placing;

/* By orientation: are rows and columns exchanged, and which of the stored ones run backwards? (EXIF 2.32, 4.6.4 A) */
static const struct { int swap, rows, columns; } turns[] = {
    { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 1 }, { 0, 1, 1 }, { 0, 1, 0 }, { 1, 0, 0 }, { 1, 1, 0 }, { 1, 1, 1 }, { 1, 0, 1 },
};

/* ---- codecs ---- */

/* The station's instance of a codec, -1 with the message set. */
static int instance_of(station *s, const char *name)
{
    const codec_row *row = codec_row_named(name);
    int i = 0;
    while (i < s->codecs && s->rows[i] != row)
        i++;
    if (!row || i < s->codecs)
        return row ? i : -1;
    if (i == MOST_CODECS || row->api->kind != HZ_IMAGE)
        return hz_fail(HZ_EARG, "%s: reads no pictures, or is one codec too many", name), -1;
    if (row->serial)
        return hz_fail(HZ_EARG, "%s: is written in Lua (%s), which reads no files; needs a plugin in C", name,
                       row->path), -1;
    host_listen();
    s->instances[i] = codec_create(row, row->params.standard);
    if (!s->instances[i])
        return host_blame(name, HZ_EARG), -1;
    s->rows[i] = row;
    s->codecs++;
    return i;
}

static void station_close(station *s)
{
    for (int i = 0; i < s->codecs; i++)
        s->rows[i]->api->destroy(s->instances[i]);
    free(s->file.data);
    free(s->samples.data);
    free(s->small.data);
    free(s->account.segments);
}

/* ---- places ---- */

static int64_t at_least_1(double v) { return v < 1 ? 1 : (int64_t)v; }

/* The largest part of the form's shape in the middle. */
static void crop(placing *p, double height, double width)
{
    double ratio = (double)p->width / (double)p->height;
    double across = width / height >= ratio ? ratio * height : width;
    double down = width / height >= ratio ? height : width / ratio;
    memcpy(p->part, (double[]){ (width - across) / 2, (height - down) / 2, across, down }, sizeof p->part);
}

/* As large as it fits, in the middle; halves go to the even side. */
static void pad(placing *p, double height, double width)
{
    int64_t h = p->height, w = p->width;
    if (width / height > (double)w / (double)h)
        p->height = min(h, at_least_1(rint(height / width * (double)w)));
    else
        p->width = min(w, at_least_1(rint(width / height * (double)h)));
    p->y = (int64_t)rint((double)(h - p->height) / 2);
    p->x = (int64_t)rint((double)(w - p->width) / 2);
}

static hz_status placing_of(const hz_picture_form *f, int64_t height, int64_t width, placing *p)
{
    *p = (placing){ .part = { 0, 0, (double)width, (double)height }, .height = f->height, .width = f->width };
    if (f->fit == HZ_FIT_CROP)
        crop(p, (double)height, (double)width);
    else if (f->fit == HZ_FIT_PAD)
        pad(p, (double)height, (double)width);
    else if (f->fit == HZ_FIT_NONE && (height != f->height || width != f->width))
        return hz_fail(HZ_ESHAPE, "it is %lldx%lld (width x height); needs %lldx%lld", (long long)width,
                       (long long)height, (long long)f->width, (long long)f->height);
    return HZ_OK;
}

/* ---- scaling and turning ---- */

static int is_whole(const placing *p, int64_t height, int64_t width)
{
    return p->height == height && p->width == width && p->part[2] == (double)width && p->part[3] == (double)height;
}

/* Scales the part of a picture that is seen, as it lies; the placing of what is seen. */
static hz_status scale(station *s, hz_media *m, const placing *p, int swap)
{
    double part[] = { p->part[swap], p->part[!swap], p->part[2 + swap], p->part[3 - swap] };
    int64_t height = swap ? p->width : p->height, width = swap ? p->height : p->width;
    const hz_resize *by = resampler();
    hz_status status = by ? bytes_reserve(&s->small, (size_t)(height * width * m->channels)) : HZ_ESTATE;
    if (status)
        return status;
    host_listen();
    if (by->resize(m, part, height, width, s->small.data))
        return host_blame("scaling", HZ_EFORMAT);
    m->height = height;
    m->width = width;
    m->data = s->small.data;
    return HZ_OK;
}

/* Writes a picture into its place, turned; grey as often as there are channels. */
static void lay(const hz_media *m, const placing *p, int orientation, const hz_picture_form *f, uint8_t *item)
{
    int swap = turns[orientation].swap, n = f->channels;
    for (int64_t y = 0; y < p->height; y++) {
        uint8_t *to = item + ((p->y + y) * f->width + p->x) * n;
        for (int64_t x = 0; x < p->width; x++, to += n) {
            int64_t row = swap ? x : y, column = swap ? y : x;
            row = turns[orientation].rows ? m->height - 1 - row : row;
            column = turns[orientation].columns ? m->width - 1 - column : column;
            const uint8_t *from = (const uint8_t *)m->data + (row * m->width + column) * m->channels;
            for (int c = 0; c < n; c++)
                to[c] = from[m->channels == 1 ? 0 : c];
        }
    }
}

static hz_status place(station *s, hz_media *m, int orientation, const hz_picture_form *f, uint8_t *item)
{
    placing p;
    int swap = turns[orientation].swap;
    int64_t height = swap ? m->width : m->height, width = swap ? m->height : m->width;
    if (m->channels > f->channels)
        return hz_fail(HZ_ESHAPE, "it has %d channels; needs %d", m->channels, f->channels);
    hz_status status = placing_of(f, height, width, &p);
    if (!status && !is_whole(&p, height, width))
        status = scale(s, m, &p, swap);
    if (status)
        return status;
    memset(item, 0, (size_t)(f->height * f->width * f->channels));
    lay(m, &p, orientation, f, item);
    return HZ_OK;
}

/* ---- all of them ---- */

/* Adds a table segment; those without room are mixed into the last one. */
static void add_table(hz_picture *p, const uint8_t *data, int64_t bytes)
{
    hz_picture_table t = { .bytes = bytes }, *last = &p->table[HZ_PICTURE_TABLES - 1];
    bytes_digest(data, bytes, t.digest);
    if (p->tables < HZ_PICTURE_TABLES) {
        p->table[p->tables++] = t;
        return;
    }
    uint64_t both[] = { last->digest[0], last->digest[1], t.digest[0], t.digest[1] };
    bytes_digest((const uint8_t *)both, sizeof both, last->digest);
    last->bytes += bytes;
}

/* What is said of the file's bytes. */
static hz_status describe(station *s, const codec_row *row, hz_picture *p)
{
    const hz_account *a = &s->account;
    hz_status status = codec_account(row, s->file.data, s->file.size, &s->account);
    bytes_digest(s->file.data, (int64_t)s->file.size, p->digest);
    p->bytes = (hz_recoded){ a->bytes[HZ_PAYLOAD], a->bytes[HZ_TABLES], a->bytes[HZ_CONTAINER] };
    p->tables = 0;
    for (int64_t i = 0; i < a->count && !status; i++)
        if (a->segments[i].part == HZ_TABLES)
            add_table(p, s->file.data + a->segments[i].offset, a->segments[i].bytes);
    return status;
}

static hz_status read_one(const job *j, station *s, int64_t i)
{
    hz_picture *p = &j->pictures[i];
    hz_media m;
    if (p->orientation < 0 || p->orientation > 8)
        return hz_fail(HZ_EARG, "orientation is %d; needs 1 to 8", p->orientation);
    int at = instance_of(s, p->codec);
    hz_status status = at < 0 ? HZ_EARG : file_read(p->path, &s->file);
    if (status)
        return status;
    status = (j->form->convert ? codec_convert : codec_decode)(s->rows[at], s->instances[at], s->file.data,
                                                               s->file.size, &m, &s->samples);
    if (!status)
        status = place(s, &m, p->orientation, j->form, j->items + i * j->stride);
    return status ? status : describe(s, s->rows[at], p);
}

static void read_some(void *arg, int worker)
{
    job *j = arg;
    station s = { .codecs = 0 };
    for (int64_t i; !atomic_load(&j->stop) && (i = atomic_fetch_add(&j->next, 1)) < j->n;) {
        hz_picture *p = &j->pictures[i];
        p->status = (int)read_one(j, &s, i);
        snprintf(p->message, sizeof p->message, "%s", p->status ? hz_message() : "");
        if (p->status == HZ_EMEM || hz_signal_pending())
            atomic_store(&j->stop, p->status == HZ_EMEM ? HZ_EMEM : HZ_ESTATE);
    }
    station_close(&s);
}

static hz_status check(const hz_picture_form *f, int64_t n, int threads, int64_t *stride)
{
    hz_media shape = { .kind = HZ_IMAGE, .height = f->height, .width = f->width, .channels = f->channels };
    int64_t all;
    *stride = hz_media_bytes("pictures", &shape);
    if (*stride < 0)
        return HZ_ESHAPE;
    if (n < 1 || __builtin_mul_overflow(n, *stride, &all))
        return hz_fail(HZ_ESHAPE, "pictures: there are %lld of %lld bytes; needs at least 1", (long long)n,
                       (long long)*stride);
    if ((f->channels != 1 && f->channels != 3) || f->fit < HZ_FIT_NONE || f->fit > HZ_FIT_STRETCH || threads < 0
        || threads > 256)
        return hz_fail(HZ_EARG, "pictures: %d channels, fit %d, %d threads; needs 1 or 3, a fit, 0 to 256", f->channels,
                       f->fit, threads);
    return f->fit == HZ_FIT_NONE || resampler() ? HZ_OK : HZ_ESTATE;
}

hz_status hz_pictures_read(hz_picture *pictures, int64_t n, const hz_picture_form *form, uint8_t *items, int threads)
{
    job j = { .pictures = pictures, .form = form, .items = items, .n = n };
    hz_status status = check(form, n, threads, &j.stride);
    if (status)
        return status;
    spread((int)min(spread_threads(threads), n), read_some, &j);
    if (j.stop == HZ_EMEM)
        return hz_fail(HZ_EMEM, "pictures: the system has no more memory");
    return j.stop ? hz_fail(HZ_ESTATE, "pictures: stopped by signal %d", hz_signal_pending()) : HZ_OK;
}

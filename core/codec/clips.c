/* clips.c: many clips become the items of a set. Each thread takes the next clip and holds one file with its samples;
   nothing else grows with clips. */
#include "codec/sounds.h"
#include "bounds.h"
#include "file.h"
#include "spread.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };                 /* bytes: of hz_mel_run's room */

typedef struct job {
    hz_clip *clips;                  /* (n) */
    int64_t n, stride;               /* floats of an item */
    const hz_clip_form *form;        /* NULL: heads only */
    const hz_mel *mel;               /* NULL: samples */
    float *items;
    atomic_llong next;
    atomic_int stop;                 /* hz_status that ends the call, HZ_OK: none */
} job;

static hz_status mel_of(const hz_mel *mel, sound_station *s, const hz_media *m, float *item)
{
    hz_status status = bytes_reserve(&s->room, hz_mel_room(mel, m->frames) + ALIGN);
    if (status)
        return status;
    uintptr_t room = ((uintptr_t)s->room.data + ALIGN - 1) / ALIGN * ALIGN;
    return hz_mel_run(mel, m->data, m->frames, m->channels, item, (void *)room);
}

static hz_status make_item(const job *j, sound_station *s, hz_clip *clip, float *item)
{
    hz_media m;
    hz_status status = station_take(s, clip, !j->form);
    if (status || !j->form)
        return status;
    if (j->mel) {
        status = station_shape(s, clip, j->form, &m);
        return status ? status : mel_of(j->mel, s, &m, item);
    }
    status = station_fit(s, clip, j->form, &m);
    if (!status)
        status = sound_finite(&m);
    if (!status)
        station_lay(&m, j->form->frames, j->form->channels, item);
    return status;
}

/* The samples of a clip are gone with the station; those it was given stay. */
static void finish(hz_clip *clip, const void *given, int status)
{
    clip->sound.data = given;
    clip->status = status;
    snprintf(clip->message, sizeof clip->message, "%s", status ? hz_message() : "");
}

static void take_some(void *arg, int worker)
{
    job *j = arg;
    sound_station s;
    int status = (int)station_open(&s, j->form ? j->form->codec : NULL);
    if (status)
        atomic_store(&j->stop, status);
    for (int64_t i; !atomic_load(&j->stop) && (i = atomic_fetch_add(&j->next, 1)) < j->n;) {
        const void *given = j->clips[i].sound.data;
        status = (int)make_item(j, &s, &j->clips[i], j->items + i * j->stride);
        finish(&j->clips[i], given, status);
        if (status == HZ_EMEM || hz_signal_pending())
            atomic_store(&j->stop, status == HZ_EMEM ? HZ_EMEM : HZ_ESTATE);
    }
    station_close(&s);
}

static hz_status run(job *j, int threads)
{
    if (j->n < 1 || threads < 0 || threads > 256)
        return hz_fail(HZ_EARG, "clips: %lld clips, %d threads; needs at least 1, and 0 to 256", (long long)j->n,
                       threads);
    const codec_row *row = j->form && j->form->codec ? codec_row_named(j->form->codec) : NULL;
    if (j->form && j->form->codec && !row)
        return HZ_EARG;
    spread(row && row->serial ? 1 : (int)min(spread_threads(threads), j->n), take_some, j);
    if (j->stop == HZ_ESTATE)
        return hz_fail(HZ_ESTATE, "clips: stopped by signal %d", hz_signal_pending());
    return j->stop ? hz_fail(HZ_EMEM, "clips: the system has no more memory") : HZ_OK;
}

hz_status hz_clips_scan(hz_clip *clips, int64_t n, int threads)
{
    job j = { .clips = clips, .n = n };
    return run(&j, threads);
}

/* Floats of an item of so many rows of this form. */
static hz_status stride_of(const hz_clip_form *f, int64_t n, int64_t rows, int64_t *stride)
{
    hz_media shape = { .kind = HZ_AUDIO, .frames = f->frames, .channels = f->channels, .rate = f->rate };
    int64_t all;
    if (hz_media_bytes("clips", &shape) < 0)
        return HZ_ESHAPE;
    if (__builtin_mul_overflow(rows, (int64_t)f->channels, stride) || __builtin_mul_overflow(*stride, n, &all) ||
        all > INT64_MAX / 4)
        return hz_fail(HZ_ESHAPE, "clips: %lld items of %lld frames of %d channels are too many", (long long)n,
                       (long long)rows, f->channels);
    return HZ_OK;
}

hz_status hz_clips_read(hz_clip *clips, int64_t n, const hz_clip_form *form, float *out, int threads)
{
    job j = { .clips = clips, .n = n, .form = form, .items = out };
    hz_status status = stride_of(form, n, form->frames, &j.stride);
    return status ? status : run(&j, threads);
}

hz_status hz_clips_mel(hz_clip *clips, int64_t n, const hz_clip_form *form, const hz_mel_form *mel, float *out,
                       int threads)
{
    job j = { .clips = clips, .n = n, .form = form, .items = out };
    hz_mel *tables = hz_mel_new(mel, form->rate);
    j.mel = tables;
    hz_status status = tables ? HZ_OK : HZ_EARG;
    if (!status)
        status = stride_of(form, n, hz_mel_frames(mel, form->frames) * mel->mels, &j.stride);
    if (!status)
        status = run(&j, threads);
    hz_mel_free(tables);
    return status;
}

hz_status hz_clip_read(hz_clip *clip, const hz_clip_form *form, hz_media *shape, float **out)
{
    sound_station s;
    const void *given = clip->sound.data;
    hz_status status = station_open(&s, form->codec);
    if (!status)
        status = station_take(&s, clip, 0);
    if (!status)
        status = station_shape(&s, clip, form, shape);
    if (!status)
        status = sound_finite(shape);
    finish(clip, given, (int)status);
    if (!status) {
        size_t bytes = (size_t)(shape->frames * shape->channels) * sizeof(float);
        if ((*out = malloc(bytes)))
            memcpy(*out, shape->data, bytes);
        else
            status = hz_fail(HZ_EMEM, "%zu bytes were asked for; the system has no more", bytes);
        shape->data = NULL;
    }
    station_close(&s);
    return status;
}

/* streams.h: what must hold for any bytes that come from outside: streams for each codec, files of sound for each
   reader, declarations and values of parameters. stream_fuzz.c draws the bytes, corpus_test.c feeds those that were
   kept (test/corpus). Whoever includes this defines streams_broken(what): it does not return. */
#ifndef STREAMS_H
#define STREAMS_H
#define _GNU_SOURCE
#include "hz/codec.h"
#include "hz/sound.h"
#include "codec/param.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, MOST_ENCODED = 1 << 12, MOST_HEARD = 1 << 18 };      /* of what is looked at closer */

static void streams_broken(const char *what);

static inline void must(int holds, const char *what)
{
    if (holds)
        return;
    streams_broken(what);
}

/* ---- codecs ---- */

/* The target "chain", for what the core reads of streams. */
#define STREAMS_CHAIN "resize:5|gray|skeleton:3"

/* A codec with the interfaces that fuzzing needs beside hz/codec.h. */
typedef struct target {
    const hz_codec_api *api;         /* NULL: a plugin without codec, and a composed codec, of which that is all */
    const hz_codec_file *file;       /* NULL: none */
    const hz_sound_reader *reader;   /* NULL: none */
    hz_codec *codec;
    void *kept;                      /* an instance that decodes one stream after the other */
} target;

/* The target of this plugin; 0 where it is not loaded. */
static inline int target_open(target *t, const char *name)
{
    if (!strcmp(name, "chain"))
        return (t->codec = hz_codec_new(STREAMS_CHAIN, "")) != NULL;
    for (int i = 0; i < hz_plugin_count(); i++) {
        const hz_plugin_row *row = hz_plugin_at(i);
        void *so = row->name && !strcmp(row->name, name) ? dlopen(row->path, RTLD_NOW) : NULL;
        const hz_plugin *p = so ? dlsym(so, "hz_plugin_main") : NULL;
        if (!p)
            continue;
        t->api = p->interface("hz.codec/1");
        t->file = p->interface("hz.codec.file/1");
        t->reader = p->interface("hz.sound/1");
        t->codec = t->api ? hz_codec_new(name, "") : NULL;
        t->kept = t->codec ? t->api->create(hz_codec_params(t->api)->standard) : NULL;
        return t->codec || t->reader;
    }
    return 0;
}

static inline void target_close(target *t)
{
    if (t->kept)
        t->api->destroy(t->kept);
    hz_codec_free(t->codec);
}

/* An account that is given names every byte once. */
static inline void feed_account(const target *t, const uint8_t *data, size_t size)
{
    hz_account a = { .count = 0 };
    if (!t->file->account(data, size, &a)) {
        int64_t at = 0;
        must(a.bytes[0] + a.bytes[1] + a.bytes[2] == (int64_t)size, "the account does not add up");
        for (int64_t i = 0; i < a.count; at += a.segments[i++].bytes)
            must(a.segments[i].offset == at && a.segments[i].bytes > 0, "the segments do not tile the stream");
        must(at == (int64_t)size, "the segments do not tile the stream");
    }
    free(a.segments);
}

typedef int decode_call(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);

/* 1: it was taken; its samples are in *out, which cannot grow. */
static inline int feed_decode(const target *t, decode_call *decode, void *instance, const uint8_t *data, size_t size,
                              hz_media *m, hz_bytes *out)
{
    *m = (hz_media){ .kind = t->api->kind };
    out->size = 0;
    if (decode(instance, data, size, m, out))
        return 0;
    m->kind = t->api->kind;
    m->data = out->data;
    must(hz_media_bytes(t->api->name, m) == (int64_t)out->size, "what was decoded has no proper size");
    return 1;
}

/* What is decoded is a proper picture: it is encoded, and that is decoded. */
static inline void feed_encode(const target *t, const hz_media *m)
{
    hz_stream stream;
    hz_media again;
    if (t->api->kind != HZ_IMAGE || !(t->api->channels >> m->channels & 1) ||
        m->height * m->width > MOST_ENCODED)
        return;
    must(!hz_codec_encode(t->codec, m, &stream), "what was decoded is not encoded");
    must(!hz_codec_decode(t->codec, stream.data, stream.bytes, &again), "what was encoded is not decoded");
    must(again.height == m->height && again.width == m->width && again.channels == m->channels, "another size");
}

static inline int same(const hz_bytes *a, const hz_bytes *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

static inline void feed_codec(const target *t, const uint8_t *data, size_t size)
{
    static uint8_t *room[2];
    hz_bytes out[2];
    hz_media m, other;
    for (int i = 0; i < 2; i++) {
        room[i] = room[i] ? room[i] : malloc(MOST_BYTES);
        out[i] = (hz_bytes){ .data = room[i], .room = MOST_BYTES, .fixed = 1 };
    }
    if (t->file)
        feed_account(t, data, size);
    void *instance = t->api->create(hz_codec_params(t->api)->standard);
    must(instance != NULL, "no instance");
    int taken = feed_decode(t, t->api->decode, instance, data, size, &m, &out[0]);
    must(taken == feed_decode(t, t->api->decode, t->kept, data, size, &other, &out[1]), "streams before decide");
    must(!taken || same(&out[0], &out[1]), "streams before change the samples");
    if (t->file && feed_decode(t, t->file->decode, instance, data, size, &other, &out[1]) && taken)
        must(same(&out[0], &out[1]), "file decodes to other samples");
    t->api->destroy(instance);
    if (taken)
        feed_encode(t, &m);
}

/* Samples of the original, which the stream begins with: what is undone grows with them, not with the stream. */
static inline double said(const uint8_t *data, size_t size)
{
    double samples = 1, number = 0, unit = 1;
    for (size_t i = 0, n = 0; i < size && n < 3; i++) {
        number += unit * (data[i] & 127);
        unit *= 128;
        if (data[i] < 128) {
            samples *= number;
            number = 0, unit = 1;
            n++;
        }
    }
    return samples;
}

static inline void feed_chain(const target *t, const uint8_t *data, size_t size)
{
    hz_media m, again;
    hz_stream stream;
    if (said(data, size) > MOST_BYTES || hz_codec_decode(t->codec, data, (int64_t)size, &m) ||
        m.height * m.width > MOST_ENCODED)
        return;
    int64_t height = m.height, width = m.width, channels = m.channels;
    must(!hz_codec_encode(t->codec, &m, &stream), "what was decoded is not encoded");
    must(!hz_codec_decode(t->codec, stream.data, stream.bytes, &again), "what was encoded is not decoded");
    must(again.height == height && again.width == width && again.channels == channels, "another size");
}

/* ---- readers of files of sound ---- */

/* What was read is finite, and so is what is made of it unless a message says why not. */
static inline void feed_mel(const hz_media *m, const float *samples)
{
    hz_mel_form form;
    hz_mel_standard(&form);
    form.n_fft = form.hop = 256;
    form.mels = 8;
    hz_mel *mel = hz_mel_new(&form, m->rate);
    int64_t count = form.mels * hz_mel_frames(&form, m->frames) * m->channels;
    float *out = malloc((size_t)count * sizeof *out);
    must(mel && out, "no spectrogram");
    for (int64_t i = 0; i < m->frames * m->channels; i++)
        must(isfinite(samples[i]), "a sample is not finite");
    if (!hz_mel_run(mel, samples, m->frames, m->channels, out, NULL))
        for (int64_t i = 0; i < count; i++)
            must(isfinite(out[i]), "a spectrogram is not finite");
    free(out);
    hz_mel_free(mel);
}

/* As the host reads it, by whichever reader takes it. */
static inline void feed_clip(const uint8_t *data, size_t size)
{
    hz_clip clip = { .stream = data, .bytes = (int64_t)size };
    const hz_clip_form as_it_is = { .rate = 0 };
    hz_media shape;
    float *samples;
    if (hz_clip_read(&clip, &as_it_is, &shape, &samples))
        return;
    if (shape.frames * shape.channels <= MOST_HEARD)
        feed_mel(&shape, samples);
    hz_sound_release(samples);
}

static inline void feed_reader(const target *t, const uint8_t *data, size_t size)
{
    char kind[16] = "";
    hz_media m = { .kind = HZ_AUDIO };
    hz_bytes none = { .data = malloc(MOST_BYTES), .room = MOST_BYTES, .fixed = 1 };
    if (t->reader->takes(data, size)) {
        t->reader->read(data, size, &m, kind, NULL);
        m = (hz_media){ .kind = HZ_AUDIO };
        if (!t->reader->read(data, size, &m, kind, &none)) {
            m.kind = HZ_AUDIO;
            must(hz_media_bytes("reader", &m) == (int64_t)none.size, "what was read has no proper size");
            feed_clip(data, size);
        }
    }
    free(none.data);
}

/* ---- parameters: a declaration, then after a line feed values for it ---- */

/* Values that are taken are in range, and their text reads back as the same values with the same text. */
static inline void feed_values(const hz_params *p, const char *text)
{
    size_t places = (size_t)p->places + 1;
    double *values = calloc(places, sizeof *values), *again = calloc(places, sizeof *again);
    must(values && again, "no memory");
    if (!param_read(p, "fuzz", text, values)) {
        for (const hz_param *q = p->param; q < p->param + p->count; q++)
            for (int k = 0; q->type <= HZ_PARAM_FLOAT && k < (q->length ? q->length : 1); k++)
                must(param_holds(q, values[q->at + k]), "a value is out of range");
        char *said = param_print(p, values);
        must(said && !param_read(p, "fuzz", said, again), "its own text is refused");
        must(!memcmp(values, again, (size_t)p->places * sizeof *values), "its own text gives other values");
        char *twice = param_print(p, again);
        must(twice && !strcmp(said, twice), "equal values have two texts");
        free(said);
        free(twice);
    }
    free(values);
    free(again);
}

static inline void feed_params(const uint8_t *data, size_t size)
{
    hz_params p;
    char *text = calloc(size + 1, 1), *values;
    must(text != NULL, "no memory");
    if (size)
        memcpy(text, data, size);
    if ((values = strchr(text, '\n')))
        *values++ = 0;
    if (!param_parse(text, &p)) {
        feed_values(&p, "");
        if (values)
            feed_values(&p, values);
        param_free(&p);
    }
    free(text);
}

/* ---- by name ---- */

/* 1: there is such a target here. */
static inline int streams_open(target *t, const char *name)
{
    *t = (target){ .api = NULL };
    return !strcmp(name, "params") || target_open(t, name);
}

static inline void streams_feed(const target *t, const uint8_t *data, size_t size)
{
    if (!t->api && !t->reader && !t->codec)
        feed_params(data, size);
    else if (size && !t->api && !t->reader)
        feed_chain(t, data, size);
    else if (size && t->api)
        feed_codec(t, data, size);
    else if (size)
        feed_reader(t, data, size);
}
#endif

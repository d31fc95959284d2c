/* door.h: what the files of this room share behind hz/codec.h. */
#ifndef HZ_CORE_DOOR_H
#define HZ_CORE_DOOR_H
#include "hz/codec.h"
#include <stdio.h>

enum { ORIGIN = 48 };

struct chain;

/* A loaded codec, one with values in its name, or a composed one; lives for ever. */
typedef struct codec_row {
    const hz_plugin *plugin;
    const hz_codec_api *api;
    const hz_codec_bench *bench;     /* NULL: none */
    const hz_codec_file *file;       /* NULL: none */
    const hz_codec_note *note;       /* NULL: none */
    const hz_codec_stage *stage;     /* NULL: none */
    hz_params params;
    const char *path;                /* of the file it came from; lent for ever */
    int serial;                      /* 1: written in Lua: only the thread that loaded it may call it */
    char origin[ORIGIN];             /* what its code is, beside its version; "" if the version says it */
    const char *library;             /* what does the work; lent for ever */
    const struct chain *chain;       /* its stages; NULL: it is no composed codec */
} codec_row;

/* NULL with a message that names what exists. [any] */
const codec_row *codec_row_named(const char *name);
/* One that a plugin offers, by its plain name; within: the composed name that it stands in, or NULL. */
const codec_row *codec_row_loaded(const char *name, const char *within);
/* One whose name has | or : in it, made when it is first asked for. */
const codec_row *chain_row(const char *name);
/* Of those that were made. */
const codec_row *chain_row_of(const hz_codec_api *api);

/* The resampler of pictures, NULL with the message set. [any] */
const hz_resize *resampler(void);

/* The resampler of sounds, NULL with the message set. [any] */
const hz_sound_resampler *sound_resampler(void);
/* The readers of files of sound, in order; NULL past the end. [any] */
const hz_sound_reader *sound_reader(int i);

/* Has the plugin make and destroy an instance for these values in a process of its own: what it refuses is the message.
   What ruins that process is no failure here: whoever recodes with the handle meets it. */
hz_status apart_try(const hz_codec *c, double seconds);

/* The row a handle was made from. */
const codec_row *codec_row_of(const hz_codec *c);

/* Opens the shared object and takes what it offers; `out` is filled in. A failure is why it is no good. [main] */
hz_status plugin_open(const char *path, hz_plugin_row *out);
/* The same in a process of its own, of which nothing stays: would it end or hold up this one? [main] */
hz_status plugin_try(const char *path);

/* ", sources DIGEST" or ", file DIGEST" of a shared object that was opened from `path`. [main] */
hz_status origin_of(void *so, const char *path, char origin[ORIGIN]);

/* 128 bits in two independent mixing lanes, against accidents and not against attackers. [any] */
void bytes_digest(const uint8_t *p, int64_t bytes, uint64_t out[2]);

/* ---- the host table, and what a plugin said through it ---- */

const hz_host *host_table(void);      /* lent for ever [main] */
/* Call listen before a plugin's function; if that fails, return blame: it puts "who: " before what the plugin said, and
   returns `code`, or HZ_EMEM if the host itself ran out of memory. [any] */
void host_listen(void);
hz_status host_blame(const char *who, hz_status code);
/* A codec that is no plugin's returns what went wrong, its message set, through this: blame returns that status. */
int host_relay(hz_status status);

/* ---- a plugin that is being tried: guard.c ---- */

enum { GUARDED = 2 };                 /* hz_bytes.fixed: its memory is guarded */
typedef int (*codec_decoder)(void *, const uint8_t *, size_t, hz_media *, hz_bytes *);

/* The calls of a plugin, of its codec. [any] */
int guard_open(const hz_plugin *p, const hz_host *host);
int guard_timing(const hz_codec_api *api, void *instance, double rate, int64_t *delay, int64_t *tail);
void *guard_create(const hz_codec_api *api, const double *values);
void guard_destroy(const hz_codec_api *api, void *instance);
int guard_encode(const hz_codec_api *api, void *instance, const hz_media *in, hz_bytes *out, hz_account *account);
int guard_decode(codec_decoder decode, void *instance, const uint8_t *bytes, size_t count, hz_media *format,
                 hz_bytes *out);
void guard_turn(void);                /* in what the host does for a plugin: other threads get ahead [any] */
/* For hz_bytes.fixed of a handle's memory, and then: its room; taken back. */
int guard_room(void);
hz_status guard_grow(hz_bytes *b, size_t room);
void guard_free(hz_bytes *b);
/* Has nothing been written before this memory, or other that was lent since? */
hz_status guard_look(const char *who, const hz_bytes *b);
/* Puts a guarded copy of a handle's input in its place, lent until the end. */
hz_status guard_input(const void **data, size_t bytes);
void guard_input_end(const void *data);

/* ---- one call of a codec with everything checked ---- */

/* An instance; NULL after host->fail. */
void *codec_create(const codec_row *row, const double *values);
/* What decides its streams, as in hz_codec_fingerprint. */
void codec_describe(FILE *f, const codec_row *row);
/* What the codec gets of an item: the shape, and the item itself, at a rate that it takes, in `resampled`. */
void codec_shape(const hz_codec_api *api, const hz_media *in, hz_media *taken);
hz_status codec_prepare(const hz_codec_api *api, const hz_media *in, hz_media *taken, hz_bytes *resampled);
/* Is what it wrote to `samples` of the format that it says? Then it is out->data. */
hz_status codec_filled(const hz_codec_api *api, hz_media *out, const hz_bytes *samples);
/* hz_codec_note_of of an item that it takes. */
hz_status codec_note(const codec_row *row, void *instance, const hz_media *like, char *text, size_t room);

/* `resampled`: room for a sound at another rate. */
hz_status codec_encode(const codec_row *row, void *instance, const hz_media *in, hz_bytes *resampled, hz_bytes *out,
                       hz_account *account);
/* A sound still has the codec's delay and tail. */
hz_status codec_decode(const codec_row *row, void *instance, const uint8_t *data, size_t bytes, hz_media *out,
                       hz_bytes *samples);
/* The same by hz_codec_file; by the codec's own decode where it has none. */
hz_status codec_convert(const codec_row *row, void *instance, const uint8_t *data, size_t bytes, hz_media *out,
                        hz_bytes *samples);
/* The parts of a file by hz_codec_file; all of it payload where the codec has none. */
hz_status codec_account(const codec_row *row, const uint8_t *data, size_t bytes, hz_account *account);

/* ---- items ---- */

/* Is it of the kind and channels that the codec takes, at a rate that it takes or that can be changed? */
hz_status media_takes(const hz_codec_api *api, const hz_media *in);
/* Moves a decoded sound's data past the delay that the codec declares and takes off what is behind `frames` frames; 0:
   how many the original had is not known, only the declared tail goes. Images stay as they are. */
hz_status media_cut(const codec_row *row, void *instance, hz_media *m, int64_t frames);
/* Has `got` the shape and rate of its original? */
hz_status media_alike(const char *who, const hz_media *got, const hz_media *want);

/* ---- sounds at other rates ---- */

/* The rate at which a codec gets a sound of this one. */
double rate_for(const hz_codec_api *api, double rate);
/* `in` at this rate, in `room` unless it has it already. */
hz_status rate_change(const hz_media *in, double rate, int64_t frames, hz_media *out, hz_bytes *room);
/* A decoded sound, cut: as many frames as its original, at its rate. */
hz_status rate_restore(const codec_row *row, void *instance, hz_media *m, const hz_media *original, hz_bytes *room);

/* ---- table segments ---- */

hz_status tables_add(hz_tables *t, const uint8_t *data, int64_t bytes);
hz_status tables_merge(hz_tables *t, const hz_tables *from);
/* All of them to a file, and into a set from one, whoever wrote it. */
hz_status tables_write(const hz_tables *t, int fd);
hz_status tables_read(hz_tables *t, int fd);

#endif

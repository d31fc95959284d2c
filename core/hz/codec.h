/* codec.h: the host's side of the plugin door: what is loaded, codecs with their parameters, bulk recoding of sets. */
#ifndef HZ_CODEC_H
#define HZ_CODEC_H
#include "hz/base.h"
#include "hz/plugin.h"
#include "hz/tensor.h"
#pragma GCC visibility push(default)

/* ---- plugins ---- */

/* One shared object that was looked at. Strings are lent for ever, `skipped` until the next hz_plugin_load. */
typedef struct hz_plugin_row {
    const char *path;
    const char *skipped;             /* why it was not loaded; NULL: it was, and the following are set */
    const char *name, *version, *about;
    const char *kind;                /* "image", "audio": of its codec; "resizer", "resampler", "reader"; NULL: none */
    const char *codec;               /* name of its codec, NULL if it offers none that this host knows */
    const char *library;             /* "libpng 1.6.39" */
    const char *hidden;              /* path of the plugin, loaded before, that is used in its place; NULL: none */
    int script;                      /* 1: written in Lua */
} hz_plugin_row;

/* Looks at every *.so in each folder of a ':'-separated list, in order of name; the first codec of a name hides others.
   Folders that cannot be read, and files that are no good, become rows with a reason; a file already loaded is passed
   over. apart: each is first opened in a process of its own, so that one that crashes, ends its process or hangs there
   is no good either. Fails only for want of memory. [main] */
hz_status hz_plugin_load(const char *folders, int apart);
/* The same for one file. [main] */
hz_status hz_plugin_load_file(const char *path, int apart);
/* A plugin in memory, as if it stood at `path`; origin ("file DIGEST") goes into its codec's fingerprint. It is called
   by the thread that adds it alone, and stays for ever. One that is no good becomes a row with a reason. [main] */
hz_status hz_plugin_add(const hz_plugin *plugin, const char *path, const char *origin);
/* A row with this reason. [main] */
hz_status hz_plugin_skip(const char *path, const char *why);
int hz_plugin_count(void);
const hz_plugin_row *hz_plugin_at(int i);                    /* 0 <= i < count; lent for ever */
/* Lines that plugins noted, newest last; lent until the next call. [main] */
const char *hz_plugin_log(void);

/* ---- codecs and their declared parameters ---- */

typedef enum hz_param_type { HZ_PARAM_INT, HZ_PARAM_FLOAT, HZ_PARAM_BOOL, HZ_PARAM_ENUM } hz_param_type;

/* One declared parameter (grammar: plugin.h); of a composed codec with its stage's name in front: "resize.size". */
typedef struct hz_param {
    char name[68];
    char unit[16];                   /* "" if none */
    char help[96];                   /* "" if none */
    int type;                        /* hz_param_type */
    int length;                      /* 0: a single value; else a vector of that many */
    int at;                          /* place of its first value in a list of values */
    int bounded;                     /* 1: low and high hold */
    double low, high;
    int direction;                   /* +1 more bits as the value rises, -1 fewer, 0 neither */
    int fixed;                       /* 1: the codec's name says its value, which is the default; it takes no other */
    int choices;                     /* enum: how many */
    char choice[16][24];
} hz_param;

typedef struct hz_params {
    int count, places;               /* parameters; values they take together */
    hz_param *param;
    double *standard;                /* default values, `places` of them */
} hz_params;

int hz_codec_count(void);
const hz_codec_api *hz_codec_at(int i);                      /* 0 <= i < count; lent for ever */
/* A codec by its name, with values ("jpeg:10", "resize:16:filter=box"), or composed: "resize:16|jpeg" encodes what
   resize makes of an item, and undoes after decoding what is to undo (core/codec/chain.c). NULL with a message that
   names what exists. Lent for ever. [any] */
const hz_codec_api *hz_codec_find(const char *name);
const hz_params *hz_codec_params(const hz_codec_api *api);   /* lent for ever */
const char *hz_codec_library(const hz_codec_api *api);       /* "libpng 1.6.39", "none | libpng 1.6.39"; likewise */

/* ---- a codec with values for its parameters: one thread at a time ---- */

typedef struct hz_codec hz_codec;

/* values: "quality=10; subsampling=444", "" or NULL for the defaults; vectors as "1,2,3". new: hz_codec_free; NULL on
   failure. [any] */
hz_codec *hz_codec_new(const char *name, const char *values);
/* The same, but the plugin makes its instance in a process of its own, in at most so many seconds, > 0, and here when
   an item or a note first needs it. What it refuses is a failure; what ruins that process hz_codec_recode_apart
   meets. */
hz_codec *hz_codec_new_apart(const char *name, const char *values, double seconds);
void hz_codec_free(hz_codec *c);                             /* taken; NULL is fine */
const char *hz_codec_name(const hz_codec *c);                /* lent with c */
/* All values in declared order, "quality=10;subsampling=420", but for vectors that are declared as zeros and are: the
   same text for the same values. Lent with c. */
const char *hz_codec_text(const hz_codec *c);
/* What decides the streams it makes: plugin version, what the host adds, library, as in
   "jpeg 1 (hz.codec/0.1, libjpeg-turbo 2.1.5)"; and a digest of its code: of the sources, where they are not those that
   plugins/sources.txt knows under this version, of the file for plugins built elsewhere. Lent with c. */
const char *hz_codec_fingerprint(const hz_codec *c);
const double *hz_codec_values(const hz_codec *c);            /* hz_params.places of them; lent with c */

/* One encoded item; all of it lent until the next call with this codec. */
typedef struct hz_stream {
    const uint8_t *data;
    int64_t bytes;
    hz_account account;              /* its three sums add up to `bytes` */
} hz_stream;

/* What resamples sounds, "libsoxr-0.1.3 VHQ"; NULL with the message set if no such plugin is loaded. Lent for ever.
   [any] */
const char *hz_sound_resampler_name(void);

/* The bytes of an item's samples; -1 with the message set ("who: ...") if its shape is none. [any] */
int64_t hz_media_bytes(const char *who, const hz_media *m);

/* Sounds at a rate that the codec does not take are resampled before. */
hz_status hz_codec_encode(hz_codec *c, const hz_media *in, hz_stream *out);
/* out->data is lent until the next call with this codec. Delay and tail that a codec of sounds declares are cut off. */
hz_status hz_codec_decode(hz_codec *c, const uint8_t *data, int64_t bytes, hz_media *out);
/* As it was encoded: a sound gets just as many frames as its original, of which only they and the rate are looked at,
   at that rate: it is resampled if the codec chose another. */
hz_status hz_codec_decode_as(hz_codec *c, const uint8_t *data, int64_t bytes, const hz_media *original, hz_media *out);
/* What becomes of items like this one (its data is not looked at) that the values do not say: another rate, another
   bitrate, a lowpass; "" for nothing. Lent until the next call with this codec. */
hz_status hz_codec_note_of(hz_codec *c, const hz_media *like, const char **text);

/* ---- plugins that are being tried ---- */

typedef enum hz_guard {
    HZ_GUARD_CALLS = 1,              /* a C++ exception that leaves a plugin ends the process, which names it */
    HZ_GUARD_ROOM = 2,               /* what codecs write to ends at a page that nobody may touch */
    HZ_GUARD_INPUT = 4,              /* what codecs read ends there, too, and cannot be written */
    HZ_GUARD_TURNS = 8               /* who asks the host for something waits a little: threads overtake others */
} hz_guard;

/* From now on, in this process: what codecs are lent is guarded so (hz_guard, added up), ROOM and INPUT where they work
   on single items. A fault in guarded memory is told to the descriptor `fd` in a line, "guard it wrote 1 byte past the
   84 that it was lent to be written", before it ends the process. [main] */
void hz_plugin_guard(int what, int fd);

/* ---- bulk recoding ---- */

/* The distinct table segments of the files that went into it: a set pays for byte-identical ones once. [main] */
typedef struct hz_tables hz_tables;
hz_tables *hz_tables_new(void);                              /* new: hz_tables_free */
void hz_tables_free(hz_tables *t);                           /* taken; NULL is fine */
int64_t hz_tables_count(const hz_tables *t);                 /* distinct segments */
int64_t hz_tables_bytes(const hz_tables *t);                 /* what they take together, each once */

/* What one item costs: bytes of its complete stand-alone file. How far it is from its original: measure.h. */
typedef struct hz_recoded {
    int64_t payload, tables, container;
} hz_recoded;

/* Encodes and decodes n items with one instance of the codec per thread.
   items     (n) of the kind that the codec takes; images and sounds may differ in shape, their samples are lent
   decoded   n places for the decoded samples, `stride` bytes from one to the next, apart from the originals. An item
             fills the beginning of its place: a sound is cut to its original's frames, whatever the codec's delay and
             tail
   out       (n) or NULL
   tables    gathers the table segments, or NULL
   threads   1 .. 256; 0: one per core that this process may use
   The lowest failing item is named. A pending signal ends it with HZ_ESTATE. The result is the same for any thread
   count. [main] */
hz_status hz_codec_recode(hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride, hz_recoded *out,
                          hz_tables *tables, int threads);

/* Zeros to decode into by hz_codec_recode_apart, between pages that nobody may touch. new: hz_tensor_free; NULL on
   failure. */
hz_tensor *hz_codec_places(int dtype, int ndim, const int64_t *shape);

/* The very same in a process of its own, a fork that ends with the call, for codecs that may crash, hang, exit, print
   or write where they should not: all of that costs this call alone, and the message names the item. `decoded` is all
   of hz_codec_places; seconds, > 0: how long an item may take. [main] */
hz_status hz_codec_recode_apart(hz_codec *c, const hz_media *items, int64_t n, void *decoded, int64_t stride,
                                hz_recoded *out, hz_tables *tables, int threads, double seconds);

/* Seconds for the same work (encode, decode, all pixels written) by hz_codec_recode and by the library's plain loop,
   one loop per thread over an equal share. pixels, decoded: uint8_t (n,height,width,channels). Fails if the codec
   offers no "hz.codec.bench/1". [main] */
hz_status hz_codec_race(hz_codec *c, const uint8_t *pixels, int64_t n, int64_t height, int64_t width, int channels,
                        uint8_t *decoded, int threads, double *recode_seconds, double *plain_seconds);

#pragma GCC visibility pop
#endif

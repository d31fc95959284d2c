/* plugin.h: everything a plugin of hz needs, and all it may include. C99, C++-clean; also read by LuaJIT's FFI, hence
   no function macros and no extern "C" (C++ wraps the include).
   A plugin is a shared object that exports one symbol, hz_plugin_main, and links nothing of hz: what it needs from the
   host comes through hz_host. It offers interfaces by id; "hz.codec/1" is the one below. plugins/README.md tells the
   story.

   Frozen: no field of a struct below ever moves, goes, or changes its meaning. Structs that begin with `size` grow at
   their end; whoever reads a later field first looks whether `size` covers it, and takes it for 0 where it does not.
   What is new in kind comes as an optional interface with an id of its own.

   Ownership: new = caller releases with the named function; lent = valid until the event named; taken = callee
              releases.
   Threads:   [main] only the thread that loads plugins; [worker] any thread, one at a time per instance; [any] no rule.
   Failure:   functions that return int return 0, or what host->fail returned. Nothing may print, exit, or longjmp
              out. */
#ifndef HZ_PLUGIN_H
#define HZ_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#pragma GCC visibility push(default)

/* ---- what passes between host and codec ---- */

typedef enum hz_media_kind { HZ_IMAGE = 1, HZ_AUDIO = 2 } hz_media_kind;

/* One decoded item. The host fills all of it with zeros before a codec fills it in. A codec meets only what it says
   that it takes, so that it may leave `type`, `colour` and `more` alone. */
typedef struct hz_media {
    int kind;                 /* hz_media_kind */
    int type;                 /* 0: samples as at `data`; others, for codecs that declare them, are to come */
    int channels;             /* image: 1 grey, 3 RGB; audio: 1 mono, 2 left right, ... */
    int colour;               /* 0: grey or sRGB, by channels; others, for codecs that declare them, are to come */
    int64_t height, width;    /* image: pixels, > 0; audio: 0 */
    int64_t frames;           /* audio: samples per channel, > 0; image: 0 */
    double rate;              /* audio: frames per second; image: 0 */
    /* Lent for the call. image: uint8_t (height,width,channels); audio: float (frames,channels), +-1 */
    const void *data;
    const void *more;         /* NULL */
} hz_media;

/* Memory that the host lends and grows for the codec. Write data[0 .. size), size <= room; call host->grow for more
   room. */
typedef struct hz_bytes {
    uint8_t *data;            /* lent for the call; host->grow may move it */
    size_t size, room;        /* bytes written, bytes there are */
    int fixed;                /* the host's business: the memory cannot grow */
} hz_bytes;

/* Where the bytes of a stream went. */
typedef enum hz_part {
    HZ_PAYLOAD,               /* coded samples */
    HZ_TABLES,                /* what the payload needs and a set could share: quantisers, code tables, palettes */
    HZ_CONTAINER,             /* signatures, marker and chunk headers, sizes, checksums */
    HZ_PARTS
} hz_part;

typedef struct hz_segment {
    int part;                 /* hz_part */
    int64_t offset, bytes;    /* from the start of the stream */
} hz_segment;

/* Filled by host->part only; then bytes[] adds up to the stream and segments[] tiles it. */
typedef struct hz_account {
    int64_t bytes[3];         /* by hz_part */
    hz_segment *segments;     /* lent by the host */
    int64_t count, room;      /* segments there are, segments there is room for */
} hz_account;

/* ---- the host ---- */

/* Grows at the end: a plugin that wants a later field first compares its offset with `size`. Lent for ever. */
typedef struct hz_host {
    size_t size;                                    /* sizeof(hz_host) as the host knows it */
    const char *version;                            /* the host's version, "0.1.0" */
    /* Sets the calling thread's message and returns non-zero: return host->fail("level is %d; needs 0..9", n). Say what
       was given and what is needed, in lower case; the host puts the codec's name in front. [any] */
    int (*fail)(const char *format, ...) __attribute__((format(printf, 1, 2)));
    /* Notes one line for whoever reads `hz plugin list`; never needed. [any] */
    void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
    void *(*alloc)(size_t bytes);                   /* new: host->free; zeroed; NULL with the message set [any] */
    void (*free)(void *p);                          /* p taken, may be NULL [any] */
    /* Makes room >= `room`, keeping the first `size` bytes. Non-zero with the message set: give up and return it.
       [worker] */
    int (*grow)(hz_bytes *b, size_t room);
    /* Says what the next `bytes` bytes of the stream are, front to back, so that the parts tile it. Each call with
       HZ_TABLES is one table segment: a set of files counts byte-identical ones once. Non-zero with the message set:
       out of memory. [worker] */
    int (*part)(hz_account *account, hz_part part, size_t bytes);
    /* Non-zero once the host wants to end: a call that takes seconds asks now and then, and returns what host->fail
       returned. [any] */
    int (*cancelled)(void);
} hz_host;

/* ---- the codec interface, id "hz.codec/1" ---- */

/* Parameters are declared as text, from which come argument checks, help and the axes of a sweep:

       list      = param *( ";" param ) [ ";" ]
       param     = name ":" type "=" default [ range ] [ unit ] [ direction ] [ help ]
       type      = "int" | "float" | "bool" | "enum"
                 | ( "int" | "float" ) "*" length            (a vector of 1 .. 256 numbers)
       default   = number | "true" | "false"
                 | choice *( "|" choice )                    (enum: all choices, the default first)
                 | number *( "," number )                    (vector: `length` numbers, or one for all)
       range     = "[" number ".." number "]"                (int, float and vectors; both ends count)
       unit      = "(" text ")"                                                             "(kbit/s)"
       direction = "+" | "-"      + more bits as the value rises (enum: from choice to choice; bool: when true),
                                  - fewer; none: neither
       help      = "'" text "'"                                                             (one line, no ' in it)
       name      = letter *( letter | digit | "_" ),  choice = 1*( letter | digit | "_" | "." )

   Spaces may stand between the pieces. Example:
       "quality:int=75[1..100]+ 'scale of the quantisers'; subsampling:enum=420|422|444+;
        bitrate:float=96[8..320](kbit/s)+"
   Values reach `create` as doubles in declared order: enum = index of the choice, bool = 0 or 1, a vector takes
   `length` places. */
typedef struct hz_codec_api {
    size_t size;                                    /* sizeof(hz_codec_api) */
    int kind;                                       /* hz_media_kind: what it encodes */
    unsigned channels;                              /* bit n set: takes n channels; images: 1<<1 | 1<<3 */
    int lossless;                                   /* 1: decoding returns the very samples that were encoded */
    const char *name;                               /* as in hz.codec.jpeg; letters, digits, _ */
    const char *params;                             /* the declared parameters, "" for none */
    /* audio: rates taken, rising, ended by 0; sounds of others the host resamples, there and back. NULL: any */
    const int *rates;
    const char *(*library)(void);                   /* what does the work, found at run time; lent for ever [any] */
    /* An instance for these values (checked by the host by `params`). new: destroy; NULL after host->fail. [any] */
    void *(*create)(const double *values);
    void (*destroy)(void *instance);                /* taken, may be NULL [any] */
    /* Writes the stream to `out` (size 0 at the start) and names its parts. Must take every size > 0 it can represent.
       [worker] */
    int (*encode)(void *instance, const hz_media *in, hz_bytes *out, hz_account *account);
    /* Reads one stream of any origin: checks everything, crashes on nothing. Fills `format` (all but data) and writes
       the samples to `out` in one piece. Never asks for more room than it needs: the host may lend exactly one image.
       [worker] */
    int (*decode)(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);
    /* Audio: frames that decode puts before and after the original ones at this rate, that of the decoded sound; what
       it puts behind may depend on the length, then the tail is the least of it. The host trims, and resamples where
       the codec chose a rate of its own. NULL: none. [worker] */
    int (*timing)(void *instance, double rate, int64_t *delay, int64_t *tail);
} hz_codec_api;

/* Optional, id "hz.codec.file/1": what a codec makes of files of any origin. */
typedef struct hz_codec_file {
    size_t size;                                    /* sizeof(hz_codec_file) */
    /* As the codec's own decode, of which it makes the very same samples where that takes the stream; but it also takes
       16 bits per sample (scaled to 8, rounded) and CMYK (by the complements: R = (255-C)(255-K)/255). [worker] */
    int (*decode)(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out);
    /* Names the parts of a stream that decode takes; what belongs to nothing is container. [worker] */
    int (*account)(const uint8_t *bytes, size_t count, hz_account *account);
} hz_codec_file;

/* Optional, id "hz.codec.note/1": what a codec makes of its values. */
typedef struct hz_codec_note {
    size_t size;                                    /* sizeof(hz_codec_note) */
    /* What the instance does to items like this one (its data is not there) that its values do not say, read back from
       the library: another rate, another bitrate, a lowpass. A line without commas at the ends, "" for nothing; at most
       `room` bytes with the final 0. [worker] */
    int (*note)(void *instance, const hz_media *like, char *text, size_t room);
} hz_codec_note;

/* Optional, id "hz.codec.stage/1": a codec as an earlier stage of a composed one, as in 'resize:16|jpeg'. A codec
   without it passes on what it decodes of what it has encoded, and has nothing to undo. */
typedef struct hz_codec_stage {
    size_t size;                                    /* sizeof(hz_codec_stage) */
    /* Makes of `in` the item that the next stage gets: fills `format` (all but data) and writes the samples to `out`.
       [worker] */
    int (*forward)(void *instance, const hz_media *in, hz_media *format, hz_bytes *out);
    /* Makes of the item that the next stage gave back one like `original` (its data is not there), which is what
       `forward` was given. NULL: there is nothing to undo. [worker] */
    int (*back)(void *instance, const hz_media *in, const hz_media *original, hz_media *format, hz_bytes *out);
} hz_codec_stage;

/* Optional, id "hz.codec.bench/1": the plain library loop that `hz bench codec` compares with, without account or
   checks. */
typedef struct hz_codec_bench {
    size_t size;                                    /* sizeof(hz_codec_bench) */
    /* Encodes and decodes n images, pixels and decoded uint8_t (n,height,width,channels). [worker] */
    int (*roundtrips)(const double *values, const uint8_t *pixels, int64_t n, int64_t height, int64_t width,
                      int channels, uint8_t *decoded);
} hz_codec_bench;

/* ---- a resampler of images, id "hz.resize/1"; the first that is loaded is used ---- */

typedef struct hz_resize {
    size_t size;                                    /* sizeof(hz_resize) */
    const char *(*library)(void);                   /* what does the work, found at run time; lent for ever [any] */
    /* Scales part = { left, top, width, height } (in pixels, fractions count) of an image to out: uint8_t
       (height,width,in->channels), by a triangle that covers what becomes one pixel (bilinear, antialiased). Pixels
       within the triangle but outside of the part count; what is outside of the image does not. [any] */
    int (*resize)(const hz_media *in, const double part[4], int64_t height, int64_t width, uint8_t *out);
} hz_resize;

/* ---- a reader of files of sound, id "hz.sound/1"; the first that is loaded and takes a file is used ---- */

typedef struct hz_sound_reader {
    size_t size;                                    /* sizeof(hz_sound_reader) */
    const char *(*library)(void);                   /* what does the work, found at run time; lent for ever [any] */
    /* 1: these bytes begin like a file for it. [any] */
    int (*takes)(const uint8_t *bytes, size_t count);
    /* Reads one file of any origin: checks everything, crashes on nothing. Fills `format` (all but data) and `kind`
       ("wav"), and writes float (frames,channels) to `out`; with out NULL it only tells what is there, as far as that
       can be told without decoding. A file that ends early or breaks off is refused. [any] */
    int (*read)(const uint8_t *bytes, size_t count, hz_media *format, char kind[16], hz_bytes *out);
    /* Writes a file of this kind to `out`; bits: 16, 24, 32 (float), 0: as few as hold the samples exactly. NULL: it
       writes none. [any] */
    int (*write)(const hz_media *in, const char *kind, int bits, hz_bytes *out);
} hz_sound_reader;

/* ---- a resampler of sounds, id "hz.resample/1"; the first that is loaded is used ---- */

typedef struct hz_sound_resampler {
    size_t size;                                    /* sizeof(hz_sound_resampler) */
    const char *(*library)(void);                   /* what does the work, found at run time; lent for ever [any] */
    /* Writes `frames` frames at this rate to out, float (frames,in->channels): the same sound, band-limited, its frame
       0 where it was, silence where it has ended. [any] */
    int (*resample)(const hz_media *in, double rate, int64_t frames, float *out);
} hz_sound_resampler;

/* ---- the door ---- */

typedef struct hz_plugin {
    size_t size;                                    /* sizeof(hz_plugin) */
    const char *name;                               /* of the plugin */
    const char *version;                            /* of the plugin, not of the library it wraps */
    const char *about;                              /* one line */
    int (*open)(const hz_host *host);               /* keep `host`; cheap: no files, no threads, no tables [main] */
    const void *(*interface)(const char *id);       /* a static struct, NULL for an unknown id; lent for ever [main] */
} hz_plugin;

extern const hz_plugin hz_plugin_main;              /* defined by the plugin */

#pragma GCC visibility pop
#endif

/* sounds.h: what sounds.c does for one clip, for the threads of clips.c. */
#ifndef CODEC_SOUNDS_H
#define CODEC_SOUNDS_H
#include "codec/door.h"
#include "hz/sound.h"

/* What one thread works with; station_close frees it all. */
typedef struct sound_station {
    hz_codec *codec;                 /* NULL: readers of files */
    hz_bytes file, samples;          /* the file, what is in it */
    hz_bytes rated, shaped;          /* at the rate and of the shape that are asked for */
    hz_bytes room;                   /* of hz_mel_run */
} sound_station;

hz_status station_open(sound_station *s, const char *codec);
void station_close(sound_station *s);
/* HZ_ENUMERIC: a sample is infinite or none. */
hz_status sound_finite(const hz_media *m);
/* clip->sound is the sound as it came, its samples, which may be any, in the station's memory; heads: only what is
   there. */
hz_status station_take(sound_station *s, hz_clip *clip, int heads);
/* At the rate of the form; refused if it cannot become what else the form says. */
hz_status station_fit(sound_station *s, const hz_clip *clip, const hz_clip_form *f, hz_media *m);
/* The same sound with these frames and channels: out, float (frames,channels). */
void station_lay(const hz_media *m, int64_t frames, int channels, float *out);
/* Both, in the station's memory. */
hz_status station_shape(sound_station *s, const hz_clip *clip, const hz_clip_form *f, hz_media *m);
#endif

/* sound.h: files of sound and streams of codecs: one as samples, many as the items of a set by many threads. */
#ifndef HZ_SOUND_H
#define HZ_SOUND_H
#include "hz/codec.h"
#include "hz/mel.h"
#pragma GCC visibility push(default)

/* Rates of sounds, in Hz: 1 to that; channels: 1 to that. Whole numbers. */
enum { HZ_MOST_RATE = 1000000, HZ_MOST_CHANNELS = 256 };

/* Frames that so many become at another rate: the next whole number; 0 where a rate is none. */
int64_t hz_sound_resampled(int64_t frames, double rate, double to);
/* out: float (hz_sound_resampled frames, in->channels). [any] */
hz_status hz_sound_resample(const hz_media *in, double to, float *out);

/* Writes a file of a sound. kind: "wav", "aiff", "flac"; bits: 16, 24, 32 (float), 0: as few as hold the samples
   exactly. out: new, *bytes of them: hz_sound_release. [any] */
hz_status hz_sound_write(const hz_media *in, const char *kind, int bits, uint8_t **out, int64_t *bytes);
void hz_sound_release(void *p);                              /* taken; NULL is fine */

/* One sound: where it comes from, and what came of it. */
typedef struct hz_clip {
    const char *path;                /* a file; lent for the call; NULL: stream */
    const uint8_t *stream;           /* what stands in a file, or what a codec made; lent; NULL: sound.data */
    int64_t bytes;                   /* of the stream */
    /* in: samples (frames,channels), where neither is given; with a stream that a codec made frames and rate of its
       original, 0 if nobody knows. out: the sound as it came, before it was made alike; data as it was given */
    hz_media sound;
    char kind[16];                   /* out: "wav", "flac", the codec's name; "" of samples */
    int status;                      /* out: hz_status; with a message unless HZ_OK */
    char message[256];               /* out: without the file's name */
    uint64_t digest[2];              /* out: of the bytes of file or stream, against accidents; of samples 0 */
} hz_clip;

/* What all of them become. */
typedef struct hz_clip_form {
    double rate;                     /* Hz; 0: as it is */
    int64_t frames;                  /* silence follows shorter ones, longer ones are refused; 0: as it is */
    int channels;                    /* 0: as it is; mono is repeated */
    int resample;                    /* 1: another rate becomes this one; else it is refused */
    int mix;                         /* 1: several channels become one by their mean, where `channels` is 1 */
    const char *codec;               /* what decodes streams; NULL: whatever reads files. Lent for the call */
} hz_clip_form;

/* Tells of n clips what is there, as far as that can be told without decoding. [main] */
hz_status hz_clips_scan(hz_clip *clips, int64_t n, int threads);
/* One clip as samples: *out, float (frames,channels) of the form as *shape tells. new: hz_sound_release. Fails as the
   clip does. [any] */
hz_status hz_clip_read(hz_clip *clip, const hz_clip_form *form, hz_media *shape, float **out);
/* n clips as samples: out, float (n,frames,channels); the form gives rate, frames and channels. */
hz_status hz_clips_read(hz_clip *clips, int64_t n, const hz_clip_form *form, float *out, int threads);
/* n clips as log-mel spectrograms: out, float (n,mels,hz_mel_frames(frames),channels); the form gives rate, frames and
   channels.
   A clip that fails leaves its item undefined and says why; the calls themselves fail for want of memory, for forms
   that are none, and by a pending signal (HZ_ESTATE). Each thread holds one file with its samples. threads: 1 .. 256;
   0: one per core that this process may use. The result is the same for any thread count. [main] */
hz_status hz_clips_mel(hz_clip *clips, int64_t n, const hz_clip_form *form, const hz_mel_form *mel, float *out,
                       int threads);

#pragma GCC visibility pop
#endif

/* sound_fuzz.c: feeds files to the readers of sounds; what is read becomes a spectrogram. For libFuzzer:

     make build/libhz.so && mkdir -p build/fuzz
     for p in sndfile mpg123; do
       clang -g -fPIC -shared -fsanitize=fuzzer-no-link,address -Icore -o build/fuzz/$p.so plugins/$p/[a-z]*.c -l$p
     done
     clang -g -fsanitize=fuzzer,address -Icore -o build/fuzz/sounds test/c/sound_fuzz.c -Lbuild -lhz \
       -Wl,-rpath,$PWD/build
     HZ_PLUGIN_PATH=build/fuzz build/fuzz/sounds CORPUS_FOLDER

   CORPUS_FOLDER holds some good files to start from. A library that decodes is only looked into if it is built in the
   same way. make fuzz damages files, too (test/fuzz/sounds.lua), and needs no clang. */
#include "hz/sound.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BANDS = 8, MOST = 1 << 20 };                          /* MOST: samples of what is looked at */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (!hz_plugin_load(getenv("HZ_PLUGIN_PATH")) && hz_plugin_count())
        return 0;
    fprintf(stderr, "HZ_PLUGIN_PATH leads to no plugins\n");
    exit(1);
}

/* All that was read is finite, and so is what is made of it unless a message says why not. */
static void listen(const hz_media *m, const float *samples)
{
    hz_mel_form form;
    hz_mel_standard(&form);
    form.n_fft = form.hop = 256;
    form.mels = BANDS;
    hz_mel *mel = hz_mel_new(&form, m->rate);
    int64_t count = BANDS * hz_mel_frames(&form, m->frames) * m->channels;
    float *out = malloc((size_t)count * sizeof *out);
    if (!mel || !out)
        abort();
    for (int64_t i = 0; i < m->frames * m->channels; i++)
        if (!isfinite(samples[i]))
            abort();
    if (!hz_mel_run(mel, samples, m->frames, m->channels, out, NULL))
        for (int64_t i = 0; i < count; i++)
            if (!isfinite(out[i]))
                abort();
    free(out);
    hz_mel_free(mel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hz_clip clip = { .stream = data, .bytes = (int64_t)size };
    const hz_clip_form as_it_is = { .rate = 0 };
    hz_media shape;
    float *samples;
    if (hz_clip_read(&clip, &as_it_is, &shape, &samples))
        return 0;
    if (shape.frames * shape.channels <= MOST)
        listen(&shape, samples);
    hz_sound_release(samples);
    return 0;
}

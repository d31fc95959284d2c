/* codec_fuzz.c: feeds streams to the decoder of one codec; what decodes is encoded and decoded again. For libFuzzer:

     make plugins build/libhz.so
     clang -g -O1 -fsanitize=fuzzer,address -Icore -o build/codec_fuzz test/c/codec_fuzz.c -Lbuild -lhz -Wl,-rpath,$PWD/build
     HZ_FUZZ_CODEC=jpeg HZ_PLUGIN_PATH=build/plugins build/codec_fuzz CORPUS_FOLDER

   CORPUS_FOLDER holds some good streams to start from; the library that decodes is only looked into if it is built with -fsanitize=fuzzer, too. */
#include "hz/codec.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hz_codec *codec;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("HZ_FUZZ_CODEC");
    hz_plugin_load(getenv("HZ_PLUGIN_PATH"));
    codec = hz_codec_new(name ? name : "jpeg", "");
    if (!codec) {
        fprintf(stderr, "%s\n", hz_message());
        exit(1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hz_media image;
    hz_stream stream;
    if (hz_codec_decode(codec, data, (int64_t)size, &image))
        return 0;
    if (image.height * image.width > 1 << 16)
        return 0;
    if (hz_codec_encode(codec, &image, &stream) || hz_codec_decode(codec, stream.data, stream.bytes, &image))
        abort();                     /* what was decoded is a proper image: both must work */
    return 0;
}

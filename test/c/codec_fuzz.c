/* codec_fuzz.c: feeds streams to the decoder of one codec; what decodes is encoded and decoded again. For libFuzzer:

     make build/libhz.so && mkdir -p build/fuzz
     clang -g -fPIC -shared -fsanitize=fuzzer-no-link,address -Icore -o build/fuzz/jpeg.so \
       plugins/jpeg/{jpeg,setup,account,bench}.c -ljpeg
     clang -g -fsanitize=fuzzer,address -Icore -o build/fuzz/run test/c/codec_fuzz.c -Lbuild -lhz -Wl,-rpath,$PWD/build
     HZ_FUZZ_CODEC=jpeg HZ_PLUGIN_PATH=build/fuzz build/fuzz/run CORPUS_FOLDER

   CORPUS_FOLDER holds some good streams to start from. A library that decodes is only looked into if it is
   built in the same way. */
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

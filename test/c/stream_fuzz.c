/* stream_fuzz.c: draws streams for one target of streams.h, by libFuzzer: `make fuzz-streams` builds hz, its plugins
   and this with sanitizers of clang and runs each target in turn. What fails stays in BUILD-fuzz/NAME.* and, once
   mended, goes to test/corpus/NAME. A library that decodes is only watched at its borders: it is built by others. */
#include "streams.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static target at_work;

static void streams_broken(const char *what)
{
    fprintf(stderr, "streams: %s: %s\n", what, hz_message());
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("HZ_FUZZ_TARGET");
    hz_plugin_load(getenv("HZ_PLUGIN_PATH"), 0);
    if (name && streams_open(&at_work, name))
        return 0;
    fprintf(stderr, "HZ_FUZZ_TARGET is '%s'; needs params or a plugin in HZ_PLUGIN_PATH: %s\n", name ? name : "",
            hz_message());
    exit(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    streams_feed(&at_work, data, size);
    return 0;
}

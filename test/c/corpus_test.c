/* corpus_test.c: feeds the streams of test/corpus again: for each target of streams.h what libFuzzer kept of its work,
   the fewest streams that go through all that it found, and every stream that once broke something. */
#define _GNU_SOURCE
#include "hz/base.h"
#include "../../core/text.c"             /* the grammar of parameters is no part of the library's surface */
#include "../../core/codec/param.c"
#include "../../core/codec/param_value.c"
#include "plugins.h"
#include "streams.h"
#include "suite.h"
#include <dirent.h>

static const char *const targets[] = {
    "params", "chain", "avif", "blur", "depth", "depth_audio", "flac", "gray", "jpeg", "jpeg2000", "jxl", "mp3",
    "mpg123", "noise", "opus", "png", "resize", "skeleton", "sndfile", "vorbis", "webp", "xz",
    "xz_audio", "zstd", "zstd_audio",
};

static char at_work[4096 + 400];

static void streams_broken(const char *what) { ck_abort_msg("%s: %s: %s", at_work, what, hz_message()); }

/* The bytes of the file at work: new. */
static uint8_t *bytes_of_file(size_t *size)
{
    FILE *f = fopen(at_work, "rb");
    uint8_t *data = malloc(MOST_BYTES);
    ck_assert_msg(f && data, "%s cannot be read", at_work);
    *size = fread(data, 1, MOST_BYTES, f);
    fclose(f);
    return data;
}

static void feed(const target *t)
{
    size_t size;
    uint8_t *data = bytes_of_file(&size);
    uint8_t *exact = realloc(data, size ? size : 1);         /* sanitizers see what is read behind its end */
    streams_feed(t, exact, size);
    free(exact);
}

START_TEST(kept_streams_hold)
{
    target t;
    char folder[4096 + 64];
    int fed = 0;
    struct dirent *d;
    snprintf(folder, sizeof folder, "%s/../test/corpus/%s", build_folder(), targets[_i]);
    if (load_plugins("") || !streams_open(&t, targets[_i]))
        return;                          /* a machine without its library */
    mute_jxl(targets[_i]);
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s cannot be read", folder);
    while ((d = readdir(dir)))
        if (d->d_name[0] != '.') {
            snprintf(at_work, sizeof at_work, "%s/%s", folder, d->d_name);
            feed(&t);
            fed++;
        }
    closedir(dir);
    ck_assert_msg(fed > 0, "%s is empty", folder);
    target_close(&t);
}
END_TEST

/* What the leak sanitizer asks for: libsndfile leaks of broken Ogg files what libvorbis holds. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libsndfile\nleak:vorbis_info_init\n"; }

int main(void) { return RUN_SUITE("corpus", EACH(kept_streams_hold, targets)); }

/* dnn_made.h: what the tests of cuDNN's plans share: the described cards, the keys of the networks, folders. */
#ifndef DNN_MADE_H
#define DNN_MADE_H
#include "cuda/dnn/dnn.h"
#include "suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const hz_core core = { .size = sizeof core, .fail = hz_fail };
const hz_core *cuda_core = &core;

static char here[4096], scratch[64];     /* the folder of the test, and one of a case's own */

static inline int has_cudnn(void)
{
    if (!dnn_load())
        return 1;
    printf("skip  plans by cuDNN: %s\n", hz_message());
    return 0;
}

static inline void scratch_folder(void)
{
    strcpy(scratch, "/tmp/hz_dnn_XXXXXX");
    ck_assert(mkdtemp(scratch));
}

static inline void target_of(const char *card, dnn_target *t)
{
    char path[256], json[4096];
    snprintf(path, sizeof path, "core/cuda/dnn/devices/%s.json", card);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: run from the repository's root", path);
    json[fread(json, 1, sizeof json - 1, f)] = 0;
    fclose(f);
    OK(dnn_target_described(t, json));
}

static inline dnn_key key(const char *text)
{
    dnn_key k;
    OK(dnn_key_read(text, &k));
    return k;
}

/* Calls f for each convolution of the networks; how many. */
static inline int each_key(void (*f)(const char *line, void *self), void *self)
{
    char path[4200], line[512];
    int n = 0;
    snprintf(path, sizeof path, "%s/keys.txt", here);
    FILE *keys = fopen(path, "r");
    ck_assert_msg(keys != NULL, "%s is missing", path);
    for (; fgets(line, sizeof line, keys); n++) {
        line[strcspn(line, "\n")] = 0;
        f(line, self);
    }
    fclose(keys);
    return n;
}

/* Notes in what folder the test lies. */
static inline void made_begin(const char *program)
{
    const char *name = strrchr(program, '/');
    snprintf(here, sizeof here, "%.*s", name ? (int)(name - program) : 1, name ? program : ".");
}
#endif

/* packs.c: hz_packs, which makes plans for a card without one: hz_packs DEVICE.json FOLDER [off|quick|full] < KEYS.
   Each line of KEYS is a key (key.h); each gets the plans that are worth timing, in FOLDER/TARGET/KEY.plan. A key that
   is there already is left, so several may work at once and one that was stopped goes on. Status 1 if one failed. */
#include "cuda/dnn/dnn.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char message[2048];

static hz_status fail(hz_status code, const char *format, ...)
{
    va_list more;
    va_start(more, format);
    vsnprintf(message, sizeof message, format, more);
    va_end(more);
    return code;
}

static const hz_core own = { .size = sizeof own, .fail = fail };
const hz_core *cuda_core = &own;

static hz_status open_target(const char *path, dnn_target *t)
{
    char json[8192];
    FILE *f = fopen(path, "rb");
    if (!f)
        return fail(HZ_EIO, "packs: '%s' cannot be read; needs the properties of a card as cuDNN's JSON", path);
    json[fread(json, 1, sizeof json - 1, f)] = 0;
    fclose(f);
    return dnn_target_described(t, json);
}

static hz_status pack(const dnn_target *t, const char *folder, int effort, const char *line)
{
    dnn_key k;
    dnn_plans list = { 0 };
    hz_status status = dnn_key_read(line, &k);
    if (status)
        return status;
    int there = !dnn_cache_read(folder, t, &k, effort, &list);
    if (!there) {
        status = dnn_propose(t, &k, effort, &list);
        status = status ? status : dnn_cache_write(folder, t, &k, effort, &list);
    }
    if (!status)
        printf("%s: %d plans%s\n", line, list.count, there ? ", there already" : "");
    dnn_plans_clear(&list);
    return status;
}

static int effort_named(const char *name)
{
    for (int i = 0; i < DNN_EFFORTS; i++) {
        if (!strcmp(dnn_effort_name(i), name))
            return i;
    }
    return -1;
}

int main(int count, char **word)
{
    char line[512];
    dnn_target t;
    int failed = 0, effort = count > 3 ? effort_named(word[3]) : DNN_QUICK;
    if (count < 3 || count > 4 || effort < 0) {
        fprintf(stderr, "usage: hz_packs DEVICE.json FOLDER [off|quick|full] < KEYS\n");
        return 2;
    }
    if (open_target(word[1], &t)) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    printf("packs: for %s\n", t.name);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (*line && pack(&t, word[2], effort, line)) {
            fprintf(stderr, "%s: %s\n", line, message);
            failed = 1;
        }
        fflush(stdout);
    }
    dnn_target_end(&t);
    return failed;
}

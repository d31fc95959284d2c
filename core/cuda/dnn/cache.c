/* cache.c: plans in files, so that what was built and timed once is read in milliseconds. One file a key, in a folder
   a target: FOLDER/sm90-132-13000-1024-cudnn91900/conv+act-bf16-....plan. A file is written beside its place and moved
   there whole. Its first line says for what it is; each plan has a checksum, as cuDNN is given none but whole texts. */
#define _GNU_SOURCE
#include "cuda/dnn/dnn.h"
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096, LINE = 512 };
static const size_t longest = 16 << 20;                  /* bytes of a plan's text that are believed */

static const char *const efforts[DNN_EFFORTS] = { [DNN_OFF] = "off", [DNN_QUICK] = "quick", [DNN_FULL] = "full" };

const char *dnn_effort_name(int effort) { return efforts[effort]; }

int dnn_effort_wanted(void)
{
    const char *given = getenv("HZ_CUDNN_TUNE");
    for (int i = 0; given && i < DNN_EFFORTS; i++) {
        if (!strcmp(given, efforts[i]))
            return i;
    }
    return DNN_QUICK;
}

/* ---- folders ---- */

/* Into `to`, PATH bytes; NULL where no variable says where the user's files lie. */
static const char *own_folder(char *to)
{
    const char *plans = getenv("HZ_PLANS"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (plans && *plans)
        snprintf(to, PATH, "%s", plans);
    else if (cache && *cache == '/')
        snprintf(to, PATH, "%s/hz/plans", cache);
    else if (home && *home)
        snprintf(to, PATH, "%s/.cache/hz/plans", home);
    else
        return NULL;
    return to;
}

dnn_folders dnn_folders_usual(void)
{
    static char own[PATH], packs[PATH];
    Dl_info us;
    dnn_folders f = { .own = own_folder(own) };
    if (!dladdr((void *)dnn_folders_usual, &us) || !us.dli_fname)
        return f;
    const char *name = strrchr(us.dli_fname, '/');
    snprintf(packs, sizeof packs, "%.*s/packs", name ? (int)(name - us.dli_fname) : 1, name ? us.dli_fname : ".");
    f.packs = packs;
    return f;
}

static int make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        int failed = mkdir(path, 0777) && errno != EEXIST;
        *at = '/';
        if (failed)
            return 0;
    }
    return 1;
}

static hz_status place(const char *folder, const dnn_target *t, const dnn_key *k, char path[PATH])
{
    char text[DNN_KEYTEXT];
    if (!folder)
        return cuda_core->fail(HZ_ESTATE, "cudnn: no folder for plans; set HZ_PLANS");
    if (snprintf(path, PATH, "%s/%s/%s.plan", folder, t->name, dnn_key_text(k, text)) >= PATH - 32)
        return cuda_core->fail(HZ_ESTATE, "cudnn: the folder '%.64s...' is too long a name for plans", folder);
    return HZ_OK;
}

/* ---- texts ---- */

/* FNV-1a of 64 bits, over the text and what decides how it is run. */
static uint64_t checksum(const dnn_plan *p)
{
    uint64_t sum = 14695981039346656037u ^ (uint64_t)p->split;
    for (size_t i = 0; i < p->bytes; i++)
        sum = (sum ^ (unsigned char)p->text[i]) * 1099511628211u;
    return sum;
}

static int read_plan(FILE *f, dnn_plan *p)
{
    char line[LINE];
    uint64_t sum;
    if (!fgets(line, sizeof line, f) ||
        sscanf(line, "plan engine %d split %d us %lf bytes %zu sum %" SCNx64, &p->engine, &p->split, &p->us, &p->bytes,
               &sum) != 5 || p->bytes > longest || (p->split | 1) != 1)
        return 0;
    p->text = malloc(p->bytes + 1);
    if (p->text && fread(p->text, 1, p->bytes, f) == p->bytes && fgetc(f) == '\n' && checksum(p) == sum) {
        p->text[p->bytes] = 0;
        return 1;
    }
    free(p->text);
    return 0;
}

/* The first line; *effort and *count are what it says. */
static int read_head(FILE *f, const dnn_target *t, const dnn_key *k, int *effort, int *count)
{
    char line[LINE], target[DNN_NAME], key[DNN_KEYTEXT], word[16], text[DNN_KEYTEXT];
    if (!fgets(line, sizeof line, f) ||
        sscanf(line, "hz.plans/1 %95s %191s effort %15s plans %d", target, key, word, count) != 4)
        return 0;
    for (*effort = 0; *effort < DNN_EFFORTS && strcmp(word, efforts[*effort]); ++*effort)
        ;
    return *effort < DNN_EFFORTS && !strcmp(target, t->name) && !strcmp(key, dnn_key_text(k, text)) && *count >= 1 &&
           *count <= DNN_LIMIT;
}

static int read_plans(FILE *f, const dnn_target *t, const dnn_key *k, int *effort, dnn_plans *out)
{
    int count;
    if (!read_head(f, t, k, effort, &count))
        return 0;
    while (out->count < count) {
        dnn_plan p = { 0 };
        if (!read_plan(f, &p))
            return 0;
        out->plan[out->count++] = p;
    }
    return 1;
}

hz_status dnn_cache_read(const char *folder, const dnn_target *t, const dnn_key *k, int effort, dnn_plans *out)
{
    char path[PATH];
    int found = 0;
    out->count = 0;
    hz_status status = place(folder, t, k, path);
    if (status)
        return status;
    FILE *f = fopen(path, "rb");
    if (!f)
        return cuda_core->fail(HZ_ESTATE, "cudnn: no plans in '%s'", path);
    int whole = read_plans(f, t, k, &found, out);
    fclose(f);
    if (whole && found >= effort)
        return HZ_OK;
    dnn_plans_clear(out);
    return whole ? cuda_core->fail(HZ_ESTATE, "cudnn: plans in '%s' were found with effort '%s'; needs '%s'", path,
                                   efforts[found], efforts[effort])
                 : cuda_core->fail(HZ_ESTATE, "cudnn: plans in '%s' are spoilt or of another target", path);
}

static int write_plans(FILE *f, const dnn_target *t, const dnn_key *k, int effort, const dnn_plans *list)
{
    char text[DNN_KEYTEXT];
    fprintf(f, "hz.plans/1 %s %s effort %s plans %d\n", t->name, dnn_key_text(k, text), efforts[effort], list->count);
    for (int i = 0; i < list->count; i++) {
        const dnn_plan *p = &list->plan[i];
        fprintf(f, "plan engine %d split %d us %.3f bytes %zu sum %" PRIx64 "\n", p->engine, p->split, p->us, p->bytes,
                checksum(p));
        fwrite(p->text, 1, p->bytes, f);
        fputc('\n', f);
    }
    int failed = ferror(f);
    return !fclose(f) && !failed;
}

/* Moves a whole file to its place; one that another process put there first stays if it is as good. */
static int move(const char *from, const char *to, const dnn_target *t, const dnn_key *k, int effort)
{
    int found = -1;
    if (!link(from, to))
        return 1;
    FILE *f = errno == EEXIST ? fopen(to, "rb") : NULL;
    dnn_plans other = { 0 };
    int stays = f && read_plans(f, t, k, &found, &other) && found >= effort;
    dnn_plans_clear(&other);
    if (f)
        fclose(f);
    return stays || !rename(from, to);
}

hz_status dnn_cache_write(const char *folder, const dnn_target *t, const dnn_key *k, int effort, const dnn_plans *list)
{
    char path[PATH], beside[PATH + 32];
    hz_status status = place(folder, t, k, path);
    if (status)
        return status;
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    FILE *f = make_folders(path) ? fopen(beside, "wb") : NULL;
    int done = f && write_plans(f, t, k, effort, list) && move(beside, path, t, k, effort);
    int why = errno;
    if (f)
        unlink(beside);
    return done ? HZ_OK : cuda_core->fail(HZ_EIO, "cudnn: '%s' cannot be written: %s", path, strerror(why));
}

void dnn_cache_drop(const char *folder, const dnn_target *t, const dnn_key *k)
{
    char path[PATH];
    if (!place(folder, t, k, path))
        unlink(path);
}

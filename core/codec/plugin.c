/* plugin.c: finds plugins, checks them, and remembers both those that were loaded and those that were not, with the
   reason. The list only grows, from one thread; rows stay where they are, so whoever holds one may read it from any
   thread. */
#define _GNU_SOURCE
#include "codec/door.h"
#include "codec/param.h"
#include "hz/pictures.h"
#include "shared.h"
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 1024, MAX_CODECS = 256, MAX_READERS = 16 };
static hz_plugin_row *rows[MAX_ROWS];
static int row_count;
static codec_row *codecs[MAX_CODECS];
static int codec_count;
static const hz_resize *resize;      /* of the first plugin that offers one */
static const char *resize_path;      /* that plugin's */
static const hz_sound_resampler *resample;      /* likewise */
static const char *resample_path;
static const hz_sound_reader *readers[MAX_READERS];
static int reader_count;

/* ---- asking ---- */

int hz_plugin_count(void) { return row_count; }
const hz_plugin_row *hz_plugin_at(int i) { return i >= 0 && i < row_count ? rows[i] : NULL; }
int hz_codec_count(void) { return codec_count; }
const hz_codec_api *hz_codec_at(int i) { return i >= 0 && i < codec_count ? codecs[i]->api : NULL; }

const codec_row *codec_row_named(const char *name)
{
    return name && strpbrk(name, "|:") ? chain_row(name) : codec_row_loaded(name, NULL);
}

const codec_row *codec_row_loaded(const char *name, const char *within)
{
    char have[512] = "";
    int skipped = 0;
    for (int i = 0; i < codec_count; i++) {
        size_t n = strlen(have);
        if (name && !strcmp(codecs[i]->api->name, name))
            return codecs[i];
        snprintf(have + n, sizeof have - n, "%s%s", i ? ", " : "", codecs[i]->api->name);
    }
    for (int i = 0; i < row_count; i++)
        skipped += rows[i]->skipped != NULL;
    hz_fail(HZ_EARG, "codec: '%s'%s%s%s is not loaded; have %s (see %s)", name ? name : "", within ? " of '" : "",
            within ? within : "", within ? "'" : "", *have ? have : "none",
            skipped ? "why others were skipped: hz plugin list" : "plugins/README.md");
    return NULL;
}

const hz_resize *resampler(void)
{
    if (!resize)
        hz_fail(HZ_ESTATE, "no plugin that scales pictures is loaded; needs zimg (make deps; hz plugin list)");
    return resize;
}

const char *hz_resampler(void)
{
    const hz_resize *r = resampler();
    return r ? r->library() : NULL;
}

const hz_sound_resampler *sound_resampler(void)
{
    if (!resample)
        hz_fail(HZ_ESTATE, "no plugin that resamples sounds is loaded; needs soxr (make deps; hz plugin list)");
    return resample;
}

const char *hz_sound_resampler_name(void)
{
    const hz_sound_resampler *r = sound_resampler();
    return r ? r->library() : NULL;
}

const hz_sound_reader *sound_reader(int i) { return i >= 0 && i < reader_count ? readers[i] : NULL; }

const hz_codec_api *hz_codec_find(const char *name)
{
    const codec_row *row = codec_row_named(name);
    return row ? row->api : NULL;
}

static const codec_row *row_by(const hz_codec_api *api)
{
    for (int i = 0; i < codec_count; i++)
        if (codecs[i]->api == api)
            return codecs[i];
    return chain_row_of(api);
}

const hz_params *hz_codec_params(const hz_codec_api *api)
{
    const codec_row *row = row_by(api);
    return row ? &row->params : NULL;
}

const char *hz_codec_library(const hz_codec_api *api)
{
    const codec_row *row = row_by(api);
    return row ? row->library : NULL;
}

/* ---- checking: each returns HZ_OK, or a message that becomes the row's reason ---- */

static int is_name(const char *s)
{
    if (!s || !isalpha((unsigned char)*s))
        return 0;
    while (isalnum((unsigned char)*s) || *s == '_')
        s++;
    return !*s;
}

static hz_status check_plugin(const hz_plugin *p)
{
    if (p->size < sizeof *p)
        return hz_fail(HZ_EFORMAT, "its hz_plugin has %zu bytes; this hz needs %zu: build it against this hz's "
                       "plugin.h", p->size, sizeof *p);
    if (!is_name(p->name) || !p->version || !p->about || !p->open || !p->interface)
        return hz_fail(HZ_EFORMAT, "its hz_plugin_main leaves a field empty; needs name (letters, digits, _), version, "
                       "about, open, interface");
    host_listen();
    return guard_open(p, host_table()) ? host_blame(p->name, HZ_EFORMAT) : HZ_OK;
}

/* What the plugin offers by this id, whose struct begins with its size; *found is NULL if it offers none. */
static hz_status offered(const hz_plugin *p, const char *id, size_t need, const void **found)
{
    const size_t *size = *found = p->interface(id);
    return !size || *size >= need ? HZ_OK
         : hz_fail(HZ_EFORMAT, "'%s' offers a %s of %zu bytes; this hz needs %zu", p->name, id, *size, need);
}

/* Drafts of the interface had other structs. */
static hz_status refuse_drafts(const hz_plugin *p)
{
    static const char *const drafts[] = { "hz.codec/0", "hz.resize/0", "hz.resample/0", "hz.sound/0" };
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++)
        if (p->interface(drafts[i]))
            return hz_fail(HZ_EFORMAT, "'%s' offers %s, a draft; this hz takes hz.codec/1: build it against this hz's "
                           "plugin.h", p->name, drafts[i]);
    return HZ_OK;
}

static hz_status check_codec(const codec_row *row)
{
    const hz_codec_api *a = row->api;
    if (!is_name(a->name) || strlen(a->name) > 31)
        return hz_fail(HZ_EFORMAT, "its codec has no name of at most 31 letters, digits and _");
    if (!a->params || !a->library || !a->create || !a->destroy || !a->encode || !a->decode || !a->channels ||
        (a->kind != HZ_IMAGE && a->kind != HZ_AUDIO))
        return hz_fail(HZ_EFORMAT, "codec '%s' leaves a field empty; only rates and timing may be", a->name);
    if (codec_count == MAX_CODECS)
        return hz_fail(HZ_EFORMAT, "%d codecs are loaded; there is room for no more", MAX_CODECS);
    return HZ_OK;
}

/* ---- loading ---- */

/* A codec, and what may stand beside it. */
static hz_status find_codec(const hz_plugin *p, codec_row *row)
{
    const struct { const char *id; size_t size; const void **to; } offers[] = {
        { "hz.codec/1", sizeof *row->api, (const void **)&row->api },
        { "hz.codec.bench/1", sizeof *row->bench, (const void **)&row->bench },
        { "hz.codec.file/1", sizeof *row->file, (const void **)&row->file },
        { "hz.codec.note/1", sizeof *row->note, (const void **)&row->note },
        { "hz.codec.stage/1", sizeof *row->stage, (const void **)&row->stage },
    };
    hz_status status = HZ_OK;
    for (size_t i = 0; !status && i < sizeof offers / sizeof *offers; i++)
        status = offered(p, offers[i].id, offers[i].size, offers[i].to);
    return status;
}

static hz_status check_stage(const codec_row *row)
{
    return !row->stage || row->stage->forward ? HZ_OK
         : hz_fail(HZ_EFORMAT, "codec '%s' leaves forward of its hz.codec.stage/1 empty; only back may be",
                   row->api->name);
}

/* The codec of this name that was loaded before; NULL: none. */
static const codec_row *loaded(const char *name)
{
    for (int i = 0; i < codec_count; i++)
        if (!strcmp(codecs[i]->api->name, name))
            return codecs[i];
    return NULL;
}

static void describe(hz_plugin_row *out, const char *kind, const char *library, const char *hidden)
{
    out->kind = kind;
    out->library = library;
    out->hidden = hidden;
}

/* so: NULL for a plugin in memory, which brings its origin. */
static hz_status keep_codec(const codec_row *row, void *so, const char *path, const char *origin)
{
    codec_row *kept = malloc(sizeof *kept);
    if (!kept)
        return hz_fail(HZ_EMEM, "no memory for it");
    *kept = *row;
    kept->library = row->api->library();
    kept->path = path;
    kept->serial = !so;
    snprintf(kept->origin, ORIGIN, ", %s", origin ? origin : "");
    hz_status status = so ? origin_of(so, path, kept->origin) : HZ_OK;
    if (status)
        free(kept);
    else
        codecs[codec_count++] = kept;
    return status;
}

static hz_status add_codec(const hz_plugin *p, void *so, const char *origin, hz_plugin_row *out)
{
    codec_row row = { .plugin = p };
    hz_status status = find_codec(p, &row);
    if (status || !row.api)
        return status;
    status = check_codec(&row);
    if (!status)
        status = check_stage(&row);
    if (!status && (status = param_parse(row.api->params, &row.params)))
        hz_fail_in(status, "codec '%s': ", row.api->name);
    if (status)
        return status;
    const codec_row *nearer = loaded(row.api->name);
    if (!nearer)
        status = keep_codec(&row, so, out->path, origin);
    if (nearer || status)
        param_free(&row.params);
    if (status)
        return status;
    out->codec = row.api->name;
    describe(out, row.api->kind == HZ_AUDIO ? "audio" : "image", row.api->library(), nearer ? nearer->path : NULL);
    return HZ_OK;
}

static hz_status add_resize(const hz_plugin *p, hz_plugin_row *out)
{
    const hz_resize *r;
    hz_status status = offered(p, "hz.resize/1", sizeof *r, (const void **)&r);
    if (!r || status)
        return status;
    describe(out, "resizer", r->library(), resize_path);
    if (!resize) {
        resize = r;
        resize_path = out->path;
    }
    return HZ_OK;
}

static hz_status add_resample(const hz_plugin *p, hz_plugin_row *out)
{
    const hz_sound_resampler *r;
    hz_status status = offered(p, "hz.resample/1", sizeof *r, (const void **)&r);
    if (!r || status)
        return status;
    describe(out, "resampler", r->library(), resample_path);
    if (!resample) {
        resample = r;
        resample_path = out->path;
    }
    return HZ_OK;
}

static hz_status add_reader(const hz_plugin *p, hz_plugin_row *out)
{
    const hz_sound_reader *r;
    hz_status status = offered(p, "hz.sound/1", sizeof *r, (const void **)&r);
    if (!r || status)
        return status;
    if (reader_count == MAX_READERS)
        return hz_fail(HZ_EFORMAT, "%d readers of sounds are loaded; there is room for no more", MAX_READERS);
    readers[reader_count++] = r;
    describe(out, "reader", r->library(), NULL);
    return HZ_OK;
}

/* Fills in `out`, whose path is there. */
static hz_status add_plugin(const hz_plugin *p, void *so, const char *origin, hz_plugin_row *out)
{
    hz_status status = check_plugin(p);
    if (!status)
        status = refuse_drafts(p);
    if (!status)
        status = add_codec(p, so, origin, out);
    if (!status)
        status = add_resize(p, out);
    if (!status)
        status = add_resample(p, out);
    if (!status)
        status = add_reader(p, out);
    out->name = p->name;
    out->version = p->version;
    out->about = p->about;
    return status;
}

hz_status plugin_open(const char *path, hz_plugin_row *out)
{
    hz_status status = HZ_OK;
    void *so = shared_open(path);
    if (!so)
        return HZ_EFORMAT;
    const hz_plugin *p = dlsym(so, "hz_plugin_main");
    if (!p)
        status = hz_fail(HZ_EFORMAT, "exports no hz_plugin_main; it is no plugin of hz");
    if (!status)
        status = add_plugin(p, so, NULL, out);
    if (status)
        dlclose(so);
    return status;
}

/* The row of this path, made if there is none; NULL with the message set. */
static hz_plugin_row *row_of(const char *path)
{
    for (int i = 0; i < row_count; i++)
        if (!strcmp(rows[i]->path, path))
            return rows[i];
    hz_plugin_row *row = row_count < MAX_ROWS ? calloc(1, sizeof *row) : NULL;
    if (row && (row->path = strdup(path)))
        return rows[row_count++] = row;
    free(row);
    hz_fail(HZ_EMEM, "plugins: '%s' is one too many (%d are listed)", path, row_count);
    return NULL;
}

static hz_status note_skipped(const char *path)
{
    char *why = strdup(hz_message());
    hz_plugin_row *row = why ? row_of(path) : NULL;
    if (!row || row->name) {
        free(why);
        return row ? HZ_OK : HZ_EMEM;
    }
    free((char *)row->skipped);      /* the reason of an earlier look */
    row->skipped = why;
    return HZ_OK;
}

/* The row of this path is `found` from now on. */
static void note_loaded(hz_plugin_row *row, const hz_plugin_row *found)
{
    free((char *)row->skipped);
    *row = *found;
}

static hz_status load_file(const char *path, int apart)
{
    hz_plugin_row *row = row_of(path);
    if (!row)
        return HZ_EMEM;
    if (row->name)
        return HZ_OK;
    hz_plugin_row found = { .path = row->path };
    if ((apart && plugin_try(path)) || plugin_open(path, &found))
        return note_skipped(path);
    note_loaded(row, &found);
    return HZ_OK;
}

hz_status hz_plugin_add(const hz_plugin *p, const char *path, const char *origin)
{
    hz_plugin_row *row = row_of(path);
    if (!row)
        return HZ_EMEM;
    hz_plugin_row found = { .path = row->path, .script = 1 };
    if (add_plugin(p, NULL, origin, &found))
        return note_skipped(path);
    note_loaded(row, &found);
    return HZ_OK;
}

hz_status hz_plugin_skip(const char *path, const char *why)
{
    hz_fail(HZ_EFORMAT, "%s", why);
    return note_skipped(path);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int is_shared_object(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 3 && !strcmp(d->d_name + n - 3, ".so");
}

static hz_status load_folder(const char *folder, int apart)
{
    struct dirent **list;
    char path[4096], real[4096];     /* PATH_MAX */
    hz_status status = HZ_OK;
    int n = scandir(folder, &list, is_shared_object, by_name);
    if (n < 0) {
        hz_fail(HZ_EIO, "this folder cannot be read: %s", strerror(errno));
        return note_skipped(folder);
    }
    for (int i = 0; i < n; i++) {
        if (!status && (size_t)snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name) < sizeof path)
            status = load_file(realpath(path, real) ? real : path, apart);
        free(list[i]);
    }
    free(list);
    return status;
}

hz_status hz_plugin_load_file(const char *path, int apart)
{
    char real[4096];                 /* PATH_MAX */
    return load_file(realpath(path, real) ? real : path, apart);
}

hz_status hz_plugin_load(const char *folders, int apart)
{
    char *copy = strdup(folders ? folders : ""), *rest = copy, *folder;
    hz_status status = copy ? HZ_OK : hz_fail(HZ_EMEM, "plugins: no memory for the list of folders");
    while (!status && (folder = strsep(&rest, ":")))
        if (*folder)
            status = load_folder(folder, apart);
    free(copy);
    return status;
}

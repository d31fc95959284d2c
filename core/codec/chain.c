/* chain.c: codecs by names that compose:
       chain = stage *( "|" stage )                           (1 .. 8 stages of one kind)
       stage = name [ ":" [ value ] ] *( ":" [ parameter "=" ] value )
   A value without a name is that of the main parameter when it comes first ("resize:16"), and one more number of a
   vector elsewhere ("name:parameter=1:2:3"). What a name says is fixed; all other parameters stay free, in a chain with
   the stage's name in front: "resize.size", of a second stage of that name "resize2.size".
   A row is made when its name is first asked for, from any thread, and kept for ever. */
#define _GNU_SOURCE
#include "codec/chain.h"
#include "codec/param.h"
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX = 255, NAME = 32 };      /* bytes of a composed name, of a codec's with the 0 */
static const char FORM[] = "NAME, NAME:VALUE or NAME:parameter=value, with | between stages";

typedef struct composed {
    codec_row row;
    hz_codec_api api;
    chain chain;
    char name[NAME_MAX + 1];             /* without spaces around its parts */
    struct composed *next;
} composed;

static composed *made;                   /* guarded by lock; what is in it stays as it is */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const composed *first_made(void)
{
    pthread_mutex_lock(&lock);
    const composed *c = made;
    pthread_mutex_unlock(&lock);
    return c;
}

static const codec_row *made_already(const char *name)
{
    for (const composed *c = first_made(); c; c = c->next)
        if (!strcmp(c->name, name))
            return &c->row;
    return NULL;
}

const codec_row *chain_row_of(const hz_codec_api *api)
{
    for (const composed *c = first_made(); c; c = c->next)
        if (&c->api == api)
            return &c->row;
    return NULL;
}

static void discard(composed *c)
{
    if (!c)
        return;
    param_free(&c->row.params);
    if (c->row.chain)
        free((char *)c->row.library);
    free(c);
}

/* Two threads may have made the same: the first stays. */
static const codec_row *keep(composed *c)
{
    const composed *same;
    pthread_mutex_lock(&lock);
    for (same = made; same && strcmp(same->name, c->name); same = same->next)
        ;
    if (!same) {
        c->next = made;
        made = c;
    }
    pthread_mutex_unlock(&lock);
    if (same)
        discard(c);
    return same ? &same->row : &c->row;
}

/* ---- parameters ---- */

static hz_status params_new(hz_params *p, int count, int places)
{
    *p = (hz_params){ .count = count, .places = places };
    p->param = calloc((size_t)count + 1, sizeof *p->param);
    p->standard = calloc((size_t)places + 1, sizeof *p->standard);
    return p->param && p->standard ? HZ_OK : hz_fail(HZ_EMEM, "codec: no memory for its parameters");
}

/* The parameter that stands for all, as in lua/hz/codec/encoding.lua; NULL: there is none. */
static hz_param *main_of(const hz_params *p)
{
    hz_param *quality = param_named(p, "quality");
    for (int i = 0; !quality && i < p->count; i++)
        if (p->param[i].direction)
            quality = &p->param[i];
    return quality || !p->count ? quality : p->param;
}

/* ---- one codec with values ---- */

typedef struct spec {
    const char *who;                     /* opens messages */
    const hz_params *params;
    hz_param *last;                      /* that was named; NULL: none yet, or one there is not */
    char said[PARAM_MAX];                /* by parameter: the name says its value */
    char text[2 * NAME_MAX + PARAM_NAME];        /* "size=16;filter=box" */
} spec;

static hz_status named_value(spec *s, const char *piece, size_t equals)
{
    char name[NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)equals, piece);
    s->last = param_named(s->params, name);
    strcat(strcat(s->text, ";"), piece);
    return HZ_OK;
}

static hz_status bare_value(spec *s, const char *piece, int first)
{
    if (first && !(s->last = main_of(s->params)))
        return hz_fail(HZ_EARG, "%s: the value '%s' was given; needs none, it has no parameters", s->who, piece);
    if (!first && !(s->last && s->last->length))
        return hz_fail(HZ_EARG, "%s: the value '%s' has no name; needs parameter=value", s->who, piece);
    if (first)
        strcat(strcat(strcat(s->text, ";"), s->last->name), "=");
    else
        strcat(s->text, ",");
    strcat(s->text, piece);
    return HZ_OK;
}

static hz_status add_value(spec *s, const char *piece, int first)
{
    size_t equals = strcspn(piece, "=");
    hz_status status = !*piece ? hz_fail(HZ_EARG, "%s: a value is empty; needs %s", s->who, FORM)
                     : piece[equals] ? named_value(s, piece, equals)
                                     : bare_value(s, piece, first);
    if (!status && s->last)
        s->said[s->last - s->params->param] = 1;
    return status;
}

/* The values of `list`, "16:filter=box", become the defaults, and fixed; the list is cut up. */
static hz_status set_values(composed *c, char *list)
{
    char who[NAME_MAX + 32];
    hz_params *p = &c->row.params;
    spec s = { .who = who, .params = p };
    hz_status status = HZ_OK;
    snprintf(who, sizeof who, "codec: '%s'", c->name);
    for (char *piece, *rest = list; !status && (piece = strsep(&rest, ":")); )
        status = add_value(&s, piece, piece == list);
    double *values = calloc((size_t)p->places + 1, sizeof *values);
    if (!values)
        return hz_fail(HZ_EMEM, "%s: no memory for its values", who);
    if (!status)
        status = param_read(p, who, s.text, values);
    if (!status)
        memcpy(p->standard, values, (size_t)p->places * sizeof *values);
    for (int i = 0; i < p->count; i++)
        p->param[i].fixed = s.said[i];
    free(values);
    return status;
}

/* name: "resize:16:filter=box", of the composed name `within` */
static hz_status with_values(composed *c, const char *within)
{
    char name[NAME_MAX + 1];
    size_t n = strcspn(c->name, ":");
    snprintf(name, sizeof name, "%.*s", (int)n, c->name);
    const codec_row *base = codec_row_loaded(name, within);
    if (!base)
        return HZ_EARG;
    const hz_params *p = &base->params;
    c->row = *base;
    hz_status status = params_new(&c->row.params, p->count, p->places);
    if (status)
        return status;
    memcpy(c->row.params.param, p->param, (size_t)p->count * sizeof *p->param);
    memcpy(c->row.params.standard, p->standard, (size_t)p->places * sizeof *p->standard);
    c->api = *base->api;
    c->api.name = c->name;
    c->row.api = &c->api;
    snprintf(name, sizeof name, "%s", c->name + n + 1);
    return set_values(c, name);
}

/* ---- several ---- */

/* A stage's codec: "resize" of "resize:16". */
static void codec_of(const codec_row *stage, char name[NAME])
{
    snprintf(name, NAME, "%.*s", (int)strcspn(stage->api->name, ":"), stage->api->name);
}

/* What stands before the names of a stage's parameters: its codec, of a second one "resize2". */
static void prefix_of(const chain *c, int stage, char prefix[NAME + 2])
{
    char own[NAME], other[NAME];
    int same = 1;
    codec_of(c->stage[stage], own);
    for (int i = 0; i < stage; i++) {
        codec_of(c->stage[i], other);
        same += !strcmp(own, other);
    }
    snprintf(prefix, NAME + 2, same > 1 ? "%s%d" : "%s", own, same);
}

static hz_status join_params(composed *c)
{
    chain *ch = &c->chain;
    int count = 0, places = 0;
    for (int i = 0; i < ch->count; i++) {
        ch->at[i] = places;
        count += ch->stage[i]->params.count;
        places += ch->stage[i]->params.places;
    }
    hz_params *all = &c->row.params;
    hz_status status = params_new(all, count, places);
    hz_param *q = all->param;
    for (int i = 0; !status && i < ch->count; i++) {
        const hz_params *own = &ch->stage[i]->params;
        char prefix[NAME + 2];
        prefix_of(ch, i, prefix);
        memcpy(all->standard + ch->at[i], own->standard, (size_t)own->places * sizeof *own->standard);
        for (int k = 0; k < own->count; k++, q++) {
            *q = own->param[k];
            snprintf(q->name, sizeof q->name, "%s.%.31s", prefix, own->param[k].name);
            q->at += ch->at[i];
        }
    }
    return status;
}

/* Parameters are told apart by their stages' names: 'a|a|a2' would have two of "a2". */
static hz_status check_names(const composed *c)
{
    for (int i = 0; i < c->row.params.count; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(c->row.params.param[i].name, c->row.params.param[k].name))
                return hz_fail(HZ_EARG, "codec: '%s' has two parameters '%s'; needs stages whose names tell them apart",
                               c->name, c->row.params.param[i].name);
    return HZ_OK;
}

static char *join_libraries(const chain *c)
{
    size_t bytes = 1;
    for (int i = 0; i < c->count; i++)
        bytes += strlen(c->stage[i]->library) + 3;
    char *text = calloc(bytes, 1);
    for (int i = 0; text && i < c->count; i++)
        strcat(strcat(text, i ? " | " : ""), c->stage[i]->library);
    if (!text)
        hz_fail(HZ_EMEM, "codec: no memory for the names of its libraries");
    return text;
}

/* Up to the first stage that may change them, all stages get the same channels. */
static unsigned channels_of(const chain *c)
{
    unsigned channels = c->stage[0]->api->channels;
    for (int i = 1; i < c->count && !chain_undoes(c->stage[i - 1]); i++)
        channels &= c->stage[i]->api->channels;
    return channels;
}

static const char *items_of(int kind) { return kind == HZ_AUDIO ? "sounds" : "images"; }

static hz_status check_stages(const composed *c)
{
    const hz_codec_api *first = c->chain.stage[0]->api;
    for (int i = 1; i < c->chain.count; i++) {
        const hz_codec_api *a = c->chain.stage[i]->api;
        if (a->kind != first->kind)
            return hz_fail(HZ_EARG, "codec: '%s': %s takes %s, %s takes %s; needs stages of one kind", c->name,
                           first->name, items_of(first->kind), a->name, items_of(a->kind));
    }
    return c->api.channels ? HZ_OK
         : hz_fail(HZ_EARG, "codec: '%s': no number of channels is one that all stages take", c->name);
}

static hz_status join(composed *c)
{
    chain *ch = &c->chain;
    const codec_row *first = ch->stage[0];
    c->api = (hz_codec_api){ .size = sizeof c->api, .kind = first->api->kind, .channels = channels_of(ch),
                             .lossless = 1, .name = c->name, .params = "", .rates = first->api->rates };
    for (int i = 0; i < ch->count; i++) {
        c->api.lossless &= ch->stage[i]->api->lossless;
        ch->undoes |= i < ch->count - 1 && chain_undoes(ch->stage[i]);
    }
    chain_functions(ch, &c->api);
    c->row = (codec_row){ .api = &c->api, .note = &chain_note, .chain = ch };
    for (int i = 0; i < ch->count; i++)
        c->row.serial |= ch->stage[i]->serial;
    hz_status status = check_stages(c);
    if (!status)
        status = join_params(c);
    if (!status)
        status = check_names(c);
    return !status && !(c->row.library = join_libraries(ch)) ? HZ_EMEM : status;
}

/* ---- names ---- */

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); )
        s[--n] = 0;
    return s;
}

/* Copies a name without spaces around what stands between `cuts`. */
static void tidy(const char *given, const char *cuts, char *out)
{
    char copy[NAME_MAX + 1];
    char *rest = strcpy(copy, given), *s = rest;
    for (*out = 0; s; ) {
        size_t n = strcspn(s, cuts);
        char cut[2] = { s[n] };
        rest = s[n] ? s + n + 1 : NULL;
        s[n] = 0;
        strcat(strcat(out, trim(s)), cut);
        s = rest;
    }
}

static hz_status check_text(const char *name)
{
    size_t n = strlen(name);
    if (n > NAME_MAX)
        return hz_fail(HZ_EARG, "codec: '%.40s...' has %zu letters; needs at most %d", name, n, NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("|:=_.+- ", name[i]))
            return hz_fail(HZ_EARG, "codec: '%s' has '%c' in it; needs %s", name, name[i], FORM);
    return HZ_OK;
}

/* `within`: the whole name. */
static hz_status check_codec(const char *within, const char *name, int stage)
{
    size_t n = strcspn(name, ":");
    if (!n)
        return hz_fail(HZ_EARG, "codec: '%s' has no codec at stage %d; needs %s", within, stage, FORM);
    if (n == 3 && !strncmp(name, "raw", n))
        return hz_fail(HZ_EARG, "codec: stage %d of '%s' is raw, which encodes nothing; needs a codec", stage, within);
    return HZ_OK;
}

static hz_status add_stage(composed *c, const char *name)
{
    chain *ch = &c->chain;
    if (ch->count == CHAIN_MAX)
        return hz_fail(HZ_EARG, "codec: '%s' has more than %d stages; needs at most %d", c->name, CHAIN_MAX, CHAIN_MAX);
    if (check_codec(c->name, name, ch->count + 1))
        return HZ_EARG;
    const codec_row *row = strchr(name, ':') ? codec_row_named(name) : codec_row_loaded(name, c->name);
    if (row)
        ch->stage[ch->count++] = row;
    return row ? HZ_OK : HZ_EARG;
}

static hz_status compose(composed *c)
{
    char list[NAME_MAX + 1];
    hz_status status = HZ_OK;
    if (!strchr(c->name, '|'))
        return check_codec(c->name, c->name, 1) ? HZ_EARG : with_values(c, c->name);
    strcpy(list, c->name);
    for (char *name, *rest = list; !status && (name = strsep(&rest, "|")); )
        status = add_stage(c, name);
    return status ? status : join(c);
}

const codec_row *chain_row(const char *name)
{
    if (check_text(name))
        return NULL;
    composed *c = calloc(1, sizeof *c);
    if (!c) {
        hz_fail(HZ_EMEM, "codec: no memory for '%s'", name);
        return NULL;
    }
    tidy(name, "|:=", c->name);
    const codec_row *row = made_already(c->name);
    if (!row && !compose(c))
        return keep(c);
    discard(c);
    return row;
}

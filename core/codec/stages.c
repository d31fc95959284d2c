/* stages.c: runs composed codecs. An item goes forward through all stages but the last, which encodes what comes out:
   through a stage's own `forward`, else through its encoder and decoder, as long and at the rate that it was. Decoded,
   it goes back through the stages that have something to undo, last first.
   What is undone needs the shape of what was done: streams of a chain that undoes begin with the shapes of the items
   that went forward, first stage first, as numbers of 7 bits, lowest first, bit 7 set where more follow (LEB128):
       image: height, width, channels; of stages that undo alone
       sound: frames, channels, and 8 bytes of rate (a little-endian double); of all stages */
#include "codec/chain.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 27, SHAPE = 32, NOTE = 256 };     /* bytes of an item that is undone, of its shape, of a note */

/* What one stage works with; memory grows to the largest item. */
typedef struct station {
    void *instance;
    hz_media in;                     /* what it was given, or would be; its data is lent */
    hz_bytes samples, resampled, stream;
    hz_account account;
} station;

/* An instance of a chain. */
typedef struct line {
    const chain *chain;
    station at[CHAIN_MAX];
} line;

int chain_undoes(const codec_row *stage) { return stage->stage && stage->stage->back; }

static const codec_row *last_of(line *l, station **s)
{
    *s = &l->at[l->chain->count - 1];
    return l->chain->stage[l->chain->count - 1];
}

/* ---- shapes ---- */

static int has_shape(const chain *c, int i)
{
    return c->stage[i]->api->kind == HZ_AUDIO || (i < c->count - 1 && chain_undoes(c->stage[i]));
}

static uint8_t *put(uint8_t *p, int64_t v)
{
    for (; v > 127; v >>= 7)
        *p++ = (uint8_t)(v & 127) | 128;
    *p++ = (uint8_t)v;
    return p;
}

static hz_status check_shape(const hz_media *m)
{
    int64_t bytes = hz_media_bytes("what went forward", m);
    return bytes < 0 ? HZ_EFORMAT : bytes <= MOST ? HZ_OK
         : hz_fail(HZ_EFORMAT, "an item of %lld bytes; needs at most %d to be undone", (long long)bytes, MOST);
}

static uint8_t *put_shape(uint8_t *p, const hz_media *m)
{
    uint64_t bits;
    if (m->kind == HZ_IMAGE)
        return put(put(put(p, m->height), m->width), m->channels);
    p = put(put(p, m->frames), m->channels);
    memcpy(&bits, &m->rate, sizeof bits);
    for (int i = 0; i < 8; i++)
        *p++ = (uint8_t)(bits >> 8 * i);
    return p;
}

/* -1: the bytes end before it does, or it is none. */
static int64_t get(const uint8_t **p, const uint8_t *end)
{
    int64_t v = 0;
    for (int shift = 0; *p < end && shift < 42; shift += 7) {
        uint8_t byte = *(*p)++;
        v |= (int64_t)(byte & 127) << shift;
        if (byte < 128)
            return v;
    }
    return -1;
}

static double get_rate(const uint8_t **p, const uint8_t *end)
{
    uint64_t bits = 0;
    double rate;
    if (end - *p < 8)
        return -1;
    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)*(*p)++ << 8 * i;
    memcpy(&rate, &bits, sizeof rate);
    return rate;
}

static hz_status get_shape(const uint8_t **p, const uint8_t *end, int kind, hz_media *m)
{
    int64_t channels;
    *m = (hz_media){ .kind = kind };
    if (kind == HZ_IMAGE) {
        m->height = get(p, end);
        m->width = get(p, end);
        channels = get(p, end);
    } else {
        m->frames = get(p, end);
        channels = get(p, end);
        m->rate = get_rate(p, end);
    }
    if (channels < 1 || channels > 255)
        return hz_fail(HZ_EFORMAT, "the stream does not begin with the shapes of what went forward");
    m->channels = (int)channels;
    return check_shape(m);
}

/* ---- forward ---- */

static hz_status by_stage(const codec_row *row, station *s, hz_media *out)
{
    hz_media taken;
    hz_status status = codec_prepare(row->api, &s->in, &taken, &s->resampled);
    if (status)
        return status;
    *out = (hz_media){ .kind = row->api->kind };
    s->samples.size = 0;
    host_listen();
    if (row->stage->forward(s->instance, &taken, out, &s->samples))
        return host_blame(row->api->name, HZ_EARG);
    return codec_filled(row->api, out, &s->samples);
}

static hz_status by_codec(const codec_row *row, station *s, hz_media *out)
{
    hz_status status = codec_encode(row, s->instance, &s->in, &s->resampled, &s->stream, &s->account);
    if (!status)
        status = codec_decode(row, s->instance, s->stream.data, s->stream.size, out, &s->samples);
    if (!status)
        status = rate_restore(row, s->instance, out, &s->in, &s->resampled);
    return status ? status : media_alike(row->api->name, out, &s->in);
}

/* Up to the last stage, whose `in` is then what it has to encode. */
static hz_status go_forward(line *l, const hz_media *in)
{
    hz_status status = HZ_OK;
    l->at[0].in = *in;
    for (int i = 0; !status && i < l->chain->count - 1; i++) {
        const codec_row *row = l->chain->stage[i];
        status = (row->stage ? by_stage : by_codec)(row, &l->at[i], &l->at[i + 1].in);
    }
    return status;
}

/* The shapes, then what the last stage has made. */
static hz_status assemble(const line *l, const station *last, hz_bytes *out, hz_account *account)
{
    uint8_t shapes[CHAIN_MAX * SHAPE], *end = shapes;
    hz_status status = HZ_OK;
    for (int i = 0; !status && i < l->chain->count; i++)
        if (has_shape(l->chain, i) && !(status = check_shape(&l->at[i].in)))
            end = put_shape(end, &l->at[i].in);
    size_t n = (size_t)(end - shapes);
    host_listen();
    if (!status && host_table()->grow(out, n + last->stream.size))
        status = HZ_EMEM;
    if (status)
        return status;
    memcpy(out->data, shapes, n);
    memcpy(out->data + n, last->stream.data, last->stream.size);
    out->size = n + last->stream.size;
    int failed = host_table()->part(account, HZ_CONTAINER, n);
    for (int64_t i = 0; !failed && i < last->account.count; i++) {
        const hz_segment *s = &last->account.segments[i];
        failed = host_table()->part(account, (hz_part)s->part, (size_t)s->bytes);
    }
    return failed ? HZ_EMEM : HZ_OK;
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    line *l = instance;
    station *s;
    const codec_row *row = last_of(l, &s);
    hz_status status = go_forward(l, in);
    if (!status && !l->chain->undoes)
        status = codec_encode(row, s->instance, &s->in, &s->resampled, out, account);
    else if (!status && !(status = codec_encode(row, s->instance, &s->in, &s->resampled, &s->stream, &s->account)))
        status = assemble(l, s, out, account);
    return status ? host_relay(status) : 0;
}

/* ---- back ---- */

static hz_status read_shapes(line *l, const uint8_t **p, const uint8_t *end)
{
    hz_status status = HZ_OK;
    for (int i = 0; !status && i < l->chain->count; i++)
        if (has_shape(l->chain, i)) {
            const hz_codec_api *api = l->chain->stage[i]->api;
            status = get_shape(p, end, api->kind, &l->at[i].in);
            if (!status && media_takes(api, &l->at[i].in))
                status = HZ_EFORMAT;
        }
    return status;
}

/* Undoes one stage: m is what came back to it, then what it gives back. */
static hz_status undo(const codec_row *row, station *s, hz_media *m)
{
    hz_media original, got = *m;
    if (!chain_undoes(row))
        return HZ_OK;
    codec_shape(row->api, &s->in, &original);
    hz_status status = check_shape(&original);      /* at the codec's rate it may be larger */
    if (status)
        return status;
    original.data = NULL;
    *m = (hz_media){ .kind = row->api->kind };
    s->samples.size = 0;
    host_listen();
    if (row->stage->back(s->instance, &got, &original, m, &s->samples))
        return host_blame(row->api->name, HZ_EFORMAT);
    status = codec_filled(row->api, m, &s->samples);
    return status ? status : media_alike(row->api->name, m, &original);
}

/* A sound that went on at another rate is at the old one again. */
static hz_status restore(station *s, hz_media *m)
{
    hz_media from = *m;
    return m->kind == HZ_AUDIO ? rate_change(&from, s->in.rate, s->in.frames, m, &s->resampled) : HZ_OK;
}

static hz_status go_back(line *l, hz_media *m)
{
    hz_status status = HZ_OK;
    for (int i = l->chain->count - 2; !status && i >= 0; i--) {
        status = undo(l->chain->stage[i], &l->at[i], m);
        if (!status)
            status = restore(&l->at[i], m);
    }
    return status;
}

static hz_status decode_last(line *l, const uint8_t *bytes, size_t count, hz_media *m)
{
    station *s;
    const codec_row *row = last_of(l, &s);
    hz_status status = codec_decode(row, s->instance, bytes, count, m, &s->samples);
    if (!status && m->kind == HZ_AUDIO)
        status = rate_restore(row, s->instance, m, &s->in, &s->resampled);
    return status;
}

static hz_status hand_over(const char *who, const hz_media *m, hz_media *format, hz_bytes *out)
{
    int64_t bytes = hz_media_bytes(who, m);
    host_listen();
    if (bytes < 0 || host_table()->grow(out, (size_t)bytes))
        return bytes < 0 ? HZ_EFORMAT : host_blame(who, HZ_EFORMAT);
    memcpy(out->data, m->data, (size_t)bytes);
    out->size = (size_t)bytes;
    *format = *m;
    return HZ_OK;
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
    line *l = instance;
    station *s;
    const codec_row *row = last_of(l, &s);
    const uint8_t *p = bytes;
    hz_media m;
    hz_status status;
    if (!l->chain->undoes) {
        status = codec_decode(row, s->instance, bytes, count, format, out);
        return status ? host_relay(status) : 0;
    }
    status = read_shapes(l, &p, bytes + count);
    if (!status)
        status = decode_last(l, p, count - (size_t)(p - bytes), &m);
    if (!status)
        status = go_back(l, &m);
    if (!status)
        status = hand_over(row->api->name, &m, format, out);
    return status ? host_relay(status) : 0;
}

/* Of a chain that undoes nothing: sounds are decoded as its last stage leaves them. */
static int timing(void *instance, double rate, int64_t *delay, int64_t *tail)
{
    station *s;
    const codec_row *row = last_of(instance, &s);
    return row->api->timing(s->instance, rate, delay, tail);
}

/* ---- beginning and end ---- */

static void destroy(void *instance)
{
    line *l = instance;
    for (int i = 0; l && i < l->chain->count; i++) {
        station *s = &l->at[i];
        l->chain->stage[i]->api->destroy(s->instance);
        free(s->samples.data);
        free(s->resampled.data);
        free(s->stream.data);
        free(s->account.segments);
    }
    free(l);
}

void *chain_create(const chain *c, const double *values)
{
    line *l = calloc(1, sizeof *l);
    if (!l) {
        host_relay(hz_fail(HZ_EMEM, "no memory for an instance"));
        return NULL;
    }
    l->chain = c;
    for (int i = 0; i < c->count; i++) {
        host_listen();
        l->at[i].instance = codec_create(c->stage[i], values + c->at[i]);
        if (!l->at[i].instance) {
            host_relay(host_blame(c->stage[i]->api->name, HZ_EARG));
            destroy(l);
            return NULL;
        }
    }
    return l;
}

void chain_describe(FILE *f, const chain *c)
{
    for (int i = 0; i < c->count; i++) {
        fputs(i ? " | " : "chain 1: ", f);
        codec_describe(f, c->stage[i]);
    }
}

/* What its stages note: "mp3: 44100 Hz become 8000 Hz". Items are taken to keep their shapes on the way. */
static int note(void *instance, const hz_media *like, char *text, size_t room)
{
    line *l = instance;
    char own[NOTE];
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < l->chain->count; i++) {
        const codec_row *row = l->chain->stage[i];
        hz_status status = codec_note(row, l->at[i].instance, like, own, sizeof own);
        if (status)
            return host_relay(status);
        if (*own && n < room)
            n += (size_t)snprintf(text + n, room - n, "%s%s: %s", n ? ", " : "", row->api->name, own);
    }
    return 0;
}

const hz_codec_note chain_note = { .size = sizeof chain_note, .note = note };

void chain_functions(const chain *c, hz_codec_api *api)
{
    api->destroy = destroy;
    api->encode = encode;
    api->decode = decode;
    if (!c->undoes && c->stage[c->count - 1]->api->timing)
        api->timing = timing;
}

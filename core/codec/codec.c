/* codec.c: a codec with values for its parameters, one item at a time. Whatever a plugin hands back is checked here. */
#define _GNU_SOURCE
#include "codec/chain.h"
#include "codec/door.h"
#include "codec/param.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE = 256 };

/* In fingerprints, and so in the keys of cells: what the host does between a codec and a set has not changed since this
   draft of the interface. */
#define STREAMS "hz.codec/0.1"

struct hz_codec {
    const codec_row *row;
    double *values;
    char *text, *fingerprint;
    void *instance;                  /* NULL: made when it is first needed */
    hz_bytes stream, samples;        /* lent to the caller until the next call */
    hz_bytes resampled;              /* either way */
    char note[NOTE];
    hz_account account;
};

/* ---- making and asking ---- */

/* What was encoded at a codec's own rate comes back through the resampler. */
void codec_describe(FILE *f, const codec_row *row)
{
    const char *by = row->api->kind == HZ_AUDIO ? hz_sound_resampler_name() : NULL;
    if (row->chain)
        chain_describe(f, row->chain);
    else
        fprintf(f, "%s %s (" STREAMS ", %s%s%s%s)", row->plugin->name, row->plugin->version, row->library, row->origin,
                by ? ", " : "", by ? by : "");
}

static char *describe(const codec_row *row)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (f)
        codec_describe(f, row);
    if (f && !fclose(f))
        return text;
    free(text);
    hz_fail(HZ_EMEM, "%s: no memory for its fingerprint", row->api->name);
    return NULL;
}

void *codec_create(const codec_row *row, const double *values)
{
    return row->chain ? chain_create(row->chain, values) : guard_create(row->api, values);
}

static hz_status set_up(hz_codec *c, const char *values)
{
    const char *name = c->row->api->name;
    c->values = calloc((size_t)c->row->params.places + 1, sizeof *c->values);
    if (!c->values)
        return hz_fail(HZ_EMEM, "%s: no memory for its parameters", name);
    hz_status status = param_read(&c->row->params, name, values, c->values);
    if (status)
        return status;
    c->text = param_print(&c->row->params, c->values);
    return c->text && (c->fingerprint = describe(c->row)) ? HZ_OK : HZ_EMEM;
}

static hz_status have_instance(hz_codec *c)
{
    if (c->instance)
        return HZ_OK;
    host_listen();
    c->instance = codec_create(c->row, c->values);
    return c->instance ? HZ_OK : host_blame(c->row->api->name, HZ_EARG);
}

/* seconds > 0: the plugin makes its instance in a process of its own. */
static hz_codec *make(const char *name, const char *values, double seconds)
{
    const codec_row *row = codec_row_named(name);
    hz_codec *c = row ? calloc(1, sizeof *c) : NULL;
    if (row && !c)
        hz_fail(HZ_EMEM, "%s: no memory for a codec", name);
    if (!c)
        return NULL;
    c->row = row;
    hz_status status = set_up(c, values);
    if (!status)
        status = seconds > 0 ? apart_try(c, seconds) : have_instance(c);
    if (!status)
        return c;
    hz_codec_free(c);
    return NULL;
}

hz_codec *hz_codec_new(const char *name, const char *values) { return make(name, values, 0); }

hz_codec *hz_codec_new_apart(const char *name, const char *values, double seconds)
{
    if (seconds > 0)
        return make(name, values, seconds);
    hz_fail(HZ_EARG, "codec: it may take %g seconds; needs more than 0", seconds);
    return NULL;
}

static void release(hz_bytes *b)
{
    if (b->fixed == GUARDED)
        guard_free(b);
    else
        free(b->data);
}

void hz_codec_free(hz_codec *c)
{
    if (!c)
        return;
    if (c->instance)
        guard_destroy(c->row->api, c->instance);
    free(c->account.segments);
    free(c->resampled.data);
    release(&c->samples);
    release(&c->stream);
    free(c->fingerprint);
    free(c->text);
    free(c->values);
    free(c);
}

const char *hz_codec_name(const hz_codec *c) { return c->row->api->name; }
const char *hz_codec_text(const hz_codec *c) { return c->text; }
const char *hz_codec_fingerprint(const hz_codec *c) { return c->fingerprint; }
const double *hz_codec_values(const hz_codec *c) { return c->values; }
const codec_row *codec_row_of(const hz_codec *c) { return c->row; }

/* ---- one call, checked ---- */

/* As many frames as the sound has at another rate. */
static int64_t frames_at(const hz_media *in, double rate)
{
    double frames = (double)in->frames * (rate / in->rate) + 0.5;
    return frames < 1 ? 1 : frames < 1e15 ? (int64_t)frames : INT64_MAX;
}

void codec_shape(const hz_codec_api *api, const hz_media *in, hz_media *taken)
{
    *taken = *in;
    if (in->kind != HZ_AUDIO)
        return;
    taken->rate = rate_for(api, in->rate);
    if (taken->rate != in->rate)
        taken->frames = frames_at(in, taken->rate);
}

hz_status codec_prepare(const hz_codec_api *api, const hz_media *in, hz_media *taken, hz_bytes *resampled)
{
    hz_media shape;
    *taken = *in;
    hz_status status = media_takes(api, in);
    if (status || in->kind != HZ_AUDIO)
        return status;
    codec_shape(api, in, &shape);
    status = rate_change(in, shape.rate, shape.frames, taken, resampled);
    return status ? hz_fail_in(status, "%s: ", api->name) : HZ_OK;
}

static hz_status overfull(const char *who, const hz_bytes *b)
{
    return hz_fail(HZ_ESTATE, "%s: says that it wrote %zu bytes where there is room for %zu; it must call host->grow",
                   who, b->size, b->room);
}

hz_status codec_encode(const codec_row *row, void *instance, const hz_media *in, hz_bytes *resampled, hz_bytes *out,
                       hz_account *account)
{
    hz_media taken;
    hz_status status = codec_prepare(row->api, in, &taken, resampled);
    if (status)
        return status;
    out->size = 0;
    account->count = 0;
    memset(account->bytes, 0, sizeof account->bytes);
    host_listen();
    if (guard_encode(row->api, instance, &taken, out, account))
        return host_blame(row->api->name, HZ_EARG);
    int64_t named = account->bytes[HZ_PAYLOAD] + account->bytes[HZ_TABLES] + account->bytes[HZ_CONTAINER];
    if (out->size > out->room)
        return overfull(row->api->name, out);
    if (named == (int64_t)out->size && out->size > 0)
        return HZ_OK;
    return hz_fail(HZ_ESTATE, "%s: its account names %lld bytes, the stream has %zu; the plugin must name each byte "
                   "once", row->api->name, (long long)named, out->size);
}

hz_status codec_filled(const hz_codec_api *api, hz_media *out, const hz_bytes *samples)
{
    out->kind = api->kind;
    int64_t need = hz_media_bytes(api->name, out);
    if (need < 0)
        return HZ_EFORMAT;
    if (samples->size > samples->room)
        return overfull(api->name, samples);
    if (samples->size != (size_t)need)
        return hz_fail(HZ_ESTATE, "%s: decoding wrote %zu bytes; its format needs %lld", api->name, samples->size,
                       (long long)need);
    out->data = samples->data;
    return HZ_OK;
}

/* By either of a codec's ways to decode. */
static hz_status decode_by(codec_decoder decode, const hz_codec_api *api, void *instance, const uint8_t *data,
                           size_t bytes, hz_media *out, hz_bytes *samples)
{
    if (!data || bytes == 0)
        return hz_fail(HZ_EFORMAT, "%s: the stream has 0 bytes; needs at least 1", api->name);
    samples->size = 0;
    *out = (hz_media){ .kind = api->kind };
    host_listen();
    if (guard_decode(decode, instance, data, bytes, out, samples))
        return host_blame(api->name, HZ_EFORMAT);
    return codec_filled(api, out, samples);
}

hz_status codec_decode(const codec_row *row, void *instance, const uint8_t *data, size_t bytes, hz_media *out,
                       hz_bytes *samples)
{
    return decode_by(row->api->decode, row->api, instance, data, bytes, out, samples);
}

hz_status codec_convert(const codec_row *row, void *instance, const uint8_t *data, size_t bytes, hz_media *out,
                        hz_bytes *samples)
{
    return decode_by(row->file ? row->file->decode : row->api->decode, row->api, instance, data, bytes, out,
                     samples);
}

hz_status codec_account(const codec_row *row, const uint8_t *data, size_t bytes, hz_account *account)
{
    account->count = 0;
    memset(account->bytes, 0, sizeof account->bytes);
    host_listen();
    if (row->file ? row->file->account(data, bytes, account) : host_table()->part(account, HZ_PAYLOAD, bytes))
        return host_blame(row->api->name, HZ_EFORMAT);
    int64_t named = account->bytes[HZ_PAYLOAD] + account->bytes[HZ_TABLES] + account->bytes[HZ_CONTAINER];
    if (named == (int64_t)bytes)
        return HZ_OK;
    return hz_fail(HZ_ESTATE, "%s: its account names %lld bytes, the file has %zu; the plugin must name each byte once",
                   row->api->name, (long long)named, bytes);
}

/* ---- the handle's own instance ---- */

/* Guarded memory is made anew for each call: what an earlier one asked for would hide what goes beyond. */
static void open_room(hz_bytes *b)
{
    if (b->fixed == GUARDED)
        guard_free(b);
    if (!b->data)
        b->fixed = guard_room();
}

static hz_status encode(hz_codec *c, const hz_media *in)
{
    hz_media lent = *in;
    int64_t bytes = hz_media_bytes(c->row->api->name, in);
    open_room(&c->stream);
    if (bytes < 0)
        return HZ_ESHAPE;
    hz_status status = have_instance(c);
    if (!status)
        status = guard_input(&lent.data, (size_t)bytes);
    if (status)
        return status;
    status = codec_encode(c->row, c->instance, &lent, &c->resampled, &c->stream, &c->account);
    guard_input_end(lent.data);
    return status ? status : guard_look(c->row->api->name, &c->stream);
}

static hz_status decode(hz_codec *c, const uint8_t *data, int64_t bytes, hz_media *out)
{
    const void *lent = data;
    size_t n = bytes > 0 ? (size_t)bytes : 0;
    open_room(&c->samples);
    hz_status status = have_instance(c);
    if (!status && n)
        status = guard_input(&lent, n);
    if (status)
        return status;
    status = codec_decode(c->row, c->instance, lent, n, out, &c->samples);
    guard_input_end(lent);
    return status ? status : guard_look(c->row->api->name, &c->samples);
}

hz_status hz_codec_encode(hz_codec *c, const hz_media *in, hz_stream *out)
{
    hz_status status = encode(c, in);
    *out = (hz_stream){ .data = NULL };
    if (!status)
        *out = (hz_stream){ .data = c->stream.data, .bytes = (int64_t)c->stream.size, .account = c->account };
    return status;
}

hz_status hz_codec_decode(hz_codec *c, const uint8_t *data, int64_t bytes, hz_media *out)
{
    hz_status status = decode(c, data, bytes, out);
    return status ? status : media_cut(c->row, c->instance, out, 0);
}

hz_status hz_codec_decode_as(hz_codec *c, const uint8_t *data, int64_t bytes, const hz_media *original, hz_media *out)
{
    hz_status status = decode(c, data, bytes, out);
    return status ? status : rate_restore(c->row, c->instance, out, original, &c->resampled);
}

hz_status codec_note(const codec_row *row, void *instance, const hz_media *like, char *text, size_t room)
{
    hz_media taken;
    size_t n = 0;
    text[0] = 0;
    codec_shape(row->api, like, &taken);
    if (taken.rate != like->rate) {
        int wrote = snprintf(text, room, "%g Hz become %g Hz (%s), ", like->rate, taken.rate,
                             hz_sound_resampler_name());
        n = wrote < (int)room ? (size_t)wrote : room - 1;
    }
    host_listen();
    if (row->note && row->note->note(instance, &taken, text + n, room - n))
        return host_blame(row->api->name, HZ_ESTATE);
    if (n > 1 && !text[n])
        text[n - 2] = 0;
    return HZ_OK;
}

hz_status hz_codec_note_of(hz_codec *c, const hz_media *like, const char **text)
{
    hz_status status = media_takes(c->row->api, like);
    if (!status && c->row->note)
        status = have_instance(c);
    *text = c->note;
    return status ? status : codec_note(c->row, c->instance, like, c->note, NOTE);
}

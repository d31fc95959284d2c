/* odd.c: plugins that each do one thing wrong, for the tests; compiled once per ODD_name. What all share is a codec
   that stores the pixels behind an 8-byte header. */
#include "hz/plugin.h"
#include <stdlib.h>
#include <string.h>

#define TEXT(x) #x
#define VALUE(x) TEXT(x)

#if defined ODD_draft
#define NAME odd_draft
#define ID "hz.codec/0"
#elif defined ODD_short
#define NAME odd_short
#define SIZE (sizeof(hz_codec_api) - sizeof(void *))
#elif defined ODD_unnamed
#define NAME 7up
#elif defined ODD_closed
#define NAME odd_closed
#elif defined ODD_grammar
#define NAME odd_grammar
#elif defined ODD_twice
#define NAME odd_twice
#define CODEC odd_account
#elif defined ODD_account
#define NAME odd_account
#elif defined ODD_silent
#define NAME odd_silent
#elif defined ODD_overrun
#define NAME odd_overrun
#elif defined ODD_fails
#define NAME odd_fails
#elif defined ODD_shrinks
#define NAME odd_shrinks
#elif defined ODD_vector
#define NAME odd_vector
#endif

#ifndef ID
#define ID "hz.codec/1"
#endif
#ifndef SIZE
#define SIZE sizeof(hz_codec_api)
#endif
#ifndef CODEC
#define CODEC NAME
#endif

static const hz_host *host;

static const char *library(void) { return "none"; }
static void destroy(void *instance) { host->free(instance); }

static void *create(const double *values)
{
#ifdef ODD_vector
    if (values[2] > values[4])
        host->fail("weights fall from %g to %g; needs rising ones", values[2], values[4]);
    if (values[2] > values[4])
        return NULL;
#endif
    return host->alloc(1);
}

static int encode(void *instance, const hz_media *in, hz_bytes *out, hz_account *account)
{
    size_t n = (size_t)(in->height * in->width * in->channels);
#ifdef ODD_fails
    if (((const uint8_t *)in->data)[0] == 255)
        return host->fail("the first sample is 255; needs less");
#endif
    if (host->grow(out, 8 + n))
        return -1;
    memset(out->data, 0, 8);
    out->data[0] = (uint8_t)in->height;
    out->data[1] = (uint8_t)in->width;
    out->data[2] = (uint8_t)in->channels;
    memcpy(out->data + 8, in->data, n);
    out->size = 8 + n;
#ifdef ODD_account
    n -= 1;
#endif
    return host->part(account, HZ_CONTAINER, 3) || host->part(account, HZ_TABLES, 5)
           || host->part(account, HZ_PAYLOAD, n);
}

static int decode(void *instance, const uint8_t *bytes, size_t count, hz_media *format, hz_bytes *out)
{
#ifdef ODD_silent
    return 1;
#endif
    format->height = bytes[0];
    format->width = bytes[1];
    format->channels = bytes[2];
#ifdef ODD_shrinks
    format->height--;
    count -= (size_t)format->width * (size_t)format->channels;
#endif
    size_t n = count - 8;
#ifdef ODD_overrun
    if (host->grow(out, n + 1))
        return -1;
#endif
    if (host->grow(out, n))
        return -1;
    memcpy(out->data, bytes + 8, n);
    out->size = n;
    return 0;
}

static hz_codec_api codec = {
    .size = SIZE,
    .kind = HZ_IMAGE,
    .channels = 1 << 1 | 1 << 3,
    .lossless = 1,
    .name = VALUE(CODEC),
    .params = "level : int = -1 [ -3 .. 9 ] ( dB ) - 'one' ; on:bool=true+; weights:float*3=.25,0.5,1e3[0..1000];"
              "kind:enum=soft|hard|v1.2-; free:float=-2.5e-3; many:int*256=7[0..255]",
    .library = library,
    .create = create,
    .destroy = destroy,
    .encode = encode,
    .decode = decode,
};

static int open_plugin(const hz_host *lent)
{
    host = lent;
#ifdef ODD_closed
    return host->fail("the licence server is down; needs rain");
#endif
#ifdef ODD_grammar
    codec.params = getenv("ODD_PARAMS") ? getenv("ODD_PARAMS") : "x";      /* the test walks through declarations */
#endif
    host->log("%s was opened by hz %s", VALUE(NAME), host->version);
    return 0;
}

static const void *interface(const char *id) { return strcmp(id, ID) ? NULL : &codec; }

const hz_plugin hz_plugin_main = { sizeof(hz_plugin), VALUE(NAME), "1", "does one thing wrong", open_plugin,
                                   interface };

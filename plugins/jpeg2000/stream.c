/* stream.c: OpenJPEG reads from and writes to the host's memory. */
#include "jpeg2000.h"
#include <string.h>

enum { BUFFER = 1 << 14 };           /* bytes that OpenJPEG keeps of its own */
static const OPJ_SIZE_T END = (OPJ_SIZE_T)-1;

/* ---- writing ---- */

static OPJ_SIZE_T put(void *data, OPJ_SIZE_T n, void *self)
{
    sink *s = self;
    if (jpeg2000_host->grow(s->out, s->at + n)) {
        s->said = 1;
        return END;
    }
    memcpy(s->out->data + s->at, data, n);
    s->at += n;
    if (s->out->size < s->at)
        s->out->size = s->at;
    return n;
}

static OPJ_BOOL seek_sink(OPJ_OFF_T to, void *self)
{
    sink *s = self;
    if (to < 0 || (size_t)to > s->out->size)
        return OPJ_FALSE;
    s->at = (size_t)to;
    return OPJ_TRUE;
}

static OPJ_OFF_T skip_sink(OPJ_OFF_T n, void *self)
{
    return seek_sink((OPJ_OFF_T)((sink *)self)->at + n, self) ? n : -1;
}

opj_stream_t *stream_to(sink *to)
{
    opj_stream_t *s = opj_stream_create(BUFFER, OPJ_FALSE);
    if (!s)
        return NULL;
    opj_stream_set_user_data(s, to, NULL);
    opj_stream_set_write_function(s, put);
    opj_stream_set_seek_function(s, seek_sink);
    opj_stream_set_skip_function(s, skip_sink);
    return s;
}

/* ---- reading ---- */

static OPJ_SIZE_T get(void *data, OPJ_SIZE_T n, void *self)
{
    source *s = self;
    if (s->at == s->bytes)
        return END;
    if (n > s->bytes - s->at)
        n = s->bytes - s->at;
    memcpy(data, s->p + s->at, n);
    s->at += n;
    return n;
}

static OPJ_BOOL seek_source(OPJ_OFF_T to, void *self)
{
    source *s = self;
    if (to < 0 || (size_t)to > s->bytes)
        return OPJ_FALSE;
    s->at = (size_t)to;
    return OPJ_TRUE;
}

static OPJ_OFF_T skip_source(OPJ_OFF_T n, void *self)
{
    source *s = self;
    if (n < 0 || (size_t)n > s->bytes - s->at)
        return -1;
    s->at += (size_t)n;
    return n;
}

opj_stream_t *stream_from(source *from)
{
    opj_stream_t *s = opj_stream_create(BUFFER, OPJ_TRUE);
    if (!s)
        return NULL;
    opj_stream_set_user_data(s, from, NULL);
    opj_stream_set_user_data_length(s, from->bytes);
    opj_stream_set_read_function(s, get);
    opj_stream_set_seek_function(s, seek_source);
    opj_stream_set_skip_function(s, skip_source);
    return s;
}

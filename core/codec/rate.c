/* rate.c: sounds at rates that a codec takes, and back. The resampler is a plugin's. */
#include "codec/door.h"
#include <stdlib.h>

double rate_for(const hz_codec_api *api, double rate)
{
    const int *r = api->rates;
    if (!r || !*r)
        return rate;
    while (r[1] && *r < rate)
        r++;
    return *r;
}

hz_status rate_change(const hz_media *in, double rate, int64_t frames, hz_media *out, hz_bytes *room)
{
    const hz_sound_resampler *by;
    *out = *in;
    if (rate == in->rate)
        return HZ_OK;
    if (!(by = sound_resampler()))
        return HZ_ESTATE;
    out->rate = rate;
    out->frames = frames;
    int64_t bytes = hz_media_bytes("resample", out);
    if (bytes < 0)
        return HZ_ESHAPE;
    host_listen();
    if (host_table()->grow(room, (size_t)bytes))
        return host_blame("resample", HZ_EMEM);
    out->data = room->data;
    return by->resample(in, rate, frames, (float *)(void *)room->data) ? host_blame("resample", HZ_ESTATE) : HZ_OK;
}

hz_status rate_restore(const codec_row *row, void *instance, hz_media *m, const hz_media *original, hz_bytes *room)
{
    hz_media cut = *m;
    int same = m->kind != HZ_AUDIO || m->rate == original->rate;
    hz_status status = media_cut(row, instance, &cut, same ? original->frames : 0);
    if (status)
        return status;
    status = rate_change(&cut, original->rate, original->frames, m, room);
    return status ? hz_fail_in(status, "%s: ", row->api->name) : HZ_OK;
}

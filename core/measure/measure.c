/* measure.c: the table of measures, and one of them taken of many items on several threads. */
#include "measure/rows.h"
#include "spread.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Columns of accounts, in their order. */
static const hz_measure rows[] = {
    { HZ_IMAGE, "squared_error", 0, NULL, image_error },
    { HZ_IMAGE, "ssim", 1, image_ssim_room, image_ssim },
    { HZ_AUDIO, "squared_error", 0, NULL, sound_error },
    { HZ_AUDIO, "energy", NAN, NULL, sound_energy },
    { HZ_AUDIO, "log_spectral_distance", 0, sound_spectra_room, sound_spectra },
};
enum { ROWS = sizeof rows / sizeof *rows };

const hz_measure *hz_measure_at(int kind, int i)
{
    for (int r = 0; r < ROWS; r++)
        if (rows[r].kind == kind && i-- == 0)
            return &rows[r];
    return NULL;
}

typedef struct job {
    const hz_measure *measure;
    const hz_media *items;           /* (n) */
    const uint8_t *decoded;          /* n places, `stride` bytes from one to the next */
    int64_t n, stride, room;         /* room: doubles for the largest item */
    double *out;                     /* (n) */
    atomic_llong next;
    atomic_int failed;
} job;

static void work(void *arg, int worker)
{
    job *j = arg;
    int64_t i;
    double *room = malloc((size_t)j->room * sizeof *room + 1);
    if (!room) {
        atomic_store(&j->failed, 1);
        return;
    }
    while ((i = atomic_fetch_add(&j->next, 1)) < j->n)
        j->out[i] = j->measure->of(&j->items[i], j->decoded + i * j->stride, room);
    free(room);
}

/* Checks the items, and finds the room for the largest. */
static hz_status look(job *j)
{
    const hz_measure *m = j->measure;
    for (int64_t i = 0; i < j->n; i++) {
        if (j->items[i].kind != m->kind)
            return hz_fail(HZ_EARG, "%s: item %lld is no %s; needs one", m->name, (long long)i,
                           m->kind == HZ_AUDIO ? "sound" : "image");
        if (hz_media_bytes(m->name, &j->items[i]) < 0)
            return HZ_ESHAPE;
        int64_t room = m->room ? m->room(&j->items[i]) : 0;
        if (room > j->room)
            j->room = room;
    }
    return HZ_OK;
}

hz_status hz_measure_items(const hz_measure *m, const hz_media *items, int64_t n, const void *decoded, int64_t stride,
                           double *out, int threads)
{
    job j = { .measure = m, .items = items, .decoded = decoded, .n = n, .stride = stride, .out = out };
    hz_status status = look(&j);
    if (status || n < 1)
        return status;
    threads = spread_threads(threads);
    spread(n < threads ? (int)n : threads, work, &j);
    return atomic_load(&j.failed) ? hz_fail(HZ_EMEM, "%s: no memory for %lld sums", m->name, (long long)j.room) : HZ_OK;
}

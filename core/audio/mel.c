/* mel.c: a sound becomes decibels, group of frames by group. Each channel is laid out by itself first, with what is
   heard beyond its ends on either side, in rows of a hop each as the kernels want it (mel_rows). */
#include "audio/mel.h"
#include "bounds.h"
#include "finite.h"
#include "hz/cpu.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void hz_mel_standard(hz_mel_form *form)
{
    *form = (hz_mel_form){ .n_fft = 2048, .hop = 512, .mels = 96, .power = 2, .top_db = 80 };
}

int64_t hz_mel_frames(const hz_mel_form *form, int64_t samples)
{
    return 1 + (samples + 2 * (form->n_fft / 2) - form->n_fft) / form->hop;
}

/* ---- a form ---- */

static hz_status check(const hz_mel_form *f, double rate)
{
    if (!(rate > 0 && rate < 1e9))
        return hz_fail(HZ_EARG, "mel: the rate is %g Hz; needs more than 0", rate);
    if (f->n_fft < 2 || f->n_fft > 65536)
        return hz_fail(HZ_EARG, "mel: n_fft is %d; needs 2 to 65536", f->n_fft);
    if (f->hop < 1)
        return hz_fail(HZ_EARG, "mel: hop is %d; needs at least 1", f->hop);
    if (f->mels < 1 || f->mels > 4096)
        return hz_fail(HZ_EARG, "mel: mels is %d; needs 1 to 4096", f->mels);
    if (!(f->fmin >= 0 && f->fmin < f->fmax && f->fmax <= rate / 2))
        return hz_fail(HZ_EARG, "mel: fmin is %g and fmax is %g Hz; needs 0 <= fmin < fmax <= %g, half the rate",
                       f->fmin, f->fmax, rate / 2);
    if (!(f->power > 0 && f->power <= 8) || !(f->top_db >= 0))
        return hz_fail(HZ_EARG, "mel: power is %g and top_db is %g; needs more than 0 to 8, and at least 0", f->power,
                       f->top_db);
    return f->edge == HZ_EDGE_REFLECT || f->edge == HZ_EDGE_SILENCE
               ? HZ_OK : hz_fail(HZ_EARG, "mel: edge is %d; needs 0 or 1", f->edge);
}

hz_mel *hz_mel_new(const hz_mel_form *form, double rate)
{
    hz_mel_form full = *form;
    if (full.fmax == 0)
        full.fmax = rate / 2;
    if (check(&full, rate))
        return NULL;
    hz_mel *m = calloc(1, sizeof *m);
    if (!m)
        return hz_fail(HZ_EMEM, "mel: no memory for its tables"), NULL;
    m->form = full;
    if (!mel_tables(m, rate))
        return m;
    hz_mel_free(m);
    return NULL;
}

void hz_mel_free(hz_mel *m)
{
    if (!m)
        return;
    free(m->taps);
    free(m->twiddle);
    free(m->halves);
    free(m->bands);
    free(m->weights);
    free(m);
}

/* ---- kernels ---- */

/* The widest of the level in force. */
static const mel_kernel *kernel(void)
{
    static const mel_kernel *const kernels[] = { &mel_portable, &mel_avx2, &mel_avx512 };
    const mel_kernel *best = kernels[0];
    const char *level, *now = hz_cpu_isa();
    for (int i = 0; (level = hz_cpu_level(i)); i++) {
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
            if (!strcmp(kernels[k]->level, level))
                best = kernels[k];
        if (!strcmp(level, now))
            break;
    }
    return best;
}

/* ---- a sound ---- */

/* Rows that are laid together, the floats of a cache line: hops are often powers of two, so that the same sample of all
   blocks falls into few lines of the cache. */
enum { ROWS = 16 };

enum { MOST_DB = 770 };              /* beyond it a float is infinite: 20 log10(2^128) */

typedef float F4 __attribute__((vector_size(16)));
typedef float F4U __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t I4 __attribute__((vector_size(16)));

/* One sound on its way. */
typedef struct run {
    const hz_mel *m;
    const mel_kernel *kernel;
    const float *samples;            /* (count,channels) */
    int64_t count, frames, stride;   /* stride: of rows */
    int channels;
    float *rows;                     /* (hop,stride) */
    float *work, *db;                /* of the kernel */
    float *out;                      /* (mels,frames,channels) */
    float loudest;
} run;

static hz_status check_samples(const run *r)
{
    int64_t i = finite_count(r->samples, r->count * r->channels);
    if (i == r->count * r->channels)
        return HZ_OK;
    return hz_fail(HZ_ENUMERIC, "mel: frame %lld of channel %d is %g; needs finite samples",
                   (long long)(i / r->channels + 1), (int)(i % r->channels) + 1, (double)r->samples[i]);
}

/* Where sample i of a sound that is mirrored at both ends comes from; a sound of one sample is that for ever. */
static int64_t mirrored(int64_t i, int64_t count)
{
    int64_t period = count > 1 ? 2 * (count - 1) : 1;
    i = (i % period + period) % period;
    return i < count ? i : period - i;
}

/* Sample i of a channel, which may lie beyond its ends. */
static float heard(const run *r, int64_t i, int channel)
{
    if (i < 0 || i >= r->count) {
        if (r->m->form.edge == HZ_EDGE_SILENCE)
            return 0;
        i = mirrored(i, r->count);
    }
    return r->samples[i * r->channels + channel];
}

/* Four rows of four blocks: x (4 blocks, hop apart), out (4 rows, stride apart). */
static void lay_square(const float *x, int64_t hop, float *out, int64_t stride)
{
    const I4 low = { 0, 4, 1, 5 }, high = { 2, 6, 3, 7 }, first = { 0, 1, 4, 5 }, second = { 2, 3, 6, 7 };
    F4 a = *(const F4U *)x, b = *(const F4U *)(x + hop);
    F4 c = *(const F4U *)(x + 2 * hop), d = *(const F4U *)(x + 3 * hop);
    F4 ab = __builtin_shuffle(a, b, low), cd = __builtin_shuffle(c, d, low);
    *(F4U *)out = __builtin_shuffle(ab, cd, first);
    *(F4U *)(out + stride) = __builtin_shuffle(ab, cd, second);
    ab = __builtin_shuffle(a, b, high);
    cd = __builtin_shuffle(c, d, high);
    *(F4U *)(out + 2 * stride) = __builtin_shuffle(ab, cd, first);
    *(F4U *)(out + 3 * stride) = __builtin_shuffle(ab, cd, second);
}

/* `rows` rows from `row` on, where blocks from..to lie between the ends for all of them. */
static void lay_inner(const run *r, int64_t row, int rows, int channel, int64_t from, int64_t to)
{
    const int64_t step = r->channels, hop = r->m->form.hop;
    const float *x = r->samples + (row - r->m->n / 2) * step + channel;
    float *out = r->rows + row * r->stride;
    int64_t b = from;
    if (step == 1 && rows == ROWS)
        for (; b + 4 <= to; b += 4)
            for (int i = 0; i < ROWS; i += 4)
                lay_square(x + b * hop + i, hop, out + i * r->stride + b, r->stride);
    for (; b < to; b++)
        for (int i = 0; i < rows; i++)
            out[i * r->stride + b] = x[(b * hop + i) * step];
}

static void lay_edge(const run *r, int64_t row, int channel, int64_t from, int64_t to)
{
    const int64_t hop = r->m->form.hop, first = row - r->m->n / 2;
    float *out = r->rows + row * r->stride;
    for (int64_t b = from; b < to; b++)
        out[b] = heard(r, b * hop + first, channel);
}

static void lay(const run *r, int channel)
{
    const int64_t hop = r->m->form.hop;
    for (int64_t row = 0; row < hop; row += ROWS) {
        const int rows = (int)min(ROWS, hop - row);
        int64_t first = row - r->m->n / 2, last = first + rows - 1;
        int64_t from = first < 0 ? min(ceil_div(-first, hop), r->stride) : 0;
        int64_t to = last < r->count ? min(ceil_div(r->count - last, hop), r->stride) : 0;
        lay_inner(r, row, rows, channel, from, to);
        for (int i = 0; i < rows; i++) {
            lay_edge(r, row + i, channel, 0, from);
            lay_edge(r, row + i, channel, max(from, to), r->stride);
        }
    }
}

/* Frames from..from+lanes, as far as there are so many. */
static void put(run *r, int channel, int64_t from, const float *loudest)
{
    const int lanes = r->kernel->lanes, n = (int)min(lanes, r->frames - from);
    for (int64_t mel = 0; mel < r->m->form.mels; mel++) {
        float *to = r->out + (mel * r->frames + from) * r->channels + channel;
        const float *db = r->db + mel * lanes;
        for (int l = 0; l < n; l++)
            to[(int64_t)l * r->channels] = db[l];
    }
    for (int l = 0; l < n; l++)
        r->loudest = loudest[l] > r->loudest ? loudest[l] : r->loudest;
}

static hz_status clamp(const run *r)
{
    const float least = (float)((double)r->loudest - r->m->form.top_db);
    if (r->loudest > MOST_DB)
        return hz_fail(HZ_ENUMERIC, "mel: the samples are so large that their power is infinite; needs about -1 to 1");
    for (int64_t i = 0, all = r->m->form.mels * r->frames * r->channels; i < all; i++)
        r->out[i] = r->out[i] < least ? least : r->out[i];
    return HZ_OK;
}

static void all_frames(run *r)
{
    const mel_rows rows = { .data = r->rows, .stride = r->stride };
    float loudest[MOST_LANES];
    for (int c = 0; c < r->channels; c++) {
        lay(r, c);
        for (int64_t from = 0; from < r->frames; from += r->kernel->lanes) {
            r->kernel->group(r->m, &rows, from, r->work, r->db, loudest);
            put(r, c, from, loudest);
        }
    }
}

/* Bytes of the kernel's work and of its decibels, and with the rows of all. */
typedef struct layout {
    size_t work, db, all;
    int64_t stride;
} layout;

static layout layout_of(const hz_mel *m, int64_t count, int lanes)
{
    layout l = { .work = line_bytes(mel_work_floats(m, lanes) * sizeof(float)),
                 .db = line_bytes((size_t)lanes * (size_t)m->form.mels * sizeof(float)),
                 .stride = round_up(hz_mel_frames(&m->form, count), lanes) + (m->n - 1) / m->form.hop };
    l.all = l.work + l.db + line_bytes((size_t)(l.stride * m->form.hop) * sizeof(float));
    return l;
}

size_t hz_mel_room(const hz_mel *m, int64_t count) { return layout_of(m, count, kernel()->lanes).all; }

hz_status hz_mel_run(const hz_mel *m, const float *samples, int64_t count, int channels, float *out, void *room)
{
    run r = { .m = m, .kernel = kernel(), .samples = samples, .count = count, .channels = channels, .out = out,
              .loudest = -INFINITY };
    if (count < 1 || channels < 1)
        return hz_fail(HZ_ESHAPE, "mel: the sound has %lld frames of %d channels; needs at least 1 of each",
                       (long long)count, channels);
    hz_status status = check_samples(&r);
    if (status)
        return status;
    layout l = layout_of(m, count, r.kernel->lanes);
    char *memory = room ? room : aligned_alloc(64, l.all);
    if (!memory)
        return hz_fail(HZ_EMEM, "mel: %zu bytes were asked for; the system has no more", l.all);
    r.frames = hz_mel_frames(&m->form, count);
    r.stride = l.stride;
    r.work = (float *)(void *)memory;
    r.db = (float *)(void *)(memory + l.work);
    r.rows = (float *)(void *)(memory + l.work + l.db);
    all_frames(&r);
    if (!room)
        free(memory);
    return clamp(&r);
}

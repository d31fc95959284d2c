/* sensor.c: what a pixel may read, given the light that falls on it.
   For each level of light the exact distribution of Y = clip(round(255 tone((K + G) / full))) is tabulated,
   K Poisson and G Gaussian, in units of 2^-32. Pixels are drawn from this table by inversion, and the entropy
   is that of the very integers in it; so the recorded entropy is the true one of the data to double precision,
   with no interpolation, and within 1e-6 bits of the continuous model's (each of at most 256 probabilities
   is off by at most 2^-32). */
#include "camera/parts.h"
#include "exact.h"
#include <assert.h>

/* Tone curve: (sqrt(x + a) - sqrt(a)) / (sqrt(1 + a) - sqrt(a)). Like sRGB it is a square root with a linear toe, but
   needs nothing that rounds differently between machines, in either direction. */
static const double TOE = 0.02;

double sensor_tone(double x)
{
    double low = sqrt(TOE), span = sqrt(1 + TOE) - low;
    return (sqrt(x + TOE) - low) / span;
}

double sensor_light(double y)
{
    double low = sqrt(TOE), span = sqrt(1 + TOE) - low;
    double root = y * span + low;
    return root * root - TOE;
}

int sensor_level(double light)
{
    double grey = sensor_tone(m_max(light, 0)) * 255;
    return (int)m_min(grey * LEVEL_STEP + 0.5, LEVEL_MAX);
}

/* ---- the table ---- */

/* Working memory of one table. Value k begins at edge[k] electrons; a Gaussian reaches `reach` electrons
   to each side. */
typedef struct draft {
    double full, sigma;
    double edge[VALUES];
    int64_t reach, room;        /* electrons; entries in mass and below */
    double *normal;             /* (VALUES, 2*reach + 1): Phi((edge[k] - n)/sigma) for n = floor(edge[k]) - reach + i */
    double *mass;               /* (room): P(K = first + i) */
    double *below;              /* (room + 1): P(K < first + i) */
    int64_t first, count;
} draft;

enum { SIGMAS = 7 };                         /* beyond: 1e-12, a two-hundredth of the table's unit */
static const double NEGLIGIBLE = 1e-15;      /* beside the largest probability */

/* P(K = n) around the mode by the ratio of neighbours, then scaled to sum 1: no factorials, relative error 1e-13. */
static void poisson(draft *d, double mean)
{
    int64_t mode = (int64_t)mean, low = mode, high = mode;
    double p = 1;
    while (low > 0 && (p *= (double)low / mean) > NEGLIGIBLE)
        low--;
    p = 1;
    while ((p *= mean / (double)(high + 1)) > NEGLIGIBLE)
        high++;
    d->first = low;
    d->count = high - low + 1;
    assert(d->count <= d->room);
    d->mass[mode - low] = 1;
    for (int64_t n = mode; n > low; n--)
        d->mass[n - 1 - low] = d->mass[n - low] * ((double)n / mean);
    for (int64_t n = mode; n < high; n++)
        d->mass[n + 1 - low] = d->mass[n - low] * (mean / (double)(n + 1));
    double sum = 0;
    for (int64_t i = 0; i < d->count; i++) {
        d->below[i] = sum;
        sum += d->mass[i];
    }
    d->below[d->count] = sum;
    for (int64_t i = 0; i < d->count; i++)
        d->mass[i] /= sum;
    for (int64_t i = 0; i <= d->count; i++)
        d->below[i] /= sum;
}

/* P(K + G < edge[k]) */
static double below_edge(const draft *d, int k)
{
    /* Phi is 1 before, 0 after */
    int64_t from = (int64_t)m_floor(d->edge[k]) - d->reach, to = from + 2 * d->reach + 1;
    const double *normal = d->normal + k * (2 * d->reach + 1);
    int64_t a = from - d->first, b = to - d->first;
    if (a >= d->count)
        return 1;
    double sum = a > 0 ? d->below[a] : 0;
    for (int64_t i = a > 0 ? a : 0; i < b && i < d->count; i++)
        sum += d->mass[i] * normal[i - a];
    return sum;
}

/* Probabilities in units of 2^-32, and the entropy of exactly these. */
static void tabulate(sensor *s, const draft *d, int level)
{
    const double unit = 4294967296.0;
    uint64_t last = 0;
    double sum = 0;
    int lo = -1, k = 0;
    for (; k < VALUES; k++) {
        double p = k == VALUES - 1 ? 1 : below_edge(d, k + 1);
        uint64_t upto = (uint64_t)(m_min(p, 1) * unit + 0.5);
        upto = upto < last ? last : upto;
        if (upto == 0)
            continue;
        if (lo < 0)
            lo = k;
        if (upto > last) {
            double share = (double)(upto - last);
            sum += share * m_log2(share);
        }
        last = upto;
        if (upto == (uint64_t)1 << 32)
            break;
        s->upto[level][k] = (uint32_t)upto;
    }
    s->lo[level] = (uint8_t)lo;
    s->hi[level] = (uint8_t)k;
    s->entropy[level] = 32 - sum / unit;
}

static void edges(draft *d)
{
    for (int k = 1; k < VALUES; k++) {
        d->edge[k] = d->full * sensor_light((k - 0.5) / 255);
        double n = m_floor(d->edge[k]) - (double)d->reach;
        double *row = d->normal + k * (2 * d->reach + 1);
        for (int64_t i = 0; i <= 2 * d->reach; i++)
            row[i] = m_normal((d->edge[k] - (n + (double)i)) / d->sigma);
    }
}

hz_status sensor_make(sensor *s, double full, double sigma)
{
    double brightest = full * sensor_light((double)LEVEL_MAX / LEVEL_STEP / 255);
    draft d = { .full = full, .sigma = sigma, .reach = (int64_t)(SIGMAS * sigma) + 2 };
    /* NEGLIGIBLE is reached within 8.4 deviations and 30 electrons to each side */
    d.room = (int64_t)(20 * sqrt(brightest)) + 200;
    size_t bytes = sizeof(double) * (size_t)(VALUES * (2 * d.reach + 1) + 2 * d.room + 1);
    d.normal = hz_alloc(bytes);
    if (!d.normal)
        return HZ_EMEM;
    d.mass = d.normal + VALUES * (2 * d.reach + 1);
    d.below = d.mass + d.room;
    edges(&d);
    for (int level = 0; level < LEVELS; level++) {
        double mean = full * sensor_light((double)level / LEVEL_STEP / 255);
        poisson(&d, m_max(mean, 1e-12));       /* level 0 is darkness; the ratio of neighbours needs a mean above 0 */
        tabulate(s, &d, level);
    }
    hz_free(d.normal, bytes);
    return HZ_OK;
}

int sensor_draw(const sensor *s, int level, uint32_t word)
{
    const uint32_t *upto = s->upto[level];
    int k = s->lo[level];
    for (int n = s->hi[level] - k; n > 0;) {        /* the first k with word < upto[k] lies in k .. k+n */
        int half = (n + 1) / 2;
        k += upto[k + half - 1] <= word ? half : 0;
        n -= half;
    }
    return k;
}

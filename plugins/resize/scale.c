/* scale.c: lines of pixels become longer or shorter, in the arithmetic of Pillow's Image.resize, to the same values: a
   filter as wide as what becomes one pixel, weights of 22 binary places, rounded to 8 bits after rows and again after
   columns. */
#include "scale.h"
#include <math.h>
#include <string.h>

enum { PLACES = 22 };

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

static double sinc(double x) { return x == 0 ? 1 : sin(x * 3.14159265358979323846) / (x * 3.14159265358979323846); }
static double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

static const struct { double (*at)(double x); double reach; } filters[] = {
    [SCALE_BOX] = { box, 0.5 },
    [SCALE_LANCZOS] = { lanczos, 3 },
};

/* One place of the longer or shorter line: its first pixel and weights of pixels from there on. */
typedef struct place {
    int64_t first, count;
    int32_t *weight;
} place;

static int64_t taps(int filter, int64_t from, int64_t to)
{
    double wide = from > to ? (double)from / (double)to : 1;
    return 2 * (int64_t)ceil(filters[filter].reach * wide) + 1;
}

/* exact: room for the weights before they are rounded */
static place place_of(int filter, int64_t from, int64_t to, int64_t i, double *exact, int32_t *weight)
{
    double scale = (double)from / (double)to, wide = scale > 1 ? scale : 1, reach = filters[filter].reach * wide;
    double centre = ((double)i + 0.5) * scale, sum = 0;
    int64_t first = (int64_t)(centre - reach + 0.5), last = (int64_t)(centre + reach + 0.5);
    place p = { .first = first < 0 || centre - reach + 0.5 < 0 ? 0 : first, .weight = weight };
    p.count = (last > from ? from : last) - p.first;
    for (int64_t k = 0; k < p.count; k++)
        sum += exact[k] = filters[filter].at(((double)(k + p.first) - centre + 0.5) * (1 / wide));
    for (int64_t k = 0; k < p.count; k++) {
        double w = (sum != 0 ? exact[k] / sum : exact[k]) * (1 << PLACES);
        weight[k] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    return p;
}

static uint8_t level(int64_t v)
{
    v >>= PLACES;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One pixel of a line; in: the line, out: its pixel. */
static void put(const place *p, const uint8_t *in, int64_t step, uint8_t *out)
{
    in += p->first * step;
    for (int64_t c = 0; c < step; c++) {
        int64_t sum = (int64_t)1 << (PLACES - 1);
        for (int64_t k = 0; k < p->count; k++)
            sum += (int64_t)in[k * step + c] * p->weight[k];
        out[c] = level(sum);
    }
}

/* Places are taken in blocks, whose weights serve all lines while these are read in the order in which they lie. */
enum { BLOCK = 64 };

size_t scale_room(int filter, int64_t from, int64_t to)
{
    size_t places = (size_t)(to < BLOCK ? to : BLOCK);
    return (size_t)taps(filter, from, to) * (sizeof(double) + places * sizeof(int32_t));
}

void scale_lines(int filter, const uint8_t *in, int64_t from, int64_t to, int64_t step, int64_t lines, uint8_t *out,
                 void *room)
{
    int64_t most = taps(filter, from, to);
    double *exact = room;
    int32_t *weight = (int32_t *)(void *)(exact + most);
    place block[BLOCK];
    for (int64_t at = 0; at < to; at += BLOCK) {
        int64_t n = to - at < BLOCK ? to - at : BLOCK;
        for (int64_t i = 0; i < n; i++)
            block[i] = place_of(filter, from, to, at + i, exact, weight + i * most);
        for (int64_t l = 0; l < lines; l++)
            for (int64_t i = 0; i < n; i++)
                put(&block[i], in + l * from * step, step, out + (l * to + at + i) * step);
    }
}

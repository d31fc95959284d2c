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

size_t scale_room(int filter, int64_t from, int64_t to)
{
    return (size_t)taps(filter, from, to) * (sizeof(double) + sizeof(int32_t));
}

void scale_lines(int filter, const uint8_t *in, int64_t from, int64_t to, int64_t step, int64_t lines, int64_t next,
                 int64_t next_out, uint8_t *out, void *room)
{
    double *exact = room;
    int32_t *weight = (int32_t *)(void *)(exact + taps(filter, from, to));
    for (int64_t i = 0; i < to; i++) {
        place p = place_of(filter, from, to, i, exact, weight);
        for (int64_t l = 0; l < lines; l++)
            for (int64_t c = 0; c < step; c++) {
                const uint8_t *x = in + l * next + p.first * step + c;
                int64_t sum = (int64_t)1 << (PLACES - 1);
                for (int64_t k = 0; k < p.count; k++)
                    sum += (int64_t)x[k * step] * p.weight[k];
                out[l * next_out + i * step + c] = level(sum);
            }
    }
}

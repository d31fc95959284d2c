/* mic.c: what a sample may read, given the sound. The step of 16 bits in which the sound lies is cut into sixteenths;
   for each the exact distribution of round(s + Normal(0, sigma)) is tabulated in units of 2^-32. Samples are drawn from
   this table by inversion, and the entropy is that of the very integers in it: the recorded entropy is the true one of
   the data to double precision. */
#include "strings/parts.h"
#include "exact.h"

static void tabulate(mic *m, int phase, double sigma)
{
    const double unit = 4294967296.0;
    uint64_t last = 0;
    double sum = 0;
    for (int k = -m->reach; k <= m->reach + 1; k++) {
        double p = k > m->reach ? 1 : m_normal((k + 0.5 - (double)phase / PHASES) / sigma);
        uint64_t upto = (uint64_t)(p * unit + 0.5);
        if (upto > last) {
            double share = (double)(upto - last);
            sum += share * m_log2(share);
            last = upto;
        }
        m->upto[phase][k + m->reach] = last > UINT32_MAX ? UINT32_MAX : (uint32_t)last;
    }
    m->entropy[phase] = 32 - sum / unit;
}

void mic_make(mic *m, double sigma)
{
    m->reach = (int)(DEVIATIONS * sigma) + 2;
    for (int phase = 0; phase < PHASES; phase++)
        tabulate(m, phase, sigma);
}

int mic_draw(const mic *m, int level, uint32_t word)
{
    int whole = level >= 0 ? level / PHASES : -((PHASES - 1 - level) / PHASES);
    const uint32_t *upto = m->upto[level - whole * PHASES];
    int k = 0;
    for (int n = 2 * m->reach + 1; n > 0;) {        /* the first k with word < upto[k] lies in k .. k+n */
        int half = (n + 1) / 2;
        k += upto[k + half - 1] <= word ? half : 0;
        n -= half;
    }
    return whole + k - m->reach;
}

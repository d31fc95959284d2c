/* elements.inc.h: dropout and parameter updates over V. Simple loops are left to the compiler to vectorise. */
#include "hz/philox.h"

static void widen(float *to, const uint16_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        int have = n - i < LANES ? (int)(n - i) : LANES;
        v_store_part(to + i, v_part_bf16(from + i, have), have);
    }
}

static void narrow(uint16_t *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        int have = n - i < LANES ? (int)(n - i) : LANES;
        v_store_part_bf16(to + i, v_part(from + i, have), have);
    }
}

/* Random words of LANES/2 consecutive blocks from `block` on, in element order: 2*LANES of them. The rounds are hz_philox4's; each
   64-bit lane holds one block's word in its low half, of which alone a widening multiplication knows. */
INLINE void philox_lanes(uint32_t block, const cpu_dropout *r, VI words[2])
{
    VL a, b = (VL){ 0 } + r->item, c = (VL){ 0 } + r->epoch, d = (VL){ 0 } + (r->layer << 8 | HZ_FOR_DROPOUT), even, odd;
    uint32_t k = (uint32_t)r->seed, l = (uint32_t)(r->seed >> 32);
    for (int i = 0; i < LANES / 2; i++) {
        a[i] = block + (uint32_t)i;
        even[i] = (uint64_t)i / 2 + i % 2 * (LANES / 2);
        odd[i] = even[i] + LANES / 4;
    }
    UNROLL for (int round = 0; round < 10; round++, k += 0x9E3779B9u, l += 0xBB67AE85u) {
        VL p = v_mul_wide(a, (VL){ 0 } + 0xD2511F53u), q = v_mul_wide(c, (VL){ 0 } + 0xCD9E8D57u);
        a = (q >> 32) ^ b ^ k;
        c = (p >> 32) ^ d ^ l;
        b = q;
        d = p;
    }
    VL ab = (a & 0xffffffff) | b << 32, cd = (c & 0xffffffff) | d << 32;
    words[0] = (VI)__builtin_shuffle(ab, cd, even);
    words[1] = (VI)__builtin_shuffle(ab, cd, odd);
}

/* y = x/(1-rate) where the element's uniform number is at least rate, else 0. x is element `first` of its item on, a multiple of 4. */
static void dropout(float *y, const float *x, int64_t n, int64_t first, const cpu_dropout *d)
{
    int32_t least = (int32_t)ceilf(d->rate * 16777216.0f);        /* hz_unit(word) >= rate, as integers of 24 bits */
    float scale = 1 / (1 - d->rate);
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        VI words[2];
        philox_lanes((uint32_t)((first + i) / 4), d, words);
        for (int j = 0; j < 2 && i + j * LANES < n; j++) {
            const float *from = x + i + j * LANES;
            int have = n - i - j * LANES < LANES ? (int)(n - i - j * LANES) : LANES;
            VI keep = (words[j] >> 8 & 0xffffff) >= least;
            v_store_part(y + i + j * LANES, (V)(keep & (VI)(v_part(from, have) * scale)), have);
        }
    }
}

/* The updates of ref_optim.inc.h. */
static void sgd(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict v = u->m;
    const float *restrict dp = u->dp;
    float rate = u->rate, momentum = u->momentum, decay = u->decay;
    if (!v)
        for (int64_t i = from; i < to; i++)
            p[i] -= rate * (dp[i] + decay * p[i]);
    else if (u->nesterov)
        for (int64_t i = from; i < to; i++) {
            float g = dp[i] + decay * p[i];
            v[i] = momentum * v[i] + g;
            p[i] -= rate * (g + momentum * v[i]);
        }
    else
        for (int64_t i = from; i < to; i++) {
            v[i] = momentum * v[i] + (dp[i] + decay * p[i]);
            p[i] -= rate * v[i];
        }
}

/* decay: added to the gradient; shrink: of the parameter, 1 - rate*decay where decoupled. rate and root hold the bias correction. */
static void adam(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict m = u->m, *restrict v = u->v;
    const float *restrict dp = u->dp;
    float rate = u->rate, b1 = u->beta1, b2 = u->beta2, epsilon = u->epsilon, decay = u->decay, shrink = u->shrink, root = 1 / u->root;
    for (int64_t i = from; i < to; i++) {
        float g = dp[i] + decay * p[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        p[i] = shrink * p[i] - rate * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

static void adadelta(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict g2 = u->m, *restrict x2 = u->v;
    const float *restrict dp = u->dp;
    float rate = u->rate, rho = u->beta1, epsilon = u->epsilon, decay = u->decay;
    for (int64_t i = from; i < to; i++) {
        float g = dp[i] + decay * p[i];
        g2[i] = rho * g2[i] + (1 - rho) * g * g;
        float d = sqrtf(x2[i] + epsilon) / sqrtf(g2[i] + epsilon) * g;
        x2[i] = rho * x2[i] + (1 - rho) * d * d;
        p[i] -= rate * d;
    }
}

/* y = (x*scale - mean)/deviation as x*a + b, a and b given for each position of the row. */
static void scale_bytes(float *restrict y, const uint8_t *restrict x, const float *restrict a, const float *restrict b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i] * a[i] + b[i];
}

static void scale_floats(float *restrict y, const float *restrict x, const float *restrict a, const float *restrict b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * a[i] + b[i];
}

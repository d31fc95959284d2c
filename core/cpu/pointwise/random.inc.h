/* random.inc.h: random words of Philox over V, and bits of a mask. */
#include "hz/philox.h"

/* What the rounds of Philox need, made once per call. The four 32-bit words of a block are the low halves
   of 64-bit lanes. */
typedef struct philox_round { VL key[2][10], b, c, d, even, odd, number; } philox_round;

static void philox_start(philox_round *p, const cpu_dropout *r)
{
    uint32_t k = (uint32_t)r->seed, l = (uint32_t)(r->seed >> 32);
    for (int round = 0; round < 10; round++, k += 0x9E3779B9u, l += 0xBB67AE85u) {
        p->key[0][round] = (VL){ 0 } + k;
        p->key[1][round] = (VL){ 0 } + l;
    }
    p->b = (VL){ 0 } + r->item;
    p->c = (VL){ 0 } + r->epoch;
    p->d = (VL){ 0 } + (r->layer << 8 | HZ_FOR_DROPOUT);
    for (int i = 0; i < LANES / 2; i++) {
        p->number[i] = (uint64_t)i;
        p->even[i] = (uint64_t)i / 2 + i % 2 * (LANES / 2);
        p->odd[i] = p->even[i] + LANES / 4;
    }
}

/* Random words of PHILOX * LANES/2 consecutive blocks from `block` on, in order: 2*LANES for each. The rounds
   are hz_philox4's; several vectors of blocks at a time, because a round waits for two multiplications
   of the one before. */
enum { PHILOX = 4 };
INLINE void philox_lanes(uint32_t block, const philox_round *p, VI words[2 * PHILOX])
{
    VL a[PHILOX], b[PHILOX], c[PHILOX], d[PHILOX];
    UNROLL for (int i = 0; i < PHILOX; i++) {
        a[i] = p->number + (block + (uint32_t)i * (LANES / 2));
        b[i] = p->b;
        c[i] = p->c;
        d[i] = p->d;
    }
    UNROLL for (int round = 0; round < 10; round++)
        UNROLL for (int i = 0; i < PHILOX; i++) {
            VL m = v_mul_wide(a[i], (VL){ 0 } + 0xD2511F53u), n = v_mul_wide(c[i], (VL){ 0 } + 0xCD9E8D57u);
            a[i] = (n >> 32) ^ b[i] ^ p->key[0][round];
            c[i] = (m >> 32) ^ d[i] ^ p->key[1][round];
            b[i] = n;
            d[i] = m;
        }
    UNROLL for (int i = 0; i < PHILOX; i++) {
        VL ab = (a[i] & 0xffffffff) | b[i] << 32, cd = (c[i] & 0xffffffff) | d[i] << 32;
        words[2 * i] = (VI)__builtin_shuffle(ab, cd, p->even);
        words[2 * i + 1] = (VI)__builtin_shuffle(ab, cd, p->odd);
    }
}

/* Where a vector's numbers are at least `least`, as bits of a mask, `number` vectors from its begin on; they
   are written in order. */
INLINE void keep_bits(uint8_t *mask, int number, VI v, VI least)
{
    uint32_t bits = (uint32_t)AT_LEAST(v, least);
    uint8_t *to = mask + number * LANES / 8;
    if (LANES >= 8)
        memcpy(to, &bits, LANES / 8);
    else
        *to = (uint8_t)(number * LANES % 8 ? *to | bits << number * LANES % 8 : bits);
}

/* And back: `have` elements from number i on, a multiple of LANES. */
INLINE VI kept_lanes(const uint8_t *mask, int64_t i, int have)
{
    uint32_t bits = 0;
    VI one;
    for (int l = 0; l < LANES; l++)
        one[l] = 1 << l;
    memcpy(&bits, mask + i / 8, have == LANES && LANES >= 8 ? LANES / 8 : (size_t)(have + 7) / 8);
    return (((VI){ 0 } + (int32_t)(bits >> i % 8)) & one) != 0;
}

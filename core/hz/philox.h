/* philox.h: counter-based random bits, shared as source by the core, the CPU backend and CUDA: equal bits everywhere.
   Philox4x32-10 is a keyed bijection of 128-bit counters (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
   as 1, 2, 3", SC 2011), bit for bit as in Random123. There is no state: who needs a number names it.
   The project's convention:
       key     = the 64-bit seed, low word first
       counter = { element/4, item, epoch, layer<<8 | purpose },  word = element mod 4
   so any element of any item can be drawn by any thread in any order.
   Not part of the FFI text: static bodies, plain C11 and C++17. */
#ifndef HZ_PHILOX_H
#define HZ_PHILOX_H
#include <stdint.h>

#ifndef HZ_BODY
/* A CUDA file defines it as `static inline __host__ __device__` before it includes this. */
#define HZ_BODY static inline
#endif

/* What a number is for: the low byte of the last counter word. Values are part of every recorded result:
   never renumber. */
enum hz_purpose {
    HZ_FOR_INIT = 1,       /* initial weights; item = 0, layer = parameter number */
    HZ_FOR_SHUFFLE = 2,    /* order of items: hz_feistel */
    HZ_FOR_AUGMENT = 3,    /* shift and flip; elements: see the input node */
    HZ_FOR_DROPOUT = 4,    /* masks, by halves of words: hz_random16; element = position in the tensor's item */
    HZ_FOR_SCENE = 5,      /* embedded camera set: what is in the picture */
    HZ_FOR_SENSOR = 6,     /* embedded camera set: the noise of each sample */
    HZ_FOR_NOTE = 7,       /* embedded strings set: what is played, and through which effect */
    HZ_FOR_MICROPHONE = 8  /* embedded strings set: the noise of each sample */
};

/* One block: four uniform 32-bit words from a counter and a key. */
HZ_BODY void hz_philox4(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k = key[0], l = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53u * a, q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ k;
        c = (uint32_t)(p >> 32) ^ d ^ l;
        b = (uint32_t)q;
        d = (uint32_t)p;
        k += 0x9E3779B9u;          /* Weyl sequences: golden ratio, sqrt(3) - 1 */
        l += 0xBB67AE85u;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* The four words of elements 4*block .. 4*block+3. layer < 2^24. */
HZ_BODY void hz_random4(uint64_t seed, uint32_t block, uint32_t item, uint32_t epoch, uint32_t layer,
                        enum hz_purpose purpose, uint32_t out[4])
{
    const uint32_t counter[4] = { block, item, epoch, layer << 8 | (uint32_t)purpose };
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    hz_philox4(counter, key, out);
}

/* The word of one element; element < 2^34. */
HZ_BODY uint32_t hz_random(uint64_t seed, uint64_t element, uint32_t item, uint32_t epoch, uint32_t layer,
                           enum hz_purpose purpose)
{
    uint32_t out[4];
    hz_random4(seed, (uint32_t)(element >> 2), item, epoch, layer, purpose, out);
    return out[element & 3];
}

/* Half a word for an element, of 8 to a block: 0 .. 65535. Element < 2^35. Half the price where many draws
   need few bits. */
HZ_BODY uint32_t hz_random16(uint64_t seed, uint64_t element, uint32_t item, uint32_t epoch, uint32_t layer,
                             enum hz_purpose purpose)
{
    return hz_random(seed, element / 2, item, epoch, layer, purpose) >> 16 * (element & 1) & 0xffff;
}

/* A float in [0,1) from the upper 24 bits: every value is exact, 1 is never reached. */
HZ_BODY float hz_unit(uint32_t word) { return (float)(word >> 8) * (1.0f / 16777216.0f); }

/* ---- a shuffled order without a sort ---- */

/* One pass of the network over `bits`-bit numbers: halves of bits/2 and bits - bits/2 swap places each round, so an odd
   width needs no padding. Few bits need more rounds: with twelve, orders of 5 items are visibly uneven
   (test/c/philox_test.c counts them). */
HZ_BODY uint32_t hz_feistel_pass(uint32_t x, int bits, uint64_t seed, uint32_t epoch)
{
    int left_bits = bits / 2, right_bits = bits - left_bits;
    uint32_t left = x >> right_bits, right = x & (((uint32_t)1 << right_bits) - 1);
    const uint32_t rounds = 8 + 64 / (uint32_t)bits;
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t word[4];
        hz_random4(seed, right, round, epoch, 0, HZ_FOR_SHUFFLE, word);
        uint32_t mixed = left ^ (word[0] & (((uint32_t)1 << left_bits) - 1));
        left = right;
        right = mixed;
        int swap = left_bits;
        left_bits = right_bits;
        right_bits = swap;
    }
    return left << right_bits | right;
}

/* Where `position` of an epoch's order points: a bijection of 0..n-1 for every n in 1..2^31, chosen by seed
   and epoch. position must be < n. Numbers that fall outside are sent through again (cycle walking): below
   two passes on average. */
HZ_BODY uint32_t hz_feistel(uint32_t position, uint32_t n, uint64_t seed, uint32_t epoch)
{
    int bits = 0;
    while (bits < 31 && ((uint32_t)1 << bits) < n)
        bits++;
    if (bits == 0)
        return 0;
    do
        position = hz_feistel_pass(position, bits, seed, epoch);
    while (position >= n);
    return position;
}

#endif

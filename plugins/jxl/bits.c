/* bits.c: the numbers of JPEG XL's headers (ISO/IEC 18181-1, 9.2). */
#include "jxl.h"

uint64_t take(bits *b, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++, b->at++)
        v |= (uint64_t)(b->at < b->count ? b->p[b->at / 8] >> b->at % 8 & 1 : 0) << i;
    return v;
}

uint64_t take_choice(bits *b, const uint32_t offset[4], const int more[4])
{
    int i = (int)take(b, 2);
    return offset[i] + take(b, more[i]);
}

uint64_t take_long(bits *b)
{
    int choice = (int)take(b, 2);
    if (choice < 3)
        return choice == 0 ? 0 : choice == 1 ? 1 + take(b, 4) : 17 + take(b, 8);
    uint64_t v = take(b, 12);
    for (int shift = 12; shift < 64 && take(b, 1); shift += 8)
        v |= take(b, shift == 60 ? 4 : 8) << shift;
    return v;
}

void align(bits *b) { b->at = (b->at + 7) / 8 * 8; }

/* finite.c: where samples stop being finite: blocks without a branch, so that the compiler makes vectors of them. */
#include "finite.h"
#include "bounds.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

static int has_odd(const float *x, int n)
{
    uint32_t odd = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        odd |= (bits & 0x7f800000) == 0x7f800000;
    }
    return odd != 0;
}

int64_t finite_count(const float *x, int64_t n)
{
    int64_t i = 0;
    while (i < n && !has_odd(x + i, (int)min(BLOCK, n - i)))
        i += BLOCK;
    while (i < n && isfinite(x[i]))
        i++;
    return min(i, n);
}

/* finite.h: where samples stop being finite; core only. */
#ifndef HZ_CORE_FINITE_H
#define HZ_CORE_FINITE_H
#include <stdint.h>

/* How many numbers stand before the first that is infinite or none; n: all are finite. [any] */
int64_t finite_count(const float *x, int64_t n);
#endif

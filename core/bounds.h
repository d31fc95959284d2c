/* bounds.h: the smaller and the larger of two numbers, and rounding up; core only. Counts and sizes stay far below the
   ends of their types. */
#ifndef BOUNDS_H
#define BOUNDS_H
#include <stddef.h>
#include <stdint.h>

static inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
/* n >= 0, unit > 0: how many units hold n, and what those hold. */
static inline int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
static inline int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }
/* Bytes of whole cache lines. */
static inline size_t line_bytes(size_t bytes) { return (bytes + 63) / 64 * 64; }
#endif

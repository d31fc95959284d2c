/* number.h: one element of any dtype as a double, and back; core only. */
#ifndef NUMBER_H
#define NUMBER_H
#include "hz/tensor.h"
#include <math.h>
#include <string.h>

static inline float bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline double number_get(const void *p, int dtype)
{
    switch (dtype) {
    case HZ_F32: return *(const float *)p;
    case HZ_BF16: return bf16_to_f32(*(const uint16_t *)p);
    case HZ_U8: return *(const uint8_t *)p;
    case HZ_I32: return *(const int32_t *)p;
    default: return *(const double *)p;
    }
}

/* Integers round to nearest even and saturate; NaN becomes 0. */
static inline double number_clamp(double v, double low, double high)
{
    v = nearbyint(v);
    return v != v ? 0 : v < low ? low : v > high ? high : v;
}

static inline void number_put(void *p, int dtype, double v)
{
    switch (dtype) {
    case HZ_F32: *(float *)p = (float)v; break;
    case HZ_BF16: *(uint16_t *)p = f32_to_bf16((float)v); break;
    case HZ_U8: *(uint8_t *)p = (uint8_t)number_clamp(v, 0, 255); break;
    case HZ_I32: *(int32_t *)p = (int32_t)number_clamp(v, INT32_MIN, INT32_MAX); break;
    default: *(double *)p = v;
    }
}
#endif

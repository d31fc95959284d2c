/* random.c: random contents. Element e of a tensor is drawn from the Philox counter {e/4, 0, 0, stream<<8|init}:
   the same numbers on every machine for the uniform law; the normal law passes through libm and may differ
   in the last bit. */
#include "number.h"
#include "hz/philox.h"

/* Also makes it ready to be written. */
static hz_status check(const hz_tensor *t, const char *who)
{
    if (t->dtype != HZ_F32 && t->dtype != HZ_F64)
        return hz_fail(HZ_EDTYPE, "%s: the tensor is %s; needs f32 or f64", who, hz_dtype_name(t->dtype));
    if (!hz_tensor_contiguous(t))
        return hz_fail(HZ_ESHAPE, "%s: the tensor is a view with gaps; needs a contiguous one", who);
    return hz_tensor_host(t, HZ_OVERWRITE);
}

static void draw(uint64_t seed, uint32_t stream, int64_t block, double u[4])
{
    uint32_t word[4];
    hz_random4(seed, (uint32_t)block, 0, 0, stream, HZ_FOR_INIT, word);
    for (int i = 0; i < 4; i++)
        u[i] = hz_unit(word[i]);
}

static void store(hz_tensor *t, int64_t e, double v)
{
    number_put((char *)t->data + e * (int64_t)hz_dtype_bytes(t->dtype), t->dtype, v);
}

hz_status hz_tensor_uniform(hz_tensor *t, double a, double b, uint64_t seed, uint32_t stream)
{
    hz_status status = check(t, "uniform");
    int64_t count = status ? 0 : hz_tensor_count(t);
    double u[4];
    for (int64_t e = 0; e < count; e++) {
        if (e % 4 == 0)
            draw(seed, stream, e / 4, u);
        store(t, e, a + (b - a) * u[e % 4]);
    }
    return status;
}

/* Box and Muller (1958): two uniforms make two normals. */
hz_status hz_tensor_normal(hz_tensor *t, double mean, double deviation, uint64_t seed, uint32_t stream)
{
    hz_status status = check(t, "normal");
    int64_t count = status ? 0 : hz_tensor_count(t);
    double u[4], z[4];
    for (int64_t e = 0; e < count; e++) {
        if (e % 4 == 0) {
            draw(seed, stream, e / 4, u);
            for (int i = 0; i < 4; i += 2) {
                double r = sqrt(-2 * log(1 - u[i])), angle = 6.283185307179586 * u[i + 1];
                z[i] = r * cos(angle);
                z[i + 1] = r * sin(angle);
            }
        }
        store(t, e, mean + deviation * z[e % 4]);
    }
    return status;
}

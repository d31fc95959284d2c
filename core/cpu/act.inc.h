/* act.inc.h: activations and their derivatives over V; the formulas are those of ref_act.inc.h. */
#include "cpu/math.inc.h"

INLINE V act_one(V x, const int act, V alpha)
{
    switch (act) {
    case HZ_RELU:    return v_select(x < 0.0f, v_set(0), x);
    case HZ_ELU:     return v_select(x < 0.0f, alpha * v_expm1(x), x);
    case HZ_GELU:    return x * 0.5f * (1.0f + v_erf(x * 0.70710678118654752f));
    case HZ_LEAKY:   return v_select(x < 0.0f, alpha * x, x);
    case HZ_TANH:    return v_tanh(x);
    case HZ_SIGMOID: return v_sigmoid(x);
    default:         return x;
    }
}

INLINE V act_slope(V dy, V y, const int act, V alpha)
{
    switch (act) {
    case HZ_RELU:    return v_select(y > 0.0f, dy, v_set(0));
    case HZ_ELU:     return v_select(y > 0.0f, dy, dy * (y + alpha));
    case HZ_GELU:    return dy * (0.5f * (1.0f + v_erf(y * 0.70710678118654752f)) + y * 0.39894228040143268f * v_exp(y * y * -0.5f));
    case HZ_LEAKY:   return v_select(y > 0.0f, dy, dy * alpha);
    case HZ_TANH:    return dy * (1.0f - y * y);
    case HZ_SIGMOID: return dy * (y * (1.0f - y));
    default:         return dy;
    }
}

/* Which of the loops below: constants after inlining, so that each activation is a loop of its own. */
enum { ACT_ONE, ACT_GRAD, ACT_ADD };

INLINE void act_loop(float *to, const float *a, const float *b, int64_t n, const int act, const int kind, V alpha)
{
    for (int64_t i = 0; i < n; i += LANES) {
        int have = n - i < LANES ? (int)(n - i) : LANES;
        V x = v_part(a + i, have), y = kind == ACT_ONE ? x : v_part(b + i, have);
        v_store_part(to + i, kind == ACT_ONE ? act_one(x, act, alpha) : kind == ACT_GRAD ? act_slope(x, y, act, alpha)
                                                                                         : act_one(x + y, act, alpha), have);
    }
}

INLINE void act_switch(float *to, const float *a, const float *b, int64_t n, int act, const int kind, float attr_alpha)
{
    V alpha = v_set(attr_alpha != 0 ? attr_alpha : act == HZ_ELU ? 1.0f : 0.01f);
    switch (act) {
    case HZ_RELU:    act_loop(to, a, b, n, HZ_RELU, kind, alpha); break;
    case HZ_ELU:     act_loop(to, a, b, n, HZ_ELU, kind, alpha); break;
    case HZ_GELU:    act_loop(to, a, b, n, HZ_GELU, kind, alpha); break;
    case HZ_LEAKY:   act_loop(to, a, b, n, HZ_LEAKY, kind, alpha); break;
    case HZ_TANH:    act_loop(to, a, b, n, HZ_TANH, kind, alpha); break;
    case HZ_SIGMOID: act_loop(to, a, b, n, HZ_SIGMOID, kind, alpha); break;
    default:         act_loop(to, a, b, n, HZ_LINEAR, kind, alpha); break;
    }
}

/* y = act(x) */
static void act(float *y, const float *x, int64_t n, int which, float alpha) { act_switch(y, x, NULL, n, which, ACT_ONE, alpha); }
/* dx = dy * act'(y) */
static void act_grad(float *dx, const float *dy, const float *y, int64_t n, int which, float alpha)
{
    act_switch(dx, dy, y, n, which, ACT_GRAD, alpha);
}
/* y = act(a + b) */
static void act_add(float *y, const float *a, const float *b, int64_t n, int which, float alpha)
{
    act_switch(y, a, b, n, which, ACT_ADD, alpha);
}

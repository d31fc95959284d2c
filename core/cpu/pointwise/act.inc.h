/* act.inc.h: activations and their derivatives over V; the formulas are those of ref/act.inc.h. */
#include "cpu/isa/math.inc.h"

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
    case HZ_GELU:    return dy * (0.5f * (1.0f + v_erf(y * 0.70710678118654752f))
                                  + y * 0.39894228040143268f * v_exp(y * y * -0.5f));
    case HZ_LEAKY:   return v_select(y > 0.0f, dy, dy * alpha);
    case HZ_TANH:    return dy * (1.0f - y * y);
    case HZ_SIGMOID: return dy * (y * (1.0f - y));
    default:         return dy;
    }
}

/* Which of the loops of stored.inc.h: constants after inlining, so that each activation is a loop of its own. */
enum { ACT_ONE, ACT_GRAD, ACT_ADD };

/* act.inc.h: activations and their derivatives over V; the formulas are those of ref/act.inc.h. */
#include "cpu/isa/math.inc.h"

INLINE V act_one(V x, const int act, V alpha)
{
    switch (act) {
    case HZ_RELU:    return v_below(x, 0, v_set(0), x);
    case HZ_ELU:     return v_below(x, 0, alpha * v_expm1_low(x), x);
    case HZ_GELU:    return v_gelu(x);
    case HZ_LEAKY:   return v_below(x, 0, alpha * x, x);
    case HZ_TANH:    return v_tanh(x);
    case HZ_SIGMOID: return v_sigmoid(x);
    case HZ_SCALE:   return alpha * x;
    default:         return x;
    }
}

INLINE V act_slope(V dy, V y, const int act, V alpha)
{
    switch (act) {
    case HZ_RELU:    return v_select(y > 0.0f, dy, v_set(0));
    case HZ_ELU:     return v_select(y > 0.0f, dy, dy * (y + alpha));
    case HZ_GELU:    return dy * v_gelu_slope(y);
    case HZ_LEAKY:   return v_select(y > 0.0f, dy, dy * alpha);
    case HZ_TANH:    return dy * (1.0f - y * y);
    case HZ_SIGMOID: return dy * (y * (1.0f - y));
    case HZ_SCALE:   return dy * alpha;
    default:         return dy;
    }
}

/* BODY(HZ_...) for the activation `which`: a constant in each, so that each is a loop of its own. */
#define EACH_ACT(which, BODY) \
    switch (which) { \
    case HZ_RELU:    BODY(HZ_RELU); break; \
    case HZ_ELU:     BODY(HZ_ELU); break; \
    case HZ_GELU:    BODY(HZ_GELU); break; \
    case HZ_LEAKY:   BODY(HZ_LEAKY); break; \
    case HZ_TANH:    BODY(HZ_TANH); break; \
    case HZ_SIGMOID: BODY(HZ_SIGMOID); break; \
    case HZ_SCALE:   BODY(HZ_SCALE); break; \
    default:         BODY(HZ_LINEAR); break; \
    }

INLINE void act_vectors_loop(V *v, const V *gate, const int n, const int act, V alpha)
{
    UNROLL for (int i = 0; i < n; i++)
        v[i] = gate ? act_slope(v[i], gate[i], act, alpha) : act_one(v[i], act, alpha);
}

/* 4 sums that have not been stored, through an activation, or its gradient where gate, (4), is what it looks at. */
__attribute__((noinline, unused)) static void act_vectors(V *v, const V *gate, int which, float given)
{
    V alpha = v_set(given);
#define VECTORS(act) act_vectors_loop(v, gate, 4, act, alpha)
    EACH_ACT(which, VECTORS)
#undef VECTORS
}

/* Which of the loops of stored.inc.h: constants after inlining, so that each activation is a loop of its own. */
enum { ACT_ONE, ACT_GRAD, ACT_ADD };

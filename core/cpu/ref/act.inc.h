/* act.inc.h: activations over T. NaN goes in and comes out.
   relu max(x,0); elu x or alpha*(e^x - 1); leaky x or alpha*x; gelu x*Phi(x), exact by erf; sigmoid 1/(1+e^-x);
   scale alpha*x */

static inline T F(activate)(T x, int act, float given)
{
    T alpha = (T)given;
    switch (act) {
    case HZ_RELU:    return x < 0 ? 0 : x;
    case HZ_ELU:     return x < 0 ? alpha * (T)expm1(x) : x;
    case HZ_GELU:    return x * (T)0.5 * (1 + (T)erf(x * (T)0.70710678118654752));
    case HZ_LEAKY:   return x < 0 ? alpha * x : x;
    case HZ_TANH:    return (T)tanh(x);
    case HZ_SIGMOID: return 1 / (1 + (T)exp(-x));
    case HZ_SCALE:   return alpha * x;
    default:         return x;
    }
}

/* Derivative from the output y, except for gelu, where y is the input x. At 0 relu, elu and leaky take
   the left branch. */
static inline T F(slope)(T y, int act, float given)
{
    T alpha = (T)given;
    switch (act) {
    case HZ_RELU:    return y > 0;
    case HZ_ELU:     return y > 0 ? 1 : y + alpha;
    case HZ_GELU:    return (T)0.5 * (1 + (T)erf(y * (T)0.70710678118654752)) +
                            y * (T)0.39894228040143268 * (T)exp(-y * y / 2);
    case HZ_LEAKY:   return y > 0 ? 1 : alpha;
    case HZ_TANH:    return 1 - y * y;
    case HZ_SIGMOID: return y * (1 - y);
    case HZ_SCALE:   return alpha;
    default:         return 1;
    }
}

/* The epilogue of an element-wise node, of normalisation, or of their gradients, over all of output 0. */
static inline void F(epilogue)(const hz_work *w, const cpu_call *c)
{
    const hz_act_attr *a = hz_epilogue(w->op, &w->attr);
    int64_t n = cpu_count(&w->out[0], c);
    const T *gate = w->in[w->nin - 1].data;
    T *y = w->out[0].data;
    for (int64_t i = 0; i < n && a->act != HZ_LINEAR; i++)
        y[i] = w->op == OP_norm ? F(activate)(y[i], a->act, a->alpha) : y[i] * F(slope)(gate[i], a->act, a->alpha);
}

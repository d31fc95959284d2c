/* elements.inc.h: conversions and parameter updates over V. Simple loops are left to the
   compiler to vectorise. */

INLINE void widen_part(int64_t i, int have, float *to, const uint16_t *from)
{
    v_store_part(to + i, v_part_bf16(from + i, have), have);
}
INLINE void narrow_part(int64_t i, int have, uint16_t *to, const float *from)
{
    v_store_part_bf16(to + i, v_part(from + i, have), have);
}
static void widen(float *to, const uint16_t *from, int64_t n) { EACH_VECTOR(n, widen_part, to, from); }
static void narrow(uint16_t *to, const float *from, int64_t n) { EACH_VECTOR(n, narrow_part, to, from); }

/* The updates of ref/optim.inc.h. */
static void sgd(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict v = u->m;
    const float *restrict dp = u->dp;
    float rate = u->rate, momentum = u->momentum, decay = u->decay, shrink = u->shrink;
    if (shrink != 1)
        for (int64_t i = from; i < to; i++)
            p[i] *= shrink;
    if (!v)
        for (int64_t i = from; i < to; i++)
            p[i] -= rate * (dp[i] + decay * p[i]);
    else if (u->nesterov)
        for (int64_t i = from; i < to; i++) {
            float g = dp[i] + decay * p[i];
            v[i] = momentum * v[i] + g;
            p[i] -= rate * (g + momentum * v[i]);
        }
    else
        for (int64_t i = from; i < to; i++) {
            v[i] = momentum * v[i] + (dp[i] + decay * p[i]);
            p[i] -= rate * v[i];
        }
}

/* decay: added to the gradient; shrink: of the parameter, 1 - rate*decay where decoupled. rate and root hold
   the bias correction. */
static void adam(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict m = u->m, *restrict v = u->v;
    const float *restrict dp = u->dp;
    float rate = u->rate, b1 = u->beta1, b2 = u->beta2, epsilon = u->epsilon;
    float decay = u->decay, shrink = u->shrink, root = 1 / u->root;
    for (int64_t i = from; i < to; i++) {
        float g = dp[i] + decay * p[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        p[i] = shrink * p[i] - rate * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

static void adadelta(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict g2 = u->m, *restrict x2 = u->v;
    const float *restrict dp = u->dp;
    float rate = u->rate, rho = u->beta1, epsilon = u->epsilon, decay = u->decay;
    for (int64_t i = from; i < to; i++) {
        float g = dp[i] + decay * p[i];
        g2[i] = rho * g2[i] + (1 - rho) * g * g;
        float d = sqrtf(x2[i] + epsilon) / sqrtf(g2[i] + epsilon) * g;
        x2[i] = rho * x2[i] + (1 - rho) * d * d;
        p[i] -= rate * d;
    }
}

static void average(const cpu_update *u, int64_t from, int64_t to)
{
    float *restrict p = u->p, *restrict mean = u->m;
    float keep = u->keep, take = 1 - keep;
    if (keep < 0.5f)
        for (int64_t i = from; i < to; i++)
            mean[i] = p[i] - keep * (p[i] - mean[i]);
    else
        for (int64_t i = from; i < to; i++)
            mean[i] += take * (p[i] - mean[i]);
    if (u->back)
        memcpy(p + from, mean + from, (size_t)(to - from) * sizeof *p);
}

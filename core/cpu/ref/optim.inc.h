/* optim.inc.h: one batch out of a resident set, and parameter updates. The rate is that of the step and the node's
   group; schedules are the caller's. */

/* data (N,H,W,C) or (N,...) u8 or f32, labels (N) i32 -> x (B,...), y (B) i32, item (B) i32. */
static hz_status F(input)(const hz_work *w, const cpu_call *c)
{
    batch b;
    if (cpu_batch_of(w, c, &b))
        return HZ_EARG;
    const uint8_t *bytes = w->in[0].data;
    const float *floats = w->in[0].data;
    T *x = OUT(0);
    for (int64_t r = 0; r < b.rows; r++) {
        batch_item it = batch_item_of(&b, r);
        for (int64_t oy = 0; oy < b.h; oy++)
        for (int64_t ox = 0; ox < b.w; ox++)
        for (int64_t ch = 0; ch < b.c; ch++) {
            int64_t iy = oy + it.dy, ix = (it.flip ? b.w - 1 - ox : ox) + it.dx;
            iy = batch_inside(iy, b.h, b.fill);
            ix = batch_inside(ix, b.w, b.fill);
            int64_t at = ((it.item * b.h + iy) * b.w + ix) * b.c + ch;
            T value = b.u8 ? (T)bytes[at] : (T)floats[at];
            x[((r * b.h + oy) * b.w + ox) * b.c + ch] = (value * (T)b.scale - (T)b.mean[ch % 4])
                                                        / (T)b.deviation[ch % 4];
        }
        if (w->out[1].data)
            ((int32_t *)w->out[1].data)[r] = ((const int32_t *)w->in[1].data)[it.item];
        if (w->out[2].data)
            ((int32_t *)w->out[2].data)[r] = (int32_t)it.item;
    }
    return HZ_OK;
}

/* v = momentum*v + g; p -= rate*(nesterov ? g + momentum*v : v). PyTorch's form, in which the velocity does not hold
   the rate; Keras' (v = momentum*v - rate*g; p += momentum*v - rate*g) is equal at a constant rate. Decoupled:
   Loshchilov & Hutter 2019, as AdamW's. */
static hz_status F(sgd)(const hz_work *w, const cpu_call *c)
{
    const hz_optim *a = &w->attr.optim;
    T *p = w->in[0].data, *velocity = w->nin > 2 ? w->in[2].data : NULL;
    const T *dp = IN(1);
    T rate = (T)cpu_rate(w, c), momentum = (T)a->momentum, decay = (T)a->decay;
    int64_t n = cpu_size(&w->in[0], 0, w->in[0].ndim);
    for (int64_t i = 0; i < n; i++) {
        T g = dp[i] + (a->decoupled ? 0 : decay * p[i]);
        if (a->decoupled)
            p[i] -= rate * decay * p[i];
        if (velocity) {
            velocity[i] = momentum * velocity[i] + g;
            g = a->nesterov ? g + momentum * velocity[i] : velocity[i];
        }
        p[i] -= rate * g;
    }
    return HZ_OK;
}

/* Kingma & Ba 2015 with bias correction, epsilon outside the root; decoupled: Loshchilov & Hutter 2019. As PyTorch. */
static hz_status F(adam_update)(const hz_work *w, const cpu_call *c, int decoupled)
{
    const hz_optim *a = &w->attr.optim;
    T *p = w->in[0].data, *m = w->in[2].data, *v = w->in[3].data;
    const T *dp = IN(1);
    double steps = (double)c->step->step + 1;
    T b1 = (T)a->beta1, b2 = (T)a->beta2, epsilon = (T)a->epsilon, decay = (T)a->decay;
    T rate = (T)(cpu_rate(w, c) / (1 - pow(b1, steps))), root = (T)sqrt(1 - pow(b2, steps));
    int64_t n = cpu_size(&w->in[0], 0, w->in[0].ndim);
    for (int64_t i = 0; i < n; i++) {
        T g = dp[i] + (decoupled ? 0 : decay * p[i]);
        if (decoupled)
            p[i] -= (T)cpu_rate(w, c) * decay * p[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        p[i] -= rate * m[i] / ((T)sqrt(v[i]) / root + epsilon);
    }
    return HZ_OK;
}

static hz_status F(adam)(const hz_work *w, const cpu_call *c) { return F(adam_update)(w, c, 0); }
static hz_status F(adamw)(const hz_work *w, const cpu_call *c) { return F(adam_update)(w, c, 1); }

/* Zeiler 2012; beta1 is rho. */
static hz_status F(adadelta)(const hz_work *w, const cpu_call *c)
{
    const hz_optim *a = &w->attr.optim;
    T *p = w->in[0].data, *g2 = w->in[2].data, *x2 = w->in[3].data;
    const T *dp = IN(1);
    T rho = (T)a->beta1, epsilon = (T)a->epsilon;
    T rate = (T)cpu_rate(w, c), decay = (T)a->decay;
    int64_t n = cpu_size(&w->in[0], 0, w->in[0].ndim);
    for (int64_t i = 0; i < n; i++) {
        T g = dp[i] + decay * p[i];
        g2[i] = rho * g2[i] + (1 - rho) * g * g;
        T d = (T)sqrt(x2[i] + epsilon) / (T)sqrt(g2[i] + epsilon) * g;
        x2[i] = rho * x2[i] + (1 - rho) * d * d;
        p[i] -= rate * d;
    }
    return HZ_OK;
}

/* The polynomial of Muon (Jordan et al. 2024): its iterates bring all singular values near 1, not to 1, soon. */
static void F(muon_iterate)(T *x, T *a, T *b, T *next, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < m; j++) {
        T sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += x[i * n + k] * x[j * n + k];
        a[i * m + j] = sum;
    }
    for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < m; j++) {
        T sum = 0;
        for (int64_t k = 0; k < m; k++)
            sum += a[i * m + k] * a[k * m + j];
        b[i * m + j] = (T)MUON_B * a[i * m + j] + (T)MUON_C * sum;
    }
    for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
        T sum = 0;
        for (int64_t k = 0; k < m; k++)
            sum += b[i * m + k] * x[k * n + j];
        next[i * n + j] = (T)MUON_A * x[i * n + j] + sum;
    }
    memcpy(x, next, (size_t)(m * n) * sizeof *x);
}

/* g as in sgd without decay, a matrix of one row per filter; p *= sqrt(filters)/|p| where that is wanted;
   p -= rate*(decay*p + iterates of g/(|g| + epsilon)). At rate 0 only the velocity moves. */
static hz_status F(muon)(const hz_work *w, const cpu_call *c)
{
    const hz_optim *a = &w->attr.optim;
    T *p = w->in[0].data, *velocity = w->nin > 2 ? w->in[2].data : NULL;
    const T *dp = IN(1);
    T rate = (T)cpu_rate(w, c), momentum = (T)a->momentum, of_g = 0, of_p = 0;
    int64_t rows = w->in[0].shape[0], all = cpu_size(&w->in[0], 0, w->in[0].ndim), columns = all / rows;
    int tall = rows > columns;                   /* then the transposed matrix: the smaller products */
    int64_t m = tall ? columns : rows, n = tall ? rows : columns;
    T *x = c->memory, *next = x + all, *square = next + all;
    for (int64_t i = 0; i < all; i++) {
        T g = dp[i];
        if (velocity) {
            velocity[i] = momentum * velocity[i] + g;
            g = a->nesterov ? g + momentum * velocity[i] : velocity[i];
        }
        x[tall ? i % columns * rows + i / columns : i] = g;
        of_g += g * g;
        of_p += p[i] * p[i];
    }
    if (rate == 0)
        return HZ_OK;
    for (int64_t i = 0; i < all; i++)
        x[i] /= (T)sqrt(of_g) + (T)a->epsilon;
    for (int i = 0; i < a->iterations; i++)
        F(muon_iterate)(x, square, square + m * m, next, m, n);
    T scale = a->renormalise && of_p > 0 ? (T)sqrt((T)rows / of_p) : 1;
    for (int64_t i = 0; i < all; i++)
        p[i] = p[i] * scale * (1 - rate * (T)a->decay) - rate * x[tall ? i % columns * rows + i / columns : i];
    return HZ_OK;
}

/* From the nearer of the two, so that equal numbers stay as they are and keep 0 yields p. */
static hz_status F(average)(const hz_work *w, const cpu_call *c)
{
    T *p = w->in[0].data, *mean = w->in[1].data, keep = (T)c->step->keep;
    int64_t n = cpu_size(&w->in[0], 0, w->in[0].ndim);
    for (int64_t i = 0; i < n && keep >= 0; i++) {
        mean[i] = keep < (T)0.5 ? p[i] - keep * (p[i] - mean[i]) : mean[i] + (1 - keep) * (p[i] - mean[i]);
        if (w->attr.average.back)
            p[i] = mean[i];
    }
    return HZ_OK;
}

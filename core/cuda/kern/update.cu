/* update.cu: updates, element by element: sgd, adam, adamw, adadelta, the average behind them, and the running
   statistics of norms. Nothing is written once the gate is shut. */
#include "cuda/update.h"
#include "cuda/lang.h"

/* What is equal for all elements of an item. */
template <class T> struct rates {
    T rate, corrected, root;  /* of adam: rate/(1 - beta1^t), the root of 1 - beta2^t */
    T keep;
};

template <class T> static __device__ __forceinline__ rates<T> rates_of(const update &u, const hz_step *s)
{
    rates<T> r = { (T)s->rates[u.optim.group], 0, 1, (T)s->keep };
    if (u.op == OP_adam || u.op == OP_adamw) {
        double steps = (double)s->step + 1;
        r.corrected = (T)(s->rates[u.optim.group] / (1 - pow((double)u.optim.beta1, steps)));
        r.root = (T)sqrt(1 - pow((double)u.optim.beta2, steps));
    }
    return r;
}

/* v = momentum*v + g; p -= rate*(nesterov ? g + momentum*v : v) */
template <class T> static __device__ __forceinline__ T sgd(const update &u, const rates<T> &r, int64_t i, T p, T g)
{
    T *velocity = (T *)u.s, momentum = (T)u.optim.momentum, decay = (T)u.optim.decay;
    g += u.optim.decoupled ? 0 : decay * p;
    if (u.optim.decoupled)
        p -= r.rate * decay * p;
    if (velocity) {
        T v = momentum * velocity[i] + g;
        velocity[i] = v;
        g = u.optim.nesterov ? g + momentum * v : v;
    }
    return p - r.rate * g;
}

/* Kingma & Ba 2015; decoupled: Loshchilov & Hutter 2019. */
template <class T> static __device__ __forceinline__ T adam(const update &u, const rates<T> &r, int64_t i, T p, T g)
{
    T *m = (T *)u.s, *v = (T *)u.t, b1 = (T)u.optim.beta1, b2 = (T)u.optim.beta2, decay = (T)u.optim.decay;
    g += u.op == OP_adamw ? 0 : decay * p;
    if (u.op == OP_adamw)
        p -= r.rate * decay * p;
    T first = b1 * m[i] + (1 - b1) * g, second = b2 * v[i] + (1 - b2) * g * g;
    m[i] = first;
    v[i] = second;
    return p - r.corrected * first / (sqrt(second) / r.root + (T)u.optim.epsilon);
}

/* Zeiler 2012; beta1 is rho. */
template <class T> static __device__ __forceinline__ T adadelta(const update &u, const rates<T> &r, int64_t i, T p, T g)
{
    T *g2 = (T *)u.s, *x2 = (T *)u.t, rho = (T)u.optim.beta1, epsilon = (T)u.optim.epsilon;
    g += (T)u.optim.decay * p;
    T of_g = rho * g2[i] + (1 - rho) * g * g, was = x2[i];
    T d = sqrt(was + epsilon) / sqrt(of_g + epsilon) * g;
    g2[i] = of_g;
    x2[i] = rho * was + (1 - rho) * d * d;
    return p - r.rate * d;
}

/* running = momentum*running + (1-momentum)*batch */
template <class T> static __device__ __forceinline__ T statistic(const update &u, T p, T g)
{
    T momentum = (T)u.optim.momentum;
    return momentum * p + (1 - momentum) * g;
}

/* From the nearer of the two, so that equal numbers stay as they are and keep 0 yields p. Returns what p becomes. */
template <class T> static __device__ __forceinline__ T average(const update &u, T keep, int64_t i, T p)
{
    T *mean = (T *)u.mean, was = mean[i];
    T now = keep < (T)0.5 ? p - keep * (p - was) : was + (1 - keep) * (p - was);
    mean[i] = now;
    return u.back ? now : p;
}

template <class T> static __device__ __forceinline__ T updated(const update &u, const rates<T> &r, int64_t i, T p)
{
    switch (u.op) {
    case OP_sgd:         return sgd(u, r, i, p, ((const T *)u.dp)[i]);
    case OP_adam:
    case OP_adamw:       return adam(u, r, i, p, ((const T *)u.dp)[i]);
    case OP_adadelta:    return adadelta(u, r, i, p, ((const T *)u.dp)[i]);
    case OP_norm_update: return statistic(u, p, ((const T *)u.dp)[i]);
    default:             return p;
    }
}

/* A block updates a part of an item. All its threads must come. */
template <class T> static __device__ __forceinline__ void update_part_of(const update &u, int64_t part,
                                                                          const hz_step *step)
{
    __shared__ rates<T> r;
    if (threadIdx.x == 0)
        r = rates_of<T>(u, step);
    __syncthreads();
    int64_t from = part * UPDATE_PART, end = min(from + UPDATE_PART, u.n);
    T *p = (T *)u.p;
    for (int64_t i = from + threadIdx.x; i < end; i += BLOCK) {
        T now = updated(u, r, i, p[i]);
        p[i] = u.mean && r.keep >= 0 ? average(u, r.keep, i, now) : now;
    }
}

template <class T> static __global__ void update_kernel(update u, const hz_step *step, const int32_t *shut)
{
    if (!*shut)
        update_part_of<T>(u, blockIdx.x, step);
}

template <class T>
static __global__ void updates_kernel(const update *items, const part *of, const hz_step *step,
                                      const int32_t *shut)
{
    __shared__ update u;
    part mine = of[blockIdx.x];
    if (*shut)
        return;
    if (threadIdx.x == 0)
        u = items[mine.item];
    __syncthreads();
    update_part_of<T>(u, mine.part, step);
}

/* ---- launches ---- */

static hz_status run(const hz_work *w, const cuda_call *c)
{
    update items[UPDATE_ITEMS];
    int n = updates_of(w, items);
    for (int i = 0; i < n; i++) {
        unsigned blocks = (unsigned)((items[i].n + UPDATE_PART - 1) / UPDATE_PART);
        check_update(&items[i]);
        if (items[i].f64)
            HZ_LAUNCH(update_kernel<double>, blocks, BLOCK, 0, c->stream, items[i], c->step, c->shut);
        else
            HZ_LAUNCH(update_kernel<float>, blocks, BLOCK, 0, c->stream, items[i], c->step, c->shut);
    }
    return HZ_OK;
}

void launch_updates(const parts *list, int f64, const cuda_call *c)
{
    const update *items = (const update *)list->items;
    if (f64)
        HZ_LAUNCH(updates_kernel<double>, (unsigned)list->count, BLOCK, 0, c->stream, items, (const part *)list->of,
                  c->step, c->shut);
    else
        HZ_LAUNCH(updates_kernel<float>, (unsigned)list->count, BLOCK, 0, c->stream, items, (const part *)list->of,
                  c->step, c->shut);
}

void check_update(const update *u)
{
    const void *lead[] = { u->p, u->s, u->t, u->dp, u->mean };
    for (int i = 0; i < 5; i++)
        HZ_CHECK_POINTER("update_kernel", i, lead[i]);
}

#define UPDATE_KERNEL(op) const cuda_kernel plain_##op = { "plain", cuda_plain_accepts, 0, 0, 0, 0, 0, run };
UPDATE_KERNEL(sgd)
UPDATE_KERNEL(adam)
UPDATE_KERNEL(adamw)
UPDATE_KERNEL(adadelta)
UPDATE_KERNEL(average)
UPDATE_KERNEL(norm_update)

/* muon.c: kernel "products", the update op muon (ref/optim.inc.h is its formula) by the micro-kernels of convolutions.
   The matrix G of filters x inputs, or its transpose, whichever has fewer rows, is X (s,l); it is kept as its
   transpose T (l,pitch), rows of s numbers padded with zeros to whole vectors, so that both products of a step of
   Newton-Schulz read it as it lies:
     A = X X^T               a sum of outer products of T's rows (`outer`); the half above the diagonal, then mirrored
     B = a + b A + c A A     the same over A, packed into panels as it is made
     next T = T B            rows of T against panels of B (`tile`)
   A row of T is an odd number of cache lines longer than a power of two, so that rows spread over the sets.
   Work is cut by shape alone; norms are added in order of their chunks. Of 256 x 2304 a step is 0.53 GFLOP with half
   of A left out. */
#include "cpu/panel.h"
#include <math.h>
#include <string.h>

enum {
    CHUNK = 16384,        /* elements of a task over the parameter */
    BLOCK = 32,           /* rows of T that are turned at a time */
    PIXELS = 96,          /* rows of T of an outer product: a panel of them stays in the first-level cache */
    TILES = 4,            /* tiles of rows of a task, at least */
    BAND = 48             /* rows of T of a task of the last product: whole tiles of 4, 6, 8 or 12 rows */
};

typedef struct muon {
    const cpu_micro *m;
    const hz_optim *a;
    float rate, *p, *velocity;        /* (rows,columns); velocity: NULL for none */
    const float *dp;
    int64_t rows, columns, all, s, l, pitch;
    int tall;                         /* more rows than columns: T is G itself */
    panels panels;                    /* of s */
    float *x, *next;                  /* T (l,pitch) */
    float *square, *fourth;           /* A, A A (s,pitch) */
    float *packed;                    /* B: [panel](s,width) */
    float *sums;                      /* (chunks,2): of g*g and of p*p */
    float of_x, of_p;                 /* factors of g and of p */
    const float *product;             /* what outer_task multiplies with its transpose, `deep` rows */
    float *to;
    int64_t deep;
    int half;
} muon;

static int64_t chunks(const muon *u) { return ceil_div(u->all, CHUNK); }

/* ---- momentum and norms ---- */

/* g, as it follows from the velocity, into `next`. */
static void momentum_task(void *arg, int task, int worker)
{
    const muon *u = arg;
    int64_t from = (int64_t)task * CHUNK, n = min(u->all - from, CHUNK);
    const float *restrict dp = u->dp + from;
    float *restrict g = u->next + from, *v = u->velocity ? u->velocity + from : NULL, *p = u->p + from, unused[2];
    float momentum = u->a->momentum;
    for (int64_t i = 0; i < n && v; i++)
        v[i] = momentum * v[i] + dp[i];
    for (int64_t i = 0; i < n; i++)
        g[i] = !v ? dp[i] : u->a->nesterov ? dp[i] + momentum * v[i] : v[i];
    u->m->f32.run_dots(g, g, 0, n, unused);
    u->sums[2 * task] = unused[0];
    u->m->f32.run_dots(p, p, 0, n, unused);
    u->sums[2 * task + 1] = unused[0];
}

static void find_factors(muon *u)
{
    double of_g = 0, of_p = 0;
    for (int64_t i = 0; i < chunks(u); i++) {
        of_g += u->sums[2 * i];
        of_p += u->sums[2 * i + 1];
    }
    u->of_x = (float)(1 / (sqrt(of_g) + u->a->epsilon));
    u->of_p = u->a->renormalise && of_p > 0 ? (float)sqrt((double)u->rows / of_p) : 1;
    u->of_p *= 1 - u->rate * u->a->decay;
}

/* ---- from the parameter's shape to T and back ---- */

/* Element (row of X, row of T) of what has the parameter's shape: columns of it lie `along` apart. */
static int64_t step_of_row(const muon *u) { return u->tall ? 1 : u->columns; }
static int64_t step_of_line(const muon *u) { return u->tall ? u->columns : 1; }

static void turn_task(void *arg, int task, int worker)
{
    const muon *u = arg;
    int64_t from = (int64_t)task * BLOCK, n = min(u->l - from, BLOCK), row = step_of_row(u), line = step_of_line(u);
    const float *g = u->next + from * line;
    float *x = u->x + from * u->pitch;
    for (int64_t r = 0; r < u->s; r++)
        for (int64_t i = 0; i < n; i++)
            x[i * u->pitch + r] = g[r * row + i * line] * u->of_x;
    for (int64_t i = 0; i < n; i++)
        memset(x + i * u->pitch + u->s, 0, (size_t)(u->pitch - u->s) * sizeof *x);
}

static void update_task(void *arg, int task, int worker)
{
    const muon *u = arg;
    int64_t from = (int64_t)task * BLOCK, n = min(u->l - from, BLOCK), row = step_of_row(u), line = step_of_line(u);
    const float *x = u->x + from * u->pitch;
    float *p = u->p + from * line;
    for (int64_t r = 0; r < u->s; r++)
        for (int64_t i = 0; i < n; i++)
            p[r * row + i * line] = p[r * row + i * line] * u->of_p - u->rate * x[i * u->pitch + r];
}

/* ---- products ---- */

static int64_t first_of(const muon *u, int panel) { return (int64_t)panel_first(&u->panels, panel) * u->m->lanes; }
static int64_t width_of(const muon *u, int panel) { return (int64_t)panel_nv(&u->panels, panel) * u->m->lanes; }
static int64_t rows_of_task(const muon *u, int panel)
{
    return (int64_t)TILES * u->m->outer_rows[panel_nv(&u->panels, panel)];
}
/* Rows that are computed of a panel: to its diagonal, or all. */
static int64_t rows_of(const muon *u, int panel)
{
    return u->half ? min(u->s, first_of(u, panel) + width_of(u, panel)) : u->s;
}
static int tasks_of(const muon *u, int panel) { return (int)ceil_div(rows_of(u, panel), rows_of_task(u, panel)); }

/* Rows from..to-1 of a panel of the product, over rows k..k+n-1 of what is multiplied. */
static void outer_rows(const muon *u, int panel, int64_t from, int64_t to, int64_t k, int64_t n)
{
    int nv = panel_nv(&u->panels, panel), most = u->m->outer_rows[nv];
    const float *at = u->product + k * u->pitch;
    cpu_outer t = { .b = at + first_of(u, panel), .c_step = u->pitch, .planes = 1, .rows = 1, .columns = n,
                    .a_column = u->pitch, .b_column = u->pitch, .ahead = at, .accumulate = k > 0 };
    for (int64_t r = from; r < to;) {
        int64_t left = to - r;
        int rows = left >= most ? most : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        t.a = at + r;
        t.c = u->to + r * u->pitch + first_of(u, panel);
        u->m->outer[nv](&t, rows);
        r += rows;
    }
}

static void outer_task(void *arg, int task, int worker)
{
    const muon *u = arg;
    int panel = 0;
    for (; task >= tasks_of(u, panel); panel++)
        task -= tasks_of(u, panel);
    int64_t from = task * rows_of_task(u, panel), to = min(from + rows_of_task(u, panel), rows_of(u, panel));
    for (int64_t k = 0; k < u->deep; k += PIXELS)
        outer_rows(u, panel, from, to, k, min(u->deep - k, PIXELS));
}

static void multiply(muon *u, const float *product, int64_t deep, float *to, int half)
{
    int tasks = 0;
    u->product = product;
    u->deep = deep;
    u->to = to;
    u->half = half;
    for (int i = 0; i < u->panels.count; i++)
        tasks += tasks_of(u, i);
    team_run(tasks, outer_task, u);
}

/* What lies before the panel of the diagonal in a row of A. */
static void mirror_task(void *arg, int row, int worker)
{
    const muon *u = arg;
    int panel = 0;
    while (first_of(u, panel) + width_of(u, panel) <= row)
        panel++;
    for (int64_t j = 0; j < first_of(u, panel); j++)
        u->square[row * u->pitch + j] = u->square[j * u->pitch + row];
}

static void pack_task(void *arg, int row, int worker)
{
    const muon *u = arg;
    const float *a = u->square + row * u->pitch, *aa = u->fourth + row * u->pitch;
    for (int i = 0; i < u->panels.count; i++) {
        int64_t first = first_of(u, i), width = width_of(u, i);
        float *b = u->packed + first * u->s + row * width;
        for (int64_t j = 0; j < width; j++)
            b[j] = (float)MUON_B * a[first + j] + (float)MUON_C * aa[first + j];
        if (row >= first && row < first + width)
            b[row - first] += (float)MUON_A;
    }
}

static void tile_rows(const muon *u, int panel, int64_t from, int64_t to)
{
    const float *a[MICRO_ROWS];
    float *y[MICRO_ROWS];
    int nv = panel_nv(&u->panels, panel), most = u->m->tile_rows[nv];
    cpu_tile t = { .a = a, .y = y, .b = u->packed + first_of(u, panel) * u->s, .segments = 1, .k = u->s,
                   .low = -INFINITY, .last = u->m->lanes };
    for (int64_t r = from; r < to; r += most) {
        for (int i = 0; i < most; i++) {         /* the last row fills up */
            int64_t row = min(r + i, to - 1);
            a[i] = u->x + row * u->pitch;
            y[i] = u->next + row * u->pitch + first_of(u, panel);
        }
        u->m->tile[nv](&t);
    }
}

static void tile_task(void *arg, int task, int worker)
{
    const muon *u = arg;
    int64_t from = (int64_t)task * BAND, to = min(from + BAND, u->l);
    for (int i = 0; i < u->panels.count; i++)
        tile_rows(u, i, from, to);
}

static void iterate(muon *u)
{
    multiply(u, u->x, u->l, u->square, 1);
    team_run((int)u->s, mirror_task, u);
    multiply(u, u->square, u->s, u->fourth, 0);
    team_run((int)u->s, pack_task, u);
    team_run((int)ceil_div(u->l, BAND), tile_task, u);
    float *x = u->x;
    u->x = u->next;
    u->next = x;
}

/* ---- the row of the kernel list ---- */

static double cost(const hz_work *w, const cpu_micro *m) { return cpu_all(w, HZ_F32) ? 1e-6 : -1; }

/* Everything but pointers. */
static muon shape_of(const hz_work *w, const cpu_micro *m)
{
    muon u = { .m = m, .a = &w->attr.optim, .rows = w->in[0].shape[0], .all = cpu_size(&w->in[0], 0, w->in[0].ndim) };
    u.columns = u.all / u.rows;
    u.tall = u.rows > u.columns;
    u.s = min(u.rows, u.columns);
    u.l = max(u.rows, u.columns);
    u.panels = panels_of(u.s, m);
    u.pitch = (int64_t)u.panels.vectors * m->lanes + 16;
    return u;
}

static size_t memory(const hz_work *w, const cpu_micro *m)
{
    muon u = shape_of(w, m);
    return line_bytes((size_t)(2 * u.l * u.pitch + 3 * u.s * u.pitch + 2 * chunks(&u)) * sizeof(float));
}

static hz_status run(const hz_work *w, const cpu_call *c)
{
    muon u = shape_of(w, c->micro);
    u.rate = cpu_rate(w, c);
    u.p = w->in[0].data;
    u.dp = w->in[1].data;
    u.velocity = w->nin > 2 ? w->in[2].data : NULL;
    u.x = c->memory;
    u.next = u.x + u.l * u.pitch;
    u.square = u.next + u.l * u.pitch;
    u.fourth = u.square + u.s * u.pitch;
    u.packed = u.fourth + u.s * u.pitch;
    u.sums = u.packed + u.s * u.pitch;
    team_run((int)chunks(&u), momentum_task, &u);
    if (u.rate == 0)
        return HZ_OK;
    find_factors(&u);
    team_run((int)ceil_div(u.l, BLOCK), turn_task, &u);
    for (int i = 0; i < u.a->iterations; i++)
        iterate(&u);
    team_run((int)ceil_div(u.l, BLOCK), update_task, &u);
    return HZ_OK;
}

const cpu_kernel muon_products = { .name = "products", .cost = cost, .memory = memory, .run = run };

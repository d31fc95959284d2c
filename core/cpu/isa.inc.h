/* isa.inc.h: everything an isa_*.c includes after it has set LANES, FILL and TILES: the vector type, the micro-kernels, the filler. */
#include "cpu/micro.h"
#include <math.h>
#include "cpu/vector.h"
#include "cpu/peak.inc.h"
#include "cpu/tile.inc.h"
#include "cpu/few.inc.h"
#include "cpu/act.inc.h"
#include "cpu/rows.inc.h"
#include "cpu/elements.inc.h"
#include "cpu/wino.inc.h"
#include "cpu/poly.inc.h"
#include "cpu/poly_sum.inc.h"
#include "cpu/wino_gemm.inc.h"

void FILL(cpu_micro *m)
{
    m->lanes = LANES;
    m->peak_f32 = peak_f32;
    m->wino = &wino_table;
    tile_fill(m);
    few_fill(m);
    m->widen = widen;
    m->narrow = narrow;
    m->act = act;
    m->act_grad = act_grad;
    m->act_add = act_add;
    m->dropout = dropout;
    m->sgd = sgd;
    m->adam = adam;
    m->adadelta = adadelta;
    m->scale_bytes = scale_bytes;
    m->scale_floats = scale_floats;
    m->sum_rows = sum_rows;
    m->pool_max = pool_max;
    m->pool_max_grad = pool_max_grad;
    m->pool_mean = pool_mean;
    m->pool_mean_grad = pool_mean_grad;
    m->norm_squares = norm_squares;
    m->norm_dots = norm_dots;
    m->norm_apply = norm_apply;
}

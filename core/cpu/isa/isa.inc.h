/* isa.inc.h: everything a file of isa/ includes after it has set LANES, FILL and TILES: the vector type, the
   micro-kernels, the filler. */
#include "cpu/micro.h"
#include "number.h"
#include <math.h>
#include "cpu/vector.h"
#include "cpu/isa/peak.inc.h"
#include "cpu/conv/tile.inc.h"
#include "cpu/conv/few.inc.h"
#include "cpu/pointwise/act.inc.h"
#include "cpu/pointwise/random.inc.h"
#include "cpu/pointwise/elements.inc.h"

#define S float
#define F(name) name##_f32
#define s_part v_part
#define s_store_part v_store_part
#define s_each EACH_F32
#define s_store_product v_store_part
#define S_INT int32_t
#define s_bytes v_bytes
#include "cpu/pointwise/stored.inc.h"

#include "cpu/pointwise/bf16.inc.h"
#include "cpu/wino/weights.inc.h"
#include "cpu/wino/poly_math.inc.h"

#define G(name) name##_f32
#define EACH 1
#define MULTIPLY v_fma
#define PUT(d, v, odd) ((void)(odd), v_store(d, v))
#include "cpu/wino/gemm.inc.h"

#define S float
#define I(name) name##_f32
#define s_load v_load
#define s_store v_store
#include "cpu/wino/table.inc.h"

#define S uint16_t
#define I(name) name##_bf16
#define s_load(p) v_part_bf16(p, LANES)
#define s_store(p, v) v_store_part_bf16(p, v, LANES)
#include "cpu/wino/table.inc.h"

void FILL(cpu_micro *m)
{
    m->lanes = LANES;
    m->peak_f32 = peak_f32;
    m->wino = &wino_table_f32;
    m->wino_bf16 = &wino_table_bf16;
    tile_fill(m);
    few_fill(m);
    m->f32 = stored_f32;
    bf16_fill(m);
    m->widen = widen;
    m->narrow = narrow;
    m->sgd = sgd;
    m->adam = adam;
    m->adadelta = adadelta;
    m->average = average;
}

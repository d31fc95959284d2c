/* table.inc.h: the transforms between images of storage type S and planes, and the table of a fast convolution over
   them; included after gemm.inc.h once per type with
     S, I(name)                    the type, and the functions' name for it
     s_load, s_store               V from and to LANES elements */
#include "cpu/wino/wino.inc.h"
#include "cpu/wino/poly.inc.h"

#define WINO_ROWS(nv, most) .rows[nv] = most, .product[nv] = G(wino_product_##nv), .outer[nv] = G(wino_outer_##nv),
#define WINO_STRIDE_1 \
    { .passes = 1, .planes = { 36 }, .matrix = wino_matrix, .input = I(wino_input), .output = I(wino_output), \
      .taps = wino_taps }
#define WINO_STRIDE_2(way_in, way_out) \
    { .passes = 2, .planes = { POLY_OE, WINO_PLANES - POLY_OE }, .matrix = poly_matrix, .input = way_in, \
      .output = way_out, .taps = poly_taps }
static const cpu_wino I(wino_table) = {
    .each = EACH, .bytes = sizeof(S),
    .forward = { WINO_STRIDE_1, WINO_STRIDE_2(I(poly_input), I(poly_output)) },
    .back = { WINO_STRIDE_1, WINO_STRIDE_2(I(poly_back_input), I(poly_back_output)) },
    .sum = { { .parts = 3, .planes = { 12, 12, 12 }, .matrices = { 12, 12, 12 }, .input = I(wino_sum_input),
               .grad = I(wino_grad), .fold = wino_fold },
             { .parts = 5, .planes = { 15, 10, 20, 20, 16 }, .matrices = { 15, 10, 5, 5, 1 },
               .input = I(poly_sum_input), .grad = I(poly_grad), .fold = poly_fold } },
    .across = G(wino_across), .turned = G(wino_turned), WINO_TILES(WINO_ROWS)
};

#undef EACH_TILE
#undef OUTPUT_ARGS
#undef OUTPUT_OF
#undef OUTPUT
#undef S
#undef I
#undef s_load
#undef s_store
#undef WINO_ROWS
#undef WINO_STRIDE_1
#undef WINO_STRIDE_2

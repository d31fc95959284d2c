/* bf16.inc.h: the loops of stored.inc.h over bf16; for a level that rounds to it by an instruction of its own, anew. */
#define S uint16_t
#define F(name) name##_bf16
#define s_part v_part_bf16
#define s_store_part v_store_part_bf16
#define s_each EACH_BF16
#define s_store_product v_store_product_bf16
#define S_INT int16_t
#define s_bytes v_bytes_half
#include "cpu/pointwise/stored.inc.h"
#ifdef __AVX512BW__
#include "cpu/pointwise/pool_bf16.inc.h"
#endif

static void bf16_fill(cpu_micro *m)
{
    m->bf16 = stored_bf16;
#ifdef __AVX512BW__
    m->bf16.pool_max = pool_max_wide;
    m->bf16.pool_max_back = pool_back_wide;
#endif
}

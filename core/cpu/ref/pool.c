/* pool.c: pooling and batch normalisation as plain loops (ref.h). */
#include "cpu/ref/ref.h"

#define TEMPLATE "cpu/ref/pool.inc.h"
#include "cpu/ref/ref.inc.h"

REF_KERNEL(maxpool)
REF_KERNEL(maxpool_grad)
REF_KERNEL(avgpool)
REF_KERNEL(avgpool_grad)
REF_KERNEL(meanpool)
REF_KERNEL(meanpool_grad)
REF_KERNEL(norm)
REF_KERNEL(norm_grad)
REF_KERNEL(norm_act_grad)
REF_KERNEL(norm_update)

/* act.c: activations, dropout, addition, softmax and its loss as plain loops (ref.h). */
#include "cpu/ref/ref.h"
#include "hz/philox.h"

#define TEMPLATE "cpu/ref/elements.inc.h"
#include "cpu/ref/ref.inc.h"

REF_KERNEL(act)
REF_KERNEL(act_grad)
REF_KERNEL(add)
REF_KERNEL(softmax)
REF_KERNEL(softmax_grad)
REF_KERNEL(xent)
REF_KERNEL(xent_grad)
REF_KERNEL(dropout)
REF_KERNEL(dropout_grad)

/* optim.c: the input node and the optimisers as plain loops (ref.h). */
#include "cpu/ref/ref.h"
#include "hz/philox.h"

#define TEMPLATE "cpu/ref/optim.inc.h"
#include "cpu/ref/ref.inc.h"

REF_KERNEL(input)
REF_KERNEL(sgd)
REF_KERNEL(adam)
REF_KERNEL(adamw)
REF_KERNEL(adadelta)

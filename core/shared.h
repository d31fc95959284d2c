/* shared.h: shared objects opened at run time: codec plugins and devices. */
#ifndef SHARED_H
#define SHARED_H
#include "hz/base.h"

/* dlopen of a file that is a whole ELF object. NULL, message set: why, without the path. */
void *shared_open(const char *path);
#endif

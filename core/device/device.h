/* device.h: the devices that are part of every build, beside the CPU. */
#ifndef DEVICE_H
#define DEVICE_H
#include "hz/backend.h"

const hz_backend *null_backend(void);     /* null.c */
const hz_backend *far_backend(void);      /* far.c */
#endif

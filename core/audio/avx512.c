/* avx512.c: groups of 8 frames. */
#define LANES 8
#define NAME mel_avx512
#define LEVEL "avx512"
#include "audio/group.inc.h"

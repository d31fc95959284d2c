/* avx2.c: groups of 4 frames. */
#define LANES 4
#define NAME mel_avx2
#define LEVEL "avx2"
#include "audio/group.inc.h"

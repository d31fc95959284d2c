/* portable.c: groups of 2 frames. */
#define LANES 2
#define NAME mel_portable
#define LEVEL "portable"
#include "audio/group.inc.h"

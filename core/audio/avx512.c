/* avx512.c: groups of 8 frames. */
#define LANES 8
#define NAME mel_avx512
#define LEVEL "avx512"
#include <immintrin.h>
#define WIDEN(v) (VD)_mm512_cvtps_pd((__m256)(v))
#define NARROW(v) (V)_mm512_cvtpd_ps((__m512d)(v))
#include "audio/group.inc.h"

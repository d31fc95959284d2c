/* pool_bf16.inc.h: max pooling over bf16 as AVX-512 BW does it: 32 channels a vector, none widened. A key is the number
   as an integer that compares like it: both zeros are 0, NaN is more than all else. */
#define WORDS 32

INLINE __mmask32 words_of(int64_t n) { return n >= WORDS ? 0xffffffff : (1u << n) - 1; }

INLINE __m512i pool_key(__m512i v)
{
    enum { INFINITE = 0x7f80, MOST = 0x7fff };
    __m512i size = _mm512_and_si512(v, _mm512_set1_epi16(MOST)), sign = _mm512_srai_epi16(v, 15);
    __m512i key = _mm512_sub_epi16(_mm512_xor_si512(size, sign), sign);
    __mmask32 nan = _mm512_cmpgt_epi16_mask(size, _mm512_set1_epi16(INFINITE));
    return _mm512_mask_mov_epi16(key, nan, _mm512_set1_epi16(MOST));
}

INLINE void pool_max_words(uint16_t *y, uint8_t *argmax, const uint16_t *x, const cpu_taps *t, const int ky1,
                           const int kx1, __mmask32 have)
{
    enum { LEAST = (int16_t)0xff80, LEAST_KEY = -0x7f80, NAN_KEY = 0x7fff, QUIET = 0x40 };
    __m512i most = _mm512_set1_epi16(LEAST), key = _mm512_set1_epi16(LEAST_KEY);
    __m512i at = _mm512_set1_epi16((short)(t->ky0 * t->kw + t->kx0));
    for (int ky = t->ky0; ky < ky1; ky++)
        for (int kx = t->kx0; kx < kx1; kx++) {
            __m512i v = _mm512_maskz_loadu_epi16(have, x + ky * t->row + kx * t->column), other = pool_key(v);
            __mmask32 better = _mm512_cmpgt_epi16_mask(other, key);
            most = _mm512_mask_mov_epi16(most, better, v);
            key = _mm512_mask_mov_epi16(key, better, other);
            at = _mm512_mask_mov_epi16(at, better, _mm512_set1_epi16((short)(ky * t->kw + kx)));
        }
    __mmask32 nan = _mm512_cmpeq_epi16_mask(key, _mm512_set1_epi16(NAN_KEY));
    most = _mm512_mask_mov_epi16(most, nan, _mm512_or_si512(most, _mm512_set1_epi16(QUIET)));
    _mm512_mask_storeu_epi16(y, have, most);
    if (argmax)
        _mm256_mask_storeu_epi8(argmax, have, _mm512_cvtepi16_epi8(at));
}

static void pool_max_wide(void *out, uint8_t *argmax, const void *in, const cpu_taps *t, int64_t n)
{
    uint16_t *y = out;
    const uint16_t *x = in;
    const cpu_taps own = *t, square = cpu_square_of(t);
    for (int64_t c = 0; c < n; c += WORDS)
        if (cpu_is_square(t))
            pool_max_words(y + c, argmax ? argmax + c : NULL, x + c, &square, 2, 2, words_of(n - c));
        else
            pool_max_words(y + c, argmax ? argmax + c : NULL, x + c, &own, own.ky1, own.kx1, words_of(n - c));
}

INLINE void pool_back_words(uint16_t *dx, const uint16_t *dy, const uint8_t *argmax, const cpu_taps *t, const int ky1,
                            const int kx1, __mmask32 have)
{
    v_fetch(argmax);
    v_fetch(dy);
    __m512i at = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(have, argmax)), d = _mm512_maskz_loadu_epi16(have, dy);
    for (int ky = t->ky0; ky < ky1; ky++)
        for (int kx = t->kx0; kx < kx1; kx++) {
            __mmask32 here = _mm512_cmpeq_epi16_mask(at, _mm512_set1_epi16((short)(ky * t->kw + kx)));
            _mm512_mask_storeu_epi16(dx + ky * t->row + kx * t->column, have, _mm512_maskz_mov_epi16(here, d));
        }
}

static void pool_back_wide(void *to, const void *from, const uint8_t *argmax, const cpu_taps *t, int64_t n)
{
    uint16_t *dx = to;
    const uint16_t *dy = from;
    const cpu_taps own = *t, square = cpu_square_of(t);
    for (int64_t c = 0; c < n; c += WORDS)
        if (cpu_is_square(t))
            pool_back_words(dx + c, dy + c, argmax + c, &square, 2, 2, words_of(n - c));
        else
            pool_back_words(dx + c, dy + c, argmax + c, &own, own.ky1, own.kx1, words_of(n - c));
}

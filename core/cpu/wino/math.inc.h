/* math.inc.h: the small matrices of F(4x4,3x3) (wino.h) over V, along one axis: B' for the input, A' for the output,
   G for the weights, and the transposed ones for the gradient to the weights.
   Points a = 2/3, b = 3/2: a*b = 1 makes the constant terms of the polynomials 1. */

static const float WA = 2.0f / 3, WB = 1.5f, WA2 = 4.0f / 9, WB2 = 2.25f;
static const float WA3 = 8.0f / 27, WB3 = 3.375f, WS = 4.0f / 9 + 2.25f;
static const float WG[6] = { 1, -81.0f / 130, -81.0f / 130, 8.0f / 65, 8.0f / 65, 1 };    /* scales of the rows of G */

/* B': 6 -> 6, by pairs of rows: 0 and 5, 1 and 2, 3 and 4. A pair of rows of a tile is 12 vectors: it stays
   in registers. */
INLINE void wino_b_pair(V *d, V *e, V s0, V s1, V s2, V s3, V s4, V s5, const int pair)
{
    if (pair == 0) {
        *d = (s0 + s4) - WS * s2;
        *e = (s1 + s5) - WS * s3;
    } else {
        float outer = pair == 1 ? WA : WB, inner = pair == 1 ? WB2 : WA2;
        V p = s4 - inner * s2, q = s3 - inner * s1;
        *d = p + outer * q;
        *e = p - outer * q;
    }
}

INLINE void wino_b(V d[6], const V s[6])
{
    wino_b_pair(&d[0], &d[5], s[0], s[1], s[2], s[3], s[4], s[5], 0);
    wino_b_pair(&d[1], &d[2], s[0], s[1], s[2], s[3], s[4], s[5], 1);
    wino_b_pair(&d[3], &d[4], s[0], s[1], s[2], s[3], s[4], s[5], 2);
}

/* A': 6 -> 4 */
INLINE void wino_a(V d[4], const V s[6])
{
    V p = s[1] + s[2], q = s[3] + s[4], u = s[1] - s[2], w = s[3] - s[4];
    d[0] = s[0] + (p + q);
    d[1] = v_fused(v_set(WB), w, WA * u);
    d[2] = v_fused(v_set(WB2), q, WA2 * p);
    d[3] = v_fused(v_set(WB3), w, v_fused(v_set(WA3), u, s[5]));
}

/* A: 4 -> 6 */
INLINE void wino_a_back(V d[6], const V s[4])
{
    V p = s[0] + WA2 * s[2], q = s[1] + WA2 * s[3], r = s[0] + WB2 * s[2], t = s[1] + WB2 * s[3];
    d[0] = s[0];
    d[1] = p + WA * q;
    d[2] = p - WA * q;
    d[3] = r + WB * t;
    d[4] = r - WB * t;
    d[5] = s[3];
}

/* G: 3 -> 6 */
INLINE void wino_g(V d[6], const V s[3])
{
    V p = s[0] + WA2 * s[2], q = WA * s[1], r = s[0] + WB2 * s[2], t = WB * s[1];
    d[0] = s[0];
    d[1] = WG[1] * (p + q);
    d[2] = WG[2] * (p - q);
    d[3] = WG[3] * (r + t);
    d[4] = WG[4] * (r - t);
    d[5] = s[2];
}

/* G': 6 -> 3 */
INLINE void wino_g_back(V d[3], const V s[6])
{
    V p = WG[1] * (s[1] + s[2]), q = WG[1] * (s[1] - s[2]), r = WG[3] * (s[3] + s[4]), t = WG[3] * (s[3] - s[4]);
    d[0] = s[0] + (p + r);
    d[1] = WA * q + WB * t;
    d[2] = (WA2 * p + s[5]) + WB2 * r;
}

/* Planes are numbered by pairs of rows: 0, 5, 1, 2, 3, 4. */
static const int wino_line[6] = { 0, 2, 3, 4, 5, 1 };
static const uint8_t wino_matrix[WINO_MATRICES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                                    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                                                    33, 34, 35 };

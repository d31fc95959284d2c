/* poly_math.inc.h: stride 2 (poly.inc.h) in f32: the small matrices of F(4,2) along one axis, and what the weights
   need: 3x3 taps to 25 + 5 + 5 + 1 matrices, and their sums back to taps. */

/* LOW: rows of the first part of EE. */
enum { POLY_EE = 0, POLY_EE2 = 15, POLY_EO = 25, POLY_OE = 45, POLY_OO = 65, POLY_LOW = 3 };
static const uint8_t poly_matrix[WINO_PLANES] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 28, 28, 28, 28, 29, 29, 29, 29,
    30, 30, 30, 30, 31, 31, 31, 31, 32, 32, 32, 32, 33, 33, 33, 33, 34, 34, 34, 34,
    35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35,
};

/* B': 5 -> 5 */
INLINE void poly_b(V d[5], const V s[5])
{
    V a = s[3] - s[1];
    d[0] = 2.0f * (s[0] - s[2]) + a;
    d[1] = (s[3] - s[2]) - 2.0f * s[1];
    d[2] = (s[3] + 2.0f * s[1]) - 3.0f * s[2];
    d[3] = a;
    d[4] = (s[4] - s[2]) - 2.0f * a;
}

/* A': 5 -> 4 */
INLINE void poly_a(V d[4], const V s[5])
{
    V p = s[1] + s[2], u = s[1] - s[2];
    d[0] = s[0] + (p + s[3]);
    d[1] = u + 2.0f * s[3];
    d[2] = p + 4.0f * s[3];
    d[3] = (u + s[4]) + 8.0f * s[3];
}

/* A: 4 -> 5 */
INLINE void poly_a_back(V d[5], const V s[4])
{
    V p = s[0] + s[2], q = s[1] + s[3];
    d[0] = s[0];
    d[1] = p + q;
    d[2] = p - q;
    d[3] = (s[0] + 2.0f * s[1]) + (4.0f * s[2] + 8.0f * s[3]);
    d[4] = s[3];
}

/* G: 2 -> 5 */
INLINE void poly_g(V d[5], V a, V b)
{
    const float sixth = 1.0f / 6;
    d[0] = 0.5f * a;
    d[1] = -0.5f * (a + b);
    d[2] = sixth * (b - a);
    d[3] = sixth * (a + 2.0f * b);
    d[4] = b;
}

/* G': 5 -> 2 */
INLINE void poly_g_back(V d[2], const V s[5])
{
    const float sixth = 1.0f / 6;
    d[0] = 0.5f * (s[0] - s[1]) + sixth * (s[3] - s[2]);
    d[1] = (s[4] - 0.5f * s[1]) + sixth * (s[2] + 2.0f * s[3]);
}

/* ---- weights: 3x3 -> 25 + 5 + 5 + 1 ---- */

static void poly_taps(const float *g, int64_t step, int turned, float *u, int64_t plane)
{
    V w[3][3], first[5], second[5], t[5];
    UNROLL for (int k = 0; k < 9; k++)
        w[k / 3][k % 3] = v_load(g + (turned ? 8 - k : k) * step);
    poly_g(first, w[0][0], w[2][0]);
    poly_g(second, w[0][2], w[2][2]);
    for (int i = 0; i < 5; i++) {
        poly_g(t, first[i], second[i]);
        UNROLL for (int j = 0; j < 5; j++)
            v_store(u + (i * 5 + j) * plane, t[j]);
    }
    poly_g(first, w[0][1], w[2][1]);
    poly_g(second, w[1][0], w[1][2]);
    UNROLL for (int i = 0; i < 5; i++) {
        v_store(u + (25 + i) * plane, first[i]);
        v_store(u + (30 + i) * plane, second[i]);
    }
    v_store(u + 35 * plane, w[1][1]);
}

INLINE void poly_add(float *tap, V v) { v_store(tap, v_load(tap) + v); }

static void poly_fold(const float *d, int64_t plane, float *g, int64_t step, int part)
{
    V s[5], rows[2][5], t[2];
    if (part < 2) {
        UNROLL for (int j = 0; j < 5; j++) {
            UNROLL for (int i = 0; i < 5; i++) {
                s[i] = v_set(0);
                if (part == 0 && i < POLY_LOW)
                    s[i] = v_load(d + (i * 5 + j) * plane);
                if (part == 1 && i >= POLY_LOW)
                    s[i] = v_load(d + ((i - POLY_LOW) * 5 + j) * plane);
            }
            poly_g_back(t, s);
            rows[0][j] = t[0];
            rows[1][j] = t[1];
        }
        UNROLL for (int r = 0; r < 2; r++) {
            poly_g_back(t, rows[r]);
            if (part == 0) {
                v_store(g + 6 * r * step, t[0]);
                v_store(g + (6 * r + 2) * step, t[1]);
            } else {
                poly_add(g + 6 * r * step, t[0]);
                poly_add(g + (6 * r + 2) * step, t[1]);
            }
        }
    } else if (part < 4) {
        UNROLL for (int i = 0; i < 5; i++)
            s[i] = v_load(d + i * plane);
        poly_g_back(t, s);
        v_store(g + (part == 2 ? 1 : 3) * step, t[0]);
        v_store(g + (part == 2 ? 7 : 5) * step, t[1]);
    } else
        v_store(g + 4 * step, v_load(d));
}

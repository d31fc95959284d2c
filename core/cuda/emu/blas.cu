/* blas.cu: what stands for cuBLASLt in the emulation, so that its rows are tried on the CPU: plain sums in double,
   rounded once. HZ_CUBLASLT=whole: it is there; none: it has no way to do any product; else it is missing. A product
   has a workspace, which it spoils. */
#include "cuda/blas.h"
#include "cuda/lang.h"
#include <stdlib.h>

enum { ROOM = 1000 };                                 /* bytes of workspace: no multiple of anything */

struct blas_product {
    blas_shape shape;
};

static int means(const char *word)
{
    const char *given = getenv("HZ_CUBLASLT");
    return given && !strcmp(given, word);
}

int blas_here(void) { return means("whole") || means("none"); }

blas_product *blas_product_new(const blas_shape *s)
{
    blas_product *p = means("whole") ? (blas_product *)calloc(1, sizeof *p) : NULL;
    if (p)
        p->shape = *s;
    return p;
}

void blas_product_free(blas_product *p) { free(p); }
size_t blas_workspace(const blas_product *p) { return ROOM; }

template <class T, class O>
static __global__ void multiply_kernel(blas_shape s, float by_sum, const T *left, const T *right, float by_was,
                                       const O *was, O *out, unsigned char *room)
{
    int64_t i = thread_number(), row = i / s.columns, column = i % s.columns;
    double sum = 0;
    if (i < ROOM)
        room[i] = 0xff;
    if (row >= s.rows)
        return;
    for (int64_t k = 0; k < s.length; k++)
        sum += (double)load(left, s.left_turned ? k * s.rows + row : row * s.length + k)
               * load(right, s.right_turned ? column * s.length + k : k * s.columns + column);
    store(out, i, (float)(by_sum * sum + (by_was != 0 ? (double)by_was * load(was, i) : 0)));
}

template <class T, class O>
static void multiply(const blas_shape &s, float by_sum, const void *left, const void *right, float by_was,
                     const void *was, void *out, void *workspace, void *stream)
{
    HZ_LAUNCH_FLAT((multiply_kernel<T, O>), blocks_of(s.rows * s.columns), BLOCK, 0, stream, s, by_sum, (const T *)left,
                   (const T *)right, by_was, (const O *)was, (O *)out, (unsigned char *)workspace);
}

hz_status blas_multiply(const blas_product *p, float by_sum, const void *left, const void *right, float by_was,
                        const void *was, void *out, void *workspace, void *stream)
{
    const blas_shape &s = p->shape;
    auto *run = s.narrow_out ? multiply<bf16, bf16> : s.narrow ? multiply<bf16, float> : multiply<float, float>;
    run(s, by_sum, left, right, by_was, was, out, workspace, stream);
    return HZ_OK;
}

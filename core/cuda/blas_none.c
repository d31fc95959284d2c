/* blas_none.c: what stands for cuBLASLt where its header was missing when this was built. */
#include "cuda/blas.h"

int blas_here(void)
{
    cuda_core->fail(HZ_EDEVICE, "cublaslt: this hz was built without cublasLt.h; large products run by plain kernels");
    return 0;
}

blas_product *blas_product_new(const blas_shape *s) { return NULL; }
void blas_product_free(blas_product *p) {}
size_t blas_workspace(const blas_product *p) { return 0; }
hz_status blas_multiply(const blas_product *p, float by_sum, const void *left, const void *right, float by_was,
                        const void *was, void *out, void *workspace, void *stream)
{
    return HZ_EDEVICE;
}

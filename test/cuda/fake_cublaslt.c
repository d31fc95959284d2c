/* fake_cublaslt.c: cuBLASLt as far as blas_lt.c uses it, over memory of the host, f32 alone: what is described is kept
   in the descriptors, and products are plain sums over matrices that lie column by column, as the library's do. A
   product that may add up in place, or trusts to more alignment than it was told, has no way. FAKE_CUBLASLT=none: no
   product has one; closed: it cannot begin. */
#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef struct matrix { cudaDataType type; uint64_t rows, columns; int64_t ld; } matrix;
typedef struct product { cublasComputeType_t compute; cublasOperation_t a, b; } product;
typedef struct wish { uint32_t schemes, aligned[4]; } wish;

static int told(const char *word)
{
    const char *text = getenv("FAKE_CUBLASLT");
    return text && !strcmp(text, word);
}

EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    static int handle;
    *out = (cublasLtHandle_t)&handle;
    return told("closed") ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                               cudaDataType_t scale)
{
    product *p = calloc(1, sizeof *p);
    p->compute = compute;
    *out = (cublasLtMatmulDesc_t)p;
    return scale == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t p) { return free(p), CUBLAS_STATUS_SUCCESS; }

EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t which,
                                                     const void *value, size_t bytes)
{
    product *p = (product *)d;
    if (bytes != sizeof p->a || (which != CUBLASLT_MATMUL_DESC_TRANSA && which != CUBLASLT_MATMUL_DESC_TRANSB))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(which == CUBLASLT_MATMUL_DESC_TRANSA ? &p->a : &p->b, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows,
                                                 uint64_t columns, int64_t ld)
{
    matrix *m = malloc(sizeof *m);
    *m = (matrix){ type, rows, columns, ld };
    *out = (cublasLtMatrixLayout_t)m;
    return ld >= (int64_t)rows ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t m) { return free(m), CUBLAS_STATUS_SUCCESS; }

EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    wish *w = malloc(sizeof *w);
    *w = (wish){ CUBLASLT_REDUCTION_SCHEME_MASK, { 256, 256, 256, 256 } };
    *out = (cublasLtMatmulPreference_t)w;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t w)
{
    return free(w), CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                           cublasLtMatmulPreferenceAttributes_t which,
                                                           const void *value, size_t bytes)
{
    wish *w = (wish *)p;
    if (which == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return bytes == sizeof(uint64_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
    if (bytes != sizeof(uint32_t))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(which == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK ? &w->schemes
           : &w->aligned[which - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t how,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t p, int most,
                                                     cublasLtMatmulHeuristicResult_t out[], int *found)
{
    const wish *w = (const wish *)p;
    int trusts = 0;
    for (int i = 0; i < 4; i++)
        trusts |= w->aligned[i] > 16;
    memset(out, 0, sizeof *out);
    out[0].workspaceSize = 512;
    *found = most > 0 && !trusts && !(w->schemes & CUBLASLT_REDUCTION_SCHEME_INPLACE) && !told("none");
    return *found ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* Element (row, column) of op(m). */
static float at(const matrix *m, cublasOperation_t op, const float *values, uint64_t row, uint64_t column)
{
    return op == CUBLAS_OP_T ? values[column + row * (uint64_t)m->ld] : values[row + column * (uint64_t)m->ld];
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t how, const void *alpha,
                                     const void *A, cublasLtMatrixLayout_t a, const void *B, cublasLtMatrixLayout_t b,
                                     const void *beta, const void *C, cublasLtMatrixLayout_t c, void *D,
                                     cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algo, void *workspace,
                                     size_t bytes, cudaStream_t stream)
{
    const product *p = (const product *)how;
    const matrix *ma = (const matrix *)a, *mb = (const matrix *)b, *mc = (const matrix *)c, *md = (const matrix *)d;
    uint64_t m = p->a == CUBLAS_OP_T ? ma->columns : ma->rows, k = p->a == CUBLAS_OP_T ? ma->rows : ma->columns;
    uint64_t n = p->b == CUBLAS_OP_T ? mb->rows : mb->columns, l = p->b == CUBLAS_OP_T ? mb->columns : mb->rows;
    if (k != l || m != md->rows || n != md->columns || m != mc->rows || n != mc->columns || md->type != CUDA_R_32F
        || ma->type != mb->type || bytes != 512)
        return CUBLAS_STATUS_INVALID_VALUE;
    for (uint64_t column = 0; column < n; column++)
        for (uint64_t row = 0; row < m; row++) {
            double sum = 0;
            for (uint64_t i = 0; i < k; i++)
                sum += (double)at(ma, p->a, A, row, i) * at(mb, p->b, B, i, column);
            float was = *(const float *)beta != 0 ? at(mc, CUBLAS_OP_N, C, row, column) : 0;
            ((float *)D)[row + column * (uint64_t)md->ld] = *(const float *)alpha * (float)sum
                                                            + *(const float *)beta * was;
        }
    return CUBLAS_STATUS_SUCCESS;
}

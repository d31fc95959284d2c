/* blas_lt.c: cuBLASLt, opened by name when a large product is first asked for, so that nothing of hz needs it. It
   counts matrices column by column: what lies row by row is the transposed matrix to it, so it is asked for
   out^T = right^T left^T. Only ways whose sums come in one order are taken. */
#include "cuda/blas.h"
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdlib.h>

enum { WORKSPACE = 32 << 20 };                        /* bytes that a product may ask for */

#define LT_FUNCTIONS(X) \
    X(cublasLtCreate) X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute) \
    X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy) X(cublasLtMatmulPreferenceCreate) \
    X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute) X(cublasLtMatmulAlgoGetHeuristic) \
    X(cublasLtMatmul)

static struct {
#define X(f) __typeof__(&f) f;
    LT_FUNCTIONS(X)
#undef X
    cublasLtHandle_t handle;
} lt;

static const struct { const char *name; void **at; } functions[] = {
#define X(f) { #f, (void **)&lt.f },
    LT_FUNCTIONS(X)
#undef X
};

struct blas_product {
    cublasLtMatmulDesc_t how;
    cublasLtMatrixLayout_t right, left, was, out;
    cublasLtMatmulAlgo_t algo;
    size_t workspace;
};

/* ---- the library ---- */

static void *open_library(const char **name)
{
    static const char *const usual[] = { "libcublasLt.so.13", "libcublasLt.so.12" };
    const char *given = getenv("HZ_CUBLASLT");
    void *library = NULL;
    for (int i = 0; i < 2 && !library; i++) {
        *name = given && *given ? given : usual[i];
        library = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
    }
    if (!library)
        cuda_core->fail(HZ_EDEVICE, "cublaslt: %s; large products run by plain kernels", dlerror());
    return library;
}

static hz_status load(void)
{
    const char *name;
    void *library = open_library(&name);
    if (!library)
        return HZ_EDEVICE;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!(*functions[i].at = dlsym(library, functions[i].name))) {
            dlclose(library);
            return cuda_core->fail(HZ_EDEVICE, "cublaslt: '%s' lacks %s; needs cuBLASLt 12 or 13", name,
                                   functions[i].name);
        }
    cublasStatus_t answer = lt.cublasLtCreate(&lt.handle);
    if (answer == CUBLAS_STATUS_SUCCESS)
        return HZ_OK;
    lt.handle = NULL;
    dlclose(library);
    return cuda_core->fail(HZ_EDEVICE, "cublaslt: '%s' cannot begin: status %d", name, (int)answer);
}

int blas_here(void)
{
    static int asked;
    if (!asked++)
        load();
    return lt.handle != NULL;
}

/* ---- descriptions ---- */

/* Of a matrix (rows, columns) that lies row by row. */
static int describe(cublasLtMatrixLayout_t *out, int narrow, int64_t rows, int64_t columns)
{
    return !lt.cublasLtMatrixLayoutCreate(out, narrow ? CUDA_R_16BF : CUDA_R_32F, (uint64_t)columns, (uint64_t)rows,
                                          columns);
}

static int describe_factor(cublasLtMatrixLayout_t *out, int narrow, int turned, int64_t rows, int64_t columns)
{
    return turned ? describe(out, narrow, columns, rows) : describe(out, narrow, rows, columns);
}

static int turn(blas_product *p, cublasLtMatmulDescAttributes_t which, int turned)
{
    cublasOperation_t operation = turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    return !lt.cublasLtMatmulDescSetAttribute(p->how, which, &operation, sizeof operation);
}

static int describe_product(blas_product *p, const blas_shape *s)
{
    cublasComputeType_t compute = s->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    return !lt.cublasLtMatmulDescCreate(&p->how, compute, CUDA_R_32F)
           && turn(p, CUBLASLT_MATMUL_DESC_TRANSA, s->right_turned)
           && turn(p, CUBLASLT_MATMUL_DESC_TRANSB, s->left_turned)
           && describe_factor(&p->right, s->narrow, s->right_turned, s->length, s->columns)
           && describe_factor(&p->left, s->narrow, s->left_turned, s->rows, s->length)
           && describe(&p->was, s->narrow_out, s->rows, s->columns)
           && describe(&p->out, s->narrow_out, s->rows, s->columns);
}

static int prefer(cublasLtMatmulPreference_t wish, cublasLtMatmulPreferenceAttributes_t which, const void *value,
                  size_t bytes)
{
    return !lt.cublasLtMatmulPreferenceSetAttribute(wish, which, value, bytes);
}

/* Sums in place add up as blocks come; those by way of the workspace in order. */
static int choose(blas_product *p)
{
    cublasLtMatmulPreference_t wish = NULL;
    cublasLtMatmulHeuristicResult_t best;
    size_t most = WORKSPACE;
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, aligned = BLAS_ALIGNMENT;
    int found = 0;
    int ok = !lt.cublasLtMatmulPreferenceCreate(&wish)
             && prefer(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most)
             && prefer(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes)
             && prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aligned, sizeof aligned)
             && prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &aligned, sizeof aligned)
             && prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &aligned, sizeof aligned)
             && prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &aligned, sizeof aligned)
             && !lt.cublasLtMatmulAlgoGetHeuristic(lt.handle, p->how, p->right, p->left, p->was, p->out, wish, 1,
                                                   &best, &found)
             && found && best.state == CUBLAS_STATUS_SUCCESS;
    if (wish)
        lt.cublasLtMatmulPreferenceDestroy(wish);
    if (ok) {
        p->algo = best.algo;
        p->workspace = best.workspaceSize;
    }
    return ok;
}

/* ---- products ---- */

blas_product *blas_product_new(const blas_shape *s)
{
    blas_product *p = blas_here() ? calloc(1, sizeof *p) : NULL;
    if (p && describe_product(p, s) && choose(p))
        return p;
    blas_product_free(p);
    cuda_core->fail(HZ_EDEVICE, "cublaslt: a product (%lld,%lld) of length %lld was asked for; it has no way to do it",
                    (long long)s->rows, (long long)s->columns, (long long)s->length);
    return NULL;
}

void blas_product_free(blas_product *p)
{
    if (!p)
        return;
    cublasLtMatrixLayout_t layouts[] = { p->right, p->left, p->was, p->out };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i])
            lt.cublasLtMatrixLayoutDestroy(layouts[i]);
    if (p->how)
        lt.cublasLtMatmulDescDestroy(p->how);
    free(p);
}

size_t blas_workspace(const blas_product *p) { return p->workspace; }

hz_status blas_multiply(const blas_product *p, float by_sum, const void *left, const void *right, float by_was,
                        const void *was, void *out, void *workspace, void *stream)
{
    cublasStatus_t answer = lt.cublasLtMatmul(lt.handle, p->how, &by_sum, right, p->right, left, p->left, &by_was, was,
                                              p->was, out, p->out, &p->algo, workspace, p->workspace,
                                              (cudaStream_t)stream);
    if (answer == CUBLAS_STATUS_SUCCESS)
        return HZ_OK;
    return cuda_core->fail(HZ_EDEVICE, "cublaslt: a product failed: status %d", (int)answer);
}

/* blas.h: large products of matrices by cuBLASLt (blas_lt.c), or by what stands for it in the emulation (emu/blas.cu).
   Matrices lie row by row. */
#ifndef CUDA_BLAS_H
#define CUDA_BLAS_H
#include "cuda/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BLAS_ALIGNMENT = 16, BLAS_LEAST = 128 };       /* bytes, of all matrices; rows, columns and length at least */

/* out (rows,columns) = by_sum*left*right + by_was*was. left is (rows,length), turned (length,rows); right is
   (length,columns), turned (columns,length). Sums are f32, so are was and out where nothing else is said. */
typedef struct blas_shape {
    int64_t rows, columns, length;
    int left_turned, right_turned;
    int narrow, narrow_out;               /* 1: factors, out are bf16 */
    int tf32;                             /* 1: f32 factors may be rounded to 10 bits */
} blas_shape;

typedef struct blas_product blas_product;

int blas_here(void);                      /* 1: there is cuBLASLt for the card; 0, message set */
blas_product *blas_product_new(const blas_shape *s);  /* new; NULL, message set: it has no way to do that */
void blas_product_free(blas_product *p);              /* NULL is fine */
size_t blas_workspace(const blas_product *p);         /* bytes */
/* Launches it; by_was 0: `was` is not read, give out. */
hz_status blas_multiply(const blas_product *p, float by_sum, const void *left, const void *right, float by_was,
                        const void *was, void *out, void *workspace, void *stream);

#ifdef __cplusplus
}
#endif
#endif

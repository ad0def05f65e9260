/* The pure face: matrix products (src/pure/matmul.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_MATMUL_H
#define RILL_PURE_MATMUL_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* c = alpha * op(a) op(b) + beta * c, row-major, op the transpose where its flag is set: op(a) is
 * [m, k], op(b) [k, n], c [m, n]. lda, ldb, ldc: elements from one stored row to the next, at least
 * the stored row's length. beta 0 overwrites c, whatever it held; with k = 0 or alpha = 0 neither a
 * nor b is read. c overlaps neither. The bits depend on the sizes alone. */
RILL_API void rill_gemm_f32(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                            float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                            float beta, float *c, int64_t ldc);
RILL_API void rill_gemm_f64(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                            double alpha, const double *a, int64_t lda, const double *b,
                            int64_t ldb, double beta, double *c, int64_t ldc);

#ifdef __cplusplus
}
#endif

#endif

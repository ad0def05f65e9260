/* One matrix product split over the pool. */
#ifndef RILL_SRC_GEMM_H
#define RILL_SRC_GEMM_H

#include "ops/op.h"

/* c[m,n] = op(a) op(b) + beta c as rill_gemm, or with bias [n] (not NULL, beta ignored) + bias in
 * each row. The split depends on the sizes alone. */
typedef struct gemm {
  rill_dtype dtype;
  bool trans_a, trans_b;
  int64_t m, n, k;
  const char *a, *b, *bias;
  int64_t lda, ldb;
  double beta;
  char *c;
  int64_t ldc;
} gemm;

void gemm_run(rill_context *ctx, const gemm *g);
/* The same here, in one piece. */
void gemm_serial(const gemm *g);

#endif

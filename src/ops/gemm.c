/* Matrix products split over the pool. */
#include "ops/gemm.h"
#include "pure/gemm.h"

#include <string.h>

typedef struct gemm_job {
  const gemm *g;
  gemm_cut cut;
} gemm_job;

/* c's rows become the bias; returns the beta to go on with. */
static double spread_bias(const gemm *g) {
  if (!g->bias) return g->beta;
  int64_t size = (int64_t)rill_dtype_size(g->dtype);
  for (int64_t i = 0; i < g->m; i++)
    memcpy(g->c + i * g->ldc * size, g->bias, (size_t)(g->n * size));
  return 1;
}

void gemm_serial(const gemm *g) {
  const void *a = g->a, *b = g->b;
  void *c = g->c;
  double beta = spread_bias(g);
  PURE(g->dtype, gemm, g->trans_a, g->trans_b, g->m, g->n, g->k, 1, a, g->lda, b, g->ldb, beta, c,
       g->ldc);
}

static void gemm_part(void *arg, int64_t begin, int64_t end, int slot) {
  const gemm_job *j = arg;
  gemm g = *j->g;
  int64_t size = (int64_t)rill_dtype_size(g.dtype);
  gemm_piece p =
      gemm_piece_of(&j->cut, begin, end, g.trans_a, g.trans_b, g.m, g.n, g.lda, g.ldb, g.ldc);
  (void)slot;
  g.m = p.m;
  g.n = p.n;
  g.c += p.c * size;
  if (g.bias && j->cut.columns) g.bias += begin * size;
  const void *a = g.a + p.a * size, *b = g.b + p.b * size;
  void *c = g.c;
  double beta = spread_bias(&g);
  PURE(g.dtype, gemm_piece, g.trans_a, g.trans_b, g.m, g.n, g.k, 1, a, g.lda, b, g.ldb, beta, c,
       g.ldc, j->g->m, j->g->n);
}

void gemm_run(rill_context *ctx, const gemm *g) {
  gemm_job j = {g, gemm_cut_of(g->m, g->n, g->k)};
  pool_for(ctx, j.cut.side, j.cut.length, gemm_part, &j);
}

/* Matrix products split over the pool: into stretches of the longer side, whose length depends on the
 * sizes alone. */
#include "ops/gemm.h"

#include <string.h>

/* Products below this many multiply-adds run in one piece: about 20 microseconds. */
#define GEMM_SPLIT ((int64_t)1 << 20)

void gemm_serial(const gemm *g) {
  size_t size = rill_dtype_size(g->dtype);
  if (g->bias)
    for (int64_t i = 0; i < g->m; i++)
      memcpy(g->c + i * g->ldc * (int64_t)size, g->bias, (size_t)g->n * size);
  double beta = g->bias ? 1 : g->beta;
  if (g->dtype == RILL_F32)
    rill_gemm_f32(g->trans_a, g->trans_b, g->m, g->n, g->k, 1, (const float *)(const void *)g->a,
                  g->lda, (const float *)(const void *)g->b, g->ldb, (float)beta,
                  (float *)(void *)g->c, g->ldc);
  else
    rill_gemm_f64(g->trans_a, g->trans_b, g->m, g->n, g->k, 1, (const double *)(const void *)g->a,
                  g->lda, (const double *)(const void *)g->b, g->ldb, beta, (double *)(void *)g->c,
                  g->ldc);
}

static void gemm_rows(void *arg, int64_t begin, int64_t end, int slot) {
  gemm g = *(const gemm *)arg;
  int64_t size = (int64_t)rill_dtype_size(g.dtype);
  (void)slot;
  g.a += begin * size * (g.trans_a ? 1 : g.lda);
  g.c += begin * size * g.ldc;
  g.m = end - begin;
  gemm_serial(&g);
}

static void gemm_columns(void *arg, int64_t begin, int64_t end, int slot) {
  gemm g = *(const gemm *)arg;
  int64_t size = (int64_t)rill_dtype_size(g.dtype);
  (void)slot;
  g.b += begin * size * (g.trans_b ? g.ldb : 1);
  g.c += begin * size;
  if (g.bias) g.bias += begin * size;
  g.n = end - begin;
  gemm_serial(&g);
}

/* Eight stretches of a long side, in whole register tiles. */
static int64_t stretch(int64_t side) {
  int64_t each = (side + 7) / 8;
  return each < 48 ? 48 : (each + 15) / 16 * 16;
}

void gemm_run(rill_context *ctx, const gemm *g) {
  if (g->m * g->n < GEMM_SPLIT && g->m * g->n * g->k < GEMM_SPLIT)
    gemm_serial(g);
  else if (g->m >= g->n)
    pool_for(ctx, g->m, stretch(g->m), gemm_rows, (void *)(uintptr_t)g);
  else
    pool_for(ctx, g->n, stretch(g->n), gemm_columns, (void *)(uintptr_t)g);
}

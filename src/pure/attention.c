/* Softmax attention with an online softmax over tiles, so that no [time, time] matrix is ever stored
 * (Dao 2023, "FlashAttention-2: faster attention with better parallelism and work partitioning"). The
 * backward is in attention_backward.c. */
#include "pure/kernel.h"
#include "pure/attention_tile.h"
#include "base/vmath.h"

#include <math.h>
#include <string.h>

/* out[i,:] = factor[i] * x[i,:]; out may be x. */
static void L(scale_rows)(real *out, int64_t stride, const real *x, int64_t ld, const real *factor,
                          int64_t n, int64_t cols) {
  for (int64_t i = 0; i < n; i++, out += stride, x += ld) {
    real f = factor[i];
#pragma omp simd
    for (int64_t c = 0; c < cols; c++) out[c] = x[c] * f;
  }
}

/* Turns s into exp(s - max), the running maximum and sum brought up to date; `decay` is what earlier
 * sums are to be multiplied by. Dropout thins what goes on to the values, not the sum. */
static void L(online)(L(score_tile) * t, real *max, real *sum, real *decay) {
  real high[SCORE_TILE], total[SCORE_TILE];
  int64_t width = t->width;
#pragma omp simd
  for (int64_t i = 0; i < width; i++) high[i] = max[i], total[i] = 0;
  for (int64_t j = 0; j < t->nj; j++) {
    const real *s = t->s + j * width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) high[i] = s[i] > high[i] ? s[i] : high[i];
  }
#pragma omp simd
  for (int64_t i = 0; i < width; i++) {
    real m = high[i] == -REAL_INFINITY ? 0 : high[i];
    decay[i] = L(v_exp_flush)(max[i] - m);
    max[i] = high[i];
    high[i] = m;
  }
  for (int64_t j = 0; j < t->nj; j++) {
    real *s = t->s + j * width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      real e = L(v_exp_flush)(s[i] - high[i]);
      total[i] += e;
      s[i] = e;
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < width; i++) sum[i] = sum[i] * decay[i] + total[i];
  L(score_thin)(t, t->s);
}

/* y = acc / sum, and the logarithm of each row's sum. A row that saw no key is 0, its lse +inf. */
static void L(finish)(L(score_tile) * t, const real *max, const real *sum, const real *acc,
                      int64_t ld, real *y, real *lse) {
  real inverse[SCORE_TILE];
#pragma omp simd
  for (int64_t i = 0; i < t->ni; i++) {
    bool seen = max[i] != -REAL_INFINITY || sum[i] != 0; /* a NaN sum is seen */
    inverse[i] = seen ? 1 / sum[i] : 0;
    lse[i] = seen ? max[i] + L(v_log)(sum[i]) : REAL_INFINITY;
  }
  L(scale_rows)(y, t->p->o_stride[1], acc, ld, inverse, t->ni, t->p->value_dim);
}

static void L(forward)(L(score_tile) * t, const real *q, const real *k, const real *v, real *o,
                       real *lse, real *acc, int64_t b, int64_t h, int64_t i0) {
  const rill_attention_params *p = t->p;
  real max[SCORE_TILE], sum[SCORE_TILE], decay[SCORE_TILE];
  int64_t begin, end, ld = L(score_round)(p->value_dim);
  L(score_queries)(t, q, b, h, i0);
  L(score_key_range)(p, i0, &begin, &end);
  for (int64_t i = 0; i < SCORE_TILE; i++) max[i] = -REAL_INFINITY, sum[i] = 0;
  memset(acc, 0, (size_t)(t->ni * ld) * sizeof(real));
  for (int64_t j = begin; j < end; j += SCORE_TILE) {
    bool masked = L(score_keys)(t, k, j, end);
    L(online)(t, max, sum, decay);
    if (j > begin) L(scale_rows)(acc, ld, acc, ld, decay, t->ni, ld);
    const real *x = L(score_rows)(L(score_row)(v, p->v_stride, b, j, t->kv), p->v_stride[1], t->nj,
                                  p->value_dim, t->v, &ld);
    L(score_weigh)(masked, t->ni, t->nj, t->s, 1, t->width, x, ld, acc, true);
  }
  real *y = o + b * p->o_stride[0] + i0 * p->o_stride[1] + h * p->o_stride[2];
  L(finish)(t, max, sum, acc, ld, y, lse + (b * p->heads + h) * p->q_len + i0);
}

KERNEL(attention,
       (const rill_attention_params *params, const real *q, const real *k, const real *v, real *o,
        real *lse, int64_t unit_begin, int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, unit_begin, unit_end, workspace)) {
  L(score_tile) t;
  L(score_init)(&t, params, workspace);
  real *acc = L(score_take)(&t, SCORE_TILE * L(score_round)(params->value_dim));
  int64_t tiles = L(score_tiles)(params->q_len);
  for (int64_t u = unit_begin; u < unit_end; u++) {
    int64_t head = u / tiles;
    L(forward)
    (&t, q, k, v, o, lse, acc, head / params->heads, head % params->heads, u % tiles * SCORE_TILE);
  }
}

/* ---- what does not depend on the instruction set ---------------------------------------------- */

#if defined KERNEL_BASELINE
/* No less than any of the kernels takes. */
size_t KERNEL_PUBLIC(attention_workspace)(const rill_attention_params *p) {
  int64_t k = L(score_round)(p->head_dim), v = L(score_round)(p->value_dim);
  int64_t n = 4 * SCORE_TILE * SCORE_TILE + 5 * SCORE_TILE * k + 5 * SCORE_TILE * v;
  return (size_t)n * sizeof(real) + 63;
}
#endif

#if defined KERNEL_BASELINE && defined KERNEL_F32
int64_t rill_attention_units(const rill_attention_params *p) {
  return p->batch * p->heads * L(score_tiles)(p->q_len);
}

uint64_t rill_attention_dropout_blocks(const rill_attention_params *p) {
  uint64_t per_row = (uint64_t)p->k_len / 4 + (p->k_len % 4 != 0);
  return p->dropout > 0 ? (uint64_t)(p->batch * p->heads * p->q_len) * per_row : 0;
}

rill_status rill_attention_check(const rill_attention_params *p) {
  if (!p || p->struct_size < sizeof *p) return RILL_ERROR_ARGUMENT;
  if (p->batch < 0 || p->q_len < 0 || p->k_len < 0) return RILL_ERROR_SHAPE;
  if (p->heads < 1 || p->kv_heads < 1 || p->heads % p->kv_heads) return RILL_ERROR_SHAPE;
  if (p->head_dim < 1 || p->value_dim < 1) return RILL_ERROR_SHAPE;
  if (p->head_dim > RILL_ATTENTION_DIM_MAX || p->value_dim > RILL_ATTENTION_DIM_MAX)
    return RILL_ERROR_UNSUPPORTED;
  if (p->causal < RILL_ATTENTION_FULL || p->causal > RILL_ATTENTION_TOP_LEFT)
    return RILL_ERROR_ARGUMENT;
  if (p->window < 0 || (p->window > 0 && p->causal == RILL_ATTENTION_FULL))
    return RILL_ERROR_ARGUMENT;
  if (!isfinite(p->scale) || !isfinite(p->softcap) || p->softcap < 0) return RILL_ERROR_ARGUMENT;
  if (!(p->dropout >= 0 && p->dropout < 1)) return RILL_ERROR_ARGUMENT;
  int64_t rows, places;
  if (!checked_mul(p->batch, p->heads, &rows) || !checked_mul(rows, p->q_len, &rows) ||
      !checked_mul(rows, p->k_len, &places) || !checked_mul(p->batch, p->kv_heads, &rows) ||
      !checked_mul(rows, p->k_len, &rows))
    return RILL_ERROR_OVERFLOW;
  return RILL_OK;
}

int rill_attention_dim_max(void) { return RILL_ATTENTION_DIM_MAX; }

void rill_attention_params_init(rill_attention_params *p) {
  if (p) *p = (rill_attention_params){.struct_size = sizeof *p};
}
#endif

/* Scores of attention, tile by tile: see attention_tile.h. */
#include "pure/kernel.h"
#include "pure/attention_tile.h"
#include "pure/tile.h"
#include "base/philox.h"
#include "base/vmath.h"

#include <math.h>
#include <string.h>

/* ---- sizes ------------------------------------------------------------------------------------ */

static real L(scale_of)(const rill_attention_params *p) {
  return (real)(p->scale == 0 ? 1 / sqrt((double)p->head_dim) : p->scale);
}

static int64_t L(shift_of)(const rill_attention_params *p) {
  return p->causal == RILL_ATTENTION_TOP_LEFT ? 0 : p->k_len - p->q_len;
}

/* The window's width, where none is one wider than any sequence. */
static int64_t L(window_of)(const rill_attention_params *p) {
  int64_t widest = INT64_MAX / 4;
  return p->window > 0 && p->window < widest ? p->window : widest;
}

void L(score_key_range)(const rill_attention_params *p, int64_t i0, int64_t *begin, int64_t *end) {
  int64_t ni = p->q_len - i0 < SCORE_TILE ? p->q_len - i0 : SCORE_TILE;
  int64_t first = i0 + L(shift_of)(p), last = first + ni - 1;
  *begin = 0;
  *end = p->k_len;
  if (p->causal == RILL_ATTENTION_FULL) return;
  if (last + 1 < *end) *end = last + 1 < 0 ? 0 : last + 1;
  int64_t oldest = first - L(window_of)(p) + 1;
  if (oldest > 0) *begin = oldest / SCORE_TILE * SCORE_TILE;
}

real *L(score_take)(L(score_tile) * t, int64_t n) {
  real *r = t->more;
  t->more += L(score_round)(n);
  return r;
}

/* From an address of alignment 64. */
void L(score_init)(L(score_tile) * t, const rill_attention_params *p, void *workspace) {
  memset(t, 0, sizeof *t);
  t->p = p;
  t->shift = L(shift_of)(p);
  t->scale = L(scale_of)(p);
  t->more = (real *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63);
  t->s = L(score_take)(t, SCORE_TILE * SCORE_TILE);
  t->slope = p->softcap > 0 ? L(score_take)(t, SCORE_TILE * SCORE_TILE) : NULL;
  t->z = p->dropout > 0 ? L(score_take)(t, SCORE_TILE * SCORE_TILE) : NULL;
  t->qt = L(score_take)(t, SCORE_TILE * p->head_dim);
  t->k = L(score_take)(t, SCORE_TILE * L(score_round)(p->head_dim));
  t->v = L(score_take)(t, SCORE_TILE * L(score_round)(p->value_dim));
}

/* ---- rows of the caller's tensors ------------------------------------------------------------- */

const real *L(score_rows)(const real *x, int64_t stride, int64_t n, int64_t cols, real *room,
                          int64_t *ld) {
  *ld = L(score_round)(cols);
  if (cols == *ld && stride == cols) return x;
  for (int64_t i = 0; i < n; i++) {
    memcpy(room + i * *ld, x + i * stride, (size_t)cols * sizeof(real));
    for (int64_t c = cols; c < *ld; c++) room[i * *ld + c] = 0;
  }
  return room;
}

/* Is any of n rows not finite? x * 0 is 0 for all finite x and NaN for the others. */
static bool L(not_finite)(const real *x, int64_t ld, int64_t n) {
  real bad = 0;
  for (int64_t i = 0; i < n; i++) {
    const real *row = x + i * ld;
#pragma omp simd reduction(+ : bad)
    for (int64_t c = 0; c < ld; c++) bad += row[c] * 0;
  }
  return bad != 0; /* true for NaN */
}

void L(score_weigh)(bool masked, int64_t m, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                    const real *b, int64_t ld, real *c, bool add) {
  if (!masked || !L(not_finite)(b, ld, k)) {
    L(tile_multiply)(m, ld, k, a, a_row, a_col, b, ld, c, ld, add);
    return;
  }
  if (!add) memset(c, 0, (size_t)(m * ld) * sizeof(real));
  for (int64_t i = 0; i < m; i++)
    for (int64_t p = 0; p < k; p++) {
      real w = a[i * a_row + p * a_col];
      for (int64_t j = 0; w != 0 && j < ld; j++) c[i * ld + j] += w * b[p * ld + j];
    }
}

/* ---- scores ----------------------------------------------------------------------------------- */

static void L(cap)(L(score_tile) * t) {
  real cap = (real)t->p->softcap, inverse = (real)(1 / t->p->softcap);
  int64_t n = t->nj * t->width;
#pragma omp simd
  for (int64_t x = 0; x < n; x++) {
    t->slope[x] = L(v_tanh)(t->s[x] * inverse);
    t->s[x] = cap * t->slope[x];
  }
}

static void L(add_bias)(L(score_tile) * t) {
  const rill_attention_params *p = t->p;
  if (p->alibi) {
    real m = ((const real *)p->alibi)[t->h];
    for (int64_t j = 0; j < t->nj; j++) {
      int64_t d = t->i0 + t->shift - (t->j0 + j);
      real *s = t->s + j * t->width;
#pragma omp simd
      for (int64_t i = 0; i < t->width; i++) s[i] -= m * (real)(d + i < 0 ? -(d + i) : d + i);
    }
  }
  if (p->bias) {
    const int64_t *st = p->bias_stride;
    const real *bias = (const real *)p->bias + t->b * st[0] + t->h * st[1];
    for (int64_t j = 0; j < t->nj; j++)
      for (int64_t i = 0; i < t->ni; i++)
        t->s[j * t->width + i] += bias[(t->i0 + i) * st[2] + (t->j0 + j) * st[3]];
  }
}

/* Puts -inf where the query may not see the key. A bias of -inf masks too, whatever the score. */
static bool L(mask)(L(score_tile) * t) {
  const rill_attention_params *p = t->p;
  int64_t first = t->i0 + t->shift, last = first + t->ni - 1;
  bool masked = false;
  int64_t window = L(window_of)(p);
  if (p->causal != RILL_ATTENTION_FULL && (t->j0 + t->nj - 1 > first || t->j0 <= last - window)) {
    masked = true;
    for (int64_t j = 0; j < t->nj; j++) {
      int64_t d = first - (t->j0 + j); /* query 0 sees key j where 0 <= d < window */
      int64_t low = -d, high = window - d > t->width ? t->width : window - d;
      real *s = t->s + j * t->width;
#pragma omp simd
      for (int64_t i = 0; i < t->width; i++) s[i] = i >= low && i < high ? s[i] : -REAL_INFINITY;
    }
  }
  if (p->keep) {
    const int64_t *st = p->keep_stride;
    const uint8_t *keep = p->keep + t->b * st[0] + t->h * st[1];
    masked = true;
    for (int64_t j = 0; j < t->nj; j++)
      for (int64_t i = 0; i < t->ni; i++)
        if (!keep[(t->i0 + i) * st[2] + (t->j0 + j) * st[3]])
          t->s[j * t->width + i] = -REAL_INFINITY;
  }
  if (p->bias) {
    const int64_t *st = p->bias_stride;
    const real *bias = (const real *)p->bias + t->b * st[0] + t->h * st[1];
    masked = true;
    for (int64_t j = 0; j < t->nj; j++)
      for (int64_t i = 0; i < t->ni; i++)
        if (bias[(t->i0 + i) * st[2] + (t->j0 + j) * st[3]] == -REAL_INFINITY)
          t->s[j * t->width + i] = -REAL_INFINITY;
  }
  return masked;
}

/* The factors of dropout, 0 or 1 / (1 - p): 32 bits a place, from block offset + (row of the score
 * matrix) * ceil(k_len / 4) + key / 4 of the seed's stream. */
static void L(draw)(L(score_tile) * t) {
  const rill_attention_params *p = t->p;
  uint64_t per_row = (uint64_t)p->k_len / 4 + (p->k_len % 4 != 0);
  uint64_t row = (uint64_t)((t->b * p->heads + t->h) * p->q_len + t->i0);
  uint32_t below = (uint32_t)(p->dropout * 4294967296.0);
  real kept = (real)(1 / (1 - p->dropout));
  for (int64_t j = 0; j < t->nj; j += 4) {
    uint64_t first = p->offset + row * per_row + (uint64_t)(t->j0 + j) / 4;
    real *z = t->z + j * t->width;
    int64_t width = t->width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      uint32_t c[4];
      philox_block(p->seed, first + (uint64_t)i * per_row, c);
      z[i] = c[0] < below ? 0 : kept;
      z[width + i] = c[1] < below ? 0 : kept;
      z[2 * width + i] = c[2] < below ? 0 : kept;
      z[3 * width + i] = c[3] < below ? 0 : kept;
    }
  }
}

void L(score_thin)(const L(score_tile) * t, real *x) {
  const real *z = t->z;
  int64_t n = z ? t->nj * t->width : 0;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) x[i] *= z[i];
}

bool L(score_keys)(L(score_tile) * t, const real *k, int64_t j0, int64_t end) {
  const rill_attention_params *p = t->p;
  t->j0 = j0;
  t->nj = end - j0 < SCORE_TILE ? end - j0 : SCORE_TILE;
  L(tile_multiply)
  (t->nj, t->width, p->head_dim, L(score_row)(k, p->k_stride, t->b, j0, t->kv), p->k_stride[1], 1,
   t->qt, t->width, t->s, t->width, false);
  if (t->slope) L(cap)(t);
  if (p->alibi || p->bias) L(add_bias)(t);
  if (t->z) L(draw)(t);
  return L(mask)(t);
}

void L(score_queries)(L(score_tile) * t, const real *q, int64_t b, int64_t h, int64_t i0) {
  const rill_attention_params *p = t->p;
  t->b = b, t->h = h, t->kv = h / (p->heads / p->kv_heads);
  t->i0 = i0;
  t->ni = p->q_len - i0 < SCORE_TILE ? p->q_len - i0 : SCORE_TILE;
  t->width = L(score_round)(t->ni);
  if (t->ni < t->width) memset(t->qt, 0, (size_t)(p->head_dim * t->width) * sizeof(real));
  L(tile_transpose)
  (t->ni, p->head_dim, L(score_row)(q, p->q_stride, b, i0, h), p->q_stride[1], t->scale, t->qt,
   t->width);
}

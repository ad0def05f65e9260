/* Softmax attention with an online softmax over tiles, so that no [time, time] matrix is ever stored
 * (Dao 2023, "FlashAttention-2: faster attention with better parallelism and work partitioning").
 *
 * A tile is 64 queries by 64 keys, held transposed: s[key][query]. So the softmax runs down columns,
 * in vectors of independent queries; keys and values are read in the layout they come in, and only a
 * tile of queries is turned, once for all its keys. All products go through tile_multiply. */
#include "pure/kernel.h"
#include "pure/tile.h"
#include "base/philox.h"
#include "base/vmath.h"

#include <math.h>
#include <string.h>

#undef TILE
#undef SPLIT_BELOW
#undef ROUND
#define TILE        64
#define SPLIT_BELOW 8 /* fewer heads than this and backward splits finer */
#define ROUND(n)    (((int64_t)(n) + 15) & ~(int64_t)15) /* to whole vectors of any instruction set */

typedef rill_attention_params L(params);

/* A tile of queries, and the tile of keys it meets. */
typedef struct L(tile) {
  const L(params) * p;
  int64_t b, h, kv;      /* batch, query head, key and value head                        */
  int64_t i0, ni, width; /* queries i0 .. i0 + ni, in columns of `width` (whole vectors) */
  int64_t j0, nj;        /* keys                                                         */
  int64_t shift;         /* query i sits at position i + shift among the keys            */
  real scale;
  real *s;     /* [key][query] scores, then probabilities                      */
  real *slope; /* tanh of the soft cap: kept for backward; NULL without        */
  real *z;     /* dropout factors; NULL without                                */
  real *qt;    /* [head_dim][query], scaled                                    */
  real *k, *v; /* room for copies of keys and values                           */
  real *more;  /* workspace that is left                                       */
} L(tile);

/* ---- sizes ------------------------------------------------------------------------------------ */

static int64_t L(tiles)(int64_t n) { return n / TILE + (n % TILE != 0); }

static real L(scale_of)(const L(params) * p) {
  return (real)(p->scale == 0 ? 1 / sqrt((double)p->head_dim) : p->scale);
}

static int64_t L(shift_of)(const L(params) * p) {
  return p->causal == RILL_ATTENTION_TOP_LEFT ? 0 : p->k_len - p->q_len;
}

/* The window's width, where none is one wider than any sequence. */
static int64_t L(window_of)(const L(params) * p) {
  int64_t widest = INT64_MAX / 4;
  return p->window > 0 && p->window < widest ? p->window : widest;
}

/* The keys that queries i0 .. i0 + ni can see, by causality and window: *begin (a tile's) to *end. */
static void L(key_range)(const L(tile) * t, int64_t *begin, int64_t *end) {
  const L(params) *p = t->p;
  int64_t first = t->i0 + t->shift, last = first + t->ni - 1;
  *begin = 0;
  *end = p->k_len;
  if (p->causal == RILL_ATTENTION_FULL) return;
  if (last + 1 < *end) *end = last + 1 < 0 ? 0 : last + 1;
  int64_t oldest = first - L(window_of)(p) + 1;
  if (oldest > 0) *begin = oldest / TILE * TILE;
}

static real *L(take)(L(tile) * t, int64_t n) {
  real *r = t->more;
  t->more += ROUND(n);
  return r;
}

/* Lays the workspace out for p, from an address of alignment 64. */
static void L(tile_init)(L(tile) * t, const L(params) * p, void *workspace) {
  memset(t, 0, sizeof *t);
  t->p = p;
  t->shift = L(shift_of)(p);
  t->scale = L(scale_of)(p);
  t->more = (real *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63);
  t->s = L(take)(t, TILE * TILE);
  t->slope = p->softcap > 0 ? L(take)(t, TILE * TILE) : NULL;
  t->z = p->dropout > 0 ? L(take)(t, TILE * TILE) : NULL;
  t->qt = L(take)(t, TILE * p->head_dim);
  t->k = L(take)(t, TILE * ROUND(p->head_dim));
  t->v = L(take)(t, TILE * ROUND(p->value_dim));
}

/* ---- rows of the caller's tensors ------------------------------------------------------------- */

static const real *L(row)(const real *x, const int64_t stride[3], int64_t b, int64_t i, int64_t h) {
  return x + b * stride[0] + i * stride[1] + h * stride[2];
}

/* n rows as tile_multiply wants its b: whole vectors, close together. Copied to `room` if need be,
 * with zeros to the right. Sets *ld. */
static const real *L(rows)(const real *x, int64_t stride, int64_t n, int64_t cols, real *room,
                           int64_t *ld) {
  *ld = ROUND(cols);
  if (cols == *ld && stride == cols) return x;
  for (int64_t i = 0; i < n; i++) {
    memcpy(room + i * *ld, x + i * stride, (size_t)cols * sizeof(real));
    for (int64_t c = cols; c < *ld; c++) room[i * *ld + c] = 0;
  }
  return room;
}

static void L(zero_rows)(real *x, int64_t stride, int64_t n, int64_t cols) {
  for (int64_t i = 0; i < n; i++) memset(x + i * stride, 0, (size_t)cols * sizeof(real));
}

static void L(add_rows)(real *x, int64_t stride, const real *y, int64_t ld, int64_t n,
                        int64_t cols) {
  for (int64_t i = 0; i < n; i++, x += stride, y += ld) {
#pragma omp simd
    for (int64_t c = 0; c < cols; c++) x[c] += y[c];
  }
}

/* out[i,:] = factor[i] * x[i,:]; out may be x. */
static void L(scale_rows)(real *out, int64_t stride, const real *x, int64_t ld, const real *factor,
                          int64_t n, int64_t cols) {
  for (int64_t i = 0; i < n; i++, out += stride, x += ld) {
    real f = factor[i];
#pragma omp simd
    for (int64_t c = 0; c < cols; c++) out[c] = x[c] * f;
  }
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

/* c[m,ld] (+)= a·b as tile_multiply, where a weight of 0 in a tile with masked places lets nothing
 * of b through, be it NaN or infinite. */
static void L(weigh)(bool masked, int64_t m, int64_t k, const real *a, int64_t a_row, int64_t a_col,
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

static void L(cap)(L(tile) * t) {
  real cap = (real)t->p->softcap, inverse = (real)(1 / t->p->softcap);
  int64_t n = t->nj * t->width;
#pragma omp simd
  for (int64_t x = 0; x < n; x++) {
    t->slope[x] = L(v_tanh)(t->s[x] * inverse);
    t->s[x] = cap * t->slope[x];
  }
}

static void L(add_bias)(L(tile) * t) {
  const L(params) *p = t->p;
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
static bool L(mask)(L(tile) * t) {
  const L(params) *p = t->p;
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
static void L(draw)(L(tile) * t) {
  const L(params) *p = t->p;
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

/* s = the scores of keys j0 .. j0 + nj, -inf where masked. True where a place may be masked. */
static bool L(scores)(L(tile) * t, const real *k, int64_t stride) {
  const L(params) *p = t->p;
  L(tile_multiply)
  (t->nj, t->width, p->head_dim, k, stride, 1, t->qt, t->width, t->s, t->width, false);
  if (t->slope) L(cap)(t);
  if (p->alibi || p->bias) L(add_bias)(t);
  if (t->z) L(draw)(t);
  return L(mask)(t);
}

/* Begins a tile of queries: turns and scales them. */
static void L(begin_queries)(L(tile) * t, const real *q, int64_t b, int64_t h, int64_t i0) {
  const L(params) *p = t->p;
  t->b = b, t->h = h, t->kv = h / (p->heads / p->kv_heads);
  t->i0 = i0;
  t->ni = p->q_len - i0 < TILE ? p->q_len - i0 : TILE;
  t->width = ROUND(t->ni);
  if (t->ni < t->width) memset(t->qt, 0, (size_t)(p->head_dim * t->width) * sizeof(real));
  L(tile_transpose)
  (t->ni, p->head_dim, L(row)(q, p->q_stride, b, i0, h), p->q_stride[1], t->scale, t->qt, t->width);
}

static void L(begin_keys)(L(tile) * t, int64_t j0, int64_t end) {
  t->j0 = j0;
  t->nj = end - j0 < TILE ? end - j0 : TILE;
}

/* ---- forward ---------------------------------------------------------------------------------- */

static void L(thin)(real *x, const real *z, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) x[i] *= z[i];
}

/* Turns s into exp(s - max), the running maximum and sum brought up to date; `decay` is what earlier
 * sums are to be multiplied by. Dropout thins what goes on to the values, not the sum. */
static void L(online)(L(tile) * t, real *max, real *sum, real *decay) {
  real high[TILE], total[TILE];
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
  if (t->z) L(thin)(t->s, t->z, t->nj * width);
}

/* y = acc / sum, and the logarithm of each row's sum. A row that saw no key is 0, its lse +inf. */
static void L(finish)(L(tile) * t, const real *max, const real *sum, const real *acc, int64_t ld,
                      real *y, real *lse) {
  real inverse[TILE];
#pragma omp simd
  for (int64_t i = 0; i < t->ni; i++) {
    bool seen = max[i] != -REAL_INFINITY || sum[i] != 0; /* a NaN sum is seen */
    inverse[i] = seen ? 1 / sum[i] : 0;
    lse[i] = seen ? max[i] + L(v_log)(sum[i]) : REAL_INFINITY;
  }
  L(scale_rows)(y, t->p->o_stride[1], acc, ld, inverse, t->ni, t->p->value_dim);
}

static void L(forward)(L(tile) * t, const real *q, const real *k, const real *v, real *o, real *lse,
                       real *acc, int64_t b, int64_t h, int64_t i0) {
  const L(params) *p = t->p;
  real max[TILE], sum[TILE], decay[TILE];
  int64_t begin, end, ld = ROUND(p->value_dim);
  L(begin_queries)(t, q, b, h, i0);
  L(key_range)(t, &begin, &end);
  for (int64_t i = 0; i < TILE; i++) max[i] = -REAL_INFINITY, sum[i] = 0;
  memset(acc, 0, (size_t)(t->ni * ld) * sizeof(real));
  for (int64_t j = begin; j < end; j += TILE) {
    L(begin_keys)(t, j, end);
    bool masked = L(scores)(t, L(row)(k, p->k_stride, b, j, t->kv), p->k_stride[1]);
    L(online)(t, max, sum, decay);
    if (j > begin) L(scale_rows)(acc, ld, acc, ld, decay, t->ni, ld);
    const real *x = L(rows)(L(row)(v, p->v_stride, b, j, t->kv), p->v_stride[1], t->nj,
                            p->value_dim, t->v, &ld);
    L(weigh)(masked, t->ni, t->nj, t->s, 1, t->width, x, ld, acc, true);
  }
  real *y = o + b * p->o_stride[0] + i0 * p->o_stride[1] + h * p->o_stride[2];
  L(finish)(t, max, sum, acc, ld, y, lse + (b * p->heads + h) * p->q_len + i0);
}

KERNEL(attention,
       (const rill_attention_params *params, const real *q, const real *k, const real *v, real *o,
        real *lse, int64_t unit_begin, int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, unit_begin, unit_end, workspace)) {
  L(tile) t;
  L(tile_init)(&t, params, workspace);
  real *acc = L(take)(&t, TILE * ROUND(params->value_dim));
  int64_t tiles = L(tiles)(params->q_len);
  for (int64_t u = unit_begin; u < unit_end; u++) {
    int64_t head = u / tiles;
    L(forward)
    (&t, q, k, v, o, lse, acc, head / params->heads, head % params->heads, u % tiles * TILE);
  }
}

/* ---- backward --------------------------------------------------------------------------------- */

/* What backward keeps of a tile of queries beside L(tile). */
typedef struct L(back) {
  L(tile) t;
  const real *q, *k, *v, *o, *lse, *d_o;
  real *dq, *dk, *dv;
  real log_sum[TILE], dot[TILE]; /* lse, and the row sums of d_o * o */
  real *dot_t;                   /* d_o turned: [value_dim][query]   */
  real *ds;                      /* [key][query]                     */
  real *q_room, *o_room;         /* copies of rows of q and d_o      */
  real *q_sum, *k_sum, *v_sum;   /* gradients of one tile            */
  const real *q_rows, *o_rows;
} L(back);

static void L(back_queries)(L(back) * g, int64_t b, int64_t h, int64_t i0) {
  L(tile) *t = &g->t;
  const L(params) *p = t->p;
  int64_t ld;
  L(begin_queries)(t, g->q, b, h, i0);
  const real *o = L(row)(g->o, p->o_stride, b, i0, h), *d_o = L(row)(g->d_o, p->o_stride, b, i0, h);
  if (t->ni < t->width) memset(g->dot_t, 0, (size_t)(p->value_dim * t->width) * sizeof(real));
  L(tile_transpose)(t->ni, p->value_dim, d_o, p->o_stride[1], 1, g->dot_t, t->width);
  g->q_rows = L(rows)(L(row)(g->q, p->q_stride, b, i0, h), p->q_stride[1], t->ni, p->head_dim,
                      g->q_room, &ld);
  g->o_rows = L(rows)(d_o, p->o_stride[1], t->ni, p->value_dim, g->o_room, &ld);
  for (int64_t i = 0; i < t->width; i++) g->log_sum[i] = g->dot[i] = 0;
  for (int64_t i = 0; i < t->ni; i++) {
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t c = 0; c < p->value_dim; c++) s += o[c] * d_o[c];
    o += p->o_stride[1], d_o += p->o_stride[1];
    g->dot[i] = s;
    g->log_sum[i] = g->lse[(b * p->heads + h) * p->q_len + i0 + i];
  }
}

/* s = probabilities (thinned by dropout), ds = the gradients of the scaled products. */
static bool L(back_scores)(L(back) * g) {
  L(tile) *t = &g->t;
  const L(params) *p = t->p;
  int64_t width = t->width;
  bool masked = L(scores)(t, L(row)(g->k, p->k_stride, t->b, t->j0, t->kv), p->k_stride[1]);
  L(tile_multiply)
  (t->nj, width, p->value_dim, L(row)(g->v, p->v_stride, t->b, t->j0, t->kv), p->v_stride[1], 1,
   g->dot_t, width, g->ds, width, false);
  if (t->z) L(thin)(g->ds, t->z, t->nj * width);
  for (int64_t j = 0; j < t->nj; j++) {
    real *s = t->s + j * width, *ds = g->ds + j * width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      real e = L(v_exp_flush)(s[i] - g->log_sum[i]), d = t->scale * e * (ds[i] - g->dot[i]);
      ds[i] = s[i] == -REAL_INFINITY ? 0 : d;
      s[i] = s[i] == -REAL_INFINITY ? 0 : e;
    }
  }
  for (int64_t x = 0; t->slope && x < t->nj * width; x++)
    g->ds[x] = g->ds[x] == 0 ? 0 : g->ds[x] * (1 - t->slope[x] * t->slope[x]);
  if (t->z) L(thin)(t->s, t->z, t->nj * width);
  return masked;
}

/* Adds what this pair of tiles gives to dk and dv. */
static void L(back_to_keys)(L(back) * g, bool masked) {
  L(tile) *t = &g->t;
  const L(params) *p = t->p;
  int64_t kd = ROUND(p->head_dim), vd = ROUND(p->value_dim);
  real *dk = g->dk + t->b * p->k_stride[0] + t->j0 * p->k_stride[1] + t->kv * p->k_stride[2];
  real *dv = g->dv + t->b * p->v_stride[0] + t->j0 * p->v_stride[1] + t->kv * p->v_stride[2];
  bool k_here = p->k_stride[1] == kd && p->head_dim == kd;
  bool v_here = p->v_stride[1] == vd && p->value_dim == vd;
  L(weigh)(masked, t->nj, t->ni, g->ds, t->width, 1, g->q_rows, kd, k_here ? dk : g->k_sum, k_here);
  L(weigh)(masked, t->nj, t->ni, t->s, t->width, 1, g->o_rows, vd, v_here ? dv : g->v_sum, v_here);
  if (!k_here) L(add_rows)(dk, p->k_stride[1], g->k_sum, kd, t->nj, p->head_dim);
  if (!v_here) L(add_rows)(dv, p->v_stride[1], g->v_sum, vd, t->nj, p->value_dim);
}

/* A tile of queries against its keys, or those of them in begin .. end. */
static void L(back_tile)(L(back) * g, int64_t begin, int64_t end, bool to_queries, bool to_keys) {
  L(tile) *t = &g->t;
  const L(params) *p = t->p;
  int64_t from, to, ld = ROUND(p->head_dim);
  L(key_range)(t, &from, &to);
  if (begin > from) from = begin;
  if (end < to) to = end;
  bool first = true;
  for (int64_t j = from; j < to; j += TILE, first = false) {
    L(begin_keys)(t, j, to);
    bool masked = L(back_scores)(g);
    if (to_keys) L(back_to_keys)(g, masked);
    if (!to_queries) continue;
    const real *k = L(rows)(L(row)(g->k, p->k_stride, t->b, j, t->kv), p->k_stride[1], t->nj,
                            p->head_dim, t->k, &ld);
    L(weigh)(masked, t->ni, t->nj, g->ds, 1, t->width, k, ld, g->q_sum, !first);
  }
  if (!to_queries) return;
  if (first) memset(g->q_sum, 0, (size_t)(t->ni * ld) * sizeof(real));
  real *dq = g->dq + t->b * p->q_stride[0] + t->i0 * p->q_stride[1] + t->h * p->q_stride[2];
  L(zero_rows)(dq, p->q_stride[1], t->ni, p->head_dim);
  L(add_rows)(dq, p->q_stride[1], g->q_sum, ld, t->ni, p->head_dim);
}

/* dk and dv of keys begin .. end of one head, from all queries of its group; dq too if asked. */
static void L(back_head)(L(back) * g, int64_t b, int64_t kv, int64_t begin, int64_t end,
                         bool to_queries) {
  const L(params) *p = g->t.p;
  int64_t group = p->heads / p->kv_heads;
  real *dk = g->dk + b * p->k_stride[0] + begin * p->k_stride[1] + kv * p->k_stride[2];
  real *dv = g->dv + b * p->v_stride[0] + begin * p->v_stride[1] + kv * p->v_stride[2];
  L(zero_rows)(dk, p->k_stride[1], end - begin, p->head_dim);
  L(zero_rows)(dv, p->v_stride[1], end - begin, p->value_dim);
  for (int64_t h = kv * group; h < (kv + 1) * group; h++)
    for (int64_t i = 0; i < p->q_len; i += TILE) {
      L(tile)
      reach = {
          .p = p, .i0 = i, .ni = p->q_len - i < TILE ? p->q_len - i : TILE, .shift = g->t.shift};
      int64_t from, to;
      L(key_range)(&reach, &from, &to);
      if (!to_queries && (from >= end || to <= begin)) continue;
      L(back_queries)(g, b, h, i);
      L(back_tile)(g, begin, end, to_queries, true);
    }
}

KERNEL(attention_backward,
       (const rill_attention_params *params, const real *q, const real *k, const real *v,
        const real *o, const real *lse, const real *d_o, real *dq, real *dk, real *dv,
        int64_t unit_begin, int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, d_o, dq, dk, dv, unit_begin, unit_end, workspace)) {
  const L(params) *p = params;
  L(back) g = {.q = q, .k = k, .v = v, .o = o, .lse = lse, .d_o = d_o};
  g.dq = dq, g.dk = dk, g.dv = dv;
  L(tile) *t = &g.t;
  L(tile_init)(t, p, workspace);
  g.dot_t = L(take)(t, TILE * p->value_dim);
  g.ds = L(take)(t, TILE * TILE);
  g.q_room = L(take)(t, TILE * ROUND(p->head_dim));
  g.o_room = L(take)(t, TILE * ROUND(p->value_dim));
  g.q_sum = L(take)(t, TILE * ROUND(p->head_dim));
  g.k_sum = L(take)(t, TILE * ROUND(p->head_dim));
  g.v_sum = L(take)(t, TILE * ROUND(p->value_dim));
  int64_t heads = p->batch * p->kv_heads, key_tiles = L(tiles)(p->k_len);
  int64_t query_tiles = L(tiles)(p->q_len);
  for (int64_t u = unit_begin; u < unit_end; u++) {
    if (heads >= SPLIT_BELOW) {
      L(back_head)(&g, u / p->kv_heads, u % p->kv_heads, 0, p->k_len, true);
    } else if (u < heads * key_tiles) {
      int64_t head = u / key_tiles, j = u % key_tiles * TILE;
      L(back_head)
      (&g, head / p->kv_heads, head % p->kv_heads, j, p->k_len - j < TILE ? p->k_len : j + TILE,
       false);
    } else {
      int64_t rest = u - heads * key_tiles, head = rest / query_tiles;
      L(back_queries)(&g, head / p->heads, head % p->heads, rest % query_tiles * TILE);
      L(back_tile)(&g, 0, p->k_len, true, false);
    }
  }
}

/* ---- what does not depend on the instruction set ---------------------------------------------- */

#if defined KERNEL_BASELINE
size_t KERNEL_PUBLIC(attention_workspace)(const rill_attention_params *p) {
  int64_t k = ROUND(p->head_dim), v = ROUND(p->value_dim);
  int64_t n = 4 * TILE * TILE + 5 * TILE * k + 5 * TILE * v; /* no more than both kernels take */
  return (size_t)n * sizeof(real) + 63;
}
#endif

#if defined KERNEL_BASELINE && defined KERNEL_F32
int64_t rill_attention_units(const rill_attention_params *p) {
  return p->batch * p->heads * L(tiles)(p->q_len);
}

int64_t rill_attention_backward_units(const rill_attention_params *p) {
  int64_t heads = p->batch * p->kv_heads;
  if (heads >= SPLIT_BELOW) return heads;
  return heads * L(tiles)(p->k_len) + p->batch * p->heads * L(tiles)(p->q_len);
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

#undef TILE
#undef SPLIT_BELOW
#undef ROUND

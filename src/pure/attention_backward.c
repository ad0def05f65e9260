/* The gradients of attention, from scores that are made again tile by tile and the logarithms of their
 * sums that forward kept (Dao 2023, FlashAttention-2, algorithm 2). */
#include "pure/kernel.h"
#include "pure/attention_tile.h"
#include "pure/tile.h"
#include "base/vmath.h"

#include <string.h>

#undef SPLIT_BELOW
#define SPLIT_BELOW 8 /* fewer heads than this and backward splits finer */

/* What backward keeps of a tile of queries beside L(score_tile). */
typedef struct L(back) {
  L(score_tile) t;
  const real *q, *k, *v, *o, *lse, *d_o;
  real *dq, *dk, *dv;
  real log_sum[SCORE_TILE], dot[SCORE_TILE]; /* lse, and the row sums of d_o * o */
  real *dot_t;                               /* d_o turned: [value_dim][query]   */
  real *ds;                                  /* [key][query]                     */
  real *q_room, *o_room;                     /* copies of rows of q and d_o      */
  real *q_sum, *k_sum, *v_sum;               /* gradients of one tile            */
  const real *q_rows, *o_rows;
} L(back);

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

static void L(back_queries)(L(back) * g, int64_t b, int64_t h, int64_t i0) {
  L(score_tile) *t = &g->t;
  const rill_attention_params *p = t->p;
  int64_t ld;
  L(score_queries)(t, g->q, b, h, i0);
  const real *o = L(score_row)(g->o, p->o_stride, b, i0, h),
             *d_o = L(score_row)(g->d_o, p->o_stride, b, i0, h);
  if (t->ni < t->width) memset(g->dot_t, 0, (size_t)(p->value_dim * t->width) * sizeof(real));
  L(tile_transpose)(t->ni, p->value_dim, d_o, p->o_stride[1], 1, g->dot_t, t->width);
  g->q_rows = L(score_rows)(L(score_row)(g->q, p->q_stride, b, i0, h), p->q_stride[1], t->ni,
                            p->head_dim, g->q_room, &ld);
  g->o_rows = L(score_rows)(d_o, p->o_stride[1], t->ni, p->value_dim, g->o_room, &ld);
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

/* For the keys from j0 on: s = probabilities, ds = `factor` times the gradients of the scores, both 0
 * where masked. True where a place may be masked. */
static bool L(back_scores)(L(back) * g, int64_t j0, int64_t end, real factor) {
  L(score_tile) *t = &g->t;
  const rill_attention_params *p = t->p;
  int64_t width = t->width;
  bool masked = L(score_keys)(t, g->k, j0, end);
  L(tile_multiply)
  (t->nj, width, p->value_dim, L(score_row)(g->v, p->v_stride, t->b, t->j0, t->kv), p->v_stride[1],
   1, g->dot_t, width, g->ds, width, false);
  L(score_thin)(t, g->ds);
  for (int64_t j = 0; j < t->nj; j++) {
    real *s = t->s + j * width, *ds = g->ds + j * width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      real e = L(v_exp_flush)(s[i] - g->log_sum[i]), d = factor * e * (ds[i] - g->dot[i]);
      ds[i] = s[i] == -REAL_INFINITY ? 0 : d;
      s[i] = s[i] == -REAL_INFINITY ? 0 : e;
    }
  }
  return masked;
}

/* s = probabilities thinned by dropout, ds = the gradients of the products of q and k. */
static bool L(back_products)(L(back) * g, int64_t j0, int64_t end) {
  L(score_tile) *t = &g->t;
  bool masked = L(back_scores)(g, j0, end, t->scale);
  for (int64_t x = 0; t->slope && x < t->nj * t->width; x++)
    g->ds[x] = g->ds[x] == 0 ? 0 : g->ds[x] * (1 - t->slope[x] * t->slope[x]);
  L(score_thin)(t, t->s);
  return masked;
}

/* Adds what this pair of tiles gives to dk and dv. */
static void L(back_to_keys)(L(back) * g, bool masked) {
  L(score_tile) *t = &g->t;
  const rill_attention_params *p = t->p;
  int64_t kd = L(score_round)(p->head_dim), vd = L(score_round)(p->value_dim);
  real *dk = g->dk + t->b * p->k_stride[0] + t->j0 * p->k_stride[1] + t->kv * p->k_stride[2];
  real *dv = g->dv + t->b * p->v_stride[0] + t->j0 * p->v_stride[1] + t->kv * p->v_stride[2];
  bool k_here = p->k_stride[1] == kd && p->head_dim == kd;
  bool v_here = p->v_stride[1] == vd && p->value_dim == vd;
  L(score_weigh)
  (masked, t->nj, t->ni, g->ds, t->width, 1, g->q_rows, kd, k_here ? dk : g->k_sum, k_here);
  L(score_weigh)
  (masked, t->nj, t->ni, t->s, t->width, 1, g->o_rows, vd, v_here ? dv : g->v_sum, v_here);
  if (!k_here) L(add_rows)(dk, p->k_stride[1], g->k_sum, kd, t->nj, p->head_dim);
  if (!v_here) L(add_rows)(dv, p->v_stride[1], g->v_sum, vd, t->nj, p->value_dim);
}

/* A tile of queries against its keys, or those of them in begin .. end. */
static void L(back_tile)(L(back) * g, int64_t begin, int64_t end, bool to_queries, bool to_keys) {
  L(score_tile) *t = &g->t;
  const rill_attention_params *p = t->p;
  int64_t from, to, ld = L(score_round)(p->head_dim);
  L(score_key_range)(p, t->i0, &from, &to);
  if (begin > from) from = begin;
  if (end < to) to = end;
  bool first = true;
  for (int64_t j = from; j < to; j += SCORE_TILE, first = false) {
    bool masked = L(back_products)(g, j, to);
    if (to_keys) L(back_to_keys)(g, masked);
    if (!to_queries) continue;
    const real *k = L(score_rows)(L(score_row)(g->k, p->k_stride, t->b, j, t->kv), p->k_stride[1],
                                  t->nj, p->head_dim, t->k, &ld);
    L(score_weigh)(masked, t->ni, t->nj, g->ds, 1, t->width, k, ld, g->q_sum, !first);
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
  const rill_attention_params *p = g->t.p;
  int64_t group = p->heads / p->kv_heads;
  real *dk = g->dk + b * p->k_stride[0] + begin * p->k_stride[1] + kv * p->k_stride[2];
  real *dv = g->dv + b * p->v_stride[0] + begin * p->v_stride[1] + kv * p->v_stride[2];
  L(zero_rows)(dk, p->k_stride[1], end - begin, p->head_dim);
  L(zero_rows)(dv, p->v_stride[1], end - begin, p->value_dim);
  for (int64_t h = kv * group; h < (kv + 1) * group; h++)
    for (int64_t i = 0; i < p->q_len; i += SCORE_TILE) {
      int64_t from, to;
      L(score_key_range)(p, i, &from, &to);
      if (!to_queries && (from >= end || to <= begin)) continue;
      L(back_queries)(g, b, h, i);
      L(back_tile)(g, begin, end, to_queries, true);
    }
}

/* Lays the workspace out. */
static void L(back_init)(L(back) * g, const rill_attention_params *p, void *workspace) {
  L(score_tile) *t = &g->t;
  L(score_init)(t, p, workspace);
  g->dot_t = L(score_take)(t, SCORE_TILE * p->value_dim);
  g->ds = L(score_take)(t, SCORE_TILE * SCORE_TILE);
  g->q_room = L(score_take)(t, SCORE_TILE * L(score_round)(p->head_dim));
  g->o_room = L(score_take)(t, SCORE_TILE * L(score_round)(p->value_dim));
  g->q_sum = L(score_take)(t, SCORE_TILE * L(score_round)(p->head_dim));
  g->k_sum = L(score_take)(t, SCORE_TILE * L(score_round)(p->head_dim));
  g->v_sum = L(score_take)(t, SCORE_TILE * L(score_round)(p->value_dim));
}

KERNEL(attention_backward,
       (const rill_attention_params *params, const real *q, const real *k, const real *v,
        const real *o, const real *lse, const real *d_o, real *dq, real *dk, real *dv,
        int64_t unit_begin, int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, d_o, dq, dk, dv, unit_begin, unit_end, workspace)) {
  const rill_attention_params *p = params;
  L(back) g = {.q = q, .k = k, .v = v, .o = o, .lse = lse, .d_o = d_o};
  g.dq = dq, g.dk = dk, g.dv = dv;
  L(back_init)(&g, p, workspace);
  int64_t heads = p->batch * p->kv_heads, key_tiles = L(score_tiles)(p->k_len);
  int64_t query_tiles = L(score_tiles)(p->q_len);
  for (int64_t u = unit_begin; u < unit_end; u++) {
    if (heads >= SPLIT_BELOW) {
      L(back_head)(&g, u / p->kv_heads, u % p->kv_heads, 0, p->k_len, true);
    } else if (u < heads * key_tiles) {
      int64_t head = u / key_tiles, j = u % key_tiles * SCORE_TILE;
      L(back_head)
      (&g, head / p->kv_heads, head % p->kv_heads, j,
       p->k_len - j < SCORE_TILE ? p->k_len : j + SCORE_TILE, false);
    } else {
      int64_t rest = u - heads * key_tiles, head = rest / query_tiles;
      L(back_queries)(&g, head / p->heads, head % p->heads, rest % query_tiles * SCORE_TILE);
      L(back_tile)(&g, 0, p->k_len, true, false);
    }
  }
}

/* ---- gradients of the bias and of alibi's slopes ---------------------------------------------- */

/* Batches, heads, queries and keys: those whose scores go into one unit's part of a gradient. */
typedef struct L(back_block) {
  int64_t begin[4], end[4];
} L(back_block);

/* Shows `visit` each tile of a block, with the gradients of its scores in ds. */
static void L(back_each)(L(back) * g, const L(back_block) * x,
                         void (*visit)(const L(back) * g, real *out), real *out) {
  const int64_t *begin = x->begin, *end = x->end;
  for (int64_t b = begin[0]; b < end[0]; b++)
    for (int64_t h = begin[1]; h < end[1]; h++)
      for (int64_t i = begin[2]; i < end[2]; i += SCORE_TILE) {
        int64_t from, to;
        L(score_key_range)(g->t.p, i, &from, &to);
        if (from < begin[3]) from = begin[3];
        if (to > end[3]) to = end[3];
        if (from >= to) continue;
        L(back_queries)(g, b, h, i);
        for (int64_t j = from; j < to; j += SCORE_TILE) {
          L(back_scores)(g, j, to, 1);
          visit(g, out);
        }
      }
}

/* Into how many parts the gradient of the bias is cut along each dim. A dim that the bias is broadcast
 * over has one, in which it is summed over; keys are cut where queries are not. */
static void L(bias_parts)(const rill_attention_params *p, int64_t parts[4]) {
  const int64_t *stride = p->bias_stride;
  parts[0] = stride[0] ? p->batch : 1;
  parts[1] = stride[1] ? p->heads : 1;
  parts[2] = stride[2] ? L(score_tiles)(p->q_len) : 1;
  parts[3] = stride[3] && !stride[2] ? L(score_tiles)(p->k_len) : 1;
}

static L(back_block) L(bias_block)(const rill_attention_params *p, int64_t unit) {
  int64_t parts[4], size[4] = {p->batch, p->heads, p->q_len, p->k_len};
  L(back_block) x;
  L(bias_parts)(p, parts);
  for (int d = 3; d >= 0; unit /= parts[d--]) {
    int64_t length = parts[d] == 1 ? size[d] : d < 2 ? 1 : SCORE_TILE;
    x.begin[d] = unit % parts[d] * length;
    x.end[d] = size[d] - x.begin[d] < length ? size[d] : x.begin[d] + length;
  }
  return x;
}

static void L(zero_bias)(const L(back_block) * x, const int64_t stride[4], real *out) {
  int64_t i_end = stride[2] ? x->end[2] : x->begin[2] + 1;
  int64_t j_end = stride[3] ? x->end[3] : x->begin[3] + 1;
  for (int64_t i = x->begin[2]; i < i_end; i++)
    for (int64_t j = x->begin[3]; j < j_end; j++) out[i * stride[2] + j * stride[3]] = 0;
}

/* Sums over queries tile by tile, so that rounding errors grow with the number of tiles. */
static void L(add_to_bias)(const L(back) * g, real *out) {
  const L(score_tile) *t = &g->t;
  const int64_t *stride = t->p->bias_stride;
  out += t->i0 * stride[2] + t->j0 * stride[3];
  for (int64_t i = 0; stride[2] && i < t->ni; i++)
    for (int64_t j = 0; j < t->nj; j++)
      out[i * stride[2] + j * stride[3]] += g->ds[j * t->width + i];
  for (int64_t j = 0; !stride[2] && j < t->nj; j++) {
    const real *ds = g->ds + j * t->width;
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < t->ni; i++) sum += ds[i];
    out[j * stride[3]] += sum;
  }
}

/* The bias is added to the scores last, so its gradient is theirs. */
KERNEL(attention_backward_bias,
       (const rill_attention_params *params, const real *q, const real *k, const real *v,
        const real *o, const real *lse, const real *d_o, real *d_bias, int64_t unit_begin,
        int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, d_o, d_bias, unit_begin, unit_end, workspace)) {
  const int64_t *stride = params->bias_stride;
  L(back) g = {.q = q, .k = k, .v = v, .o = o, .lse = lse, .d_o = d_o};
  L(back_init)(&g, params, workspace);
  for (int64_t u = unit_begin; u < unit_end; u++) {
    L(back_block) x = L(bias_block)(params, u);
    real *out = d_bias + x.begin[0] * stride[0] + x.begin[1] * stride[1];
    L(zero_bias)(&x, stride, out);
    L(back_each)(&g, &x, L(add_to_bias), out);
  }
}

/* A slope m adds -m |p - j| to the score of the query at p and key j (Press et al. 2021). */
static void L(add_to_slope)(const L(back) * g, real *out) {
  const L(score_tile) *t = &g->t;
  real sum = 0;
  for (int64_t j = 0; j < t->nj; j++) {
    const real *ds = g->ds + j * t->width;
    int64_t d = t->i0 + t->shift - (t->j0 + j);
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < t->ni; i++) sum += (real)(d + i < 0 ? -(d + i) : d + i) * ds[i];
  }
  *out -= sum;
}

KERNEL(attention_backward_alibi,
       (const rill_attention_params *params, const real *q, const real *k, const real *v,
        const real *o, const real *lse, const real *d_o, real *d_alibi, int64_t unit_begin,
        int64_t unit_end, void *workspace),
       (params, q, k, v, o, lse, d_o, d_alibi, unit_begin, unit_end, workspace)) {
  L(back) g = {.q = q, .k = k, .v = v, .o = o, .lse = lse, .d_o = d_o};
  L(back_init)(&g, params, workspace);
  for (int64_t h = unit_begin; h < unit_end; h++) {
    L(back_block) x = {{0, h, 0, 0}, {params->batch, h + 1, params->q_len, params->k_len}};
    d_alibi[h] = 0;
    L(back_each)(&g, &x, L(add_to_slope), d_alibi + h);
  }
}

/* ---- units ------------------------------------------------------------------------------------ */

#if defined KERNEL_BASELINE && defined KERNEL_F32
int64_t rill_attention_backward_units(const rill_attention_params *p) {
  int64_t heads = p->batch * p->kv_heads;
  if (heads >= SPLIT_BELOW) return heads;
  return heads * L(score_tiles)(p->k_len) + p->batch * p->heads * L(score_tiles)(p->q_len);
}

int64_t rill_attention_backward_bias_units(const rill_attention_params *p) {
  int64_t parts[4];
  L(bias_parts)(p, parts);
  return parts[0] * parts[1] * parts[2] * parts[3];
}

int64_t rill_attention_backward_alibi_units(const rill_attention_params *p) { return p->heads; }
#endif

#undef SPLIT_BELOW

/* Attention against a dense computation in f64 with gradients derived by hand, for every mask, at
 * every instruction set and in both types. */
#include "main.h"
#include "base/base.h"
#include "base/philox.h"
#include "rill/pure.h"

void openblas_set_num_threads(int n) __attribute__((weak));

/* A case: its tensors in f64 and in f32, and what the dense computation gives. */
typedef struct attention {
  rill_attention_params p;
  int64_t nq, nk, nv, no, nl, n_bias, n_alibi;
  double *q, *k, *v, *d_o, *o, *lse, *dq, *dk, *dv;
  double *bias, *alibi, *d_bias, *d_alibi; /* NULL without */
  uint8_t *keep;
} attention;

static double *numbers(int64_t n, uint64_t *seed) {
  double *x = malloc((size_t)(n + 1) * sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = (float)test_normal(seed);
  return x;
}

static float *narrow(const double *x, int64_t n) {
  float *y = malloc((size_t)(n + 1) * sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i] = (float)x[i];
  return y;
}

static void stride(int64_t s[3], bool time_first, int64_t time, int64_t heads, int64_t dim) {
  s[0] = time * heads * dim;
  s[1] = time_first ? heads * dim : dim;
  s[2] = time_first ? dim : time * dim;
}

/* Sizes, layout and random q, k, v, d_o; masks come after. */
static attention begin(int64_t batch, int64_t heads, int64_t kv_heads, int64_t q_len, int64_t k_len,
                       int64_t dim, int64_t value_dim, bool time_first) {
  attention a;
  memset(&a, 0, sizeof a);
  rill_attention_params *p = &a.p;
  rill_attention_params_init(p);
  p->batch = batch, p->heads = heads, p->kv_heads = kv_heads;
  p->q_len = q_len, p->k_len = k_len, p->head_dim = dim, p->value_dim = value_dim;
  stride(p->q_stride, time_first, q_len, heads, dim);
  stride(p->k_stride, time_first, k_len, kv_heads, dim);
  stride(p->v_stride, time_first, k_len, kv_heads, value_dim);
  stride(p->o_stride, time_first, q_len, heads, value_dim);
  a.nl = batch * heads * q_len;
  a.nq = a.nl * dim, a.no = a.nl * value_dim;
  a.nk = batch * kv_heads * k_len * dim, a.nv = batch * kv_heads * k_len * value_dim;
  uint64_t seed = 99;
  a.q = numbers(a.nq, &seed), a.k = numbers(a.nk, &seed), a.v = numbers(a.nv, &seed);
  a.d_o = numbers(a.no, &seed);
  a.o = calloc((size_t)a.no + 1, 8), a.lse = calloc((size_t)a.nl + 1, 8);
  a.dq = calloc((size_t)a.nq + 1, 8), a.dk = calloc((size_t)a.nk + 1, 8);
  a.dv = calloc((size_t)a.nv + 1, 8);
  return a;
}

static void end(attention *a) {
  free(a->q), free(a->k), free(a->v), free(a->d_o), free(a->o), free(a->lse);
  free(a->dq), free(a->dk), free(a->dv), free(a->keep);
  free(a->bias), free(a->alibi), free(a->d_bias), free(a->d_alibi);
}

/* A keep mask of ones and zeros for [batch, heads, q_len, k_len]. */
static void add_keep(attention *a, double share) {
  rill_attention_params *p = &a->p;
  int64_t n = a->nl * p->k_len;
  uint64_t seed = 5;
  a->keep = malloc((size_t)n + 1);
  for (int64_t i = 0; i < n; i++) a->keep[i] = test_uniform(&seed) < share;
  p->keep = a->keep;
  p->keep_stride[3] = 1, p->keep_stride[2] = p->k_len, p->keep_stride[1] = p->q_len * p->k_len;
  p->keep_stride[0] = p->heads * p->q_len * p->k_len;
}

enum { BATCHES = 1, HEADS = 2, QUERIES = 4, KEYS = 8 };

/* A bias with the dims of `dims`, broadcast over the others; some places are -inf. */
static void add_bias(attention *a, int dims) {
  rill_attention_params *p = &a->p;
  int64_t sizes[] = {p->batch, p->heads, p->q_len, p->k_len};
  uint64_t seed = 6;
  a->n_bias = 1;
  for (int d = 3; d >= 0; d--) {
    if (!(dims >> d & 1)) continue;
    p->bias_stride[d] = a->n_bias;
    a->n_bias *= sizes[d];
  }
  a->bias = numbers(a->n_bias, &seed);
  for (int64_t i = 3; i < a->n_bias; i += 7) a->bias[i] = -INFINITY;
  a->d_bias = calloc((size_t)a->n_bias + 1, 8);
  p->bias = a->bias;
}

static void add_alibi(attention *a) {
  a->n_alibi = a->p.heads;
  a->alibi = malloc((size_t)a->p.heads * 8);
  for (int64_t h = 0; h < a->p.heads; h++)
    a->alibi[h] = exp2(-8.0 * (double)(h + 1) / (double)a->p.heads);
  a->d_alibi = calloc((size_t)a->p.heads, 8);
  a->p.alibi = a->alibi;
}

/* ---- the dense computation -------------------------------------------------------------------- */

static int64_t bias_at(const rill_attention_params *p, int64_t b, int64_t h, int64_t i, int64_t j) {
  const int64_t *s = p->bias_stride;
  return b * s[0] + h * s[1] + i * s[2] + j * s[3];
}

static bool sees(const rill_attention_params *p, int64_t b, int64_t h, int64_t i, int64_t j) {
  const int64_t *ks = p->keep_stride;
  int64_t at = p->causal == RILL_ATTENTION_TOP_LEFT ? i : i + p->k_len - p->q_len;
  if (p->causal != RILL_ATTENTION_FULL && j > at) return false;
  if (p->window && j <= at - p->window) return false;
  if (p->keep && !p->keep[b * ks[0] + h * ks[1] + i * ks[2] + j * ks[3]]) return false;
  return !p->bias || ((const double *)p->bias)[bias_at(p, b, h, i, j)] != -INFINITY;
}

static double keeps(const rill_attention_params *p, int64_t b, int64_t h, int64_t i, int64_t j) {
  if (p->dropout == 0) return 1;
  uint32_t word[4];
  int64_t row = (b * p->heads + h) * p->q_len + i;
  philox_block(p->seed, p->offset + (uint64_t)(row * ((p->k_len + 3) / 4) + j / 4), word);
  return (double)word[j % 4] < floor(p->dropout * 4294967296.0) ? 0 : 1 / (1 - p->dropout);
}

static void dense_row(attention *a, int64_t b, int64_t h, int64_t i) {
  const rill_attention_params *p = &a->p;
  int64_t kv = h * p->kv_heads / p->heads;
  int64_t at = b * p->q_stride[0] + i * p->q_stride[1] + h * p->q_stride[2];
  int64_t ot = b * p->o_stride[0] + i * p->o_stride[1] + h * p->o_stride[2];
  int64_t pos = p->causal == RILL_ATTENTION_TOP_LEFT ? i : i + p->k_len - p->q_len;
  double scale = p->scale ? p->scale : 1 / sqrt((double)p->head_dim);
  double *s = calloc((size_t)p->k_len + 1, 8), *slope = calloc((size_t)p->k_len + 1, 8);
  double max = -INFINITY, sum = 0, dot = 0;
  for (int64_t j = 0; j < p->k_len; j++) {
    if (!sees(p, b, h, i, j)) continue;
    const double *k = a->k + b * p->k_stride[0] + j * p->k_stride[1] + kv * p->k_stride[2];
    for (int64_t c = 0; c < p->head_dim; c++) s[j] += scale * a->q[at + c] * k[c];
    slope[j] = 1;
    if (p->softcap > 0) {
      double t = tanh(s[j] / p->softcap);
      slope[j] = 1 - t * t;
      s[j] = p->softcap * t;
    }
    if (a->alibi) s[j] -= a->alibi[h] * fabs((double)(pos - j));
    if (a->bias) s[j] += a->bias[bias_at(p, b, h, i, j)];
    max = fmax(max, s[j]);
  }
  for (int64_t j = 0; j < p->k_len; j++)
    if (sees(p, b, h, i, j)) sum += s[j] = exp(s[j] - max);
  a->lse[(b * p->heads + h) * p->q_len + i] = sum > 0 ? max + log(sum) : INFINITY;
  for (int64_t j = 0; j < p->k_len; j++) {
    if (!sees(p, b, h, i, j)) continue;
    const double *v = a->v + b * p->v_stride[0] + j * p->v_stride[1] + kv * p->v_stride[2];
    s[j] /= sum;
    for (int64_t c = 0; c < p->value_dim; c++) a->o[ot + c] += s[j] * keeps(p, b, h, i, j) * v[c];
  }
  for (int64_t c = 0; c < p->value_dim; c++) dot += a->o[ot + c] * a->d_o[ot + c];
  for (int64_t j = 0; j < p->k_len; j++) {
    if (!sees(p, b, h, i, j)) continue;
    int64_t kt = b * p->k_stride[0] + j * p->k_stride[1] + kv * p->k_stride[2];
    int64_t vt = b * p->v_stride[0] + j * p->v_stride[1] + kv * p->v_stride[2];
    double dp = 0, z = keeps(p, b, h, i, j);
    for (int64_t c = 0; c < p->value_dim; c++) {
      dp += z * a->d_o[ot + c] * a->v[vt + c];
      a->dv[vt + c] += z * s[j] * a->d_o[ot + c];
    }
    double d_score = s[j] * (dp - dot), ds = d_score * slope[j] * scale;
    if (a->bias) a->d_bias[bias_at(p, b, h, i, j)] += d_score;
    if (a->alibi) a->d_alibi[h] -= fabs((double)(pos - j)) * d_score;
    for (int64_t c = 0; c < p->head_dim; c++) {
      a->dq[at + c] += ds * a->k[kt + c];
      a->dk[kt + c] += ds * a->q[at + c];
    }
  }
  free(s), free(slope);
}

static void dense(attention *a) {
  for (int64_t b = 0; b < a->p.batch; b++)
    for (int64_t h = 0; h < a->p.heads; h++)
      for (int64_t i = 0; i < a->p.q_len; i++) dense_row(a, b, h, i);
}

/* ---- the kernels, twice: in one piece, and unit by unit backwards with dirty scratch ----------- */

typedef struct outputs {
  void *o, *lse, *dq, *dk, *dv, *d_bias, *d_alibi;
} outputs;

static void *dirty(int64_t n, size_t size) {
  void *x = malloc((size_t)n * size + 1);
  memset(x, 0xff, (size_t)n * size); /* NaNs */
  return x;
}

/* Errors are relative to the rms of what is expected; where that is zero but for rounding (gradients
 * of a softmax over one key), to the terms that cancel, which are of size 1. */
#define RUN(TYPE, SUFFIX)                                                                          \
  static outputs run_##SUFFIX(const attention *a, const TYPE *q, const TYPE *k, const TYPE *v,     \
                              const TYPE *d_o, const rill_attention_params *p, bool pieces) {      \
    size_t z = sizeof(TYPE), bytes = rill_attention_workspace_##SUFFIX(p);                         \
    outputs r = {dirty(a->no, z), dirty(a->nl, z),     dirty(a->nq, z),     dirty(a->nk, z),       \
                 dirty(a->nv, z), dirty(a->n_bias, z), dirty(a->n_alibi, z)};                      \
    int64_t n = rill_attention_units(p), m = rill_attention_backward_units(p);                     \
    int64_t nb = p->bias ? rill_attention_backward_bias_units(p) : 0;                              \
    int64_t na = p->alibi ? rill_attention_backward_alibi_units(p) : 0;                            \
    for (int64_t u = pieces ? n : 1; u-- > 0;) {                                                   \
      void *w = dirty((int64_t)bytes, 1);                                                          \
      rill_attention_##SUFFIX(p, q, k, v, r.o, r.lse, pieces ? u : 0, pieces ? u + 1 : n, w);      \
      free(w);                                                                                     \
    }                                                                                              \
    for (int64_t u = pieces ? m : 1; u-- > 0;) {                                                   \
      void *w = dirty((int64_t)bytes, 1);                                                          \
      rill_attention_backward_##SUFFIX(p, q, k, v, r.o, r.lse, d_o, r.dq, r.dk, r.dv,              \
                                       pieces ? u : 0, pieces ? u + 1 : m, w);                     \
      free(w);                                                                                     \
    }                                                                                              \
    for (int64_t u = pieces ? nb : 1; u-- > 0;) {                                                  \
      void *w = dirty((int64_t)bytes, 1);                                                          \
      rill_attention_backward_bias_##SUFFIX(p, q, k, v, r.o, r.lse, d_o, r.d_bias, pieces ? u : 0, \
                                            pieces ? u + 1 : nb, w);                               \
      free(w);                                                                                     \
    }                                                                                              \
    for (int64_t u = pieces ? na : 1; u-- > 0;) {                                                  \
      void *w = dirty((int64_t)bytes, 1);                                                          \
      rill_attention_backward_alibi_##SUFFIX(p, q, k, v, r.o, r.lse, d_o, r.d_alibi,               \
                                             pieces ? u : 0, pieces ? u + 1 : na, w);              \
      free(w);                                                                                     \
    }                                                                                              \
    return r;                                                                                      \
  }                                                                                                \
  static void same_##SUFFIX(const attention *a, outputs x, outputs y) {                            \
    size_t z = sizeof(TYPE);                                                                       \
    ck_assert(!memcmp(x.o, y.o, (size_t)a->no * z) && !memcmp(x.lse, y.lse, (size_t)a->nl * z));   \
    ck_assert(!memcmp(x.dq, y.dq, (size_t)a->nq * z) && !memcmp(x.dk, y.dk, (size_t)a->nk * z));   \
    ck_assert(!memcmp(x.dv, y.dv, (size_t)a->nv * z));                                             \
    ck_assert(!memcmp(x.d_bias, y.d_bias, (size_t)a->n_bias * z));                                 \
    ck_assert(!memcmp(x.d_alibi, y.d_alibi, (size_t)a->n_alibi * z));                              \
  }                                                                                                \
  static void near_##SUFFIX(const attention *a, outputs x, double tolerance, const char *name) {   \
    const TYPE *got[] = {x.o, x.lse, x.dq, x.dk, x.dv, x.d_bias, x.d_alibi};                       \
    const double *want[] = {a->o, a->lse, a->dq, a->dk, a->dv, a->d_bias, a->d_alibi};             \
    const char *const names[] = {"o", "lse", "dq", "dk", "dv", "d_bias", "d_alibi"};               \
    int64_t n[] = {a->no, a->nl, a->nq, a->nk, a->nv, a->n_bias, a->n_alibi};                      \
    for (int i = 0; i < 7; i++) {                                                                  \
      double e = rms_ratio_##SUFFIX(got[i], want[i], n[i]), far = 0, size = 0;                     \
      for (int64_t j = 0; j < n[i]; j++) size = fmax(size, fabs(want[i][j]));                      \
      for (int64_t j = 0; j < n[i]; j++)                                                           \
        if ((double)got[i][j] != want[i][j])                                                       \
          far = fmax(far, fabs((double)got[i][j] - want[i][j]));                                   \
      ck_assert_msg(size < 1e-13 ? far < tolerance : e < (i < 2 ? 1 : 5) * tolerance,              \
                    "%s " #SUFFIX " level %d: %s %.1e, largest difference %.1e", name,             \
                    cpu_level(), names[i], e, far);                                                \
    }                                                                                              \
  }                                                                                                \
  static void drop_##SUFFIX(outputs x) {                                                           \
    free(x.o), free(x.lse), free(x.dq), free(x.dk), free(x.dv), free(x.d_bias), free(x.d_alibi);   \
  }

RUN(float, f32)
RUN(double, f64)

/* Everything about one case; frees it. */
static void check(attention a, const char *name) {
  ck_assert_int_eq(rill_attention_check(&a.p), RILL_OK);
  dense(&a);
  outputs whole = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  outputs parts = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, true);
  near_f64(&a, whole, 1e-13, name);
  same_f64(&a, whole, parts);
  drop_f64(whole), drop_f64(parts);

  float *q = narrow(a.q, a.nq), *k = narrow(a.k, a.nk), *v = narrow(a.v, a.nv);
  float *d_o = narrow(a.d_o, a.no);
  float *bias = a.bias ? narrow(a.bias, a.n_bias) : NULL;
  float *alibi = a.alibi ? narrow(a.alibi, a.p.heads) : NULL;
  rill_attention_params p = a.p;
  p.bias = bias, p.alibi = alibi;
  whole = run_f32(&a, q, k, v, d_o, &p, false);
  parts = run_f32(&a, q, k, v, d_o, &p, true);
  near_f32(&a, whole, 1e-5, name);
  same_f32(&a, whole, parts);
  drop_f32(whole), drop_f32(parts);
  free(q), free(k), free(v), free(d_o), free(bias), free(alibi);
  end(&a);
}

static const int64_t lengths[] = {1, 2, 63, 64, 65, 200};
static const int causals[] = {RILL_ATTENTION_FULL, RILL_ATTENTION_BOTTOM_RIGHT,
                              RILL_ATTENTION_TOP_LEFT};

/* ---- tests ------------------------------------------------------------------------------------ */

START_TEST(every_pair_of_lengths) {
  cpu_set_level(_i);
  for (int x = 0; x < 36; x++)
    for (int c = 0; c < 3; c++) {
      attention a = begin(1, 2, 2, lengths[x % 6], lengths[x / 6], 16, 16, c & 1);
      a.p.causal = causals[c];
      check(a, "lengths");
    }
}
END_TEST

START_TEST(every_width) {
  static const int64_t dims[][2] = {{1, 1},   {3, 20},  {16, 7},  {33, 64},
                                    {64, 64}, {80, 16}, {17, 128}};
  cpu_set_level(_i);
  for (int d = 0; d < 7; d++)
    for (int layout = 0; layout < 2; layout++) {
      attention a = begin(2, 4, 4, 70, 90, dims[d][0], dims[d][1], layout);
      a.p.causal = RILL_ATTENTION_BOTTOM_RIGHT;
      check(a, "widths");
    }
}
END_TEST

START_TEST(every_window) {
  static const int64_t windows[] = {1, 2, 5, 63, 64, 65, 100, 1000, INT64_MAX};
  cpu_set_level(_i);
  for (int w = 0; w < 9; w++)
    for (int c = 1; c < 3; c++) {
      attention a = begin(1, 2, 1, 130, c == 1 ? 200 : 100, 8, 8, true);
      a.p.causal = causals[c];
      a.p.window = windows[w];
      check(a, "window");
    }
}
END_TEST

START_TEST(grouped_heads) {
  cpu_set_level(_i);
  for (int64_t kv = 1; kv <= 12; kv++)
    for (int64_t batch = 1; batch < 4 && 12 % kv == 0; batch++) {
      attention a = begin(batch, 12, kv, 66, 66, 16, 16, true);
      a.p.causal = RILL_ATTENTION_BOTTOM_RIGHT;
      check(a, "groups");
    }
}
END_TEST

START_TEST(biases_caps_and_slopes) {
  cpu_set_level(_i);
  for (int x = 0; x < 16; x++)
    for (int c = 0; c < 3; c++) {
      attention a = begin(2, 4, 2, 75, 130, 16, 32, x & 1);
      a.p.causal = causals[c];
      a.p.scale = 0.7;
      if (x & 1) add_bias(&a, QUERIES | KEYS);
      if (x & 2) add_alibi(&a);
      if (x & 4) a.p.softcap = 1.5;
      if (x & 8) add_keep(&a, 0.6);
      check(a, "bias");
    }
}
END_TEST

START_TEST(dropout) {
  cpu_set_level(_i);
  for (int c = 0; c < 3; c++) {
    attention a = begin(2, 4, 2, 75, 130, 16, 32, true);
    a.p.causal = causals[c];
    a.p.dropout = 0.3, a.p.seed = 0x123456789abcdef, a.p.offset = UINT64_C(0xfffffff0);
    if (c == 1) a.p.softcap = 2;
    if (c == 2) add_bias(&a, HEADS | KEYS), add_alibi(&a);
    ck_assert_uint_eq(rill_attention_dropout_blocks(&a.p), 2 * 4 * 75 * 33);
    check(a, "dropout");
  }
}
END_TEST

START_TEST(masks_broadcast) {
  cpu_set_level(_i);
  attention a = begin(3, 2, 2, 20, 70, 8, 8, true);
  add_keep(&a, 0.5); /* key padding: [batch, 1, 1, k_len] */
  a.p.keep_stride[0] = 70, a.p.keep_stride[1] = a.p.keep_stride[2] = 0;
  check(a, "broadcast");
}
END_TEST

/* The gradient of a bias sums over the dims that it is broadcast over, whichever they are. */
START_TEST(biases_broadcast) {
  cpu_set_level(_i);
  for (int dims = 0; dims < 16; dims++)
    for (int c = 0; c < 3; c++) {
      attention a = begin(2, 4, 2, 70, 133, 6, 8, dims & 1);
      a.p.causal = causals[c];
      if (c == 1) a.p.window = 50;
      add_bias(&a, dims);
      if (dims & 4) add_alibi(&a);
      check(a, "bias dims");
    }
}
END_TEST

/* Rows that see nothing: by causality where q_len > k_len (in every case of every_pair_of_lengths
 * too), and by mask, first row and whole head. */
START_TEST(rows_that_see_nothing) {
  cpu_set_level(_i);
  attention a = begin(1, 2, 2, 100, 70, 16, 16, false);
  add_keep(&a, 0.5);
  memset(a.keep, 0, 70 * 3);
  memset(a.keep + 100 * 70, 0, 100 * 70);
  double *o = a.o, *lse = a.lse, *dq = a.dq;
  outputs r = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  o = r.o, lse = r.lse, dq = r.dq;
  for (int i = 0; i < 200; i++) {
    if (i >= 3 && i < 100) continue;
    ck_assert(lse[i] == INFINITY);
    for (int c = 0; c < 16; c++) ck_assert(o[i * 16 + c] == 0 && dq[i * 16 + c] == 0);
  }
  double *dk = r.dk, *dv = r.dv;
  for (int x = 70 * 16; x < 140 * 16; x++) ck_assert(dk[x] == 0 && dv[x] == 0);
  drop_f64(r);
  check(a, "nothing");
}
END_TEST

/* What a mask hides may be anything: NaN or infinite keys and values, and gradients of rows that see
 * nothing. The dense computation never reads them. */
START_TEST(hidden_nan_does_not_leak) {
  cpu_set_level(_i);
  for (int x = 0; x < 4; x++) {
    attention a = begin(1, 9, 9, 70, 140, 16, 16, x & 1);
    rill_attention_params *p = &a.p;
    p->causal = x & 2 ? RILL_ATTENTION_TOP_LEFT : RILL_ATTENTION_FULL;
    add_keep(&a, 0.8);
    p->keep_stride[0] = p->keep_stride[1] = p->keep_stride[2] = 0; /* hides keys from all */
    if (x & 1) p->softcap = 3;
    add_bias(&a, HEADS | (x & 1 ? QUERIES : KEYS));
    add_alibi(&a);
    for (int64_t h = 0; h < 9; h++)
      for (int64_t j = 0; j < 140; j++) {
        if (a.keep[j] && !(p->causal && j >= 70)) continue;
        double *k = a.k + j * p->k_stride[1] + h * p->k_stride[2];
        double *v = a.v + j * p->v_stride[1] + h * p->v_stride[2];
        for (int c = 0; c < 16; c++) k[c] = c & 1 ? NAN : INFINITY, v[c] = c & 2 ? NAN : -INFINITY;
      }
    check(a, "hidden");
  }
}
END_TEST

/* A NaN at key 40 reaches the queries that see it and no others; rms_ratio lets a NaN pass only
 * where both have one. */
START_TEST(seen_nan_reaches_its_rows_only) {
  cpu_set_level(_i);
  attention a = begin(1, 1, 1, 100, 100, 16, 16, false);
  a.p.causal = RILL_ATTENTION_BOTTOM_RIGHT;
  for (int c = 0; c < 16; c++) a.v[40 * 16 + c] = NAN;
  outputs r = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  for (int i = 0; i < 100 * 16; i++) {
    ck_assert(isnan(((double *)r.o)[i]) == (i / 16 >= 40));
    ck_assert(isnan(((double *)r.dq)[i]) == (i / 16 >= 40));
  }
  drop_f64(r);
  end(&a);
}
END_TEST

START_TEST(large_scores_stay_finite) {
  cpu_set_level(_i);
  attention a = begin(1, 2, 2, 70, 130, 16, 16, false);
  for (int64_t i = 0; i < a.nq; i++) a.q[i] = (float)(a.q[i] * 30);
  a.p.causal = RILL_ATTENTION_BOTTOM_RIGHT;
  dense(&a);
  outputs r = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  near_f64(&a, r, 1e-12, "large");
  drop_f64(r);
  end(&a);
}
END_TEST

/* Perturbing key and value j leaves the rows before it as they were, to the bit. */
START_TEST(causality) {
  cpu_set_level(_i);
  attention a = begin(1, 1, 1, 150, 150, 16, 16, false);
  a.p.causal = RILL_ATTENTION_BOTTOM_RIGHT;
  outputs x = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  for (int c = 0; c < 16; c++) a.k[77 * 16 + c] += 1, a.v[77 * 16 + c] -= 1;
  outputs y = run_f64(&a, a.q, a.k, a.v, a.d_o, &a.p, false);
  ck_assert(!memcmp(x.o, y.o, 77 * 16 * 8));
  for (int i = 77; i < 150; i++) ck_assert(((double *)x.o)[i * 16] != ((double *)y.o)[i * 16]);
  drop_f64(x), drop_f64(y);
  end(&a);
}
END_TEST

START_TEST(empty_sizes) {
  static const int64_t sizes[][3] = {{0, 5, 5}, {2, 0, 5}, {2, 5, 0}, {2, 0, 0}};
  cpu_set_level(_i);
  for (int s = 0; s < 4; s++)
    for (int c = 0; c < 3; c++) {
      attention a = begin(sizes[s][0], 2, 1, sizes[s][1], sizes[s][2], 4, 4, true);
      a.p.causal = causals[c];
      add_bias(&a, s == 0 ? KEYS : c == 0 ? BATCHES : c == 1 ? KEYS : QUERIES | KEYS);
      add_alibi(&a);
      check(a, "empty");
    }
}
END_TEST

START_TEST(wrong_arguments) {
  attention a = begin(1, 4, 2, 3, 3, 4, 4, true);
  rill_attention_params good = a.p, p;
  ck_assert_int_eq(rill_attention_check(NULL), RILL_ERROR_ARGUMENT);
  rill_attention_params_init(NULL);
  rill_attention_params_init(&p);
  ck_assert(p.struct_size == sizeof p && p.batch == 0 && p.keep == NULL);
#define WRONG(field, value, error)                                                                 \
  p = good, p.field = value;                                                                       \
  ck_assert_int_eq(rill_attention_check(&p), error)
  WRONG(struct_size, 8, RILL_ERROR_ARGUMENT);
  WRONG(batch, -1, RILL_ERROR_SHAPE);
  WRONG(q_len, -1, RILL_ERROR_SHAPE);
  WRONG(k_len, -1, RILL_ERROR_SHAPE);
  WRONG(heads, 0, RILL_ERROR_SHAPE);
  WRONG(heads, 3, RILL_ERROR_SHAPE);
  WRONG(kv_heads, 0, RILL_ERROR_SHAPE);
  WRONG(head_dim, 0, RILL_ERROR_SHAPE);
  WRONG(value_dim, 0, RILL_ERROR_SHAPE);
  WRONG(head_dim, RILL_ATTENTION_DIM_MAX + 1, RILL_ERROR_UNSUPPORTED);
  WRONG(causal, (rill_attention_causal)3, RILL_ERROR_ARGUMENT);
  WRONG(window, 4, RILL_ERROR_ARGUMENT);
  WRONG(scale, NAN, RILL_ERROR_ARGUMENT);
  WRONG(softcap, -1, RILL_ERROR_ARGUMENT);
  WRONG(dropout, 1, RILL_ERROR_ARGUMENT);
  WRONG(dropout, NAN, RILL_ERROR_ARGUMENT);
  WRONG(q_len, INT64_MAX / 2, RILL_ERROR_OVERFLOW);
#undef WRONG
  end(&a);
}
END_TEST

static TCase *tcase(void) {
  if (openblas_set_num_threads) openblas_set_num_threads(1);
  TCase *c = tcase_create("attention");
  tcase_set_timeout(c, 300);
  tcase_add_loop_test(c, every_pair_of_lengths, 0, CPU_LEVELS);
  tcase_add_loop_test(c, every_width, 0, CPU_LEVELS);
  tcase_add_loop_test(c, every_window, 0, CPU_LEVELS);
  tcase_add_loop_test(c, grouped_heads, 0, CPU_LEVELS);
  tcase_add_loop_test(c, biases_caps_and_slopes, 0, CPU_LEVELS);
  tcase_add_loop_test(c, dropout, 0, CPU_LEVELS);
  tcase_add_loop_test(c, masks_broadcast, 0, CPU_LEVELS);
  tcase_add_loop_test(c, biases_broadcast, 0, CPU_LEVELS);
  tcase_add_loop_test(c, rows_that_see_nothing, 0, CPU_LEVELS);
  tcase_add_loop_test(c, hidden_nan_does_not_leak, 0, CPU_LEVELS);
  tcase_add_loop_test(c, seen_nan_reaches_its_rows_only, 0, CPU_LEVELS);
  tcase_add_loop_test(c, large_scores_stay_finite, 0, CPU_LEVELS);
  tcase_add_loop_test(c, causality, 0, CPU_LEVELS);
  tcase_add_loop_test(c, empty_sizes, 0, CPU_LEVELS);
  tcase_add_test(c, wrong_arguments);
  return c;
}

TEST_MAIN("attention", tcase)

/* The faces of the sequence kernels: attention, causal_conv1d, rope and selective_scan. */
#ifndef REAL

/* Bits of a size's last number: what takes part. */
enum {
  USE_MASK = 1,
  USE_BIAS = 2,
  USE_ALIBI = 4,
  USE_WINDOW = 8,
  USE_DROPOUT = 16,
  USE_SOFTCAP = 32,
  USE_KEY_BIAS = 64 /* of keys alone */
};
enum { CONV_BIAS = 1, CONV_INITIAL = 2, CONV_SILU = 4, CONV_FINAL = 8 };
enum {
  SCAN_SKIP = 1,
  SCAN_GATE = 2,
  SCAN_BIAS = 4,
  SCAN_INITIAL = 8,
  SCAN_SOFTPLUS = 16,
  SCAN_FINAL = 32
};

#define FACE_FAMILY "ops/test_faces_sequence.h"
#include "ops/test_faces_types.h"

/* batch, queries, keys, heads, key heads, width, causal, USE_ bits. */
static const face_sizes attention_sizes = {
    8,
    11,
    {{1, 1, 2, 1, 1, 2, 0, USE_BIAS | USE_ALIBI},
     {2, 0, 3, 2, 2, 4, 0, USE_KEY_BIAS},
     {2, 3, 0, 2, 2, 4, 0, USE_ALIBI},
     {2, 5, 7, 4, 2, 6, 1, USE_ALIBI | USE_SOFTCAP},
     {1, 33, 33, 3, 3, 17, 2, USE_MASK},
     {1, 40, 45, 2, 1, 8, 0, USE_BIAS | USE_DROPOUT},
     {1, 70, 70, 2, 2, 9, 1, USE_WINDOW | USE_DROPOUT},
     {2, 66, 70, 4, 2, 8, 1, USE_BIAS | USE_ALIBI | USE_SOFTCAP | USE_WINDOW},
     {2, 131, 131, 3, 1, 32, 1, 0},
     {1, 150, 150, 2, 2, 65, 0, USE_MASK | USE_ALIBI},
     {2, 70, 133, 4, 2, 16, 0, USE_KEY_BIAS | USE_ALIBI | USE_DROPOUT}}};
/* batch, steps, channels, taps, CONV_ bits. */
static const face_sizes conv_sizes = {6,
                                      7,
                                      {{1, 1, 1, 1, 0},
                                       {0, 3, 2, 2, CONV_BIAS},
                                       {2, 0, 3, 4, CONV_INITIAL | CONV_FINAL},
                                       {2, 5, 3, 4, 15},
                                       {1, 2, 17, 4, CONV_FINAL | CONV_SILU},
                                       {3, 1, 131, 3, CONV_BIAS | CONV_INITIAL | CONV_FINAL},
                                       {3, 67, 261, 4, CONV_BIAS | CONV_SILU}}};
/* batch, steps, channels, states, SCAN_ bits. */
static const face_sizes scan_sizes = {
    6,
    7,
    {{1, 1, 1, 1, 0},
     {0, 3, 2, 4, SCAN_SKIP},
     {2, 0, 3, 4, SCAN_INITIAL | SCAN_FINAL},
     {2, 5, 3, 4, 63},
     {1, 33, 17, 5, SCAN_FINAL},
     {3, 1, 131, 3, SCAN_SKIP | SCAN_INITIAL | SCAN_FINAL},
     {2, 35, 261, 16, SCAN_SKIP | SCAN_GATE | SCAN_BIAS | SCAN_SOFTPLUS}}};
/* batch, steps, heads, width, offset, interleaved. */
static const face_sizes rope_sizes = {4,
                                      6,
                                      {{1, 1, 1, 2, 0, 0},
                                       {2, 0, 3, 4, 0, 0},
                                       {2, 5, 3, 6, 7, 0},
                                       {1, 17, 2, 34, 1000, 1},
                                       {2, 131, 3, 64, 3, 0},
                                       {1, 513, 2, 130, 0, 1}}};

static const face_case sequence_cases[] = {
    {"attention", attention_f32, attention_f64, &attention_sizes, NULL, false},
    {"causal_conv1d", conv_f32, conv_f64, &conv_sizes, NULL, false},
    {"rope", rope_f32, rope_f64, &rope_sizes, NULL, false},
    {"selective_scan", scan_f32, scan_f64, &scan_sizes, NULL, false},
};

#else

/* ---- attention ---- */

static rill_attention_params N(attention_params)(const int64_t *size) {
  rill_attention_params p = RILL_ATTENTION_PARAMS_INIT;
  int64_t bits = size[7];
  p.batch = size[0];
  p.q_len = size[1];
  p.k_len = size[2];
  p.heads = size[3];
  p.kv_heads = size[4];
  p.head_dim = size[5];
  p.value_dim = size[5] + 1;
  int64_t *strides[] = {p.q_stride, p.k_stride, p.v_stride, p.o_stride};
  for (int i = 0; i < 4; i++) {
    int64_t heads = i == 0 || i == 3 ? p.heads : p.kv_heads,
            steps = i == 0 || i == 3 ? p.q_len : p.k_len;
    strides[i][2] = i < 2 ? p.head_dim : p.value_dim;
    strides[i][1] = strides[i][2] * heads;
    strides[i][0] = strides[i][1] * steps;
  }
  p.causal = (rill_attention_causal)size[6];
  p.window = bits & USE_WINDOW ? 21 : 0;
  p.softcap = bits & USE_SOFTCAP ? 2.5 : 0;
  p.dropout = bits & USE_DROPOUT ? 0.3 : 0;
  p.seed = 77; /* the context's: face_run */
  return p;
}

/* A mask of [queries, keys], or of keys alone, for all batches and heads alike, and slopes: into params
 * and, as leaves, into options. */
static void N(attention_extras)(rill_context *ctx, int64_t bits, rill_attention_params *p,
                                rill_tensor **mask, rill_tensor **alibi) {
  int64_t rows = bits & USE_KEY_BIAS ? 1 : p->q_len, scores[] = {rows, p->k_len};
  int64_t n = rows * p->k_len;
  if (bits & USE_MASK) {
    p->keep = face_mask(n);
    p->keep_stride[2] = p->k_len;
    p->keep_stride[3] = 1;
    *mask = rill_from_buffer(ctx, RILL_BOOL, scores, 2, p->keep);
  }
  if (bits & (USE_BIAS | USE_KEY_BIAS)) {
    REAL *bias = N(values)(n);
    p->bias = bias;
    p->bias_stride[2] = rows == 1 ? 0 : p->k_len;
    p->bias_stride[3] = 1;
    *mask = N(leaf)(ctx, bias, scores, 2);
  }
  if (bits & USE_ALIBI) {
    REAL *slopes = N(values)(p->heads);
    p->alibi = slopes;
    *alibi = N(leaf)(ctx, slopes, &p->heads, 1);
  }
}

static void N(attention)(rill_context *ctx, const face_case *c, const int64_t *size) {
  rill_attention_params p = N(attention_params)(size);
  rill_attention_options o = RILL_ATTENTION_OPTIONS_INIT;
  rill_tensor *mask = NULL, *alibi = NULL;
  (void)c;
  N(attention_extras)(ctx, size[7], &p, &mask, &alibi);
  o.mask = mask;
  o.alibi = alibi;
  o.causal = (rill_causal)p.causal;
  o.window = p.window;
  o.softcap = p.softcap;
  o.dropout = p.dropout;
  int64_t q_shape[] = {p.batch, p.q_len, p.heads, p.head_dim};
  int64_t k_shape[] = {p.batch, p.k_len, p.kv_heads, p.head_dim};
  int64_t v_shape[] = {p.batch, p.k_len, p.kv_heads, p.value_dim};
  int64_t nq = p.batch * p.q_stride[0], nk = p.batch * p.k_stride[0], nv = p.batch * p.v_stride[0];
  int64_t no = p.batch * p.o_stride[0];
  REAL *q = N(values)(nq), *k = N(values)(nk), *v = N(values)(nv), *g = N(values)(no);
  REAL *y = N(room)(no), *lse = N(room)(p.batch * p.heads * p.q_len);
  REAL *gq = N(room)(nq), *gk = N(room)(nk), *gv = N(room)(nv);
  REAL *g_bias = N(room)(p.q_len * p.k_len + p.k_len), *g_alibi = N(room)(p.heads);
  void *workspace = face_take((int64_t)N(rill_attention_workspace)(&p), 1);
  face_status(rill_attention_check(&p));
  K(attention)(&p, q, k, v, y, lse, 0, rill_attention_units(&p), workspace);
  K(attention_backward)
  (&p, q, k, v, y, lse, g, gq, gk, gv, 0, rill_attention_backward_units(&p), workspace);
  if (p.bias) {
    int64_t units = rill_attention_backward_bias_units(&p);
    K(attention_backward_bias)(&p, q, k, v, y, lse, g, g_bias, 0, units, workspace);
  }
  if (p.alibi) {
    int64_t units = rill_attention_backward_alibi_units(&p);
    K(attention_backward_alibi)(&p, q, k, v, y, lse, g, g_alibi, 0, units, workspace);
  }
  rill_tensor *tq = N(leaf)(ctx, q, q_shape, 4), *tk = N(leaf)(ctx, k, k_shape, 4);
  rill_tensor *tv = N(leaf)(ctx, v, v_shape, 4);
  face_agree(ctx, DTYPE, &(face_value){rill_attention(ctx, tq, tk, tv, &o), y, no, g}, 1,
             (face_grad[]){{"of q", tq, gq},
                           {"of k", tk, gk},
                           {"of v", tv, gv},
                           {"of mask", p.bias ? mask : NULL, g_bias},
                           {"of alibi", alibi, g_alibi}},
             5);
}

/* ---- causal_conv1d ---- */

static void N(conv)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t bits = size[4], channels = size[2], taps = size[3], all = size[0] * size[1] * channels;
  int64_t rest = size[0] * (taps - 1) * channels, tail_shape[] = {size[0], taps - 1, channels};
  bool final = bits & CONV_FINAL;
  (void)c;
  rill_causal_conv1d_params p = {.struct_size = sizeof p,
                                 .batch = size[0],
                                 .steps = size[1],
                                 .channels = channels,
                                 .taps = taps,
                                 .silu = bits & CONV_SILU};
  REAL *x = N(values)(all), *w = N(values)(channels * taps), *g = N(values)(all);
  REAL *b = bits & CONV_BIAS ? N(values)(channels) : NULL;
  REAL *tail = bits & CONV_INITIAL ? N(values)(rest) : NULL;
  REAL *y = N(room)(all), *end = final ? N(room)(rest) : NULL,
       *g_end = final ? N(values)(rest) : NULL;
  REAL *gx = N(room)(all), *gw = N(room)(channels * taps), *gb = N(room)(channels);
  REAL *g_tail = N(room)(rest),
       *partials = face_take((int64_t)N(rill_causal_conv1d_partials)(&p), 1);
  void *workspace = face_take((int64_t)N(rill_causal_conv1d_workspace)(&p), 1);
  int64_t units = rill_causal_conv1d_units(&p);
  face_status(K(causal_conv1d)(&p, x, w, b, tail, y, end, 0, units, workspace));
  face_status(K(causal_conv1d_backward)(&p, x, w, b, tail, g, g_end, gx, g_tail, partials, 0, units,
                                        workspace));
  face_status(
      K(causal_conv1d_reduce)(&p, partials, gw, gb, 0, rill_causal_conv1d_reduce_units(&p)));
  rill_tensor *tx = N(leaf)(ctx, x, size, 3), *tw = N(leaf)(ctx, w, size + 2, 2);
  rill_tensor *tb = N(leaf)(ctx, b, &channels, 1), *ti = N(leaf)(ctx, tail, tail_shape, 3),
              *tf = NULL;
  rill_tensor *out = rill_causal_conv1d(ctx, tx, tw, tb, ti, p.silu, final ? &tf : NULL);
  face_agree(ctx, DTYPE, (face_value[]){{out, y, all, g}, {tf, end, rest, g_end}}, 1 + final,
             (face_grad[]){{"of input", tx, gx},
                           {"of weight", tw, gw},
                           {"of bias", tb, gb},
                           {"of initial", ti, g_tail}},
             4);
}

/* ---- rope ---- */

static void N(rope)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t width = size[3], all = size[0] * size[1] * size[2] * width;
  REAL *x = N(values)(all), *g = N(values)(all), *y = N(room)(all), *gx = N(room)(all);
  (void)c;
  rill_rope_params p = RILL_ROPE_PARAMS_INIT;
  p.batch = size[0];
  p.time = size[1];
  p.heads = size[2];
  p.head_dim = width;
  p.offset = size[4];
  p.interleaved = size[5];
  for (int d = 0; d < 3; d++)
    p.x_stride[d] = p.y_stride[d] = width * (d < 2 ? size[2] : 1) * (d < 1 ? size[1] : 1);
  face_status(rill_rope_check(&p));
  for (int slow = 0; slow < 2; slow++) {
    p.base = slow ? 5e5 : 0;
    p.inverse = false;
    K(rope)(&p, x, y);
    p.inverse = true;
    K(rope)(&p, g, gx);
    rill_tensor *t = N(leaf)(ctx, x, size, 4);
    rill_tensor *out = rill_rope(ctx, t, p.offset, p.base, p.interleaved);
    face_agree(ctx, DTYPE, &(face_value){out, y, all, g}, 1, &(face_grad){"gradient", t, gx}, 1);
  }
}

/* ---- selective_scan ---- */

/* What the pure face takes and gives. NULL where a size's bits leave it out. */
typedef struct N(scanned) {
  rill_selective_scan_params p;
  REAL *u, *delta, *A, *B, *C, *D, *z, *bias, *h0, *g, *g_end;
  REAL *y, *end, *gu, *gdelta, *gA, *gB, *gC, *gD, *gz, *gbias, *gh0;
} N(scanned);

static N(scanned) N(scan_of)(const int64_t *size) {
  int64_t batch = size[0], steps = size[1], channels = size[2], states = size[3], bits = size[4];
  int64_t all = batch * steps * channels, rows = batch * steps * states;
  int64_t state = batch * channels * states;
  N(scanned)
  s = {.p = {.struct_size = sizeof s.p,
             .batch = batch,
             .steps = steps,
             .channels = channels,
             .states = states,
             .delta_softplus = bits & SCAN_SOFTPLUS},
       .u = N(values)(all),
       .delta = N(values)(all),
       .A = N(values)(channels * states),
       .B = N(values)(rows),
       .C = N(values)(rows),
       .D = bits & SCAN_SKIP ? N(values)(channels) : NULL,
       .z = bits & SCAN_GATE ? N(values)(all) : NULL,
       .bias = bits & SCAN_BIAS ? N(values)(channels) : NULL,
       .h0 = bits & SCAN_INITIAL ? N(values)(state) : NULL,
       .g = N(values)(all),
       .g_end = bits & SCAN_FINAL ? N(values)(state) : NULL,
       .y = N(room)(all),
       .end = bits & SCAN_FINAL ? N(room)(state) : NULL,
       .gu = N(room)(all),
       .gdelta = N(room)(all),
       .gA = N(room)(channels * states),
       .gB = N(room)(rows),
       .gC = N(room)(rows),
       .gD = N(room)(channels),
       .gz = bits & SCAN_GATE ? N(room)(all) : NULL,
       .gbias = N(room)(channels),
       .gh0 = N(room)(state)};
  for (int64_t i = 0; i < channels * states; i++) s.A[i] = -s.A[i] * s.A[i];
  for (int64_t i = 0; i < all; i++) s.delta[i] = s.delta[i] * s.delta[i] / 4;
  return s;
}

static void N(scan_pure)(N(scanned) * s) {
  const rill_selective_scan_params *p = &s->p;
  void *workspace = face_take((int64_t)N(rill_selective_scan_workspace)(p), 1);
  REAL *checkpoints = face_take((int64_t)N(rill_selective_scan_checkpoints)(p), 1);
  REAL *partials = face_take((int64_t)N(rill_selective_scan_partials)(p), 1);
  int64_t units = rill_selective_scan_units(p), reduce = rill_selective_scan_reduce_units(p);
  face_status(K(selective_scan)(p, s->u, s->delta, s->A, s->B, s->C, s->D, s->z, s->bias, s->h0,
                                s->y, s->end, checkpoints, 0, units, workspace));
  face_status(K(selective_scan_backward)(p, s->u, s->delta, s->A, s->B, s->C, s->D, s->z, s->bias,
                                         checkpoints, s->g, s->g_end, s->gu, s->gdelta, s->gz,
                                         s->gh0, partials, 0, units, workspace));
  face_status(
      K(selective_scan_reduce)(p, partials, s->gA, s->gB, s->gC, s->gD, s->gbias, 0, reduce));
}

static void N(scan)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(scanned) s = N(scan_of)(size);
  int64_t rows[] = {size[0], size[1], size[3]}, state[] = {size[0], size[2], size[3]};
  (void)c;
  N(scan_pure)(&s);
  rill_tensor *u = N(leaf)(ctx, s.u, size, 3), *delta = N(leaf)(ctx, s.delta, size, 3), *end = NULL;
  rill_tensor *A = N(leaf)(ctx, s.A, size + 2, 2), *B = N(leaf)(ctx, s.B, rows, 3);
  rill_tensor *C = N(leaf)(ctx, s.C, rows, 3), *D = N(leaf)(ctx, s.D, size + 2, 1);
  rill_tensor *z = N(leaf)(ctx, s.z, size, 3), *bias = N(leaf)(ctx, s.bias, size + 2, 1);
  rill_tensor *h0 = N(leaf)(ctx, s.h0, state, 3);
  rill_selective_scan_options o = {sizeof o,           D, z, bias, s.p.delta_softplus, h0,
                                   s.end ? &end : NULL};
  rill_tensor *out = rill_selective_scan(ctx, u, delta, A, B, C, &o);
  face_agree(ctx, DTYPE,
             (face_value[]){{out, s.y, size[0] * size[1] * size[2], s.g},
                            {end, s.end, size[0] * size[2] * size[3], s.g_end}},
             1 + (s.end != NULL),
             (face_grad[]){{"of u", u, s.gu},
                           {"of delta", delta, s.gdelta},
                           {"of A", A, s.gA},
                           {"of B", B, s.gB},
                           {"of C", C, s.gC},
                           {"of D", D, s.gD},
                           {"of z", z, s.gz},
                           {"of delta_bias", bias, s.gbias},
                           {"of initial", h0, s.gh0}},
             9);
}

#endif

/* The faces of dropout, its mask, and those of the factories that have a pure face. */
#ifndef REAL

#define FACE_FAMILY "ops/test_faces_random.h"
#include "ops/test_faces_types.h"

static const face_sizes dropout_sizes = {5, 6, {{1}, {0}, {3}, {259}, {1031}, {70001}}};

static const face_case random_cases[] = {
    {"dropout", dropout_f32, dropout_f64, &dropout_sizes, NULL, false},
};

/* Not ops, but they have both faces. */
static const face_case factories_cases[] = {
    {"rand", rand_f32, rand_f64, &dropout_sizes, NULL, false},
    {"randn", randn_f32, randn_f64, &dropout_sizes, NULL, false},
    {"full", full_f32, full_f64, &dropout_sizes, NULL, false},
};

#else

/* By rill_call, so with a seed or (SEED_OF_CONTEXT) without. */
static rill_tensor *N(dropout_called)(rill_context *ctx, const rill_tensor *x, double p,
                                      const uint64_t *seed) {
  rill_tensor *out = NULL;
  rill_value args[] = {op_t(x), op_f(p), seed ? op_i((int64_t)*seed) : op_to(NULL)};
  return rill_call(ctx, "dropout", args, 3, &out, 1, NULL) == RILL_OK ? out : NULL;
}

static void N(dropout)(rill_context *ctx, const face_case *c, const int64_t *size) {
  static const double shares[] = {0.3, 0, 0.75, 1};
  int64_t n = size[0];
  uint64_t seed = 0xfedcba9876543210u, offset = 0, stream = 77; /* the context's: face_run */
  REAL *x = N(special)(n), *g = N(values)(n), *y = N(room)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, &n, 1);
  (void)c;
  for (int i = 0; i < FACE_COUNT(shares); i++) {
    double p = shares[i];
    K(dropout)(x, p, seed, 0, 0, y, NULL, n);
    K(dropout)(g, p, seed, 0, 0, gx, NULL, n);
    face_grad grad = {"gradient", t, gx};
    rill_tensor *seeded = rill_dropout_seeded(ctx, t, p, seed);
    face_agree(ctx, DTYPE, &(face_value){seeded, y, n, g}, 1, &grad, 1);
    rill_tensor *called = N(dropout_called)(ctx, t, p, &seed);
    face_agree(ctx, DTYPE, &(face_value){called, y, n, g}, 1, &grad, 1);
    for (int named = 0; named < 2; named++) { /* each takes the next stretch of the stream */
      K(dropout)(x, p, stream, offset, 0, y, NULL, n);
      K(dropout)(g, p, stream, offset, 0, gx, NULL, n);
      rill_tensor *out = named ? N(dropout_called)(ctx, t, p, NULL) : rill_dropout(ctx, t, p);
      face_agree(ctx, DTYPE, &(face_value){out, y, n, g}, 1, &grad, 1);
      offset += (uint64_t)(n + 3) / 4;
    }
  }
}

/* Of ones: what is kept is 1 / (1 - p) to the bit, about 70 of 100, in backward the same elements, and
 * by another seed others. */
static void N(dropout_mask)(rill_context *ctx) {
  enum { COUNT = 100000 };
  const double p = 0.3;
  int64_t n = COUNT, kept = 0, moved = 0, wrong = 0;
  REAL *x = N(room)(n), *y = N(room)(n);
  const REAL scale = (REAL)(1 / (1 - p));
  uint8_t *mask = face_take(n, 1);
  for (int64_t i = 0; i < n; i++) x[i] = 1;
  K(dropout)(x, p, 11, 0, 0, y, mask, n);
  for (int64_t i = 0; i < n; i++) kept += mask[i];
  ck_assert_double_le(fabs((double)kept - 0.7 * COUNT), 5 * sqrt(0.3 * 0.7 * COUNT));
  rill_tensor *t = N(leaf)(ctx, x, &n, 1), *out = rill_dropout_seeded(ctx, t, p, 11);
  rill_tensor *seed = N(tensor)(ctx, x, &n, 1), *grad = NULL;
  ck_assert_int_eq(
      rill_grad(ctx, &out, 1, &t, 1, (const rill_tensor *const *)&seed, false, false, &grad),
      RILL_OK);
  const REAL *forward = rill_tensor_data(out), *backward = rill_tensor_data(grad);
  const REAL *other = rill_tensor_data(rill_dropout_seeded(ctx, t, p, 12));
  for (int64_t i = 0; i < n; i++) {
    wrong += forward[i] != (mask[i] ? scale : 0) || backward[i] != forward[i];
    moved += forward[i] != other[i];
  }
  ck_assert_int_eq(wrong, 0);
  ck_assert_double_le(fabs((double)moved - 0.42 * COUNT), 5 * sqrt(0.42 * 0.58 * COUNT));
}

/* The second draw goes on where the first has ended. */
static void N(drawn)(rill_context *ctx, const int64_t *size, bool normal) {
  int64_t n = size[0], per_block = 16 / (int64_t)sizeof(REAL);
  uint64_t stream = 77, offset = (uint64_t)((n + per_block - 1) / per_block);
  REAL *y = N(room)(n);
  for (int second = 0; second < 2; second++) {
    normal ? K(randn)(stream, offset * (uint64_t)second, 0, y, n)
           : K(rand)(stream, offset * (uint64_t)second, 0, y, n);
    rill_tensor *t = normal ? rill_randn(ctx, DTYPE, &n, 1) : rill_rand(ctx, DTYPE, &n, 1);
    face_same(ctx, "value", t, DTYPE, y, n);
  }
}

static void N(rand)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(drawn)(ctx, size, false);
}

static void N(randn)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(drawn)(ctx, size, true);
}

static void N(full)(rill_context *ctx, const face_case *c, const int64_t *size) {
  REAL *y = N(room)(size[0]);
  (void)c;
  K(fill)(y, (REAL)-0.3, size[0]);
  face_same(ctx, "value", rill_full(ctx, DTYPE, size, 1, -0.3), DTYPE, y, size[0]);
}

#endif

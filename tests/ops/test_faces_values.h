/* Buffers of the pure face and tensors with the same values. */
#ifndef REAL
#define FACE_FAMILY "ops/test_faces_values.h"
#include "ops/test_faces_types.h"
#else

static REAL *N(room)(int64_t n) { return face_take(n, sizeof(REAL)); }

static REAL *N(zeros)(int64_t n) {
  REAL *x = N(room)(n);
  for (int64_t i = 0; i < n; i++) x[i] = 0;
  return x;
}

static REAL *N(values)(int64_t n) {
  REAL *x = N(room)(n);
  for (int64_t i = 0; i < n; i++) x[i] = (REAL)(4 * test_uniform(&face_seed) - 2);
  return x;
}

/* With zeros of both signs, infinities, NaN, and the very large and small among them. */
static REAL *N(special)(int64_t n) {
  static const double special[] = {0, -0.0, INFINITY, -INFINITY, NAN, 1e30, -1e30, 1e-42, 1};
  REAL *x = N(values)(n);
  for (int64_t i = 5; i < n; i += 13) x[i] = (REAL)special[i / 13 % FACE_COUNT(special)];
  return x;
}

/* x NULL: no tensor. */
static rill_tensor *N(tensor)(rill_context *ctx, const REAL *x, const int64_t *shape, int ndim) {
  return x ? rill_from_buffer(ctx, DTYPE, shape, ndim, x) : NULL;
}

static rill_tensor *N(leaf)(rill_context *ctx, const REAL *x, const int64_t *shape, int ndim) {
  rill_tensor *t = N(tensor)(ctx, x, shape, ndim);
  if (t) rill_set_requires_grad(ctx, t, true);
  return t;
}

#endif

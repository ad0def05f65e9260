/* The faces of the reductions, of argmax and argmin, and of cumsum. */
#ifndef REAL

/* X(op, numbers, functional face, pure value, pure gradient). A fold f has what the pure face takes. */
#define REDUCTIONS(X)                                                                              \
  X(sum, (0), rill_sum(ctx, x, dims, ndims, keep), K(sum)(f->x, f->y, SPAN),                       \
    K(sum_backward)(f->g, f->gx, SPAN))                                                            \
  X(mean, (0), rill_mean(ctx, x, dims, ndims, keep), K(mean)(f->x, f->y, SPAN),                    \
    K(mean_backward)(f->g, f->gx, SPAN))                                                           \
  X(var, (1, 0, 1.5), rill_var(ctx, x, dims, ndims, f->number, keep),                              \
    K(var)(f->x, f->number, f->y, f->mean, SPAN),                                                  \
    K(var_backward)(f->g, f->x, f->mean, f->number, f->gx, SPAN))                                  \
  X(max, (0), rill_max(ctx, x, dims, ndims, keep), face_status(K(max)(f->x, f->y, NULL, SPAN)),    \
    N(share)(f))                                                                                   \
  X(min, (0), rill_min(ctx, x, dims, ndims, keep), face_status(K(min)(f->x, f->y, NULL, SPAN)),    \
    N(share)(f))                                                                                   \
  X(logsumexp, (0), rill_logsumexp(ctx, x, dims, ndims, keep), K(logsumexp)(f->x, f->y, SPAN),     \
    K(logsumexp_backward)(f->g, f->x, f->y, f->gx, SPAN))                                          \
  X(norm, (2, 1, 0, 3, 0.5, INFINITY, -INFINITY), rill_norm(ctx, x, f->number, dims, ndims, keep), \
    K(norm)(f->x, f->number, f->y, SPAN),                                                          \
    K(norm_backward)(f->g, f->x, f->y, f->number, f->gx, SPAN))
#define SPAN f->outer, f->n, f->inner
#define BRACED(...)                                                                                \
  { __VA_ARGS__ }

/* The fourth number of a size: which dims of [outer, n, inner] are reduced. */
enum { REDUCE_MIDDLE, REDUCE_ALL, REDUCE_ENDS };

#define FACE_FAMILY "ops/test_faces_reduce.h"
#include "ops/test_faces_types.h"

static const face_sizes reduce_sizes = {7,
                                        9,
                                        {{1, 1, 1, REDUCE_MIDDLE},
                                         {0, 3, 2, REDUCE_MIDDLE},
                                         {5, 3, 0, REDUCE_MIDDLE},
                                         {3, 17, 1, REDUCE_MIDDLE},
                                         {2, 133, 70, REDUCE_MIDDLE},
                                         {3, 17, 5, REDUCE_ALL},
                                         {3, 17, 5, REDUCE_ENDS},
                                         {41, 1031, 3, REDUCE_MIDDLE},
                                         {1031, 41, 3, REDUCE_ENDS}}};
static const face_sizes along_sizes = {
    5, 6, {{1, 1, 1}, {0, 3, 2}, {5, 3, 0}, {3, 17, 1}, {2, 133, 70}, {41, 1031, 3}}};

#define REDUCE_CASE(op, ...)                                                                       \
  {#op, reduce_##op##_f32, reduce_##op##_f64, &reduce_sizes, NULL, false},
static const face_case reduce_cases[] = {
    REDUCTIONS(REDUCE_CASE) /* over any dims */
    {"argmax", argmax_f32, argmax_f64, &along_sizes, NULL, false},
    {"argmin", argmin_f32, argmin_f64, &along_sizes, NULL, false},
    {"cumsum", cumsum_f32, cumsum_f64, &along_sizes, NULL, false},
};

#else

typedef struct N(fold) {
  const REAL *x, *g;
  REAL *y, *mean, *gx;
  int64_t outer, n, inner;
  double number;
} N(fold);

/* The gradient of max and min: elements equal to the extreme share that of the result. */
static void N(share)(N(fold) * f) {
  int64_t count = f->outer * f->inner, all = count * f->n;
  REAL *chosen = N(room)(all), *ties = N(room)(count), *share = N(room)(count);
  uint8_t *equal = face_take(all, 1);
  for (int64_t i = 0; i < f->outer * f->n; i++) K(eq)
  (f->x + i * f->inner, 1, f->y + i / f->n * f->inner, 1, equal + i * f->inner, f->inner);
  for (int64_t i = 0; i < all; i++) chosen[i] = equal[i];
  K(sum)(chosen, ties, SPAN);
  K(div)(f->g, 1, ties, 1, share, count);
  for (int64_t i = 0; i < f->outer * f->n; i++) K(mul)
  (chosen + i * f->inner, 1, share + i / f->n * f->inner, 1, f->gx + i * f->inner, f->inner);
}

/* x [outer, n, inner] to [n, outer, inner], or back. */
static REAL *N(swapped)(const REAL *x, int64_t outer, int64_t n, int64_t inner) {
  REAL *y = N(room)(outer * n * inner);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < n; i++)
      memcpy(y + (i * outer + o) * inner, x + (o * n + i) * inner, (size_t)inner * sizeof *y);
  return y;
}

static N(fold) N(fold_of)(const int64_t *size, const REAL *x) {
  N(fold) f = {.x = x, .outer = size[0], .n = size[1], .inner = size[2]};
  if (size[3] == REDUCE_ALL) {
    f.n *= f.outer * f.inner;
    f.outer = f.inner = 1;
  } else if (size[3] == REDUCE_ENDS) { /* the op brings what it reduces to the end */
    f.x = N(swapped)(x, f.outer, f.n, f.inner);
    f.outer = size[1];
    f.n = size[0] * size[2];
    f.inner = 1;
  }
  int64_t count = f.outer * f.inner;
  f.y = N(room)(count);
  f.mean = N(room)(count);
  f.g = N(values)(count);
  f.gx = N(room)(count * f.n);
  return f;
}

typedef rill_tensor *N(reduce_face)(rill_context *ctx, const N(fold) * f, const rill_tensor *x,
                                    const int *dims, int ndims, bool keep);

static void N(reduce)(rill_context *ctx, const int64_t *size, const double *numbers, int count,
                      N(reduce_face) * face, void (*value)(N(fold) *), void (*slope)(N(fold) *)) {
  static const int dims[][2] = {{1}, {0}, {-1, 0}}, ndims[] = {1, 0, 2};
  int64_t mode = size[3], all = size[0] * size[1] * size[2];
  REAL *x = N(values)(all);
  for (int64_t i = 0; i + 2 < all; i += 7) x[i + 2] = x[i]; /* ties */
  N(fold) f = N(fold_of)(size, x);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  for (int i = 0; i < (all > 50000 ? 1 : count); i++) {
    f.number = numbers[i];
    value(&f);
    slope(&f);
    const REAL *gx = mode == REDUCE_ENDS ? N(swapped)(f.gx, size[1], size[0], size[2]) : f.gx;
    rill_tensor *out = face(ctx, &f, t, dims[mode], ndims[mode], i % 2);
    face_agree(ctx, DTYPE, &(face_value){out, f.y, f.outer * f.inner, f.g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

#define REDUCTION(op, numbers, functional, value, slope)                                           \
  static rill_tensor *N(face_##op)(rill_context * ctx, const N(fold) * f, const rill_tensor *x,    \
                                   const int *dims, int ndims, bool keep) {                        \
    (void)f;                                                                                       \
    return functional;                                                                             \
  }                                                                                                \
  static void N(value_##op)(N(fold) * f) { value; }                                                \
  static void N(slope_##op)(N(fold) * f) { slope; }                                                \
  static void N(reduce_##op)(rill_context * ctx, const face_case *c, const int64_t *size) {        \
    static const double list[] = BRACED numbers;                                                   \
    (void)c;                                                                                       \
    N(reduce)(ctx, size, list, FACE_COUNT(list), N(face_##op), N(value_##op), N(slope_##op));      \
  }
REDUCTIONS(REDUCTION)
#undef REDUCTION

/* Along the middle of [outer, n, inner]. */
static void N(arg)(rill_context *ctx, const int64_t *size, bool least) {
  int64_t all = size[0] * size[1] * size[2], *y = face_take(size[0] * size[2], sizeof *y);
  REAL *x = N(special)(all);
  face_status(least ? K(min)(x, NULL, y, size[0], size[1], size[2])
                    : K(max)(x, NULL, y, size[0], size[1], size[2]));
  rill_tensor *t = N(tensor)(ctx, x, size, 3);
  rill_tensor *out = least ? rill_argmin(ctx, t, 1, false) : rill_argmax(ctx, t, -2, true);
  face_same(ctx, "value", out, RILL_I64, y, size[0] * size[2]);
}

static void N(argmax)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(arg)(ctx, size, false);
}

static void N(argmin)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(arg)(ctx, size, true);
}

static void N(cumsum)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t all = size[0] * size[1] * size[2];
  REAL *x = N(values)(all), *g = N(values)(all), *y = N(room)(all), *gx = N(room)(all);
  (void)c;
  K(cumsum)(x, y, size[0], size[1], size[2]);
  K(cumsum_backward)(g, gx, size[0], size[1], size[2]);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  face_agree(ctx, DTYPE, &(face_value){rill_cumsum(ctx, t, 1), y, all, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

#endif

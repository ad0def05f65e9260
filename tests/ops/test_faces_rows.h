/* The faces of what works row by row: softmax and log_softmax, cross_entropy, layer_norm and rms_norm. */
#ifndef REAL

/* As the pure face asks for of what a backward adds up over rows. */
enum { NORM_BLOCK = 256 };

#define FACE_FAMILY "ops/test_faces_rows.h"
#include "ops/test_faces_types.h"

/* outer, n, inner: the softmax is along n. */
static const face_sizes softmax_sizes = {
    5, 7, {{1, 1, 1}, {0, 3, 1}, {3, 0, 1}, {5, 17, 1}, {3, 600, 2}, {71, 1031, 1}, {7, 129, 81}}};
/* rows, cols. */
static const face_sizes row_sizes = {
    4, 6, {{1, 1}, {0, 5}, {3, 17}, {257, 3}, {600, 129}, {71, 1031}}};

static const face_case rows_cases[] = {
    {"softmax", softmax_f32, softmax_f64, &softmax_sizes, NULL, false},
    {"log_softmax", log_softmax_f32, log_softmax_f64, &softmax_sizes, NULL, false},
    {"layer_norm", layer_norm_f32, layer_norm_f64, &row_sizes, NULL, false},
    {"rms_norm", rms_norm_f32, rms_norm_f64, &row_sizes, NULL, false},
    {"cross_entropy", cross_entropy_f32, cross_entropy_f64, &row_sizes, NULL, false},
};

#else

/* [outer, n, inner] to [outer, inner, n], or back. */
static REAL *N(turned)(const REAL *x, int64_t outer, int64_t n, int64_t inner) {
  REAL *y = N(room)(outer * n * inner);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < inner; j++) y[(o * inner + j) * n + i] = x[(o * n + i) * inner + j];
  return y;
}

static void N(softmax_of)(rill_context *ctx, const int64_t *size, bool logarithm) {
  int64_t outer = size[0], n = size[1], inner = size[2], rows = outer * inner, all = rows * n;
  REAL *x = N(special)(all), *g = N(values)(all), *y = N(room)(all), *gx = N(room)(all);
  REAL *xt = N(turned)(x, outer, n, inner), *gt = N(turned)(g, outer, n, inner);
  if (logarithm) {
    K(log_softmax)(xt, y, rows, n);
    K(log_softmax_backward)(gt, y, gx, rows, n);
  } else {
    K(softmax)(xt, y, rows, n);
    K(softmax_backward)(gt, y, gx, rows, n);
  }
  rill_tensor *t = N(leaf)(ctx, x, size, inner == 1 ? 2 : 3);
  rill_tensor *out = logarithm ? rill_log_softmax(ctx, t, 1) : rill_softmax(ctx, t, 1);
  face_agree(ctx, DTYPE, &(face_value){out, N(turned)(y, outer, inner, n), all, g}, 1,
             &(face_grad){"gradient", t, N(turned)(gx, outer, inner, n)}, 1);
}

static void N(softmax)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(softmax_of)(ctx, size, false);
}

static void N(log_softmax)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(softmax_of)(ctx, size, true);
}

/* ---- norms: the parameters' gradients block by block, and the sum of the blocks ---- */

typedef struct N(norm) {
  int64_t rows, cols, blocks;
  REAL *x, *g, *weight, *bias, *y, *mean, *rstd, *gx, *gw, *gb;
} N(norm);

static N(norm) N(norm_of)(const int64_t *size, bool weight, bool bias) {
  int64_t rows = size[0], cols = size[1], blocks = (rows + NORM_BLOCK - 1) / NORM_BLOCK;
  return (N(norm)){.rows = rows,
                   .cols = cols,
                   .blocks = blocks,
                   .x = N(values)(rows * cols),
                   .g = N(values)(rows * cols),
                   .weight = weight ? N(values)(cols) : NULL,
                   .bias = bias ? N(values)(cols) : NULL,
                   .y = N(room)(rows * cols),
                   .mean = N(room)(rows),
                   .rstd = N(room)(rows),
                   .gx = N(room)(rows * cols),
                   .gw = N(zeros)(blocks * cols),
                   .gb = N(zeros)(blocks * cols)};
}

static void N(norm_agrees)(rill_context *ctx, const N(norm) * m, rill_tensor *x,
                           rill_tensor *weight, rill_tensor *bias, rill_tensor *out) {
  REAL *gw = N(room)(m->cols), *gb = N(room)(m->cols);
  K(sum)(m->gw, gw, 1, m->blocks, m->cols);
  K(sum)(m->gb, gb, 1, m->blocks, m->cols);
  face_agree(
      ctx, DTYPE, &(face_value){out, m->y, m->rows * m->cols, m->g}, 1,
      (face_grad[]){{"gradient", x, m->gx}, {"of weight", weight, gw}, {"of bias", bias, gb}}, 3);
}

static void N(layer_norm)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  for (int variant = 0; variant < 4; variant++) {
    N(norm) m = N(norm_of)(size, variant & 1, variant & 2);
    K(layer_norm)(m.x, m.weight, m.bias, 1e-4, m.y, m.mean, m.rstd, m.rows, m.cols);
    for (int64_t b = 0; b < m.blocks; b++) {
      int64_t i = b * NORM_BLOCK, at = i * m.cols, rows = m.rows - i;
      K(layer_norm_backward)
      (m.g + at, m.x + at, m.weight, m.mean + i, m.rstd + i, m.gx + at, m.gw + b * m.cols,
       m.gb + b * m.cols, rows < NORM_BLOCK ? rows : NORM_BLOCK, m.cols);
    }
    rill_tensor *x = N(leaf)(ctx, m.x, size, 2), *w = N(leaf)(ctx, m.weight, &m.cols, 1);
    rill_tensor *bias = N(leaf)(ctx, m.bias, &m.cols, 1);
    N(norm_agrees)(ctx, &m, x, w, bias, rill_layer_norm(ctx, x, w, bias, 1e-4));
  }
}

static void N(rms_norm)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  for (int weighted = 0; weighted < 2; weighted++) {
    N(norm) m = N(norm_of)(size, weighted, false);
    K(rms_norm)(m.x, m.weight, 1e-4, m.y, m.rstd, m.rows, m.cols);
    for (int64_t b = 0; b < m.blocks; b++) {
      int64_t i = b * NORM_BLOCK, at = i * m.cols, rows = m.rows - i;
      K(rms_norm_backward)
      (m.g + at, m.x + at, m.weight, m.rstd + i, m.gx + at, m.gw + b * m.cols,
       rows < NORM_BLOCK ? rows : NORM_BLOCK, m.cols);
    }
    rill_tensor *x = N(leaf)(ctx, m.x, size, 2), *w = N(leaf)(ctx, m.weight, &m.cols, 1);
    N(norm_agrees)(ctx, &m, x, w, NULL, rill_rms_norm(ctx, x, w, 1e-4));
  }
}

/* ---- cross_entropy: a loss a row, and their sum or mean in double ---- */

static double N(total)(const REAL *x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

static void N(loss)(rill_context *ctx, const int64_t *size, const REAL *weight, double smoothing,
                    rill_reduction reduction) {
  int64_t rows = size[0], classes = size[1], *target = face_indices(rows, classes);
  REAL *x = N(values)(rows * classes), *loss = N(room)(rows), *lse = N(room)(rows);
  REAL *row = N(room)(rows), *gx = N(room)(rows * classes);
  for (int64_t i = 2; i < rows; i += 5) target[i] = -3;
  face_status(K(cross_entropy)(x, target, weight, -3, smoothing, loss, lse, row, rows, classes));
  bool none = reduction == RILL_REDUCE_NONE;
  double weights = reduction == RILL_REDUCE_MEAN ? N(total)(row, rows) : 1;
  REAL value = (REAL)(N(total)(loss, rows) / weights), scale = (REAL)(1 / weights);
  REAL *g = N(values)(none ? rows : 1), *rows_g = N(room)(rows);
  for (int64_t i = 0; i < rows; i++) rows_g[i] = scale * g[none ? i : 0];
  face_status(
      K(cross_entropy_backward)(rows_g, x, lse, target, weight, -3, smoothing, gx, rows, classes));
  rill_cross_entropy_options o = RILL_CROSS_ENTROPY_OPTIONS_INIT;
  o.weight = N(tensor)(ctx, weight, &classes, 1);
  o.use_ignore_index = true;
  o.ignore_index = -3;
  o.label_smoothing = smoothing;
  o.reduction = reduction;
  rill_tensor *t = N(leaf)(ctx, x, size, 2);
  rill_tensor *out =
      rill_cross_entropy(ctx, t, rill_from_buffer(ctx, RILL_I64, &rows, 1, target), &o);
  face_agree(ctx, DTYPE, &(face_value){out, none ? loss : &value, none ? rows : 1, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

static void N(cross_entropy)(rill_context *ctx, const face_case *c, const int64_t *size) {
  REAL *weight = N(values)(size[1]);
  (void)c;
  for (int64_t i = 0; i < size[1]; i++) weight[i] = weight[i] * weight[i] + (REAL)0.1;
  N(loss)(ctx, size, NULL, 0, RILL_REDUCE_NONE);
  N(loss)(ctx, size, weight, 0, RILL_REDUCE_SUM);
  if (size[0]) N(loss)(ctx, size, weight, 0.2, RILL_REDUCE_MEAN); /* of no rows: NaN */
}

#endif

/* Softmax, log-softmax and cross entropy over rows, and their gradients. A row is read several times
 * while it is in cache: its maximum, its exponentials and their sum, then the result. */
#include "pure/kernel.h"
#include "pure/fold.h"

#include <math.h>
#include <string.h>

/* Terms of a sum that one simd loop adds up; the sums of such blocks are added in double, so that
 * the rounding error does not grow with the length of the row. */
#undef BLOCK
#define BLOCK 256

/* NaN is left to the exponentials, all of which it turns into NaN. */
static real L(row_max)(const real *x, int64_t n) {
  return L(fold_row)(L(FOLD_TOP), L(FOLD_X), x, n, 0);
}

/* y = exp(x - m) where y is not NULL; returns the sum. */
static inline double L(exp_row)(const real *x, real m, real *y, int64_t n) {
  double sum = 0;
  for (int64_t b = 0; b < n; b += BLOCK) {
    int64_t end = n - b < BLOCK ? n : b + BLOCK;
    real s = 0;
    if (y) {
#pragma omp simd reduction(+ : s)
      for (int64_t i = b; i < end; i++) {
        real e = L(v_exp_flush)(x[i] - m);
        y[i] = e;
        s += e;
      }
    } else {
#pragma omp simd reduction(+ : s)
      for (int64_t i = b; i < end; i++) s += L(v_exp_flush)(x[i] - m);
    }
    sum += s;
  }
  return sum;
}

KERNEL(softmax, (const real *x, real *y, int64_t rows, int64_t cols), (x, y, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    if (r + 1 < rows) L(prefetch_next_row)(x, y, cols);
    real scale = (real)(1 / L(exp_row)(x, L(row_max)(x, cols), y, cols));
#pragma omp simd
    for (int64_t i = 0; i < cols; i++) y[i] *= scale;
  }
}

KERNEL(softmax_backward,
       (const real *grad, const real *y, real *grad_x, int64_t rows, int64_t cols),
       (grad, y, grad_x, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, grad += cols, y += cols, grad_x += cols) {
    double sum = 0;
    for (int64_t b = 0; b < cols; b += BLOCK) {
      int64_t end = cols - b < BLOCK ? cols : b + BLOCK;
      real s = 0;
#pragma omp simd reduction(+ : s)
      for (int64_t i = b; i < end; i++) s += grad[i] * y[i];
      sum += s;
    }
    real dot = (real)sum;
#pragma omp simd
    for (int64_t i = 0; i < cols; i++) grad_x[i] = (grad[i] - dot) * y[i];
  }
}

KERNEL(log_softmax, (const real *x, real *y, int64_t rows, int64_t cols), (x, y, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    if (r + 1 < rows) L(prefetch_next_row)(x, y, cols);
    real m = L(row_max)(x, cols), log_sum = (real)log(L(exp_row)(x, m, NULL, cols));
#pragma omp simd
    for (int64_t i = 0; i < cols; i++) y[i] = (x[i] - m) - log_sum;
  }
}

KERNEL(log_softmax_backward,
       (const real *grad, const real *y, real *grad_x, int64_t rows, int64_t cols),
       (grad, y, grad_x, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, grad += cols, y += cols, grad_x += cols) {
    real sum = L(fold_row)(L(FOLD_ADD), L(FOLD_X), grad, cols, 0);
#pragma omp simd
    for (int64_t i = 0; i < cols; i++) grad_x[i] = grad[i] - L(v_exp_flush)(y[i]) * sum;
  }
}

/* ---- cross entropy ---------------------------------------------------------------------------- */

static bool L(targets_fit)(const int64_t *target, int64_t ignore_index, int64_t rows,
                           int64_t classes) {
  for (int64_t r = 0; r < rows; r++)
    if (target[r] != ignore_index && (target[r] < 0 || target[r] >= classes)) return false;
  return true;
}

static double L(weight_sum)(const real *weight, int64_t classes) {
  return weight ? (double)L(fold_row)(L(FOLD_ADD), L(FOLD_X), weight, classes, 0) : (double)classes;
}

/* Sum of weight * (x - m). */
static double L(weighted_sum)(const real *x, const real *weight, real m, int64_t n) {
  if (!weight) return L(fold_row)(L(FOLD_ADD), L(FOLD_D), x, n, m);
  double sum = 0;
  for (int64_t b = 0; b < n; b += BLOCK) {
    int64_t end = n - b < BLOCK ? n : b + BLOCK;
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = b; i < end; i++) s += weight[i] * (x[i] - m);
    sum += s;
  }
  return sum;
}

KERNEL_STATUS(cross_entropy,
              (const real *logits, const int64_t *target, const real *weight, int64_t ignore_index,
               double label_smoothing, real *loss, real *log_sum_exp, real *row_weight,
               int64_t rows, int64_t classes),
              (logits, target, weight, ignore_index, label_smoothing, loss, log_sum_exp, row_weight,
               rows, classes)) {
  if (!L(targets_fit)(target, ignore_index, rows, classes)) return RILL_ERROR_INDEX;
  double all = label_smoothing > 0 ? L(weight_sum)(weight, classes) : 0;
  for (int64_t r = 0; r < rows; r++) {
    const real *x = logits + r * classes;
    bool ignored = target[r] == ignore_index;
    double w = ignored ? 0 : weight ? weight[target[r]] : 1;
    if (row_weight) row_weight[r] = (real)w;
    if (ignored) {
      loss[r] = log_sum_exp[r] = 0;
      continue;
    }
    real m = L(row_max)(x, classes);
    double log_sum = log(L(exp_row)(x, m, NULL, classes));
    double value = w * (log_sum - (double)(x[target[r]] - m));
    if (label_smoothing > 0)
      value = (1 - label_smoothing) * value +
              label_smoothing / (double)classes *
                  (all * log_sum - L(weighted_sum)(x, weight, m, classes));
    loss[r] = (real)value;
    log_sum_exp[r] = (real)(m + log_sum);
  }
  return RILL_OK;
}

KERNEL_STATUS(cross_entropy_backward,
              (const real *grad, const real *logits, const real *log_sum_exp, const int64_t *target,
               const real *weight, int64_t ignore_index, double label_smoothing, real *grad_logits,
               int64_t rows, int64_t classes),
              (grad, logits, log_sum_exp, target, weight, ignore_index, label_smoothing,
               grad_logits, rows, classes)) {
  if (!L(targets_fit)(target, ignore_index, rows, classes)) return RILL_ERROR_INDEX;
  double smooth = label_smoothing > 0 ? label_smoothing / (double)classes : 0;
  double all = smooth > 0 ? L(weight_sum)(weight, classes) : 0;
  for (int64_t r = 0; r < rows; r++) {
    const real *x = logits + r * classes;
    real *gx = grad_logits + r * classes;
    if (target[r] == ignore_index) {
      memset(gx, 0, (size_t)classes * sizeof *gx);
      continue;
    }
    /* d/dx_c of the loss is p_c (hit + smooth * all) - hit [c = target] - smooth * weight_c */
    double hit = (1 - (label_smoothing > 0 ? label_smoothing : 0)) *
                 (weight ? (double)weight[target[r]] : 1);
    real lse = log_sum_exp[r], scale = (real)(grad[r] * (hit + smooth * all));
    real even = (real)(grad[r] * smooth);
    if (smooth > 0 && weight) {
#pragma omp simd
      for (int64_t i = 0; i < classes; i++)
        gx[i] = scale * L(v_exp_flush)(x[i] - lse) - even * weight[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < classes; i++) gx[i] = scale * L(v_exp_flush)(x[i] - lse) - even;
    }
    gx[target[r]] -= (real)(grad[r] * hit);
  }
  return RILL_OK;
}

#undef BLOCK

/* Layer norm and RMS norm over rows, and their gradients. A row is read several times while it is in
 * cache: its moments (two passes, so no cancellation), then the result. */
#include "pure/kernel.h"
#include "pure/fold.h"

#include <math.h>

/* y = (x - mean) * rstd * weight + bias, with weight and bias optional. */
static inline void L(affine_row)(const real *x, real mean, real rstd, const real *weight,
                                 const real *bias, real *y, int64_t n) {
  if (weight && bias) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
  } else if (weight) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * weight[i];
  } else if (bias) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd + bias[i];
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd;
  }
}

KERNEL(layer_norm,
       (const real *x, const real *weight, const real *bias, double eps, real *y, real *mean,
        real *rstd, int64_t rows, int64_t cols),
       (x, weight, bias, eps, y, mean, rstd, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    if (r + 1 < rows) L(prefetch_next_row)(x, y, cols);
    real m = (real)(L(fold_row)(L(FOLD_ADD), L(FOLD_X), x, cols, 0) / (double)cols);
    double var = L(fold_row)(L(FOLD_ADD), L(FOLD_DD), x, cols, m) / (double)cols;
    real s = (real)(1 / sqrt(var + eps));
    if (mean) mean[r] = m;
    if (rstd) rstd[r] = s;
    L(affine_row)(x, m, s, weight, bias, y, cols);
  }
}

KERNEL(rms_norm,
       (const real *x, const real *weight, double eps, real *y, real *rstd, int64_t rows,
        int64_t cols),
       (x, weight, eps, y, rstd, rows, cols)) {
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    if (r + 1 < rows) L(prefetch_next_row)(x, y, cols);
    double square = L(fold_row)(L(FOLD_ADD), L(FOLD_XX), x, cols, 0) / (double)cols;
    real s = (real)(1 / sqrt(square + eps));
    if (rstd) rstd[r] = s;
    L(affine_row)(x, 0, s, weight, NULL, y, cols);
  }
}

/* Sums over a row of u = grad * weight and of u * h, h the normalised row. */
static inline void L(grad_sums)(const real *grad, const real *weight, const real *x, real mean,
                                real rstd, int64_t n, double *sum_u, double *sum_uh) {
  *sum_u = *sum_uh = 0;
  for (int64_t b = 0; b < n; b += 256) {
    int64_t end = n - b < 256 ? n : b + 256;
    real su = 0, suh = 0;
    if (weight) {
#pragma omp simd reduction(+ : su, suh)
      for (int64_t i = b; i < end; i++) {
        real u = grad[i] * weight[i];
        su += u;
        suh += u * ((x[i] - mean) * rstd);
      }
    } else {
#pragma omp simd reduction(+ : su, suh)
      for (int64_t i = b; i < end; i++) {
        su += grad[i];
        suh += grad[i] * ((x[i] - mean) * rstd);
      }
    }
    *sum_u += su;
    *sum_uh += suh;
  }
}

/* One row of either backward: grad_x = rstd * (u - mean_u - h * mean_uh). The parameters' gradients
 * go first, so that grad_x may be grad or x. */
static inline void L(backward_row)(const real *grad, const real *x, const real *weight, real mean,
                                   real rstd, real mean_u, real mean_uh, real *grad_x,
                                   real *grad_weight, real *grad_bias, int64_t n) {
  if (grad_weight) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) grad_weight[i] += grad[i] * ((x[i] - mean) * rstd);
  }
  if (grad_bias) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) grad_bias[i] += grad[i];
  }
  if (grad_x && weight) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      grad_x[i] = rstd * (grad[i] * weight[i] - mean_u - (x[i] - mean) * rstd * mean_uh);
  } else if (grad_x) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      grad_x[i] = rstd * (grad[i] - mean_u - (x[i] - mean) * rstd * mean_uh);
  }
}

KERNEL(layer_norm_backward,
       (const real *grad, const real *x, const real *weight, const real *mean, const real *rstd,
        real *grad_x, real *grad_weight, real *grad_bias, int64_t rows, int64_t cols),
       (grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias, rows, cols)) {
  for (int64_t r = 0; r < rows; r++) {
    const real *g = grad + r * cols, *xr = x + r * cols;
    double su = 0, suh = 0;
    if (grad_x) L(grad_sums)(g, weight, xr, mean[r], rstd[r], cols, &su, &suh);
    L(backward_row)
    (g, xr, weight, mean[r], rstd[r], (real)(su / (double)cols), (real)(suh / (double)cols),
     grad_x ? grad_x + r * cols : NULL, grad_weight, grad_bias, cols);
  }
}

KERNEL(rms_norm_backward,
       (const real *grad, const real *x, const real *weight, const real *rstd, real *grad_x,
        real *grad_weight, int64_t rows, int64_t cols),
       (grad, x, weight, rstd, grad_x, grad_weight, rows, cols)) {
  for (int64_t r = 0; r < rows; r++) {
    const real *g = grad + r * cols, *xr = x + r * cols;
    double su = 0, suh = 0;
    if (grad_x) L(grad_sums)(g, weight, xr, 0, rstd[r], cols, &su, &suh);
    L(backward_row)
    (g, xr, weight, 0, rstd[r], 0, (real)(suh / (double)cols), grad_x ? grad_x + r * cols : NULL,
     grad_weight, NULL, cols);
  }
}

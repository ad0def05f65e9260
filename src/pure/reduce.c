/* Reductions over the middle of [outer, n, inner], and their gradients. The folding itself is in
 * fold.h; here blocks of up to FOLD_LANES columns are handed to it. */
#include "pure/kernel.h"
#include "pure/fold.h"

#include <math.h>
#include <string.h>

/* Columns from j that make a block. */
static inline int64_t L(block_width)(int64_t j, int64_t inner) {
  return inner - j < FOLD_LANES ? inner - j : FOLD_LANES;
}

/* y[outer, inner] = fold of f(x) over the middle; `shift` is the same for all columns. */
FOLD_INLINE void L(reduce)(L(fold_op) op, L(fold_term) term, const real *x, real shift, real *y,
                           int64_t outer, int64_t n, int64_t inner) {
  real shifts[FOLD_LANES];
  L(fold_spread)(shift, shifts);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) L(fold)
  (op, term, x + o * n * inner + j, n, inner, L(block_width)(j, inner), shifts, y + o * inner + j);
}

/* ---- sum, mean, var --------------------------------------------------------------------------- */

KERNEL(sum, (const real *x, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, y, outer, n, inner)) {
  L(reduce)(L(FOLD_ADD), L(FOLD_X), x, 0, y, outer, n, inner);
}

KERNEL(mean, (const real *x, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, y, outer, n, inner)) {
  L(reduce)(L(FOLD_ADD), L(FOLD_X), x, 0, y, outer, n, inner);
  for (int64_t i = 0; i < outer * inner; i++) y[i] /= (real)n;
}

/* grad_x[o, i, j] = scale * grad[o, j] */
static inline void L(broadcast)(const real *grad, real scale, real *grad_x, int64_t outer,
                                int64_t n, int64_t inner) {
  for (int64_t o = 0; o < outer; o++, grad += inner) {
    if (inner == 1) {
      real g = scale * grad[0];
      for (int64_t i = 0; i < n; i++) *grad_x++ = g;
    } else {
      for (int64_t i = 0; i < n; i++, grad_x += inner) {
#pragma omp simd
        for (int64_t j = 0; j < inner; j++) grad_x[j] = scale * grad[j];
      }
    }
  }
}

KERNEL(sum_backward, (const real *grad, real *grad_x, int64_t outer, int64_t n, int64_t inner),
       (grad, grad_x, outer, n, inner)) {
  L(broadcast)(grad, 1, grad_x, outer, n, inner);
}

KERNEL(mean_backward, (const real *grad, real *grad_x, int64_t outer, int64_t n, int64_t inner),
       (grad, grad_x, outer, n, inner)) {
  L(broadcast)(grad, (real)(1 / (double)n), grad_x, outer, n, inner);
}

/* The corrected two-pass algorithm (Chan, Golub and LeVeque 1983, equation 1.7): the sum of the
 * deviations, 0 but for rounding, takes out the error of the mean. */
KERNEL(var,
       (const real *x, double correction, real *y, real *mean, int64_t outer, int64_t n,
        int64_t inner),
       (x, correction, y, mean, outer, n, inner)) {
  double freedom = (double)n - correction > 0 ? (double)n - correction : 0;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) {
      const real *p = x + o * n * inner + j;
      int64_t width = L(block_width)(j, inner);
      real m[FOLD_LANES], d[FOLD_LANES], dd[FOLD_LANES];
      L(fold)(L(FOLD_ADD), L(FOLD_X), p, n, inner, width, NULL, m);
      for (int64_t l = 0; l < width; l++) m[l] /= (real)n;
      L(fold)(L(FOLD_ADD), L(FOLD_D), p, n, inner, width, m, d);
      L(fold)(L(FOLD_ADD), L(FOLD_DD), p, n, inner, width, m, dd);
      for (int64_t l = 0; l < width; l++) {
        double lost = (double)d[l] / (double)n;
        y[o * inner + j + l] = (real)((dd[l] - lost * d[l]) / freedom);
        if (mean) mean[o * inner + j + l] = (real)(m[l] + lost);
      }
    }
}

KERNEL(var_backward,
       (const real *grad, const real *x, const real *mean, double correction, real *grad_x,
        int64_t outer, int64_t n, int64_t inner),
       (grad, x, mean, correction, grad_x, outer, n, inner)) {
  real scale = (real)(2 / ((double)n - correction));
  for (int64_t o = 0; o < outer; o++, grad += inner, mean += inner)
    for (int64_t i = 0; i < n; i++, x += inner, grad_x += inner) {
#pragma omp simd
      for (int64_t j = 0; j < inner; j++) grad_x[j] = scale * grad[j] * (x[j] - mean[j]);
    }
}

/* ---- max, min --------------------------------------------------------------------------------- */

/* Index of the first element that equals m, or is NaN where m is. */
static int64_t L(find)(const real *x, real m, int64_t n) {
  int64_t i = 0;
  for (; i + FOLD_LANES <= n; i += FOLD_LANES) {
    int found = 0;
#pragma omp simd reduction(| : found)
    for (int64_t l = i; l < i + FOLD_LANES; l++) found |= (x[l] == m) | (x[l] != x[l]);
    if (found) break;
  }
  while (i < n - 1 && x[i] == x[i] && x[i] != m) i++;
  return i;
}

/* Values are folded first and then looked up: backwards, so that the first of equals stays. */
FOLD_INLINE rill_status L(extreme)(L(fold_op) op, const real *x, real *y, int64_t *index,
                                   int64_t outer, int64_t n, int64_t inner) {
  if (n < 1 && outer * inner > 0) return RILL_ERROR_SHAPE;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) {
      const real *p = x + o * n * inner + j;
      int64_t width = L(block_width)(j, inner), q = o * inner + j;
      real m[FOLD_LANES];
      L(fold)(op, L(FOLD_X), p, n, inner, width, NULL, m);
      if (y) memcpy(y + q, m, (size_t)width * sizeof *m);
      if (index && inner == 1)
        index[q] = L(find)(p, m[0], n);
      else if (index) {
        for (int64_t i = n - 1; i >= 0; i--) {
          const real *row = p + i * inner;
#pragma omp simd
          for (int64_t l = 0; l < width; l++)
            index[q + l] = ((row[l] == m[l]) | (row[l] != row[l])) ? i : index[q + l];
        }
      }
    }
  return RILL_OK;
}

KERNEL_STATUS(max,
              (const real *x, real *y, int64_t *index, int64_t outer, int64_t n, int64_t inner),
              (x, y, index, outer, n, inner)) {
  return L(extreme)(L(FOLD_MAX), x, y, index, outer, n, inner);
}

KERNEL_STATUS(min,
              (const real *x, real *y, int64_t *index, int64_t outer, int64_t n, int64_t inner),
              (x, y, index, outer, n, inner)) {
  return L(extreme)(L(FOLD_MIN), x, y, index, outer, n, inner);
}

KERNEL_STATUS(max_backward,
              (const real *grad, const int64_t *index, real *grad_x, int64_t outer, int64_t n,
               int64_t inner),
              (grad, index, grad_x, outer, n, inner)) {
  for (int64_t i = 0; i < outer * inner; i++)
    if (index[i] < 0 || index[i] >= n) return RILL_ERROR_INDEX;
  memset(grad_x, 0, (size_t)(outer * n * inner) * sizeof *grad_x);
  for (int64_t o = 0; o < outer; o++, grad_x += n * inner)
    for (int64_t j = 0; j < inner; j++, grad++, index++) grad_x[*index * inner + j] = *grad;
  return RILL_OK;
}

/* ---- logsumexp -------------------------------------------------------------------------------- */

KERNEL(logsumexp, (const real *x, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, y, outer, n, inner)) {
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) {
      const real *p = x + o * n * inner + j;
      int64_t width = L(block_width)(j, inner);
      real m[FOLD_LANES], s[FOLD_LANES];
      L(fold)(L(FOLD_TOP), L(FOLD_X), p, n, inner, width, NULL, m);
      for (int64_t l = 0; l < width; l++)
        m[l] = m[l] == REAL_INFINITY || m[l] == -REAL_INFINITY ? 0 : m[l];
      L(fold)(L(FOLD_ADD), L(FOLD_EXP), p, n, inner, width, m, s);
      for (int64_t l = 0; l < width; l++) y[o * inner + j + l] = (real)(m[l] + log(s[l]));
    }
}

KERNEL(logsumexp_backward,
       (const real *grad, const real *x, const real *y, real *grad_x, int64_t outer, int64_t n,
        int64_t inner),
       (grad, x, y, grad_x, outer, n, inner)) {
  for (int64_t o = 0; o < outer; o++, grad += inner, y += inner) {
    if (inner == 1) {
      real g = grad[0], lse = y[0];
#pragma omp simd
      for (int64_t i = 0; i < n; i++) grad_x[i] = g * L(v_exp_flush)(x[i] - lse);
      x += n;
      grad_x += n;
    } else {
      for (int64_t i = 0; i < n; i++, x += inner, grad_x += inner) {
#pragma omp simd
        for (int64_t j = 0; j < inner; j++) grad_x[j] = grad[j] * L(v_exp_flush)(x[j] - y[j]);
      }
    }
  }
}

/* ---- norm ------------------------------------------------------------------------------------- */

KERNEL(norm, (const real *x, double p, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, p, y, outer, n, inner)) {
  int64_t count = outer * inner;
  if (p == 1)
    L(reduce)(L(FOLD_ADD), L(FOLD_ABS), x, 0, y, outer, n, inner);
  else if (p == 2) {
    L(reduce)(L(FOLD_ADD), L(FOLD_XX), x, 0, y, outer, n, inner);
    for (int64_t i = 0; i < count; i++) y[i] = (real)sqrt(y[i]);
  } else if (p == 0)
    L(reduce)(L(FOLD_ADD), L(FOLD_NONZERO), x, 0, y, outer, n, inner);
  else if (p == INFINITY) {
    L(reduce)(L(FOLD_MAX), L(FOLD_ABS), x, 0, y, outer, n, inner);
    for (int64_t i = 0; n == 0 && i < count; i++) y[i] = 0;
  } else if (p == -INFINITY)
    L(reduce)(L(FOLD_MIN), L(FOLD_ABS), x, 0, y, outer, n, inner);
  else {
    L(reduce)(L(FOLD_ADD), L(FOLD_ABS_POW), x, (real)p, y, outer, n, inner);
    for (int64_t i = 0; i < count; i++) y[i] = (real)pow(y[i], 1 / p);
  }
}

static inline real L(sign)(real x) { return (real)((x > 0) - (x < 0)); }

/* The gradient of the column of x that starts here and steps by `inner`. */
static void L(norm_backward_column)(real grad, const real *x, real norm, double p, real *grad_x,
                                    int64_t n, int64_t inner) {
  bool extreme = p == INFINITY || p == -INFINITY;
  int64_t equal = 0;
  for (int64_t i = 0; extreme && i < n; i++) equal += fabs(x[i * inner]) == norm;
  double scale = extreme ? (equal ? grad / (double)equal : 0) : grad * pow(norm, 1 - p);
  for (int64_t i = 0; i < n; i++) {
    double v = x[i * inner], a = fabs(v), d;
    if (extreme)
      d = a == norm ? scale : 0;
    else
      d = v == 0 || norm == 0 ? 0 : pow(a, p - 1) * scale;
    grad_x[i * inner] = (real)(L(sign)(x[i * inner]) * d);
  }
}

KERNEL(norm_backward,
       (const real *grad, const real *x, const real *y, double p, real *grad_x, int64_t outer,
        int64_t n, int64_t inner),
       (grad, x, y, p, grad_x, outer, n, inner)) {
  for (int64_t o = 0; o < outer;
       o++, grad += inner, y += inner, x += n * inner, grad_x += n * inner) {
    if (p != 0 && p != 1 && p != 2) {
      for (int64_t j = 0; j < inner; j++)
        L(norm_backward_column)(grad[j], x + j, y[j], p, grad_x + j, n, inner);
      continue;
    }
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
      for (int64_t j = 0; j < inner; j++) {
        int64_t k = i * inner + j;
        real unit = p == 2 ? (y[j] == 0 ? 0 : x[k] / y[j]) : p == 1 ? L(sign)(x[k]) : 0;
        grad_x[k] = grad[j] * unit;
      }
  }
}

/* ---- prod ------------------------------------------------------------------------------------- */

KERNEL(prod, (const real *x, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, y, outer, n, inner)) {
  L(reduce)(L(FOLD_MUL), L(FOLD_X), x, 0, y, outer, n, inner);
}

/* The product of the others is that of those before, left in grad_x on the way up, times that of
 * those after, picked up on the way down: no division, so zeros need no care. */
KERNEL(prod_backward,
       (const real *grad, const real *x, real *grad_x, int64_t outer, int64_t n, int64_t inner),
       (grad, x, grad_x, outer, n, inner)) {
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) {
      int64_t width = L(block_width)(j, inner), p = o * n * inner + j;
      real run[FOLD_LANES];
      for (int64_t l = 0; l < width; l++) run[l] = 1;
      for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < width; l++) {
          grad_x[p + i * inner + l] = run[l];
          run[l] *= x[p + i * inner + l];
        }
      for (int64_t l = 0; l < width; l++) run[l] = grad[o * inner + j + l];
      for (int64_t i = n - 1; i >= 0; i--)
        for (int64_t l = 0; l < width; l++) {
          grad_x[p + i * inner + l] *= run[l];
          run[l] *= x[p + i * inner + l];
        }
    }
}

/* ---- cumsum ----------------------------------------------------------------------------------- */

/* Adds up in double, as PyTorch does, from the first element or (reverse) from the last. */
static inline void L(running_sum)(const real *x, real *y, int64_t outer, int64_t n, int64_t inner,
                                  bool reverse) {
  int64_t step = reverse ? -inner : inner;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t j = 0; j < inner; j += FOLD_LANES) {
      int64_t width = L(block_width)(j, inner), p = o * n * inner + j;
      if (reverse) p += (n - 1) * inner;
      double run[FOLD_LANES] = {0};
      for (int64_t i = 0; i < n; i++, p += step) {
#pragma omp simd
        for (int64_t l = 0; l < width; l++) {
          run[l] += x[p + l];
          y[p + l] = (real)run[l];
        }
      }
    }
}

KERNEL(cumsum, (const real *x, real *y, int64_t outer, int64_t n, int64_t inner),
       (x, y, outer, n, inner)) {
  L(running_sum)(x, y, outer, n, inner, false);
}

KERNEL(cumsum_backward, (const real *grad, real *grad_x, int64_t outer, int64_t n, int64_t inner),
       (grad, grad_x, outer, n, inner)) {
  L(running_sum)(grad, grad_x, outer, n, inner, true);
}

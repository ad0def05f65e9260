/* Reading and adding at given indices. All indices are checked before anything is written, and all
 * additions happen in the order of the indices. */
#include "pure/kernel.h"

#include <string.h>

static bool L(indices_fit)(const int64_t *index, int64_t count, int64_t limit) {
  uint64_t outside = 0;
#pragma omp simd reduction(| : outside)
  for (int64_t i = 0; i < count; i++) outside |= (uint64_t)index[i] >= (uint64_t)limit;
  return !outside;
}

KERNEL_STATUS(gather_rows,
              (const real *weight, int64_t rows, int64_t width, const int64_t *index, int64_t n,
               real *y),
              (weight, rows, width, index, n, y)) {
  if (!L(indices_fit)(index, n, rows)) return RILL_ERROR_INDEX;
  for (int64_t i = 0; i < n; i++)
    memcpy(y + i * width, weight + index[i] * width, (size_t)width * sizeof *y);
  return RILL_OK;
}

KERNEL_STATUS(scatter_add_rows,
              (const real *src, const int64_t *index, int64_t n, int64_t width, int64_t rows,
               real *weight),
              (src, index, n, width, rows, weight)) {
  if (!L(indices_fit)(index, n, rows)) return RILL_ERROR_INDEX;
  for (int64_t i = 0; i < n; i++) {
    const real *from = src + i * width;
    real *to = weight + index[i] * width;
#pragma omp simd
    for (int64_t j = 0; j < width; j++) to[j] += from[j];
  }
  return RILL_OK;
}

KERNEL_STATUS(gather,
              (const real *x, const int64_t *index, real *y, int64_t outer, int64_t n, int64_t m,
               int64_t inner),
              (x, index, y, outer, n, m, inner)) {
  if (!L(indices_fit)(index, outer * m * inner, n)) return RILL_ERROR_INDEX;
  for (int64_t o = 0; o < outer; o++, x += n * inner)
    for (int64_t i = 0; i < m; i++, index += inner, y += inner)
      for (int64_t j = 0; j < inner; j++) y[j] = x[index[j] * inner + j];
  return RILL_OK;
}

KERNEL_STATUS(scatter_add,
              (const real *src, const int64_t *index, real *x, int64_t outer, int64_t n, int64_t m,
               int64_t inner),
              (src, index, x, outer, n, m, inner)) {
  if (!L(indices_fit)(index, outer * m * inner, n)) return RILL_ERROR_INDEX;
  for (int64_t o = 0; o < outer; o++, x += n * inner)
    for (int64_t i = 0; i < m; i++, index += inner, src += inner)
      for (int64_t j = 0; j < inner; j++) x[index[j] * inner + j] += src[j];
  return RILL_OK;
}

KERNEL(unfold_backward,
       (const real *grad, real *grad_x, int64_t outer, int64_t n, int64_t inner, int64_t windows,
        int64_t size, int64_t step),
       (grad, grad_x, outer, n, inner, windows, size, step)) {
  if (outer * n * inner > 0) memset(grad_x, 0, (size_t)(outer * n * inner) * sizeof *grad_x);
  for (int64_t o = 0; o < outer; o++, grad_x += n * inner)
    for (int64_t w = 0; w < windows; w++)
      for (int64_t j = 0; j < inner; j++, grad += size) {
        real *to = grad_x + w * step * inner + j;
        for (int64_t k = 0; k < size; k++) to[k * inner] += grad[k];
      }
}

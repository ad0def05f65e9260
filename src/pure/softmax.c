/* Softmax over rows, and its gradient. */
#include "pure/kernel.h"
#include <math.h>

KERNEL(softmax, (const real *x, real *y, int64_t rows, int64_t cols), (x, y, rows, cols)) {
  for (int64_t r = 0; r < rows; r++) {
    const real *xr = x + r * cols;
    real *yr = y + r * cols;
    real m = -REAL_INFINITY, s = 0;
    for (int64_t i = 0; i < cols; i++) m = xr[i] > m ? xr[i] : m;
    for (int64_t i = 0; i < cols; i++) s += yr[i] = (real)exp(xr[i] - m);
    for (int64_t i = 0; i < cols; i++) yr[i] /= s;
  }
}

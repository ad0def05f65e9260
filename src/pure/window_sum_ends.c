/* The loops of the sliding sums that do little: samples in, what is divided afterwards, what lies beyond the
 * ends. window_sum.h says what each does. */
#include "pure/kernel.h"
#include "pure/window_sum.h"

#include <string.h>

#if defined KERNEL_BASELINE

static void L(ask_ahead)(const void *x, int64_t n, int64_t x_ahead) {
  for (int64_t b = 0; b < n * (int64_t)sizeof(real); b += 64)
    __builtin_prefetch((const char *)x + x_ahead + b);
}

static void L(take_plain)(const window_keys *keys, const void *x, int64_t n, void *to,
                          int64_t x_ahead) {
  (void)keys;
  L(ask_ahead)(x, n, x_ahead);
  if (to != x) memcpy(to, x, (size_t)n * sizeof(real));
}

static void L(take_numbers)(const window_keys *keys, const void *from, int64_t n, void *to,
                            int64_t x_ahead) {
  const real *x = from;
  real *y = to;
  (void)keys;
  L(ask_ahead)(x, n, x_ahead);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] = x[i] == x[i] ? x[i] : 0;
}

static void L(take_counts)(const window_keys *keys, const void *from, int64_t n, void *to,
                           int64_t x_ahead) {
  const real *x = from;
  real *y = to;
  (void)keys;
  L(ask_ahead)(x, n, x_ahead);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] = x[i] == x[i] ? 1 : 0;
}

static void L(divide_some)(void *to, double by, int64_t n) {
  const real divisor = (real)by;
  real *y = to;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] /= divisor;
}

static void L(divide_some_each)(void *to, const void *divisors, int64_t n) {
  const real *divisor = divisors;
  real *y = to;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] /= divisor[i];
}

static void L(add_some)(void *to, int64_t step, const void *from, int64_t n) {
  const real *x = from;
  real *y = to;
  for (int64_t i = 0; i < n; i++) y[i * step] += x[i];
}

static void L(mask_some)(void *to, int64_t y_step, const void *from, int64_t x_step, int64_t n) {
  const real *x = from;
  real *y = to;
  for (int64_t i = 0; i < n; i++)
    if (x[i * x_step] != x[i * x_step]) y[i * y_step] = 0;
}

/* Fills the others in, too. */
void KERNEL_PUBLIC(window_sum_loops_all)(window_sum_loops *loops) {
  KERNEL_PUBLIC(window_sum_loops)(loops);
  loops->take_samples = L(take_plain);
  loops->take_numbers = L(take_numbers);
  loops->take_counts = L(take_counts);
  loops->divide = L(divide_some);
  loops->divide_each = L(divide_some_each);
  loops->add = L(add_some);
  loops->mask = L(mask_some);
}

#endif

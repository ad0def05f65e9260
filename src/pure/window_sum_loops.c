/* The loops of the sliding sums, in vectors of independent columns; window_sum.h says what each does. All
 * but those for what is done one by one go by whole vectors of the widest instruction set, and add in an
 * order that is the same for all. */
#include "pure/kernel.h"
#include "pure/window_sum.h"

#include <string.h>

#undef LANES
#undef INLINE
#undef VECTOR
#define INLINE static inline __attribute__((always_inline))
#define LANES  (WINDOW_VECTOR / (int64_t)sizeof(real))
#define VECTOR _Alignas(WINDOW_VECTOR) real /* see window_loops.c */

static void L(take_plain)(const window_keys *keys, const void *x, int64_t n, void *to) {
  (void)keys;
  if (to != x) memcpy(to, x, (size_t)n * sizeof(real));
}

static void L(take_numbers)(const window_keys *keys, const void *from, int64_t n, void *to) {
  const real *x = from;
  real *y = to;
  (void)keys;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] = x[i] == x[i] ? x[i] : 0;
}

static void L(take_counts)(const window_keys *keys, const void *from, int64_t n, void *to) {
  const real *x = from;
  real *y = to;
  (void)keys;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] = x[i] == x[i] ? 1 : 0;
}

/* ---- doubling --------------------------------------------------------------------------------- */

INLINE real L(few)(real v, const real *a, int64_t s, const int digit) {
  if (digit > 0) v += a[0];
  if (digit > 1) v += a[s];
  if (digit > 2) v += a[2 * s];
  return v;
}

INLINE void L(quad_of)(real *a, real *rest, int64_t n, int64_t s, int64_t off, const int digit) {
  for (int64_t i = 0; i < n; i += LANES, a += LANES, rest += LANES) {
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      if (digit) rest[l] = L(few)(rest[l], a + off + l, s, digit);
      a[l] = (a[l] + a[l + s]) + (a[l + 2 * s] + a[l + 3 * s]);
    }
  }
}

static void L(sum_quad)(void *a, void *rest, int64_t n, int64_t s, int64_t off, int64_t digit) {
  switch (digit) {
  case 0: L(quad_of)(a, rest, n, s, off, 0); break;
  case 1: L(quad_of)(a, rest, n, s, off, 1); break;
  case 2: L(quad_of)(a, rest, n, s, off, 2); break;
  default: L(quad_of)(a, rest, n, s, off, 3);
  }
}

INLINE void L(quad_out_of)(const real *a, const real *rest, int64_t n, int64_t s, const int digit,
                           const real divisor, const bool divided, real *y, window_ahead ahead) {
  VECTOR last[LANES];
  for (int64_t i = 0; i < n; i += LANES, a += LANES, rest += LANES, y += LANES) {
    real *to = n - i < LANES ? last : y;
    __builtin_prefetch(ahead.x);
    __builtin_prefetch((char *)y + ahead.y, 1);
    ahead.x += ahead.pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      real v = L(few)(rest[l], a + l, s, digit);
      to[l] = divided ? v / divisor : v;
    }
    if (to == last) memcpy(y, last, (size_t)(n - i) * sizeof(real));
  }
}

INLINE void L(quad_out_by)(const real *a, const real *rest, int64_t n, int64_t s, int64_t digit,
                           const real divisor, const bool divided, real *y, window_ahead ahead) {
  switch (digit) {
  case 1: L(quad_out_of)(a, rest, n, s, 1, divisor, divided, y, ahead); break;
  case 2: L(quad_out_of)(a, rest, n, s, 2, divisor, divided, y, ahead); break;
  default: L(quad_out_of)(a, rest, n, s, 3, divisor, divided, y, ahead);
  }
}

static void L(sum_quad_out)(const void *windows, const void *rest, int64_t n, int64_t s, int64_t off,
                            int64_t digit, double divisor, void *y, window_ahead ahead) {
  const real *a = (const real *)windows + off;
  if (divisor != 1)
    L(quad_out_by)(a, rest, n, s, digit, (real)divisor, true, y, ahead);
  else
    L(quad_out_by)(a, rest, n, s, digit, 1, false, y, ahead);
}

/* ---- blocks ----------------------------------------------------------------------------------- */

/* One vector of columns, the l-th. */
INLINE void L(sum_down_vector)(const window_sum_rows *w, int64_t l, const bool divided) {
  const real *group = (const real *)w->group + l * LANES, *rest = (const real *)w->rest + l * LANES;
  real *suffix = (real *)w->suffix + l * LANES, *prefix = (real *)w->prefix + l * LANES;
  real *y = (real *)w->y + l * LANES;
  const char *x = w->ahead.x + (w->ahead.pitch ? l * WINDOW_VECTOR : 0);
  int64_t width = w->width, rest_width = w->rest_width, pitch = w->pitch, y_pitch = w->y_pitch;
  int64_t rows = w->rows, x_pitch = w->ahead.pitch, next = w->ahead.y;
  const real divisor = (real)w->divisor;
  VECTOR p[LANES];
  memcpy(p, prefix, sizeof p);
  for (int64_t r = 0; r < rows; r++) {
    __builtin_prefetch(x);
    __builtin_prefetch((char *)y + next, 1);
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
      real v = group[i], sum = suffix[i] + (p[i] + rest[i]);
      y[i] = divided ? sum / divisor : sum;
      p[i] += v;
      suffix[i] = v;
    }
    group += width, rest += rest_width, suffix += pitch, y += y_pitch, x += x_pitch;
  }
  memcpy(prefix, p, sizeof p);
}

static void L(sum_down)(const window_sum_rows *w) {
  for (int64_t l = w->vectors - 1; l >= 0; l--)
    if (w->divisor != 1)
      L(sum_down_vector)(w, l, true);
    else
      L(sum_down_vector)(w, l, false);
}

static void L(sum_up)(void *suffixes, int64_t pitch, int64_t rows, const void *start) {
  real *suffix = (real *)suffixes + rows * pitch;
  VECTOR p[LANES];
  memcpy(p, start, sizeof p);
  for (int64_t r = 0; r < rows; r++) {
    suffix -= pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) suffix[l] = p[l] = p[l] + suffix[l];
  }
}

/* ---- what is left ----------------------------------------------------------------------------- */

static void L(divide)(void *to, double by, int64_t n) {
  const real divisor = (real)by;
  real *y = to;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] /= divisor;
}

static void L(divide_each)(void *to, const void *divisors, int64_t n) {
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

KERNEL(window_sum_loops, (window_sum_loops * loops), (loops)) {
  *loops = (window_sum_loops){
      .take_samples = L(take_plain),
      .take_numbers = L(take_numbers),
      .take_counts = L(take_counts),
      .quad = L(sum_quad),
      .quad_out = L(sum_quad_out),
      .down = L(sum_down),
      .up = L(sum_up),
      .divide = L(divide),
      .divide_each = L(divide_each),
      .add = L(add_some),
      .mask = L(mask_some),
  };
}

#undef LANES
#undef INLINE
#undef VECTOR

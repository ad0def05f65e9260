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

/* ---- doubling --------------------------------------------------------------------------------- */

INLINE real L(few)(real v, const real *a, int64_t s, const int digit) {
  if (digit > 0) v += a[0];
  if (digit > 1) v += a[s];
  if (digit > 2) v += a[2 * s];
  return v;
}

INLINE void L(quad_of)(const window_sum_doubling *d, const int digit) {
  const int64_t s = d->s, off = d->off;
  real *a = d->a, *rest = d->rest;
  for (int64_t i = 0; i < d->n; i += LANES, a += LANES, rest += LANES) {
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      if (digit) rest[l] = L(few)(rest[l], a + off + l, s, digit);
      a[l] = (a[l] + a[l + s]) + (a[l + 2 * s] + a[l + 3 * s]);
    }
  }
}

static void L(sum_quad)(const window_sum_doubling *d) {
  switch (d->digit) {
  case 0: L(quad_of)(d, 0); break;
  case 1: L(quad_of)(d, 1); break;
  case 2: L(quad_of)(d, 2); break;
  default: L(quad_of)(d, 3);
  }
}

INLINE void L(quad_out_of)(const window_sum_doubling *d, const int digit, const real divisor,
                           real *y) {
  const int64_t s = d->s;
  const real *a = (const real *)d->a + d->off, *rest = d->rest;
  VECTOR v[LANES];
  for (int64_t i = 0; i < d->n; i += LANES, a += LANES, rest += LANES, y += LANES) {
    __builtin_prefetch((char *)y + WINDOW_AHEAD, 1);
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) v[l] = L(few)(rest[l], a + l, s, digit);
    if (divisor != 1) {
#pragma omp simd
      for (int64_t l = 0; l < LANES; l++) v[l] /= divisor;
    }
    if (d->n - i < LANES)
      memcpy(y, v, (size_t)(d->n - i) * sizeof(real));
    else
      memcpy(y, v, sizeof v);
  }
}

static void L(sum_quad_out)(const window_sum_doubling *d, double divisor, void *y) {
  switch (d->digit) {
  case 1: L(quad_out_of)(d, 1, (real)divisor, y); break;
  case 2: L(quad_out_of)(d, 2, (real)divisor, y); break;
  default: L(quad_out_of)(d, 3, (real)divisor, y);
  }
}

/* ---- blocks ----------------------------------------------------------------------------------- */

/* One vector of columns, the l-th. */
INLINE void L(sum_down_vector)(const window_sum_rows *w, int64_t l, const bool divided) {
  const real *group = (const real *)w->group + l * LANES, *rest = (const real *)w->rest + l * LANES;
  real *suffix = (real *)w->suffix + l * LANES, *prefix = (real *)w->prefix + l * LANES;
  real *y = (real *)w->y + l * LANES;
  int64_t width = w->width, rest_width = w->rest_width, pitch = w->pitch, y_pitch = w->y_pitch;
  int64_t rows = w->rows;
  int64_t next = w->vectors > 1 ? y_pitch * (int64_t)sizeof(real) : WINDOW_AHEAD;
  const real divisor = (real)w->divisor;
  VECTOR p[LANES];
  memcpy(p, prefix, sizeof p);
  for (int64_t r = 0; r < rows; r++) {
    __builtin_prefetch((char *)y + next, 1);
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
      real v = group[i], sum = suffix[i] + (p[i] + rest[i]);
      y[i] = divided ? sum / divisor : sum;
      p[i] += v;
      suffix[i] = v;
    }
    group += width, rest += rest_width, suffix += pitch, y += y_pitch;
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

KERNEL(window_sum_loops, (window_sum_loops * loops), (loops)) {
  *loops = (window_sum_loops){
      .quad = L(sum_quad),
      .quad_out = L(sum_quad_out),
      .down = L(sum_down),
      .up = L(sum_up),
  };
}

#undef LANES
#undef INLINE
#undef VECTOR

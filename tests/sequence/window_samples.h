/* Streams of any dtype for the tests of streaming windows, and the maximum by looking at every sample. */
#ifndef RILL_TESTS_WINDOW_SAMPLES_H
#define RILL_TESTS_WINDOW_SAMPLES_H

#include "main.h"

#include <rill.h>

/* Of floats f, of integers i. */
typedef struct sample {
  double f;
  int64_t i;
} sample;

static const rill_dtype sample_dtypes[] = {RILL_F32, RILL_F64, RILL_I32, RILL_I64, RILL_U8};
enum { DTYPES = 5 };

static inline bool is_float(rill_dtype d) { return d == RILL_F32 || d == RILL_F64; }

static inline sample sample_get(rill_dtype d, const void *x, int64_t i) {
  switch (d) {
  case RILL_F32: return (sample){.f = (double)((const float *)x)[i]};
  case RILL_F64: return (sample){.f = ((const double *)x)[i]};
  case RILL_I32: return (sample){.i = ((const int32_t *)x)[i]};
  case RILL_I64: return (sample){.i = ((const int64_t *)x)[i]};
  default: return (sample){.i = ((const uint8_t *)x)[i]};
  }
}

static inline void sample_put(rill_dtype d, void *x, int64_t i, sample s) {
  switch (d) {
  case RILL_F32: ((float *)x)[i] = (float)s.f; break;
  case RILL_F64: ((double *)x)[i] = s.f; break;
  case RILL_I32: ((int32_t *)x)[i] = (int32_t)s.i; break;
  case RILL_I64: ((int64_t *)x)[i] = s.i; break;
  default: ((uint8_t *)x)[i] = (uint8_t)s.i;
  }
}

static inline bool same_sample(rill_dtype d, sample a, sample b) {
  if (!is_float(d)) return a.i == b.i;
  if (isnan(a.f) || isnan(b.f)) return isnan(a.f) && isnan(b.f);
  return a.f == b.f && signbit(a.f) == signbit(b.f);
}

/* ---- brute force ------------------------------------------------------------------------------ */

/* Is b to be preferred to a? As a value +0 is more than -0, as a place it is not. */
static inline bool better(const rill_window_stream_options *o, sample a, sample b, bool place) {
  bool min = o->kind == RILL_WINDOW_MIN;
  if (!is_float(o->dtype)) return min ? b.i < a.i : b.i > a.i;
  if (isnan(a.f) || isnan(b.f)) {
    bool wanted = o->nan == RILL_WINDOW_NAN_PROPAGATE;
    return !isnan(a.f) == !isnan(b.f) ? false : wanted ? isnan(b.f) : isnan(a.f);
  }
  if (a.f == b.f && !place)
    return min ? signbit(b.f) && !signbit(a.f) : signbit(a.f) && !signbit(b.f);
  return min ? b.f < a.f : b.f > a.f;
}

static inline sample nothing_sample(const rill_window_stream_options *o) {
  bool min = o->kind == RILL_WINDOW_MIN;
  switch (o->dtype) {
  case RILL_I32: return (sample){.i = min ? INT32_MAX : INT32_MIN};
  case RILL_I64: return (sample){.i = min ? INT64_MAX : INT64_MIN};
  case RILL_U8: return (sample){.i = min ? UINT8_MAX : 0};
  default: return (sample){.f = min ? (double)INFINITY : -(double)INFINITY};
  }
}

/* Of x[first .. end]: the value and the place, -1 where there is none. */
static inline sample extremum(const rill_window_stream_options *o, const void *x, int64_t first,
                              int64_t end, int64_t *place) {
  sample value = nothing_sample(o), held = value;
  *place = -1;
  for (int64_t i = first; i < end; i++) {
    sample s = sample_get(o->dtype, x, i);
    if (i == first || better(o, value, s, false)) value = s;
    bool later = i == first || better(o, held, s, true) || (o->last && !better(o, s, held, true));
    if (later) held = s, *place = i;
  }
  return value;
}

/* ---- streams ---------------------------------------------------------------------------------- */

enum {
  UP,
  DOWN,
  CONSTANT,
  ALTERNATING,
  SAWTOOTH_SHORTER,
  SAWTOOTH,
  SAWTOOTH_LONGER,
  RANDOM,
  FEW_VALUES,
  EXTREMES,
  SPECIALS,
  PATTERNS
};

/* Sample i of a stream that is hard on windows of k. */
static inline double pattern_at(int pattern, int64_t i, int64_t k, uint64_t *random) {
  int64_t period = k + pattern - SAWTOOTH;
  switch (pattern) {
  case UP: return (double)i;
  case DOWN: return (double)-i;
  case CONSTANT: return 7;
  case ALTERNATING: return (double)(i % 2 ? i : -i);
  case SAWTOOTH_SHORTER:
  case SAWTOOTH:
  case SAWTOOTH_LONGER: return (double)(i % (period > 0 ? period : 1));
  case FEW_VALUES: return floor(3 * test_uniform(random));
  default: return floor(1000 * test_normal(random));
  }
}

static inline sample extreme_integer(rill_dtype d, int which) {
  int64_t low = d == RILL_I32 ? INT32_MIN : d == RILL_I64 ? INT64_MIN : 0;
  int64_t high = d == RILL_I32 ? INT32_MAX : d == RILL_I64 ? INT64_MAX : UINT8_MAX;
  const int64_t all[] = {low, low + 1, high, high - 1, 0, low ? -1 : 1};
  return (sample){.i = all[which]};
}

static inline void make_stream(rill_dtype d, int pattern, int64_t k, int64_t n, uint64_t *random,
                               void *x) {
  const double special[] = {NAN, (double)INFINITY, -(double)INFINITY, 0.0, -0.0, 1};
  for (int64_t i = 0; i < n; i++) {
    double v = pattern_at(pattern, i, k, random);
    int which = (int)(6 * test_uniform(random));
    sample s = {.f = v / 4, .i = d == RILL_U8 ? (int64_t)v & 255 : (int64_t)v};
    if (pattern == EXTREMES) s.i = extreme_integer(d, which).i;
    if (pattern == EXTREMES) s.f = which % 2 ? -special[which / 2 + 1] : special[which / 2 + 1];
    if (pattern == SPECIALS && which < 5) s.f = special[(int)(6 * test_uniform(random))];
    sample_put(d, x, i, s);
  }
}

#endif

/* What the tests of sliding windows share: patterns of samples, and the shapes of windows as every textbook
 * has them, one step at a time. */
#ifndef RILL_TESTS_WINDOW_SHAPE_H
#define RILL_TESTS_WINDOW_SHAPE_H

#include "main.h"
#include "rill/pure.h"

enum {
  RANDOM,
  TIES,
  UP,
  DOWN,
  CONSTANT,
  ALTERNATING,
  SAW_BELOW,
  SAW,
  SAW_ABOVE,
  EXTREME,
  PATTERNS
};

/* Sample numbers and integers of a pattern; the types make theirs of them. */
static inline int64_t pattern_value(int pattern, int64_t i, int64_t k, uint64_t *seed) {
  switch (pattern) {
  case RANDOM: return (int64_t)(test_uniform(seed) * 250);
  case TIES: return (int64_t)(test_uniform(seed) * 3);
  case UP: return i / 7;
  case DOWN: return 100 - i / 5;
  case ALTERNATING: return i & 1;
  case SAW_BELOW: return k > 1 ? i % (k - 1) : i;
  case SAW: return i % k;
  case SAW_ABOVE: return i % (k + 1);
  default: return 4;
  }
}

static inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Samples before the first window's first, and the places of the mode. */
static inline int64_t lead_of(const rill_window_params *p, int64_t *dense) {
  int64_t d = p->dilation ? p->dilation : 1, reach = (p->window - 1) * d;
  *dense = p->n;
  switch (p->mode) {
  case RILL_WINDOW_VALID: *dense = p->n - reach < 0 ? 0 : p->n - reach; return 0;
  case RILL_WINDOW_SAME: return p->window / 2 * d;
  case RILL_WINDOW_FULL: *dense = p->n ? p->n + reach : 0; return reach;
  default: return reach;
  }
}

static inline int64_t length_of(const rill_window_params *p) {
  int64_t dense;
  lead_of(p, &dense);
  return divide_up(dense, p->stride ? p->stride : 1);
}

/* What scipy.ndimage does beyond the ends, one step at a time; -1: the pad value, -2: nothing. */
static inline int64_t beyond(const rill_window_params *p, int64_t i) {
  int64_t n = p->n;
  if (i >= 0 && i < n) return i;
  switch (p->edge) {
  case RILL_WINDOW_IGNORE: return -2;
  case RILL_WINDOW_CONSTANT: return -1;
  case RILL_WINDOW_NEAREST: return i < 0 ? 0 : n - 1;
  case RILL_WINDOW_WRAP:
    while (i < 0) i += n;
    return i % n;
  case RILL_WINDOW_REFLECT:
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
  default:
    while (n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * n - 2 - i;
    return n > 1 ? i : 0;
  }
}

static inline int64_t at_of(const int64_t strides[3], int64_t o, int64_t i, int64_t c) {
  return o * strides[0] + i * strides[1] + c * strides[2];
}

/* Strides as given, or those of contiguous arrays; returns elements from the first to the last. */
static inline int64_t strides_of(const int64_t given[3], int64_t outer, int64_t n, int64_t inner,
                                 int64_t strides[3]) {
  bool contiguous = !given[0] && !given[1] && !given[2];
  strides[0] = contiguous ? n * inner : given[0];
  strides[1] = contiguous ? inner : given[1];
  strides[2] = contiguous ? 1 : given[2];
  if (outer == 0 || n == 0 || inner == 0) return 0;
  return at_of(strides, outer - 1, n - 1, inner - 1) + 1;
}

/* Memory of that very size, so that tools see any step beyond, full of what no result should be. */
static inline void *dirty(int64_t count, size_t size) {
  void *at = malloc((size_t)count * size + !count);
  memset(at, 0x5a, (size_t)count * size);
  return at;
}

static inline rill_window_params params_of(int64_t outer, int64_t n, int64_t inner, int64_t k) {
  rill_window_params p = RILL_WINDOW_PARAMS_INIT;
  p.outer = outer, p.n = n, p.inner = inner, p.window = k;
  p.pad = 3, p.pad_integer = 3;
  return p;
}

#endif

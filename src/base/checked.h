/* Size arithmetic that says when it overflows. Every size computed from outside input goes through
 * these; each returns false (and leaves *out alone) where the result does not fit. */
#ifndef RILL_SRC_CHECKED_H
#define RILL_SRC_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add(int64_t a, int64_t b, int64_t *out) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) return false;
  *out = r;
  return true;
}

static inline bool checked_mul(int64_t a, int64_t b, int64_t *out) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) return false;
  *out = r;
  return true;
}

/* count * size in bytes, kept below PTRDIFF_MAX so that pointer arithmetic stays defined. */
static inline bool checked_bytes(int64_t count, size_t size, size_t *out) {
  size_t r;
  if (count < 0 || __builtin_mul_overflow((size_t)count, size, &r) || r > PTRDIFF_MAX / 2)
    return false;
  *out = r;
  return true;
}

#endif

/* For tests of kernels that exist per type. A test file includes itself once for each, by typed_both.h, with
 *   REAL, N(name), K(name)   float and double, name_f32 and name_f64, rill_name_f32 and rill_name_f64
 * and defines tolerance_f32 and tolerance_f64, of the rms ratio. TYPED_TEST(name) makes a Check test of
 * N(name)() at every level of the processor. */
#ifndef RILL_TESTS_TYPED_H
#define RILL_TESTS_TYPED_H

#include "main.h"
#include "base/base.h"
#include "rill/pure.h"

#define TYPED_TEST(name)                                                                           \
  START_TEST(name) {                                                                               \
    for (int level = 0; level < CPU_LEVELS; level++) {                                             \
      cpu_set_level(level);                                                                        \
      name##_f32();                                                                                \
      name##_f64();                                                                                \
    }                                                                                              \
  }                                                                                                \
  END_TEST

static inline double typed_ratio_f32(const float *x, const double *ref, int64_t n) {
  return rms_ratio_f32(x, ref, n);
}
static inline double typed_ratio_f64(const double *x, const double *ref, int64_t n) {
  return rms_ratio_f64(x, ref, n);
}

/* x and its exact values in double. */
static inline void typed_normal_f32(uint64_t seed, float *x, double *exact, int64_t n) {
  for (int64_t i = 0; i < n; i++) exact[i] = x[i] = (float)test_normal(&seed);
}
static inline void typed_normal_f64(uint64_t seed, double *x, double *exact, int64_t n) {
  for (int64_t i = 0; i < n; i++) exact[i] = x[i] = test_normal(&seed);
}

/* NaN where the reference is not, or an infinity that differs, makes the ratio NaN or infinite, so
 * that the comparison fails. */
#define ck_close(x, ref, n) ck_within(x, ref, n, N(tolerance))
#define ck_within(x, ref, n, most)                                                                 \
  do {                                                                                             \
    if (reference_is_finer()) ck_assert_double_le(N(typed_ratio)(x, ref, n), most);                \
  } while (0)

#endif

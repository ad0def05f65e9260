/* Runs one suite of Check as a program. A test file defines its cases, builds them into a TCase and
 * ends with TEST_MAIN("suite name", tcase). */
#ifndef RILL_TESTS_MAIN_H
#define RILL_TESTS_MAIN_H

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which sanitizer watches: gcc and clang tell it in different ways. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif
#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

/* Has long double more bits than double? Under Valgrind it has not, and is nothing to compare with. */
static inline bool reference_is_finer(void) {
  volatile long double one = 1, small = DBL_EPSILON / 4;
  return one + small != one;
}

/* rms(x - ref) / (rms(ref) + 1e-8); NaN where either has one the other lacks. */
static inline double rms_ratio_f64(const double *x, const double *ref, int64_t n) {
  double d = 0, r = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(x[i]) && isnan(ref[i])) continue;
    if (isinf(ref[i]) && x[i] == ref[i]) continue;
    d += (x[i] - ref[i]) * (x[i] - ref[i]);
    r += ref[i] * ref[i];
  }
  return n ? sqrt(d / (double)n) / (sqrt(r / (double)n) + 1e-8) : 0;
}

static inline double rms_ratio_f32(const float *x, const double *ref, int64_t n) {
  double d = 0, r = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(x[i]) && isnan(ref[i])) continue;
    if (isinf(ref[i]) && (double)x[i] == ref[i]) continue;
    d += ((double)x[i] - ref[i]) * ((double)x[i] - ref[i]);
    r += ref[i] * ref[i];
  }
  return n ? sqrt(d / (double)n) / (sqrt(r / (double)n) + 1e-8) : 0;
}

/* xorshift64*: the tests' own numbers, the same on every machine. */
static inline double test_uniform(uint64_t *state) {
  *state ^= *state >> 12, *state ^= *state << 25, *state ^= *state >> 27;
  return (double)((*state * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

/* Roughly normal: the sum of twelve uniforms less six. */
static inline double test_normal(uint64_t *state) {
  double s = -6;
  for (int i = 0; i < 12; i++) s += test_uniform(state);
  return s;
}

static inline int test_main(const char *name, TCase *(*tcase)(void)) {
  Suite *suite = suite_create(name);
  suite_add_tcase(suite, tcase());
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define TEST_MAIN(name, tcase)                                                                     \
  int main(void) { return test_main(name, tcase); }

#endif

/* Philox against its known answers; fills and dropout against the block function, and their
 * independence of how a fill is split. */
#ifndef REAL
#include "pure/typed.h"
#include "base/philox.h"

static const double tolerance_f32 = 5e-7, tolerance_f64 = 1e-14;

#define TYPED_FILE "pure/test_dropout.c"
#include "pure/typed_both.h"

TYPED_TEST(uniform)
TYPED_TEST(normal)
TYPED_TEST(splits)
TYPED_TEST(masks)
TYPED_TEST(special_values)

/* Known answers of Random123 for philox4x32-10. */
START_TEST(known_answers) {
  static const uint32_t rows[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
       0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1}};
  for (int r = 0; r < 3; r++) {
    uint32_t c[4];
    memcpy(c, rows[r], sizeof c);
    philox(c, rows[r][4], rows[r][5]);
    ck_assert_mem_eq(c, rows[r] + 6, sizeof c);
  }
}
END_TEST

START_TEST(integers) {
  enum { N_INTEGERS = 1000 };
  int64_t whole[N_INTEGERS], part[N_INTEGERS], count[7] = {0};
  rill_randint_i64(3, 40, 0, -2, 5, whole, N_INTEGERS);
  for (int i = 0; i < N_INTEGERS; i++) {
    uint32_t c[4];
    philox_block(3, 40 + (uint64_t)i / 2, c);
    uint64_t word = (uint64_t)c[i % 2 * 2 + 1] << 32 | c[i % 2 * 2];
    ck_assert_int_eq(whole[i], -2 + (int64_t)(7.0L * word / 18446744073709551616.0L));
    count[whole[i] + 2]++;
  }
  for (int k = 0; k < 7; k++) ck_assert(count[k] > 90 && count[k] < 200); /* 143, deviation 11 */
  for (int i = 0, n = 1; i < N_INTEGERS; i += n, n = n * 2 + 1) {
    if (n > N_INTEGERS - i) n = N_INTEGERS - i;
    rill_randint_i64(3, 40, i, -2, 5, part + i, n);
  }
  ck_assert_mem_eq(whole, part, sizeof whole);
  rill_randint_i64(3, 40, 0, INT64_MIN, INT64_MAX, whole, N_INTEGERS); /* the range does not wrap */
  for (int i = 0; i < N_INTEGERS; i++) ck_assert(whole[i] < INT64_MAX);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("dropout");
  tcase_add_test(c, uniform);
  tcase_add_test(c, normal);
  tcase_add_test(c, splits);
  tcase_add_test(c, masks);
  tcase_add_test(c, special_values);
  tcase_add_test(c, known_answers);
  tcase_add_test(c, integers);
  return c;
}

TEST_MAIN("dropout", tcase)
#else

enum { N(COUNT) = 1003, N(PER_BLOCK) = 16 / sizeof(REAL) };

/* Element i of the uniform stream, made from its block alone. */
static double N(unit)(uint64_t seed, uint64_t offset, int i) {
  uint32_t c[4];
  philox_block(seed, offset + (uint64_t)i / N(PER_BLOCK), c);
  if (sizeof(REAL) == 4) return (c[i % 4] >> 8) / 16777216.0;
  return (((uint64_t)c[i % 2 * 2 + 1] << 32 | c[i % 2 * 2]) >> 11) / 9007199254740992.0;
}

static const uint64_t N(seeds)[] = {0, 1, UINT64_C(0x123456789abcdef0)};
static const uint64_t N(offsets)[] = {0, 77, UINT64_C(0xfffffff0), UINT64_MAX - 20};

static void N(uniform)(void) {
  REAL y[N(COUNT)];
  for (int s = 0; s < 3; s++)
    for (int o = 0; o < 4; o++) {
      K(rand)(N(seeds)[s], N(offsets)[o], 0, y, N(COUNT));
      for (int i = 0; i < N(COUNT); i++) {
        ck_assert((double)y[i] == N(unit)(N(seeds)[s], N(offsets)[o], i));
        ck_assert(y[i] >= 0 && y[i] < 1);
      }
    }
}

static void N(normal)(void) {
  static REAL y[100000];
  double want[N(COUNT)], sum = 0, square = 0, fourth = 0;
  K(randn)(5, 9, 0, y, 100000);
  for (int i = 0; i < N(COUNT); i++) {
    double u = N(unit)(5, 9, i & ~1), v = N(unit)(5, 9, i | 1);
    want[i] = sqrt(-2 * log(1 - u)) * (i & 1 ? sin(2 * M_PI * v) : cos(2 * M_PI * v));
  }
  ck_close(y, want, N(COUNT));
  for (int i = 0; i < 100000; i++) {
    ck_assert(isfinite(y[i]));
    sum += y[i];
    square += (double)y[i] * y[i];
    fourth += pow(y[i], 4);
  }
  ck_assert_double_eq_tol(sum / 1e5, 0, 0.016); /* five deviations */
  ck_assert_double_eq_tol(square / 1e5, 1, 0.023);
  ck_assert_double_eq_tol(fourth / 1e5, 3, 0.16);
}

static void N(splits)(void) {
  REAL x[N(COUNT)], whole[3][N(COUNT)], part[3][N(COUNT)];
  uint8_t mask[2][N(COUNT)];
  for (int i = 0; i < N(COUNT); i++) x[i] = (REAL)(i + 1);
  K(rand)(2, 3, 0, whole[0], N(COUNT));
  K(randn)(2, 3, 0, whole[1], N(COUNT));
  K(dropout)(x, 0.3, 2, 3, 0, whole[2], mask[0], N(COUNT));
  for (int step = 1; step < 400; step = step * 2 + 1) {
    for (int i = 0; i < N(COUNT); i += step) {
      int n = step < N(COUNT) - i ? step : N(COUNT) - i;
      K(rand)(2, 3, i, part[0] + i, n);
      K(randn)(2, 3, i, part[1] + i, n);
      K(dropout)(x + i, 0.3, 2, 3, i, part[2] + i, mask[1] + i, n);
    }
    ck_assert_mem_eq(whole, part, sizeof whole);
    ck_assert_mem_eq(mask[0], mask[1], sizeof mask[0]);
  }
}

static void N(masks)(void) {
  static const double rates[] = {0, 0.1, 0.5, 0.999, 1};
  REAL x[N(COUNT)], y[N(COUNT)];
  uint8_t mask[N(COUNT)];
  for (int i = 0; i < N(COUNT); i++) x[i] = (REAL)(i + 1);
  for (int k = 0; k < 5; k++) {
    int kept = 0;
    K(dropout)(x, rates[k], 4, 1000, 0, y, mask, N(COUNT));
    for (int i = 0; i < N(COUNT); i++) {
      uint32_t c[4];
      philox_block(4, 1000 + (uint64_t)i / 4, c);
      bool keep = c[i % 4] >= floor(rates[k] * 4294967296.0);
      ck_assert_int_eq(mask[i], keep);
      double want = keep ? x[i] / (1 - rates[k]) : 0;
      ck_assert_double_le(fabs(y[i] - want), want * N(tolerance));
      kept += keep;
    }
    ck_assert_double_eq_tol(kept / (double)N(COUNT), 1 - rates[k], 0.08);
    K(dropout)(x, rates[k], 4, 1000, 0, x, NULL, N(COUNT)); /* in place, no mask */
    ck_assert_mem_eq(x, y, sizeof x);
    for (int i = 0; i < N(COUNT); i++) x[i] = (REAL)(i + 1);
  }
}

/* As PyTorch, which multiplies by the mask. */
static void N(special_values)(void) {
  REAL x[6] = {(REAL)NAN, (REAL)INFINITY, 1, (REAL)NAN, (REAL)INFINITY, 1}, y[6] = {7};
  K(dropout)(x, 1, 1, 1, 0, y, NULL, 0);
  ck_assert(y[0] == 7);
  K(dropout)(x, 1, 1, 1, 0, y, NULL, 6);
  for (int i = 0; i < 6; i++) ck_assert(i % 3 == 2 ? y[i] == 0 : isnan(y[i]));
}
#endif

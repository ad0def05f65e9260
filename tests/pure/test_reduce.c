/* Reductions against long double loops and PyTorch's special values. */
#ifndef REAL
#include "pure/typed.h"

static const double tolerance_f32 = 5e-7, tolerance_f64 = 2e-15;

#define TYPED_FILE "pure/test_reduce.c"
#include "pure/typed_both.h"

TYPED_TEST(sums_and_means)
TYPED_TEST(variance)
TYPED_TEST(maxima)
TYPED_TEST(nan_and_ties)
TYPED_TEST(logsumexp)
TYPED_TEST(norms)
TYPED_TEST(prod)
TYPED_TEST(cumsum)
TYPED_TEST(long_sums)
TYPED_TEST(empty_input)

static TCase *tcase(void) {
  TCase *c = tcase_create("reduce");
  tcase_add_test(c, sums_and_means);
  tcase_add_test(c, variance);
  tcase_add_test(c, maxima);
  tcase_add_test(c, nan_and_ties);
  tcase_add_test(c, logsumexp);
  tcase_add_test(c, norms);
  tcase_add_test(c, prod);
  tcase_add_test(c, cumsum);
  tcase_add_test(c, long_sums);
  tcase_add_test(c, empty_input);
  return c;
}

TEST_MAIN("reduce", tcase)
#else

/* [outer, n, inner]: rows, few and many columns, whole and partial lanes and chunks. */
static const int N(shapes)[][3] = {
    {1, 1, 1},  {3, 2, 1},   {2, 63, 1},  {2, 64, 1}, {2, 65, 1},   {1, 5000, 1}, {2, 300, 3},
    {2, 7, 31}, {2, 70, 32}, {2, 70, 33}, {2, 5, 64}, {1, 130, 65}, {2, 9, 130},  {1, 20000, 1}};
enum { N(SHAPES) = sizeof N(shapes) / sizeof *N(shapes), N(MOST) = 20000 };

static REAL N(x)[N(MOST)], N(y)[N(MOST)], N(m)[N(MOST)], N(g)[N(MOST)], N(gx)[N(MOST)];
static double N(ex)[N(MOST)], N(eg)[N(MOST)], N(want)[N(MOST)], N(want_m)[N(MOST)],
    N(want_gx)[N(MOST)];

/* Runs the body for each shape, with x and grad filled, and for each column: p is its start in x,
 * q its place in y. */
typedef struct N(shape) {
  int outer, n, inner, count, size;
} N(shape);

static N(shape) N(fill)(int k) {
  const int *s = N(shapes)[k];
  N(shape) r = {s[0], s[1], s[2], s[0] * s[2], s[0] * s[1] * s[2]};
  N(typed_normal)(5 + (uint64_t)k, N(x), N(ex), r.size);
  N(typed_normal)(50 + (uint64_t)k, N(g), N(eg), r.count);
  return r;
}

static int N(start)(N(shape) s, int q) { return q / s.inner * s.n * s.inner + q % s.inner; }

static void N(sums_and_means)(void) {
  for (int k = 0; k < N(SHAPES); k++) {
    N(shape) s = N(fill)(k);
    for (int i = 0; i < s.size; i++) N(ex)[i] = N(x)[i] = N(x)[i] + 2;
    for (int q = 0; q < s.count; q++) {
      int p = N(start)(s, q);
      long double sum = 0;
      for (int i = 0; i < s.n; i++) sum += N(ex)[p + i * s.inner];
      N(want)[q] = (double)sum;
      N(want_m)[q] = (double)(sum / s.n);
      for (int i = 0; i < s.n; i++) N(want_gx)[p + i * s.inner] = N(eg)[q];
    }
    K(sum)(N(x), N(y), s.outer, s.n, s.inner);
    ck_close(N(y), N(want), s.count);
    K(mean)(N(x), N(y), s.outer, s.n, s.inner);
    ck_close(N(y), N(want_m), s.count);
    K(sum_backward)(N(g), N(gx), s.outer, s.n, s.inner);
    ck_assert(N(typed_ratio)(N(gx), N(want_gx), s.size) == 0);
    for (int i = 0; i < s.size; i++) N(want_gx)[i] /= s.n;
    K(mean_backward)(N(g), N(gx), s.outer, s.n, s.inner);
    ck_close(N(gx), N(want_gx), s.size);
  }
}

static void N(variance)(void) {
  for (int k = 0; k < N(SHAPES); k++) {
    N(shape) s = N(fill)(k);
    if (s.n < 2) continue;
    for (int i = 0; i < s.size; i++) N(ex)[i] = N(x)[i] = N(x)[i] + 100; /* mean far from 0 */
    for (int q = 0; q < s.count; q++) {
      int p = N(start)(s, q);
      long double mean = 0, dd = 0;
      for (int i = 0; i < s.n; i++) mean += (long double)N(ex)[p + i * s.inner] / s.n;
      for (int i = 0; i < s.n; i++) {
        long double d = N(ex)[p + i * s.inner] - mean;
        dd += d * d;
      }
      N(want)[q] = (double)(dd / (s.n - 1));
      N(want_m)[q] = (double)mean;
    }
    K(var)(N(x), 1, N(y), N(m), s.outer, s.n, s.inner);
    ck_close(N(y), N(want), s.count);
    ck_close(N(m), N(want_m), s.count);
    for (int q = 0; q < s.count; q++)
      for (int i = 0, p = N(start)(s, q); i < s.n; i++) N(want_gx)
    [p + i * s.inner] = N(eg)[q] * 2 / (s.n - 1) * (N(ex)[p + i * s.inner] - (double)N(m)[q]);
    K(var_backward)(N(g), N(x), N(m), 1, N(gx), s.outer, s.n, s.inner);
    ck_close(N(gx), N(want_gx), s.size);
  }
  REAL one = 3, y;
  K(var)(&one, 1, &y, NULL, 1, 1, 1);
  ck_assert(isnan(y));
  REAL two[2] = {1, 2};
  K(var)(two, 3, &y, NULL, 1, 2, 1);
  ck_assert(isinf(y) && y > 0);
}

static void N(maxima)(void) {
  static int64_t index[N(MOST)];
  for (int k = 0; k < N(SHAPES); k++) {
    N(shape) s = N(fill)(k);
    for (int sign = -1; sign <= 1; sign += 2) {
      rill_status (*f)(const REAL *, REAL *, int64_t *, int64_t, int64_t, int64_t) =
          sign > 0 ? K(max) : K(min);
      ck_assert_int_eq(f(N(x), N(y), index, s.outer, s.n, s.inner), RILL_OK);
      memset(N(want_gx), 0, sizeof N(want_gx));
      for (int q = 0; q < s.count; q++) {
        int p = N(start)(s, q), best = 0;
        for (int i = 1; i < s.n; i++)
          if (sign * N(x)[p + i * s.inner] > sign * N(x)[p + best * s.inner]) best = i;
        ck_assert_int_eq(index[q], best);
        ck_assert(N(y)[q] == N(x)[p + best * s.inner]);
        N(want_gx)[p + best * s.inner] = N(eg)[q];
      }
      ck_assert_int_eq(K(max_backward)(N(g), index, N(gx), s.outer, s.n, s.inner), RILL_OK);
      ck_assert(N(typed_ratio)(N(gx), N(want_gx), s.size) == 0);
    }
  }
}

static void N(nan_and_ties)(void) {
  static const int inners[] = {1, 3, 70};
  for (int k = 0; k < 3; k++)
    for (int at = 0; at < 200; at += 7) {
      int inner = inners[k], j = inner - 1;
      int64_t index[70];
      for (int i = 0; i < 200 * inner; i++) N(x)[i] = (REAL)(i / inner % 5);
      K(max)(N(x), N(y), index, 1, 200, inner);
      ck_assert(N(y)[j] == 4 && index[j] == 4); /* the first of forty */
      K(min)(N(x), NULL, index, 1, 200, inner);
      ck_assert(index[j] == 0);
      N(x)[at * inner + j] = (REAL)NAN;
      if (at + 3 < 200) N(x)[(at + 3) * inner + j] = (REAL)NAN;
      K(max)(N(x), N(y), index, 1, 200, inner);
      ck_assert(isnan(N(y)[j]) && index[j] == at);
      K(min)(N(x), N(y), NULL, 1, 200, inner);
      ck_assert(isnan(N(y)[j]));
      for (int i = 0; i < 200 * inner; i++) N(x)[i] = -(REAL)INFINITY;
      K(max)(N(x), N(y), index, 1, 200, inner);
      ck_assert(N(y)[j] == -(REAL)INFINITY && index[j] == 0);
    }
  int64_t bad = 5;
  REAL g = 1, gx[5] = {7};
  ck_assert_int_eq(K(max_backward)(&g, &bad, gx, 1, 5, 1), RILL_ERROR_INDEX);
  ck_assert(gx[0] == 7);
}

static void N(logsumexp)(void) {
  for (int k = 0; k < N(SHAPES); k++) {
    N(shape) s = N(fill)(k);
    for (int i = 0; i < s.size; i++) N(ex)[i] = N(x)[i] = N(x)[i] * 4 + 90; /* e^x overflows */
    for (int q = 0; q < s.count; q++) {
      int p = N(start)(s, q);
      long double sum = 0;
      for (int i = 0; i < s.n; i++) sum += expl(N(ex)[p + i * s.inner]);
      N(want)[q] = (double)logl(sum);
    }
    K(logsumexp)(N(x), N(y), s.outer, s.n, s.inner);
    ck_close(N(y), N(want), s.count);
    for (int q = 0; q < s.count; q++)
      for (int i = 0, p = N(start)(s, q); i < s.n; i++)
        N(want_gx)[p + i * s.inner] = N(eg)[q] * exp(N(ex)[p + i * s.inner] - (double)N(y)[q]);
    K(logsumexp_backward)(N(g), N(x), N(y), N(gx), s.outer, s.n, s.inner);
    ck_close(N(gx), N(want_gx), s.size);
  }
  REAL low[2] = {-(REAL)INFINITY, -(REAL)INFINITY}, high[2] = {1, (REAL)INFINITY};
  REAL bad[2] = {1, (REAL)NAN}, y;
  K(logsumexp)(low, &y, 1, 2, 1);
  ck_assert(y == -(REAL)INFINITY);
  K(logsumexp)(high, &y, 1, 2, 1);
  ck_assert(y == (REAL)INFINITY);
  K(logsumexp)(bad, &y, 1, 2, 1);
  ck_assert(isnan(y));
}

static void N(norms)(void) {
  static const double orders[] = {0, 1, 2, 3, 1.5, 0.5, -1, INFINITY, -INFINITY};
  for (int k = 0; k < N(SHAPES); k++)
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
      double ord = orders[o];
      N(shape) s = N(fill)(k);
      for (int q = 0; q < s.count; q++) {
        int p = N(start)(s, q);
        long double sum = 0, high = 0, low = INFINITY;
        for (int i = 0; i < s.n; i++) {
          long double a = fabs(N(ex)[p + i * s.inner]);
          sum += ord == 0 ? a != 0 : powl(a, ord);
          high = a > high ? a : high;
          low = a < low ? a : low;
        }
        long double norm = ord == 0     ? sum
                           : isinf(ord) ? (ord > 0 ? high : low)
                                        : powl(sum, 1 / ord);
        N(want)[q] = (double)norm;
        for (int i = 0; i < s.n; i++) {
          long double v = N(ex)[p + i * s.inner], a = fabsl(v), d;
          d = ord == 0 ? 0 : isinf(ord) ? a == norm : powl(a, ord - 1) * powl(norm, 1 - ord);
          N(want_gx)[p + i * s.inner] = (double)(copysignl(d, v) * N(eg)[q]);
        }
      }
      K(norm)(N(x), ord, N(y), s.outer, s.n, s.inner);
      ck_close(N(y), N(want), s.count);
      K(norm_backward)(N(g), N(x), N(y), ord, N(gx), s.outer, s.n, s.inner);
      ck_within(N(gx), N(want_gx), s.size, N(tolerance) * 2);
    }
  /* PyTorch's gradients at zeros and ties: tests/golden/norm.py */
  static const double at[] = {0.5, 1, 1.5, 2, 3, INFINITY, -INFINITY};
#include "golden/norm.h"
  REAL x[3] = {1, -2, 0}, none[3] = {0, 0, 0}, tie[3] = {2, -2, 1}, y, one = 1, gx[3];
  for (int o = 0; o < 7; o++) {
    K(norm)(x, at[o], &y, 1, 3, 1);
    K(norm_backward)(&one, x, &y, at[o], gx, 1, 3, 1);
    for (int i = 0; i < 3; i++)
      ck_assert_double_eq_tol(gx[i], golden_norm_grad[o][i], N(tolerance));
    K(norm)(none, at[o], &y, 1, 3, 1);
    ck_assert(y == 0);
    K(norm_backward)(&one, none, &y, at[o], gx, 1, 3, 1);
    for (int i = 0; i < 3; i++) ck_assert(gx[i] == 0);
  }
  K(norm)(tie, INFINITY, &y, 1, 3, 1);
  K(norm_backward)(&one, tie, &y, INFINITY, gx, 1, 3, 1);
  ck_assert(gx[0] == 0.5 && gx[1] == -0.5 && gx[2] == 0);
}

static void N(prod)(void) {
  for (int k = 0; k < N(SHAPES); k++)
    for (int zeros = 0; zeros < 3; zeros++) {
      N(shape) s = N(fill)(k);
      if (s.n > 300) continue; /* the rounding error of a product does grow with n */
      for (int i = 0; i < s.size; i++) N(ex)[i] = N(x)[i] = 1 + N(x)[i] / 16;
      for (int q = 0; q < s.count; q++)
        for (int z = 0; z < zeros && z < s.n; z++) {
          int p = N(start)(s, q) + (q + z * 3) % s.n * s.inner;
          N(ex)[p] = N(x)[p] = 0;
        }
      for (int q = 0; q < s.count; q++) {
        int p = N(start)(s, q);
        for (int i = 0; i <= s.n; i++) { /* at n nothing is left out */
          long double product = 1;
          for (int l = 0; l < s.n; l++) product *= l == i ? 1 : N(ex)[p + l * s.inner];
          if (i == s.n)
            N(want)[q] = (double)product;
          else
            N(want_gx)[p + i * s.inner] = (double)(product * N(eg)[q]);
        }
      }
      K(prod)(N(x), N(y), s.outer, s.n, s.inner);
      ck_within(N(y), N(want), s.count, N(tolerance) * 4);
      K(prod_backward)(N(g), N(x), N(gx), s.outer, s.n, s.inner);
      ck_within(N(gx), N(want_gx), s.size, N(tolerance) * 4);
    }
}

static void N(cumsum)(void) {
  for (int k = 0; k < N(SHAPES); k++) {
    N(shape) s = N(fill)(k);
    for (int q = 0; q < s.count; q++) {
      int p = N(start)(s, q);
      long double up = 0, down = 0;
      for (int i = 0; i < s.n; i++) {
        N(want)[p + i * s.inner] = (double)(up += N(ex)[p + i * s.inner]);
        int back = p + (s.n - 1 - i) * s.inner;
        N(want_gx)[back] = (double)(down += N(ex)[back]);
      }
    }
    K(cumsum)(N(x), N(y), s.outer, s.n, s.inner);
    ck_within(N(y), N(want), s.size, N(tolerance) * 4);
    K(cumsum_backward)(N(x), N(x), s.outer, s.n, s.inner); /* in place */
    ck_within(N(x), N(want_gx), s.size, N(tolerance) * 4);
  }
}

/* A running f32 sum of ten million tenths is off by 8 %; pairwise it is within an ulp or two. */
static void N(long_sums)(void) {
  enum { LONG = 10000000 };
  REAL *x = malloc(LONG * sizeof *x), y[2];
  for (int i = 0; i < LONG; i++) x[i] = (REAL)0.1;
  K(sum)(x, y, 1, LONG, 1);
  ck_assert_double_eq_tol(y[0] / ((double)x[0] * LONG), 1, N(tolerance));
  K(sum)(x, y, 1, LONG / 2, 2);
  ck_assert_double_eq_tol(y[1] / ((double)x[0] * LONG / 2), 1, N(tolerance));
  free(x);
}

static void N(empty_input)(void) {
  REAL x = 1, y[2] = {7, 7};
  int64_t index = 7;
  K(sum)(&x, y, 2, 0, 1);
  ck_assert(y[0] == 0 && y[1] == 0);
  K(mean)(&x, y, 1, 0, 2);
  ck_assert(isnan(y[0]) && isnan(y[1]));
  K(var)(&x, 1, y, NULL, 1, 0, 1);
  ck_assert(isnan(y[0]));
  K(prod)(&x, y, 1, 0, 1);
  ck_assert(y[0] == 1);
  K(logsumexp)(&x, y, 1, 0, 1);
  ck_assert(y[0] == -(REAL)INFINITY);
  K(norm)(&x, INFINITY, y, 1, 0, 1);
  ck_assert(y[0] == 0);
  y[0] = 7;
  ck_assert_int_eq(K(max)(&x, y, &index, 1, 0, 1), RILL_ERROR_SHAPE);
  ck_assert_int_eq(K(min)(&x, y, &index, 0, 0, 5), RILL_OK);
  K(sum)(&x, y, 0, 5, 5);
  K(cumsum)(&x, y, 1, 0, 5);
  ck_assert(y[0] == 7 && index == 7);
}
#endif

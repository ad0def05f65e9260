/* Gathering and scattering against plain loops. */
#ifndef REAL
#include "pure/typed.h"
static const double tolerance_f32 = 0, tolerance_f64 = 0;

#define TYPED_FILE "pure/test_index.c"
#include "pure/typed_both.h"

TYPED_TEST(rows)
TYPED_TEST(along_a_dim)
TYPED_TEST(out_of_range_writes_nothing)

static TCase *tcase(void) {
  TCase *c = tcase_create("index");
  tcase_add_test(c, rows);
  tcase_add_test(c, along_a_dim);
  tcase_add_test(c, out_of_range_writes_nothing);
  return c;
}

TEST_MAIN("index", tcase)
#else

static void N(rows)(void) {
  enum { ROWS = 11, WIDTH = 37, COUNT = 50 };
  REAL weight[ROWS * WIDTH], y[COUNT * WIDTH], sum[ROWS * WIDTH] = {0};
  double exact[ROWS * WIDTH], want[COUNT * WIDTH], want_sum[ROWS * WIDTH] = {0};
  int64_t index[COUNT];
  N(typed_normal)(1, weight, exact, ROWS * WIDTH);
  for (int i = 0; i < COUNT; i++) {
    index[i] = i * 7 % ROWS;
    for (int j = 0; j < WIDTH; j++) want[i * WIDTH + j] = exact[index[i] * WIDTH + j];
  }
  ck_assert_int_eq(K(gather_rows)(weight, ROWS, WIDTH, index, COUNT, y), RILL_OK);
  ck_close(y, want, COUNT * WIDTH);
  for (int i = 0; i < COUNT; i++) /* in this order, in this precision */
    for (int j = 0; j < WIDTH; j++) {
      double *at = want_sum + index[i] * WIDTH + j;
      *at = (REAL)((REAL)*at + y[i * WIDTH + j]);
    }
  ck_assert_int_eq(K(scatter_add_rows)(y, index, COUNT, WIDTH, ROWS, sum), RILL_OK);
  ck_close(sum, want_sum, ROWS * WIDTH);
}

static void N(along_a_dim)(void) {
  enum { OUTER = 3, FROM = 5, TO = 8, INNER = 4 };
  REAL x[OUTER * FROM * INNER], y[OUTER * TO * INNER], sum[OUTER * FROM * INNER] = {0};
  double exact[OUTER * FROM * INNER], want[OUTER * TO * INNER],
      want_sum[OUTER * FROM * INNER] = {0};
  int64_t index[OUTER * TO * INNER];
  N(typed_normal)(2, x, exact, OUTER * FROM * INNER);
  for (int i = 0; i < OUTER * TO * INNER; i++) {
    index[i] = i * 13 % 7 % FROM;
    int64_t from = (i / (TO * INNER) * FROM + index[i]) * INNER + i % INNER;
    want[i] = exact[from];
    want_sum[from] = (REAL)((REAL)want_sum[from] + x[from]);
  }
  ck_assert_int_eq(K(gather)(x, index, y, OUTER, FROM, TO, INNER), RILL_OK);
  ck_close(y, want, OUTER * TO * INNER);
  ck_assert_int_eq(K(scatter_add)(y, index, sum, OUTER, FROM, TO, INNER), RILL_OK);
  ck_close(sum, want_sum, OUTER * FROM * INNER);
}

static void N(out_of_range_writes_nothing)(void) {
  static const int64_t bad[] = {3, -1, INT64_MAX, INT64_MIN};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
    for (int at = 0; at < 40; at++) {
      REAL x[3] = {1, 2, 3}, y[40], src[40];
      int64_t index[40] = {0};
      for (int i = 0; i < 40; i++) y[i] = src[i] = 7;
      index[at] = bad[k];
      ck_assert_int_eq(K(gather_rows)(x, 3, 1, index, 40, y), RILL_ERROR_INDEX);
      ck_assert_int_eq(K(gather)(x, index, y, 1, 3, 40, 1), RILL_ERROR_INDEX);
      for (int i = 0; i < 40; i++) ck_assert(y[i] == 7);
      ck_assert_int_eq(K(scatter_add_rows)(src, index, 40, 1, 3, x), RILL_ERROR_INDEX);
      ck_assert_int_eq(K(scatter_add)(src, index, x, 1, 3, 40, 1), RILL_ERROR_INDEX);
      ck_assert(x[0] == 1 && x[1] == 2 && x[2] == 3);
    }
  REAL none = 7;
  ck_assert_int_eq(K(gather_rows)(&none, 0, 4, NULL, 0, &none), RILL_OK);
  ck_assert(none == 7);
}
#endif

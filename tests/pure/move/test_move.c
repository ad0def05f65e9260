/* The pure functions that move elements, against plain indexing; what they refuse. */
#ifndef REAL
#include "pure/typed.h"
static const double tolerance_f32 = 0, tolerance_f64 = 0;

#define TYPED_FILE "pure/move/test_move.c"
#include "pure/typed_both.h"

TYPED_TEST(strided_copies)
TYPED_TEST(strided_copies_refuse)
TYPED_TEST(joins_and_splits)
TYPED_TEST(rearranges_along_a_dim)
TYPED_TEST(triangles)
TYPED_TEST(windows_are_added_up)
TYPED_TEST(nothing_is_moved)

START_TEST(one_hot_refuses_bad_indices) {
  int64_t y[6] = {7, 7, 7, 7, 7, 7}, good[] = {2, 0}, negative[] = {1, -1}, large[] = {3, 0};
  ck_assert_int_eq(rill_one_hot_i64(negative, y, 2, 3), RILL_ERROR_INDEX);
  ck_assert_int_eq(rill_one_hot_i64(large, y, 2, 3), RILL_ERROR_INDEX);
  for (int i = 0; i < 6; i++) ck_assert_int_eq(y[i], 7);
  ck_assert_int_eq(rill_one_hot_i64(good, y, 2, 3), RILL_OK);
  for (int i = 0; i < 6; i++) ck_assert_int_eq(y[i], i == 2 || i == 3);
  ck_assert_int_eq(rill_one_hot_i64(NULL, NULL, 0, 3), RILL_OK);
}
END_TEST

START_TEST(conversion_refuses_what_is_no_dtype) {
  float x[2] = {1.5f, -2.5f}, y[2] = {7, 7};
  uint8_t bytes[2];
  ck_assert_int_eq(rill_to_f32(x, (rill_dtype)8, y, 2), RILL_ERROR_DTYPE);
  ck_assert_int_eq(rill_to_f32(x, (rill_dtype)-1, y, 2), RILL_ERROR_DTYPE);
  ck_assert_int_eq(rill_to_f32(x, RILL_F32, y, -1), RILL_ERROR_SHAPE);
  ck_assert(y[0] == 7 && y[1] == 7);
  ck_assert_int_eq(rill_to_u8(x, RILL_F32, bytes, 2), RILL_OK);
  ck_assert(bytes[0] == 1 && bytes[1] == 0);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("move");
  tcase_add_test(c, strided_copies);
  tcase_add_test(c, strided_copies_refuse);
  tcase_add_test(c, joins_and_splits);
  tcase_add_test(c, rearranges_along_a_dim);
  tcase_add_test(c, triangles);
  tcase_add_test(c, windows_are_added_up);
  tcase_add_test(c, nothing_is_moved);
  tcase_add_test(c, one_hot_refuses_bad_indices);
  tcase_add_test(c, conversion_refuses_what_is_no_dtype);
  return c;
}

TEST_MAIN("move", tcase)
#else

static void N(count_up)(REAL *x, int n) {
  for (int i = 0; i < n; i++) x[i] = (REAL)(i + 1);
}

/* Backwards along one dim, turned, one element repeated; into places with gaps. */
static void N(strided_copies)(void) {
  REAL x[24], y[60];
  int64_t shape[] = {4, 2, 3}, from[] = {1, 0, -4}, to[] = {15, 7, 2};
  N(count_up)(x, 24);
  for (int i = 0; i < 60; i++) y[i] = -1;
  ck_assert_int_eq(K(strided_copy)(x + 8, from, y, to, shape, 3), RILL_OK);
  int written = 0;
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++)
      for (int k = 0; k < 3; k++) ck_assert(y[15 * i + 7 * j + 2 * k] == x[8 + i - 4 * k]);
  for (int i = 0; i < 60; i++) written += y[i] != -1;
  ck_assert_int_eq(written, 24);
  ck_assert_int_eq(K(strided_copy)(x + 5, NULL, y, NULL, NULL, 0), RILL_OK);
  ck_assert(y[0] == x[5]);
}

static void N(strided_copies_refuse)(void) {
  REAL x[4] = {1, 2, 3, 4}, y[4] = {7, 7, 7, 7};
  int64_t shape[] = {2, 2}, strides[] = {2, 1}, negative[] = {2, -1};
  int64_t huge[] = {INT64_MAX / 2, 4}, empty[] = {0, 3};
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, shape, -1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, shape, RILL_MAX_DIMS + 1),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, NULL, 2), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(strided_copy)(x, NULL, y, strides, shape, 2), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, NULL, shape, 2), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, negative, 2), RILL_ERROR_SHAPE);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, huge, 2), RILL_ERROR_OVERFLOW);
  ck_assert_int_eq(K(strided_copy)(x, strides, y, strides, empty, 2), RILL_OK);
  for (int i = 0; i < 4; i++) ck_assert(y[i] == 7);
}

static void N(joins_and_splits)(void) {
  enum { OUTER = 2, INNER = 3 };
  const int64_t n[] = {2, 0, 3, 1};
  REAL a[12], b[18], y[36], back[18];
  N(count_up)(a, 12);
  N(count_up)(b, 18);
  const REAL *x[] = {a, NULL, b, NULL};
  K(cat)(x, n, 4, y, OUTER, INNER);
  for (int o = 0; o < OUTER; o++)
    for (int i = 0; i < 6; i++)
      for (int j = 0; j < INNER; j++) {
        REAL want = i < 2   ? a[(o * 2 + i) * INNER + j]
                    : i < 5 ? b[(o * 3 + i - 2) * INNER + j]
                            : 0; /* NULL: zeros */
        ck_assert(y[(o * 6 + i) * INNER + j] == want);
      }
  REAL *pieces[] = {NULL, NULL, back, NULL};
  K(split)(y, pieces, n, 4, OUTER, INNER);
  for (int i = 0; i < 18; i++) ck_assert(back[i] == b[i]);
}

static void N(rearranges_along_a_dim)(void) {
  enum { OUTER = 3, LEN = 5, INNER = 2, ALL = OUTER * LEN * INNER };
  REAL x[ALL], y[ALL], twice[2 * ALL];
  N(count_up)(x, ALL);
#define AT(a, o, i, j, n) (a)[((o) * (n) + (i)) * INNER + (j)]
  for (int64_t shift = -12; shift < 13; shift++) {
    K(roll)(x, y, OUTER, LEN, INNER, shift);
    for (int k = 0; k < ALL; k++) {
      int o = k / LEN / INNER, i = k / INNER % LEN, j = k % INNER;
      ck_assert(AT(y, o, (i + (int)shift + 15) % LEN, j, LEN) == AT(x, o, i, j, LEN));
    }
  }
  K(flip)(x, y, OUTER, LEN, INNER);
  K(repeat)(x, twice, OUTER, LEN, INNER, 2);
  for (int k = 0; k < ALL; k++) {
    int o = k / LEN / INNER, i = k / INNER % LEN, j = k % INNER;
    ck_assert(AT(y, o, LEN - 1 - i, j, LEN) == AT(x, o, i, j, LEN));
    ck_assert(AT(twice, o, i, j, 2 * LEN) == AT(x, o, i, j, LEN));
    ck_assert(AT(twice, o, LEN + i, j, 2 * LEN) == AT(x, o, i, j, LEN));
  }
#undef AT
}

/* Also in place, and with diagonals that sums of indices cannot hold. */
static void N(triangles)(void) {
  enum { MATRICES = 2, ROWS = 4, COLS = 6, ALL = MATRICES * ROWS * COLS };
  const int64_t diagonals[] = {0, 1, -1, 3, -3, 6, -4, 100, -100, INT64_MAX, INT64_MIN};
  for (size_t d = 0; d < sizeof diagonals / sizeof *diagonals; d++) {
    REAL x[ALL], low[ALL], high[ALL];
    N(count_up)(x, ALL);
    N(count_up)(high, ALL);
    K(tril)(x, low, MATRICES, ROWS, COLS, diagonals[d]);
    K(triu)(high, high, MATRICES, ROWS, COLS, diagonals[d]);
    for (int k = 0; k < ALL; k++) {
      int64_t i = k / COLS % ROWS, j = k % COLS;
      ck_assert(low[k] == (j - i <= diagonals[d] ? x[k] : 0));
      ck_assert(high[k] == (j - i >= diagonals[d] ? x[k] : 0));
    }
  }
}

static void N(windows_are_added_up)(void) {
  enum { OUTER = 2, LEN = 9, INNER = 3, WIDTH = 4 };
  for (int step = 1; step < 7; step++) {
    int count = (LEN - WIDTH) / step + 1;
    REAL grad[OUTER * LEN * INNER * WIDTH], x[OUTER * LEN * INNER];
    double want[OUTER * LEN * INNER] = {0};
    N(count_up)(grad, OUTER * count * INNER * WIDTH);
    K(unfold_backward)(grad, x, OUTER, LEN, INNER, count, WIDTH, step);
    for (int k = 0; k < OUTER * count * INNER * WIDTH; k++) {
      int o = k / WIDTH / INNER / count, w = k / WIDTH / INNER % count, j = k / WIDTH % INNER;
      want[(o * LEN + w * step + k % WIDTH) * INNER + j] += (double)grad[k];
    }
    ck_close(x, want, OUTER * LEN * INNER);
  }
}

/* Sizes of 0: no pointer is followed. */
static void N(nothing_is_moved)(void) {
  const REAL *none[] = {NULL};
  const int64_t n[] = {3};
  REAL y[1] = {7};
  K(cat)(none, n, 1, y, 0, 5);
  K(cat)(NULL, NULL, 0, y, 2, 5);
  K(cat)(none, n, 1, y, 5, 0);
  K(split)(NULL, NULL, NULL, 0, 2, 5);
  K(flip)(NULL, NULL, 0, 3, 2);
  K(flip)(NULL, NULL, 2, 0, 2);
  K(roll)(NULL, NULL, 2, 0, 2, 1);
  K(roll)(NULL, NULL, 2, 3, 0, 1);
  K(repeat)(NULL, y, 2, 3, 2, 0);
  K(tril)(NULL, NULL, 0, 3, 3, 0);
  K(triu)(NULL, NULL, 2, 0, 3, 0);
  K(unfold_backward)(NULL, NULL, 0, 3, 3, 1, 1, 1);
  ck_assert(y[0] == 7);
}
#endif

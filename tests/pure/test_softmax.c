/* The softmax kernels against a long double computation. */
#include "main.h"
#include "base/base.h"
#include "rill/pure.h"

START_TEST(rows_sum_to_one) {
  float x[3] = {1, 2, 3}, y[3];
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    rill_softmax_f32(x, y, 1, 3);
    ck_assert_double_eq_tol(y[0] + y[1] + y[2], 1, 1e-6);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("softmax");
  tcase_add_test(c, rows_sum_to_one);
  return c;
}

TEST_MAIN("softmax", tcase)

/* Optimizer steps against PyTorch's (tests/golden/optim_kernels.py), the moving average and the sum of
 * squares against long double loops. */
#ifndef REAL
#include "pure/typed.h"
#include "golden/optim_kernels.h"

static const double tolerance_f32 = 5e-7, tolerance_f64 = 1e-15;

#define TYPED_FILE "pure/test_optim.c"
#include "pure/typed_both.h"

TYPED_TEST(sgd)
TYPED_TEST(adam)
TYPED_TEST(long_vectors)
TYPED_TEST(moving_average)
TYPED_TEST(sum_of_squares)

static TCase *tcase(void) {
  TCase *c = tcase_create("optim");
  tcase_add_test(c, sgd);
  tcase_add_test(c, adam);
  tcase_add_test(c, long_vectors);
  tcase_add_test(c, moving_average);
  tcase_add_test(c, sum_of_squares);
  return c;
}

TEST_MAIN("optim", tcase)
#else

/* The golden vectors, laid out so often that whole vectors and a rest are exercised. */
enum { N(COPIES) = 21, N(LENGTH) = 4 * N(COPIES) };

typedef struct N(run) {
  REAL param[N(LENGTH)], m[N(LENGTH)], v[N(LENGTH)], v_max[N(LENGTH)];
  double want[N(LENGTH)];
} N(run);

static void N(start)(N(run) * r, const double *golden) {
  static const double start[4] = {0.5, -1.25, 2.0, -0.125};
  memset(r, 0, sizeof *r);
  for (int i = 0; i < N(LENGTH); i++) {
    r->param[i] = (REAL)start[i % 4];
    r->want[i] = golden[i % 4];
  }
}

static void N(gradient)(int step, REAL *grad) {
  static const double grads[3][4] = {
      {0.1, -0.2, 0.3, 1.5}, {-1.0, 0.25, 0.0, 0.5}, {0.05, 2.0, -0.75, -0.5}};
  for (int i = 0; i < N(LENGTH); i++) grad[i] = (REAL)grads[step][i % 4];
}

static void N(sgd_case)(const double *golden, double momentum, double dampening, bool nesterov,
                        double decay) {
  N(run) r;
  REAL grad[N(LENGTH)];
  N(start)(&r, golden);
  for (int i = 0; i < N(LENGTH); i++) r.m[i] = (REAL)NAN; /* the first step must not read it */
  for (int step = 0; step < 3; step++) {
    N(gradient)(step, grad);
    K(sgd)
    (r.param, grad, momentum != 0 ? r.m : NULL, N(LENGTH), 0.1, momentum, dampening, nesterov,
     decay, step == 0);
  }
  ck_close(r.param, r.want, N(LENGTH));
}

static void N(sgd)(void) {
  N(sgd_case)(golden_sgd, 0, 0, false, 0);
  N(sgd_case)(golden_sgd_decay, 0, 0, false, 0.01);
  N(sgd_case)(golden_sgd_momentum, 0.9, 0.25, false, 0.01);
  N(sgd_case)(golden_sgd_nesterov, 0.9, 0, true, 0.01);
}

static void N(adam_case)(const double *golden, bool decoupled, bool amsgrad, double beta2,
                         double decay) {
  N(run) r;
  REAL grad[N(LENGTH)];
  N(start)(&r, golden);
  for (int step = 0; step < 3; step++) {
    N(gradient)(step, grad);
    (decoupled ? K(adamw) : K(adam))(r.param, grad, r.m, r.v, amsgrad ? r.v_max : NULL, N(LENGTH),
                                     0.01, 0.8, beta2, 1e-6, decay, step + 1);
  }
  ck_close(r.param, r.want, N(LENGTH));
}

static void N(adam)(void) {
  N(adam_case)(golden_adam, false, false, 0.95, 0.1);
  N(adam_case)(golden_adam_amsgrad, false, true, 0.5, 0);
  N(adam_case)(golden_adamw, true, false, 0.95, 0.1);
  N(adam_case)(golden_adamw_amsgrad, true, true, 0.5, 0.1);
}

/* Every element counts, and none beyond the end is touched. */
static void N(long_vectors)(void) {
  REAL param[100], grad[100], m[100], v[100];
  for (int n = 0; n < 100; n++) {
    for (int i = 0; i < 100; i++) param[i] = grad[i] = m[i] = v[i] = 1;
    K(adamw)(param, grad, m, v, NULL, n, 0.5, 0.9, 0.99, 1e-8, 0, 10);
    for (int i = 0; i < 100; i++) ck_assert(i < n ? param[i] < 1 : param[i] == 1 && m[i] == 1);
    for (int i = 0; i < 100; i++) param[i] = 1;
    K(sgd)(param, grad, m, n, 0.5, 0.9, 0, true, 0, false);
    for (int i = 0; i < 100; i++) ck_assert(i < n ? param[i] < 1 : param[i] == 1 && m[i] == 1);
  }
}

static void N(moving_average)(void) {
  REAL average[67], param[67];
  double ea[67], ep[67];
  N(typed_normal)(1, average, ea, 67);
  N(typed_normal)(2, param, ep, 67);
  for (int i = 0; i < 67; i++) ea[i] = 0.99 * ea[i] + 0.01 * ep[i];
  K(ema)(average, param, 67, 0.99);
  ck_close(average, ea, 67);
}

static void N(sum_of_squares)(void) {
  static REAL x[9001];
  static double exact[9001];
  double sum = 7;
  N(typed_normal)(3, x, exact, 9001);
  long double want = 0;
  for (int i = 0; i < 9001; i++) want += (long double)exact[i] * exact[i];
  K(sum_squares)(x, 9001, &sum);
  if (reference_is_finer()) ck_assert_double_eq_tol(sum / (double)want, 1, 1e-14);
  K(sum_squares)(x, 0, &sum);
  ck_assert(sum == 0);
  x[0] = sizeof(REAL) == 4 ? (REAL)1e30 : (REAL)1e150; /* its square is no float */
  K(sum_squares)(x, 1, &sum);
  ck_assert_double_eq_tol(sum / ((double)x[0] * (double)x[0]), 1, 1e-14);
}
#endif

/* The softmax family against long double computations, PyTorch's special values and golden
 * gradients. */
#ifndef REAL
#include "pure/typed.h"

static const double tolerance_f32 = 5e-7, tolerance_f64 = 1e-15;

#define TYPED_FILE "pure/test_softmax.c"
#include "pure/typed_both.h"

TYPED_TEST(softmax_and_log_softmax)
TYPED_TEST(special_values)
TYPED_TEST(backward)
TYPED_TEST(cross_entropy_follows_the_formula)
TYPED_TEST(cross_entropy_gradient)
TYPED_TEST(cross_entropy_matches_pytorch)
TYPED_TEST(target_out_of_range_writes_nothing)
TYPED_TEST(empty_input)

static TCase *tcase(void) {
  TCase *c = tcase_create("softmax");
  tcase_add_test(c, softmax_and_log_softmax);
  tcase_add_test(c, special_values);
  tcase_add_test(c, backward);
  tcase_add_test(c, cross_entropy_follows_the_formula);
  tcase_add_test(c, cross_entropy_gradient);
  tcase_add_test(c, cross_entropy_matches_pytorch);
  tcase_add_test(c, target_out_of_range_writes_nothing);
  tcase_add_test(c, empty_input);
  return c;
}

TEST_MAIN("softmax", tcase)
#else

/* logp[i] = x[i] - log of the sum of exponentials. */
static void N(log_probabilities)(const double *x, long double *logp, int n) {
  long double m = -INFINITY, s = 0;
  for (int i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
  for (int i = 0; i < n; i++) s += expl(x[i] - m);
  for (int i = 0; i < n; i++) logp[i] = x[i] - m - logl(s);
}

static void N(softmax_and_log_softmax)(void) {
  static const int sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 200, 512, 1025, 5000};
  enum { MOST = 5000 };
  static REAL x[2 * MOST], y[2 * MOST];
  static double exact[2 * MOST], p[2 * MOST], lp[2 * MOST];
  static long double logp[MOST];
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    int n = sizes[k];
    N(typed_normal)(7 + k, x, exact, 2 * n);
    for (int i = 0; i < 2 * n; i++) exact[i] = x[i] = x[i] * 8;
    for (int r = 0; r < 2; r++) {
      N(log_probabilities)(exact + r * n, logp, n);
      for (int i = 0; i < n; i++) {
        p[r * n + i] = (double)expl(logp[i]);
        lp[r * n + i] = (double)logp[i];
      }
    }
    K(softmax)(x, y, 2, n);
    ck_close(y, p, 2 * n);
    K(log_softmax)(x, y, 2, n);
    ck_close(y, lp, 2 * n);
    K(softmax)(x, x, 2, n); /* in place */
    ck_close(x, p, 2 * n);
  }
}

static void N(special_values)(void) {
  enum { COLS = 70 };
  REAL x[COLS], y[COLS];
  for (int where = 0; where < COLS; where++) {
    for (int kind = 0; kind < 2; kind++) {
      for (int i = 0; i < COLS; i++) x[i] = (REAL)i;
      x[where] = kind ? (REAL)NAN : (REAL)INFINITY;
      K(softmax)(x, y, 1, COLS);
      for (int i = 0; i < COLS; i++) ck_assert(isnan(y[i]));
      K(log_softmax)(x, y, 1, COLS);
      for (int i = 0; i < COLS; i++) ck_assert(isnan(y[i]));
    }
    for (int i = 0; i < COLS; i++) x[i] = -(REAL)INFINITY;
    x[where] = -3;
    K(softmax)(x, y, 1, COLS);
    for (int i = 0; i < COLS; i++) ck_assert(y[i] == (i == where));
    K(log_softmax)(x, y, 1, COLS);
    for (int i = 0; i < COLS; i++) ck_assert(y[i] == (i == where ? 0 : -(REAL)INFINITY));
  }
  for (int i = 0; i < COLS; i++) x[i] = -(REAL)INFINITY;
  K(softmax)(x, y, 1, COLS);
  for (int i = 0; i < COLS; i++) ck_assert(isnan(y[i]));
}

static void N(backward)(void) {
  static const int sizes[] = {1, 2, 17, 64, 130, 1500};
  enum { MOST = 1500 };
  static REAL g[MOST], y[MOST], gx[MOST];
  static double eg[MOST], ey[MOST], want[MOST];
  static long double logp[MOST];
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    int n = sizes[k];
    N(typed_normal)(3 + k, g, eg, n);
    N(typed_normal)(30 + k, y, ey, n);
    N(log_probabilities)(ey, logp, n);
    long double dot = 0, sum = 0;
    for (int i = 0; i < n; i++) ey[i] = y[i] = (REAL)expl(logp[i]);
    for (int i = 0; i < n; i++) dot += (long double)eg[i] * ey[i], sum += eg[i];
    for (int i = 0; i < n; i++) want[i] = (double)((eg[i] - dot) * ey[i]);
    K(softmax_backward)(g, y, gx, 1, n);
    ck_close(gx, want, n);
    for (int i = 0; i < n; i++) ey[i] = y[i] = (REAL)logp[i];
    for (int i = 0; i < n; i++) want[i] = (double)(eg[i] - expl(ey[i]) * sum);
    K(log_softmax_backward)(g, y, g, 1, n);
    ck_close(g, want, n);
  }
}

enum { N(ROWS) = 9, N(CLASSES) = 150 };

typedef struct N(problem) {
  REAL x[N(ROWS) * N(CLASSES)], weight[N(CLASSES)], loss[N(ROWS)], lse[N(ROWS)],
      row_weight[N(ROWS)];
  double ex[N(ROWS) * N(CLASSES)], ew[N(CLASSES)];
  int64_t target[N(ROWS)];
} N(problem);

static void N(problem_make)(N(problem) * p, bool weighted) {
  N(typed_normal)(11, p->x, p->ex, N(ROWS) * N(CLASSES));
  N(typed_normal)(12, p->weight, p->ew, N(CLASSES));
  for (int c = 0; c < N(CLASSES); c++)
    p->ew[c] = p->weight[c] = weighted ? (REAL)fabs(p->weight[c]) : 1;
  for (int r = 0; r < N(ROWS); r++) p->target[r] = r == 4 ? -100 : (r * 37) % N(CLASSES);
}

static void N(cross_entropy_follows_the_formula)(void) {
  static N(problem) p;
  for (int weighted = 0; weighted < 2; weighted++)
    for (int smooth = 0; smooth < 2; smooth++) {
      double s = smooth ? 0.3 : 0, loss[N(ROWS)], lse[N(ROWS)], row_weight[N(ROWS)];
      N(problem_make)(&p, weighted);
      for (int r = 0; r < N(ROWS); r++) {
        const double *x = p.ex + r * N(CLASSES);
        long double logp[N(CLASSES)], all = 0;
        int64_t t = p.target[r];
        N(log_probabilities)(x, logp, N(CLASSES));
        for (int c = 0; c < N(CLASSES); c++) all -= p.ew[c] * logp[c];
        loss[r] = t < 0 ? 0 : (double)(-(1 - s) * p.ew[t] * logp[t] + s / N(CLASSES) * all);
        lse[r] = t < 0 ? 0 : (double)(x[0] - logp[0]);
        row_weight[r] = t < 0 ? 0 : p.ew[t];
      }
      ck_assert_int_eq(K(cross_entropy)(p.x, p.target, weighted ? p.weight : NULL, -100, s, p.loss,
                                        p.lse, p.row_weight, N(ROWS), N(CLASSES)),
                       RILL_OK);
      ck_close(p.loss, loss, N(ROWS));
      ck_close(p.lse, lse, N(ROWS));
      ck_close(p.row_weight, row_weight, N(ROWS));
    }
}

static void N(cross_entropy_gradient)(void) {
  static N(problem) p;
  static double want[N(ROWS) * N(CLASSES)];
  static REAL gx[N(ROWS) * N(CLASSES)];
  for (int weighted = 0; weighted < 2; weighted++)
    for (int smooth = 0; smooth < 2; smooth++) {
      double s = smooth ? 0.3 : 0;
      REAL grad[N(ROWS)];
      N(problem_make)(&p, weighted);
      for (int r = 0; r < N(ROWS); r++) {
        grad[r] = (REAL)(r - 3.5);
        int64_t t = p.target[r];
        long double logp[N(CLASSES)], sum = 0;
        N(log_probabilities)(p.ex + r * N(CLASSES), logp, N(CLASSES));
        for (int c = 0; c < N(CLASSES); c++) sum += p.ew[c];
        for (int c = 0; c < N(CLASSES); c++) {
          long double d =
              0; /* through logp: -sum_k a_k (delta_kc - p_c), a_k the weight of -logp_k */
          if (t >= 0)
            d = expl(logp[c]) * ((1 - s) * p.ew[t] + s / N(CLASSES) * sum) -
                s / N(CLASSES) * p.ew[c] - (c == t ? (1 - s) * p.ew[t] : 0);
          want[r * N(CLASSES) + c] = (double)(grad[r] * d);
        }
      }
      const REAL *w = weighted ? p.weight : NULL;
      K(cross_entropy)(p.x, p.target, w, -100, s, p.loss, p.lse, NULL, N(ROWS), N(CLASSES));
      ck_assert_int_eq(K(cross_entropy_backward)(grad, p.x, p.lse, p.target, w, -100, s, gx,
                                                 N(ROWS), N(CLASSES)),
                       RILL_OK);
      ck_close(gx, want, N(ROWS) * N(CLASSES));
    }
}

/* tests/golden/cross_entropy.py */
static void N(cross_entropy_matches_pytorch)(void) {
  static const REAL x[12] = {0.5, -1, 2, 0, 1.5, 1, -0.25, 3, -2, 0.75, 0.125, -1.5};
  static const int64_t target[3] = {2, -100, 1};
  static const REAL weight[4] = {0.5, 1, 2, 0.25};
#include "golden/cross_entropy.h"
  REAL loss[3], lse[3], row_weight[3], gx[12];
  K(cross_entropy)(x, target, weight, -100, 0.2, loss, lse, row_weight, 3, 4);
  double total = 0, denominator = 0;
  for (int r = 0; r < 3; r++) total += loss[r], denominator += row_weight[r];
  ck_assert_double_eq_tol(total / denominator, golden_mean, N(tolerance) * 4);
  REAL grad[3];
  for (int r = 0; r < 3; r++) grad[r] = (REAL)(1 / denominator);
  K(cross_entropy_backward)(grad, x, lse, target, weight, -100, 0.2, gx, 3, 4);
  ck_close(gx, golden_grad, 12);
}

static void N(target_out_of_range_writes_nothing)(void) {
  static const int64_t bad[] = {3, -1, INT64_MAX, INT64_MIN, -101};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    REAL x[6] = {1, 2, 3, 4, 5, 6}, loss[2] = {7, 7}, lse[2] = {7, 7}, rw[2] = {7, 7}, gx[6] = {7};
    int64_t target[2] = {0, bad[k]};
    ck_assert_int_eq(K(cross_entropy)(x, target, NULL, -100, 0, loss, lse, rw, 2, 3),
                     RILL_ERROR_INDEX);
    ck_assert(loss[0] == 7 && lse[0] == 7 && rw[0] == 7);
    ck_assert_int_eq(K(cross_entropy_backward)(loss, x, lse, target, NULL, -100, 0, gx, 2, 3),
                     RILL_ERROR_INDEX);
    ck_assert(gx[0] == 7);
  }
}

static void N(empty_input)(void) {
  REAL x = 1, y = 7;
  K(softmax)(&x, &y, 0, 5);
  K(softmax)(&x, &y, 5, 0);
  K(log_softmax)(&x, &y, 5, 0);
  K(softmax_backward)(&x, &x, &y, 5, 0);
  K(log_softmax_backward)(&x, &x, &y, 5, 0);
  ck_assert_int_eq(K(cross_entropy)(&x, NULL, NULL, 0, 0, &y, &y, NULL, 0, 5), RILL_OK);
  ck_assert(y == 7);
}
#endif

/* The backward of sliding-window maxima: against the sum written down, in strided memory and any cut into
 * units, and what it refuses. */
#include "main.h"

#include "rill/pure.h"

enum { OUTER = 3, N = 11, INNER = 300, WINDOW = 4 };

static rill_window_params params(void) {
  rill_window_params p = RILL_WINDOW_PARAMS_INIT;
  p.outer = OUTER, p.n = N, p.inner = INNER, p.window = WINDOW, p.mode = RILL_WINDOW_FULL;
  p.edge = RILL_WINDOW_CONSTANT;
  return p;
}

typedef struct problem {
  rill_window_params p;
  int64_t places, samples; /* elements from the first to the last, gaps included */
  double *grad, *grad_x, *want;
  int64_t *index;
} problem;

static problem make(rill_window_params p, uint64_t seed) {
  problem q = {.p = p};
  int64_t length = rill_window_length(&p);
  int64_t xs[3] = {N * INNER, INNER, 1}, ys[3] = {length * INNER, INNER, 1};
  if (p.x_stride[0]) memcpy(xs, p.x_stride, sizeof xs), memcpy(ys, p.y_stride, sizeof ys);
  q.places = (OUTER - 1) * ys[0] + (length - 1) * ys[1] + (INNER - 1) * ys[2] + 1;
  q.samples = (OUTER - 1) * xs[0] + (N - 1) * xs[1] + (INNER - 1) * xs[2] + 1;
  q.grad = calloc((size_t)q.places, sizeof *q.grad);
  q.index = calloc((size_t)q.places, sizeof *q.index);
  q.grad_x = calloc((size_t)q.samples, sizeof *q.grad_x);
  q.want = calloc((size_t)q.samples, sizeof *q.want);
  for (int64_t i = 0; i < q.samples; i++) q.grad_x[i] = q.want[i] = -77;
  for (int64_t o = 0; o < OUTER; o++)
    for (int64_t i = 0; i < N; i++)
      for (int64_t j = 0; j < INNER; j++) q.want[o * xs[0] + i * xs[1] + j * xs[2]] = 0;
  for (int64_t o = 0; o < OUTER; o++)
    for (int64_t i = 0; i < length; i++)
      for (int64_t j = 0; j < INNER; j++) {
        int64_t at = o * ys[0] + i * ys[1] + j * ys[2];
        q.grad[at] = test_normal(&seed);
        q.index[at] = (int64_t)(test_uniform(&seed) * (N + 1)) - 1;
        if (q.index[at] >= 0) q.want[o * xs[0] + q.index[at] * xs[1] + j * xs[2]] += q.grad[at];
      }
  return q;
}

static void drop(problem *q) {
  free(q->grad);
  free(q->index);
  free(q->grad_x);
  free(q->want);
}

START_TEST(each_sample_gets_the_gradients_of_its_windows) {
  rill_window_params p = params(), strided = p;
  int64_t length = rill_window_length(&p);
  /* Columns two apart, rows the outermost dim, and gaps: of n in x, of the places in y. */
  memcpy(strided.x_stride, (int64_t[]){2 * INNER, 2 * INNER * OUTER, 2}, sizeof strided.x_stride);
  memcpy(strided.y_stride, (int64_t[]){3, 3 * OUTER, 3 * OUTER * length}, sizeof strided.y_stride);
  for (int i = 0; i < 2; i++)
    for (int64_t step = 1; step < 9; step += 3) {
      problem q = make(i ? strided : p, 5 + (uint64_t)step);
      int64_t units = rill_window_max_backward_units(&q.p);
      ck_assert_int_eq(units, OUTER * 2);
      for (int64_t u = 0; u < units; u += step)
        ck_assert_int_eq(rill_window_max_backward_f64(&q.p, q.grad, q.index, q.grad_x, u,
                                                      u + step < units ? u + step : units),
                         RILL_OK);
      ck_assert_mem_eq(q.grad_x, q.want, (size_t)q.samples * sizeof *q.want);
      drop(&q);
    }
}
END_TEST

/* Windows of nothing but samples that there are none of leave zeros. */
START_TEST(without_places_gradients_are_zero) {
  rill_window_params p = params();
  p.mode = RILL_WINDOW_VALID, p.window = N + 1;
  float grad_x[OUTER * N * INNER];
  memset(grad_x, 0xa5, sizeof grad_x);
  ck_assert_int_eq(rill_window_length(&p), 0);
  ck_assert_int_eq(rill_window_max_backward_f32(&p, NULL, NULL, grad_x, 0, OUTER * 2), RILL_OK);
  for (int i = 0; i < OUTER * N * INNER; i++) ck_assert(grad_x[i] == 0);
}
END_TEST

START_TEST(wrong_arguments_write_nothing) {
  problem q = make(params(), 9);
  double *x = q.grad_x, *g = q.grad;
  int64_t *index = q.index;
  rill_window_params bad = q.p;
  bad.window = 0;
  ck_assert_int_eq(rill_window_max_backward_units(NULL), 0);
  ck_assert_int_eq(rill_window_max_backward_units(&bad), 0);
#define REFUSED(status, ...)                                                                       \
  ck_assert_int_eq(rill_window_max_backward_f64(__VA_ARGS__), RILL_ERROR_##status)
  REFUSED(ARGUMENT, NULL, g, index, x, 0, 1);
  REFUSED(ARGUMENT, &bad, g, index, x, 0, 1);
  REFUSED(ARGUMENT, &q.p, NULL, index, x, 0, 1);
  REFUSED(ARGUMENT, &q.p, g, NULL, x, 0, 1);
  REFUSED(ARGUMENT, &q.p, g, index, NULL, 0, 1);
  REFUSED(ARGUMENT, &q.p, g, index, x, -1, 1);
  REFUSED(ARGUMENT, &q.p, g, index, x, 1, 0);
  REFUSED(ARGUMENT, &q.p, g, index, x, 0, OUTER * 2 + 1);
  REFUSED(ARGUMENT, &q.p, g, index, g + 5, 0, 1);
  REFUSED(ARGUMENT, &q.p, g, index, (double *)(void *)index, 0, 1);
  index[q.places - 1] = N;
  REFUSED(INDEX, &q.p, g, index, x, 0, OUTER * 2);
  index[q.places - 1] = -2;
  REFUSED(INDEX, &q.p, g, index, x, 0, OUTER * 2);
#undef REFUSED
  for (int64_t i = 0; i < q.samples; i++) ck_assert(x[i] == -77);
  ck_assert_int_eq(rill_window_max_backward_f64(&q.p, NULL, NULL, NULL, 2, 2), RILL_OK);
  /* A unit looks at its own indices alone. */
  ck_assert_int_eq(rill_window_max_backward_f64(&q.p, g, index, x, 0, OUTER * 2 - 1), RILL_OK);
  drop(&q);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_backward");
  tcase_add_test(c, each_sample_gets_the_gradients_of_its_windows);
  tcase_add_test(c, without_places_gradients_are_zero);
  tcase_add_test(c, wrong_arguments_write_nothing);
  return c;
}

TEST_MAIN("window_backward", tcase)

/* The law of sequence modules: forward equals any split into extends, in values and gradients, on any
 * number of threads. */
#include "sequence/mixers.h"

/* ---- the law ---------------------------------------------------------------------------------- */

static void law(rill_dtype dtype, double tolerance, rill_grad_mode mode) {
  uint64_t random = 99;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, dtype);
    rill_tensor *x = input(ctx, dtype);
    rill_set_grad_mode(ctx, mode);
    rill_tensor *whole = rill_forward(ctx, m, x);
    for (int64_t most = 1; most <= STEPS; most += most < 4 ? 1 : 6) {
      rill_state *s = rill_state_create(ctx, m, BATCH);
      fine(ctx);
      near(extend_all(ctx, m, x, s, most, &random), whole, tolerance, "forward and extends", i);
      ck_assert_int_eq(rill_state_position(s), STEPS);
    }
    rill_context_close(ctx);
  }
}

START_TEST(any_split_gives_the_same_in_f64) { law(RILL_F64, 1e-12, RILL_GRAD_OFF); }
END_TEST
START_TEST(any_split_gives_the_same_in_f32) { law(RILL_F32, 1e-5, RILL_GRAD_INFERENCE); }
END_TEST
START_TEST(any_split_gives_the_same_while_recording) { law(RILL_F64, 1e-12, RILL_GRAD_ON); }
END_TEST

/* Gradients of sum(y w) with respect to the input and all parameters. */
static int gradients(rill_context *ctx, rill_module *m, rill_tensor *x, rill_tensor *y,
                     rill_tensor *w, rill_tensor **out) {
  rill_tensor *inputs[MAX_PARAMETERS] = {x};
  int n = rill_parameter_count(m);
  ck_assert_int_lt(n, MAX_PARAMETERS);
  for (int p = 0; p < n; p++) inputs[p + 1] = rill_parameter(m, p);
  rill_tensor *loss = rill_sum(ctx, rill_mul(ctx, y, w), RILL_ALL_DIMS, false);
  rill_grad(ctx, &loss, 1, inputs, n + 1, NULL, false, false, out);
  fine(ctx);
  return n + 1;
}

/* A lone key has the weight 1 whatever its score, so that queries and keys have no gradient. */
static bool scores_matter(int i, const rill_module *m, int parameter) {
  char path[64];
  rill_parameter_path(m, parameter, path, sizeof path);
  return modules[i] != window_of_one || (strncmp(path, "q_", 2) && strncmp(path, "k_", 2));
}

/* The gradient is 0 but for rounding. */
static void vanishes(const rill_tensor *gradient, int i) {
  ck_assert_ptr_nonnull(gradient);
  double *v = values(gradient);
  for (int64_t x = 0; x < rill_tensor_numel(gradient); x++)
    ck_assert_msg(fabs(v[x]) < 1e-14, "module %d: a gradient is %g and not 0", i, v[x]);
  free(v);
}

START_TEST(gradients_flow_through_splits) {
  uint64_t random = 7;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, RILL_F64);
    rill_tensor *x = input(ctx, RILL_F64), *w = input(ctx, RILL_F64), *whole[MAX_PARAMETERS],
                *split[MAX_PARAMETERS];
    rill_set_requires_grad(ctx, x, true);
    int n = gradients(ctx, m, x, rill_forward(ctx, m, x), w, whole);
    rill_state *s = rill_state_create(ctx, m, BATCH);
    gradients(ctx, m, x, extend_all(ctx, m, x, s, 6, &random), w, split);
    for (int p = 0; p < n; p++) {
      if (p > 0 && !scores_matter(i, m, p - 1)) {
        vanishes(split[p], i);
        vanishes(whole[p], i);
      } else
        near(split[p], whole[p], 1e-11, "gradients", i);
    }
    rill_context_close(ctx);
  }
}
END_TEST

/* ---- threads ---------------------------------------------------------------------------------- */

/* Forward, gradients and decoding of the stack on `threads` threads, gathered in out. */
static int64_t work(int threads, double *out) {
  uint64_t random = 12;
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 5;
  o.threads = threads;
  rill_context *ctx = rill_context_create(&o);
  rill_module *m = make(ctx, 7, RILL_F32);
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){BATCH, 150, WIDTH}, 3),
              *w = rill_mul_scalar(ctx, x, 0.5);
  rill_set_requires_grad(ctx, x, true);
  rill_tensor *results[MAX_PARAMETERS + 1];
  int n = gradients(ctx, m, x, rill_forward(ctx, m, x), w, results);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  results[n++] = extend_all(ctx, m, x, rill_state_create(ctx, m, BATCH), 40, &random);
  int64_t count = 0;
  for (int i = 0; i < n; i++) {
    double *v = values(results[i]);
    memcpy(out + count, v, sizeof(double) * (size_t)rill_tensor_numel(results[i]));
    count += rill_tensor_numel(results[i]);
    free(v);
  }
  rill_context_close(ctx);
  return count;
}

START_TEST(threads_make_no_difference) {
  static double one[20000], many[20000];
  int64_t n = work(1, one);
  ck_assert_int_lt(n, 20000);
  for (int threads = 2; threads <= 5; threads += 3) {
    ck_assert_int_eq(work(threads, many), n);
    ck_assert(!memcmp(one, many, sizeof(double) * (size_t)n));
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("mixers");
  tcase_set_timeout(c, 120);
  tcase_add_test(c, any_split_gives_the_same_in_f64);
  tcase_add_test(c, any_split_gives_the_same_in_f32);
  tcase_add_test(c, any_split_gives_the_same_while_recording);
  tcase_add_test(c, gradients_flow_through_splits);
  tcase_add_test(c, threads_make_no_difference);
  return c;
}

TEST_MAIN("mixers", tcase)

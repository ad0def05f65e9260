/* The Mamba block beside PyTorch, and its first values. */
#include "sequence/mixers.h"

#include "golden/mamba.h"

/* ---- Mamba beside PyTorch --------------------------------------------------------------------- */

START_TEST(mamba_is_pytorchs) {
  rill_context *ctx = start();
  rill_mamba_options o = RILL_MAMBA_OPTIONS_INIT;
  o.state = MAMBA_STATE, o.conv = MAMBA_CONV, o.expand = MAMBA_EXPAND, o.dt_rank = MAMBA_RANK;
  rill_module *m = rill_nn_mamba(ctx, MAMBA_WIDTH, &o);
  rill_module_to(ctx, m, RILL_F64);
  int n = sizeof mamba_parameters / sizeof *mamba_parameters;
  ck_assert_int_eq(rill_parameter_count(m), n);
  for (int i = 0; i < n; i++) {
    rill_tensor *p = rill_module_get(m, mamba_parameters[i].path);
    ck_assert_ptr_nonnull(p);
    const int64_t *shape = rill_tensor_shape(p);
    rill_state_dict_load(
        ctx, m, mamba_parameters[i].path,
        rill_from_buffer(ctx, RILL_F64, shape, rill_tensor_ndim(p), mamba_parameters[i].value));
    fine(ctx);
  }
  int64_t shape[] = {MAMBA_BATCH, MAMBA_STEPS, MAMBA_WIDTH};
  rill_tensor *x = rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_x);
  rill_set_requires_grad(ctx, x, true);
  rill_tensor *y = rill_forward(ctx, m, x);
  rill_backward(ctx, y, rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_seed), false);
  fine(ctx);
  near(y, rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_y), 1e-13, "values", 0);
  near(rill_tensor_grad(x), rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_grad_x), 1e-12,
       "input gradients", 0);
  for (int i = 0; i < n; i++) {
    rill_tensor *p = rill_module_get(m, mamba_parameters[i].path);
    near(rill_tensor_grad(p),
         rill_from_buffer(ctx, RILL_F64, rill_tensor_shape(p), rill_tensor_ndim(p),
                          mamba_parameters[i].grad),
         1e-12, mamba_parameters[i].path, i);
  }
  rill_context_close(ctx);
}
END_TEST

/* The reference's first values: A_log = log(1..N), D = 1, softplus(dt bias) in [0.001, 0.1]. */
START_TEST(mamba_begins_as_the_reference) {
  rill_context *ctx = start();
  rill_module *m = mamba(ctx);
  double *a = values(rill_module_get(m, "A_log")), *d = values(rill_module_get(m, "D"));
  double *b = values(rill_module_get(m, "dt_proj.bias")), low = 1, high = 0;
  for (int i = 0; i < 16; i++) ck_assert_double_eq_tol(exp(a[16 + i]), i + 1, 1e-5);
  for (int i = 0; i < 2 * WIDTH; i++) {
    double dt = log1p(exp(b[i]));
    low = dt < low ? dt : low;
    high = dt > high ? dt : high;
    ck_assert_double_eq(d[i], 1);
  }
  ck_assert_double_ge(low, 0.00099);
  ck_assert_double_le(high, 0.101);
  ck_assert_double_gt(high / low, 5);
  ck_assert_int_eq(rill_tensor_size(rill_module_get(m, "x_proj.weight"), 0), 1 + 2 * 16);
  free(a);
  free(d);
  free(b);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("mamba");
  tcase_add_test(c, mamba_is_pytorchs);
  tcase_add_test(c, mamba_begins_as_the_reference);
  return c;
}

TEST_MAIN("mamba", tcase)

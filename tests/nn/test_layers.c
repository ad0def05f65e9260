/* Layers: first values, forward values by hand, modes, and wrong arguments. */
#include "main.h"
#include "nn/module.h"
#include "rill/autograd.h"

static const float *floats(const rill_tensor *t) { return rill_tensor_data(t); }

/* Uniform in +-bound: none beyond, some near both ends, variance bound^2 / 3. */
static void assert_uniform(const rill_tensor *t, double bound) {
  double low = 0, high = 0, squares = 0;
  int64_t n = rill_tensor_numel(t);
  for (int64_t i = 0; i < n; i++) {
    double x = floats(t)[i];
    low = fmin(low, x), high = fmax(high, x), squares += x * x;
  }
  ck_assert(low >= -bound && low < -0.95 * bound && high <= bound && high > 0.95 * bound);
  ck_assert_double_eq_tol(squares / (double)n, bound * bound / 3, 0.1 * bound * bound / 3);
}

START_TEST(linear_starts_as_pytorchs) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_linear(ctx, 16, 1000, true);
  assert_uniform(rill_module_get(m, "weight"), 0.25);
  assert_uniform(rill_module_get(m, "bias"), 0.25);
  ck_assert(rill_requires_grad(rill_module_get(m, "weight")));
  ck_assert_ptr_null(rill_module_get(rill_nn_linear(ctx, 2, 3, false), "bias"));
  rill_context_close(ctx);
}
END_TEST

START_TEST(linear_multiplies_and_adds) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_linear(ctx, 2, 3, true);
  rill_state_dict_load(
      ctx, m, "weight",
      rill_from_buffer(ctx, RILL_F32, (int64_t[]){3, 2}, 2, (float[]){1, 2, 3, 4, 5, 6}));
  rill_state_dict_load(ctx, m, "bias",
                       rill_from_buffer(ctx, RILL_F32, (int64_t[]){3}, 1, (float[]){.5f, 0, -1}));
  rill_tensor *y =
      rill_forward(ctx, m, rill_from_buffer(ctx, RILL_F32, (int64_t[]){2}, 1, (float[]){10, 1}));
  ck_assert_mem_eq(floats(y), ((float[]){12.5f, 34, 55}), 12);
  ck_assert_ptr_null(rill_forward(ctx, m, rill_ones(ctx, RILL_F32, (int64_t[]){2, 3}, 2)));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_SHAPE);
  rill_context_close(ctx);
}
END_TEST

START_TEST(embedding_picks_rows_and_pads_with_zeros) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_embedding(ctx, 500, 8, -1);
  const float *w = floats(rill_module_get(m, "weight"));
  double squares = 0;
  for (int i = 0; i < 499 * 8; i++) squares += (double)w[i] * w[i];
  ck_assert_double_eq_tol(squares / (499 * 8), 1, 0.1);
  rill_tensor *y =
      rill_forward(ctx, m, rill_from_buffer(ctx, RILL_I64, (int64_t[]){2}, 1, (int64_t[]){499, 3}));
  for (int i = 0; i < 8; i++) ck_assert(floats(y)[i] == 0 && floats(y)[8 + i] == w[24 + i]);
  ck_assert_ptr_null(rill_nn_embedding(ctx, 5, 2, 5));
  ck_assert_str_eq(rill_error_message(ctx),
                   "nn_embedding: padding_idx 5 is out of range for 5 rows");
  rill_context_close(ctx);
}
END_TEST

START_TEST(norms_start_at_one_and_normalise) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = rill_from_buffer(ctx, RILL_F32, (int64_t[]){1, 2}, 2, (float[]){1, 7});
  const float *layer = floats(rill_forward(ctx, rill_nn_layer_norm(ctx, 2, 1, true), x));
  ck_assert_double_eq_tol(layer[1], 3 / sqrt(9 + 1), 1e-6);
  const float *rms = floats(rill_forward(ctx, rill_nn_rms_norm(ctx, 2, 0), x));
  ck_assert_double_eq_tol(rms[1], 7 / 5., 1e-6);
  rill_context_close(ctx);
}
END_TEST

START_TEST(dropout_rests_in_eval_mode) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_dropout(ctx, 0.25);
  rill_tensor *x = rill_ones(ctx, RILL_F32, (int64_t[]){10000}, 1), *y = rill_forward(ctx, m, x);
  int zeros = 0;
  for (int i = 0; i < 10000; i++) zeros += floats(y)[i] == 0;
  ck_assert(zeros > 2200 && zeros < 2800);
  rill_module_train(ctx, m, false);
  y = rill_forward(ctx, m, x);
  ck_assert_mem_eq(floats(y), floats(x), 40000);
  ck_assert_ptr_null(rill_nn_dropout(ctx, NAN));
  rill_context_close(ctx);
}
END_TEST

START_TEST(activations_have_their_values) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = rill_from_buffer(ctx, RILL_F64, (int64_t[]){2}, 1, (double[]){-1.5, 0.5});
  struct {
    rill_module *m;
    double at[2];
  } rows[] = {
      {rill_nn_relu(ctx), {0, 0.5}},
      {rill_nn_silu(ctx), {-1.5 / (1 + exp(1.5)), 0.5 / (1 + exp(-0.5))}},
      {rill_nn_sigmoid(ctx), {1 / (1 + exp(1.5)), 1 / (1 + exp(-0.5))}},
      {rill_nn_tanh(ctx), {tanh(-1.5), tanh(0.5)}},
      {rill_nn_gelu(ctx, false),
       {-0.75 * (1 + erf(-1.5 / sqrt(2))), 0.25 * (1 + erf(0.5 / sqrt(2)))}},
      {rill_nn_gelu(ctx, true),
       {-0.75 * (1 + tanh(sqrt(2 / M_PI) * (-1.5 - 0.044715 * 3.375))),
        0.25 * (1 + tanh(sqrt(2 / M_PI) * (0.5 + 0.044715 * 0.125)))}},
      {rill_nn_softplus(ctx, 0, 0), {log1p(exp(-1.5)), log1p(exp(0.5))}},
      {rill_nn_softplus(ctx, 2, 0.5), {log1p(exp(-3)) / 2, 0.5}},
      {rill_nn_softmax(ctx, -1), {1 / (1 + exp(2)), 1 / (1 + exp(-2))}},
      {rill_nn_log_softmax(ctx, 0), {-log1p(exp(2)), -log1p(exp(-2))}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    rill_tensor *y = rill_forward(ctx, rows[i].m, x);
    ck_assert_msg(y && rms_ratio_f64(rill_tensor_data(y), rows[i].at, 2) < 1e-14, "row %d", (int)i);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(modules_know_if_they_stream) {
  rill_context *ctx = rill_context_create(NULL);
  ck_assert(module_streams(rill_nn_softmax(ctx, -1)));
  ck_assert(!module_streams(rill_nn_softmax(ctx, 1)));
  ck_assert(module_streams(rill_nn_sequential(ctx, NULL, 0)));
  rill_module_class cls = RILL_MODULE_CLASS_INIT;
  cls.type = "Host";
  ck_assert(!module_streams(rill_module_create(ctx, &cls, NULL)));
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_sizes_are_named) {
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_ptr_null(rill_nn_linear(ctx, 0, 3, true));
  ck_assert_str_eq(rill_error_message(ctx), "nn_linear: in is 0, it must be at least 1");
  ck_assert_ptr_null(rill_nn_relu(ctx)); /* pending */
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_nn_linear(ctx, INT64_MAX, 3, true));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_OVERFLOW);
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_nn_layer_norm(ctx, 4, -1, true));
  rill_error_clear(ctx);
  rill_module *wide = rill_nn_residual(ctx, rill_nn_linear(ctx, 2, 1, false));
  ck_assert_ptr_null(rill_forward(ctx, wide, rill_ones(ctx, RILL_F32, (int64_t[]){3, 2}, 2)));
  ck_assert_str_eq(rill_error_message(ctx), "nn_residual: inner made [3,1] of [3,2]");
  ck_assert_ptr_null(rill_nn_relu(NULL));
  rill_context_close(ctx);
}
END_TEST

START_TEST(what_is_made_in_inference_mode_can_be_trained) {
  rill_context *ctx = rill_context_create(NULL);
  rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
  rill_module *m = rill_nn_linear(ctx, 2, 2, true);
  rill_set_grad_mode(ctx, RILL_GRAD_ON);
  rill_tensor *y = rill_forward(ctx, m, rill_ones(ctx, RILL_F32, (int64_t[]){2}, 1));
  ck_assert_int_eq(rill_backward(ctx, rill_sum(ctx, y, RILL_ALL_DIMS, false), NULL, false),
                   RILL_OK);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *t = tcase_create("layers");
  tcase_add_test(t, linear_starts_as_pytorchs);
  tcase_add_test(t, linear_multiplies_and_adds);
  tcase_add_test(t, embedding_picks_rows_and_pads_with_zeros);
  tcase_add_test(t, norms_start_at_one_and_normalise);
  tcase_add_test(t, dropout_rests_in_eval_mode);
  tcase_add_test(t, activations_have_their_values);
  tcase_add_test(t, modules_know_if_they_stream);
  tcase_add_test(t, wrong_sizes_are_named);
  tcase_add_test(t, what_is_made_in_inference_mode_can_be_trained);
  return t;
}

TEST_MAIN("layers", tcase)

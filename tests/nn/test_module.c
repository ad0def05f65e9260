/* Modules as trees: names, paths, modes, conversion, the state dict, and modules of the host's own. */
#include "main.h"
#include "nn/module.h"
#include "rill/autograd.h"

static rill_module *model_of(rill_context *ctx) {
  rill_module *layers[] = {rill_nn_linear(ctx, 3, 4, true),
                           rill_nn_residual(ctx, rill_nn_layer_norm(ctx, 4, 0, true)),
                           rill_nn_dropout(ctx, 0.5)};
  return rill_nn_sequential(ctx, layers, 3);
}

START_TEST(parameters_have_paths) {
  static const char *const paths[] = {"0.weight", "0.bias", "1.inner.weight", "1.inner.bias"};
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = model_of(ctx);
  char path[64], cut[5];
  ck_assert_int_eq(rill_parameter_count(m), 4);
  ck_assert_int_eq(rill_parameter_numel(m), 12 + 4 + 4 + 4);
  for (int i = 0; i < 4; i++) {
    ck_assert_int_eq(rill_parameter_path(m, i, path, sizeof path), (int64_t)strlen(paths[i]));
    ck_assert_str_eq(path, paths[i]);
    ck_assert_ptr_eq(rill_module_get(m, path), rill_parameter(m, i));
    ck_assert_int_eq(rill_state_dict_path(m, i, path, sizeof path), (int64_t)strlen(paths[i]));
    ck_assert_str_eq(path, paths[i]);
  }
  ck_assert_int_eq(rill_parameter_path(m, 2, cut, sizeof cut), 14);
  ck_assert_str_eq(cut, "1.in");
  ck_assert_int_eq(rill_parameter_path(m, 4, path, sizeof path), -1);
  ck_assert_ptr_null(rill_parameter(m, 4));
  ck_assert_ptr_null(rill_parameter(m, -1));
  ck_assert_str_eq(rill_module_type(rill_module_find(m, "1.inner")), "LayerNorm");
  ck_assert_ptr_eq(rill_module_find(m, ""), m);
  ck_assert_ptr_null(rill_module_find(m, "1."));
  ck_assert_ptr_null(rill_module_find(m, ".1"));
  ck_assert_ptr_null(rill_module_get(m, "1.inner.gain"));
  ck_assert_ptr_null(rill_module_get(m, ".weight"));
  ck_assert_str_eq(rill_module_child_name(m, 2), "2");
  ck_assert_ptr_null(rill_module_child(m, 3));
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_shared_module_counts_once) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *l = rill_nn_linear(ctx, 4, 4, true);
  rill_module *m = rill_nn_sequential(ctx, (rill_module *[]){l, l}, 2);
  char path[64];
  ck_assert_int_eq(rill_parameter_count(m), 2);
  ck_assert_int_eq(rill_parameter_numel(m), 20);
  ck_assert_int_eq(rill_parameter_path(m, 1, path, sizeof path), 6);
  ck_assert_str_eq(path, "0.bias");
  ck_assert_int_eq(rill_state_dict_count(m), 4);
  ck_assert_int_eq(rill_module_to(ctx, m, RILL_F64), RILL_OK);
  ck_assert_ptr_eq(rill_module_get(m, "0.weight"), rill_module_get(m, "1.weight"));
  rill_context_close(ctx);
}
END_TEST

START_TEST(tied_parameters_stay_tied) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module_class cls = RILL_MODULE_CLASS_INIT;
  cls.type = "Host";
  rill_module *m = rill_module_create(ctx, &cls, NULL), *l = rill_nn_linear(ctx, 2, 2, false);
  ck_assert_int_eq(rill_module_add_parameter(ctx, m, "tied", rill_module_get(l, "weight")),
                   RILL_OK);
  ck_assert_int_eq(rill_module_add_child(ctx, m, "l", l), RILL_OK);
  ck_assert_int_eq(rill_parameter_count(m), 1);
  ck_assert_int_eq(rill_module_to(ctx, m, RILL_F16), RILL_OK);
  ck_assert_ptr_eq(rill_module_get(m, "tied"), rill_module_get(m, "l.weight"));
  ck_assert(!rill_requires_grad(rill_module_get(m, "tied")));
  ck_assert_int_eq(rill_module_to(ctx, m, RILL_F32), RILL_OK);
  ck_assert(rill_requires_grad(rill_module_get(m, "tied")));
  ck_assert_int_eq(rill_module_to(ctx, m, RILL_I32), RILL_ERROR_DTYPE);
  rill_context_close(ctx);
}
END_TEST

static rill_status note(rill_context *ctx, rill_module *module, void *user) {
  (void)ctx;
  strcat(strcat(user, rill_module_type(module)), " ");
  return rill_module_is_training(module) ? RILL_ERROR_STATE : RILL_OK;
}

START_TEST(modes_reach_the_whole_tree) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = model_of(ctx);
  char seen[128] = "";
  ck_assert(rill_module_is_training(m));
  ck_assert_int_eq(rill_module_train(ctx, m, false), RILL_OK);
  ck_assert_int_eq(rill_module_apply(ctx, m, note, seen), RILL_OK);
  ck_assert_str_eq(seen, "Linear LayerNorm Residual Dropout Sequential ");
  ck_assert_int_eq(rill_module_freeze(ctx, m, true), RILL_OK);
  for (int i = 0; i < 4; i++) ck_assert(!rill_requires_grad(rill_parameter(m, i)));
  rill_tensor *x = rill_ones(ctx, RILL_F32, (int64_t[]){2, 3}, 2);
  ck_assert(!rill_requires_grad(rill_forward(ctx, m, x)));
  rill_module_freeze(ctx, m, false);
  rill_tensor *loss = rill_sum(ctx, rill_forward(ctx, m, x), RILL_ALL_DIMS, false);
  ck_assert_int_eq(rill_backward(ctx, loss, NULL, false), RILL_OK);
  ck_assert_ptr_nonnull(rill_tensor_grad(rill_parameter(m, 0)));
  ck_assert_int_eq(rill_module_zero_grad(ctx, m), RILL_OK);
  ck_assert_ptr_null(rill_tensor_grad(rill_parameter(m, 0)));
  rill_module_train(ctx, m, true);
  ck_assert_int_eq(rill_module_apply(ctx, m, note, seen), RILL_ERROR_CALLBACK);
  rill_context_close(ctx);
}
END_TEST

START_TEST(the_state_dict_loads_by_path) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = model_of(ctx);
  rill_tensor *v = rill_full(ctx, RILL_F64, (int64_t[]){4}, 1, 2.5);
  ck_assert_int_eq(rill_state_dict_load(ctx, m, "1.inner.bias", v), RILL_OK);
  ck_assert_float_eq(((float *)rill_tensor_data(rill_module_get(m, "1.inner.bias")))[3], 2.5f);
  ck_assert_int_eq(rill_state_dict_load(ctx, m, "0.weight", v), RILL_ERROR_SHAPE);
  ck_assert_str_eq(rill_error_message(ctx),
                   "state_dict_load: \"0.weight\" is [4,3], the value [4]");
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_state_dict_load(ctx, m, "7.weight", v), RILL_ERROR_NOT_FOUND);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_state_dict_load(ctx, m, "0.weight", NULL), RILL_ERROR_ARGUMENT);
  rill_context_close(ctx);
}
END_TEST

static int freed;
static void count_free(void *user) { freed += user == &freed; }

static rill_tensor *twice(rill_context *ctx, rill_module *self, const rill_tensor *input,
                          void *user) {
  (void)self;
  if (!user) return NULL;
  for (int i = 0; i < 10; i++) rill_mul_scalar(ctx, input, 3); /* temporaries */
  return rill_mul_scalar(ctx, input, 2);
}

START_TEST(the_hosts_modules_run_like_built_in_ones) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module_class cls = RILL_MODULE_CLASS_INIT;
  cls.type = "Twice";
  cls.forward = twice;
  cls.free_user = count_free;
  freed = 0;
  rill_scope_open(ctx);
  rill_module *m = rill_module_create(ctx, &cls, &freed);
  ck_assert_ptr_eq(rill_module_user(m), &freed);
  rill_tensor *x = rill_ones(ctx, RILL_F32, NULL, 0);
  int64_t held = ctx->scope_count;
  ck_assert_double_eq(rill_tensor_item(ctx, rill_forward(ctx, rill_nn_residual(ctx, m), x)), 3);
  ck_assert_int_eq(ctx->scope_count, held + 2); /* the residual and its result */
  rill_scope_close(ctx);
  ck_assert_int_eq(freed, 1);
  m = rill_module_create(ctx, &cls, NULL);
  ck_assert_ptr_null(rill_forward(ctx, m, rill_ones(ctx, RILL_F32, NULL, 0)));
  ck_assert_str_eq(rill_error_message(ctx), "forward: Twice returned NULL and no error");
  ck_assert_ptr_null(
      rill_module_create(ctx, &cls, &freed)); /* an error is pending; user is freed all the same */
  ck_assert_int_eq(freed, 2);
  rill_error_clear(ctx);
  cls.type = NULL;
  ck_assert_ptr_null(rill_module_create(ctx, &cls, &freed));
  ck_assert_int_eq(freed, 3);
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_use_is_named) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = model_of(ctx), *list = rill_nn_module_list(ctx, &m, 1);
  rill_tensor *x = rill_ones(ctx, RILL_F32, (int64_t[]){2, 3}, 2);
  ck_assert_int_eq(rill_module_add_parameter(ctx, rill_module_child(m, 0), "bias", x),
                   RILL_ERROR_ARGUMENT);
  ck_assert_str_eq(rill_error_message(ctx), "module_add_parameter: Linear has a \"bias\" already");
  ck_assert(!rill_requires_grad(x));
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_module_add_buffer(ctx, m, "a.b", x, true), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_module_add_child(ctx, m, "", list), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_module_add_child(ctx, m, "loop", list), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_forward(ctx, list, x));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_UNSUPPORTED);
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_forward(ctx, m, NULL));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_module_train(ctx, m, false), RILL_ERROR_ARGUMENT); /* pending */
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_forward(ctx, NULL, x));
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_forward(NULL, m, x));
  ck_assert_ptr_null(rill_nn_sequential(ctx, (rill_module *[]){NULL}, 1));
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_parameter_count(NULL), 0);
  rill_module_release(NULL);
  rill_context_close(ctx);
}
END_TEST

START_TEST(buffers_that_do_not_persist_stay_out_of_the_state_dict) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_relu(ctx);
  rill_tensor *x = rill_ones(ctx, RILL_I32, NULL, 0);
  ck_assert_int_eq(rill_module_add_buffer(ctx, m, "kept", x, true), RILL_OK);
  ck_assert_int_eq(rill_module_add_buffer(ctx, m, "lost", x, false), RILL_OK);
  ck_assert_int_eq(rill_state_dict_count(m), 1);
  ck_assert_ptr_eq(rill_module_get(m, "lost"), x);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *t = tcase_create("module");
  tcase_add_test(t, parameters_have_paths);
  tcase_add_test(t, a_shared_module_counts_once);
  tcase_add_test(t, tied_parameters_stay_tied);
  tcase_add_test(t, modes_reach_the_whole_tree);
  tcase_add_test(t, the_state_dict_loads_by_path);
  tcase_add_test(t, the_hosts_modules_run_like_built_in_ones);
  tcase_add_test(t, wrong_use_is_named);
  tcase_add_test(t, buffers_that_do_not_persist_stay_out_of_the_state_dict);
  return t;
}

TEST_MAIN("module", tcase)

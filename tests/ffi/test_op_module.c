/* rill_nn_op: what a module of an op keeps, names, streams and refuses. That it computes what the op does
 * is tests/ops/test_ops.c's affair, for all ops. */
#include "main.h"
#include "ops/op.h"
#include "rationed.h"
#include "rill/nn.h"
#include "rill/sequence.h"

static rill_context *ctx;

static void setup(void) { ctx = rill_context_create(NULL); }
static void teardown(void) { rill_context_close(ctx); }

static rill_tensor *row(rill_dtype dtype, double first) {
  return rill_arange(ctx, dtype, first, first + 3, 1);
}

static void refused(rill_module *m, rill_status status, const char *says) {
  ck_assert_ptr_null(m);
  ck_assert_int_eq(rill_error(ctx), status);
  ck_assert_msg(strstr(rill_error_message(ctx), says), "says: %s", rill_error_message(ctx));
  rill_error_clear(ctx);
}

START_TEST(arguments_are_copied) {
  int64_t dims[] = {1, 0};
  rill_value args[] = {op_t(NULL), op_is(dims, 2)};
  rill_module *m = rill_nn_op(ctx, "permute", args, 2, 0);
  ck_assert_ptr_nonnull(m);
  dims[0] = dims[1] = 77;
  rill_tensor *y = rill_forward(ctx, m, rill_zeros(ctx, RILL_F32, (int64_t[]){2, 3}, 2));
  ck_assert_int_eq(rill_tensor_size(y, 0), 3);
  ck_assert_str_eq(rill_module_type(m), "permute");
  char equation[] = "ij->ji";
  const rill_tensor *operands[] = {NULL};
  m = rill_nn_op(ctx, "einsum", (rill_value[]){op_s(equation), op_ts(operands, 1)}, 2, 0);
  equation[0] = '?';
  y = rill_forward(ctx, m, y);
  ck_assert_int_eq(rill_tensor_size(y, 0), 2);
}
END_TEST

START_TEST(tensors_are_parameters_or_buffers) {
  rill_tensor *w = row(RILL_F32, 1), *b = row(RILL_F32, 4);
  rill_set_requires_grad(ctx, w, true);
  rill_module *m = rill_nn_op(ctx, "mul", (rill_value[]){op_t(NULL), op_t(w)}, 2, 0);
  ck_assert_int_eq(rill_parameter_count(m), 1);
  ck_assert_ptr_eq(rill_module_get(m, "other"), w);
  const rill_tensor *list[] = {b, NULL, w};
  rill_module *cat = rill_nn_op(ctx, "cat", (rill_value[]){op_ts(list, 3)}, 1, 0);
  ck_assert_ptr_eq(rill_module_get(cat, "tensors0"), b);
  ck_assert_ptr_null(rill_module_get(cat, "tensors1"));
  ck_assert_ptr_eq(rill_module_get(cat, "tensors2"), w);
  ck_assert_int_eq(rill_state_dict_count(cat), 2);
  rill_module *both = rill_nn_sequential(ctx, (rill_module *[]){m, cat}, 2);
  ck_assert_int_eq(rill_module_to(ctx, both, RILL_F64), RILL_OK);
  rill_tensor *y = rill_forward(ctx, both, row(RILL_F64, 7)); /* b, 7 8 9 times w, w */
  static const double want[] = {4, 5, 6, 7, 16, 27, 1, 2, 3};
  for (int i = 0; i < 9; i++)
    ck_assert_double_eq(rill_tensor_item(ctx, rill_select(ctx, y, 0, i)), want[i]);
  ck_assert_int_eq(rill_backward(ctx, rill_sum(ctx, y, NULL, 0, false), NULL, false), RILL_OK);
  rill_tensor *grad = rill_tensor_grad(rill_module_get(both, "0.other"));
  for (int i = 0; i < 3; i++)
    ck_assert_double_eq(rill_tensor_item(ctx, rill_select(ctx, grad, 0, i)),
                        8 + i); /* used twice */
}
END_TEST

START_TEST(the_input_goes_everywhere_it_is_asked_for) {
  rill_module *m = rill_nn_op(ctx, "mul", (rill_value[]){op_t(NULL), op_t(NULL)}, 2, 0);
  rill_tensor *y = rill_forward(ctx, m, rill_full(ctx, RILL_F32, NULL, 0, 3));
  ck_assert_double_eq(rill_tensor_item(ctx, y), 9);
  m = rill_nn_op(ctx, "split", (rill_value[]){op_t(NULL), op_i(2)}, 2, 1);
  y = rill_forward(ctx, m, row(RILL_F32, 1));
  ck_assert_double_eq(rill_tensor_item(ctx, y), 3);
}
END_TEST

/* Element-wise ops without tensors of their own; others do not. */
START_TEST(element_wise_ops_stream) {
  rill_module *exp = rill_nn_op(ctx, "exp", (rill_value[]){op_t(NULL)}, 1, 0);
  rill_module *all =
      rill_nn_sequential(ctx, (rill_module *[]){rill_nn_linear(ctx, 3, 3, true), exp}, 2);
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){1, 4, 3}, 3);
  rill_tensor *whole = rill_forward(ctx, all, x);
  rill_state *state = rill_state_create(ctx, all, 1);
  for (int t = 0; t < 4; t++) {
    rill_tensor *y = rill_extend(ctx, all, rill_narrow(ctx, x, 1, t, 1), state);
    rill_tensor *same = rill_eq(ctx, y, rill_narrow(ctx, whole, 1, t, 1));
    ck_assert_double_eq(rill_tensor_item(ctx, rill_sum(ctx, same, NULL, 0, false)), 3);
  }
  rill_module *flip =
      rill_nn_op(ctx, "flip", (rill_value[]){op_t(NULL), op_is((int64_t[]){1}, 1)}, 2, 0);
  ck_assert_ptr_null(rill_state_create(ctx, flip, 1));
  rill_error_clear(ctx);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
  rill_value input = op_t(NULL), three = op_i(3);
  refused(rill_nn_op(ctx, "no_such_op", &input, 1, 0), RILL_ERROR_NOT_FOUND, "no_such_op");
  refused(rill_nn_op(ctx, NULL, &input, 1, 0), RILL_ERROR_NOT_FOUND, "''");
  refused(rill_nn_op(ctx, "exp", NULL, 1, 0), RILL_ERROR_ARGUMENT, "NULL");
  refused(rill_nn_op(ctx, "exp", NULL, -1, 0), RILL_ERROR_ARGUMENT, "-1");
  refused(rill_nn_op(ctx, "exp", NULL, 0, 0), RILL_ERROR_ARGUMENT, "input");
  refused(rill_nn_op(ctx, "exp", &three, 1, 0), RILL_ERROR_ARGUMENT, "input");
  refused(rill_nn_op(ctx, "exp", (rill_value[]){op_t(row(RILL_F32, 0))}, 1, 0), RILL_ERROR_ARGUMENT,
          "no tensor is NULL");
  refused(rill_nn_op(ctx, "exp", (rill_value[]){input, three}, 2, 0), RILL_ERROR_ARGUMENT, "2");
  refused(rill_nn_op(ctx, "exp", &input, 1, -1), RILL_ERROR_INDEX, "-1");
  const rill_tensor *many[65] = {NULL};
  refused(rill_nn_op(ctx, "cat", (rill_value[]){op_ts(many, 65)}, 1, 0), RILL_ERROR_UNSUPPORTED,
          "65");
  ck_assert_ptr_null(rill_nn_op(NULL, "exp", &input, 1, 0));
  rill_module *m = rill_nn_op(ctx, "exp", &input, 1, 1);
  ck_assert_ptr_null(rill_forward(ctx, m, row(RILL_F32, 0)));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_INDEX);
  rill_error_clear(ctx);
}
END_TEST

static bool make_and_run(rill_context *c) {
  rill_tensor *x = rill_ones(c, RILL_F32, (int64_t[]){2, 3}, 2);
  rill_tensor *w = rill_ones(c, RILL_F32, (int64_t[]){2, 3}, 2);
  rill_set_requires_grad(c, w, true);
  const rill_tensor *list[] = {w, NULL, x};
  rill_module *cat = rill_nn_op(c, "cat", (rill_value[]){op_ts(list, 3)}, 1, 0);
  rill_value args[] = {op_t(NULL), op_is((int64_t[]){1, 0}, 2)};
  rill_module *both =
      rill_nn_sequential(c, (rill_module *[]){cat, rill_nn_op(c, "permute", args, 2, 0)}, 2);
  return rill_forward(c, both, x) != NULL;
}

START_TEST(each_allocation_may_fail) { rationed_run(make_and_run, 200); }
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("op_module");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, arguments_are_copied);
  tcase_add_test(c, tensors_are_parameters_or_buffers);
  tcase_add_test(c, the_input_goes_everywhere_it_is_asked_for);
  tcase_add_test(c, element_wise_ops_stream);
  tcase_add_test(c, bad_arguments_are_refused);
  tcase_add_test(c, each_allocation_may_fail);
  return c;
}

TEST_MAIN("op_module", tcase)

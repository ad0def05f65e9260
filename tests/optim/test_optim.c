/* Optimizers against PyTorch, clipping, schedules, averaging, and a network that learns. */
#include "main.h"
#include "golden/optim.h"
#include "optim/optim.h"
#include "rill/autograd.h"

static rill_tensor *leaf(rill_context *ctx, const double *values, int64_t n) {
  rill_tensor *t = rill_from_buffer(ctx, RILL_F64, &n, 1, values);
  ck_assert_int_eq(rill_set_requires_grad(ctx, t, true), RILL_OK);
  return t;
}

/* The gradient of golden/optim.py's loss. */
static void bowl_backward(rill_context *ctx, rill_tensor *p) {
  int64_t four = 4;
  rill_tensor *by = rill_from_buffer(ctx, RILL_F64, &four, 1, (double[]){1, 2, 3, 4});
  rill_tensor *loss =
      rill_add(ctx, rill_sum(ctx, rill_mul(ctx, rill_square(ctx, p), by), RILL_ALL_DIMS, false),
               rill_sum(ctx, p, RILL_ALL_DIMS, false));
  ck_assert_int_eq(rill_backward(ctx, loss, NULL, false), RILL_OK);
}

static const double start[4] = {0.5, -1.25, 2.0, 0.125};

static const struct {
  rill_optimizer_kind kind;
  rill_optimizer_options options;
  const double *golden;
} cases[] = {
    {RILL_OPTIM_SGD, {.lr = 0.1}, golden_sgd},
    {RILL_OPTIM_SGD,
     {.lr = 0.1, .momentum = 0.9, .dampening = 0.25, .weight_decay = 0.05},
     golden_sgd_momentum},
    {RILL_OPTIM_SGD,
     {.lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.05},
     golden_sgd_nesterov},
    {RILL_OPTIM_ADAM,
     {.lr = 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.05},
     golden_adam},
    {RILL_OPTIM_ADAM, {0}, golden_adam_default},
    {RILL_OPTIM_ADAMW, {.lr = 0.1, .weight_decay = 0.05}, golden_adamw},
};

static rill_optimizer *optimizer_of(rill_context *ctx, int i, rill_tensor *p) {
  rill_optimizer *o = rill_optimizer_create(ctx, cases[i].kind);
  rill_optimizer_options options = cases[i].options;
  options.struct_size = sizeof options;
  ck_assert_int_eq(rill_optimizer_add_group(ctx, o, &p, 1, &options, NULL), RILL_OK);
  return o;
}

static void take_step(rill_context *ctx, rill_optimizer *o, rill_tensor *p) {
  ck_assert_int_eq(rill_optimizer_zero_grad(ctx, o), RILL_OK);
  bowl_backward(ctx, p);
  ck_assert_int_eq(rill_optimizer_step(ctx, o), RILL_OK);
}

START_TEST(five_steps_are_pytorchs) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p = leaf(ctx, start, 4);
  rill_optimizer *o = optimizer_of(ctx, _i, p);
  for (int step = 0; step < 5; step++) take_step(ctx, o, p);
  ck_assert_double_lt(rms_ratio_f64(rill_tensor_data(p), cases[_i].golden, 4), 1e-12);
  ck_assert_int_eq(rill_optimizer_steps(o), 5);
  rill_context_close(ctx);
}
END_TEST

/* Two steps, then the rest by another optimizer that was given what the first remembered. */
START_TEST(a_restored_optimizer_goes_on) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p = leaf(ctx, start, 4);
  rill_optimizer *first = optimizer_of(ctx, _i, p), *second = optimizer_of(ctx, _i, p);
  for (int step = 0; step < 2; step++) take_step(ctx, first, p);
  for (int i = 0; i < rill_optimizer_tensor_count(first); i++) {
    char name[64];
    ck_assert_int_gt(rill_optimizer_tensor_name(first, i, name, sizeof name), 0);
    ck_assert_int_eq(optimizer_restore(ctx, second, name, rill_optimizer_tensor(first, i)),
                     RILL_OK);
  }
  optimizer_set_parameter_steps(ctx, second, 0, optimizer_parameter_steps(first, 0));
  optimizer_set_steps(ctx, second, 2);
  for (int step = 0; step < 3; step++) take_step(ctx, second, p);
  ck_assert_double_lt(rms_ratio_f64(rill_tensor_data(p), cases[_i].golden, 4), 1e-12);
  ck_assert_int_eq(rill_optimizer_steps(second), 5);
  rill_context_close(ctx);
}
END_TEST

START_TEST(remembered_tensors_have_names) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p = leaf(ctx, start, 4);
  rill_optimizer *o = optimizer_of(ctx, 5, p);
  char name[64], cut[4];
  ck_assert_int_eq(rill_optimizer_tensor_count(o), 0);
  take_step(ctx, o, p);
  ck_assert_int_eq(rill_optimizer_tensor_count(o), 2);
  ck_assert_int_eq(rill_optimizer_tensor_name(o, 1, name, sizeof name), 12);
  ck_assert_str_eq(name, "0.exp_avg_sq");
  ck_assert_int_eq(rill_optimizer_tensor_name(o, 0, cut, sizeof cut), 9);
  ck_assert_str_eq(cut, "0.e");
  ck_assert_int_eq(rill_optimizer_tensor_name(o, 2, name, sizeof name), -1);
  ck_assert_ptr_null(rill_optimizer_tensor(o, 2));
  ck_assert_int_eq(optimizer_restore(ctx, o, "1.exp_avg", p), RILL_ERROR_NOT_FOUND);
  rill_error_clear(ctx);
  ck_assert_int_eq(optimizer_restore(ctx, o, "0.exp_avg", rill_scalar(ctx, RILL_F64, 1)),
                   RILL_ERROR_SHAPE);
  rill_context_close(ctx);
}
END_TEST

START_TEST(frozen_and_gradientless_parameters_stay) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p[] = {leaf(ctx, start, 4), leaf(ctx, start, 4), leaf(ctx, start, 4)};
  rill_optimizer *o = rill_optimizer_create(ctx, RILL_OPTIM_ADAM);
  ck_assert_int_eq(rill_optimizer_add_group(ctx, o, p, 3, NULL, NULL), RILL_OK);
  bowl_backward(ctx, p[0]);
  bowl_backward(ctx, p[1]);
  rill_set_requires_grad(ctx, p[0], false);
  ck_assert_int_eq(rill_optimizer_step(ctx, o), RILL_OK);
  ck_assert_mem_eq(rill_tensor_data(p[0]), start, sizeof start);
  ck_assert_mem_eq(rill_tensor_data(p[2]), start, sizeof start);
  ck_assert_double_eq_tol(((double *)rill_tensor_data(p[1]))[0], 0.499, 1e-9);
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_step_spoils_a_graph_that_saved_the_parameter) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p = leaf(ctx, start, 4);
  rill_optimizer *o = optimizer_of(ctx, 0, p);
  rill_tensor *loss = rill_sum(ctx, rill_square(ctx, p), RILL_ALL_DIMS, false);
  take_step(ctx, o, p);
  ck_assert_int_eq(rill_backward(ctx, loss, NULL, false), RILL_ERROR_GRAPH);
  rill_context_close(ctx);
}
END_TEST

START_TEST(clipping) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p[] = {leaf(ctx, start, 1), leaf(ctx, start, 2)};
  rill_optimizer *o = rill_optimizer_create(ctx, RILL_OPTIM_SGD);
  rill_optimizer_add_group(ctx, o, p, 2, NULL, NULL);
  int64_t one = 1, two = 2;
  rill_set_grad(ctx, p[0], rill_from_buffer(ctx, RILL_F64, &one, 1, (double[]){2}));
  rill_set_grad(ctx, p[1], rill_from_buffer(ctx, RILL_F64, &two, 1, (double[]){-1, 2}));
  const double *g0 = rill_tensor_data(rill_tensor_grad(p[0])),
               *g1 = rill_tensor_data(rill_tensor_grad(p[1]));
  double norm = 0;
  ck_assert_int_eq(rill_clip_grad_norm(ctx, o, 10, &norm), RILL_OK);
  ck_assert_double_eq_tol(norm, 3, 1e-15);
  ck_assert_double_eq(g0[0], 2);
  ck_assert_int_eq(rill_clip_grad_norm(ctx, o, 1.5, NULL), RILL_OK);
  double by = 1.5 / (3 + 1e-6);
  ck_assert_double_eq_tol(g0[0], 2 * by, 1e-15);
  ck_assert_double_eq_tol(g1[0], -by, 1e-15);
  ck_assert_int_eq(rill_clip_grad_value(ctx, o, 0.75), RILL_OK);
  ck_assert_double_eq(g0[0], 0.75);
  ck_assert_double_eq_tol(g1[0], -by, 1e-15);
  ck_assert_int_eq(rill_clip_grad_norm(ctx, o, -1, NULL), RILL_ERROR_ARGUMENT);
  rill_context_close(ctx);
}
END_TEST

START_TEST(schedules) {
  rill_schedule s = RILL_SCHEDULE_INIT;
  s.lr = 2;
  s.end_lr = 1;
  s.warmup_steps = 4;
  s.total_steps = 12;
  ck_assert_double_eq(rill_schedule_lr(&s, 0), 0.5);
  ck_assert_double_eq(rill_schedule_lr(&s, 3), 2);
  ck_assert_double_eq(rill_schedule_lr(&s, 1000), 2);
  s.kind = RILL_SCHEDULE_LINEAR;
  ck_assert_double_eq(rill_schedule_lr(&s, 6), 1.75);
  ck_assert_double_eq(rill_schedule_lr(&s, 12), 1);
  s.kind = RILL_SCHEDULE_COSINE;
  ck_assert_double_eq_tol(rill_schedule_lr(&s, 8), 1.5, 1e-15);
  ck_assert_double_eq_tol(rill_schedule_lr(&s, 6), 1 + (1 + sqrt(0.5)) / 2, 1e-15);
  ck_assert_double_eq(rill_schedule_lr(&s, 99), 1);
  s.total_steps = 3;
  ck_assert_double_nan(rill_schedule_lr(&s, 0));
  s.kind = RILL_SCHEDULE_STEP;
  ck_assert_double_nan(rill_schedule_lr(&s, 5));
  s.step_size = 10;
  s.gamma = 0.5;
  ck_assert_double_eq(rill_schedule_lr(&s, 13), 2);
  ck_assert_double_eq(rill_schedule_lr(&s, 34), 0.25);
  ck_assert_double_nan(rill_schedule_lr(&s, -1));
  ck_assert_double_nan(rill_schedule_lr(NULL, 0));
}
END_TEST

START_TEST(averaging) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *a = rill_nn_layer_norm(ctx, 3, 0, true), *b = rill_nn_layer_norm(ctx, 3, 0, true);
  int64_t three = 3;
  rill_state_dict_load(ctx, b, "weight", rill_full(ctx, RILL_F32, &three, 1, 5));
  ck_assert_int_eq(rill_ema_update(ctx, a, b, 0.75), RILL_OK);
  ck_assert_float_eq(((float *)rill_tensor_data(rill_module_get(a, "weight")))[2], 2);
  ck_assert_int_eq(rill_ema_update(ctx, a, rill_nn_layer_norm(ctx, 4, 0, true), 0.75),
                   RILL_ERROR_SHAPE);
  ck_assert_str_eq(rill_error_message(ctx),
                   "ema_update: \"weight\" is [3] in the average and [4] in the weights");
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_ema_update(ctx, a, rill_nn_layer_norm(ctx, 3, 0, false), 0.75),
                   RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_ema_update(ctx, a, b, 1.5), RILL_ERROR_ARGUMENT);
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_use_is_named) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *p = leaf(ctx, start, 4);
  rill_optimizer *o = optimizer_of(ctx, 0, p);
  rill_optimizer_options bad = RILL_OPTIMIZER_OPTIONS_INIT;
  ck_assert_int_eq(rill_optimizer_add_group(ctx, o, &p, 1, NULL, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_str_eq(rill_error_message(ctx),
                   "optimizer_add_group: parameter 0 is in group 0 already");
  rill_error_clear(ctx);
  bad.nesterov = true;
  ck_assert_int_eq(rill_optimizer_add_group(ctx, o, NULL, 0, &bad, NULL), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_optimizer_add_group(ctx, o, (rill_tensor *[]){NULL}, 1, NULL, NULL),
                   RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_optimizer_set_lr(ctx, o, 1, 0.1), RILL_ERROR_INDEX);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_optimizer_set_lr(ctx, o, 0, NAN), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_optimizer_step(ctx, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_optimizer_group_count(o), 1);
  ck_assert_double_nan(rill_optimizer_lr(o, 7));
  ck_assert_int_eq(rill_optimizer_step(NULL, o), RILL_ERROR_ARGUMENT);
  rill_optimizer_release(NULL);
  rill_context_close(ctx);
}
END_TEST

/* Is x y below 0? Tanh layers learn it. Returns the last loss. */
static double learn(rill_context *ctx, int steps) {
  uint64_t seed = 7;
  float x[64][2];
  int64_t y[64], rows = 64;
  for (int i = 0; i < 64; i++) {
    x[i][0] = (float)(test_uniform(&seed) - 0.5), x[i][1] = (float)(test_uniform(&seed) - 0.5);
    y[i] = x[i][0] * x[i][1] < 0;
  }
  rill_module *layers[] = {rill_nn_linear(ctx, 2, 16, true), rill_nn_tanh(ctx),
                           rill_nn_linear(ctx, 16, 2, true)};
  rill_module *model = rill_nn_sequential(ctx, layers, 3);
  rill_optimizer *o = rill_optimizer_create(ctx, RILL_OPTIM_ADAMW);
  rill_optimizer_options options = RILL_OPTIMIZER_OPTIONS_INIT;
  options.lr = 0.05;
  rill_optimizer_add_module(ctx, o, model, &options, NULL);
  rill_tensor *input = rill_from_buffer(ctx, RILL_F32, (int64_t[]){64, 2}, 2, x);
  rill_tensor *target = rill_from_buffer(ctx, RILL_I64, &rows, 1, y);
  double last = NAN;
  for (int step = 0; step < steps && rill_error(ctx) == RILL_OK; step++) {
    if (rill_scope_open(ctx) != RILL_OK) break;
    rill_tensor *loss = rill_cross_entropy(ctx, rill_forward(ctx, model, input), target, NULL);
    rill_optimizer_zero_grad(ctx, o);
    rill_backward(ctx, loss, NULL, false);
    rill_clip_grad_norm(ctx, o, 1, NULL);
    rill_optimizer_step(ctx, o);
    last = rill_tensor_item(ctx, loss);
    rill_scope_close(ctx);
  }
  return last;
}

START_TEST(a_network_learns) {
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_double_lt(learn(ctx, 200), 0.1);
  ck_assert_str_eq(rill_error_message(ctx), "");
  rill_context_close(ctx);
}
END_TEST

static int64_t live, calls, fail_at;

static void *counting_malloc(void *user, size_t size) {
  (void)user;
  ++calls;
  if (calls == fail_at || calls == fail_at + 1)
    return NULL; /* the heap asks twice before it gives up */
  live++;
  return malloc(size);
}

static void counting_free(void *user, void *block) {
  (void)user;
  live--;
  free(block);
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing) {
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.allocator = (rill_allocator){counting_malloc, NULL, counting_free, NULL};
  options.cache_limit = 1;
  int failures = 0;
  for (fail_at = 1;; fail_at++) {
    calls = 0;
    rill_context *ctx = rill_context_create(&options);
    if (ctx) {
      learn(ctx, 2);
      failures += rill_error(ctx) == RILL_ERROR_MEMORY;
      if (rill_error(ctx) != RILL_ERROR_MEMORY) ck_assert_str_eq(rill_error_message(ctx), "");
      rill_error_clear(ctx);
      rill_context_close(ctx);
    }
    ck_assert_int_eq(live, 0);
    if (calls < fail_at) break; /* nothing failed: that was all of them */
  }
  ck_assert_int_gt(failures, 20);
}
END_TEST

static TCase *tcase(void) {
  TCase *t = tcase_create("optim");
  int n = sizeof cases / sizeof *cases;
  tcase_add_loop_test(t, five_steps_are_pytorchs, 0, n);
  tcase_add_loop_test(t, a_restored_optimizer_goes_on, 0, n);
  tcase_add_test(t, remembered_tensors_have_names);
  tcase_add_test(t, frozen_and_gradientless_parameters_stay);
  tcase_add_test(t, a_step_spoils_a_graph_that_saved_the_parameter);
  tcase_add_test(t, clipping);
  tcase_add_test(t, schedules);
  tcase_add_test(t, averaging);
  tcase_add_test(t, wrong_use_is_named);
  tcase_add_test(t, a_network_learns);
  tcase_add_test(t, every_failing_allocation_is_reported_and_leaks_nothing);
  return t;
}

TEST_MAIN("optim", tcase)

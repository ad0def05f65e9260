/* The modules of sliding windows, beyond the law that tests/sequence/mixers.h holds them to: what streams
 * and what does not, states that take any input, and saved ones. */
#include "sequence/mixers.h"

static rill_window_options over(const int *dims, int ndims, rill_window_mode mode) {
  rill_window_options o = RILL_WINDOW_OPTIONS_INIT;
  o.dims = dims, o.ndims = ndims, o.mode = mode;
  return o;
}

/* Forward equals extends of at most three steps. */
static void streams(rill_context *ctx, rill_module *m, rill_tensor *x) {
  uint64_t random = 3;
  rill_state *s = rill_state_create(ctx, m, BATCH);
  fine(ctx);
  rill_tensor *split = rill_to(ctx, extend_all(ctx, m, x, s, 3, &random), RILL_F64);
  rill_tensor *whole = rill_to(ctx, rill_forward(ctx, m, x), RILL_F64);
  near(split, whole, 0, "forward and extends", 0);
}

START_TEST(any_type_and_rank_streams) {
  rill_context *ctx = start();
  rill_window_options o = over((int[]){1}, 1, RILL_WINDOW_CAUSAL);
  rill_module *m = rill_nn_window_max(ctx, 4, &o);
  const int64_t shape[] = {BATCH, STEPS, 3, 2};
  const rill_dtype types[] = {RILL_F32, RILL_F64, RILL_I32, RILL_I64, RILL_U8};
  for (int ndim = 2; ndim <= 4; ndim++)
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
      streams(ctx, m, rill_randint(ctx, types[i], 0, 50, shape, ndim));
  rill_context_close(ctx);
}
END_TEST

START_TEST(other_dims_than_time_stream_in_any_mode) {
  rill_context *ctx = start();
  rill_window_options o = over((int[]){-1}, 1, RILL_WINDOW_SAME);
  rill_module *m = rill_nn_window_min(ctx, 3, &o);
  streams(ctx, m, input(ctx, RILL_F64));
  streams(ctx, rill_nn_window_max(ctx, 3, NULL), input(ctx, RILL_F64));
  /* Of [batch, time] the last dim is time. */
  rill_state *s = rill_state_create(ctx, m, BATCH);
  ck_assert_ptr_null(rill_extend(ctx, m, rill_select(ctx, input(ctx, RILL_F64), 2, 0), s));
  fails(ctx, RILL_ERROR_UNSUPPORTED, "is not causal, and cannot stream");
  rill_context_close(ctx);
}
END_TEST

START_TEST(what_sees_the_future_or_the_whole_past_is_refused) {
  rill_context *ctx = start();
  const int time[] = {-2, 2};
  rill_window_options future = over(time, 1, RILL_WINDOW_SAME),
                      both = over(time, 2, RILL_WINDOW_CAUSAL),
                      far = over(time, 1, RILL_WINDOW_CAUSAL), sparse = far;
  far.edge = RILL_WINDOW_WRAP;
  sparse.stride = 2;
  const struct {
    const rill_window_options *o;
    const char *words;
  } bad[] = {{&future, "is not causal"},
             {&both, "more than time"},
             {&far, "beyond the edge"},
             {&sparse, "has a stride"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    rill_module *m = rill_nn_window_max(ctx, 3, bad[i].o);
    fine(ctx);
    ck_assert_ptr_nonnull(rill_forward(ctx, m, input(ctx, RILL_F64)));
    ck_assert_ptr_null(rill_state_create(ctx, m, BATCH));
    fails(ctx, RILL_ERROR_UNSUPPORTED, bad[i].words);
  }
  rill_context_close(ctx);
}
END_TEST

/* A pad value counts while the window reaches before the start, and no longer. */
START_TEST(the_pad_value_is_seen_at_the_start_alone) {
  rill_context *ctx = start();
  rill_window_options o = over((int[]){1}, 1, RILL_WINDOW_CAUSAL);
  o.edge = RILL_WINDOW_CONSTANT, o.pad = 100, o.dilation = 3;
  rill_module *m = rill_nn_window_max(ctx, 3, &o);
  rill_tensor *x = input(ctx, RILL_F64), *y = rill_forward(ctx, m, x);
  streams(ctx, m, x);
  for (int64_t t = 0; t < STEPS; t++)
    ck_assert((((const double *)rill_tensor_data(y))[t * WIDTH] == 100) == (t < 6));
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_state_of_another_batch_or_type_is_refused) {
  rill_context *ctx = start();
  rill_module *m = running_max(ctx);
  rill_state *s = rill_state_create(ctx, m, BATCH);
  rill_tensor *x = input(ctx, RILL_F64);
  ck_assert_int_ne(rill_state_set_tensor(ctx, s, 0, rill_narrow(ctx, x, 0, 0, 1)), RILL_OK);
  fails(ctx, RILL_ERROR_SHAPE, "\"x\"");
  ck_assert_int_eq(rill_state_set_tensor(ctx, s, 0, x), RILL_OK);
  ck_assert_ptr_null(rill_extend(ctx, m, rill_to(ctx, x, RILL_F32), s));
  fails(ctx, RILL_ERROR_SHAPE, "f64 [2,23,12] in the state and f32 [2,23,12] now");
  ck_assert_ptr_nonnull(rill_extend(ctx, m, x, s));
  rill_context_close(ctx);
}
END_TEST

START_TEST(options_that_cannot_be_are_refused) {
  rill_context *ctx = start();
  rill_window_options o = over(NULL, 1, RILL_WINDOW_VALID), p = over(NULL, 0, (rill_window_mode)7);
  ck_assert_ptr_null(rill_nn_window_max(ctx, 0, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "no windows of 0");
  ck_assert_ptr_null(rill_nn_window_min(ctx, 3, &o));
  fails(ctx, RILL_ERROR_ARGUMENT, "1 dims at NULL");
  ck_assert_ptr_null(rill_nn_window_min(ctx, 3, &p));
  fails(ctx, RILL_ERROR_ARGUMENT, "mode 7");
  ck_assert_ptr_null(rill_nn_window_max(ctx, INT64_MAX, NULL));
  fails(ctx, RILL_ERROR_OVERFLOW, "no windows of");
  ck_assert_ptr_null(rill_nn_window_max(NULL, 3, NULL));
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_max");
  tcase_add_test(c, any_type_and_rank_streams);
  tcase_add_test(c, other_dims_than_time_stream_in_any_mode);
  tcase_add_test(c, what_sees_the_future_or_the_whole_past_is_refused);
  tcase_add_test(c, the_pad_value_is_seen_at_the_start_alone);
  tcase_add_test(c, a_state_of_another_batch_or_type_is_refused);
  tcase_add_test(c, options_that_cannot_be_are_refused);
  return c;
}

TEST_MAIN("window_max", tcase)

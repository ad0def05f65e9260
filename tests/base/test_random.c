/* The place in the random stream, and the log callback. */
#include "main.h"
#include "base/base.h"

START_TEST(the_stream_is_a_seed_and_an_offset) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 42;
  rill_context *ctx = rill_context_create(&o);
  rill_random_state s;
  ck_assert_int_eq(rill_random_get_state(ctx, &s), RILL_OK);
  ck_assert(s.seed == 42 && s.offset == 0);
  ck_assert_uint_eq(random_reserve(ctx, 5), 0);
  ck_assert_uint_eq(random_reserve(ctx, 0), 5);
  ck_assert_uint_eq(random_reserve(ctx, 1), 5);
  rill_random_get_state(ctx, &s);
  ck_assert(s.seed == 42 && s.offset == 6);
  ck_assert_int_eq(rill_seed(ctx, 7), RILL_OK);
  ck_assert_uint_eq(random_reserve(ctx, 1), 0);
  ck_assert_int_eq(rill_random_set_state(ctx, &s), RILL_OK);
  ck_assert_uint_eq(random_reserve(ctx, 1), 6);
  rill_random_get_state(ctx, &s);
  ck_assert(s.seed == 42 && s.offset == 7);
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_calls_are_refused_and_change_nothing) {
  rill_context *ctx = rill_context_create(NULL);
  rill_random_state s = {1, 2};
  ck_assert_int_eq(rill_seed(NULL, 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_random_get_state(NULL, &s), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_random_get_state(ctx, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_random_set_state(NULL, &s), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_random_set_state(ctx, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_str_eq(rill_error_message(ctx), "random_set_state: state is NULL");
  ck_assert_int_eq(rill_random_set_state(ctx, &s), RILL_ERROR_ARGUMENT); /* still pending */
  ck_assert_int_eq(rill_seed(ctx, 9), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_random_get_state(ctx, &s), RILL_OK);
  ck_assert(s.seed == 0 && s.offset == 0);
  rill_context_close(ctx);
}
END_TEST

static char logged[2000];
static int logged_level, log_calls;

static void log_here(void *user, rill_log_level level, const char *message) {
  ck_assert_ptr_eq(user, logged);
  logged_level = level;
  log_calls++;
  snprintf(logged, sizeof logged, "%s", message);
}

START_TEST(messages_reach_the_host) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.log = log_here, o.log_user = logged;
  rill_context *ctx = rill_context_create(&o);
  log_message(ctx, RILL_LOG_WARNING, "%s is %d", "x", 3);
  ck_assert_str_eq(logged, "x is 3");
  ck_assert_int_eq(logged_level, RILL_LOG_WARNING);
  char line[5000];
  memset(line, 'l', sizeof line - 1);
  line[sizeof line - 1] = 0;
  log_message(ctx, RILL_LOG_INFO, "%s", line);
  ck_assert_uint_eq(strlen(logged), 1023);
  rill_context_close(ctx);
  rill_context *silent = rill_context_create(NULL);
  log_message(silent, RILL_LOG_INFO, "nobody hears");
  log_message(NULL, RILL_LOG_INFO, "nobody hears");
  ck_assert_int_eq(log_calls, 2);
  rill_context_close(silent);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("random");
  tcase_add_test(c, the_stream_is_a_seed_and_an_offset);
  tcase_add_test(c, wrong_calls_are_refused_and_change_nothing);
  tcase_add_test(c, messages_reach_the_host);
  return c;
}

TEST_MAIN("random", tcase)

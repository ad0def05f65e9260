/* The context: scopes, the first error, options, memory and the host's allocator. */
#include "main.h"
#include "base/base.h"
#include "rill/tensor.h"

/* An allocator that counts, and fails from a call of choice on (the heap tries twice). */
typedef struct host {
  int64_t live, calls, fail_at; /* 0: never */
} host;

static void *host_malloc(void *user, size_t size) {
  host *h = user;
  if (size > (size_t)1 << 40) return NULL; /* a sanitizer's malloc would abort */
  if (++h->calls >= h->fail_at && h->fail_at) return NULL;
  h->live++;
  return malloc(size);
}

static void host_free(void *user, void *block) {
  ((host *)user)->live--;
  free(block);
}

static rill_context *context_on(host *h, size_t cache_limit) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.allocator = (rill_allocator){host_malloc, NULL, host_free, h};
  o.cache_limit = cache_limit;
  return rill_context_create(&o);
}

static rill_tensor *ones(rill_context *ctx, int64_t n) { return rill_ones(ctx, RILL_F32, &n, 1); }

static rill_memory_stats stats_of(rill_context *ctx) {
  rill_memory_stats s = RILL_MEMORY_STATS_INIT;
  ck_assert_int_eq(rill_memory_get_stats(ctx, &s), RILL_OK);
  return s;
}

START_TEST(a_scope_drops_what_was_made_in_it) {
  rill_context *ctx = rill_context_create(NULL);
  ones(ctx, 100);
  size_t outside = stats_of(ctx).current;
  ck_assert_int_eq(rill_scope_open(ctx), RILL_OK);
  size_t before = stats_of(ctx).current;
  for (int i = 0; i < 1000; i++) ones(ctx, 1000);
  ck_assert_uint_ge(stats_of(ctx).current, before + 1000 * 4000);
  ck_assert_int_eq(rill_scope_open(ctx), RILL_OK);
  rill_tensor *kept = rill_tensor_retain(ones(ctx, 3));
  ck_assert_int_eq(rill_scope_close(ctx), RILL_OK);
  ck_assert(((float *)rill_tensor_data(kept))[2] == 1);
  rill_tensor_release(kept);
  ck_assert_int_eq(rill_scope_close(ctx), RILL_OK);
  ck_assert_uint_le(stats_of(ctx).current, outside + 64 * 1024); /* the scope's own list grew */
  ck_assert_int_eq(rill_scope_close(ctx), RILL_ERROR_STATE);
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_STATE);
  rill_context_close(ctx);
}
END_TEST

START_TEST(the_first_error_stays_until_it_is_cleared) {
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_str_eq(rill_error_message(ctx), "");
  ck_assert_str_eq(rill_error_op(ctx), "");
  ck_assert_ptr_null(ones(ctx, -3));
  ck_assert_str_eq(rill_error_message(ctx), "ones: dim 0 has negative size -3");
  ck_assert_ptr_null(rill_zeros(ctx, (rill_dtype)99, NULL, 0));
  ck_assert_str_eq(rill_error_op(ctx), "ones");
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_SHAPE);
  ck_assert_ptr_null(ones(ctx, 3));
  ck_assert_int_eq(rill_scope_open(ctx), RILL_OK); /* scopes work all the same */
  ck_assert_int_eq(rill_scope_close(ctx), RILL_OK);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_error(ctx), RILL_OK);
  ck_assert_ptr_nonnull(ones(ctx, 3));
  rill_context_close(ctx);
}
END_TEST

START_TEST(null_is_answered) {
  rill_context_close(NULL);
  rill_error_clear(NULL);
  ck_assert_int_eq(rill_error(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_scope_open(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_scope_close(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_memory_trim(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_memory_get_stats(NULL, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_memory_reset_peak(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_ptr_null(ones(NULL, 3));
  rill_tensor_release(NULL);
  ck_assert_ptr_null(rill_tensor_retain(NULL));
}
END_TEST

START_TEST(wrong_options_give_no_context) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.threads = -1;
  ck_assert_ptr_null(rill_context_create(&o));
  rill_context_options_init(&o);
  ck_assert_uint_eq(o.struct_size, sizeof o);
  o.allocator.malloc = host_malloc; /* without free */
  ck_assert_ptr_null(rill_context_create(&o));
  size_t old = sizeof(size_t); /* of a header that had no options yet */
  rill_context *ctx = rill_context_create((rill_context_options *)(void *)&old);
  ck_assert_ptr_nonnull(ctx);
  rill_context_close(ctx);
}
END_TEST

START_TEST(freed_blocks_are_used_again_and_trimmed) {
  host h = {0};
  rill_context *ctx = context_on(&h, 0);
  for (int i = 0; i < 10; i++) {
    rill_scope_open(ctx);
    ones(ctx, 5000);
    rill_scope_close(ctx);
  }
  rill_memory_stats s = stats_of(ctx);
  ck_assert_uint_ge(s.reused, 9);
  ck_assert_uint_ge(s.cached, 20000);
  ck_assert_uint_ge(s.peak, s.current + 20000);
  int64_t before = h.live;
  ck_assert_int_eq(rill_memory_trim(ctx), RILL_OK);
  ck_assert_int_eq(rill_memory_reset_peak(ctx), RILL_OK);
  s = stats_of(ctx);
  ck_assert_uint_eq(s.cached, 0);
  ck_assert_uint_eq(s.peak, s.current);
  ck_assert_int_lt(h.live, before);
  rill_context_close(ctx);
  ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(the_cache_keeps_to_its_limit) {
  host h = {0};
  rill_context *ctx = context_on(&h, 100000);
  rill_scope_open(ctx);
  for (int i = 0; i < 20; i++) ones(ctx, 10000);
  rill_scope_close(ctx);
  size_t cached = stats_of(ctx).cached;
  ck_assert_uint_le(cached, 100000);
  ck_assert_uint_ge(cached, 40000);
  rill_context_close(ctx);
  ck_assert_int_eq(h.live, 0);
}
END_TEST

/* Makes, views and prints; false with RILL_ERROR_MEMORY pending where memory ran out. */
static bool some_work(rill_context *ctx) {
  if (rill_scope_open(ctx) != RILL_OK) return false;
  char text[16];
  rill_tensor *t = NULL;
  for (int i = 0; i < 80; i++) t = ones(ctx, 50);
  rill_tensor *b = rill_from_buffer(ctx, RILL_U8, (int64_t[]){4}, 1, "abcd");
  bool done = t && b && rill_tensor_print(ctx, b, text, sizeof text) > 0;
  rill_scope_close(ctx);
  return done;
}

START_TEST(every_failing_allocation_is_reported_and_nothing_leaks) {
  bool done = false;
  int failures = 0;
  for (int64_t at = 1; !done; at++) {
    host h = {.fail_at = at};
    rill_context *ctx = context_on(&h, 0);
    if (ctx) {
      done = some_work(ctx);
      ck_assert_int_eq(done, h.calls < at);
      if (rill_error(ctx) != RILL_OK) {
        failures++;
        ck_assert_int_eq(rill_error(ctx), RILL_ERROR_MEMORY);
        rill_error_clear(ctx);
        h.fail_at = 0;
        ck_assert(some_work(ctx)); /* the context goes on */
      }
    } else {
      failures++;
    }
    rill_context_close(ctx);
    ck_assert_int_eq(h.live, 0);
    ck_assert_int_lt(at, 100000);
  }
  ck_assert_int_ge(failures, 80);
}
END_TEST

START_TEST(a_retained_tensor_outlives_its_context) {
  host h = {0};
  rill_context *ctx = context_on(&h, 0);
  rill_tensor *t = rill_tensor_retain(ones(ctx, 1000));
  rill_context_close(ctx);
  ck_assert_int_gt(h.live, 0);
  ck_assert_int_eq(rill_tensor_numel(t), 1000);
  for (int i = 0; i < 1000; i++) ck_assert(((float *)rill_tensor_data(t))[i] == 1);
  rill_context *other = rill_context_create(NULL);
  double x[1000];
  ck_assert_int_eq(rill_tensor_copy_out(other, t, RILL_F64, x, sizeof x), RILL_OK);
  ck_assert(x[999] == 1);
  rill_tensor_release(t);
  ck_assert_int_eq(h.live, 0);
  rill_context_close(other);
}
END_TEST

START_TEST(an_impossible_size_is_an_error_not_a_crash) {
  host h = {0};
  rill_context *ctx = context_on(&h, 0);
  ck_assert_ptr_null(rill_empty(ctx, RILL_U8, (int64_t[]){INT64_MAX / 4}, 1));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_MEMORY);
  rill_error_clear(ctx);
  ck_assert_ptr_nonnull(ones(ctx, 3));
  rill_context_close(ctx);
}
END_TEST

static TCase *context_tests(void) {
  TCase *t = tcase_create("context");
  tcase_add_test(t, a_scope_drops_what_was_made_in_it);
  tcase_add_test(t, the_first_error_stays_until_it_is_cleared);
  tcase_add_test(t, null_is_answered);
  tcase_add_test(t, wrong_options_give_no_context);
  tcase_add_test(t, freed_blocks_are_used_again_and_trimmed);
  tcase_add_test(t, the_cache_keeps_to_its_limit);
  tcase_add_test(t, every_failing_allocation_is_reported_and_nothing_leaks);
  tcase_add_test(t, a_retained_tensor_outlives_its_context);
  tcase_add_test(t, an_impossible_size_is_an_error_not_a_crash);
  return t;
}

TEST_MAIN("context", context_tests)

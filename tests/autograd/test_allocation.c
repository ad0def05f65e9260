/* Every allocation of a small training step fails in turn: once, and for ever. */
#include "autograd/common.h"

/* Fails calls [fail_at, fail_until). The heap asks twice before it gives up. */
typedef struct host {
  int64_t live, calls, fail_at, fail_until;
} host;

static void *host_malloc(void *user, size_t size) {
  host *h = user;
  int64_t call = ++h->calls;
  if (h->fail_at && call >= h->fail_at && call < h->fail_until) return NULL;
  void *block = malloc(size);
  if (block) h->live++;
  return block;
}

static void host_free(void *user, void *block) {
  ((host *)user)->live--;
  free(block);
}

static rill_tensor *halve(rill_context *ctx, void *user, const rill_tensor *grad) {
  (void)user;
  return rill_mul_scalar(ctx, grad, 0.5);
}

static rill_tensor *hidden(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)n;
  return rill_dropout(ctx, rill_gelu(ctx, rill_linear(ctx, in[0], user, NULL)), 0.1);
}

/* Two layers, one checkpointed, cross entropy, backward, plain SGD, and rill_grad on the side. */
static rill_status step(rill_context *ctx) {
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  int64_t w1_shape[] = {8, 5}, w2_shape[] = {3, 8}, x_shape[] = {4, 5}, n = 4;
  rill_tensor *w1 = rill_randn(ctx, RILL_F32, w1_shape, 2),
              *w2 = rill_randn(ctx, RILL_F32, w2_shape, 2);
  if (w1 && w2) {
    rill_set_requires_grad(ctx, w1, true);
    rill_set_requires_grad(ctx, w2, true);
    rill_add_grad_hook(ctx, w1, halve, NULL, NULL);
  }
  rill_tensor *x = rill_rand(ctx, RILL_F32, x_shape, 2),
              *target = rill_randint(ctx, RILL_I64, 0, 3, &n, 1);
  rill_tensor *h = x ? rill_checkpoint(ctx, hidden, w1, &x, 1) : NULL;
  rill_tensor *norm = rill_layer_norm(ctx, h, NULL, NULL, 1e-5);
  rill_retain_grad(ctx, norm);
  rill_tensor *loss = rill_cross_entropy(ctx, rill_linear(ctx, norm, w2, NULL), target, NULL);
  rill_backward(ctx, loss, NULL, false);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  rill_add_(ctx, w1, rill_tensor_grad(w1), -0.1);
  rill_add_(ctx, w2, rill_tensor_grad(w2), -0.1);
  rill_set_grad_mode(ctx, RILL_GRAD_ON);
  rill_tensor *y = total(ctx, rill_exp(ctx, w2)), *got = NULL;
  if (y) rill_grad(ctx, &y, 1, &w2, 1, NULL, false, false, &got);
  rill_status s = rill_error(ctx);
  ck_assert(s != RILL_OK || got);
  rill_scope_close(ctx);
  return s;
}

/* A step with the failure, then one without on the same context; true where the failure came up. */
static bool fails_cleanly(int64_t at, int64_t times) {
  host h = {0};
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.allocator = (rill_allocator){host_malloc, NULL, host_free, &h};
  o.cache_limit = 1; /* nothing is reused, so that every block is asked for */
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  h.calls = 0;
  h.fail_at = at;
  h.fail_until = times ? at + times : INT64_MAX;
  rill_status s = step(ctx);
  bool failed = h.calls >= at;
  ck_assert_msg(s == (failed ? RILL_ERROR_MEMORY : RILL_OK), "allocation %lld: %s", (long long)at,
                rill_error_message(ctx));
  ck_assert_int_eq(rill_get_grad_mode(ctx), RILL_GRAD_ON);
  h.fail_at = 0;
  rill_error_clear(ctx);
  ck_assert_int_eq(step(ctx), RILL_OK);
  rill_context_close(ctx);
  ck_assert_msg(h.live == 0, "allocation %lld: %lld blocks leaked", (long long)at,
                (long long)h.live);
  return failed;
}

START_TEST(every_allocation_may_fail_once) {
  int64_t n = 1;
  while (fails_cleanly(n, 2)) n++;
  ck_assert_int_gt(n, 50);
}
END_TEST

START_TEST(every_allocation_may_fail_for_ever) {
  int64_t n = 1;
  while (fails_cleanly(n, 0)) n++;
  ck_assert_int_gt(n, 50);
}
END_TEST

START_TEST(the_first_failure_of_a_pair_is_made_good_by_a_trim) {
  for (int64_t n = 1; n < 60; n += 7) {
    host h = {0};
    rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
    o.allocator = (rill_allocator){host_malloc, NULL, host_free, &h};
    rill_context *ctx = rill_context_create(&o);
    h.fail_at = h.calls + n, h.fail_until = h.fail_at + 1;
    ck_assert_int_eq(step(ctx), RILL_OK);
    rill_context_close(ctx);
    ck_assert_int_eq(h.live, 0);
  }
}
END_TEST

static TCase *cases(void) {
  TCase *tc = tcase_create("allocation");
  tcase_add_test(tc, every_allocation_may_fail_once);
  tcase_add_test(tc, every_allocation_may_fail_for_ever);
  tcase_add_test(tc, the_first_failure_of_a_pair_is_made_good_by_a_trim);
  return tc;
}

TEST_MAIN("autograd allocation", cases)

/* What tests/ops/sequence.cases cannot say of the sequence ops: dropout's randomness, that slices of a
 * wider tensor go in without a copy, and what the gradients of mask and slopes take. */
#include "main.h"

#include "rill/autograd.h"
#include "rill/ops.h"
#include "rill/registry.h"

static rill_context *start(void) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 4;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static bool equal(const rill_tensor *a, const rill_tensor *b) {
  ck_assert_ptr_nonnull(a);
  ck_assert_ptr_nonnull(b);
  return !memcmp(rill_tensor_data(a), rill_tensor_data(b),
                 (size_t)rill_tensor_numel(a) * rill_dtype_size(rill_tensor_dtype(a)));
}

/* Attention with half of the probabilities dropped by seed 9. */
static rill_tensor *seeded(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)user;
  rill_value args[11] = {0};
  for (int i = 0; i < n; i++) args[i] = (rill_value){RILL_VALUE_TENSOR, 1, {.tensor = in[i]}};
  args[5] = (rill_value){RILL_VALUE_INT, 1, {.i = 1}};
  args[9] = (rill_value){RILL_VALUE_FLOAT, 1, {.f = 0.5}};
  args[10] = (rill_value){RILL_VALUE_INT, 1, {.i = 9}};
  rill_tensor *out = NULL;
  rill_call(ctx, "attention", args, 11, &out, 1, NULL);
  return out;
}

START_TEST(backward_drops_what_forward_dropped) {
  rill_context *ctx = start();
  rill_tensor *in[5];
  for (int i = 0; i < 3; i++) in[i] = rill_randn(ctx, RILL_F64, (int64_t[]){1, 5, i ? 1 : 2, 3}, 4);
  in[3] = rill_randn(ctx, RILL_F64, (int64_t[]){2, 1, 5}, 3);
  in[4] = rill_randn(ctx, RILL_F64, (int64_t[]){2}, 1);
  for (int i = 0; i < 5; i++) rill_set_requires_grad(ctx, in[i], true);
  ck_assert_msg(rill_gradcheck(ctx, seeded, NULL, in, 5, NULL) == RILL_OK, "%s",
                rill_error_message(ctx));
  rill_context_close(ctx);
}
END_TEST

START_TEST(dropout_follows_the_stream_and_keeps_the_mean) {
  rill_context *ctx = start();
  rill_tensor *q = rill_randn(ctx, RILL_F64, (int64_t[]){1, 200, 2, 4}, 4);
  rill_tensor *k = rill_randn(ctx, RILL_F64, (int64_t[]){1, 100, 2, 4}, 4);
  rill_tensor *v = rill_ones(ctx, RILL_F64, (int64_t[]){1, 100, 2, 1}, 4);
  rill_attention_options o = RILL_ATTENTION_OPTIONS_INIT;
  o.dropout = 0.25;
  rill_random_state before, after;
  rill_random_get_state(ctx, &before);
  rill_tensor *first = rill_attention(ctx, q, k, v, &o);
  rill_random_get_state(ctx, &after);
  ck_assert_uint_ge(after.offset - before.offset, 200 * 2 * 100 / 4);
  ck_assert(!equal(first, rill_attention(ctx, q, k, v, &o)));
  rill_random_set_state(ctx, &before);
  ck_assert(equal(first, rill_attention(ctx, q, k, v, &o)));
  /* Of 400 sums of some 100 weights; without dropout each is 1. */
  double mean = rill_tensor_item(ctx, rill_mean(ctx, first, RILL_ALL_DIMS, false));
  double var = rill_tensor_item(ctx, rill_var(ctx, first, RILL_ALL_DIMS, 1, false));
  ck_assert_double_gt(var, 1e-5);
  ck_assert_double_lt(fabs(mean - 1), 5 * sqrt(var / 400));
  o.dropout = 0;
  rill_random_get_state(ctx, &before);
  rill_attention(ctx, q, k, v, &o);
  rill_random_get_state(ctx, &after);
  ck_assert_uint_eq(after.offset, before.offset);
  rill_context_close(ctx);
}
END_TEST

enum { B = 2, T = 600, D = 256 };

/* Bytes at the peak of a call beyond those before it. */
static size_t peak(rill_context *ctx, rill_tensor *(*call)(rill_context *ctx, rill_tensor *wide),
                   rill_tensor *wide) {
  rill_memory_stats before = RILL_MEMORY_STATS_INIT, after = RILL_MEMORY_STATS_INIT;
  rill_memory_get_stats(ctx, &before);
  rill_memory_reset_peak(ctx);
  ck_assert_ptr_nonnull(call(ctx, wide));
  rill_memory_get_stats(ctx, &after);
  return after.peak - before.current;
}

static rill_tensor *conv(rill_context *ctx, rill_tensor *wide) {
  rill_tensor *w = rill_ones(ctx, RILL_F32, (int64_t[]){D, 3}, 2);
  return rill_causal_conv1d(ctx, rill_narrow(ctx, wide, 2, D, D), w, NULL, NULL, true, NULL);
}

static rill_tensor *scan(rill_context *ctx, rill_tensor *wide) {
  rill_tensor *u = rill_narrow(ctx, wide, 2, 0, D), *delta = rill_narrow(ctx, wide, 2, D, D);
  rill_tensor *b = rill_narrow(ctx, wide, 2, 2 * D, 4),
              *c = rill_narrow(ctx, wide, 2, 2 * D + 4, 4);
  rill_selective_scan_options o = RILL_SELECTIVE_SCAN_OPTIONS_INIT;
  o.delta_softplus = true;
  o.z = u;
  return rill_selective_scan(ctx, u, delta, rill_full(ctx, RILL_F32, (int64_t[]){D, 4}, 2, -1), b,
                             c, &o);
}

static rill_tensor *attend(rill_context *ctx, rill_tensor *wide) {
  rill_tensor *part[3];
  for (int i = 0; i < 3; i++)
    part[i] =
        rill_reshape(ctx, rill_narrow(ctx, wide, 2, i * D, D), (int64_t[]){B, T, 4, D / 4}, 4);
  return rill_attention(ctx, part[0], part[1], part[2], NULL);
}

static rill_tensor *turn(rill_context *ctx, rill_tensor *wide) {
  return rill_rope(
      ctx, rill_reshape(ctx, rill_narrow(ctx, wide, 2, D, D), (int64_t[]){B, T, 4, D / 4}, 4), 0, 0,
      false);
}

/* Each makes its result, a [B,T,D], and some scratch that does not grow with T; a copy would be another. */
START_TEST(slices_of_a_projection_are_not_copied) {
  rill_tensor *(*const calls[])(rill_context *, rill_tensor *) = {conv, scan, attend, turn};
  for (int i = 0; i < 4; i++) {
    rill_context *ctx = start();
    rill_tensor *wide = rill_randn(ctx, RILL_F32, (int64_t[]){B, T, 3 * D}, 3);
    size_t whole = (size_t)B * T * D * sizeof(float), used = peak(ctx, calls[i], wide);
    ck_assert_msg(used < whole * 2, "call %d takes %zu bytes for a result of %zu", i, used, whole);
    rill_context_close(ctx);
  }
}
END_TEST

/* A byte for each score would already be more than all that is taken. */
START_TEST(gradients_of_masks_and_slopes_take_memory_linear_in_time) {
  rill_context *ctx = start();
  enum { LONG = 1500 };
  int64_t keys[] = {1, LONG}, heads = 2, shape[] = {1, LONG, 2, 4};
  rill_tensor *mask = rill_randn(ctx, RILL_F32, keys, 2), *q = rill_randn(ctx, RILL_F32, shape, 4);
  rill_tensor *alibi = rill_full(ctx, RILL_F32, &heads, 1, 0.01);
  rill_set_requires_grad(ctx, mask, true);
  rill_set_requires_grad(ctx, alibi, true);
  rill_attention_options o = RILL_ATTENTION_OPTIONS_INIT;
  o.mask = mask;
  o.alibi = alibi;
  rill_memory_stats before = RILL_MEMORY_STATS_INIT, after = RILL_MEMORY_STATS_INIT;
  rill_memory_get_stats(ctx, &before);
  rill_memory_reset_peak(ctx);
  rill_tensor *loss = rill_sum(ctx, rill_attention(ctx, q, q, q, &o), RILL_ALL_DIMS, false);
  ck_assert_int_eq(rill_backward(ctx, loss, NULL, false), RILL_OK);
  rill_memory_get_stats(ctx, &after);
  ck_assert_uint_lt(after.peak - before.current, (size_t)LONG * LONG);
  ck_assert_ptr_nonnull(rill_tensor_grad(mask));
  ck_assert_ptr_nonnull(rill_tensor_grad(alibi));
  ck_assert_ptr_null(rill_tensor_grad(q));
  rill_context_close(ctx);
}
END_TEST

/* One key's bias moves the scores of all queries alike: the gradient of an expanded mask is summed. */
START_TEST(gradients_reach_expanded_masks) {
  rill_context *ctx = start();
  int64_t keys[] = {1, 7}, scores[] = {5, 7};
  rill_tensor *x[3], *wide, *grad[2];
  for (int i = 0; i < 3; i++) x[i] = rill_randn(ctx, RILL_F64, (int64_t[]){2, i ? 7 : 5, 2, 3}, 4);
  rill_tensor *mask = rill_randn(ctx, RILL_F64, keys, 2);
  rill_set_requires_grad(ctx, mask, true);
  ck_assert_ptr_nonnull(wide = rill_expand(ctx, mask, scores, 2));
  for (int i = 0; i < 2; i++) {
    rill_attention_options o = RILL_ATTENTION_OPTIONS_INIT;
    o.mask = i ? wide : mask;
    rill_tensor *y = rill_attention(ctx, x[0], x[1], x[2], &o);
    rill_tensor *loss = rill_sum(ctx, rill_mul(ctx, y, y), RILL_ALL_DIMS, false);
    ck_assert_int_eq(rill_grad(ctx, &loss, 1, &mask, 1, NULL, false, false, &grad[i]), RILL_OK);
  }
  const double *a = rill_tensor_data(grad[0]), *b = rill_tensor_data(grad[1]);
  for (int j = 0; j < 7; j++) {
    ck_assert_double_ne(a[j], 0);
    ck_assert_double_eq_tol(a[j], b[j], 1e-13);
  }
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("attention");
  tcase_add_test(c, backward_drops_what_forward_dropped);
  tcase_add_test(c, dropout_follows_the_stream_and_keeps_the_mean);
  tcase_add_test(c, slices_of_a_projection_are_not_copied);
  tcase_add_test(c, gradients_of_masks_and_slopes_take_memory_linear_in_time);
  tcase_add_test(c, gradients_reach_expanded_masks);
  return c;
}

TEST_MAIN("attention ops", tcase)

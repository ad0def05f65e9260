/* What the autograd tests share. */
#ifndef RILL_TESTS_AUTOGRAD_COMMON_H
#define RILL_TESTS_AUTOGRAD_COMMON_H

#include "main.h"
#include "rill.h"

static inline rill_tensor *leaf(rill_context *ctx, int64_t n, const double *values) {
  rill_tensor *t = rill_from_buffer(ctx, RILL_F64, &n, 1, values);
  ck_assert_int_eq(rill_set_requires_grad(ctx, t, true), RILL_OK);
  return t;
}

static inline rill_tensor *leaf1(rill_context *ctx, double value) { return leaf(ctx, 1, &value); }

static inline rill_tensor *total(rill_context *ctx, const rill_tensor *t) {
  return rill_sum(ctx, t, NULL, 0, false);
}

static inline double at(const rill_tensor *t, int64_t i) {
  ck_assert_ptr_nonnull(t);
  ck_assert_int_lt(i, rill_tensor_numel(t));
  return ((const double *)rill_tensor_data(t))[i];
}

static inline double grad_at(const rill_tensor *t, int64_t i) { return at(rill_tensor_grad(t), i); }

/* The call failed with this code and says this; the context then goes on. */
#define ck_refused(ctx, code, words)                                                               \
  do {                                                                                             \
    ck_assert_int_eq(rill_error(ctx), code);                                                       \
    ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "%s", rill_error_message(ctx));  \
    rill_error_clear(ctx);                                                                         \
  } while (0)

static inline size_t held(rill_context *ctx) {
  rill_memory_stats s = RILL_MEMORY_STATS_INIT;
  ck_assert_int_eq(rill_memory_get_stats(ctx, &s), RILL_OK);
  return s.current;
}

#endif

/* What tests/ops/window.cases cannot say of the window ops: options that only the C face can get wrong, and
 * zeros that only a call by name can. */
#include "main.h"

#include "rill/ops.h"
#include "rill/registry.h"

#include <math.h>

static rill_context *start(void) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static void fails(rill_context *ctx, rill_status status, const char *words) {
  ck_assert_int_eq(rill_error(ctx), status);
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "says: %s",
                rill_error_message(ctx));
  rill_error_clear(ctx);
}

static void holds(const rill_tensor *t, const double *want, int64_t n) {
  ck_assert_ptr_nonnull(t);
  ck_assert_int_eq(rill_tensor_numel(t), n);
  ck_assert_mem_eq(rill_tensor_data(t), want, (size_t)n * sizeof *want);
}

static rill_tensor *example(rill_context *ctx) {
  static const double x[] = {1, 3, -1, -3, 5, 3, 6, 7};
  return rill_from_buffer(ctx, RILL_F64, (int64_t[]){8}, 1, x);
}

START_TEST(options_of_zero_are_the_defaults) {
  rill_context *ctx = start();
  rill_tensor *x = example(ctx);
  const double want[] = {3, 3, 5, 5, 6, 7};
  rill_window_options o;
  memset(&o, 0xa5, sizeof o);
  rill_window_options_init(&o);
  holds(rill_window_max(ctx, x, 3, NULL), want, 6);
  holds(rill_window_max(ctx, x, 3, &o), want, 6);
  rill_window_options_init(NULL);
  rill_context_close(ctx);
}
END_TEST

START_TEST(either_half_of_minmax_may_be_unwanted) {
  rill_context *ctx = start();
  const double low[] = {-1, -3, -3, -3, 3, 3}, high[] = {3, 3, 5, 5, 6, 7};
  rill_tensor *max;
  holds(rill_window_minmax(ctx, example(ctx), 3, NULL, NULL), low, 6);
  holds(rill_window_minmax(ctx, example(ctx), 3, NULL, &max), low, 6);
  holds(max, high, 6);
  ck_assert_ptr_null(rill_window_minmax(ctx, example(ctx), 0, NULL, &max));
  ck_assert_ptr_null(max);
  fails(ctx, RILL_ERROR_ARGUMENT, "window must be at least 1, not 0");
  rill_context_close(ctx);
}
END_TEST

START_TEST(dims_that_are_none_are_refused) {
  rill_context *ctx = start();
  rill_tensor *x = example(ctx);
  int dims[RILL_MAX_DIMS + 1] = {0};
  const struct {
    const int *dims;
    int ndims;
    const char *words;
  } bad[] = {
      {dims, -1, "-1 dims"}, {dims, RILL_MAX_DIMS + 1, "9 dims"}, {NULL, 1, "1 dims at NULL"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    rill_window_options o = RILL_WINDOW_OPTIONS_INIT;
    o.dims = bad[i].dims, o.ndims = bad[i].ndims;
    ck_assert_ptr_null(rill_window_max(ctx, x, 3, &o));
    fails(ctx, RILL_ERROR_ARGUMENT, bad[i].words);
  }
  rill_context_close(ctx);
}
END_TEST

/* In the C face's options a zero is the default; by name a default is left out. */
START_TEST(by_name_stride_and_dilation_are_not_zero) {
  rill_context *ctx = start();
  for (int zero = 3; zero <= 4; zero++) {
    rill_value v[5] = {{RILL_VALUE_TENSOR, 1, {.tensor = example(ctx)}},
                       {RILL_VALUE_INT, 1, {.i = 3}},
                       {RILL_VALUE_INTS, 0, {.ints = NULL}},
                       {RILL_VALUE_INT, 1, {.i = 1}},
                       {RILL_VALUE_INT, 1, {.i = 1}}};
    rill_tensor *y = NULL;
    v[zero].as.i = 0;
    ck_assert_int_eq(rill_call(ctx, "window_max", v, 5, &y, 1, NULL), RILL_ERROR_ARGUMENT);
    fails(ctx, RILL_ERROR_ARGUMENT,
          zero == 3 ? "stride must be at least 1, not 0" : "dilation must be at least 1, not 0");
    ck_assert_ptr_null(y);
  }
  rill_context_close(ctx);
}
END_TEST

/* ---- two dims at once ------------------------------------------------------------------------- */

/* Rows of 64 kB, of which a band holds 16: the array takes several. */
enum { SLICES = 2, ROWS = 53, MIDDLE = 2, WIDE = 4096 };

static rill_tensor *big(rill_context *ctx) {
  rill_tensor *x = rill_randn(ctx, RILL_F64, (int64_t[]){SLICES, ROWS, MIDDLE, WIDE}, 4);
  double *a = rill_tensor_data(x);
  int64_t n = rill_tensor_numel(x);
  for (int64_t i = 0; i < n; i++) a[i] += i < n / 2 ? -10 : 10; /* a stray 0 shows */
  for (int64_t i = 0; i < n; i += 9973) a[i] = i % 2 ? NAN : -INFINITY;
  return x;
}

static rill_tensor *along(rill_context *ctx, const rill_tensor *x, bool min, int64_t window,
                          rill_window_options o, const int *dims, int ndims) {
  o.dims = dims, o.ndims = ndims;
  return (min ? rill_window_min : rill_window_max)(ctx, x, window, &o);
}

static void compare_with_single(rill_context *ctx, const rill_tensor *x, int64_t window,
                                rill_window_options o, bool min) {
  rill_scope_open(ctx);
  rill_tensor *both = along(ctx, x, min, window, o, (const int[]){1, 3}, 2);
  rill_tensor *one = along(ctx, x, min, window, o, (const int[]){3}, 1);
  rill_tensor *two = along(ctx, one, min, window, o, (const int[]){1}, 1);
  ck_assert_int_eq(rill_error(ctx), RILL_OK);
  ck_assert_int_eq(rill_tensor_numel(both), rill_tensor_numel(two));
  const double *a = rill_tensor_data(both), *b = rill_tensor_data(two);
  for (int64_t i = 0; i < rill_tensor_numel(two); i++)
    if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
      ck_abort_msg("mode %d, edge %d, nan %d, dilation %lld, window %lld: [%lld] is %g, not %g",
                   o.mode, o.edge, o.nan, (long long)o.dilation, (long long)window, (long long)i,
                   a[i], b[i]);
  rill_scope_close(ctx);
}

START_TEST(two_dims_at_once_are_as_one_by_one) {
  static const int64_t windows[] = {1, 2, 5, 9, 60};
  for (int threads = 1; threads <= 3; threads += 2) {
    rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    rill_context *ctx = rill_context_create(&options);
    rill_tensor *x = big(ctx);
    for (int i = 0; i < 4 * 4 * 2 * (threads == 1 ? 5 : 1); i++) {
      rill_window_options o = RILL_WINDOW_OPTIONS_INIT;
      o.mode = (rill_window_mode)(i % 4);
      o.edge = (rill_window_edge)(i / 4 % 4);
      o.dilation = 1 + i / 16 % 2;
      o.nan = (rill_window_nan)((i + i / 4) % 2);
      o.pad = 1.5;
      compare_with_single(ctx, x, windows[(i + i / 4 + i / 32) % 5], o, i % 3 == 0);
    }
    rill_context_close(ctx);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window");
  tcase_add_test(c, two_dims_at_once_are_as_one_by_one);
  tcase_add_test(c, options_of_zero_are_the_defaults);
  tcase_add_test(c, either_half_of_minmax_may_be_unwanted);
  tcase_add_test(c, dims_that_are_none_are_refused);
  tcase_add_test(c, by_name_stride_and_dilation_are_not_zero);
  return c;
}

TEST_MAIN("window", tcase)

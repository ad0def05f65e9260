/* Streaming sums, means and quantiles against a look at every sample: both dtypes, both rules for NaN, counted
 * windows and spans of time, pushes of any size, copies, files, and what is refused. */
#include "window_samples.h"

#include <unistd.h>

enum { N = 500 };

static const rill_window_kind kinds[] = {RILL_WINDOW_SUM, RILL_WINDOW_MEAN, RILL_WINDOW_QUANTILE};
enum { KINDS = 3 };

static rill_window_stream_options options_of(int turn, int64_t window) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.kind = kinds[turn % KINDS];
  o.dtype = turn / KINDS % 2 ? RILL_F64 : RILL_F32;
  o.nan = (rill_window_nan)(turn / 6 % 2);
  o.window = window;
  if (!window) o.span = 4.5, o.capacity = 200;
  o.method = (rill_window_quantile_method)(turn / 12 % 5);
  if (turn % 5) o.q = 0.3 * (turn % 5) - 0.2;
  return o;
}
enum { TURNS = 60 };

static rill_window *window(rill_context *ctx, const rill_window_stream_options *o) {
  rill_window *w = rill_window_create(ctx, o);
  ck_assert_msg(w != NULL, "%s", rill_error_message(ctx));
  return w;
}

static rill_status push(rill_window *w, const rill_window_stream_options *o, const double *times,
                        const void *x, int64_t n, void *y) {
  return o->span != 0 ? rill_window_push_at(w, times, x, n, y) : rill_window_push(w, x, n, y);
}

/* ---- by looking at every sample ---------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The numbers of x[first .. end] to v; *nans of what else there is. */
static int64_t numbers(const rill_window_stream_options *o, const void *x, int64_t first,
                       int64_t end, double *v, int64_t *nans) {
  int64_t count = 0;
  *nans = 0;
  for (int64_t i = first; i < end; i++) {
    double f = sample_get(o->dtype, x, i).f;
    if (isnan(f))
      ++*nans;
    else
      v[count++] = f;
  }
  return count;
}

static double quantile_of(const rill_window_stream_options *o, double *v, int64_t count) {
  qsort(v, (size_t)count, sizeof *v, ascending);
  double rank = (o->q != 0 ? o->q : 0.5) * (double)(count - 1), part = rank - floor(rank);
  double low = v[(int64_t)floor(rank)] + 0.0, high = v[(int64_t)ceil(rank)] + 0.0;
  if (low == high) return low;
  switch (o->method) {
  case RILL_WINDOW_QUANTILE_LOWER: return low;
  case RILL_WINDOW_QUANTILE_HIGHER: return high;
  case RILL_WINDOW_QUANTILE_NEAREST: return v[(int64_t)nearbyint(rank)] + 0.0;
  case RILL_WINDOW_QUANTILE_MIDPOINT: part = 0.5; break;
  default: break;
  }
  return isinf(low) || isinf(high) ? (1 - part) * low + part * high : low + part * (high - low);
}

/* *bound: how far from it a result may be before it is rounded. */
static double expected(const rill_window_stream_options *o, const void *x, int64_t first,
                       int64_t end, double *bound) {
  double v[N], sum = 0, magnitude = 0;
  int64_t nans, count = numbers(o, x, first, end, v, &nans);
  *bound = 0;
  bool spoiled = nans > 0 && o->nan == RILL_WINDOW_NAN_PROPAGATE;
  if (spoiled) return NAN;
  if (o->kind == RILL_WINDOW_QUANTILE) {
    double q = count ? quantile_of(o, v, count) : NAN;
    *bound = 4 * DBL_EPSILON * (isfinite(q) ? fabs(v[0]) + fabs(v[count - 1]) : 0);
    return q;
  }
  for (int64_t i = 0; i < count; i++) sum += v[i], magnitude += fabs(v[i]);
  double divisor = o->kind == RILL_WINDOW_MEAN ? (double)count : 1;
  *bound = 2 * (double)count * DBL_EPSILON * magnitude / (divisor > 0 ? divisor : 1);
  return sum / divisor;
}

static void compare(const rill_window_stream_options *o, const void *x, int64_t first, int64_t end,
                    double got, int turn) {
  double bound, want = expected(o, x, first, end, &bound);
  if (isnan(want) && isnan(got)) return;
  if (isinf(want) && got == want) return;
  if (o->dtype == RILL_F32) bound += FLT_EPSILON * fabs(want);
  ck_assert_msg(fabs(got - want) <= bound, "turn %d, samples %lld to %lld: %.17g, not %.17g", turn,
                (long long)first, (long long)end, got, want);
}

/* A stream of numbers that do not add up exactly. */
static void make_numbers(rill_dtype d, int pattern, int64_t k, int64_t n, uint64_t *random,
                         void *x) {
  make_stream(d, pattern, k, n, random, x);
  for (int64_t i = 0; i < n; i++) sample_put(d, x, i, (sample){.f = 0.1 * sample_get(d, x, i).f});
}

/* ---- streams ----------------------------------------------------------------------------------- */

static void make_times(double *times, uint64_t *random) {
  double now = 3;
  for (int64_t i = 0; i < N; i++) {
    double u = test_uniform(random);
    now += u < 0.3 ? 0 : u < 0.97 ? 0.3 * test_uniform(random) : 6;
    times[i] = now;
  }
}

static int64_t first_held(const rill_window_stream_options *o, const double *times, int64_t end) {
  int64_t first = 0;
  if (o->span == 0) return end > o->window ? end - o->window : 0;
  while (first < end && times[end - 1] - times[first] >= o->span) first++;
  return first;
}

static void follow(rill_context *ctx, int turn, int64_t k, int pattern, uint64_t *random) {
  rill_window_stream_options o = options_of(turn, k);
  int64_t x[N], y[N], z[N], size = (int64_t)rill_dtype_size(o.dtype);
  double times[N];
  make_times(times, random);
  make_numbers(o.dtype, pattern, k, N, random, x);
  rill_scope_open(ctx);
  rill_window *w = window(ctx, &o), *copy = NULL;
  for (int64_t done = 0, n; done < N; done += n) {
    n = 1 + (int64_t)(40 * test_uniform(random));
    if (n > N - done) n = N - done;
    const void *from = (char *)x + done * size;
    ck_assert_int_eq(push(w, &o, times + done, from, n, (char *)y + done * size), RILL_OK);
    if (copy) push(copy, &o, times + done, from, n, (char *)z + done * size);
    if (!copy && done > N / 3) {
      copy = rill_window_clone(ctx, w);
      memcpy(z, y, sizeof z);
    }
    int64_t held;
    ck_assert_int_eq(rill_window_value(w, &held), RILL_OK);
    ck_assert(!memcmp(&held, (char *)y + (done + n - 1) * size, (size_t)size));
  }
  ck_assert(!memcmp(y, z, (size_t)(N * size)));
  for (int64_t i = 0; i < N; i++)
    compare(&o, x, first_held(&o, times, i + 1), i + 1, sample_get(o.dtype, y, i).f, turn);
  ck_assert_int_eq(rill_window_reset(w), RILL_OK);
  ck_assert_int_eq(push(w, &o, times, x, N, z), RILL_OK); /* and all at once */
  ck_assert(!memcmp(y, z, (size_t)(N * size)));
  rill_scope_close(ctx);
}

START_TEST(streams_are_as_by_looking_at_every_sample) {
  static const int64_t windows[] = {0, 1, 2, 3, 10, 64, 301, 1000};
  rill_context *ctx = rill_context_create(NULL);
  uint64_t random = 5;
  for (int turn = 0; turn < TURNS; turn++)
    for (size_t k = 0; k < sizeof windows / sizeof *windows; k++)
      follow(ctx, turn, windows[k], (turn + (int)k) % PATTERNS, &random);
  rill_context_close(ctx);
}
END_TEST

START_TEST(single_samples_are_as_many) {
  rill_context *ctx = rill_context_create(NULL);
  uint64_t random = 6;
  for (int kind = 0; kind < KINDS; kind++) {
    rill_window_stream_options narrow = options_of(kind, 7), wide = options_of(kind + KINDS, 7);
    rill_window *a = window(ctx, &narrow), *b = window(ctx, &wide);
    float x[40], y[40];
    double u[40], v[40];
    make_stream(RILL_F32, RANDOM, 7, 40, &random, x);
    make_stream(RILL_F64, RANDOM, 7, 40, &random, u);
    rill_window_push(a, x, 40, y);
    rill_window_push(b, u, 40, v);
    rill_window_reset(a);
    rill_window_reset(b);
    for (int i = 0; i < 40; i++) {
      ck_assert(rill_window_push_f32(a, x[i]) == y[i]);
      ck_assert(rill_window_push_f64(b, u[i]) == v[i]);
    }
    ck_assert(isnan(rill_window_push_f64(a, 1)) && isnan(rill_window_push_f32(b, 1)));
    ck_assert_int_eq(rill_window_age(a), -1);
    ck_assert(isnan(rill_window_time(a)));
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(time_passes) {
  rill_context *ctx = rill_context_create(NULL);
  const double times[] = {0, 1, 2, 3}, x[] = {4, 1, -2, 9};
  const double held[KINDS][3] = {{8, 7, 0}, {8.0 / 3, 3.5, NAN}, {1, 3.5, NAN}};
  for (int kind = 0; kind < KINDS; kind++) {
    rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
    o.kind = kinds[kind], o.dtype = RILL_F64, o.span = 3, o.capacity = 3;
    rill_window *w = window(ctx, &o);
    double y[4], value;
    ck_assert_int_eq(rill_window_value(w, &value), RILL_OK);
    ck_assert(kind ? isnan(value) : value == 0);
    ck_assert_int_eq(rill_window_push_at(w, times, x, 4, y), RILL_OK);
    const double later[] = {3, 4, 6};
    for (int i = 0; i < 3; i++) {
      ck_assert_int_eq(rill_window_advance(w, later[i]), RILL_OK);
      rill_window_value(w, &value);
      ck_assert(isnan(held[kind][i]) ? isnan(value) : value == held[kind][i]);
    }
    ck_assert_int_eq(rill_window_age(w), -1);
    ck_assert(isnan(rill_window_time(w)));
  }
  rill_context_close(ctx);
}
END_TEST

/* A sum is of the window's samples alone. */
START_TEST(sums_do_not_drift) {
  rill_context *ctx = rill_context_create(NULL);
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.kind = RILL_WINDOW_SUM, o.dtype = RILL_F64, o.window = 3;
  rill_window *w = window(ctx, &o);
  const double x[] = {1e300, 1, -1e300, 0.25, 0.5, INFINITY, 1, 2, 3, NAN, 4, 5, 6};
  double y[13];
  ck_assert_int_eq(rill_window_push(w, x, 13, y), RILL_OK);
  ck_assert(y[5] == INFINITY && y[8] == 6 && isnan(y[9]) && isnan(y[11]) && y[12] == 15);
  for (int i = 0; i < 1000; i++) rill_window_push_f64(w, 1e17);
  for (int i = 0; i < 3; i++) rill_window_push_f64(w, 0.1);
  double value;
  rill_window_value(w, &value);
  ck_assert_double_eq_tol(value, 0.3, 1e-16);
  rill_context_close(ctx);
}
END_TEST

/* ---- files ------------------------------------------------------------------------------------- */

static const char *temporary(void) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/rill-reduction-%ld.safetensors", (long)getpid());
  return path;
}

START_TEST(files_go_on_bit_for_bit) {
  static const int64_t windows[] = {0, 1, 10, 64};
  rill_context *ctx = rill_context_create(NULL);
  uint64_t random = 8;
  for (int turn = 0; turn < 12; turn++)
    for (size_t k = 0; k < sizeof windows / sizeof *windows; k++)
      for (int64_t cut = 0; cut < N; cut = 3 * cut + 7) {
        rill_window_stream_options o = options_of(turn, windows[k]);
        int64_t x[N], y[N] = {0}, z[N] = {0}, size = (int64_t)rill_dtype_size(o.dtype);
        double times[N];
        make_times(times, &random);
        make_numbers(o.dtype, RANDOM, windows[k], N, &random, x);
        rill_scope_open(ctx);
        rill_window *w = window(ctx, &o), *loaded = window(ctx, &o);
        push(w, &o, times, x, cut, NULL);
        push(loaded, &o, times, x, 31, NULL); /* what is there does not matter */
        ck_assert_int_eq(rill_window_save(ctx, w, temporary()), RILL_OK);
        ck_assert_int_eq(rill_window_load(ctx, loaded, temporary()), RILL_OK);
        rill_window_value(w, y);
        rill_window_value(loaded, z);
        ck_assert(!memcmp(y, z, sizeof *y));
        const void *rest = (char *)x + cut * size;
        ck_assert_int_eq(push(w, &o, times + cut, rest, N - cut, y), RILL_OK);
        ck_assert_int_eq(push(loaded, &o, times + cut, rest, N - cut, z), RILL_OK);
        ck_assert(!memcmp(y, z, sizeof y));
        rill_scope_close(ctx);
      }
  unlink(temporary());
  rill_context_close(ctx);
}
END_TEST

/* ---- what is refused --------------------------------------------------------------------------- */

static void refused(rill_context *ctx, const rill_window_stream_options *o, rill_status status,
                    const char *words) {
  ck_assert_ptr_null(rill_window_create(ctx, o));
  ck_assert_int_eq(rill_error(ctx), status);
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "says: %s",
                rill_error_message(ctx));
  rill_error_clear(ctx);
}

START_TEST(wrong_options_are_refused) {
  rill_context *ctx = rill_context_create(NULL);
  const rill_window_stream_options good = options_of(2, 5);
  rill_window_stream_options o = good;
  o.dtype = RILL_I32;
  refused(ctx, &o, RILL_ERROR_DTYPE, "f32 and f64, not i32");
  o = good, o.q = 1.5;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "q is not from 0 to 1");
  o = good, o.q = NAN;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "q is not from 0 to 1");
  o = good, o.method = (rill_window_quantile_method)5;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "method");
  o = good, o.window = INT64_MAX / 4;
  refused(ctx, &o, RILL_ERROR_OVERFLOW, "does not fit");
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_reductions");
  tcase_add_test(c, streams_are_as_by_looking_at_every_sample);
  tcase_add_test(c, single_samples_are_as_many);
  tcase_add_test(c, time_passes);
  tcase_add_test(c, sums_do_not_drift);
  tcase_add_test(c, files_go_on_bit_for_bit);
  tcase_add_test(c, wrong_options_are_refused);
  return c;
}

TEST_MAIN("window_reductions", tcase)

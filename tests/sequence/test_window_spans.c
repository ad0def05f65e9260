/* Streaming windows of a span of time against brute force: equal times, jumps, time that passes without
 * samples, a full window, and what is refused. */
#include "window_samples.h"
#include "base/base.h"

enum { N = 400 };

static rill_window_stream_options options_of(rill_dtype d, double span, int64_t capacity) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.dtype = d;
  o.span = span;
  o.capacity = capacity;
  return o;
}

static rill_window *window(rill_context *ctx, const rill_window_stream_options *o) {
  rill_window *w = rill_window_create(ctx, o);
  ck_assert_msg(w != NULL, "%s", rill_error_message(ctx));
  return w;
}

/* Which of the first `end` samples the window holds at `now`. */
static int64_t first_held(const rill_window_stream_options *o, const double *times, int64_t end,
                          double now) {
  int64_t first = 0;
  while (first < end && now - times[first] >= o->span) first++;
  return first;
}

static void compare(rill_window *w, const rill_window_stream_options *o, const double *times,
                    const void *x, int64_t end, double now) {
  int64_t place, held = 0, first = first_held(o, times, end, now);
  sample expected = extremum(o, x, first, end, &place);
  ck_assert_int_eq(rill_window_count(w), end - first);
  ck_assert_int_eq(rill_window_value(w, &held), RILL_OK);
  ck_assert(same_sample(o->dtype, sample_get(o->dtype, &held, 0), expected));
  ck_assert_int_eq(rill_window_age(w), place < 0 ? -1 : end - 1 - place);
  if (place < 0)
    ck_assert(isnan(rill_window_time(w)));
  else
    ck_assert_double_eq(rill_window_time(w), times[place]);
}

/* Steps of time: some none, some within the span, some beyond it. */
static void make_times(double span, double *times, uint64_t *random) {
  double now = -50;
  for (int64_t i = 0; i < N; i++) {
    double u = test_uniform(random);
    now += u < 0.3 ? 0 : u < 0.5 ? 0.25 : u < 0.97 ? test_uniform(random) : 1.5 * span;
    times[i] = now;
  }
}

static void follow(rill_context *ctx, const rill_window_stream_options *o, int pattern,
                   uint64_t *random) {
  double times[N];
  int64_t x[N], y[N], done = 0, size = (int64_t)rill_dtype_size(o->dtype);
  make_times(o->span, times, random);
  make_stream(o->dtype, pattern, 10, N, random, x);
  rill_scope_open(ctx);
  rill_window *w = window(ctx, o);
  double now = times[0];
  while (done < N) {
    int64_t part = (int64_t)(30 * pow(test_uniform(random), 2));
    if (part > N - done) part = N - done;
    ck_assert_int_eq(rill_window_push_at(w, times + done, (char *)x + done * size, part,
                                         (char *)y + done * size),
                     RILL_OK);
    done += part;
    if (part) now = times[done - 1];
    compare(w, o, times, x, done, now);
    if (done == N || test_uniform(random) < 0.7) continue;
    now += (times[done] - now) * test_uniform(random);
    if (now > times[done]) now = times[done];
    ck_assert_int_eq(rill_window_advance(w, now), RILL_OK);
    compare(w, o, times, x, done, now);
  }
  for (int64_t i = 0; i < N; i++) {
    int64_t place, first = first_held(o, times, i + 1, times[i]);
    sample expected = extremum(o, x, first, i + 1, &place);
    ck_assert_msg(same_sample(o->dtype, sample_get(o->dtype, y, i), expected),
                  "%s pattern %d sample %d", rill_dtype_name(o->dtype), pattern, (int)i);
  }
  rill_scope_close(ctx);
}

START_TEST(spans_match_brute_force) {
  static const double spans[] = {1e-9, 0.25, 1, 7.5, 1000};
  uint64_t random = 1;
  rill_context *ctx = rill_context_create(NULL);
  for (int d = 0; d < DTYPES; d++) {
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
      for (int turn = 0; turn < 40; turn++) {
        rill_window_stream_options o = options_of(sample_dtypes[d], spans[turn % 5], N);
        o.kind = (rill_window_kind)(turn / 5 % 2);
        o.nan = (rill_window_nan)(turn / 10 % 2);
        o.last = turn / 20;
        follow(ctx, &o, pattern, &random);
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* The same stream in a window that is never fuller than it may be, of every capacity. */
START_TEST(a_full_window_refuses_and_stays) {
  rill_context *ctx = rill_context_create(NULL);
  for (int64_t capacity = 1; capacity < 40; capacity++) {
    rill_window_stream_options o = options_of(RILL_I32, 10, capacity);
    rill_window *w = window(ctx, &o);
    double times[100];
    int32_t x[100], y[100];
    uint64_t random = 2;
    for (int64_t i = 0; i < 100; i++) {
      times[i] = 10.0 * (double)(i / capacity); /* as many samples at once, then none is left */
      x[i] = (int32_t)(100 * test_uniform(&random));
      y[i] = -7;
    }
    int64_t done = 0;
    while (done + capacity < 100) {
      /* one too many: nothing of it is taken */
      double crowded[41];
      for (int64_t i = 0; i <= capacity; i++) crowded[i] = times[done];
      ck_assert_int_eq(rill_window_push_at(w, crowded, x + done, capacity + 1, y),
                       RILL_ERROR_OVERFLOW);
      compare(w, &o, times, x, done, done ? times[done - 1] : 0);
      ck_assert_int_eq(y[0], -7);
      ck_assert_int_eq(rill_window_push_at(w, times + done, x + done, capacity, NULL), RILL_OK);
      done += capacity;
      ck_assert_int_eq(rill_window_count(w), capacity);
      ck_assert_int_eq(rill_window_push_at(w, times + done - 1, x, 1, y), RILL_ERROR_OVERFLOW);
      compare(w, &o, times, x, done, times[done - 1]);
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* Exactly those with now - time < span, however close. */
START_TEST(the_edge_of_the_span_is_exact) {
  rill_context *ctx = rill_context_create(NULL);
  rill_window_stream_options o = options_of(RILL_F32, 1, 4);
  rill_window *w = window(ctx, &o);
  float x[] = {5, 4, 3}, y[3];
  ck_assert_int_eq(rill_window_push_at(w, (double[]){0, nextafter(1, 0), 1}, x, 3, y), RILL_OK);
  ck_assert(y[0] == 5 && y[1] == 5 && y[2] == 4);
  ck_assert_int_eq(rill_window_advance(w, nextafter(2, 0)), RILL_OK);
  ck_assert_int_eq(rill_window_count(w), 2);
  ck_assert_double_lt(rill_window_time(w), 1);
  ck_assert_int_eq(rill_window_advance(w, 2), RILL_OK);
  ck_assert_int_eq(rill_window_count(w), 0);
  /* A span too small to be seen in the times: the sample itself is in the window all the same. */
  o.span = 1e-9;
  rill_window *small = window(ctx, &o);
  ck_assert_int_eq(rill_window_push_at(small, (double[]){1e9, 1e9, 1e9 + 1}, x, 3, y), RILL_OK);
  ck_assert(y[0] == 5 && y[1] == 5 && y[2] == 3);
  rill_context_close(ctx);
}
END_TEST

START_TEST(zeros_differ_as_values_and_not_as_places) {
  rill_context *ctx = rill_context_create(NULL);
  for (int kind = 0; kind < 2; kind++) {
    rill_window_stream_options o = options_of(RILL_F64, 3, 9);
    o.kind = (rill_window_kind)kind;
    rill_window *w = window(ctx, &o);
    double lesser = kind ? 0.0 : -0.0, y[5];
    double x[] = {lesser, lesser, -lesser, lesser, lesser}, times[] = {0, 1, 2, 3, 6};
    ck_assert_int_eq(rill_window_push_at(w, times, x, 3, y), RILL_OK);
    ck_assert(signbit(y[1]) == signbit(lesser) && signbit(y[2]) == signbit(-lesser));
    ck_assert_int_eq(rill_window_age(w), 2);
    ck_assert_int_eq(rill_window_push_at(w, times + 3, x + 3, 2, y + 3), RILL_OK);
    ck_assert(signbit(y[3]) == signbit(-lesser) && signbit(y[4]) == signbit(lesser));
    ck_assert_int_eq(rill_window_age(w), 0);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_times_change_nothing) {
  rill_context *ctx = rill_context_create(NULL);
  rill_window_stream_options o = options_of(RILL_F64, 5, 8);
  rill_window *w = window(ctx, &o);
  double times[] = {1, 2, 2}, x[] = {3, 1, 2, 0}, y[] = {9, 9, 9}, wide[8] = {3, 3, 3, 3};
  ck_assert_int_eq(rill_window_push_at(w, times, x, 3, NULL), RILL_OK);
  const double wrong[][2] = {{1.5, 3}, {3, 2.5}, {3, NAN}, {NAN, 3}, {3, (double)INFINITY}};
  for (int i = 0; i < 5; i++) {
    ck_assert_int_eq(rill_window_push_at(w, wrong[i], x, 2, y), RILL_ERROR_ARGUMENT);
    compare(w, &o, times, x, 3, 2);
  }
  ck_assert_int_eq(rill_window_advance(w, 1.9), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_advance(w, NAN), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_advance(w, (double)INFINITY), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, NULL, x, 1, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, wide, NULL, 1, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, wide, x, -1, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(NULL, wide, x, 1, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, wide, x, 2, x + 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, wide, x, 2, wide + 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push_at(w, wide, x, 2, wide), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x, 2, y), RILL_ERROR_UNSUPPORTED);
  ck_assert(isnan(rill_window_push_f64(w, 1)));
  compare(w, &o, times, x, 3, 2);
  ck_assert(y[0] == 9 && y[1] == 9 && wide[0] == 3 && wide[1] == 3);
  ck_assert_int_eq(rill_window_push_at(w, NULL, NULL, 0, NULL), RILL_OK);
  ck_assert_int_eq(rill_window_advance(w, 2), RILL_OK);
  ck_assert_int_eq(rill_window_push_at(w, wide, x, 3, x), RILL_OK); /* in place */
  ck_assert(x[0] == 3 && x[1] == 3 && x[2] == 3);
  /* After a reset times may start anew. */
  ck_assert_int_eq(rill_window_reset(w), RILL_OK);
  ck_assert_int_eq(rill_window_push_at(w, (double[]){-100}, x, 1, NULL), RILL_OK);
  ck_assert_int_eq(rill_window_count(w), 1);
  rill_context_close(ctx);
}
END_TEST

START_TEST(clones_of_spans_are_independent) {
  uint64_t random = 5;
  rill_context *ctx = rill_context_create(NULL);
  rill_window_stream_options o = options_of(RILL_F32, 6, N);
  double times[N];
  float x[N];
  make_times(o.span, times, &random);
  make_stream(RILL_F32, RANDOM, 10, N, &random, x);
  rill_window *w = window(ctx, &o);
  rill_window_push_at(w, times, x, 200, NULL);
  rill_window *c = rill_window_clone(ctx, w);
  rill_window_advance(w, times[N - 1] + 100);
  compare(c, &o, times, x, 200, times[199]);
  rill_window_push_at(c, times + 200, x + 200, 50, NULL);
  compare(c, &o, times, x, 250, times[249]);
  compare(w, &o, times, x, 200, times[N - 1] + 100);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_spans");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, spans_match_brute_force);
  tcase_add_test(c, a_full_window_refuses_and_stays);
  tcase_add_test(c, the_edge_of_the_span_is_exact);
  tcase_add_test(c, zeros_differ_as_values_and_not_as_places);
  tcase_add_test(c, wrong_times_change_nothing);
  tcase_add_test(c, clones_of_spans_are_independent);
  return c;
}

TEST_MAIN("window_spans", tcase)

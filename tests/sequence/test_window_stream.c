/* Streaming windows of so many samples against brute force and the pure face: every dtype, kind and rule,
 * streams that are hard, cut in every way; ages; copies; refusals. */
#include "window_samples.h"
#include "base/base.h"
#include "rationed.h"

static rill_context *start(void) {
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static rill_window_stream_options options_of(rill_dtype d, rill_window_kind kind, int64_t k) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.dtype = d;
  o.kind = kind;
  o.window = k;
  return o;
}

static rill_window *window(rill_context *ctx, const rill_window_stream_options *o) {
  rill_window *w = rill_window_create(ctx, o);
  ck_assert_msg(w != NULL, "%s", rill_error_message(ctx));
  return w;
}

/* ---- values ----------------------------------------------------------------------------------- */

enum { LONGEST = 1200 };

static const char *here(const rill_window_stream_options *o, int pattern, int64_t i) {
  static char text[160];
  snprintf(text, sizeof text, "%s kind %d nan %d last %d window %lld pattern %d sample %lld",
           rill_dtype_name(o->dtype), (int)o->kind, (int)o->nan, o->last, (long long)o->window,
           pattern, (long long)i);
  return text;
}

/* Pushes all in pieces of `piece` (0: of random sizes) and compares everything with brute force. */
static void follow(rill_context *ctx, const rill_window_stream_options *o, int pattern, int64_t n,
                   int64_t piece, uint64_t *random) {
  int64_t k = o->window, done = 0;
  int64_t x[LONGEST], y[LONGEST];
  make_stream(o->dtype, pattern, k, n, random, x);
  rill_scope_open(ctx);
  rill_window *w = window(ctx, o);
  while (done < n) {
    int64_t part = piece ? piece : (int64_t)(pow(test_uniform(random), 3) * 150);
    if (part > n - done) part = n - done;
    size_t size = rill_dtype_size(o->dtype);
    char *from = (char *)x + (size_t)done * size, *to = (char *)y + (size_t)done * size;
    ck_assert_int_eq(rill_window_push(w, from, part, to), RILL_OK);
    done += part;
    int64_t first = done > k ? done - k : 0, place = -1;
    ck_assert_int_eq(rill_window_count(w), done - first);
    if (piece > 1 || test_uniform(random) < 0.5) continue;
    sample now, expected = extremum(o, x, first, done, &place);
    int64_t held = 0;
    ck_assert_int_eq(rill_window_value(w, &held), RILL_OK);
    now = sample_get(o->dtype, &held, 0);
    ck_assert_msg(same_sample(o->dtype, now, expected), "value: %s", here(o, pattern, done));
    int64_t age = rill_window_age(w);
    ck_assert_msg(age == (place < 0 ? -1 : done - 1 - place), "age %lld: %s", (long long)age,
                  here(o, pattern, done));
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t place;
    sample expected = extremum(o, x, i + 1 > k ? i + 1 - k : 0, i + 1, &place);
    ck_assert_msg(same_sample(o->dtype, sample_get(o->dtype, y, i), expected), "y: %s",
                  here(o, pattern, i));
  }
  rill_scope_close(ctx);
}

START_TEST(every_window_of_every_dtype) {
  uint64_t random = 1;
  rill_context *ctx = start();
  for (int d = 0; d < DTYPES; d++) {
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
      rill_window_stream_options o = options_of(sample_dtypes[d], RILL_WINDOW_MAX, 1);
      for (; o.window <= 141; o.window++) {
        int64_t turn = o.window + pattern;
        o.kind = turn % 2 ? RILL_WINDOW_MIN : RILL_WINDOW_MAX;
        o.nan = turn / 2 % 2 ? RILL_WINDOW_NAN_IGNORE : RILL_WINDOW_NAN_PROPAGATE;
        o.last = turn / 4 % 2;
        follow(ctx, &o, pattern, 140, 0, &random);
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* Each instruction set, windows around the sizes at which something changes. */
START_TEST(longer_streams_at_each_level) {
  static const int64_t windows[] = {1,  2,  3,  15,  16,  17,  31,  63,  64,
                                    65, 66, 67, 128, 129, 300, 320, 511, 512};
  static const int64_t pieces[] = {0, 1, 7, 16, 33, 64, 500, LONGEST};
  uint64_t random = 2;
  int level = cpu_set_level(_i);
  rill_context *ctx = start();
  for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
      for (int pattern = RANDOM; pattern < PATTERNS; pattern++) {
        int turn = (int)(k + p) + pattern;
        rill_window_stream_options o =
            options_of(sample_dtypes[turn % DTYPES], (rill_window_kind)(turn / 5 % 2), windows[k]);
        o.nan = (rill_window_nan)(turn % 2);
        o.last = turn / 2 % 2;
        follow(ctx, &o, pattern, LONGEST, pieces[p], &random);
      }
    }
  }
  rill_context_close(ctx);
  cpu_set_level(level);
}
END_TEST

static rill_status pure(const rill_window_params *p, rill_dtype d, bool min, const void *x,
                        void *y) {
  static int64_t workspace[1 << 17];
  int64_t units = rill_window_units(p);
  switch (d) {
  case RILL_F32:
    return (min ? rill_window_min_f32 : rill_window_max_f32)(p, x, y, 0, units, workspace);
  case RILL_F64:
    return (min ? rill_window_min_f64 : rill_window_max_f64)(p, x, y, 0, units, workspace);
  case RILL_I32:
    return (min ? rill_window_min_i32 : rill_window_max_i32)(p, x, y, 0, units, workspace);
  case RILL_I64:
    return (min ? rill_window_min_i64 : rill_window_max_i64)(p, x, y, 0, units, workspace);
  default: return (min ? rill_window_min_u8 : rill_window_max_u8)(p, x, y, 0, units, workspace);
  }
}

/* Cut in two and in three at every place, it is what the pure face gives for the whole. */
START_TEST(every_cut_gives_the_pure_faces_result) {
  enum { N = 210 };
  static const int64_t windows[] = {1, 2, 5, 64, 65, 100, 209};
  uint64_t random = 3;
  rill_context *ctx = start();
  for (int d = 0; d < DTYPES; d++) {
    rill_dtype dtype = sample_dtypes[d];
    size_t size = rill_dtype_size(dtype);
    int64_t x[N], y[N], whole[N];
    for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
      make_stream(dtype, SPECIALS, windows[k], N, &random, x);
      rill_window_params p = RILL_WINDOW_PARAMS_INIT;
      p.outer = p.inner = 1;
      p.n = N;
      p.window = windows[k];
      p.mode = RILL_WINDOW_CAUSAL;
      ck_assert_int_eq(pure(&p, dtype, k % 2, x, whole), RILL_OK);
      rill_window_stream_options o = options_of(dtype, (rill_window_kind)(k % 2), windows[k]);
      rill_window *w = window(ctx, &o);
      for (int64_t cut = 0; cut <= N; cut++) {
        int64_t second = cut + (int64_t)((double)(N - cut + 1) * test_uniform(&random));
        int64_t at[] = {0, cut, second, N};
        ck_assert_int_eq(rill_window_reset(w), RILL_OK);
        memset(y, 0, sizeof y);
        for (int i = 0; i < 3; i++) {
          size_t from = (size_t)at[i] * size;
          ck_assert_int_eq(
              rill_window_push(w, (char *)x + from, at[i + 1] - at[i], (char *)y + from), RILL_OK);
        }
        for (int64_t i = 0; i < N; i++)
          ck_assert_msg(same_sample(dtype, sample_get(dtype, y, i), sample_get(dtype, whole, i)),
                        "cut at %d: %s", (int)cut, here(&o, SPECIALS, i));
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* The largest windows, beside the textbook's deque. */
START_TEST(long_windows) {
  enum { N = 300000 };
  rill_context *ctx = start();
  float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
  int64_t *deque = malloc(N * sizeof *deque);
  for (int pattern = 0; pattern < PATTERNS; pattern++) {
    int64_t k = 100000 - 7 * pattern, head = 0, tail = 0;
    uint64_t random = 4;
    rill_window_stream_options o = options_of(RILL_F32, RILL_WINDOW_MAX, k);
    o.nan = RILL_WINDOW_NAN_IGNORE; /* what comparisons do */
    rill_window *w = window(ctx, &o);
    make_stream(RILL_F32, pattern == SPECIALS ? RANDOM : pattern, k, N, &random, x);
    for (int64_t done = 0, part = 1; done < N; done += part, part = part * 2 % 50021) {
      if (part > N - done) part = N - done;
      if (part == 1)
        y[done] = rill_window_push_f32(w, x[done]);
      else
        ck_assert_int_eq(rill_window_push(w, x + done, part, y + done), RILL_OK);
    }
    for (int64_t i = 0; i < N; i++) {
      while (tail > head && !(x[deque[tail - 1]] > x[i])) tail--;
      deque[tail++] = i;
      if (deque[head] <= i - k) head++;
      ck_assert_msg(y[i] == x[deque[head]], "%s", here(&o, pattern, i));
    }
    o.last = true;
    ck_assert_int_eq(rill_window_count(w), k);
  }
  free(x);
  free(y);
  free(deque);
  rill_context_close(ctx);
}
END_TEST

START_TEST(one_sample_a_call_is_the_same) {
  uint64_t random = 5;
  rill_context *ctx = start();
  for (int64_t k = 1; k < 200; k = k * 3 / 2 + 1) {
    for (int kind = 0; kind < 2; kind++) {
      rill_window_stream_options o32 = options_of(RILL_F32, (rill_window_kind)kind, k),
                                 o64 = options_of(RILL_F64, (rill_window_kind)kind, k);
      rill_window *narrow = window(ctx, &o32), *wide = window(ctx, &o64);
      rill_window *many = rill_window_clone(ctx, narrow);
      float x[500], y[500];
      make_stream(RILL_F32, SPECIALS, k, 500, &random, x);
      ck_assert_int_eq(rill_window_push(many, x, 500, y), RILL_OK);
      for (int64_t i = 0; i < 500; i++) {
        sample expected = sample_get(RILL_F32, y, i);
        sample a = {.f = (double)rill_window_push_f32(narrow, x[i])},
               b = {.f = rill_window_push_f64(wide, (double)x[i])};
        ck_assert_msg(same_sample(RILL_F32, a, expected), "%s", here(&o32, SPECIALS, i));
        ck_assert_msg(same_sample(RILL_F64, b, expected), "%s", here(&o64, SPECIALS, i));
      }
      ck_assert(isnan(rill_window_push_f64(narrow, 1)) && isnan(rill_window_push_f32(wide, 1)));
      ck_assert_int_eq(rill_window_age(narrow), rill_window_age(many));
      ck_assert_int_eq(rill_window_age(wide), rill_window_age(many));
    }
  }
  ck_assert(isnan(rill_window_push_f32(NULL, 1)) && isnan(rill_window_push_f64(NULL, 1)));
  rill_context_close(ctx);
}
END_TEST

START_TEST(results_may_replace_the_samples_or_be_left_out) {
  uint64_t random = 6;
  rill_context *ctx = start();
  for (int d = 0; d < DTYPES; d++) {
    for (int64_t k = 1; k < 300; k = 2 * k + 1) {
      rill_window_stream_options o = options_of(sample_dtypes[d], RILL_WINDOW_MAX, k);
      rill_window *a = window(ctx, &o), *b = window(ctx, &o), *c = window(ctx, &o);
      int64_t x[LONGEST], y[LONGEST], va = 0, vb = 1, vc = 2;
      for (int64_t n = 0; n < LONGEST; n = 3 * n + 1) {
        make_stream(o.dtype, RANDOM, k, n, &random, x);
        ck_assert_int_eq(rill_window_push(a, x, n, y), RILL_OK);
        ck_assert_int_eq(rill_window_push(b, x, n, NULL), RILL_OK);
        ck_assert_int_eq(rill_window_push(c, x, n, x), RILL_OK);
        ck_assert(!memcmp(x, y, (size_t)n * rill_dtype_size(o.dtype)));
        rill_window_value(a, &va);
        rill_window_value(b, &vb);
        rill_window_value(c, &vc);
        ck_assert(same_sample(o.dtype, sample_get(o.dtype, &va, 0), sample_get(o.dtype, &vb, 0)));
        ck_assert(same_sample(o.dtype, sample_get(o.dtype, &va, 0), sample_get(o.dtype, &vc, 0)));
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(an_empty_window_has_the_lowest_value) {
  rill_context *ctx = start();
  for (int d = 0; d < DTYPES; d++) {
    for (int kind = 0; kind < 2; kind++) {
      rill_window_stream_options o = options_of(sample_dtypes[d], (rill_window_kind)kind, 9);
      rill_window *w = window(ctx, &o);
      for (int again = 0; again < 2; again++) {
        int64_t value = 77, one = 1;
        ck_assert_int_eq(rill_window_value(w, &value), RILL_OK);
        ck_assert(same_sample(o.dtype, sample_get(o.dtype, &value, 0), nothing_sample(&o)));
        ck_assert_int_eq(rill_window_age(w), -1);
        ck_assert_int_eq(rill_window_count(w), 0);
        ck_assert(isnan(rill_window_time(w)));
        rill_window_push(w, &one, 1, NULL);
        ck_assert_int_eq(rill_window_age(w), 0);
        ck_assert(isnan(rill_window_time(w)));
        rill_window_reset(w);
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* ---- handles ---------------------------------------------------------------------------------- */

START_TEST(clones_go_their_own_ways_and_resets_begin_anew) {
  uint64_t random = 7;
  for (int64_t k = 1; k < 400; k = 2 * k + 1) {
    rill_context *ctx = start();
    rill_window_stream_options o = options_of(RILL_F64, RILL_WINDOW_MIN, k);
    rill_window *w = window(ctx, &o), *fresh = window(ctx, &o);
    double x[900], other[900], y[900], z[900];
    make_stream(RILL_F64, RANDOM, k, 900, &random, x);
    make_stream(RILL_F64, DOWN, k, 900, &random, other);
    ck_assert_int_eq(rill_window_push(w, x, 431, NULL), RILL_OK);
    int64_t age = rill_window_age(w);
    rill_window *c = rill_window_clone(ctx, w), *later;
    ck_assert_int_eq(rill_window_push(w, other, 900, NULL), RILL_OK);
    later = rill_window_clone(ctx, c);
    ck_assert_int_eq(rill_window_age(c), age);
    ck_assert_int_eq(rill_window_push(c, x + 431, 400, y + 431), RILL_OK);
    for (int64_t i = 431; i < 831; i++) rill_window_push(later, x + i, 1, z + i);
    ck_assert(!memcmp(y + 431, z + 431, 400 * sizeof *y));
    ck_assert_int_eq(rill_window_reset(w), RILL_OK);
    ck_assert_int_eq(rill_window_push(w, x, 831, y), RILL_OK);
    ck_assert_int_eq(rill_window_push(fresh, x, 831, z), RILL_OK);
    ck_assert(!memcmp(y, z, 831 * sizeof *y));
    ck_assert_int_eq(rill_window_age(w), rill_window_age(c));
    ck_assert_int_eq(rill_window_age(w), rill_window_age(later));
    rill_context_close(ctx);
  }
}
END_TEST

START_TEST(a_retained_window_outlives_its_scope_and_context) {
  rill_context *ctx = start();
  rill_window_stream_options o = options_of(RILL_I32, RILL_WINDOW_MAX, 3);
  rill_scope_open(ctx);
  rill_window *w = rill_window_retain(window(ctx, &o));
  rill_window *c = rill_window_retain(rill_window_clone(ctx, w));
  rill_scope_close(ctx);
  rill_context_close(ctx);
  int32_t x[] = {5, 1, 2, 3, 0}, y[5];
  ck_assert_int_eq(rill_window_push(w, x, 5, y), RILL_OK);
  ck_assert_int_eq(y[4], 3);
  ck_assert_int_eq(rill_window_age(w), 1);
  ck_assert_int_eq(rill_window_count(c), 0);
  rill_window_release(w);
  rill_window_release(c);
  rill_window_release(NULL);
  ck_assert_ptr_null(rill_window_retain(NULL));
}
END_TEST

/* All but creation and copies works with a host that has no memory left. */
START_TEST(pushing_allocates_nothing) {
  rationed r = {1000, 0};
  rill_context *ctx = rationed_context(&r);
  rill_window_stream_options o = options_of(RILL_F32, RILL_WINDOW_MAX, 500),
                             timed = options_of(RILL_F32, RILL_WINDOW_MAX, 0);
  timed.span = 3;
  timed.capacity = 8;
  rill_window *w = window(ctx, &o), *t = window(ctx, &timed);
  int64_t granted = r.left;
  float x[1000] = {1};
  double times[] = {0, 1, 2};
  for (int i = 0; i < 20; i++) {
    rill_window_push(w, x, i * 50, x);
    rill_window_push_f32(w, 1);
    ck_assert_int_eq(rill_window_age(w) >= 0, true);
    ck_assert_int_eq(rill_window_push_at(t, times, x, 3, NULL), RILL_OK);
    rill_window_advance(t, 2.5);
    ck_assert_double_eq(rill_window_time(t), 0);
    rill_window_reset(t);
  }
  rill_window_reset(w);
  ck_assert_int_eq(r.left, granted);
  rill_context_close(ctx);
}
END_TEST

/* ---- refusals --------------------------------------------------------------------------------- */

static void refused(rill_context *ctx, const rill_window_stream_options *o, rill_status status,
                    const char *words) {
  ck_assert_ptr_null(rill_window_create(ctx, o));
  ck_assert_msg(rill_error(ctx) == status && strstr(rill_error_message(ctx), words), "%s: %s",
                rill_status_name(rill_error(ctx)), rill_error_message(ctx));
  ck_assert_str_eq(rill_error_op(ctx), "window_create");
  rill_error_clear(ctx);
}

START_TEST(wrong_options_are_refused) {
  rill_context *ctx = start();
  rill_window_stream_options good = options_of(RILL_F32, RILL_WINDOW_MAX, 3), o;
  refused(ctx, NULL, RILL_ERROR_ARGUMENT, "less than 1");
  o = good, o.window = 0;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "less than 1");
  o = good, o.window = -1;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "less than 1");
  o = good, o.kind = (rill_window_kind)5;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "kind");
  o = good, o.kind = (rill_window_kind)-1;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "kind");
  o = good, o.nan = (rill_window_nan)2;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "NaN");
  o = good, o.span = 1, o.capacity = 1;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "both");
  o = good, o.capacity = 1;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "capacity");
  const double spans[] = {-1, NAN, (double)INFINITY, -(double)INFINITY};
  for (int i = 0; i < 4; i++) {
    o = good, o.window = 0, o.capacity = 5, o.span = spans[i];
    refused(ctx, &o, RILL_ERROR_ARGUMENT, "span");
  }
  o = good, o.window = 0, o.span = 1;
  refused(ctx, &o, RILL_ERROR_ARGUMENT, "capacity");
  const rill_dtype dtypes[] = {RILL_F16, RILL_BF16, RILL_BOOL, (rill_dtype)99, (rill_dtype)-1};
  for (int i = 0; i < 5; i++) {
    o = good, o.dtype = dtypes[i];
    refused(ctx, &o, RILL_ERROR_DTYPE, "takes f32");
  }
  o = good, o.window = INT64_MAX;
  refused(ctx, &o, RILL_ERROR_OVERFLOW, "9223372036854775807");
  o.window = INT64_MAX / 256;
  refused(ctx, &o, RILL_ERROR_MEMORY, "");
  o.window = 0, o.span = 1, o.capacity = INT64_MAX / 8;
  refused(ctx, &o, RILL_ERROR_OVERFLOW, "does not fit");
  ck_assert_ptr_null(rill_window_create(NULL, &good));
  ck_assert_ptr_null(rill_window_clone(ctx, NULL));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_ARGUMENT);
  ck_assert_ptr_null(rill_window_create(ctx, &good)); /* an error is pending */
  ck_assert_ptr_null(rill_window_clone(ctx, NULL));
  rill_error_clear(ctx);
  rill_context_close(ctx);
}
END_TEST

/* Options of a program that knows only the fields up to `window`. */
START_TEST(shorter_options_are_understood) {
  rill_context *ctx = start();
  rill_window_stream_options o;
  memset(&o, 0xff, sizeof o);
  o.struct_size = offsetof(rill_window_stream_options, span);
  o.kind = RILL_WINDOW_MIN;
  o.dtype = RILL_F64;
  o.window = 2;
  rill_window *w = window(ctx, &o);
  ck_assert_double_eq(rill_window_push_f64(w, 3), 3);
  ck_assert_double_eq(rill_window_push_f64(w, 4), 3);
  ck_assert_double_eq(rill_window_push_f64(w, 5), 4);
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_pushes_change_nothing) {
  rill_context *ctx = start();
  rill_window_stream_options o = options_of(RILL_F32, RILL_WINDOW_MAX, 3);
  rill_window *w = window(ctx, &o);
  float x[] = {1, 2, 3, 4}, y[] = {9, 9, 9, 9}, value = 0;
  double times[] = {1, 2, 3, 4};
  rill_window_push(w, x, 2, NULL);
  ck_assert_int_eq(rill_window_push(NULL, x, 2, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, NULL, 2, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x, -1, y), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x, 3, x + 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x + 1, 3, x), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x, 2, (char *)x + 2), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, x, INT64_MAX, y), RILL_ERROR_OVERFLOW);
  ck_assert_int_eq(rill_window_push_at(w, times, x, 2, y), RILL_ERROR_UNSUPPORTED);
  ck_assert_int_eq(rill_window_advance(w, 5), RILL_ERROR_UNSUPPORTED);
  ck_assert_int_eq(rill_window_advance(NULL, 5), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_value(NULL, &value), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_value(w, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_reset(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_push(w, NULL, 0, NULL), RILL_OK);
  ck_assert_int_eq(rill_window_push(w, x, 0, x), RILL_OK);
  ck_assert_int_eq(rill_window_count(NULL), 0);
  ck_assert_int_eq(rill_window_age(NULL), -1);
  ck_assert(isnan(rill_window_time(NULL)));
  for (int i = 0; i < 4; i++) ck_assert(x[i] == (float)(i + 1) && y[i] == 9);
  ck_assert_int_eq(rill_window_count(w), 2);
  rill_window_value(w, &value);
  ck_assert(value == 2);
  ck_assert_int_eq(rill_window_push(w, x, 2, x + 2), RILL_OK); /* side by side is fine */
  ck_assert(x[2] == 2 && x[3] == 2);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_stream");
  tcase_set_timeout(c, 300);
  tcase_add_test(c, every_window_of_every_dtype);
  tcase_add_loop_test(c, longer_streams_at_each_level, 0, cpu_level() + 1);
  tcase_add_test(c, every_cut_gives_the_pure_faces_result);
  tcase_add_test(c, long_windows);
  tcase_add_test(c, one_sample_a_call_is_the_same);
  tcase_add_test(c, results_may_replace_the_samples_or_be_left_out);
  tcase_add_test(c, an_empty_window_has_the_lowest_value);
  tcase_add_test(c, clones_go_their_own_ways_and_resets_begin_anew);
  tcase_add_test(c, a_retained_window_outlives_its_scope_and_context);
  tcase_add_test(c, pushing_allocates_nothing);
  tcase_add_test(c, wrong_options_are_refused);
  tcase_add_test(c, shorter_options_are_understood);
  tcase_add_test(c, wrong_pushes_change_nothing);
  return c;
}

TEST_MAIN("window_stream", tcase)

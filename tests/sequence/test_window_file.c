/* Streaming windows in files: they go on bit for bit; damaged and foreign files change nothing; memory that
 * runs out. */
#include "window_samples.h"
#include "rationed.h"

#include <unistd.h>

enum { N = 600 };

static const char *temporary(void) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/rill-window-%ld.safetensors", (long)getpid());
  return path;
}

/* Counted where k is not 0, else of a span. */
static rill_window *window(rill_context *ctx, rill_dtype d, int64_t k) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.dtype = d;
  o.kind = RILL_WINDOW_MIN;
  o.window = k;
  o.span = k ? 0 : 4.5;
  o.capacity = k ? 0 : 60;
  return rill_window_create(ctx, &o);
}

static rill_status push(rill_window *w, bool timed, const double *times, const void *x, int64_t n,
                        void *y) {
  return timed ? rill_window_push_at(w, times, x, n, y) : rill_window_push(w, x, n, y);
}

START_TEST(windows_go_on_from_files) {
  static const int64_t windows[] = {0, 1, 2, 63, 64, 65, 130, 301, 1000};
  uint64_t random = 1;
  double times[N];
  for (int64_t i = 0; i < N; i++) times[i] = 0.2 * (double)i;
  for (int d = 0; d < DTYPES; d++) {
    rill_context *ctx = rill_context_create(NULL);
    int64_t size = (int64_t)rill_dtype_size(sample_dtypes[d]);
    for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
      for (int64_t cut = 0; cut < N; cut = 2 * cut + 1) {
        bool timed = !windows[k];
        int64_t x[N], y[N] = {0}, z[N] = {0};
        make_stream(sample_dtypes[d], SPECIALS, windows[k], N, &random, x);
        rill_window *w = window(ctx, sample_dtypes[d], windows[k]),
                    *loaded = window(ctx, sample_dtypes[d], windows[k]);
        ck_assert_int_eq(push(w, timed, times, x, cut, NULL), RILL_OK);
        push(loaded, timed, times, x, 31, NULL); /* what is there does not matter */
        ck_assert_int_eq(rill_window_save(ctx, w, temporary()), RILL_OK);
        ck_assert_int_eq(rill_window_load(ctx, loaded, temporary()), RILL_OK);
        ck_assert_int_eq(rill_window_count(loaded), rill_window_count(w));
        ck_assert_int_eq(rill_window_age(loaded), rill_window_age(w));
        rill_window_value(w, y);
        rill_window_value(loaded, z);
        ck_assert(!memcmp(y, z, sizeof *y));
        const void *rest = (char *)x + cut * size;
        ck_assert_int_eq(push(w, timed, times + cut, rest, N - cut, y), RILL_OK);
        ck_assert_int_eq(push(loaded, timed, times + cut, rest, N - cut, z), RILL_OK);
        ck_assert(!memcmp(y, z, sizeof y));
        ck_assert_int_eq(rill_window_age(loaded), rill_window_age(w));
      }
    }
    ck_assert_int_eq(rill_error(ctx), RILL_OK);
    rill_context_close(ctx);
  }
  unlink(temporary());
}
END_TEST

START_TEST(time_that_has_passed_is_kept) {
  rill_context *ctx = rill_context_create(NULL);
  rill_window *w = window(ctx, RILL_F32, 0), *loaded = window(ctx, RILL_F32, 0);
  float x[] = {1, 2};
  rill_window_push_at(w, (double[]){0, 1}, x, 2, NULL);
  rill_window_advance(w, 5);
  ck_assert_int_eq(rill_window_save(ctx, w, temporary()), RILL_OK);
  ck_assert_int_eq(rill_window_load(ctx, loaded, temporary()), RILL_OK);
  ck_assert_int_eq(rill_window_count(loaded), 1);
  ck_assert_int_eq(rill_window_advance(loaded, 4.9), RILL_ERROR_ARGUMENT);
  rill_window_advance(w, 50);
  ck_assert_int_eq(rill_window_save(ctx, w, temporary()), RILL_OK);
  ck_assert_int_eq(rill_window_load(ctx, loaded, temporary()), RILL_OK);
  ck_assert_int_eq(rill_window_count(loaded), 0);
  ck_assert_int_eq(rill_window_advance(loaded, 49), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_advance(loaded, 50), RILL_OK);
  unlink(temporary());
  rill_context_close(ctx);
}
END_TEST

/* ---- files that are refused ------------------------------------------------------------------- */

static void write_file(const char *bytes, size_t size) {
  FILE *f = fopen(temporary(), "wb");
  ck_assert(f && fwrite(bytes, 1, size, f) == size && !fclose(f));
}

static size_t read_file(char *bytes, size_t room) {
  FILE *f = fopen(temporary(), "rb");
  ck_assert_ptr_nonnull(f);
  size_t size = fread(bytes, 1, room, f);
  fclose(f);
  return size;
}

/* Holds what a window like it held that did the same and loaded nothing. */
static void unchanged(rill_context *ctx, rill_window *w, const rill_window *before, bool timed) {
  float a[40], b[40], x[40];
  double times[40];
  uint64_t random = 9;
  rill_window *one = rill_window_clone(ctx, w), *two = rill_window_clone(ctx, before);
  ck_assert_int_eq(rill_window_count(one), rill_window_count(two));
  ck_assert_int_eq(rill_window_age(one), rill_window_age(two));
  for (int i = 0; i < 40; i++) times[i] = 8 + 0.25 * i;
  make_stream(RILL_F32, RANDOM, 7, 40, &random, x);
  ck_assert_int_eq(push(one, timed, times, x, 40, a), push(two, timed, times, x, 40, b));
  ck_assert(!memcmp(a, b, sizeof a));
}

static rill_window *filled(rill_context *ctx, int64_t k) {
  static const float x[] = {4, 7, 3, 6, 5, 5, 9};
  static const double times[] = {0, 1, 2, 3, 4, 5, 6};
  rill_window *w = window(ctx, RILL_F32, k);
  ck_assert_int_eq(push(w, !k, times, x, 7, NULL), RILL_OK);
  return w;
}

START_TEST(damaged_files_change_nothing) {
  for (int64_t k = 0; k < 6; k += 5) {
    rill_context *ctx = rill_context_create(NULL);
    char good[4096], bad[4096];
    rill_window *saved = filled(ctx, k);
    ck_assert_int_eq(rill_window_save(ctx, saved, temporary()), RILL_OK);
    size_t size = read_file(good, sizeof good);
    ck_assert_uint_lt(size, sizeof good);
    int refused = 0;
    for (size_t i = 0; i < 2 * size; i++) {
      rill_scope_open(ctx);
      rill_window *w = window(ctx, RILL_F32, k), *before = rill_window_clone(ctx, w);
      memcpy(bad, good, size);
      if (i < size) bad[i] = (char)(bad[i] ^ (i % 3 ? 0x80 : 0x01));
      write_file(bad, i < size ? size : i - size); /* a bit turned, or cut short */
      bool loaded = rill_window_load(ctx, w, temporary()) == RILL_OK;
      ck_assert(loaded || *rill_error_message(ctx));
      rill_error_clear(ctx);
      refused += !loaded;
      /* Samples may have any bits, and few bits of a time make it wrong. */
      ck_assert(!loaded || i >= size - (size_t)(k ? 5 * 4 : 5 * 12 + 8) - 8);
      ck_assert(!loaded || i < size);
      if (!loaded) unchanged(ctx, w, before, !k);
      rill_scope_close(ctx);
    }
    ck_assert_int_gt(refused, 0);
    rill_context_close(ctx);
  }
  unlink(temporary());
}
END_TEST

/* A file of a window's tensors as given; numel -1: left out. */
typedef struct content {
  rill_dtype dtypes[5];
  int64_t numel[5];
  int64_t options[9], older;
  double times[8], now;
  const char *format;
} content;

static const content good_content = {{RILL_I64, RILL_F32, RILL_I64, RILL_F64, RILL_F64},
                                     {9, 3, 1, 3, 1},
                                     {RILL_WINDOW_MIN, RILL_F32, 0, 0, 60},
                                     0,
                                     {1, 2, 3},
                                     4,
                                     "1"};

static void write_content(rill_context *ctx, const content *c) {
  static const char *const all[] = {"options", "samples", "older", "times", "now"};
  const char *names[5];
  const rill_tensor *tensors[5];
  int64_t options[9];
  int count = 0;
  memcpy(options, c->options, sizeof options);
  double span = 4.5, samples[8] = {1, 2, 3};
  if (!options[3]) memcpy(&options[3], &span, sizeof span);
  const int64_t older[2] = {c->older};
  const void *data[] = {options, samples, older, c->times, &c->now};
  for (int i = 0; i < 5; i++) {
    if (c->numel[i] < 0) continue;
    names[count] = all[i];
    rill_dtype from = i % 2 || i == 4 ? RILL_F64 : RILL_I64;
    rill_tensor *t = rill_from_buffer(ctx, from, &c->numel[i], 1, data[i]);
    tensors[count++] = rill_to(ctx, t, c->dtypes[i]);
  }
  const char *key = "rill.window";
  ck_assert_int_eq(rill_safetensors_save(ctx, temporary(), names, tensors, count, &key, &c->format,
                                         c->format != NULL),
                   RILL_OK);
}

static void content_is_refused(rill_context *ctx, const content *c, const char *words) {
  rill_scope_open(ctx);
  rill_window *w = filled(ctx, 0), *before = rill_window_clone(ctx, w);
  write_content(ctx, c);
  ck_assert_int_ne(rill_window_load(ctx, w, temporary()), RILL_OK);
  ck_assert_msg(rill_error(ctx) == RILL_ERROR_FORMAT || rill_error(ctx) == RILL_ERROR_NOT_FOUND,
                "%s", rill_error_message(ctx));
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "%s", rill_error_message(ctx));
  rill_error_clear(ctx);
  unchanged(ctx, w, before, true);
  rill_scope_close(ctx);
}

START_TEST(foreign_and_impossible_files_are_refused) {
  rill_context *ctx = rill_context_create(NULL);
  content c = good_content;
  rill_window *w = filled(ctx, 0);
  write_content(ctx, &c);
  ck_assert_msg(rill_window_load(ctx, w, temporary()) == RILL_OK, "%s", rill_error_message(ctx));
  ck_assert_int_eq(rill_window_count(w), 3);
  ck_assert_double_eq(rill_window_time(w), 1);

  c = good_content, c.format = NULL;
  content_is_refused(ctx, &c, "something else");
  c = good_content, c.format = "2";
  content_is_refused(ctx, &c, "something else");
  for (int i = 0; i < 9; i++) {
    c = good_content, c.options[i] += 1;
    content_is_refused(ctx, &c, "options");
  }
  for (int i = 0; i < 5; i++) {
    c = good_content, c.dtypes[i] = RILL_F16;
    content_is_refused(ctx, &c, "dtype");
    c = good_content, c.numel[i] = -1;
    content_is_refused(ctx, &c, "number of tensors");
    c = good_content, c.numel[i] = 2;
    content_is_refused(ctx, &c, i ? "" : "options");
  }
  const double wrong[] = {NAN, (double)INFINITY, -(double)INFINITY, 2.5, 5.5};
  for (int i = 0; i < 5; i++) {
    c = good_content, c.now = wrong[i];
    content_is_refused(ctx, &c, i < 3 ? "not finite" : i == 3 ? "go back" : "older");
    c = good_content, c.times[1] = i < 3 ? wrong[i] : i == 3 ? 0.5 : 3.5;
    content_is_refused(ctx, &c, "go back");
  }
  c = good_content, c.numel[1] = 4; /* more samples than times */
  content_is_refused(ctx, &c, "than times");
  c = good_content, c.older = -1;
  content_is_refused(ctx, &c, "older samples");
  c = good_content, c.older = 4;
  content_is_refused(ctx, &c, "older samples");
  unlink(temporary());
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_file_with_more_samples_than_fit_is_refused) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t three = 3, nine = 9, one = 1, options[9] = {RILL_WINDOW_MIN, RILL_F32, 2}, older = 0;
  float samples[] = {1, 2, 3};
  const rill_tensor *tensors[] = {rill_from_buffer(ctx, RILL_I64, &nine, 1, options),
                                  rill_from_buffer(ctx, RILL_F32, &three, 1, samples),
                                  rill_from_buffer(ctx, RILL_I64, &one, 1, &older)};
  const char *key = "rill.window", *format = "1";
  rill_safetensors_save(ctx, temporary(), (const char *const[]){"options", "samples", "older"},
                        tensors, 3, &key, &format, 1);
  rill_window *w = window(ctx, RILL_F32, 2);
  ck_assert_int_eq(rill_window_load(ctx, w, temporary()), RILL_ERROR_FORMAT);
  ck_assert(strstr(rill_error_message(ctx), "more samples") != NULL);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_window_count(w), 0);
  unlink(temporary());
  rill_context_close(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused) {
  rill_context *ctx = rill_context_create(NULL);
  rill_window *w = window(ctx, RILL_F32, 3);
  ck_assert_int_ne(rill_window_save(NULL, w, temporary()), RILL_ERROR_MEMORY);
  const struct {
    rill_window *w;
    const char *path;
  } wrong[] = {{NULL, "x"}, {w, NULL}};
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(rill_window_save(ctx, wrong[i].w, wrong[i].path), RILL_ERROR_ARGUMENT);
    ck_assert_int_eq(rill_window_load(ctx, w, temporary()), RILL_ERROR_ARGUMENT); /* pending */
    ck_assert_str_eq(rill_error_op(ctx), "window_save");
    rill_error_clear(ctx);
    ck_assert_int_eq(rill_window_load(ctx, wrong[i].w, wrong[i].path), RILL_ERROR_ARGUMENT);
    ck_assert_str_eq(rill_error_op(ctx), "window_load");
    rill_error_clear(ctx);
  }
  ck_assert_int_eq(rill_window_load(ctx, w, "/nonexistent/file"), RILL_ERROR_NOT_FOUND);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_window_save(ctx, w, "/nonexistent/file"), RILL_ERROR_IO);
  rill_error_clear(ctx);
  rill_context_close(ctx);
}
END_TEST

/* ---- memory that runs out --------------------------------------------------------------------- */

static bool busy(rill_context *ctx) {
  for (int64_t k = 0; k < 200; k += 100) {
    rill_window *w = window(ctx, RILL_F64, k), *c = rill_window_clone(ctx, w);
    double x[] = {3, 1, 2}, times[] = {0, 1, 2};
    if (!w || !c) return false;
    ck_assert_int_eq(push(c, !k, times, x, 3, NULL), RILL_OK);
    if (rill_window_save(ctx, c, temporary()) != RILL_OK) return false;
    bool loaded = rill_window_load(ctx, w, temporary()) == RILL_OK;
    ck_assert_int_eq(rill_window_count(w), loaded ? 3 : 0);
    if (!loaded) return false;
  }
  return true;
}

START_TEST(each_allocation_may_fail) {
  rationed_run(busy, 500);
  unlink(temporary());
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("window_file");
  tcase_set_timeout(c, 120);
  tcase_add_test(c, windows_go_on_from_files);
  tcase_add_test(c, time_that_has_passed_is_kept);
  tcase_add_test(c, damaged_files_change_nothing);
  tcase_add_test(c, foreign_and_impossible_files_are_refused);
  tcase_add_test(c, a_file_with_more_samples_than_fit_is_refused);
  tcase_add_test(c, wrong_arguments_are_refused);
  tcase_add_test(c, each_allocation_may_fail);
  return c;
}

TEST_MAIN("window_file", tcase)

/* Sliding-window maxima against brute force: every type, mode, edge and rule of NaN, at every
 * instruction set, whole and cut into units, out of place and in place. */
#include "base/base.h"
#include "pure/window.h"
#include "pure/window_shape.h"

#define PASTE(a, b) a##_##b
#define JOIN(a, b)  PASTE(a, b)
#define N(name)     JOIN(name, SUFFIX)
#define K(name)     JOIN(rill_window_##name, SUFFIX)
#define ALL_TYPES(do)                                                                              \
  do (f32) do(f64) do(i8) do(u8) do(i16) do(i32) do(i64)

#define SUFFIX f32
#define SAMPLE float
#define FLOATS 1
#include "pure/window_typed.h"
#define SUFFIX f64
#define SAMPLE double
#define FLOATS 1
#include "pure/window_typed.h"
#define SUFFIX i8
#define SAMPLE int8_t
#define FLOATS 0
#define LOW    INT8_MIN
#define HIGH   INT8_MAX
#include "pure/window_typed.h"
#define SUFFIX u8
#define SAMPLE uint8_t
#define FLOATS 0
#define LOW    0
#define HIGH   UINT8_MAX
#include "pure/window_typed.h"
#define SUFFIX i16
#define SAMPLE int16_t
#define FLOATS 0
#define LOW    INT16_MIN
#define HIGH   INT16_MAX
#include "pure/window_typed.h"
#define SUFFIX i32
#define SAMPLE int32_t
#define FLOATS 0
#define LOW    INT32_MIN
#define HIGH   INT32_MAX
#include "pure/window_typed.h"
#define SUFFIX i64
#define SAMPLE int64_t
#define FLOATS 0
#define LOW    INT64_MIN
#define HIGH   INT64_MAX
#include "pure/window_typed.h"

/* ThreadSanitizer makes this test fifty times slower and looks for threads, which there are none of: one type
 * on one instruction set shows that it has nothing to say. */
static bool left_out(int level, const char *type) {
  return UNDER_TSAN && (level + 1 < CPU_LEVELS || strcmp(type, "f32") != 0);
}

#define AT_EVERY_LEVEL(name)                                                                       \
  START_TEST(name) {                                                                               \
    for (int level = 0; level < CPU_LEVELS; level++) {                                             \
      cpu_set_level(level);                                                                        \
      ALL_TYPES(name##_CALL)                                                                       \
    }                                                                                              \
  }                                                                                                \
  END_TEST

#define every_small_CALL(t)                                                                        \
  if (!left_out(level, #t)) every_small_##t();
AT_EVERY_LEVEL(every_small)
#define every_pattern_CALL(t)                                                                      \
  if (!left_out(level, #t)) every_pattern_##t();
AT_EVERY_LEVEL(every_pattern)
#define borders_CALL(t)                                                                            \
  if (!left_out(level, #t)) borders_##t();
AT_EVERY_LEVEL(borders)
#define many_shapes_CALL(t)                                                                        \
  if (!left_out(level, #t)) many_shapes_##t();
AT_EVERY_LEVEL(many_shapes)
#define long_rows_CALL(t)                                                                          \
  if (!left_out(level, #t)) long_rows_##t();
AT_EVERY_LEVEL(long_rows)
#define overlaps_CALL(t)                                                                           \
  if (!left_out(level, #t)) overlaps_##t();
AT_EVERY_LEVEL(overlaps)

START_TEST(the_example_of_every_textbook) {
  const int32_t x[8] = {1, 3, -1, -3, 5, 3, 6, 7}, want[6] = {3, 3, 5, 5, 6, 7};
  int32_t y[6];
  rill_window_params p = params_of(1, 8, 1, 3);
  ck_assert_int_eq(rill_window_length(&p), 6);
  void *room = malloc(rill_window_workspace_i32(&p));
  ck_assert_int_eq(rill_window_max_i32(&p, x, y, 0, rill_window_units(&p), room), RILL_OK);
  ck_assert_mem_eq(y, want, sizeof want);
  free(room);
}
END_TEST

START_TEST(zeros_have_an_order_as_values_and_none_as_places) {
  const float x[4] = {-0.0f, 0.0f, -0.0f, -0.0f};
  float y[3];
  int64_t index[3];
  rill_window_params p = params_of(1, 4, 1, 2);
  void *room = malloc(rill_window_workspace_f32(&p));
  ck_assert_int_eq(rill_window_max_f32(&p, x, y, 0, 1, room), RILL_OK);
  ck_assert(!signbit(y[0]) && !signbit(y[1]) && signbit(y[2]));
  ck_assert_int_eq(rill_window_min_f32(&p, x, y, 0, 1, room), RILL_OK);
  ck_assert(signbit(y[0]) && signbit(y[1]) && signbit(y[2]));
  ck_assert_int_eq(rill_window_argmax_f32(&p, x, index, y, 0, 1, room), RILL_OK);
  ck_assert(index[0] == 0 && index[1] == 1 && index[2] == 2);
  ck_assert(signbit(y[0]) && !signbit(y[1]) && signbit(y[2]));
  free(room);
}
END_TEST

/* The last of equal samples is found from the end: of such rows that is forwards in memory. */
START_TEST(rows_may_lie_backwards) {
  const float x[5] = {2, 1, 3, 3, 0};
  const int64_t want[5] = {2, 2, 2, 1, 0};
  int64_t index[5];
  rill_window_params p = params_of(1, 5, 1, 3);
  p.mode = RILL_WINDOW_CAUSAL;
  p.last = true;
  for (int i = 0; i < 3; i++) p.x_stride[i] = p.y_stride[i] = -1;
  void *room = malloc(rill_window_workspace_f32(&p));
  ck_assert_int_eq(rill_window_argmax_f32(&p, x + 4, index + 4, NULL, 0, 1, room), RILL_OK);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(index[i], want[i]);
  free(room);
}
END_TEST

/* Results of n x inner and k, beside those of parts that are not large; y is `off` samples from a vector's
 * start. */
static void check_large(int64_t n, int64_t inner, int64_t k, int64_t off) {
  int64_t part = ((int64_t)1 << 18) / inner;
  rill_window_params whole = params_of(1, n, inner, k), some;
  int64_t length = rill_window_length(&whole), all = length * inner;
  float *x = malloc((size_t)(n * inner) * sizeof *x), *room = NULL;
  char *block = malloc((size_t)all * 2 * (sizeof *x + sizeof(int64_t)) + 3 * 64);
  char *start = block + (-(uintptr_t)block & 63);
  int64_t *at = (int64_t *)(void *)start + off, *want_at = at + all;
  start += 2 * (size_t)all * sizeof *at + 128;
  float *y = (float *)(void *)(start + (-(uintptr_t)start & 63)) + off, *want = y + all;
  uint32_t state = 1;
  for (int64_t i = 0; i < n * inner; i++)
    x[i] = (float)((state = state * 1664525 + 1013904223) >> 8) - 8e6f;
  room = malloc(rill_window_workspace_f32(&whole));
  int64_t units = rill_window_units(&whole);
  ck_assert_int_eq(rill_window_max_f32(&whole, x, y, 0, units, room), RILL_OK);
  ck_assert_int_eq(rill_window_argmax_f32(&whole, x, at, NULL, 0, units, room), RILL_OK);
  for (int64_t o = 0; o < length; o += part) {
    if (part > length - o) part = length - o;
    const float *from = x + o * inner;
    some = params_of(1, part + k - 1, inner, k);
    units = rill_window_units(&some);
    rill_window_max_f32(&some, from, want + o * inner, 0, units, room);
    rill_window_argmax_f32(&some, from, want_at + o * inner, NULL, 0, units, room);
    for (int64_t i = o * inner; i < (o + part) * inner; i++) want_at[i] += o;
  }
  ck_assert_mem_eq(y, want, (size_t)all * sizeof *y);
  ck_assert_mem_eq(at, want_at, (size_t)all * sizeof *at);
  free(room);
  free(block);
  free(x);
}

START_TEST(large_results_are_those_of_their_parts) {
  for (int level = UNDER_TSAN || UNDER_ASAN ? CPU_LEVELS - 1 : 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    check_large(WINDOW_LARGE / 4 + 321, 1, 5, 0);
    check_large(WINDOW_LARGE / 4 + 321, 1, 40, 1);
    check_large(WINDOW_LARGE / 4 + 1024, 1, 90, 0);
    check_large(WINDOW_LARGE / 4 + 2048, 1, 1000, 0);
    check_large(2100, 4096, 9, 0);
    check_large(2500, 4096, 300, 0);
  }
}
END_TEST

START_TEST(wrong_params_are_refused) {
  rill_window_params good = params_of(2, 5, 3, 2), p;
  ck_assert_int_eq(rill_window_check(&good), RILL_OK);
  ck_assert_int_eq(rill_window_check(NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_window_length(NULL), -1);
  ck_assert_int_eq(rill_window_units(NULL), 0);
  ck_assert_uint_eq(rill_window_workspace_f32(NULL), 0);
#define REFUSED(field, value, status)                                                              \
  p = good, p.field = value;                                                                       \
  ck_assert_int_eq(rill_window_check(&p), status);                                                 \
  ck_assert_int_eq(rill_window_length(&p), -1);                                                    \
  ck_assert_int_eq(rill_window_max_f32(&p, NULL, NULL, 0, 0, NULL), status);                       \
  ck_assert_int_eq(rill_window_argmin_i8(&p, NULL, NULL, NULL, 0, 0, NULL), status)
  REFUSED(struct_size, sizeof p - 1, RILL_ERROR_ARGUMENT);
  REFUSED(window, 0, RILL_ERROR_ARGUMENT);
  REFUSED(window, -1, RILL_ERROR_ARGUMENT);
  REFUSED(stride, -1, RILL_ERROR_ARGUMENT);
  REFUSED(dilation, -1, RILL_ERROR_ARGUMENT);
  REFUSED(mode, (rill_window_mode)4, RILL_ERROR_ARGUMENT);
  REFUSED(edge, (rill_window_edge)6, RILL_ERROR_ARGUMENT);
  REFUSED(nan, (rill_window_nan)2, RILL_ERROR_ARGUMENT);
  REFUSED(outer, -1, RILL_ERROR_SHAPE);
  REFUSED(n, -1, RILL_ERROR_SHAPE);
  REFUSED(inner, -1, RILL_ERROR_SHAPE);
  REFUSED(outer, INT64_MAX, RILL_ERROR_OVERFLOW);
  REFUSED(n, INT64_MAX, RILL_ERROR_OVERFLOW);
  REFUSED(inner, INT64_MAX / 8, RILL_ERROR_OVERFLOW);
  REFUSED(window, INT64_MAX, RILL_ERROR_OVERFLOW);
  REFUSED(dilation, INT64_MAX, RILL_ERROR_OVERFLOW);
#undef REFUSED
}
END_TEST

START_TEST(init_is_all_defaults) {
  rill_window_params p, zero = RILL_WINDOW_PARAMS_INIT;
  memset(&p, 1, sizeof p);
  rill_window_params_init(&p);
  ck_assert_uint_eq(p.struct_size, sizeof p);
  ck_assert_int_eq(p.window, zero.window);
  ck_assert_int_eq(p.outer, 0);
  rill_window_params_init(NULL);
}
END_TEST

START_TEST(pads_must_fit_the_type) {
  rill_window_params p = params_of(1, 4, 1, 2);
  uint8_t x[4] = {1, 2, 3, 4}, y[5] = {9, 9, 9, 9, 9};
  void *room = malloc(rill_window_workspace_u8(&p));
  p.pad_integer = 256; /* not looked at */
  ck_assert_int_eq(rill_window_max_u8(&p, x, y, 0, 1, room), RILL_OK);
  p.edge = RILL_WINDOW_CONSTANT;
  p.mode = RILL_WINDOW_FULL;
  memset(y, 9, sizeof y);
  ck_assert_int_eq(rill_window_max_u8(&p, x, y, 0, 1, room), RILL_ERROR_ARGUMENT);
  p.pad_integer = -1;
  ck_assert_int_eq(rill_window_min_u8(&p, x, y, 0, 1, room), RILL_ERROR_ARGUMENT);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(y[i], 9);
  p.pad_integer = 255;
  ck_assert_int_eq(rill_window_max_u8(&p, x, y, 0, 1, room), RILL_OK);
  ck_assert(y[0] == 255 && y[1] == 2 && y[4] == 255);
  free(room);
}
END_TEST

START_TEST(places_of_huge_rows_are_refused_where_they_do_not_fit) {
  rill_window_params p = params_of(1, INT32_MAX, 1, 2);
  ck_assert_int_eq(rill_window_argmax_f32(&p, NULL, NULL, NULL, 0, 0, NULL),
                   RILL_ERROR_UNSUPPORTED);
  ck_assert_int_eq(rill_window_argmax_f64(&p, NULL, NULL, NULL, 0, 0, NULL), RILL_OK);
  ck_assert_int_eq(rill_window_max_f32(&p, NULL, NULL, 0, 0, NULL), RILL_OK);
}
END_TEST

static TCase *cases(void) {
  TCase *t = tcase_create("window");
  tcase_add_test(t, the_example_of_every_textbook);
  tcase_add_test(t, every_small);
  tcase_add_test(t, every_pattern);
  tcase_add_test(t, borders);
  tcase_add_test(t, many_shapes);
  tcase_add_test(t, long_rows);
  tcase_add_test(t, overlaps);
  tcase_add_test(t, large_results_are_those_of_their_parts);
  tcase_add_test(t, zeros_have_an_order_as_values_and_none_as_places);
  tcase_add_test(t, rows_may_lie_backwards);
  tcase_add_test(t, wrong_params_are_refused);
  tcase_add_test(t, init_is_all_defaults);
  tcase_add_test(t, pads_must_fit_the_type);
  tcase_add_test(t, places_of_huge_rows_are_refused_where_they_do_not_fit);
  return t;
}

TEST_MAIN("pure/window", cases)

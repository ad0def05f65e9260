/* Printing, against what NumPy prints. */
#include "main.h"
#include "rill/tensor.h"

#include <locale.h>

#include "golden/print.h"

static rill_tensor *case_tensor(rill_context *ctx, int i) {
  int64_t n = 1;
  for (int d = 0; d < print_cases[i].ndim; d++) n *= print_cases[i].shape[d];
  double *values = malloc((size_t)(n + 1) * sizeof *values);
  int64_t turn = print_cases[i].dtype == RILL_U8 ? 256 : n + 1;
  for (int64_t k = 0; k < n; k++)
    values[k] = print_cases[i].values ? print_cases[i].values[k] : (double)(k % turn);
  rill_tensor *t = rill_empty(ctx, print_cases[i].dtype, print_cases[i].shape, print_cases[i].ndim);
  ck_assert_int_eq(rill_tensor_copy_in(ctx, t, RILL_F64, values, (size_t)n * sizeof *values),
                   RILL_OK);
  free(values);
  return t;
}

static void check_case(int i) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *t = case_tensor(ctx, i);
  int64_t length = rill_tensor_print(ctx, t, NULL, 0);
  ck_assert_int_eq(length, (int64_t)strlen(print_cases[i].text));
  char *text = malloc((size_t)length + 1);
  ck_assert_int_eq(rill_tensor_print(ctx, t, text, (size_t)length + 1), length);
  ck_assert_str_eq(text, print_cases[i].text);
  free(text);
  rill_context_close(ctx);
}

START_TEST(prints_as_numpy) { check_case(_i); }
END_TEST

START_TEST(the_locale_changes_nothing) {
  static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                           "fr_FR.utf8"};
  for (int i = 0; i < 4; i++)
    if (setlocale(LC_ALL, with_comma[i])) break; /* where none is installed, C's own is tested */
  for (int i = 0; i < 12; i++) check_case(i);
}
END_TEST

START_TEST(the_text_is_cut_to_its_room) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *t = rill_arange(ctx, RILL_I32, 0, 5, 1);
  char out[8] = "xxxxxxx";
  ck_assert_int_eq(rill_tensor_print(ctx, t, out, 4), 11);
  ck_assert_mem_eq(out, "[0 \0xxx", 8);
  ck_assert_int_eq(rill_tensor_print(ctx, t, out, 1), 11);
  ck_assert_str_eq(out, "");
  ck_assert_int_eq(rill_tensor_print(NULL, t, out, 8), -1);
  ck_assert_int_eq(rill_tensor_print(ctx, t, NULL, 8), -1);
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(rill_tensor_print(ctx, NULL, out, 8), -1);
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_ARGUMENT);
  rill_context_close(ctx);
}
END_TEST

START_TEST(more_than_1000_elements_are_summarised) {
  rill_context *ctx = rill_context_create(NULL);
  char out[8192];
  for (int64_t n = 1000; n <= 1001; n++) {
    ck_assert_int_gt(rill_tensor_print(ctx, rill_ones(ctx, RILL_U8, &n, 1), out, sizeof out), 0);
    ck_assert_int_eq(strstr(out, "...") != NULL, n == 1001);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(bf16_has_few_digits) {
  rill_context *ctx = rill_context_create(NULL);
  float x[] = {0.1f, 1.5f, -3.140625f};
  rill_tensor *t = rill_empty(ctx, RILL_BF16, (int64_t[]){3}, 1);
  rill_tensor_copy_in(ctx, t, RILL_F32, x, sizeof x);
  char out[64];
  rill_tensor_print(ctx, t, out, sizeof out);
  ck_assert_str_eq(out, "[ 0.1   1.5  -3.14]");
  rill_context_close(ctx);
}
END_TEST

static TCase *print_tests(void) {
  TCase *t = tcase_create("print");
  tcase_add_loop_test(t, prints_as_numpy, 0, (int)(sizeof print_cases / sizeof *print_cases));
  tcase_add_test(t, the_locale_changes_nothing);
  tcase_add_test(t, the_text_is_cut_to_its_room);
  tcase_add_test(t, more_than_1000_elements_are_summarised);
  tcase_add_test(t, bf16_has_few_digits);
  return t;
}

TEST_MAIN("print", print_tests)

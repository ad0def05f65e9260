/* Growing strings, and numbers that read back exactly under any locale. strtod is the judge: it is
 * correctly rounded in glibc. */
#include "main.h"
#include "rationed.h"
#include "base/text.h"

#include <float.h>
#include <locale.h>

static heap *new_heap(void) { return heap_create(&(rill_allocator){0}, 0); }

/* ---- numbers ---- */

typedef struct printed {
  double value;
  const char *text;
} printed;

/* As Python's repr prints them, less ".0". */
START_TEST(doubles_print_short) {
  static const printed cases[] = {{0, "0"},
                                  {-0.0, "-0"},
                                  {1, "1"},
                                  {-1, "-1"},
                                  {0.1, "0.1"},
                                  {0.5, "0.5"},
                                  {10, "10"},
                                  {100, "100"},
                                  {1234.5, "1234.5"},
                                  {0.0001, "0.0001"},
                                  {0.00001, "1e-05"},
                                  {0.00012345, "0.00012345"},
                                  {1e15, "1000000000000000"},
                                  {1e16, "1e+16"},
                                  {123456789012345680, "1.2345678901234568e+17"},
                                  {1e22, "1e+22"},
                                  {1e23, "1e+23"},
                                  {1.0 / 3, "0.3333333333333333"},
                                  {2.0 / 3, "0.6666666666666666"},
                                  {0.30000000000000004, "0.30000000000000004"},
                                  {5e-324, "5e-324"},
                                  {1e-320, "1e-320"},
                                  {DBL_MIN, "2.2250738585072014e-308"},
                                  {DBL_MAX, "1.7976931348623157e+308"},
                                  {9007199254740993.0, "9007199254740992"},
                                  {INFINITY, "inf"},
                                  {-INFINITY, "-inf"},
                                  {NAN, "nan"},
                                  {-NAN, "nan"},
                                  {-1.5e-7, "-1.5e-07"},
                                  {1e100, "1e+100"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(number_print((char[NUMBER_SIZE]){0}, cases[i].value), cases[i].text);
}
END_TEST

START_TEST(floats_print_short) {
  static const struct {
    float value;
    const char *text;
  } cases[] = {{0.1f, "0.1"},          {1.0f / 3, "0.33333334"},   {16777216, "16777216"},
               {1e10f, "10000000000"}, {FLT_MAX, "3.4028235e+38"}, {FLT_MIN, "1.1754944e-38"},
               {1e-45f, "1e-45"},      {3.1415927f, "3.1415927"},  {-0.0f, "-0"},
               {1e20f, "1e+20"},       {-INFINITY, "-inf"},        {0.3f, "0.3"},
               {33554436, "33554436"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(number_print_f32((char[NUMBER_SIZE]){0}, cases[i].value), cases[i].text);
}
END_TEST

static void check_double(double x) {
  char text[NUMBER_SIZE];
  number_print(text, x);
  double back;
  if (!isfinite(x)) return;
  ck_assert_msg(number_read(text, strlen(text), &back), "%s does not read", text);
  double judge = strtod(text, NULL);
  ck_assert_msg(!memcmp(&judge, &x, sizeof x), "%a printed as %s", x, text);
  ck_assert_msg(!memcmp(&back, &x, sizeof x), "%s read as %a, not %a", text, back, x);
}

static void check_float(float x) {
  char text[NUMBER_SIZE];
  number_print_f32(text, x);
  float back;
  if (!isfinite(x)) return;
  ck_assert_msg(number_read_f32(text, strlen(text), &back), "%s does not read", text);
  float judge = strtof(text, NULL);
  ck_assert_msg(!memcmp(&judge, &x, sizeof x), "%a printed as %s", x, text);
  ck_assert_msg(!memcmp(&back, &x, sizeof x), "%s read as %a, not %a", text, back, x);
}

static uint64_t random_bits(uint64_t *state) {
  *state ^= *state >> 12, *state ^= *state << 25, *state ^= *state >> 27;
  return *state * 2685821657736338717ULL;
}

START_TEST(random_bit_patterns_read_back) {
  uint64_t seed = 99;
  for (int i = 0; i < 30000; i++) {
    uint64_t b = random_bits(&seed);
    if (i % 8 == 0) b &= 0x800fffffffffffff; /* subnormal */
    double d;
    memcpy(&d, &b, sizeof d);
    check_double(d);
    uint32_t b32 = (uint32_t)random_bits(&seed);
    if (i % 8 == 0) b32 &= 0x807fffff;
    float f;
    memcpy(&f, &b32, sizeof f);
    check_float(f);
    check_double((double)f);
  }
  for (int e = -1074; e <= 1023; e++) { /* where the neighbours are not equally far */
    check_double(ldexp(1, e));
    check_double(nextafter(ldexp(1, e), 0));
    check_double(nextafter(ldexp(1, e), INFINITY));
  }
  for (int e = -149; e <= 127; e++) {
    check_float(ldexpf(1, e));
    check_float(nextafterf(ldexpf(1, e), 0));
    check_float(nextafterf(ldexpf(1, e), INFINITY));
  }
}
END_TEST

static void same_as_strtod(const char *text) {
  double d;
  float f;
  ck_assert_msg(number_read(text, strlen(text), &d), "%.60s does not read", text);
  ck_assert(number_read_f32(text, strlen(text), &f));
  double want = strtod(text, NULL);
  float want_f32 = strtof(text, NULL);
  ck_assert_msg(!memcmp(&d, &want, sizeof d), "%.60s read as %a, not %a", text, d, want);
  ck_assert_msg(!memcmp(&f, &want_f32, sizeof f), "%.60s read as %a, not %a", text, f, want_f32);
}

START_TEST(reading_rounds_once) {
  static const char *const cases[] = {
      "9007199254740993",
      "9007199254740992.99999999999999999999",
      "9007199254740993.0000000000000001",
      "16777217",
      "16777217.0000000000000001",
      "16777216.99999999999",
      "1.00000005960464477540",
      "1.000000059604644775390625",
      "1.0000000596046447753906250000000000000000000000000000000001",
      "2.4703282292062327208e-324",
      "2.4703282292062328e-324",
      "2.47e-324",
      "1e-400",
      "1e400",
      "1.7976931348623158e308",
      "1.7976931348623159e308",
      "1.797693134862315808e308",
      "3.4028235677973366e38",
      "3.4028235677973365e38",
      "3.4028236e38",
      "7.006492321624085e-46",
      "7.006492321624086e-46",
      "2.2250738585072011e-308",
      "2.2250738585072012e-308",
      "0e999999999999",
      "1e-99999999999999999999999999",
      "1e99999999999999999999999999",
      "-0",
      "-0.0e5",
      "0.000",
      "123456789012345678901234567890",
      "8.41e21",
      "5.0e-324",
      "1e23",
      "6.631236846766476e-316"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) same_as_strtod(cases[i]);
  /* Random decimals of every length and size, and halfway points written out in full. */
  uint64_t seed = 5;
  static char text[2000];
  for (int i = 0; i < 20000; i++) {
    int digits = 1 + (int)(random_bits(&seed) % (i % 50 ? 25 : 900)), n = 0;
    for (int k = 0; k < digits; k++) {
      text[n++] = (char)('0' + random_bits(&seed) % 10);
      if (k == 0) {
        if (text[0] == '0') text[0] = '1';
        if (digits > 1) text[n++] = '.';
      }
    }
    sprintf(text + n, "e%d", (int)(random_bits(&seed) % 700) - 360);
    same_as_strtod(text);
  }
  for (int i = 0; i < 500; i++) {
    uint64_t b = random_bits(&seed) >> 1;
    double d;
    memcpy(&d, &b, sizeof d);
    if (!isfinite(d)) continue;
    long double half = ((long double)d + (long double)nextafter(d, INFINITY)) / 2;
    if (d < 1e-300) continue;
    snprintf(text, 1900, "%.1100Le", half);
    same_as_strtod(text);
    char *e = strchr(text, 'e');
    e[-1] = '1'; /* a hair above */
    same_as_strtod(text);
  }
}
END_TEST

START_TEST(malformed_numbers_do_not_read) {
  static const char *const cases[] = {
      "",    "-",  "+1", ".5",   "1.",  "01",  "-01",   "1e", "1e+", "1e-",   "0x1",      "nan",
      "inf", "1 ", " 1", "1.e1", "--1", "1,5", "1e1.5", "e1", "-.5", "1.5.5", "Infinity", "1_0"};
  double d;
  float f;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ck_assert_msg(!number_read(cases[i], strlen(cases[i]), &d), "%s reads", cases[i]);
    ck_assert(!number_read_f32(cases[i], strlen(cases[i]), &f));
  }
}
END_TEST

/* The same text where the decimal point is a comma. */
START_TEST(numbers_do_not_know_the_locale) {
  if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "de_DE.utf8")) {
    fprintf(stderr, "skipped: numbers_do_not_know_the_locale (no de_DE.UTF-8 on this system)\n");
    return;
  }
  char probe[16];
  snprintf(probe, sizeof probe, "%.1f", 0.5);
  ck_assert_str_eq(probe, "0,5");
  char out[NUMBER_SIZE];
  ck_assert_str_eq(number_print(out, 1234.5), "1234.5");
  ck_assert_str_eq(number_print(out, 1.25e-10), "1.25e-10");
  ck_assert_str_eq(number_print(out, 5e-324), "5e-324");
  ck_assert_str_eq(number_print_f32(out, 0.1f), "0.1");
  double d;
  ck_assert(number_read("0.5", 3, &d) && d == 0.5);
  ck_assert(number_read("1234567.8901234567", 18, &d) && d == 1234567.8901234567);
  ck_assert(!number_read("0,5", 3, &d));
}
END_TEST

/* ---- text ---- */

START_TEST(text_grows) {
  heap *h = new_heap();
  text_buffer t;
  text_init(&t, h);
  ck_assert_ptr_null(t.data);
  for (int i = 0; i < 1000; i++) {
    text_integer(&t, i);
    text_append(&t, ",", 1);
  }
  text_number(&t, 0.1), text_number_f32(&t, 0.1f), text_string(&t, ""), text_printf(&t, "%s!", "x");
  ck_assert(!t.failed);
  char want[8000];
  int n = 0;
  for (int i = 0; i < 1000; i++) n += sprintf(want + n, "%d,", i);
  strcpy(want + n, "0.10.1x!");
  ck_assert_str_eq(t.data, want);
  ck_assert_uint_eq(t.size, strlen(want));
  text_integer(&t, INT64_MIN);
  ck_assert_str_eq(t.data + t.size - 20, "-9223372036854775808");
  text_free(&t);
  ck_assert_uint_eq(t.size, 0);
  text_append(&t, "a\0b", 3);
  ck_assert_uint_eq(t.size, 3);
  text_free(&t);
  heap_close(h);
}
END_TEST

START_TEST(a_long_line_is_cut_and_not_overrun) {
  heap *h = new_heap();
  char *line = malloc(5000);
  memset(line, 'x', 4999);
  line[4999] = 0;
  text_buffer t;
  text_init(&t, h);
  text_printf(&t, "%s", line);
  ck_assert_uint_eq(t.size, 1023);
  ck_assert(!memcmp(t.data, line, 1023) && t.data[1023] == 0);
  text_string(&t, line);
  ck_assert_uint_eq(t.size, 1023 + 4999);
  text_free(&t);
  free(line);
  heap_close(h);
}
END_TEST

/* What serde_json and Python's json write; bytes from 0x20 on stay, UTF-8 and DEL included. */
START_TEST(json_strings_escape) {
  heap *h = new_heap();
  text_buffer t;
  text_init(&t, h);
  static const char raw[] = "a\"b\\c/\b\t\n\v\f\r\x01\x1f\x7f\0é𝄞";
  text_json_string(&t, raw, sizeof raw - 1);
  ck_assert_str_eq(t.data, "\"a\\\"b\\\\c/\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f\\u0000é𝄞\"");
  text_free(&t);
  text_json_string(&t, "", 0);
  ck_assert_str_eq(t.data, "\"\"");
  text_free(&t);
  heap_close(h);
}
END_TEST

START_TEST(failure_sticks_and_leaks_nothing) {
  for (int allowed = 0; allowed < 8; allowed++) {
    rationed r = {.left = 1};
    heap *h = heap_create(&(rill_allocator){rationed_malloc, NULL, rationed_free, &r}, 0);
    r.left = allowed;
    text_buffer t;
    text_init(&t, h);
    for (int i = 0; i < 10000; i++) text_string(&t, "0123456789");
    ck_assert(t.failed);
    ck_assert_uint_eq(t.size, t.data ? strlen(t.data) : 0);
    r.left = 5;
    size_t size = t.size;
    text_string(&t, "x");
    ck_assert_uint_eq(t.size, size);
    text_free(&t);
    ck_assert(!t.failed);
    heap_close(h);
    ck_assert_int_eq(r.live, 0);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("text");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, doubles_print_short);
  tcase_add_test(c, floats_print_short);
  tcase_add_test(c, random_bit_patterns_read_back);
  tcase_add_test(c, reading_rounds_once);
  tcase_add_test(c, malformed_numbers_do_not_read);
  tcase_add_test(c, numbers_do_not_know_the_locale);
  tcase_add_test(c, text_grows);
  tcase_add_test(c, a_long_line_is_cut_and_not_overrun);
  tcase_add_test(c, json_strings_escape);
  tcase_add_test(c, failure_sticks_and_leaks_nothing);
  return c;
}

TEST_MAIN("text", tcase)

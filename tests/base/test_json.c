/* The JSON reader: what it takes, what it refuses and where. */
#include "main.h"
#include "base/json.h"

/* The tokens of a text, a letter each, ending in '.' (well formed) or '!'. */
static const char *tokens(const char *bytes, size_t size) {
  static char out[4096];
  static const char letters[] = "!.ntfin\"k[]{}";
  char *copy = malloc(size ? size : 1); /* of the exact size: a sanitizer sees a read beyond it */
  memcpy(copy, bytes, size);
  json j;
  json_open(&j, copy, size);
  size_t n = 0;
  json_token t;
  do {
    t = json_next(&j);
    out[n++] = t == JSON_NUMBER ? 'd' : letters[t];
    if (t == JSON_ERROR) {
      ck_assert_ptr_nonnull(j.error);
      ck_assert(j.token >= copy && j.token <= copy + size);
      ck_assert_int_eq(json_next(&j), JSON_ERROR);
    }
  } while (t != JSON_ERROR && t != JSON_END && n < sizeof out - 1);
  out[n] = 0;
  free(copy);
  return out;
}

static bool well_formed(const char *text) {
  const char *t = tokens(text, strlen(text));
  return t[strlen(t) - 1] == '.';
}

START_TEST(tokens_come_in_order) {
  static const char *const cases[][2] = {{"1", "i."},
                                         {" -17 ", "i."},
                                         {"1.5", "d."},
                                         {"1e3", "d."},
                                         {"-0", "d."},
                                         {"null", "n."},
                                         {"true", "t."},
                                         {"false", "f."},
                                         {"\"\"", "\"."},
                                         {"[]", "[]."},
                                         {"{}", "{}."},
                                         {"[1,2]", "[ii]."},
                                         {"{\"a\":[],\"b\":{\"c\":1}}", "{k[]k{ki}}."},
                                         {"\t[\r\n{ } , [ [ ] ] ]\n", "[{}[[]]]."},
                                         {"{\"a\" : \"b\" , \"a\" : null}", "{k\"kn}."},
                                         {"9223372036854775807", "i."},
                                         {"-9223372036854775808", "i."},
                                         {"9223372036854775808", "d."},
                                         {"-9223372036854775809", "d."},
                                         {"1e999", "d."}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(tokens(cases[i][0], strlen(cases[i][0])), cases[i][1]);
}
END_TEST

START_TEST(malformed_text_is_refused) {
  static const char *const cases[] = {"",
                                      " ",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "[1}",
                                      "{]",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{1:2}",
                                      "{a:1}",
                                      "{\"a\" 1}",
                                      "{\"a\"::1}",
                                      "{\"a\":1]",
                                      "[\"a\":1]",
                                      "1 2",
                                      "{} {}",
                                      "[]]",
                                      "nul",
                                      "nulll",
                                      "True",
                                      "tru",
                                      "NaN",
                                      "Infinity",
                                      "-",
                                      "+1",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "0x10",
                                      "1,5",
                                      "--1",
                                      "\"",
                                      "\"a",
                                      "'a'",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\n\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"",
                                      "\"\n\"",
                                      "\"\x01\"",
                                      "\"\x1f\"",
                                      "[1]x",
                                      "/**/1",
                                      "[1,//\n2]",
                                      "\xef\xbb\xbf{}",
                                      "\v1",
                                      "{\"a\":}",
                                      "{\"a\"}",
                                      "[\"a\",}",
                                      ",",
                                      ":",
                                      "\\u0031"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_msg(!well_formed(cases[i]), "case %zu: %s", i, cases[i]);
}
END_TEST

START_TEST(utf8_is_checked) {
  static const char *const good[] = {"\"\x7f\"",
                                     "\"é\"",
                                     "\"\xc2\x80\"",
                                     "\"\xe0\xa0\x80\"",
                                     "\"\xed\x9f\xbf\"",
                                     "\"\xee\x80\x80\"",
                                     "\"\xef\xbf\xbf\"",
                                     "\"\xf0\x90\x80\x80\"",
                                     "\"\xf4\x8f\xbf\xbf\""};
  static const char *const bad[] = {"\"\x80\"",
                                    "\"\xbf\"",
                                    "\"\xc0\x80\"",
                                    "\"\xc1\xbf\"",
                                    "\"\xc2\"",
                                    "\"\xc2",
                                    "\"\xe0\x80\x80\"",
                                    "\"\xe0\x9f\xbf\"",
                                    "\"\xed\xa0\x80\"",
                                    "\"\xed\xbf\xbf\"",
                                    "\"\xe1\x80\"",
                                    "\"\xe1\x80",
                                    "\"\xf0\x80\x80\x80\"",
                                    "\"\xf0\x8f\xbf\xbf\"",
                                    "\"\xf4\x90\x80\x80\"",
                                    "\"\xf5\x80\x80\x80\"",
                                    "\"\xff\"",
                                    "\"\xfe\"",
                                    "\"\xf0\x90\x80\"",
                                    "\"\xe1\x80\x41\"",
                                    "\"\xf1\x80\x41\x80\"",
                                    "{\"\xc0\x80\":1}"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    ck_assert_msg(well_formed(good[i]) && utf8_valid(good[i], strlen(good[i])), "good %zu", i);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!well_formed(bad[i]) && !utf8_valid(bad[i], strlen(bad[i])), "bad %zu", i);
}
END_TEST

START_TEST(values_are_exact) {
  json j;
  static const char text[] = "[9223372036854775807,-9223372036854775808,0,0.1,1e400,-12]";
  json_open(&j, text, sizeof text - 1);
  json_next(&j);
  ck_assert_int_eq(json_next(&j), JSON_INTEGER);
  ck_assert_int_eq(j.integer, INT64_MAX);
  ck_assert_int_eq(json_next(&j), JSON_INTEGER);
  ck_assert_int_eq(j.integer, INT64_MIN);
  ck_assert_int_eq(json_next(&j), JSON_INTEGER);
  ck_assert_int_eq(j.integer, 0);
  ck_assert_int_eq(json_next(&j), JSON_NUMBER);
  ck_assert(j.number == 0.1);
  ck_assert_int_eq(json_next(&j), JSON_NUMBER);
  ck_assert(isinf(j.number));
  ck_assert_int_eq(json_next(&j), JSON_INTEGER);
  ck_assert(j.integer == -12 && j.number == -12);
}
END_TEST

START_TEST(strings_unescape) {
  static const char text[] =
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud834\\udd1e\\u0000é\"";
  static const char want[] = "\"\\/\b\f\n\r\tAé€𝄞\0é";
  json j;
  json_open(&j, text, sizeof text - 1);
  ck_assert_int_eq(json_next(&j), JSON_STRING);
  ck_assert_uint_eq(j.size, sizeof text - 3);
  char out[sizeof text];
  ck_assert_uint_eq(json_unescape(&j, out), sizeof want - 1);
  ck_assert(!memcmp(out, want, sizeof want - 1));
}
END_TEST

START_TEST(keys_compare_by_what_they_spell) {
  static const char text[] =
      "{\"shape\":1,\"sh\\u0061pe\":2,\"shap\":3,\"shapes\":4,\"\":5,\"sh\\u0161pe\":6}";
  static const bool equal[] = {true, true, false, false, false, false};
  json j;
  json_open(&j, text, sizeof text - 1);
  json_next(&j);
  for (int i = 0; i < 6; i++) {
    ck_assert_int_eq(json_next(&j), JSON_KEY);
    ck_assert_int_eq(json_equals(&j, "shape"), equal[i]);
    ck_assert_int_eq(json_equals(&j, ""), i == 4);
    ck_assert_int_eq(json_next(&j), JSON_INTEGER);
    ck_assert_int_eq(j.integer, i + 1);
  }
}
END_TEST

START_TEST(values_can_be_skipped) {
  static const char text[] =
      "{\"a\":{\"x\":[1,{}],\"y\":2},\"b\":7,\"c\":[[]],\"d\":\"e\",\"f\":[1,}";
  json j;
  json_open(&j, text, sizeof text - 1);
  json_next(&j);
  ck_assert_int_eq(json_next(&j), JSON_KEY);
  ck_assert(json_skip(&j));
  for (const char *key = "bcd"; *key; key++) {
    ck_assert_int_eq(json_next(&j), JSON_KEY);
    ck_assert(j.size == 1 && *j.token == *key);
    ck_assert(json_skip(&j));
  }
  ck_assert_int_eq(json_next(&j), JSON_KEY);
  ck_assert(!json_skip(&j));
  ck_assert_int_eq(json_next(&j), JSON_ERROR);
}
END_TEST

START_TEST(nesting_is_capped) {
  char *text = malloc(200001);
  for (int depth = 1; depth <= 100000; depth = depth < 70 ? depth + 1 : depth * 10) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = 0;
    ck_assert_int_eq(well_formed(text), depth <= JSON_DEPTH);
  }
  free(text);
  /* At the cap, objects and arrays are still told apart. */
  char mixed[2000] = "";
  for (int i = 0; i < JSON_DEPTH / 2; i++) strcat(mixed, "[{\"k\":");
  strcat(mixed, "1");
  for (int i = 0; i < JSON_DEPTH / 2; i++) strcat(mixed, "}]");
  ck_assert(well_formed(mixed));
  *strchr(mixed, '}') = ']';
  ck_assert(!well_formed(mixed));
}
END_TEST

/* No prefix of a text is well formed, and no change of a bit sends the reader out of bounds. */
START_TEST(cut_and_flipped_text_is_safe) {
  static const char text[] =
      "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud834\\udd1e\",true,null,false],\"é\":{}}";
  size_t size = sizeof text - 1;
  ck_assert(well_formed(text));
  for (size_t n = 0; n < size; n++) {
    const char *t = tokens(text, n);
    ck_assert_msg(t[strlen(t) - 1] == '!', "cut at %zu", n);
  }
  char flipped[sizeof text];
  for (size_t bit = 0; bit < size * 8; bit++) {
    memcpy(flipped, text, size);
    flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
    tokens(flipped, size);
  }
  uint64_t seed = 11;
  for (int i = 0; i < 20000; i++) {
    static const char alphabet[] = "[]{}\",:\\u0019e+-.truefalsn d8\x80\xc3";
    size_t n = (size_t)(test_uniform(&seed) * 20);
    for (size_t k = 0; k < n; k++)
      flipped[k] = alphabet[(size_t)(test_uniform(&seed) * (sizeof alphabet - 1))];
    tokens(flipped, n);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("json");
  tcase_add_test(c, tokens_come_in_order);
  tcase_add_test(c, malformed_text_is_refused);
  tcase_add_test(c, utf8_is_checked);
  tcase_add_test(c, values_are_exact);
  tcase_add_test(c, strings_unescape);
  tcase_add_test(c, keys_compare_by_what_they_spell);
  tcase_add_test(c, values_can_be_skipped);
  tcase_add_test(c, nesting_is_capped);
  tcase_add_test(c, cut_and_flipped_text_is_safe);
  return c;
}

TEST_MAIN("json", tcase)

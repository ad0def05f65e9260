/* Damaged safetensors: every file is refused or read as what it says, never read out of bounds. */
#include "io/safetensors_files.h"

/* ---- what may not be read ---- */

static void expect_refused(const char *header, size_t data, const char *message) {
  static unsigned char file[1 << 17];
  size_t size = build(file, header, strlen(header), data);
  st_index *index;
  void *copy;
  rill_status status = parse(file, size, &index, &copy);
  ck_assert_msg(status == RILL_ERROR_FORMAT, "taken: %.200s", header);
  ck_assert_ptr_null(index);
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_FORMAT);
  ck_assert_msg(strstr(rill_error_message(ctx), message) != NULL, "%.200s: \"%s\", not \"%s\"",
                header, rill_error_message(ctx), message);
  ck_assert(!strncmp(rill_error_message(ctx), "open: x.safetensors: ", 21));
  rill_error_clear(ctx);
  free(copy);
}

START_TEST(the_frame_is_checked) {
  static const struct {
    const char *bytes;
    size_t size;
    const char *message;
  } cases[] = {
      {"", 0, "the file has 0 bytes"},
      {"\2\0\0\0\0\0\0", 7, "the file has 7 bytes"},
      {"\0\0\0\0\0\0\0\0", 8, "does not begin with '{'"},
      {"\3\0\0\0\0\0\0\0{}", 10, "a header of 3 bytes"},
      {"\2\0\0\0\0\0\0\0[]", 10, "does not begin with '{'"},
      {"\3\0\0\0\0\0\0\0 {}", 11, "does not begin with '{'"},
      {"\2\0\0\0\0\0\0\0{}x", 11, "the tensors take 0 bytes, the file has 1"},
      {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "a header of 18446744073709551615 bytes"},
      {"\xf8\xff\xff\xff\xff\xff\xff\xff{}", 10, "a header of 18446744073709551608 bytes"},
      {"\0\0\0\0\0\0\0\x80{}", 10, "a header of 9223372036854775808 bytes"},
      {"\1\xe1\xf5\5\0\0\0\0{}", 10, "a header of 100000001 bytes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    st_index *x;
    void *copy;
    ck_assert_int_eq(parse(cases[i].bytes, cases[i].size, &x, &copy), RILL_ERROR_FORMAT);
    ck_assert_msg(strstr(rill_error_message(ctx), cases[i].message) != NULL, "%s",
                  rill_error_message(ctx));
    rill_error_clear(ctx);
    free(copy);
  }
  /* One byte more than the format allows, and really there. */
  size_t size = 100000001;
  unsigned char *large = malloc(size + 8);
  memset(large, ' ', size + 8);
  for (int i = 0; i < 8; i++) large[i] = (unsigned char)((uint64_t)size >> 8 * i);
  large[8] = '{', large[9] = '}';
  st_index *x;
  ck_assert_int_eq(st_parse(ctx, "open", "x", large, size + 8, &x), RILL_ERROR_FORMAT);
  rill_error_clear(ctx);
  large[0]--;
  ck_assert_int_eq(st_parse(ctx, "open", "x", large, size + 7, &x), RILL_OK);
  heap_free(x);
  free(large);
}
END_TEST

START_TEST(the_header_is_checked) {
  static const struct {
    const char *header, *message;
    size_t data;
  } cases[] = {
      {"{", "ends too early", 0},
      {"{}{}", "more text", 0},
      {"{\"a\":1}", "not a tensor's description", 0},
      {"{\"a\":null}", "not a tensor's description", 0},
      {"{\"a\":[\"F32\",[1],[0,4]]}", "not a tensor's description", 4},
      {"{\"a\":{}}", "tensor \"a\" has no field \"dtype\"", 0},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", "no field \"data_offsets\"", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "no field \"shape\"", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
       "two fields \"dtype\"", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"sh\\u0061pe\":[],\"data_offsets\":[0,1]}}",
       "two fields \"shape\"", 1},
      {"{" ONE("u8", "", "0", "1") "}", "not a dtype of the format", 1},
      {"{" ONE("U80", "", "0", "1") "}", "not a dtype of the format", 1},
      {"{" ONE("", "", "0", "1") "}", "not a dtype of the format", 1},
      {"{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,1]}}", "not a dtype", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", "not a shape", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":1}}", "not data offsets", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0]}}", "not a size", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1,1]}}", "not the end", 1},
      {"{" ONE("U8", "-1", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "1.0", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "1e0", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "\"1\"", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "[1]", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "-0", "0", "0") "}", "not a size", 0},
      {"{" ONE("U8", "1", "-1", "0") "}", "not a size", 1},
      {"{" ONE("U8", "18446744073709551617", "0", "1") "}", "not a size", 1},
      {"{" ONE("U8", "1", "0", "9223372036854775808") "}", "not a size", 1},
      /* two names alike, also when one spells it otherwise; twice the metadata */
      {"{" ONE("U8", "1", "0", "1") "," ONE("U8", "1", "1", "2") "}",
       "two tensors of the name \"a\"", 2},
      {"{" ONE("U8", "0", "0", "0") "," ONE("U8", "0", "0", "0") "}",
       "two tensors of the name \"a\"", 0},
      {"{" ONE("U8", "1", "0",
               "1") ",\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
       "two tensors of the name \"a\"", 2},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", "two fields \"__metadata__\"", 0},
      {"{\"__metadata__\":null,\"__met\\u0061data__\":{}}", "two fields \"__metadata__\"", 0},
      {"{\"__metadata__\":{\"k\\u001b\":\"1\",\"k\\u001B\":\"2\"}}", "of the key \"k?\"", 0},
      {"{\"__metadata__\":{\"k\":1}}", "not a string", 0},
      {"{\"__metadata__\":{\"k\":null}}", "not a string", 0},
      {"{\"__metadata__\":{\"k\":{}}}", "not a string", 0},
      {"{\"__metadata__\":[]}", "not an object", 0},
      {"{\"__metadata__\":\"x\"}", "not an object", 0},
      /* a NUL would cut the name */
      {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "a NUL", 1},
      {"{\"__metadata__\":{\"\\u0000\":\"1\"}}", "a NUL", 0},
      {"{\"__metadata__\":{\"a\":\"x\\\\\\u0000\"}}", "a NUL", 0},
      {"{\"\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "malformed UTF-8", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":\"\xc0\x80\"}}",
       "malformed UTF-8", 1},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":[}}", "malformed", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    expect_refused(cases[i].header, cases[i].data, cases[i].message);
  /* but a backslash before a u is no escape */
  heap_free(expect_taken("{\"__metadata__\":{\"a\":\"\\\\u0000\"}}", 0));
}
END_TEST

/* The regression corpus: sizes that overflow, on their own or together; data that are not there. */
START_TEST(sizes_and_places_are_checked) {
  static const struct {
    const char *header, *message;
    size_t data;
  } cases[] = {
      {"{" ONE("U8", "9223372036854775807,2,0", "0", "0") "}", "a size that fits", 0},
      {"{" ONE("U8", "0,9223372036854775807,2", "0", "0") "}", "a size that fits", 0},
      {"{" ONE("U8", "4294967296,4294967296", "0", "0") "}", "a size that fits", 0},
      {"{" ONE("F32", "4611686018427387905", "0", "4") "}", "overflows", 4},
      {"{" ONE("F64", "2305843009213693952", "0", "0") "}", "overflows", 0},
      {"{" ONE("F64", "2305843009213693953", "0", "8") "}", "overflows", 8},
      {"{" ONE("F64", "0,2305843009213693953", "0", "0") "}", "overflows", 0},
      {"{" ONE("U8", "9223372036854775807", "0", "9223372036854775807") "}", "overflows", 0},
      {"{" ONE("U8", "1000000000000", "0", "1000000000000") "}", "the file has 8", 8},
      {"{" ONE("F32", "8589934592", "0", "4") "}", "take 34359738368 bytes", 4},
      {"{" ONE("F4", "3", "0", "2") "}", "no whole number", 2},
      {"{" ONE("F6_E3M2", "1", "0", "1") "}", "no whole number", 1},
      {"{" ONE("F32", "1", "0", "3") "}", "take 4 bytes, data_offsets are [0, 3]", 3},
      {"{" ONE("F32", "1", "0", "5") "}", "take 4 bytes", 5},
      {"{" ONE("F32", "2", "4", "0") "}", "data_offsets are [4, 0]", 8},
      {"{" ONE("U8", "0", "1", "1") "}", "begins at 1, the data before it end at 0", 1},
      {"{" ONE("U8", "1", "1", "2") "}", "begins at 1", 2},
      {"{" ONE("U8", "1", "9223372036854775806", "9223372036854775807") "}", "begins at", 2},
      {"{" ONE("U8", "1", "0", "1") "}", "the tensors take 1 bytes, the file has 2", 2},
      {"{" ONE("U8", "1", "0", "1") "}", "the tensors take 1 bytes, the file has 0", 0},
      {"{" ONE("U8", "2", "0",
               "2") ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
       "\"b\" begins at 1, the data before it end at 2", 3},
      {"{" ONE("U8", "2", "0",
               "2") ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
       "\"b\" begins at 0", 2},
      {"{" ONE("U8", "1", "0",
               "1") ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
       "\"b\" begins at 2, the data before it end at 1", 3},
      {"{" ONE("U8", "4", "0",
               "4") ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}",
       "\"b\" begins at 2", 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    expect_refused(cases[i].header, cases[i].data, cases[i].message);
}
END_TEST

START_TEST(deep_nesting_is_refused) {
  enum { DEPTH = 100000 };
  char *header = malloc(DEPTH + 200);
  int n = sprintf(header, "{\"a\":{\"x\":");
  memset(header + n, '[', DEPTH);
  strcpy(header + n + DEPTH, "}}");
  expect_refused(header, 0, "nested too deep");
  free(header);
}
END_TEST

START_TEST(a_long_path_and_name_keep_the_message_whole) {
  static char path[3000], header[3000];
  memset(path, 'p', sizeof path - 1);
  int n = sprintf(header, "{\"");
  memset(header + n, 'n', 2000);
  strcpy(header + n + 2000, "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,3]}}");
  static unsigned char file[4000];
  size_t size = build(file, header, strlen(header), 3);
  st_index *x;
  ck_assert_int_eq(st_parse(ctx, "open", path, file, size, &x), RILL_ERROR_FORMAT);
  ck_assert_ptr_nonnull(strstr(rill_error_message(ctx), "take 4 bytes, data_offsets are [0, 3]"));
}
END_TEST

/* ---- damage ---- */

/* What was taken is sound: every byte of the data in exactly one tensor, of its size. */
static void check_sound(const st_index *x, const unsigned char *file, size_t size) {
  int64_t end = 0;
  ck_assert(x->data >= file + 8 && x->data <= file + size);
  for (int64_t i = 0; i < x->count; i++) {
    const st_entry *e = &x->entries[i];
    ck_assert_int_eq(e->begin, end);
    ck_assert_int_ge(e->end, e->begin);
    end = e->end;
    ck_assert(e->dtype >= 0 && e->dtype < ST_DTYPES);
    ck_assert_ptr_eq(st_find(x, e->name), e);
    rill_dtype d;
    if (st_loadable(ctx, "get", e, &d) == RILL_OK) {
      int64_t bytes = (int64_t)rill_dtype_size(d);
      for (int k = 0; k < e->ndim; k++) ck_assert(checked_mul(bytes, e->shape[k], &bytes));
      ck_assert_int_eq(bytes, e->end - e->begin);
    } else {
      rill_error_clear(ctx);
    }
  }
  ck_assert_int_eq(end, (int64_t)(file + size - x->data));
  for (int64_t i = 0; i < x->metadata_count; i++)
    ck_assert_ptr_eq(st_find_metadata(x, x->metadata[i].key), x->metadata[i].value);
}

/* Taken and sound, or refused with a sentence. */
static bool try_file(const unsigned char *file, size_t size) {
  st_index *x;
  void *copy;
  rill_status status = parse(file, size, &x, &copy);
  if (status == RILL_OK) {
    check_sound(x, copy, size);
  } else {
    ck_assert_int_eq(status, RILL_ERROR_FORMAT);
    ck_assert_int_gt((int)strlen(rill_error_message(ctx)), 22);
    rill_error_clear(ctx);
  }
  heap_free(x);
  free(copy);
  return status == RILL_OK;
}

START_TEST(no_truncated_file_is_taken) {
  for (size_t n = 0; n < sizeof golden_mixed; n++)
    ck_assert_msg(!try_file(golden_mixed, n), "taken with %zu bytes", n);
  ck_assert(try_file(golden_mixed, sizeof golden_mixed));
}
END_TEST

START_TEST(every_flipped_bit_is_safe) {
  static unsigned char file[sizeof golden_mixed];
  size_t header = 8 + golden_mixed[0] + 256u * golden_mixed[1];
  int taken = 0;
  for (size_t bit = 0; bit < sizeof file * 8; bit++) {
    memcpy(file, golden_mixed, sizeof file);
    file[bit / 8] ^= (unsigned char)(1 << bit % 8);
    bool ok = try_file(file, sizeof file);
    if (bit / 8 < 8) ck_assert(!ok);      /* the size of the header */
    if (bit / 8 >= header) ck_assert(ok); /* values are not looked at */
    taken += ok;
  }
  ck_assert_int_lt(taken, (int)sizeof file * 8 / 2);
}
END_TEST

/* Pieces of headers in any order: far more of them get past the JSON than flipped bits do. */
START_TEST(shuffled_pieces_are_safe) {
  static const char *const pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"a\":",
                                       "\"b\":",
                                       "\"__metadata__\":",
                                       "{\"dtype\":\"U8\",",
                                       "\"shape\":[1],",
                                       "\"shape\":[0],",
                                       "\"shape\":[2,2],",
                                       "\"data_offsets\":[0,1]}",
                                       "\"data_offsets\":[1,2]}",
                                       "\"data_offsets\":[0,0]}",
                                       "\"data_offsets\":[0,4]}",
                                       "{\"k\":\"v\"}",
                                       ",",
                                       "\"\\u0000\"",
                                       "0",
                                       "{\"dtype\":\"F4\",",
                                       " "};
  enum { PIECES = sizeof pieces / sizeof *pieces };
  uint64_t seed = 77;
  int taken = 0;
  for (int i = 0; i < 40000; i++) {
    char header[600] = "{";
    if (i % 2) { /* a likely frame */
      for (int k = 0; k < 3; k++) {
        if (k) strcat(header, ",");
        int start = (int)(test_uniform(&seed) * 3);
        strcat(header, pieces[6 + start]);
        if (start == 2 && test_uniform(&seed) < 0.9) {
          strcat(header, pieces[17]);
          continue;
        }
        strcat(header, pieces[test_uniform(&seed) < 0.8 ? 9 : 21]);
        strcat(header, pieces[10 + (int)(test_uniform(&seed) * 3)]);
        strcat(header, pieces[13 + (int)(test_uniform(&seed) * 4)]);
        if (test_uniform(&seed) < 0.4) break;
      }
      strcat(header, "}");
    } else {
      for (int k = 0; k < 12; k++) strcat(header, pieces[(int)(test_uniform(&seed) * PIECES)]);
    }
    unsigned char file[700];
    size_t size = build(file, header, strlen(header), (size_t)(test_uniform(&seed) * 5));
    taken += try_file(file, size);
  }
  ck_assert_int_gt(taken, 100); /* else nothing was tried */
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("safetensors, damage");
  tcase_set_timeout(c, 60);
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, the_frame_is_checked);
  tcase_add_test(c, the_header_is_checked);
  tcase_add_test(c, sizes_and_places_are_checked);
  tcase_add_test(c, deep_nesting_is_refused);
  tcase_add_test(c, a_long_path_and_name_keep_the_message_whole);
  tcase_add_test(c, no_truncated_file_is_taken);
  tcase_add_test(c, every_flipped_bit_is_safe);
  tcase_add_test(c, shuffled_pieces_are_safe);
  return c;
}

TEST_MAIN("safetensors, damage", tcase)

/* Reading safetensors: the reference's files, and whatever else is well-formed. */
#include "io/safetensors_files.h"

START_TEST(the_reference_is_read) {
  st_index *x;
  void *copy;
  ck_assert_int_eq(parse(golden_mixed, sizeof golden_mixed, &x, &copy), RILL_OK);
  ck_assert_int_eq(x->count, MIXED);
  for (int i = 0; i < MIXED; i++) {
    const st_entry *e = &x->entries[i];
    const expected *w = &mixed[i];
    ck_assert_str_eq(e->name, w->name);
    ck_assert_int_eq(e->dtype, w->dtype);
    ck_assert_int_eq(e->ndim, w->ndim);
    for (int d = 0; d < w->ndim; d++) ck_assert_int_eq(e->shape[d], w->shape[d]);
    ck_assert_int_eq(e->begin, w->begin);
    ck_assert_int_eq(e->end, w->end);
    for (int64_t b = e->begin; b < e->end; b++) /* the pattern: bytes that count up */
      ck_assert_int_eq(x->data[b], (b - e->begin) % (e->dtype == ST_BOOL ? 2 : 251));
    ck_assert_ptr_eq(st_find(x, w->name), e);
  }
  ck_assert_ptr_null(st_find(x, "a"));
  ck_assert_ptr_null(st_find(x, ""));
  ck_assert_ptr_null(st_find(x, "zz"));
  ck_assert_ptr_null(st_find(x, "__metadata__"));
  ck_assert_int_eq(x->metadata_count, 1);
  ck_assert_str_eq(st_find_metadata(x, "format"), mixed_format);
  ck_assert_ptr_null(st_find_metadata(x, "forma"));
  heap_free(x);
  free(copy);
}
END_TEST

START_TEST(a_file_without_tensors_is_read) {
  st_index *x;
  void *copy;
  ck_assert_int_eq(parse(golden_empty, sizeof golden_empty, &x, &copy), RILL_OK);
  ck_assert(x->count == 0 && x->metadata_count == 0);
  ck_assert_ptr_null(st_find(x, "a"));
  ck_assert_ptr_null(st_find_metadata(x, "a"));
  heap_free(x);
  free(copy);
}
END_TEST

START_TEST(unusual_but_well_formed) {
  heap_free(expect_taken("{}", 0));
  heap_free(expect_taken("{ } \n\t", 0));
  heap_free(expect_taken("{\"__metadata__\":null}", 0));
  heap_free(expect_taken("{\"__metadata__\":{}}", 0));
  heap_free(expect_taken("{\"__metadata__\":{\"a\":\"\\u00e9\"}}", 0));
  heap_free(expect_taken("{" ONE("U8", "", "0", "1") "}", 1));
  heap_free(expect_taken("{" ONE("U8", "0,9,0", "0", "0") "}", 0));
  heap_free(expect_taken("{" ONE("F4", "3,2", "0", "3") "}", 3));
  heap_free(expect_taken("{" ONE("F6_E2M3", "4", "0", "3") "}", 3));
  heap_free(expect_taken("{" ONE("F4", "0,3", "0", "0") "}", 0));
  /* any order in the header; fields in any order, and unknown ones, which the reference ignores */
  st_index *x =
      expect_taken("{\"b\":{\"data_offsets\":[4,6],\"x\":[{}],\"shape\":[2],\"dtype\":\"U8\"},"
                   "\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                   6);
  ck_assert_str_eq(x->entries[0].name, "a");
  ck_assert_str_eq(x->entries[1].name, "b");
  ck_assert_ptr_eq(st_find(x, "b"), &x->entries[1]);
  heap_free(x);
  /* tensors without elements lie anywhere between others */
  x = expect_taken("{\"c\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
                   "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
                   "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                   2);
  ck_assert_str_eq(x->entries[1].name, "c");
  heap_free(x);
}
END_TEST

START_TEST(many_tensors_are_found) {
  enum { N = 1000 };
  static char header[1 << 16];
  int n = 0;
  for (int i = 0; i < N; i++)
    n += sprintf(header + n, "%c\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                 i ? ',' : '{', i * 7919 % N, i, i + 1);
  strcpy(header + n, "}");
  st_index *x = expect_taken(header, N);
  ck_assert_int_eq(x->count, N);
  for (int i = 0; i < N; i++) {
    char name[16];
    sprintf(name, "t%d", i * 7919 % N);
    const st_entry *e = st_find(x, name);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(e->begin, i);
  }
  ck_assert_ptr_null(st_find(x, "t1000"));
  heap_free(x);
}
END_TEST

START_TEST(an_index_outlives_its_context) {
  rill_context *other = rill_context_create(NULL);
  st_index *x;
  ck_assert_int_eq(st_parse(other, "open", "x", golden_mixed, sizeof golden_mixed, &x), RILL_OK);
  rill_context_close(other);
  ck_assert_str_eq(st_find(x, "half")->name, "half");
  heap_free(x);
}
END_TEST

START_TEST(what_rill_lacks_is_listed_and_not_loaded) {
  static const struct {
    const char *name;
    int rill; /* -1: none */
    int bits;
  } dtypes[] = {{"F64", RILL_F64, 64},   {"F32", RILL_F32, 32},  {"F16", RILL_F16, 16},
                {"BF16", RILL_BF16, 16}, {"I64", RILL_I64, 64},  {"I32", RILL_I32, 32},
                {"U8", RILL_U8, 8},      {"BOOL", RILL_BOOL, 8}, {"I16", -1, 16},
                {"I8", -1, 8},           {"U16", -1, 16},        {"U32", -1, 32},
                {"U64", -1, 64},         {"C64", -1, 64},        {"F8_E4M3", -1, 8},
                {"F8_E5M2", -1, 8},      {"F8_E8M0", -1, 8},     {"F8_E4M3FNUZ", -1, 8},
                {"F8_E5M2FNUZ", -1, 8},  {"F4", -1, 4},          {"F6_E2M3", -1, 6},
                {"F6_E3M2", -1, 6}};
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    char header[200];
    sprintf(header, "{\"a\\u001b\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%d]}}",
            dtypes[i].name, dtypes[i].bits);
    st_index *x = expect_taken(header, (size_t)dtypes[i].bits);
    ck_assert_str_eq(st_dtype_name(x->entries[0].dtype), dtypes[i].name);
    rill_dtype got;
    rill_status status = st_loadable(ctx, "get", &x->entries[0], &got);
    if (dtypes[i].rill >= 0) {
      ck_assert_int_eq(status, RILL_OK);
      ck_assert_int_eq(got, dtypes[i].rill);
      ck_assert_int_eq(st_dtype_of(got), x->entries[0].dtype);
    } else {
      char want[100];
      sprintf(want, "get: tensor \"a?\" has dtype %s, which rill lacks", dtypes[i].name);
      ck_assert_int_eq(status, RILL_ERROR_UNSUPPORTED);
      ck_assert_str_eq(rill_error_message(ctx), want);
      rill_error_clear(ctx);
    }
    heap_free(x);
  }
  st_index *x = expect_taken("{" ONE("U8", "1,1,1,1,1,1,1,1,2", "0", "2") "}", 2);
  ck_assert_int_eq(x->entries[0].ndim, 9);
  rill_dtype got;
  ck_assert_int_eq(st_loadable(ctx, "get", &x->entries[0], &got), RILL_ERROR_UNSUPPORTED);
  ck_assert_str_eq(rill_error_message(ctx), "get: tensor \"a\" has 9 dims, at most 8 can be");
  heap_free(x);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("safetensors, reading");
  tcase_set_timeout(c, 60);
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, the_reference_is_read);
  tcase_add_test(c, a_file_without_tensors_is_read);
  tcase_add_test(c, unusual_but_well_formed);
  tcase_add_test(c, many_tensors_are_found);
  tcase_add_test(c, an_index_outlives_its_context);
  tcase_add_test(c, what_rill_lacks_is_listed_and_not_loaded);
  return c;
}

TEST_MAIN("safetensors, reading", tcase)

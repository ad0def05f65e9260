/* The safetensors core: equal bytes with the reference implementation, and every damaged file
 * refused or read as what it says, never read out of bounds. */
#include "main.h"
#include "golden/safetensors.h"
#include "io/safetensors.h"

static rill_context *ctx;

static void setup(void) { ctx = rill_context_create(NULL); }
static void teardown(void) { rill_context_close(ctx); }

/* Parses a copy of exactly the size, so that a sanitizer sees a read beyond it. */
static rill_status parse(const void *bytes, size_t size, st_index **index, void **copy) {
  *copy = malloc(size ? size : 1);
  if (size) memcpy(*copy, bytes, size);
  return st_parse(ctx, "open", "x.safetensors", *copy, size, index);
}

/* A file of this header, unpadded, with `data` zero bytes behind it. */
static size_t build(unsigned char *out, const char *header, size_t header_size, size_t data) {
  for (int i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)header_size >> 8 * i);
  memcpy(out + 8, header, header_size);
  memset(out + 8 + header_size, 0, data);
  return 8 + header_size + data;
}

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

static st_index *expect_taken(const char *header, size_t data) {
  static unsigned char file[1 << 17];
  size_t size = build(file, header, strlen(header), data);
  st_index *index;
  ck_assert_msg(st_parse(ctx, "open", "x", file, size, &index) == RILL_OK, "%.200s: %s", header,
                rill_error_message(ctx));
  return index;
}

/* ---- the reference's files ---- */

typedef struct expected {
  const char *name;
  st_dtype dtype;
  int ndim;
  int64_t shape[3], begin, end;
} expected;

#define ODD_NAME "quote\"back\\slash/tab\tesc\x1b\x7fé𝄞"

/* What golden/make_safetensors.py wrote, in the order of the data. */
static const expected mixed[] = {
    {"ids", ST_I64, 2, {2, 1}, 0, 16},       {"double", ST_F64, 1, {2}, 16, 32},
    {"complex", ST_C64, 1, {1}, 32, 40},     {"B", ST_F32, 1, {1}, 40, 44},
    {"a.bias", ST_F32, 1, {3}, 44, 56},      {"none", ST_F32, 3, {2, 0, 3}, 56, 56},
    {"z.weight", ST_F32, 2, {2, 3}, 56, 80}, {"steps", ST_I32, 0, {0}, 80, 84},
    {"brain", ST_BF16, 2, {1, 2}, 84, 88},   {"half", ST_F16, 1, {5}, 88, 98},
    {"short", ST_I16, 1, {2}, 98, 102},      {"f8", ST_F8_E4M3, 1, {3}, 102, 105},
    {"bytes", ST_U8, 1, {3}, 105, 108},      {ODD_NAME, ST_U8, 1, {1}, 108, 109},
    {"mask", ST_BOOL, 1, {4}, 109, 113},
};
enum { MIXED = sizeof mixed / sizeof *mixed };
static const char mixed_format[] = "pt\n\"é\"\b\f\r";

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

START_TEST(the_references_bytes_are_written) {
  /* in an order that needs sorting */
  st_item items[MIXED];
  for (int i = 0; i < MIXED; i++) {
    const expected *w = &mixed[(i * 7 + 3) % MIXED];
    items[i] = (st_item){w->name, w->dtype, w->ndim, w->shape, w, 0};
  }
  st_pair metadata[] = {{"format", mixed_format}};
  text_buffer t;
  text_init(&t, ctx->heap);
  ck_assert_int_eq(st_layout(ctx, "save", items, MIXED, metadata, 1, &t), RILL_OK);
  for (int i = 0; i < MIXED; i++) {
    ck_assert_ptr_eq(items[i].source, &mixed[i]);
    ck_assert_uint_eq(items[i].bytes, (size_t)(mixed[i].end - mixed[i].begin));
  }
  ck_assert_uint_eq(t.size, sizeof golden_mixed - 113);
  ck_assert(!memcmp(t.data, golden_mixed, t.size));
  text_free(&t);
  int64_t shape[] = {2, 2};
  st_item one = {"weight", ST_F32, 2, shape, NULL, 0};
  ck_assert_int_eq(st_layout(ctx, "save", &one, 1, NULL, 0, &t), RILL_OK);
  ck_assert_uint_eq(t.size, sizeof golden_plain - 16);
  ck_assert(!memcmp(t.data, golden_plain, t.size));
  text_free(&t);
  ck_assert_int_eq(st_layout(ctx, "save", NULL, 0, NULL, 0, &t), RILL_OK);
  ck_assert_uint_eq(t.size, sizeof golden_empty);
  ck_assert(!memcmp(t.data, golden_empty, t.size));
  text_free(&t);
}
END_TEST

START_TEST(metadata_alone_and_in_order) {
  st_pair metadata[] = {{"b", "2"}, {"", ""}, {"a", "1"}};
  text_buffer t;
  text_init(&t, ctx->heap);
  ck_assert_int_eq(st_layout(ctx, "save", NULL, 0, metadata, 3, &t), RILL_OK);
  ck_assert_str_eq(t.data + 8, "{\"__metadata__\":{\"\":\"\",\"a\":\"1\",\"b\":\"2\"}}");
  st_index *x;
  ck_assert_int_eq(st_parse(ctx, "open", "x", t.data, t.size, &x), RILL_OK);
  ck_assert_str_eq(st_find_metadata(x, "a"), "1");
  ck_assert_str_eq(st_find_metadata(x, "b"), "2");
  ck_assert_str_eq(st_find_metadata(x, ""), "");
  heap_free(x);
  text_free(&t);
}
END_TEST

/* ---- what may be read ---- */

#define ONE(dtype, shape, begin, end)                                                              \
  "\"a\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

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

/* ---- what may not ---- */

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

/* ---- what may not be written ---- */

static void expect_no_layout(st_item *items, int64_t count, st_pair *metadata, int64_t pairs,
                             rill_status code, const char *message) {
  text_buffer t;
  text_init(&t, ctx->heap);
  ck_assert_int_eq(st_layout(ctx, "save", items, count, metadata, pairs, &t), code);
  ck_assert_str_eq(rill_error_message(ctx), message);
  rill_error_clear(ctx);
  text_free(&t);
}

START_TEST(what_could_not_be_read_is_not_written) {
  int64_t one[] = {1}, negative[] = {-1}, large[] = {INT64_MAX / 64 + 1}, half[] = {INT64_MAX / 8};
  st_item twice[] = {{"a", ST_U8, 1, one, NULL, 0}, {"a", ST_F32, 1, one, NULL, 0}};
  expect_no_layout(twice, 2, NULL, 0, RILL_ERROR_ARGUMENT, "save: two tensors of the name \"a\"");
  st_item unnamed = {NULL, ST_U8, 1, one, NULL, 0};
  expect_no_layout(&unnamed, 1, NULL, 0, RILL_ERROR_ARGUMENT, "save: a name is NULL");
  st_item reserved = {"__metadata__", ST_U8, 1, one, NULL, 0};
  expect_no_layout(&reserved, 1, NULL, 0, RILL_ERROR_ARGUMENT,
                   "save: no tensor may be named \"__metadata__\"");
  st_item latin1 = {"\xe9", ST_U8, 1, one, NULL, 0};
  expect_no_layout(&latin1, 1, NULL, 0, RILL_ERROR_ARGUMENT, "save: name \"\xe9\" is not UTF-8");
  st_item below = {"a", ST_U8, 1, negative, NULL, 0};
  expect_no_layout(&below, 1, NULL, 0, RILL_ERROR_ARGUMENT, "save: tensor \"a\" has a size of -1");
  st_item huge = {"a", ST_F64, 1, large, NULL, 0};
  expect_no_layout(&huge, 1, NULL, 0, RILL_ERROR_OVERFLOW,
                   "save: tensor \"a\": its size in bytes overflows");
  st_item nibble = {"a", ST_F4, 1, one, NULL, 0};
  expect_no_layout(&nibble, 1, NULL, 0, RILL_ERROR_ARGUMENT,
                   "save: tensor \"a\" ends within a byte");
  st_item sum[9];
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  for (int i = 0; i < 9; i++) sum[i] = (st_item){names[i], ST_U8, 1, half, NULL, 0};
  expect_no_layout(sum, 9, NULL, 0, RILL_ERROR_OVERFLOW,
                   "save: the tensors' size in bytes overflows");
  st_pair keys[] = {{"k", "1"}, {"k", "2"}};
  expect_no_layout(NULL, 0, keys, 2, RILL_ERROR_ARGUMENT, "save: two metadata of the key \"k\"");
  st_pair null = {"k", NULL};
  expect_no_layout(NULL, 0, &null, 1, RILL_ERROR_ARGUMENT, "save: a metadata value is NULL");
  st_pair bad = {"k", "\x80"};
  expect_no_layout(NULL, 0, &bad, 1, RILL_ERROR_ARGUMENT,
                   "save: metadata value \"\x80\" is not UTF-8");
  char *value = malloc(100000001);
  memset(value, 'v', 100000000);
  value[100000000] = 0;
  st_pair long_pair = {"k", value};
  expect_no_layout(NULL, 0, &long_pair, 1, RILL_ERROR_OVERFLOW,
                   "save: a header of 100000032 bytes, the format allows 100000000");
  free(value);
}
END_TEST

/* ---- memory ---- */

static int blocks_left, blocks_live;
static void *rationed_malloc(void *user, size_t size) {
  (void)user;
  if (blocks_left-- <= 0) return NULL;
  blocks_live++;
  return malloc(size);
}
static void counted_free(void *user, void *block) {
  (void)user;
  blocks_live -= block != NULL;
  free(block);
}

START_TEST(every_allocation_may_fail) {
  int failed = 0;
  for (int allowed = 0; allowed < 20; allowed++) {
    rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
    o.allocator = (rill_allocator){rationed_malloc, NULL, counted_free, NULL};
    blocks_left = 1000;
    rill_context *poor = rill_context_create(&o);
    blocks_left = allowed;
    st_index *x;
    rill_status status = st_parse(poor, "open", "x", golden_mixed, sizeof golden_mixed, &x);
    failed += status == RILL_ERROR_MEMORY;
    ck_assert(status == RILL_OK || (status == RILL_ERROR_MEMORY && !x));
    ck_assert_int_eq(rill_error(poor), status);
    heap_free(x);
    rill_error_clear(poor);
    rill_memory_trim(poor);
    blocks_left = allowed;
    st_item items[MIXED];
    for (int i = 0; i < MIXED; i++)
      items[i] = (st_item){mixed[i].name, mixed[i].dtype, mixed[i].ndim, mixed[i].shape, NULL, 0};
    text_buffer t;
    text_init(&t, poor->heap);
    status = st_layout(poor, "save", items, MIXED, NULL, 0, &t);
    failed += status == RILL_ERROR_MEMORY;
    ck_assert(status == RILL_OK || status == RILL_ERROR_MEMORY);
    ck_assert_int_eq(rill_error(poor), status);
    text_free(&t);
    rill_context_close(poor);
    ck_assert_int_eq(blocks_live, 0);
  }
  ck_assert_int_ge(failed, 3);
  ck_assert_int_lt(failed, 40);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("safetensors");
  tcase_set_timeout(c, 60);
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, the_reference_is_read);
  tcase_add_test(c, a_file_without_tensors_is_read);
  tcase_add_test(c, the_references_bytes_are_written);
  tcase_add_test(c, metadata_alone_and_in_order);
  tcase_add_test(c, unusual_but_well_formed);
  tcase_add_test(c, many_tensors_are_found);
  tcase_add_test(c, an_index_outlives_its_context);
  tcase_add_test(c, what_rill_lacks_is_listed_and_not_loaded);
  tcase_add_test(c, the_frame_is_checked);
  tcase_add_test(c, the_header_is_checked);
  tcase_add_test(c, sizes_and_places_are_checked);
  tcase_add_test(c, deep_nesting_is_refused);
  tcase_add_test(c, a_long_path_and_name_keep_the_message_whole);
  tcase_add_test(c, no_truncated_file_is_taken);
  tcase_add_test(c, every_flipped_bit_is_safe);
  tcase_add_test(c, shuffled_pieces_are_safe);
  tcase_add_test(c, what_could_not_be_read_is_not_written);
  tcase_add_test(c, every_allocation_may_fail);
  return c;
}

TEST_MAIN("safetensors", tcase)

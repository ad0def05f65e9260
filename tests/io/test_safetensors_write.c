/* Writing safetensors: equal bytes with the reference implementation, and a refusal of what could
 * not be read again; also memory that runs out, here and while reading. */
#include "io/safetensors_files.h"
#include "rationed.h"

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

START_TEST(every_allocation_may_fail) {
  int failed = 0;
  for (int allowed = 0; allowed < 20; allowed++) {
    rationed r = {.left = 1000};
    rill_context *poor = rationed_context(&r);
    r.left = allowed;
    st_index *x;
    rill_status status = st_parse(poor, "open", "x", golden_mixed, sizeof golden_mixed, &x);
    failed += status == RILL_ERROR_MEMORY;
    ck_assert(status == RILL_OK || (status == RILL_ERROR_MEMORY && !x));
    ck_assert_int_eq(rill_error(poor), status);
    heap_free(x);
    rill_error_clear(poor);
    rill_memory_trim(poor);
    r.left = allowed;
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
    ck_assert_int_eq(r.live, 0);
  }
  ck_assert_int_ge(failed, 3);
  ck_assert_int_lt(failed, 40);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("safetensors, writing");
  tcase_set_timeout(c, 60);
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, the_references_bytes_are_written);
  tcase_add_test(c, metadata_alone_and_in_order);
  tcase_add_test(c, what_could_not_be_read_is_not_written);
  tcase_add_test(c, every_allocation_may_fail);
  return c;
}

TEST_MAIN("safetensors, writing", tcase)
